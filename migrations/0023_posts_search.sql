-- Search among posts that uses its index. Under row-level security none may serve `like`, so one function looks through it, as for
-- calls (0006): it is owned by a role that nobody else may take, and the organization is the one that the transaction entered.

create policy search on posts for select to soundpost_search using (true);
grant select (id, organization_id, state, title, summary) on posts to soundpost_search;

-- The posts of the organization that this transaction entered whose words are like the pattern.
create function soundpost_search_posts(p_pattern text, p_state text) returns setof uuid
    language plpgsql stable security definer rows 50
    set search_path = pg_catalog, public, pg_temp
    -- The plan depends on how rare the text is.
    set plan_cache_mode = force_custom_plan
    set enable_seqscan = off
    set enable_indexscan = off
as $$ begin
    return query
    select p.id from posts p
    where p.organization_id = soundpost_organization() and lower(p.title || ' ' || p.summary) like p_pattern and p.state = p_state;
end $$;
-- Its owner needs the right to create in the schema for as long as it is given the function.
grant create on schema public to soundpost_search;
alter function soundpost_search_posts(text, text) owner to soundpost_search;
revoke create on schema public from soundpost_search;
revoke all on function soundpost_search_posts(text, text) from public;
grant execute on function soundpost_search_posts(text, text) to soundpost_app;
