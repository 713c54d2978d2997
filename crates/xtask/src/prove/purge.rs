//! PRV-11: calls that vanished at Gong are purged while the worker that does it is killed again and again.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use super::chance::Chance;
use super::herd::Herd;
use super::invariants;
use super::report::Outcome;
use super::town::{Plan, Town};
use super::{Options, Stage};
use crate::fault::Fault;
use crate::lab::app::UNLIMITED;
use crate::{run, stop};

/// A batch of the purge takes this much longer, so that a kill finds it half done; only the database of the proof has it.
const SLOWLY: &str = "
create function slowly() returns trigger language plpgsql as $$ begin perform pg_sleep(0.25); return null; end $$;
create trigger slowly after delete on gong_calls for each statement execute function slowly()";

/// All calls were looked at an hour ago.
const LONG_AGO: &str = "update gong_calls set looked_at = looked_at - interval '1 hour'";

/// What the sweep missed is looked at again as if the five minutes were over.
const LATER: &str = "
update gong_losses set seen_at = seen_at - interval '10 minutes' where seen_at > now() - interval '6 minutes';
update apalis.jobs set run_at = now() where status = 'Pending'";

/// PRV-11: a kill in every other batch; in the end nothing of those calls may be left anywhere.
pub(super) fn killed(stage: &Stage, options: &Options, outcome: &mut Outcome) -> Result<(), Fault> {
    let (calls, kills) = if options.quick { (1_600, 5) } else { (13_000, 50) };
    let mut settings: Vec<_> = UNLIMITED.map(|(name, value)| (name, value.to_owned())).to_vec();
    settings.push(("SOUNDPOST_WORKER_GONE_AFTER", "5s".to_owned()));
    // What a sweep sees: two weeks.
    let plan = Plan {
        companies: 1,
        calls,
        days: Some(13),
        settings,
        simulator: vec!["--no-limit"],
        ..Plan::default()
    };
    let mut town = Town::build(&stage.ground, &plan)?;
    let mut herd = Herd::of_workers(&town.app, 1)?;
    town.wait_for_history(Duration::from_secs(300))?;
    let doomed = vanish(&town, calls * 7 / 8)?;
    ask(&mut town)?;
    town.database.ask(SLOWLY)?;
    town.people[0].visitor.send(
        "POST",
        "/api/v1/privacy/vanished",
        Some(&json!({ "decision": "remove" })),
    )?;
    let hits = hunt(&town, &mut herd, kills, options)?;
    let done = "select bool_and(state = 'purged') from gong_losses";
    let ended = town.database.wait_for("the end of the purge", done, Duration::from_secs(300)).is_ok();
    stop::sleep(Duration::from_secs(1));
    outcome.injected("kill -9", herd.kills.into());
    outcome.holds("the purge ends", if ended { "it does" } else { "it does not" }, ended);
    outcome
        .none("nothing is left of a call that is gone but its tombstone", &residue(stage, &town, &doomed)?);
    let tombs = town.database.number("select count(*) from gong_tombstones where reason = 'gone'")?;
    outcome.holds(
        "a tombstone of each",
        format!("{tombs} of {}", doomed.len()),
        tombs == doomed.len() as f64,
    );
    invariants::calls(&mut town, &invariants::Wanted::default(), outcome)?;
    invariants::jobs(&town, outcome)?;
    outcome.holds("enough kills hit a purge under way", format!("{hits} of {kills}"), hits * 10 >= kills * 8);
    outcome.note(format!(
        "{calls} calls, seven of eight vanish at Gong, an admin has them removed, and the worker is killed at random moments in \
         every other batch of a hundred; each batch is made to take a quarter of a second longer. Then a dump of the whole \
         database is searched for the ids of what is gone, ours and Gong's."
    ));
    Ok(())
}

/// A call that is to go: our id and Gong's.
struct Doomed {
    ours: String,
    theirs: String,
}

/// Deletes calls at Gong that we hold.
fn vanish(town: &Town, most: usize) -> Result<Vec<Doomed>, Fault> {
    let held =
        town.database.rows(&format!("select id, gong_call_id from gong_calls order by id limit {most}"))?;
    for row in &held {
        town.simulator.tell("/delete", &json!({ "company": 0, "id": row[1] }))?;
    }
    Ok(held.into_iter().map(|row| Doomed { ours: row[0].clone(), theirs: row[1].clone() }).collect())
}

/// A sweep misses them, a look by id confirms it, and an admin is asked.
fn ask(town: &mut Town) -> Result<(), Fault> {
    town.database.ask("update gong_schedules set next_sweep_at = now()")?;
    let missed = "select exists (select from gong_losses where state = 'checking')
        and not exists (select from gong_runs where state = 'running')";
    town.database.wait_for("a sweep that misses them", missed, Duration::from_secs(90))?;
    town.database.ask(LONG_AGO)?;
    town.database.ask(LATER)?;
    let asked = "select coalesce(bool_and(state = 'asked'), false) from gong_losses";
    let end = Instant::now() + Duration::from_secs(240);
    while town.database.ask(asked)? != "t" {
        stop::check()?;
        if Instant::now() > end {
            let states =
                town.database.ask("select string_agg(state || ' ' || missing, ', ') from gong_losses")?;
            return Err(Fault::new(format!("nobody is asked about what vanished: {states}")));
        }
        stop::sleep(Duration::from_secs(2));
        town.database.ask(LATER)?;
    }
    Ok(())
}

/// Kills the worker whenever the purge got further, some time into the next batch; how often it was not over by then.
fn hunt(town: &Town, herd: &mut Herd, kills: u32, options: &Options) -> Result<u32, Fault> {
    let purged = || town.database.number("select coalesce(sum(purged), 0) from gong_losses");
    let left = || town.database.number("select count(*) from gong_losses where state = 'purging'");
    let mut chance = Chance::of(options.seed, "kills of a purge");
    let (mut hits, mut before) = (0, 0.0);
    while hits < kills && left()? > 0.0 {
        let end = Instant::now() + Duration::from_secs(60);
        while purged()? <= before && left()? > 0.0 {
            stop::check()?;
            if Instant::now() > end {
                return Err(Fault::new("the purge does not get further"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        std::thread::sleep(chance.millis(0, 280));
        if left()? == 0.0 {
            break;
        }
        herd.replace(0)?;
        hits += 1;
        before = purged()?;
    }
    Ok(hits)
}

/// Where ids of what is gone still stand in a dump of everything, apart from tombstones.
fn residue(stage: &Stage, town: &Town, doomed: &[Doomed]) -> Result<Vec<String>, Fault> {
    let program = run::find("pg_dump").unwrap_or_else(|| stage.ground.postgres_program("pg_dump"));
    let dump = run::output(Command::new(program).args(["--data-only", "-d", &town.database.url]))?;
    let ours: BTreeSet<&str> = doomed.iter().map(|call| call.ours.as_str()).collect();
    let theirs: BTreeSet<&str> = doomed.iter().map(|call| call.theirs.as_str()).collect();
    let (mut table, mut found) = (String::new(), Vec::new());
    for line in dump.lines() {
        if let Some(rest) = line.strip_prefix("COPY ") {
            table = rest.split(' ').next().unwrap_or_default().to_owned();
        }
        let mut words = line.split(|sign: char| !sign.is_ascii_alphanumeric() && sign != '-');
        let tomb = table == "public.gong_tombstones";
        if words.any(|word| ours.contains(word) || (!tomb && theirs.contains(word))) {
            found.push(table.clone());
        }
    }
    Ok(found)
}
