//! JOB-01 and JOB-20: a history that comes in while the processes that fetch it are killed again and again.

use std::time::{Duration, Instant};

use serde_json::json;

use super::chance::Chance;
use super::herd::Herd;
use super::invariants::{self, Wanted};
use super::report::Outcome;
use super::town::{Plan, Town};
use super::{Options, Stage};
use crate::fault::Fault;
use crate::lab::app::UNLIMITED;
use crate::lab::simulator::Counts;
use crate::{lab, stop};

fn plan(calls: usize, limited: bool) -> Plan {
    let mut plan = Plan { companies: 1, calls, ..Plan::default() };
    plan.settings.push(("SOUNDPOST_WORKER_GONE_AFTER", "5s".to_owned()));
    if !limited {
        plan.simulator.push("--no-limit");
        plan.settings.extend(UNLIMITED.map(|(name, value)| (name, value.to_owned())));
    }
    plan
}

fn built(stage: &Stage, plan: &Plan) -> Result<Town, Fault> {
    let town = Town::build(&stage.ground, plan)?;
    // Polls would add requests that have nothing to do with the history.
    town.database.ask("update gong_schedules set next_poll_at = now() + interval '1 day', next_sweep_at = now() + interval '1 day'")?;
    Ok(town)
}

/// Whether a job lost two workers in a row without getting further: a third one in its hands would be quarantine.
fn suspected(town: &Town) -> Result<bool, Fault> {
    let sql = "select exists (select from apalis.jobs where status in ('Pending', 'Queued', 'Running')
        and (metadata -> 'sp.deaths')::int >= 2 and not metadata ? 'sp.progress')";
    Ok(town.database.ask(sql)? == "t")
}

fn over(town: &Town) -> Result<bool, Fault> {
    Ok(town.database.ask(lab::app::BACKFILLED)? == "t")
}

/// JOB-01: kills at random moments, and what that costs in requests.
pub(super) fn survives_kills(stage: &Stage, options: &Options, outcome: &mut Outcome) -> Result<(), Fault> {
    let (calls, kills, longest) = if options.quick { (4_000, 10, 8_000) } else { (20_000, 100, 5_000) };
    let undisturbed = {
        let town = built(stage, &plan(calls, false))?;
        let _herd = Herd::of_workers(&town.app, 1)?;
        town.wait_for_history(Duration::from_secs(600))?;
        town.simulator.counts()?
    };
    let mut town = built(stage, &plan(calls, true))?;
    let mut chance = Chance::of(options.seed, "kills of a backfill");
    let killed = {
        let mut herd = Herd::of_workers(&town.app, 2)?;
        while herd.kills < kills && !over(&town)? {
            // At any moment, whether something goes on or everybody waits for a lease to end.
            let end = Instant::now() + chance.millis(1_000, longest);
            while Instant::now() < end && !over(&town)? {
                stop::check()?;
                std::thread::sleep(Duration::from_millis(50));
            }
            if suspected(&town)? {
                continue;
            }
            let number = chance.below(herd.len());
            herd.replace(number)?;
        }
        town.wait_for_history(Duration::from_secs(900))?;
        std::thread::sleep(Duration::from_secs(1));
        herd.kills
    };
    let used = town.simulator.counts()?;
    let more = |of: fn(&Counts) -> u64| of(&used).saturating_sub(of(&undisturbed));
    let (extra, lists, transcripts) = (more(|c| c.api), more(|c| c.lists), more(|c| c.transcripts));
    outcome.injected("kill -9", killed.into());
    outcome.note(format!(
        "A history of {calls} calls over 50 days at Gong's own limit of 3 requests a second, 2 workers, one of them killed at a \
         random moment again and again; the worker's silence is shortened to 5 s, and none is killed \
         while a job has lost two workers without getting further (the third would be quarantine). Without kills it takes {} requests; {extra} came on top: {lists} for pages and looks, \
         {transcripts} for transcripts.",
        undisturbed.api
    ));
    let wanted = Wanted { a_second: Some(3), ..Wanted::default() };
    invariants::calls(&mut town, &wanted, outcome)?;
    invariants::jobs(&town, outcome)?;
    let extra = extra as f64;
    match options.quick {
        // A tenth of the calls has a tenth of the requests: one lost answer weighs ten times as much.
        true => outcome.at_most("further requests for each kill", extra / f64::from(killed.max(1)), 2.0, ""),
        false => outcome.at_most("further requests", extra / undisturbed.api as f64 * 100.0, 10.0, "%"),
    }
    outcome.holds("enough kills hit", format!("{killed} of {kills}"), killed * 10 >= kills * 8);
    Ok(())
}

/// JOB-20: all workers at once are killed while a request is under way, and while its answer is being stored.
pub(super) fn survives_every_boundary(
    stage: &Stage,
    options: &Options,
    outcome: &mut Outcome,
) -> Result<(), Fault> {
    let (calls, rounds) = if options.quick { (500, 6) } else { (5_000, 40) };
    let mut town = built(stage, &plan(calls, false))?;
    let mut chance = Chance::of(options.seed, "boundaries");
    let mut herd = Herd::of_workers(&town.app, 2)?;
    let mut hits = 0;
    for round in 0..rounds {
        while suspected(&town)? && !over(&town)? {
            stop::check()?;
            std::thread::sleep(Duration::from_millis(20));
        }
        // Pages first: once the list is through, only looks by id ask the same endpoint.
        let (endpoint, nth) = match round * 2 < rounds {
            true => ("calls_extensive", 1 + chance.below(3)),
            false => ("transcript", 1),
        };
        let held = town.simulator.tell(
            "/fault",
            &json!({ "endpoint": endpoint, "when": { "next": nth }, "what": { "late_answer": 300 } }),
        )?;
        let before = late(&town)?;
        let end = Instant::now() + Duration::from_secs(20);
        while late(&town)? < before + nth && Instant::now() < end && !over(&town)? {
            stop::check()?;
            std::thread::sleep(Duration::from_millis(5));
        }
        if over(&town)? {
            break;
        }
        if suspected(&town)? || late(&town)? < before + nth {
            town.simulator.tell("/release", &held)?;
            continue;
        }
        hits += 1;
        // The answer leaves 300 ms after the request: some kills come before it, some while it is stored.
        std::thread::sleep(chance.millis(200, 450));
        town.simulator.tell("/release", &held)?;
        for number in 0..herd.len() {
            herd.replace(number)?;
        }
    }
    town.wait_for_history(Duration::from_secs(300))?;
    std::thread::sleep(Duration::from_secs(1));
    outcome.injected("kill -9", herd.kills.into());
    drop(herd);
    outcome.note(format!(
        "A history of {calls} calls; every worker is killed around the answer to a page or a batch."
    ));
    invariants::calls(&mut town, &Wanted::default(), outcome)?;
    invariants::jobs(&town, outcome)?;
    outcome.holds("enough boundaries were hit", format!("{hits} of {rounds}"), hits * 2 >= rounds);
    Ok(())
}

/// How many requests were answered late so far.
fn late(town: &Town) -> Result<usize, Fault> {
    let requests = town.simulator.ask("/requests?limit=100000")?;
    let all = requests["requests"].as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(all.iter().filter(|request| request["fault"] == "late_answer").count())
}
