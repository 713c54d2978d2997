//! The life of a token: one request at a time, in time, and never dead for a passing reason.

use std::{collections::HashMap, sync::Arc, time::Duration};

use connector::{Connector, Session, SessionError};
use gong::Gate;
use gong_sim::{Endpoint, Rule, What};
use kernel::ConnectionStatus;
use stories::{World, WorldOptions};
use time::OffsetDateTime;

use crate::support::{
    MINUTE, UNTIL_DUE, api_requests, connection, make_due, record, refresh_if_due, sealed, session,
    still_world, titles, token_requests,
};

#[tokio::test]
async fn tok_12_two_hundred_sessions_at_the_end_of_a_token_ask_once() {
    for (story, wait) in [("due", UNTIL_DUE), ("over", Duration::from_secs(24 * 3600 + 60))] {
        let world = still_world().await;
        let acme = world.organization("acme").await;
        world.connect(&acme, None).await;
        world.wait(wait);
        let before = token_requests(&world);

        let scope = kernel::Scope::job(acme.id);
        let id = connection(&world, &acme).await.id;
        let mut sessions = tokio::task::JoinSet::new();
        for _ in 0..200 {
            let (connector, gate) = (world.rooms.connector.clone(), world.rooms.gates.of(&scope, id));
            sessions.spawn(async move { patient(&connector, &scope, gate).await });
        }
        let sessions = sessions.join_all().await;

        assert_eq!(token_requests(&world) - before, 1, "{story}");
        assert_eq!(world.sim.refresh_reuses(), 0, "{story}");
        let good = sessions.iter().filter(|session| session.is_ok()).count();
        assert_eq!(good, 200, "{story}: everybody has a session");
        for session in sessions.iter().flatten().take(3) {
            session.gong().workspaces().await.unwrap();
        }
    }
}

#[tokio::test]
async fn tok_12_several_processes_at_the_end_of_a_token_ask_once() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    world.sim.adjust(|s| s.revoke_family_on_reuse = true);
    let connectors: Vec<_> = (0..4).map(|_| world.connector(world.keys.clone())).collect();
    for day in 1..=10 {
        world.wait(UNTIL_DUE);
        let before = token_requests(&world);
        let rush = connectors.iter().map(|by| session(&world, by, &acme));
        for outcome in futures(rush).await {
            outcome.unwrap().gong().workspaces().await.unwrap();
        }
        assert_eq!(token_requests(&world) - before, 1, "day {day}");
    }
    assert_eq!((world.sim.refresh_reuses(), world.sim.open_token_requests_max(acme.company)), (0, 1));
}

/// A session as a job gets it: who is told to come later, because the new token takes its time, comes again.
async fn patient(
    connector: &Connector,
    scope: &kernel::Scope,
    gate: Arc<dyn Gate>,
) -> Result<Session, SessionError> {
    for _ in 0..20 {
        match connector.session(scope, gate.clone(), None).await {
            Err(SessionError::Later { .. }) => {}
            outcome => return outcome,
        }
    }
    connector.session(scope, gate, None).await
}

/// All of them at once.
async fn futures<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = all.map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = running.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, slot) in running.iter_mut().zip(&mut done) {
            if slot.is_none()
                && let std::task::Poll::Ready(output) = future.as_mut().poll(context)
            {
                *slot = Some(output);
            }
        }
        if done.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}

#[tokio::test]
async fn tok_18_an_answer_that_was_lost_heals_itself_where_gong_has_patience() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    world.settle().await;
    world.sim.adjust(|s| s.refresh_grace_seconds = 60);
    world.sim.fault(Rule::once(Endpoint::Token, What::ResetAfterProcessing));
    let old = sealed(&world, &acme).await.generation;
    let before = token_requests(&world);

    world.pass(UNTIL_DUE).await;
    assert_eq!(token_requests(&world) - before, 1, "the answer to this one is lost");
    assert_eq!(sealed(&world, &acme).await.generation, old);
    for _ in 0..5 {
        world.pass(Duration::from_secs(6)).await;
    }

    assert_eq!(sealed(&world, &acme).await.generation, old + 1, "healed within thirty seconds");
    assert_eq!(token_requests(&world) - before, 2);
    let status = acme.api.gong().await;
    assert_eq!(status["status"], "connected", "{status}");
    world.pass(UNTIL_DUE).await;
    assert_eq!(sealed(&world, &acme).await.generation, old + 2, "and so it goes on");
    world.finish().await;
}

