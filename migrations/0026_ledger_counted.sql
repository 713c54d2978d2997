-- The same for the ledger of feedback.
create table feedback_call_counts (
    id              bigint generated always as identity primary key,
    organization_id uuid not null,
    state           text not null,
    -- Why, while a call waits or once it failed.
    reason          text,
    calls           bigint not null
);
create index feedback_call_counts_of_organization on feedback_call_counts (organization_id);

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
revoke execute on function soundpost_count_feedback_calls() from public;

create function soundpost_feedback_call_counts_gone() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$ begin
    delete from feedback_call_counts where organization_id = old.id;
    return null;
end $$;
revoke execute on function soundpost_feedback_call_counts_gone() from public;
-- By its name after the triggers of the references, which wait for whoever changes what is counted.
create trigger zz_feedback_call_counts_go after delete on organizations for each row execute function soundpost_feedback_call_counts_gone();

do $$ begin
    alter table feedback_call_counts enable row level security;
    alter table feedback_call_counts force row level security;
    create policy own_organization on feedback_call_counts to soundpost_app
        using (organization_id = soundpost_organization()) with check (organization_id = soundpost_organization());
    create policy fleet on feedback_call_counts to soundpost_fleet using (true) with check (true);
    -- What runs as the user that migrates: the functions above.
    execute format('create policy keeper on feedback_call_counts to %I using (true) with check (true)', current_user);
    grant select on feedback_call_counts to soundpost_app;
end $$;

-- What is there already.
insert into feedback_call_counts (organization_id, state, reason, calls)
select organization_id, state, case when state in ('waiting', 'failed') then reason end, count(*) from feedback_calls group by 1, 2, 3;

-- Puts rows together that count the same. Each row goes once, whoever else is at it; an organization that is being erased is left alone.
create function soundpost_gather_counts() returns void
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$ begin
    -- One is enough.
    if not pg_try_advisory_xact_lock(hashtextextended('counts', 0)) then
        return;
    end if;
    with many as (select organization_id, board_id, state from post_counts group by 1, 2, 3 having count(*) > 1),
        those as (select id from organizations where id in (select organization_id from many) order by id for key share skip locked),
        locked as (select c.id from post_counts c join many m using (organization_id, board_id, state)
            where c.organization_id in (select id from those) for update of c skip locked),
        gone as (delete from post_counts where id in (select id from locked) returning organization_id, board_id, state, posts)
    insert into post_counts (organization_id, board_id, state, posts)
    select organization_id, board_id, state, sum(posts) from gone group by 1, 2, 3 having sum(posts) <> 0;
    with many as (select organization_id, state, reason from feedback_call_counts group by 1, 2, 3 having count(*) > 1),
        those as (select id from organizations where id in (select organization_id from many) order by id for key share skip locked),
        locked as (select c.id from feedback_call_counts c join many m on m.organization_id = c.organization_id and m.state = c.state
                and m.reason is not distinct from c.reason
            where c.organization_id in (select id from those) for update of c skip locked),
        gone as (delete from feedback_call_counts where id in (select id from locked) returning organization_id, state, reason, calls)
    insert into feedback_call_counts (organization_id, state, reason, calls)
    select organization_id, state, reason, sum(calls) from gone group by 1, 2, 3 having sum(calls) <> 0;
end $$;
revoke execute on function soundpost_gather_counts() from public;
grant execute on function soundpost_gather_counts() to soundpost_fleet;
