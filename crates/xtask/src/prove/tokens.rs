//! TOK-13, TOK-14, TOK-16, TOK-21: refresh tokens work once, and nothing that happens to us may use one twice or lose one.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::herd::Herd;
use super::invariants;
use super::proxy::Wire;
use super::report::Outcome;
use super::town::{Plan, Town};
use super::{Options, Stage};
use crate::fault::Fault;
use crate::stop;

fn town(stage: &Stage, companies: usize, wired: bool) -> Result<Town, Fault> {
    let settings =
        vec![("SOUNDPOST_REFRESH_BEFORE", "2s".to_owned()), ("SOUNDPOST_POLL_EVERY", "60s".to_owned())];
    let town = Town::build(&stage.ground, &Plan { companies, settings, wired, ..Plan::default() })?;
    town.simulator.tell("/config", &json!({ "revoke_family_on_reuse": true }))?;
    Ok(town)
}

fn due_now(town: &Town) -> Result<(), Fault> {
    town.database.ask("update gong_credentials set refresh_due_at = now(), retry_at = null").map(|_| ())
}

fn rotations(town: &Town) -> Result<u64, Fault> {
    let families = town.simulator.ask("/families")?;
    Ok(families["families"].as_array().into_iter().flatten().filter_map(|f| f["rotations"].as_u64()).sum())
}

/// TOK-13: four processes and many tokens that live eight seconds.
pub(super) fn single_flight(stage: &Stage, options: &Options, outcome: &mut Outcome) -> Result<(), Fault> {
    let (companies, wanted, seconds) = if options.quick { (20, 150, 60) } else { (200, 5_000, 420) };
    let mut town = town(stage, companies, false)?;
    town.simulator.tell("/config", &json!({ "token_life_seconds": 8 }))?;
    due_now(&town)?;
    let mut herd = Herd::of_workers(&town.app, 4)?;
    let end = Instant::now() + Duration::from_secs(seconds);
    while rotations(&town)? < wanted && Instant::now() < end {
        stop::check()?;
        herd.check()?;
        stop::sleep(Duration::from_millis(500));
    }
    let reached = rotations(&town)?;
    invariants::newest_wins(&town, outcome)?;
    let all = invariants::tokens(&mut town, outcome)?;
    invariants::jobs(&town, outcome)?;
    outcome.holds("rotations", format!("{reached} of {wanted}, {all} with the last ones"), reached >= wanted);
    outcome.note(format!(
        "{companies} connections whose tokens live 8 s, 4 workers, polls every minute beside; the simulator ends an authorization \
         when a refresh token comes twice. In the end every token is replaced once more."
    ));
    Ok(())
}

/// TOK-14: the token address does not answer for two minutes while others wait for the token.
pub(super) fn holder_hangs(stage: &Stage, options: &Options, outcome: &mut Outcome) -> Result<(), Fault> {
    let companies = if options.quick { 4 } else { 20 };
    let mut town = town(stage, companies, false)?;
    let herd = Herd::of_workers(&town.app, 2)?;
    town.wait_for_history(Duration::from_secs(60))?;
    let stall = json!({ "endpoint": "token", "when": { "next": companies }, "what": { "stall": 120_000 } });
    town.simulator.tell("/fault", &stall)?;
    let before = rotations(&town)?;
    due_now(&town)?;
    // Polls want the token at the same time.
    town.look_now()?;
    let end = Instant::now() + Duration::from_secs(110);
    while rotations(&town)? < before + companies as u64 && Instant::now() < end {
        stop::check()?;
        stop::sleep(Duration::from_millis(500));
    }
    let requests = town.simulator.ask("/requests?limit=400000")?;
    let stalled: Vec<f64> = requests["requests"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|request| request["fault"] == "stall")
        .map(|request| match (request["at_micros"].as_u64(), request["ended_at_micros"].as_u64()) {
            (Some(at), Some(ended)) => (ended - at) as f64 / 1e6,
            _ => f64::from(u32::MAX),
        })
        .collect();
    outcome.injected("token answers of 120 s", stalled.len() as u64);
    outcome.holds(
        "every stalled request was seen",
        format!("{} of {companies}", stalled.len()),
        stalled.len() == companies,
    );
    outcome.at_most("a token request is given up", stalled.iter().copied().fold(0.0, f64::max), 20.5, "s");
    outcome.at_most(
        "connections without a new token in the end",
        (before + companies as u64).saturating_sub(rotations(&town)?) as f64,
        0.0,
        "",
    );
    invariants::tokens(&mut town, outcome)?;
    invariants::jobs(&town, outcome)?;
    outcome.note(format!("{companies} connections, 2 workers; the next token request of each stalls for 120 s while polls want the token too."));
    drop(herd);
    Ok(())
}

