-- A request that is not answered at once may be on its way still, and reach Gong together with those that follow. It takes up
-- room in the second in which it arrives, whenever that is.

alter table gong_budgets
    -- The last slots that were given out, oldest first; as many as Gong allows in a second.
    add column sent timestamptz[] not null default '{}',
    -- For each request that may be on its way still: until when it takes up room.
    add column late timestamptz[] not null default '{}';

-- How many requests may be on their way still.
create function soundpost_late(p_late timestamptz[]) returns bigint
    language sql volatile set search_path = pg_catalog, public, pg_temp
as $$ select count(*) from unnest(p_late) until where until > clock_timestamp() $$;

-- The next slot: after the last one, and so that in p_window no more are sent than the late ones leave room for.
create function soundpost_slot(p_next timestamptz, p_sent timestamptz[], p_late bigint, p_allowed integer, p_window interval)
    returns timestamptz
    language sql volatile set search_path = pg_catalog, public, pg_temp
as $$
    select greatest(p_next, clock_timestamp(),
        case when p_late > 0 then p_sent[cardinality(p_sent) + 1 - (p_allowed - p_late)] + p_window end)
$$;
