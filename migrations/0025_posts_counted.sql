-- How many posts stand where, so that no page has to count them. Unlike the counts of calls (0001), a change adds a row and waits for
-- nobody: posts change in many transactions at once, and in any order. What a page reads is a sum of few rows, because those that
-- belong together are put together now and then (0026). No reference to the organization: with one, a change of a post would wait
-- for who erases the organization, while that waits for the post.
create table post_counts (
    id              bigint generated always as identity primary key,
    organization_id uuid not null,
    board_id        uuid not null,
    state           text not null,
    posts           bigint not null
);
create index post_counts_of_organization on post_counts (organization_id);

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
revoke execute on function soundpost_count_posts() from public;

create function soundpost_post_counts_gone() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$ begin
    delete from post_counts where organization_id = old.id;
    return null;
end $$;
revoke execute on function soundpost_post_counts_gone() from public;
-- By its name after the triggers of the references, which wait for whoever changes what is counted.
create trigger zz_post_counts_go after delete on organizations for each row execute function soundpost_post_counts_gone();

do $$ begin
    alter table post_counts enable row level security;
    alter table post_counts force row level security;
    create policy own_organization on post_counts to soundpost_app
        using (organization_id = soundpost_organization()) with check (organization_id = soundpost_organization());
    create policy fleet on post_counts to soundpost_fleet using (true) with check (true);
    -- What runs as the user that migrates: the functions above.
    execute format('create policy keeper on post_counts to %I using (true) with check (true)', current_user);
    grant select on post_counts to soundpost_app;
end $$;

-- What is there already. Nobody changes any of it meanwhile: the triggers above hold the table to the end of this transaction.
insert into post_counts (organization_id, board_id, state, posts)
select organization_id, board_id, state, count(*) from posts group by 1, 2, 3;
