-- Posts of one label. Under row-level security no index may serve arrays: one function looks through the index, as for words (0023).
grant select (tags, category, area) on posts to soundpost_search;

-- The posts of the organization that this transaction entered that have this tag, category or area, and words that are like the
-- pattern where there is one. Their order is read by `posts_asked` (0027); `posts_most_asked` stays for programs of before.
create function soundpost_labelled_posts(p_label text, p_pattern text, p_state text) returns setof uuid
    language plpgsql stable security definer rows 50
    set search_path = pg_catalog, public, pg_temp
    -- The plan depends on how rare the label is.
    set plan_cache_mode = force_custom_plan
    set enable_seqscan = off
    set enable_indexscan = off
as $$ begin
    return query
    select p.id from posts p
    where p.organization_id = soundpost_organization() and p.tags || array[p.category, p.area] @> array[p_label] and p.state = p_state
        and (p_pattern is null or lower(p.title || ' ' || p.summary) like p_pattern);
end $$;
-- Its owner needs the right to create in the schema for as long as it is given the function.
grant create on schema public to soundpost_search;
alter function soundpost_labelled_posts(text, text, text) owner to soundpost_search;
revoke create on schema public from soundpost_search;
revoke all on function soundpost_labelled_posts(text, text, text) from public;
grant execute on function soundpost_labelled_posts(text, text, text) to soundpost_app;