#[tokio::test]
async fn tok_18_an_answer_that_was_lost_for_good_is_loud_and_polls_go_on_until_the_token_ends() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    world.settle().await;
    let often = serde_json::json!({ "poll_every_seconds": 300 });
    acme.api.api(reqwest::Method::PATCH, "/api/v1/integrations/gong", Some(often)).await;
    world.pass(Duration::from_secs(23 * 3600 + 40 * 60)).await;
    world.sim.fault(Rule::once(Endpoint::Token, What::ResetAfterProcessing));
    let before = token_requests(&world);
    // With twenty minutes left the token surely outlives the next look, whatever the phase of the polls.
    make_due(&world, &acme).await;

    let mut refused_at: Option<OffsetDateTime> = None;
    let mut loud_at = None;
    while loud_at.is_none() {
        world.pass(Duration::from_secs(10)).await;
        let status = acme.api.gong().await;
        if refused_at.is_none() && world.sim.summary().refresh_reuses == 1 {
            refused_at = Some(world.sim.now());
        }
        if status["status"] == "reconnect_required" {
            assert_eq!(status["reason"], "authorization_revoked", "{status}");
            loud_at = Some(world.sim.now());
        }
        assert!(token_requests(&world) - before <= 2, "no more tries than needed");
    }
    assert!(loud_at.unwrap() - refused_at.unwrap() <= time::Duration::seconds(60));

    record(&world, &acme, "While the token lives");
    for _ in 0..5 {
        world.pass(MINUTE).await;
    }
    assert_eq!(titles(&acme).await, ["While the token lives"]);
    for _ in 0..4 {
        world.pass(5 * MINUTE).await;
    }
    let (requests, tokens) = (api_requests(&world), token_requests(&world));
    world.pass(Duration::from_secs(3_600)).await;
    assert_eq!((api_requests(&world), token_requests(&world)), (requests, tokens), "then Gong is left alone");
    assert_eq!(acme.api.gong().await["status"], "reconnect_required");
    world.finish().await;
}

#[tokio::test]
async fn tok_20_half_an_hour_of_failures_is_no_death() {
    let options = WorldOptions {
        workers: false,
        token_timeout: Duration::from_millis(1_500),
        ..WorldOptions::default()
    };
    let world = World::with(options).await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    world.wait(UNTIL_DUE);
    let connected = world.sim.now();
    let asked = || {
        world
            .sim
            .requests()
            .into_iter()
            .filter(move |r| r.endpoint == Endpoint::Token && r.sim_time > connected)
    };
    let weathers = [
        (200, What::Status(500)),
        (200, What::Html(502)),
        (200, What::Html(504)),
        (200, What::StatusWith { status: 429, error: "slow down".into(), retry_after: Some("5".into()) }),
        // Longer than a request may take; it takes real time too.
        (60, What::Stall(2_500)),
        (200, What::Reset),
        (200, What::Html(200)),
        (200, What::Status(403)),
        (200, What::Json(400, serde_json::json!({ "error": "temporarily_unavailable" }))),
        (200, What::Json(401, serde_json::json!({ "error": "invalid_client" }))),
    ];
    for (seconds, weather) in weathers {
        world.sim.clear_faults();
        world.sim.fault(Rule::always(Endpoint::Token, weather));
        // Half an hour in all; the access token ends on the way.
        for _ in 0..seconds / 5 {
            world.wait(Duration::from_secs(5));
            refresh_if_due(&world, &world.rooms.connector, &acme).await;
        }
        assert_eq!(connection(&world, &acme).await.status, ConnectionStatus::Connected);
    }
    let at: Vec<OffsetDateTime> = asked().map(|request| request.sim_time).collect();
    assert!(at.len() > 20 && at.len() <= 60, "{} tries in half an hour", at.len());
    let gaps: Vec<f64> = at.windows(2).map(|pair| (pair[1] - pair[0]).as_seconds_f64()).collect();
    assert!(gaps.iter().all(|gap| *gap >= 29.9), "{gaps:?}");
    assert!(gaps.iter().any(|gap| *gap > 36.0), "with jitter: {gaps:?}");
    assert!(acme.api.gong().await["last_error"]["code"].is_string(), "the page says so");

    world.sim.clear_faults();
    let old = sealed(&world, &acme).await.generation;
    for _ in 0..12 {
        world.wait(Duration::from_secs(5));
        refresh_if_due(&world, &world.rooms.connector, &acme).await;
    }
    assert_eq!(sealed(&world, &acme).await.generation, old + 1, "within a minute");
    session(&world, &world.rooms.connector, &acme).await.unwrap().gong().workspaces().await.unwrap();
}

