//! OPS-12 and OPS-13: new processes beside old ones, and a database that comes back from a dump.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use super::chance::Chance;
use super::herd::Herd;
use super::invariants::{self, Wanted};
use super::report::Outcome;
use super::town::{Plan, Town};
use super::{Options, Stage};
use crate::fault::{Doing, Fault};
use crate::{run, stop};

fn town(stage: &Stage, companies: usize, calls: usize) -> Result<Town, Fault> {
    let settings =
        vec![("SOUNDPOST_REFRESH_BEFORE", "5s".to_owned()), ("SOUNDPOST_POLL_EVERY", "20s".to_owned())];
    let town = Town::build(&stage.ground, &Plan { companies, calls, settings, ..Plan::default() })?;
    let strict = json!({ "revoke_family_on_reuse": true, "token_life_seconds": 30 });
    town.simulator.tell("/config", &strict)?;
    town.database.ask("update gong_credentials set refresh_due_at = now()")?;
    Ok(town)
}

/// OPS-12: one process after the other is asked to end while its successor works already.
pub(super) fn rolling(stage: &Stage, options: &Options, outcome: &mut Outcome) -> Result<(), Fault> {
    let (companies, calls, seconds) = if options.quick { (3, 200, 45) } else { (6, 1_000, 600) };
    let mut town = town(stage, companies, calls)?;
    let mut herd = Herd::of_workers(&town.app, 3)?;
    let mut chance = Chance::of(options.seed, "deploys");
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut deploys = 0;
    while Instant::now() < end {
        stop::check()?;
        town.simulator.tell("/calls", &json!({ "company": chance.below(companies), "count": 1 }))?;
        stop::sleep(chance.millis(500, 4_000));
        herd.deploy(chance.below(herd.len()))?;
        deploys += 1;
    }
    let waited = Instant::now();
    town.wait_for_history(Duration::from_secs(300))?;
    looked_again(&town)?;
    outcome.injected("processes replaced", deploys);
    invariants::calls(&mut town, &Wanted { a_second: Some(3), ..Wanted::default() }, outcome)?;
    invariants::newest_wins(&town, outcome)?;
    invariants::tokens(&mut town, outcome)?;
    invariants::jobs(&town, outcome)?;
    let deaths = town.database.number("select count(*) from apalis.jobs where metadata ? 'sp.deaths'")?;
    outcome.at_most("jobs that lost a worker", deaths, 0.0, "");
    outcome.note(format!(
        "{companies} companies with {calls} calls each, 3 workers, histories coming in; every few seconds one worker gets SIGTERM while \
         its successor runs already, for {seconds} s. Old and new are the same program. The rest took {:.0} s.",
        waited.elapsed().as_secs_f64()
    ));
    Ok(())
}

/// Everybody looks once more, and no transcript is open after it.
pub(super) fn looked_again(town: &Town) -> Result<(), Fault> {
    let moment = town.database.ask("select clock_timestamp()")?;
    town.look_now()?;
    town.database.wait_for(
        "a look of everybody",
        &format!(
            "select (select count(distinct connection_id) from gong_runs where kind = 'poll' and state = 'done' and created_at > '{moment}')
                = (select count(*) from gong_schedules where active)
             and not exists (select from gong_calls where transcript_state = 'wanted')"
        ),
        Duration::from_secs(180),
    )
}

