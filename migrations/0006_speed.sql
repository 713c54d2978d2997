-- Search that uses its index, and lists that can be walked without touching the calls.
--
-- Under row-level security the trigram index was never used: `like` could tell of rows that the policy hides, so PostgreSQL
-- applies the policy first. One function, owned by a role that nobody else may take, looks through the index instead; the
-- organization is not an argument but the one that the transaction entered. It gives out ids, which are then read as ever.

create extension if not exists btree_gin;

drop index gong_calls_search;
-- What is new waits unsorted in a list that every search reads: a short one.
create index gong_calls_search on gong_calls using gin (organization_id, search_text gin_trgm_ops)
    with (gin_pending_list_limit = 256);

-- Which letters, digits and signs the search text has, a bit each (crates/ingest/src/search.rs); -1: not known, so any.
alter table gong_calls add column search_signs bigint not null default -1;
drop index gong_calls_newest;
create index gong_calls_newest on gong_calls (organization_id, started_at desc, id desc) include (search_signs);
drop index gong_calls_by_state;
create index gong_calls_by_state on gong_calls (organization_id, transcript_state, started_at desc, id desc)
    include (search_signs);

-- Whoever changes the text without the signs makes them unknown.
create function gong_calls_forget_signs() returns trigger language plpgsql as $$ begin
    new.search_signs := -1;
    return new;
end $$;
create trigger gong_calls_signs before update of search_text on gong_calls for each row
    when (new.search_text is distinct from old.search_text and new.search_signs = old.search_signs)
    execute function gong_calls_forget_signs();

do $$ begin
    create role soundpost_search nologin nosuperuser nobypassrls;
exception when duplicate_object or unique_violation then null; end $$;
do $$ begin
    execute format('grant soundpost_search to %I', current_user);
exception when others then
    -- A superuser needs no membership.
    if not (select rolsuper from pg_roles where rolname = current_user) then raise; end if;
end $$;

create policy search on gong_calls for select to soundpost_search using (true);
grant usage on schema public to soundpost_search;
grant select (id, organization_id, started_at, transcript_state, search_text) on gong_calls to soundpost_search;

-- The newest calls of the organization that this transaction entered whose text is like the pattern, older than a place.
create function soundpost_search_calls(
    p_pattern text, p_state text, p_before timestamptz, p_before_id uuid, p_most integer
) returns setof uuid
    language plpgsql stable security definer rows 50
    set search_path = pg_catalog, public, pg_temp
    -- The plan depends on how rare the text is.
    set plan_cache_mode = force_custom_plan
    set enable_seqscan = off
    set enable_indexscan = off
as $$ begin
    return query
    with found as materialized (
        select c.id, c.started_at from gong_calls c
        where c.organization_id = soundpost_organization() and c.search_text like p_pattern
          and (p_state is null or c.transcript_state = p_state)
          and (c.started_at, c.id) < (p_before, p_before_id)
    )
    select f.id from found f order by f.started_at desc, f.id desc limit p_most;
end $$;
-- Its owner needs the right to create in the schema for as long as it is given the function.
grant create on schema public to soundpost_search;
alter function soundpost_search_calls(text, text, timestamptz, uuid, integer) owner to soundpost_search;
revoke create on schema public from soundpost_search;
revoke all on function soundpost_search_calls(text, text, timestamptz, uuid, integer) from public;
grant execute on function soundpost_search_calls(text, text, timestamptz, uuid, integer) to soundpost_app;
