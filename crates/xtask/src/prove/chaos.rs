//! LOD-05: everything at once, from a seed, and all invariants afterwards.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::herd::Herd;
use super::invariants::{self, Wanted};
use super::proxy::Wire;
use super::report::Outcome;
use super::town::{Plan, Town};
use super::trouble::{self, Trouble, Which};
use super::{Options, Stage};
use crate::fault::{Doing, Fault};
use crate::stop;

/// What has to be undone later.
enum Undo {
    Revive(usize),
    Thaw(usize),
    Clear(Which),
}

/// How often people look in, so that they stay logged in.
const VISIT_EVERY: Duration = Duration::from_secs(240);

/// Breaks what the schedule says, mends it, and waits for the town to come to rest.
pub(super) fn everything_at_once(
    stage: &Stage,
    options: &Options,
    outcome: &mut Outcome,
) -> Result<(), Fault> {
    let (companies, calls, seconds) = if options.quick { (2, 200, 75) } else { (4, 1_500, 1_200) };
    let seconds = options.minutes.map_or(seconds, |minutes| minutes * 60);
    let workers = if options.quick { 2 } else { 3 };
    let mut town = built(stage, companies, calls)?;
    let mut herd = Herd::of_workers(&town.app, workers)?;
    let plan = trouble::draw(options.seed, seconds, workers, companies);
    let mut flipped = BTreeSet::new();
    let mut undo: Vec<(Instant, Undo)> = Vec::new();
    let mut rules: Vec<Value> = vec![one_percent(&town, options.seed)?];
    let began = Instant::now();
    let (mut memory, mut visited) = (Vec::new(), Duration::ZERO);
    for (at, trouble) in plan {
        while began.elapsed() < at {
            stop::check()?;
            undo = mend(&town, &mut herd, undo, false)?;
            std::thread::sleep(Duration::from_millis(20));
        }
        if began.elapsed() > visited + VISIT_EVERY {
            // Who does nothing for long is logged out; the door may be shut just now.
            town.people.iter_mut().for_each(|one| drop(one.visitor.get("/api/v1/me")));
            visited = began.elapsed();
        }
        memory.extend(town.serving().map(|(mb, ..)| (began.elapsed().as_secs_f64(), mb)));
        outcome.injected(trouble.word(), 1);
        cause(&town, &mut herd, &trouble, &mut undo, &mut rules, &mut flipped)?;
    }
    mend(&town, &mut herd, undo, true)?;
    for rule in &rules {
        town.simulator.tell("/release", rule)?;
    }
    let rested = rest(&town, &mut herd)?;
    outcome.holds("the town comes to rest", rested.0, rested.1);
    let wanted = Wanted { a_second: Some(3), flipped };
    invariants::calls(&mut town, &wanted, outcome)?;
    invariants::newest_wins(&town, outcome)?;
    invariants::tokens(&mut town, outcome)?;
    invariants::jobs(&town, outcome)?;
    standing(&mut town, &mut herd, &memory, outcome)?;
    disconnect(&mut town, outcome)?;
    outcome.note(format!(
        "{companies} companies with {calls} calls each, {workers} workers, one process that serves, bad wires to PostgreSQL, to the token \
         address and to each company, 1 % of all requests fail, and the schedule beside it for {seconds} s. The simulator honours the refresh token \
         before the newest for ten minutes, as an answer that a broken wire loses could not be had again otherwise."
    ));
    Ok(())
}

fn built(stage: &Stage, companies: usize, calls: usize) -> Result<Town, Fault> {
    let settings = vec![
        ("SOUNDPOST_WORKER_GONE_AFTER", "10s".to_owned()),
        ("SOUNDPOST_POLL_EVERY", "20s".to_owned()),
        ("SOUNDPOST_REFRESH_BEFORE", "10s".to_owned()),
    ];
    let town =
        Town::build(&stage.ground, &Plan { companies, calls, settings, wired: true, ..Plan::default() })?;
    let patient =
        json!({ "refresh_grace_seconds": 600, "revoke_family_on_reuse": true, "token_life_seconds": 60 });
    town.simulator.tell("/config", &patient)?;
    town.database.ask("update gong_credentials set refresh_due_at = now()")?;
    Ok(town)
}