/// TOK-16: the database is unreachable from the moment of Gong's answer, then every process is killed.
pub(super) fn escrow(stage: &Stage, options: &Options, outcome: &mut Outcome) -> Result<(), Fault> {
    let (companies, rounds) = if options.quick { (5, 2) } else { (20, 5) };
    let mut town = town(stage, companies, true)?;
    let mut herd = Herd::of_workers(&town.app, 2)?;
    town.wait_for_history(Duration::from_secs(60))?;
    let (mut waiting, mut not_stored) = (0, 0);
    for _ in 0..rounds {
        let before = rotations(&town)?;
        town.database.ask("drop table if exists before; create table before as select connection_id, generation from gong_credentials")?;
        let late = town.simulator.tell("/fault", &late_tokens())?;
        due_now(&town)?;
        wait(Duration::from_secs(20), || Ok(rotations(&town)? > before))?;
        stop::sleep(Duration::from_millis(500));
        // Gong has rotated and its answer is on its way: from now on nothing reaches the database.
        let wires = town.wires.as_ref().ok_or_else(|| Fault::new("a town without wires"))?;
        wires.database.set(Wire::Swallow);
        let rotated = || rotations(&town).map(|now| now - before);
        stop::sleep(Duration::from_millis(2_500));
        wait(Duration::from_secs(10), || Ok(town.deposits()? >= rotated()?))?;
        for number in 0..herd.len() {
            herd.kill(number)?;
        }
        let kept = town.deposits()?;
        waiting += kept;
        town.simulator.tell("/release", &late)?;
        wires.clear();
        for number in 0..herd.len() {
            herd.revive(number)?;
        }
        let stored = format!(
            "select count(*) >= {kept} from gong_credentials c join before b using (connection_id) where c.generation > b.generation"
        );
        let rest = "select bool_and(c.generation > b.generation) from gong_credentials c join before b using (connection_id)";
        let stored = town.database.wait_for("what lay in escrow", &stored, Duration::from_secs(60));
        if stored.and_then(|()| town.database.wait_for("the rest", rest, Duration::from_secs(90))).is_err() {
            stop::check()?;
            not_stored += 1;
            break;
        }
    }
    outcome.injected("kill -9", herd.kills.into());
    outcome.injected("database cut off", rounds);
    outcome.at_most("rounds whose tokens were not stored in time", f64::from(not_stored), 0.0, "");
    outcome.holds(
        "answers that only lay in escrow when the processes died",
        waiting.to_string(),
        waiting >= rounds,
    );
    invariants::newest_wins(&town, outcome)?;
    invariants::tokens(&mut town, outcome)?;
    invariants::jobs(&town, outcome)?;
    outcome.at_most("answers left in escrow", town.deposits()? as f64, 0.0, "");
    outcome.note(format!(
        "{companies} connections, 2 workers, {rounds} rounds: from the moment Gong rotated nothing reaches PostgreSQL; once the answers \
         lie in escrow every worker is killed and started again."
    ));
    drop(herd);
    lost_escrow(stage, options, outcome)
}

/// The other half of TOK-16: with the escrow gone as well, the loss is noticed and said within a minute.
fn lost_escrow(stage: &Stage, options: &Options, outcome: &mut Outcome) -> Result<(), Fault> {
    let companies = if options.quick { 3 } else { 20 };
    let town = town(stage, companies, true)?;
    let mut herd = Herd::of_workers(&town.app, 1)?;
    town.wait_for_history(Duration::from_secs(60))?;
    let before = rotations(&town)?;
    let late = town.simulator.tell("/fault", &late_tokens())?;
    due_now(&town)?;
    wait(Duration::from_secs(20), || Ok(rotations(&town)? > before))?;
    stop::sleep(Duration::from_millis(500));
    let wires = town.wires.as_ref().ok_or_else(|| Fault::new("a town without wires"))?;
    wires.database.set(Wire::Swallow);
    stop::sleep(Duration::from_millis(2_500));
    herd.kill(0)?;
    let lost = rotations(&town)? - before;
    for file in std::fs::read_dir(town.app.escrow()).into_iter().flatten().flatten() {
        let _ = std::fs::remove_file(file.path());
    }
    town.simulator.tell("/release", &late)?;
    wires.clear();
    let began = Instant::now();
    herd.revive(0)?;
    let flagged =
        format!("select count(*) >= {lost} from gong_connections where status = 'reconnect_required'");
    let in_time = town.database.wait_for("the flags", &flagged, Duration::from_secs(90)).is_ok();
    outcome.injected("escrow deleted", lost);
    outcome.holds(
        "a token that is lost with the escrow is flagged within 60 s",
        format!("{lost} lost, {:.0} s", began.elapsed().as_secs_f64()),
        in_time && began.elapsed() <= Duration::from_secs(60),
    );
    Ok(())
}

/// TOK-21: settings, counters and status are written without pause while tokens are replaced.
pub(super) fn unrelated_writes(stage: &Stage, options: &Options, outcome: &mut Outcome) -> Result<(), Fault> {
    let (companies, wanted, seconds) = if options.quick { (5, 60, 60) } else { (20, 1_000, 400) };
    let mut town = town(stage, companies, false)?;
    town.simulator.tell("/config", &json!({ "token_life_seconds": 4 }))?;
    due_now(&town)?;
    let herd = Herd::of_workers(&town.app, 2)?;
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut writes: u64 = 0;
    while rotations(&town)? < wanted && Instant::now() < end {
        stop::check()?;
        for person in &mut town.people {
            let hours = 24 + writes % 100;
            let change = json!({ "poll_every_seconds": 300 + writes % 600, "overlap_seconds": hours * 3600 });
            for change in [change, json!({ "paused": true }), json!({ "paused": false })] {
                person.visitor.send("PATCH", "/api/v1/integrations/gong", Some(&change))?;
            }
            writes += 3;
        }
    }
    let reached = rotations(&town)?;
    invariants::newest_wins(&town, outcome)?;
    invariants::tokens(&mut town, outcome)?;
    outcome.injected("unrelated writes", writes);
    outcome.holds("rotations", format!("{reached} of {wanted}"), reached >= wanted);
    outcome.note(format!(
        "{companies} connections whose tokens live 4 s; their settings are changed and they are paused and resumed over the API without pause."
    ));
    drop(herd);
    Ok(())
}

/// Gong does its work and answers a second and a half later.
fn late_tokens() -> Value {
    json!({ "endpoint": "token", "when": "always", "what": { "late_answer": 1_500 } })
}

fn wait(patience: Duration, mut ready: impl FnMut() -> Result<bool, Fault>) -> Result<bool, Fault> {
    let end = Instant::now() + patience;
    while Instant::now() < end {
        stop::check()?;
        if ready()? {
            return Ok(true);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(false)
}
