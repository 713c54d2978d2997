-- no-transaction
-- Posts are found by the letters in them, as calls are. Built beside the traffic.
create index concurrently posts_search on posts using gin (organization_id, lower(title || ' ' || summary) gin_trgm_ops)
    with (gin_pending_list_limit = 256);
