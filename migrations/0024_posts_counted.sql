-- no-transaction
-- Posts are counted, and filtered by what few of them have, without reading them. Equal entries take one place.
create index concurrently posts_counted on posts (organization_id, state, board_id, priority, kind, sentiment, status);