#[tokio::test]
async fn tok_22_tokens_are_replaced_between_ten_and_five_minutes_before_their_end() {
    let world = World::start().await;
    let mut orgs = Vec::new();
    for n in 0..6 {
        let org = world.organization(&format!("org{n}")).await;
        world.connect(&org, None).await;
        orgs.push(org);
    }
    world.settle().await;
    let mut ends = HashMap::new();
    for org in &orgs {
        ends.insert(org.company, connection(&world, org).await.token_expires_at.unwrap());
    }
    let connected = world.sim.now();
    world.pass(Duration::from_secs(23 * 3600 + 48 * 60)).await;
    for _ in 0..14 {
        world.pass(MINUTE / 2).await;
    }
    for org in &orgs {
        let asked: Vec<_> = world
            .sim
            .requests()
            .into_iter()
            .filter(|r| {
                r.endpoint == Endpoint::Token && r.company == Some(org.company) && r.sim_time > connected
            })
            .collect();
        assert_eq!(asked.len(), 1, "{}", org.email);
        let left = ends[&org.company] - asked[0].sim_time;
        assert!(
            (time::Duration::minutes(4) + time::Duration::seconds(25)..=time::Duration::minutes(10))
                .contains(&left),
            "{left} before the end; a look of the schedule is half a minute here"
        );
    }
    world.finish().await;
}

#[test]
fn tok_22_a_thousand_tokens_of_one_moment_do_not_fall_due_together() {
    let now = kernel::Ambient::now(&kernel::SystemAmbient);
    let ambient: &dyn kernel::Ambient = &kernel::SystemAmbient;
    let day = Duration::from_secs(86_400);
    let mut per_slot = [0_u32; 30];
    for _ in 0..1_000 {
        let share = ambient.jitter(Duration::from_secs(1)).as_secs_f64();
        let due = oauth::refresh_due_at(now, day, oauth::RefreshRule::default(), share);
        let left = (now + day - due).whole_seconds();
        assert!((300..=600).contains(&left), "{left} s before the end");
        per_slot[usize::try_from((left - 300) / 10).unwrap().min(29)] += 1;
    }
    assert!(per_slot.iter().all(|count| (5..=67).contains(count)), "at most twice the mean: {per_slot:?}");
}

/// One look at a time: the daily sweep would add its own.
async fn put_off_the_sweep(world: &World) {
    sqlx::query("update gong_schedules set next_sweep_at = next_sweep_at + interval '3 days'")
        .execute(world.db.pool())
        .await
        .unwrap();
}

#[tokio::test]
async fn tok_23_a_token_that_is_refused_once_costs_one_refresh_and_one_more_try() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    world.settle().await;
    world.pass(Duration::from_secs(3_600)).await;
    record(&world, &acme, "After the refusal");
    put_off_the_sweep(&world).await;
    world.sim.expire_access_tokens(acme.company);
    world.sim.clear_memory();

    world.pass(Duration::from_secs(4 * 3600)).await;

    let requests = world.sim.requests();
    assert_eq!(requests.iter().filter(|r| r.status == Some(401)).count(), 1, "{requests:#?}");
    assert_eq!(requests.iter().filter(|r| r.endpoint == Endpoint::Token).count(), 1);
    assert_eq!(titles(&acme).await, ["After the refusal"]);
    assert_eq!(acme.api.gong().await["status"], "connected");
    world.finish().await;
}

#[tokio::test]
async fn tok_23_a_connection_that_is_always_refused_stops_after_three_requests() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    world.settle().await;
    put_off_the_sweep(&world).await;
    for endpoint in [Endpoint::CallsExtensive, Endpoint::Transcript, Endpoint::Users, Endpoint::Workspaces] {
        world.sim.fault(Rule::always(endpoint, What::Status(401)));
    }
    world.sim.clear_memory();

    world.pass(Duration::from_secs(4 * 3600)).await;
    world.pass(Duration::from_secs(4 * 3600)).await;

    let requests = world.sim.requests();
    assert!(requests.len() <= 3, "{requests:#?}");
    assert_eq!(requests.iter().filter(|r| r.endpoint == Endpoint::Token).count(), 1);
    let status = acme.api.gong().await;
    assert_eq!(
        (&status["status"], &status["reason"]),
        (&"reconnect_required".into(), &"access_refused".into())
    );
    world.finish().await;
}
