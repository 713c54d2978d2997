-- How many posts and how many calls stand where, so that no page has to count them. Unlike the counts of calls (0001), a change
-- adds a row and waits for nobody: posts change in many transactions at once, and in any order. What a page reads is a sum of
-- few rows, because those that belong together are put together now and then.

create table post_counts (
    id              bigint generated always as identity primary key,
    organization_id uuid not null references organizations on delete cascade,
    board_id        uuid not null,
    state           text not null,
    posts           bigint not null
);
create index post_counts_of_organization on post_counts (organization_id);

create table feedback_call_counts (
    id              bigint generated always as identity primary key,
    organization_id uuid not null references organizations on delete cascade,
    state           text not null,
    -- Why, while a call waits or once it failed.
    reason          text,
    calls           bigint not null
);
create index feedback_call_counts_of_organization on feedback_call_counts (organization_id);

-- Run once a statement. A whole organization that goes leaves nothing here.
create function soundpost_count_posts() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$ begin
    if tg_op = 'INSERT' then
        insert into post_counts (organization_id, board_id, state, posts)
        select organization_id, board_id, state, count(*) from came group by 1, 2, 3;
    elsif tg_op = 'UPDATE' then
        insert into post_counts (organization_id, board_id, state, posts)
        select organization_id, board_id, state, sum(n) from (
            select organization_id, board_id, state, 1 as n from came
            union all select organization_id, board_id, state, -1 from gone) changes
        group by 1, 2, 3 having sum(n) <> 0;
    else
        insert into post_counts (organization_id, board_id, state, posts)
        select organization_id, board_id, state, -count(*) from gone
        where organization_id in (select id from organizations) group by 1, 2, 3;
    end if;
    return null;
end $$;
create trigger posts_counted_come after insert on posts
    referencing new table as came for each statement execute function soundpost_count_posts();
create trigger posts_counted_change after update on posts
    referencing old table as gone new table as came for each statement execute function soundpost_count_posts();
create trigger posts_counted_go after delete on posts
    referencing old table as gone for each statement execute function soundpost_count_posts();

create function soundpost_count_feedback_calls() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$ begin
    if tg_op = 'INSERT' then
        insert into feedback_call_counts (organization_id, state, reason, calls)
        select organization_id, state, case when state in ('waiting', 'failed') then reason end, count(*) from came group by 1, 2, 3;
    elsif tg_op = 'UPDATE' then
        insert into feedback_call_counts (organization_id, state, reason, calls)
        select organization_id, state, case when state in ('waiting', 'failed') then reason end, sum(n) from (
            select organization_id, state, reason, 1 as n from came
            union all select organization_id, state, reason, -1 from gone) changes
        group by 1, 2, 3 having sum(n) <> 0;
    else
        insert into feedback_call_counts (organization_id, state, reason, calls)
        select organization_id, state, case when state in ('waiting', 'failed') then reason end, -count(*) from gone
        where organization_id in (select id from organizations) group by 1, 2, 3;
    end if;
    return null;
end $$;
create trigger feedback_calls_counted_come after insert on feedback_calls
    referencing new table as came for each statement execute function soundpost_count_feedback_calls();
create trigger feedback_calls_counted_change after update on feedback_calls
    referencing old table as gone new table as came for each statement execute function soundpost_count_feedback_calls();
create trigger feedback_calls_counted_go after delete on feedback_calls
    referencing old table as gone for each statement execute function soundpost_count_feedback_calls();

-- Puts rows together that count the same. Each row goes once, whoever else is at it; an organization that is being erased is left alone.
create function soundpost_gather_counts() returns void
    language sql security definer set search_path = pg_catalog, public, pg_temp
as $$
    with many as (select organization_id, board_id, state from post_counts group by 1, 2, 3 having count(*) > 20),
        those as (select id from organizations where id in (select organization_id from many) order by id for key share skip locked),
        locked as (select c.id from post_counts c join many m using (organization_id, board_id, state)
            where c.organization_id in (select id from those) for update of c skip locked),
        gone as (delete from post_counts where id in (select id from locked) returning organization_id, board_id, state, posts)
    insert into post_counts (organization_id, board_id, state, posts)
    select organization_id, board_id, state, sum(posts) from gone group by 1, 2, 3 having sum(posts) <> 0;
    with many as (select organization_id, state, reason from feedback_call_counts group by 1, 2, 3 having count(*) > 20),
        those as (select id from organizations where id in (select organization_id from many) order by id for key share skip locked),
        locked as (select c.id from feedback_call_counts c join many m on m.organization_id = c.organization_id and m.state = c.state
                and m.reason is not distinct from c.reason
            where c.organization_id in (select id from those) for update of c skip locked),
        gone as (delete from feedback_call_counts where id in (select id from locked) returning organization_id, state, reason, calls)
    insert into feedback_call_counts (organization_id, state, reason, calls)
    select organization_id, state, reason, sum(calls) from gone group by 1, 2, 3 having sum(calls) <> 0;
$$;

do $$
declare
    t text;
begin
    foreach t in array array['post_counts', 'feedback_call_counts'] loop
        execute format('alter table %I enable row level security', t);
        execute format('alter table %I force row level security', t);
        execute format(
            'create policy own_organization on %I to soundpost_app using (organization_id = soundpost_organization()) with check (organization_id = soundpost_organization())', t);
        execute format('create policy fleet on %I to soundpost_fleet using (true) with check (true)', t);
        -- What runs as the user that migrates: the functions above.
        execute format('create policy keeper on %I to %I using (true) with check (true)', t, current_user);
        execute format('grant select on %I to soundpost_app, soundpost_fleet', t);
    end loop;
end $$;
revoke execute on function soundpost_count_posts() from public;
revoke execute on function soundpost_count_feedback_calls() from public;
revoke execute on function soundpost_gather_counts() from public;
grant execute on function soundpost_gather_counts() to soundpost_fleet;

-- What is there already. Nobody changes any of it meanwhile: the triggers above hold both tables to the end of this transaction.
insert into post_counts (organization_id, board_id, state, posts)
select organization_id, board_id, state, count(*) from posts group by 1, 2, 3;
insert into feedback_call_counts (organization_id, state, reason, calls)
select organization_id, state, case when state in ('waiting', 'failed') then reason end, count(*) from feedback_calls group by 1, 2, 3;
