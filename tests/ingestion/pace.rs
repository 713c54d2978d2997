//! The company's share: a pace over all processes, pauses that Gong asks for, and the budget of a day.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use gong_sim::{Endpoint, NewCall, Request, Rule, What};
use serde_json::Value;
use sqlx::types::time::OffsetDateTime;
use stories::{Org, World, WorldOptions};
use time::format_description::well_known::Rfc3339;

use crate::support::*;

/// Four processes import the history of one company while it is polled.
async fn four_processes(per_second: f64) -> (World, Org) {
    let mut options = WorldOptions { workers: false, gong_limit: true, ..WorldOptions::default() };
    options.defaults.per_second = per_second;
    let defaults = options.defaults.clone();
    let world = World::with(options).await;
    let acme = world.organization("acme").await;
    world.sim.generate(acme.company, &plain(700, 50));
    let mut processes = Vec::new();
    for _ in 0..4 {
        processes.push(Workers::start(&world, &defaults).await);
    }
    world.connect(&acme, Some(60)).await;
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        acme.api.post("/api/v1/integrations/gong/poll", serde_json::json!({})).await;
    }
    world.settle().await;
    for process in processes {
        process.stop().await;
    }
    (world, acme)
}

fn api_requests(world: &World, org: &Org) -> Vec<Request> {
    let ours = |r: &Request| {
        r.company == Some(org.company) && !matches!(r.endpoint, Endpoint::Token | Endpoint::Authorize)
    };
    world.sim.requests().into_iter().filter(ours).collect()
}

/// The longest that a thread of this machine overslept since it was made.
pub(crate) struct Oversleeping {
    longest: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
}

impl Oversleeping {
    pub(crate) fn watch() -> Self {
        let this = Self { longest: Arc::default(), over: Arc::default() };
        let (longest, over) = (this.longest.clone(), this.over.clone());
        std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let began = Instant::now();
                std::thread::sleep(Duration::from_millis(2));
                let late = began.elapsed().saturating_sub(Duration::from_millis(2));
                longest.fetch_max(u64::try_from(late.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
            }
        });
        this
    }

    /// In milliseconds.
    pub(crate) fn longest(&self) -> u64 {
        self.longest.load(Ordering::Relaxed)
    }
}

