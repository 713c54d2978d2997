//! Planted: keys that are lost, workers that are gone, connections that are broken.

use kernel::ExposeSecret;
use vault::KeyRing;

use super::Patient;

#[tokio::test(flavor = "multi_thread")]
async fn ops_09_keys_that_are_lost_or_old_are_found() {
    let patient = Patient::new().await;
    let other = KeyRing::generate_key();
    patient.asks(&[("SOUNDPOST_KEYS", other.expose_secret())]).is("keys sealing keys", 13);
    let both = format!("{},{}", other.expose_secret(), patient.world.key.expose_secret());
    patient.asks(&[("SOUNDPOST_KEYS", &both)]).is("keys sealing keys", 23);
    patient.world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ops_09_work_that_stands_still_is_found() {
    let patient = Patient::new().await;
    for (plant, finding, code, undo) in [
        (
            "update worker_heartbeats set seen_at = now() - interval '5 minutes'",
            "work workers",
            15,
            "update worker_heartbeats set seen_at = now() + interval '1 hour'",
        ),
        (
            "create table kept as select * from worker_heartbeats; delete from worker_heartbeats",
            "work workers",
            25,
            "insert into worker_heartbeats select * from kept",
        ),
        (
            "update gong_schedules set active = true, next_poll_at = now() - interval '10 minutes'",
            "work polls",
            15,
            "update gong_schedules set next_poll_at = now() + interval '1 hour'",
        ),
        (
            "insert into dead_letters (job_id, organization_id, lane, kind, subject, key, priority, attempts, max_attempts, code)
             select 'j', organization_id, 'fresh', 'poll', id, 'poll:x', 0, 8, 8, 'gong_refused' from gong_connections",
            "work dead letters",
            25,
            "delete from dead_letters",
        ),
        ("insert into gong_stop (stopped_at, reason) values (now(), 'why')", "work traffic", 15, "delete from gong_stop"),
        (
            "insert into gong_usage (connection_id, organization_id, hour, fresh)
             select id, organization_id, date_trunc('hour', now()) - interval '2 hours', 9000 from gong_connections",
            "work budgets",
            25,
            "delete from gong_usage",
        ),
        (
            "insert into gong_budgets (connection_id, organization_id, held_until, held_reason)
             select id, organization_id, now() + interval '1 hour', 'rate_limited' from gong_connections
             on conflict (connection_id) do update set held_until = excluded.held_until",
            "work rate limits",
            25,
            "update gong_budgets set held_until = null",
        ),
    ] {
        patient.sql(plant).await;
        patient.asks(&[]).is(finding, code);
        patient.sql(undo).await;
    }
    assert_eq!(patient.asks(&[]).code, 0);
    patient.world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ops_09_connections_that_are_broken_are_found() {
    let patient = Patient::new().await;
    for (plant, finding, undo) in [
        (
            "update gong_connections set status = 'reconnect_required', reason = 'access_refused'",
            "connections connections",
            "update gong_connections set status = 'connected', reason = null",
        ),
        (
            "update gong_credentials set expires_at = now() - interval '1 hour'",
            "connections tokens",
            "update gong_credentials set expires_at = now() + interval '1 hour'",
        ),
        (
            "update gong_connections set missing_scopes = '{api:calls:read:transcript}'",
            "connections scopes",
            "update gong_connections set missing_scopes = '{}'",
        ),
        (
            "update gong_connections set api_base_url = 'https://evil.example'",
            "connections base URLs",
            "select 1",
        ),
    ] {
        patient.sql(plant).await;
        patient.asks(&[]).is(finding, 26);
        patient.sql(undo).await;
    }
    patient.world.finish().await;
}