fn one_percent(town: &Town, seed: u64) -> Result<Value, Fault> {
    let when = json!({ "probability": { "share": 0.01, "seed": seed } });
    town.simulator.tell("/fault", &json!({ "when": when, "what": { "status": 503 } }))
}

fn cause(
    town: &Town,
    herd: &mut Herd,
    trouble: &Trouble,
    undo: &mut Vec<(Instant, Undo)>,
    rules: &mut Vec<Value>,
    flipped: &mut BTreeSet<String>,
) -> Result<(), Fault> {
    match trouble {
        Trouble::Kill(number, pause) => {
            // One that is frozen or gone already stays as it is.
            if !undo.iter().any(|(_, undo)| matches!(undo, Undo::Revive(n) | Undo::Thaw(n) if n == number)) {
                herd.kill(*number)?;
                undo.push((Instant::now() + *pause, Undo::Revive(*number)));
            }
        }
        Trouble::Freeze(number, time) => {
            if !undo.iter().any(|(_, undo)| matches!(undo, Undo::Revive(_) | Undo::Thaw(_))) {
                herd.freeze(*number)?;
                undo.push((Instant::now() + *time, Undo::Thaw(*number)));
            }
        }
        Trouble::DatabaseCrash => crash(town)?,
        Trouble::Wire(which, wire, time) => {
            set(town, *which, *wire);
            undo.push((Instant::now() + *time, Undo::Clear(*which)));
        }
        Trouble::Gong(rule) => rules.push(town.simulator.tell("/fault", rule)?),
        Trouble::Calls(company, count, private) => {
            let calls = json!({ "company": company, "count": count, "private": private });
            town.simulator.tell("/calls", &calls)?;
        }
        Trouble::TurnPrivate(company, number) => {
            let truth = town.truth(*company)?;
            // A sweep looks back 14 days; only what it sees again can be noticed.
            let recent: Vec<&Value> =
                truth.iter().rev().take(truth.len() / 5).filter(|c| c["private"] == false).collect();
            if let Some(id) = recent.get(number % recent.len().max(1)).and_then(|call| call["id"].as_str()) {
                town.simulator.tell("/private", &json!({ "company": company, "id": id, "private": true }))?;
                flipped.insert(id.to_owned());
            }
        }
    }
    Ok(())
}

/// One of the server's processes dies; PostgreSQL then ends every connection and recovers from its log.
pub(super) fn crash(town: &Town) -> Result<(), Fault> {
    let victim = town.database.ask(
        "select pid from pg_stat_activity where datname = current_database() and backend_type = 'client backend'
         and pid <> pg_backend_pid() order by pid limit 1",
    )?;
    if victim.is_empty() {
        return Ok(());
    }
    // It may have ended by itself meanwhile.
    Command::new("kill")
        .args(["-s", "KILL", &victim])
        .output()
        .doing("killing a process of PostgreSQL")
        .map(|_| ())
}

fn set(town: &Town, which: Which, wire: Wire) {
    if let Some(wires) = &town.wires {
        match which {
            Which::Database => wires.database.set(wire),
            Which::Token => wires.token.set(wire),
            Which::Company(number) => wires.gong[number].set(wire),
        }
    }
}

/// Undoes what is due, or everything; what is left.
fn mend(
    town: &Town,
    herd: &mut Herd,
    undo: Vec<(Instant, Undo)>,
    all: bool,
) -> Result<Vec<(Instant, Undo)>, Fault> {
    let mut left = Vec::new();
    for (at, what) in undo {
        if !all && Instant::now() < at {
            left.push((at, what));
            continue;
        }
        match what {
            Undo::Revive(number) => herd.revive(number)?,
            Undo::Thaw(number) => herd.thaw(number)?,
            Undo::Clear(which) => set(town, which, Wire::Clear),
        }
    }
    if all && let Some(wires) = &town.wires {
        wires.clear();
    }
    Ok(left)
}

