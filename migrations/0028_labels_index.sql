-- no-transaction
-- Posts are found by their tags, category and area.
create index concurrently if not exists posts_labels on posts using gin (organization_id, (tags || array[category, area]))
    with (gin_pending_list_limit = 256);
