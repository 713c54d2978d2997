//! The look for work that lies still: it sees all of it, wakes what can be done, and sweeps out what nobody reads any more.

use crate::support::*;

/// Organizations with a running poll and its job; the ids of their connections come before all others.
const BUSY: &str = "
    with made as (
        select n, ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid as id from generate_series(1, 1100) n
    ), organization as (
        insert into organizations (id, name, created_at) select id, 'o' || n, now() from made
    ), connection as (
        insert into gong_connections (id, organization_id, status, auth_kind, api_base_url, connected_at, created_at, updated_at)
        select id, id, 'connected', 'oauth', 'https://x.api.gong.io', now(), now(), now() from made
    ), schedule as (
        insert into gong_schedules (connection_id, organization_id, active, import_floor, next_poll_at, next_sweep_at)
        select id, id, true, now(), now() + interval '9 days', now() + interval '9 days' from made
    ), run as (
        insert into gong_runs (id, organization_id, connection_id, kind, state, from_at, to_at, created_at)
        select id, id, id, 'poll', 'running', now(), now(), now() from made
    )
    select count(soundpost_enqueue_job('fresh', 'poll', id, id, 'poll:con_' || replace(id::text, '-', ''),
        now() + interval '8 days', 0, 8, null)) from made";

const POLLS_OF_ACME: &str = "select count(*) from apalis.jobs j join gong_connections c
    on j.metadata -> 'sp.subject' = c.id::text and j.metadata -> 'sp.kind' = 'poll'
    where c.connected_by is not null and j.status = 'Pending'";

#[tokio::test]
async fn job_08_what_lost_its_job_is_found_behind_a_thousand_that_have_theirs() {
    let world = sleeping_world().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    assert_eq!(world.number(BUSY).await, 1_100);
    let lose = "with run as (
            insert into gong_runs (id, organization_id, connection_id, kind, state, from_at, to_at, created_at)
            select gen_random_uuid(), organization_id, id, 'poll', 'running', now(), now(), now()
            from gong_connections where connected_by is not null)
        delete from apalis.jobs where metadata -> 'sp.organization' = $1::text";
    sqlx::query(lose).bind(acme.id).execute(world.db.pool()).await.unwrap();
    assert_eq!(world.number(POLLS_OF_ACME).await, 0);

    jobs::schedule::reconcile_once(&world.rooms).await.unwrap();
    assert_eq!(world.number(POLLS_OF_ACME).await, 1);

    // What an admin has to connect again first is not woken in vain.
    for query in [
        "delete from apalis.jobs where run_at < now() + interval '1 day'",
        "update gong_connections set status = 'reconnect_required', reason = 'access_refused' where connected_by is not null",
    ] {
        sqlx::query(query).execute(world.db.pool()).await.unwrap();
    }
    jobs::schedule::reconcile_once(&world.rooms).await.unwrap();
    assert_eq!(world.number(POLLS_OF_ACME).await, 0);
}

#[tokio::test]
async fn old_hours_runs_and_losses_are_swept_out_and_the_newest_runs_stay() {
    let world = sleeping_world().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, Some(7)).await;
    for query in [
        "delete from gong_usage",
        "insert into gong_usage (connection_id, organization_id, hour, fresh)
         select id, organization_id, now() - make_interval(days => n), 1 from gong_connections, generate_series(1, 60) n",
        "insert into gong_runs (id, organization_id, connection_id, kind, state, from_at, to_at, created_at, finished_at)
         select gen_random_uuid(), organization_id, id, k, 'done', now(), now(), at, at
         from gong_connections, unnest(array['poll', 'sweep']) k,
             lateral (select now() - make_interval(days => case k when 'poll' then n else n + 100 end) as at
                 from generate_series(1, 60) n) old",
        "insert into gong_losses (id, organization_id, connection_id, seen_at, expected, missing, state, closed_at)
         select gen_random_uuid(), organization_id, id, now(), 9, 1, case when n = 0 then 'asked' else 'kept' end,
             case when n > 0 then now() - make_interval(days => n) end from gong_connections, generate_series(0, 60) n",
    ] {
        sqlx::query(query).execute(world.db.pool()).await.unwrap();
    }
    jobs::schedule::sweep_once(&world.rooms).await.unwrap();
    let left = async |query| world.number(query).await;
    assert!((29..=31).contains(&left("select count(*) from gong_usage").await));
    assert!((29..=31).contains(&left("select count(*) from gong_runs where kind = 'poll'").await));
    assert_eq!(
        left("select count(*) from gong_runs where kind = 'sweep'").await,
        1,
        "the newest of its kind"
    );
    assert_eq!(left("select count(*) from gong_runs where kind = 'backfill'").await, 1);
    assert!((30..=32).contains(&left("select count(*) from gong_losses").await), "and what is open");
}
