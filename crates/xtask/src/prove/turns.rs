//! JOB-19: one organization sends more jobs than all others together; the others have their turn all the same.

use std::time::Duration;

use super::herd::Herd;
use super::invariants;
use super::report::Outcome;
use super::town::{Plan, Town};
use super::{Options, Stage};
use crate::fault::Fault;

/// Jobs that each of the others has.
const EACH: u64 = 10;

/// The others alone, then beside one that sent its many jobs before them.
pub(super) fn everybody(stage: &Stage, options: &Options, outcome: &mut Outcome) -> Result<(), Fault> {
    let (others, many): (u64, u64) = if options.quick { (19, 5_000) } else { (99, 50_000) };
    let companies = usize::try_from(others + 1).unwrap_or(1);
    let settings = vec![("GONG_REQUESTS_PER_SECOND", "1000".to_owned())];
    let town = Town::build(
        &stage.ground,
        &Plan { companies, settings, simulator: vec!["--no-limit"], ..Plan::default() },
    )?;
    let _herd = Herd::of_workers(&town.app, 2)?;
    town.wait_for_history(Duration::from_secs(120))?;
    town.database.ask("update gong_schedules set next_poll_at = now() + interval '1 day', next_sweep_at = now() + interval '1 day'")?;
    invariants::jobs(&town, outcome)?;
    let mut alone = f64::MAX;
    for _ in 0..2 {
        alone = alone.min(turn(&town, 0)?);
    }
    let beside = turn(&town, many)?;
    let waiting = town
        .database
        .number("select count(*) from apalis.jobs where status = 'Pending' and metadata -> 'sp.key' like 'confirm:many:%'")?;
    outcome.injected("jobs of one organization", many);
    let most = f64::from(u32::try_from(many).unwrap_or(u32::MAX));
    outcome.holds("it still has many waiting then", format!("{waiting:.0}"), waiting > most / 2.0);
    outcome.holds(
        "the others are done within twice their time alone",
        format!("{beside:.2} s, alone {alone:.2} s"),
        beside <= 2.0 * alone,
    );
    outcome.note(format!(
        "One organization sends {many} jobs of the fresh lane, then {others} others send {EACH} each; two workers. Alone the others \
         are done after {alone:.2} s, beside it after {beside:.2} s. The jobs are looks at connections that are not there: they \
         open a session and end."
    ));
    Ok(())
}

/// Seconds until the others' jobs are done.
fn turn(town: &Town, many: u64) -> Result<f64, Fault> {
    let busy = &town.people[0].organization;
    let one = "soundpost_enqueue_job('fresh', 'confirm'";
    if many > 0 {
        town.database.ask(&format!(
            "select count({one}, '{busy}', gen_random_uuid(), 'confirm:many:' || n, null, 0, 8, null)) from generate_series(1, {many}) n"
        ))?;
    }
    town.database.ask(&format!(
        "select count({one}, o.id, gen_random_uuid(), 'confirm:few:' || n || gen_random_uuid(), null, 0, 8, null))
         from generate_series(1, {EACH}) n, organizations o where o.id <> '{busy}'"
    ))?;
    let sent = town.database.ask("select clock_timestamp()")?;
    town.database.wait_for(
        "the jobs of the others",
        "select not exists (select from apalis.jobs where status <> 'Done' and metadata -> 'sp.key' like 'confirm:few:%')",
        Duration::from_secs(400),
    )?;
    let few = "from apalis.jobs where metadata -> 'sp.key' like 'confirm:few:%'";
    let seconds = format!("select greatest(extract(epoch from max(done_at) - '{sent}'), 0.2) {few}");
    let seconds = town.database.number(&seconds)?;
    town.database.ask(&format!("delete {few}"))?;
    Ok(seconds)
}