/// Waits until everybody looked once more and no transcript is open; how long that took and whether it came.
fn rest(town: &Town, herd: &mut Herd) -> Result<(String, bool), Fault> {
    let began = Instant::now();
    herd.check()?;
    town.database
        .wait_for("the end of the histories", crate::lab::app::BACKFILLED, Duration::from_secs(420))
        .ok();
    let moment = town.database.ask("select clock_timestamp()")?;
    town.look_now()?;
    let looked = format!(
        "select (select count(distinct connection_id) from gong_runs where kind = 'poll' and state = 'done' and created_at > '{moment}')
            + (select count(distinct connection_id) from gong_runs where kind = 'sweep' and state = 'done' and created_at > '{moment}')
            = 2 * (select count(*) from gong_connections)
         and not exists (select from gong_calls where transcript_state in ('wanted', 'waiting'))"
    );
    let mut came = false;
    for _ in 0..4 {
        town.database.ask("update gong_calls set next_try_at = now() where transcript_state = 'waiting' and next_try_at > now()")?;
        came = town.database.wait_for("a look of everybody", &looked, Duration::from_secs(60)).is_ok();
        stop::check()?;
        if came {
            break;
        }
    }
    // Letters of jobs whose work a later one did are closed within a minute; what stays open is counted afterwards.
    let letters = "select not exists (select from dead_letters where state = 'dead')";
    town.database.wait_for("the end of what was overtaken", letters, Duration::from_secs(70)).ok();
    Ok((format!("{:.0} s", began.elapsed().as_secs_f64()), came))
}

/// What the processes hold after all that.
fn standing(
    town: &mut Town,
    herd: &mut Herd,
    memory: &[(f64, f64)],
    outcome: &mut Outcome,
) -> Result<(), Fault> {
    let all: Vec<_> = herd.standing().into_iter().chain(town.serving()).collect();
    let most = |of: fn(&(f64, usize, usize)) -> f64| all.iter().map(of).fold(0.0, f64::max);
    outcome.at_most("memory of a process", most(|s| s.0), 150.0, "MB");
    outcome.at_most("open files of a process", most(|s| s.1 as f64), 200.0, "");
    let connections = town.database.number(
        "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
    )?;
    outcome.at_most(
        "connections to PostgreSQL of a process",
        connections / all.len().max(1) as f64,
        31.0,
        "",
    );
    let span = memory.last().map_or(0.0, |last| last.0);
    if span >= 1_000.0 {
        outcome.at_most(
            "growth of the serving process in 10 minutes, after a warm-up",
            slope(memory),
            1.0,
            "%",
        );
    }
    Ok(())
}

/// Percent in ten minutes by least squares, without the first fifth.
fn slope(memory: &[(f64, f64)]) -> f64 {
    let points = &memory[memory.len() / 5..];
    let count = points.len().max(1) as f64;
    let (x, y) =
        points.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0 / count, sum.1 + point.1 / count));
    let (up, down) = points.iter().fold((0.0, 0.0), |sum, point| {
        (sum.0 + (point.0 - x) * (point.1 - y), sum.1 + (point.0 - x).powi(2))
    });
    if down > 0.0 && y > 0.0 { up / down * 600.0 / y * 100.0 } else { 0.0 }
}

/// After a disconnect Gong is asked nothing more.
fn disconnect(town: &mut Town, outcome: &mut Outcome) -> Result<(), Fault> {
    town.people[0].visitor.send("DELETE", "/api/v1/integrations/gong", None)?;
    stop::sleep(Duration::from_secs(3));
    let asked = |town: &Town| -> Result<u64, Fault> {
        let all = town.simulator.ask("/asked?company=0")?;
        Ok(all["requests"].as_object().into_iter().flatten().filter_map(|(_, n)| n.as_u64()).sum())
    };
    let before = asked(town)?;
    town.database.ask("update gong_schedules set next_poll_at = now()")?;
    stop::sleep(Duration::from_secs(8));
    outcome.at_most("requests for a company after its disconnect", (asked(town)? - before) as f64, 0.0, "");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::slope;

    #[test]
    fn a_slope_is_told_in_percent_of_ten_minutes() {
        let rising: Vec<(f64, f64)> =
            (0..100).map(|n| (f64::from(n) * 12.0, 100.0 + f64::from(n) * 0.02)).collect();
        assert!((slope(&rising) - 1.0).abs() < 0.05, "{}", slope(&rising));
        assert_eq!(slope(&[(0.0, 5.0), (600.0, 5.0)]), 0.0);
    }
}
