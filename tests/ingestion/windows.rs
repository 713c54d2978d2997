//! JOB-05: which calls lie in the history that was chosen, to the microsecond, whatever the calendar does.

use std::collections::BTreeSet;

use gong_sim::{CompanyOptions, NewCall};
use serde_json::json;
use sqlx::types::time::OffsetDateTime;
use stories::{Org, World};
use time::{Duration, Month, Time, macros::datetime};

use crate::support::*;

/// Begins a backfill and hands out its window before anything is listed.
async fn begun(world: &World, name: &str, days: i64) -> (Org, OffsetDateTime, OffsetDateTime) {
    let org = world.organization(name).await;
    world.connect(&org, Some(days)).await;
    let (from, to) = sqlx::query_as(
        "select from_at, to_at from gong_runs where organization_id = $1 and kind = 'backfill'",
    )
    .bind(org.id)
    .fetch_one(world.db.pool())
    .await
    .unwrap();
    (org, from, to)
}

fn call_at(world: &World, org: &Org, at: OffsetDateTime) -> String {
    world.sim.add_call(org.company, NewCall::new().started(at).visible_after(at).say(0, "On the edge."))
}

#[tokio::test]
async fn job_05_a_lookback_of_1_and_of_60_days_brings_exactly_the_calls_inside() {
    let mut world = sleeping_world().await;
    let mut expected = Vec::new();
    for days in [1, 60] {
        let (org, from, to) = begun(&world, &format!("days{days}"), days).await;
        assert_eq!(to - from, Duration::days(days));
        let tiny = Duration::microseconds(1);
        let inside: BTreeSet<String> =
            [from, from + tiny, from + Duration::milliseconds(1), to - Duration::hours(1)]
                .map(|at| call_at(&world, &org, at))
                .into();
        for at in [from - tiny, from - Duration::milliseconds(1), from - Duration::days(1)] {
            call_at(&world, &org, at);
        }
        // The end belongs to the first poll.
        let end: BTreeSet<String> = [to - tiny, to, to + tiny].map(|at| call_at(&world, &org, at)).into();
        expected.push((org, inside, end));
    }
    world.work();
    world.settle().await;
    for (org, inside, end) in &expected {
        let held = held_ids(org).await;
        assert!(held.is_superset(inside) && held.is_subset(&(inside | end)), "{held:?}");
    }
    world.pass(5 * HOUR).await;
    for (org, inside, end) in &expected {
        assert_eq!(held_ids(org).await, inside | end);
    }
    world.finish().await;
}

#[tokio::test]
async fn job_05_history_outside_1_to_60_days_is_refused_by_name() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    for bad in [json!(0), json!(61), json!("x"), json!(-1), json!(1.5), json!("7")] {
        let answer =
            acme.browser.post("/api/v1/integrations/gong/connect", json!({ "history_days": bad })).await;
        assert_eq!(answer.status, 422, "{bad}: {}", answer.text);
        assert_eq!(answer.json()["errors"][0]["field"], "history_days", "{bad}: {}", answer.text);
    }
    assert_eq!(world.number("select count(*) from gong_flows").await, 0);
    world.connect(&acme, None).await;
    world.settle().await;
    for bad in [json!(0), json!(61), json!("x"), json!(-1), json!(null)] {
        let answer = acme.browser.post("/api/v1/integrations/gong/backfill", json!({ "days": bad })).await;
        assert_eq!(answer.status, 422, "{bad}: {}", answer.text);
        assert_eq!(answer.json()["errors"][0]["field"], "days", "{bad}: {}", answer.text);
    }
    for bad in ["0", "61", "x", "-1", ""] {
        let answer = acme.api.get(&format!("/api/v1/integrations/gong/estimate?days={bad}")).await;
        assert_eq!(answer.status, 422, "{bad}: {}", answer.text);
        assert_eq!(answer.json()["errors"][0]["field"], "days", "{bad}: {}", answer.text);
    }
    assert_eq!(world.number("select count(*) from gong_runs where kind = 'backfill'").await, 0);
    world.finish().await;
}

#[tokio::test]
async fn job_05_clock_changes_offsets_and_a_leap_day_move_nothing() {
    let world = World::start().await;
    // To the middle of March 2028: a leap day and America's clock change lie in the history.
    let middle = datetime!(2028-03-20 12:00 UTC);
    world.wait((middle - now(&world)).try_into().unwrap());
    let mut orgs = Vec::new();
    for (name, offset_minutes) in [("kolkata", 330), ("marquesas", -570), ("kiritimati", 840)] {
        let mut org = world.organization(name).await;
        let options = CompanyOptions { offset_minutes, ..CompanyOptions::named(&format!("{name}-gong")) };
        org.company = world.sim.add_company_with(&options);
        let mut ids = BTreeSet::new();
        for day in 0..59 {
            // Around each midnight, in UTC and at the company's.
            let date = (middle - Duration::days(day)).date();
            let midnight = date.with_time(Time::MIDNIGHT).assume_utc();
            let local = midnight - Duration::minutes(offset_minutes.into());
            for at in [midnight, local, local - Duration::microseconds(1)] {
                if at < middle - Duration::hours(2) && at > middle - Duration::days(60) {
                    ids.insert(call_at(&world, &org, at));
                }
            }
        }
        assert!(ids.len() > 170);
        let leap = datetime!(2028-02-29 23:59:59.999999 UTC);
        assert_eq!(leap.month(), Month::February);
        ids.insert(call_at(&world, &org, leap));
        ids.insert(call_at(&world, &org, datetime!(2028-03-12 02:30 -5)));
        call_at(&world, &org, middle - Duration::days(61));
        world.connect(&org, Some(60)).await;
        orgs.push((org, ids));
    }
    world.settle().await;
    for (org, ids) in &orgs {
        assert_eq!(held_ids(org).await, *ids, "{}", org.email);
        let truth = world.sim.expected(org.company);
        for call in org.api.all_calls().await {
            let at = call["started_at"].as_str().unwrap();
            let at = OffsetDateTime::parse(at, &time::format_description::well_known::Rfc3339).unwrap();
            let expected = truth.iter().find(|t| t.id == id(&call)).unwrap().started;
            assert_eq!(at, expected);
        }
    }
    world.finish().await;
}
