-- no-transaction
-- The order of the list of posts. Under row-level security a condition is looked up in an index only when it cannot leak what it
-- compares, and PostgreSQL does not know that of `coalesce`: with it every page but the first read all posts. `case` may be looked up.
create index concurrently if not exists posts_asked on posts
    (organization_id, state, account_count desc, (case when last_asked_at is null then created_at else last_asked_at end) desc, id desc);