/// OPS-13: an old dump comes back; tokens that were replaced since are refused, said, and not tried again and again.
pub(super) fn restored(stage: &Stage, options: &Options, outcome: &mut Outcome) -> Result<(), Fault> {
    let (companies, calls) = if options.quick { (4, 100) } else { (20, 500) };
    let mut town = town(stage, companies, calls)?;
    let mut herd = Herd::of_workers(&town.app, 2)?;
    town.wait_for_history(Duration::from_secs(400))?;
    looked_again(&town)?;
    let dump = stage.ground.folder.join("dump");
    let pg = |name: &str| run::find(name).unwrap_or_else(|| stage.ground.postgres_program(name));
    dump_to(&pg("pg_dump"), &town.database.url, &dump)?;
    // Life goes on: half of the companies rotate their tokens, calls come in.
    let moment = town.database.ask("select clock_timestamp()")?;
    for company in 0..companies {
        town.simulator.tell("/calls", &json!({ "company": company, "count": 3 }))?;
    }
    let rotated = format!("select bool_and(refreshed_at > '{moment}') from gong_credentials");
    town.database.ask("update gong_credentials set refresh_due_at = now()")?;
    town.database.wait_for("new tokens", &rotated, Duration::from_secs(90))?;
    looked_again(&town)?;
    for number in 0..herd.len() {
        herd.kill(number)?;
    }
    for file in std::fs::read_dir(town.app.escrow()).into_iter().flatten().flatten() {
        let _ = std::fs::remove_file(file.path());
    }
    let sequence = last_request(&town)?;
    restore(&pg("pg_restore"), &town.database.url, &dump)?;
    town.simulator.tell("/config", &json!({ "revoke_family_on_reuse": false }))?;
    for number in 0..herd.len() {
        herd.revive(number)?;
    }
    let flagged =
        format!("select count(*) >= {companies} from gong_connections where status = 'reconnect_required'");
    let in_time = town.database.wait_for("the flags", &flagged, Duration::from_secs(120)).is_ok();
    stop::sleep(Duration::from_secs(if options.quick { 10 } else { 60 }));
    let tries = tries(&town, sequence, companies)?;
    outcome.injected("old dumps restored", 1);
    outcome.holds("every stale refresh token is flagged", if in_time { "all" } else { "not all" }, in_time);
    outcome.at_most("tries with a stale refresh token", tries, 2.0, "");
    reconnect(&mut town)?;
    looked_again(&town)?;
    invariants::calls(&mut town, &Wanted::default(), outcome)?;
    invariants::jobs(&town, outcome)?;
    let status = town.database.number("select count(*) from gong_connections where status = 'connected'")?;
    outcome.holds(
        "after connecting again all go on",
        format!("{status} of {companies}"),
        status >= companies as f64,
    );
    outcome.note(format!(
        "{companies} companies with {calls} calls each; pg_dump, then new calls and new tokens for all, then the old dump is restored, \
         the escrow is empty, and the workers start. Afterwards each is connected again."
    ));
    Ok(())
}

fn dump_to(program: &Path, url: &str, file: &Path) -> Result<(), Fault> {
    run::output(Command::new(program).args(["-Fc", "-f"]).arg(file).args(["-d", url])).map(|_| ())
}

/// Puts the dump over what is there.
fn restore(program: &PathBuf, url: &str, file: &Path) -> Result<(), Fault> {
    let mut command = Command::new(program);
    command.args(["--clean", "--if-exists", "-d", url]).arg(file).stdin(Stdio::null());
    let output = command.output().doing("starting pg_restore")?;
    match output.status.success() {
        true => Ok(()),
        false => {
            Err(Fault::new(format!("pg_restore failed: {}", String::from_utf8_lossy(&output.stderr).trim())))
        }
    }
}

fn last_request(town: &Town) -> Result<u64, Fault> {
    let all = town.simulator.ask("/requests?limit=400000")?;
    Ok(all["requests"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|r| r["sequence"].as_u64())
        .max()
        .unwrap_or(0))
}

/// The most token requests of one company since then.
fn tries(town: &Town, since: u64, companies: usize) -> Result<f64, Fault> {
    let all = town.simulator.ask(&format!("/requests?limit=400000&since={}", since + 1))?;
    let all = all["requests"].as_array().cloned().unwrap_or_default();
    let of = |company: usize| {
        all.iter().filter(|r| r["endpoint"] == "token" && r["company"] == company as u64).count()
    };
    Ok((0..companies).map(of).max().unwrap_or(0) as f64)
}

fn reconnect(town: &mut Town) -> Result<(), Fault> {
    for number in 0..town.people.len() {
        town.simulator.tell("/consent", &json!({ "consent": { "approve": number } }))?;
        town.people[number].visitor.connect_quietly()?;
    }
    Ok(())
}