impl Drop for Oversleeping {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// Four processes at this pace: never more than three requests in a second, none refused, the average kept. Where the
/// machine itself was late by more than the pace allows for, nothing was measured and it is done again.
async fn the_limit_is_kept(per_second: f64, average: f64) {
    for _ in 0..4 {
        let oversleeping = Oversleeping::watch();
        let (world, acme) = four_processes(per_second).await;
        let late = oversleeping.longest();
        let most = world.sim.max_in_sliding_second(acme.company);
        let refused = world.sim.rate_limited(acme.company);
        if late > 10 && (most > 3 || refused > 0) {
            continue;
        }
        assert!(
            most <= 3 && refused == 0,
            "{most} in a second, {refused} refused; the machine was {late} ms late"
        );
        assert_all_here(&world, &acme).await;
        let requests = api_requests(&world, &acme);
        let seconds = (requests[requests.len() - 1].at_micros - requests[0].at_micros) as f64 / 1e6;
        let rate = (requests.len() - 1) as f64 / seconds;
        assert!(rate <= average, "{rate} requests a second on average");
        return world.finish().await;
    }
    panic!("this machine is too busy to measure a pace");
}

#[tokio::test]
async fn job_15_four_processes_at_two_and_a_half_a_second_stay_below_the_limit() {
    the_limit_is_kept(2.5, 2.55).await;
}

#[tokio::test]
async fn job_15_four_processes_at_three_a_second_are_never_limited() {
    the_limit_is_kept(3.0, 3.0).await;
}

fn moment(value: &Value) -> OffsetDateTime {
    OffsetDateTime::parse(value.as_str().unwrap_or_default(), &Rfc3339).unwrap_or_else(|_| panic!("{value}"))
}

/// A form of `Retry-After`.
#[derive(Clone, Copy)]
enum Form {
    Seconds,
    Date,
    Absent,
}

/// Gong says 429 in the middle of a backfill and wants us to wait.
async fn told_to_wait(form: Form, seconds: i64, world: &World) {
    let acme = world.organization("acme").await;
    let other = world.organization("other").await;
    world.sim.generate(acme.company, &plain(400, 20));
    world.sim.generate(other.company, &plain(150, 20));
    world.connect(&acme, Some(30)).await;
    let started = until(Duration::from_secs(10), async || asked(world, &acme).0 >= 2).await;
    assert!(started);
    let date = (world.sim.now() + time::Duration::seconds(seconds + 1)).replace_nanosecond(0).unwrap();
    let format = time::macros::format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    let retry_after = match form {
        Form::Seconds => Some(seconds.to_string()),
        Form::Date => Some(date.format(format).unwrap()),
        Form::Absent => None,
    };
    let limit = What::StatusWith { status: 429, error: "API rate limit exceeded".into(), retry_after };
    let fault = world.sim.fault(Rule {
        company: Some(acme.company),
        endpoint: None,
        when: gong_sim::When::Next(1),
        what: limit,
    });
    assert!(until(Duration::from_secs(10), async || world.sim.fault_hits(fault) == 1).await);
    world.connect(&other, Some(30)).await;
    world.settle().await;

    let requests = api_requests(world, &acme);
    let hit = requests.iter().position(|r| r.fault.is_some()).unwrap();
    let free_at = match form {
        Form::Date => date,
        Form::Seconds | Form::Absent => requests[hit].sim_time + time::Duration::seconds(seconds),
    };
    assert_all_here_of(world, &other).await;
    if seconds > 5 {
        let budget = acme.api.gong().await["budget"].clone();
        assert_eq!(budget["held_reason"], "rate_limited", "{budget}");
        let off = (moment(&budget["held_until"]) - free_at).as_seconds_f64();
        assert!(off.abs() < 3.0, "{off} seconds between what Gong said and {budget}");
        world.pass((free_at - now(world) - time::Duration::seconds(2)).try_into().unwrap()).await;
        assert_eq!(api_requests(world, &acme).len(), hit + 1, "nothing before the time");
    }
    world.pass(Duration::from_secs(10)).await;
    world.settle().await;
    world.pass(Duration::from_secs(10)).await;
    let requests = api_requests(world, &acme);
    assert!(requests.len() > hit + 1, "it goes on");
    for late in &requests[hit + 1..] {
        let early = (free_at - late.sim_time).as_seconds_f64();
        assert!(early <= 0.001, "a request came {early} seconds too early");
    }
    assert_all_here_of(world, &acme).await;
    assert!(acme.api.gong().await["budget"]["held_until"].is_null());
}

async fn assert_all_here_of(world: &World, org: &Org) {
    assert_eq!(held_ids(org).await, public_ids(world, org));
    let counts = org.api.gong().await["counts"].clone();
    assert_eq!(counts["stored"], counts["calls"], "{counts}");
}

#[tokio::test]
async fn job_17_a_second_of_patience() {
    let world = world_at(10.0).await;
    told_to_wait(Form::Seconds, 1, &world).await;
    world.finish().await;
}

#[tokio::test]
async fn job_17_a_minute_of_patience() {
    let world = world_at(10.0).await;
    told_to_wait(Form::Seconds, 60, &world).await;
    world.finish().await;
}

#[tokio::test]
async fn job_17_a_date_to_wait_for() {
    let world = world_at(10.0).await;
    told_to_wait(Form::Date, 300, &world).await;
    world.finish().await;
}

#[tokio::test]
async fn job_17_no_time_given_means_half_a_minute() {
    let world = world_at(10.0).await;
    told_to_wait(Form::Absent, 30, &world).await;
    world.finish().await;
}

#[tokio::test]
async fn job_17_a_day_of_patience() {
    let world = world_at(10.0).await;
    told_to_wait(Form::Seconds, 86_400, &world).await;
    world.finish().await;
}

#[tokio::test]
async fn job_17_a_request_that_waits_for_its_turn_does_not_leave_when_a_pause_begins() {
    let mut options = WorldOptions { workers: false, ..WorldOptions::default() };
    options.defaults.per_second = 2.0;
    let defaults = options.defaults.clone();
    let world = World::with(options).await;
    let acme = world.organization("acme").await;
    world.sim.generate(acme.company, &plain(500, 20));
    let what = What::StatusWith {
        status: 429,
        error: "API rate limit exceeded".into(),
        retry_after: Some("600".into()),
    };
    world.connect(&acme, Some(30)).await;
    world.sim.fault(Rule::once(Endpoint::CallsExtensive, what).of(acme.company));
    // Poll, backfill and sweep of one company at once, in two processes: all but one wait for their turn.
    sqlx::query("update gong_schedules set next_sweep_at = next_sweep_at - interval '2 days', next_poll_at = next_poll_at - interval '2 days'")
        .execute(world.db.pool())
        .await
        .unwrap();
    jobs::schedule::look_once(&world.rooms).await.unwrap();
    let processes = [Workers::start(&world, &defaults).await, Workers::start(&world, &defaults).await];
    world.settle().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let requests = api_requests(&world, &acme);
    let hit = requests.iter().position(|r| r.fault.is_some()).unwrap();
    assert_eq!(requests.len(), hit + 1, "{:?}", requests.iter().map(|r| r.sim_time).collect::<Vec<_>>());
    for process in processes {
        process.stop().await;
    }
    world.finish().await;
}

#[tokio::test]
async fn job_16_a_spent_day_holds_the_backfill_and_leaves_its_reserve_to_fresh_calls() {
    let mut options = WorldOptions::default();
    options.defaults.per_day = 20;
    let world = World::with(options).await;
    let acme = world.organization("acme").await;
    world.sim.generate(acme.company, &plain(1_500, 50));
    world.connect(&acme, Some(60)).await;
    world.settle().await;
    let held = |requests: u64| requests <= 16;
    let (lists, transcripts) = asked(&world, &acme);
    assert!(held(lists + transcripts), "a backfill uses four fifths at most: {lists} + {transcripts}");
    assert_eq!(acme.api.gong().await["backfill"]["state"], "running");
    assert_eq!(
        world.number("select count(*) from apalis.jobs where status in ('Queued', 'Running')").await,
        0
    );

    // A new call still gets through.
    let fresh = world.sim.add_call(acme.company, NewCall::new().say(0, "Is there room for me?"));
    acme.api.post("/api/v1/integrations/gong/poll", serde_json::json!({})).await;
    world.settle().await;
    assert_eq!(states(&acme).await.get(&fresh).map(String::as_str), Some("stored"));
    let (lists, transcripts) = asked(&world, &acme);
    assert!(lists + transcripts <= 20);

    // When everything is spent the status says until when; next day it goes on.
    for _ in 0..3 {
        acme.api.post("/api/v1/integrations/gong/poll", serde_json::json!({})).await;
        world.settle().await;
    }
    let budget = acme.api.gong().await["budget"].clone();
    assert_eq!(budget["held_reason"], "daily_budget_spent", "{budget}");
    let until = moment(&budget["held_until"]);
    assert!(until > now(&world) && until <= now(&world) + time::Duration::hours(1), "{budget}");
    let (lists, transcripts) = asked(&world, &acme);
    assert!(lists + transcripts <= 20, "{lists} + {transcripts} of 20");
    for _ in 0..3 {
        world.pass(25 * HOUR).await;
    }
    assert_all_here(&world, &acme).await;
    world.finish().await;
}
