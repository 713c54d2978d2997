//! JOB-07, JOB-08, JOB-14, JOB-16, JOB-19 and TEN-11: jobs that kill, processes that come back, and everybody's turn.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::herd::Herd;
use super::invariants::{self, Wanted};
use super::report::Outcome;
use super::town::{Plan, Town};
use super::{Options, Stage};
use crate::fault::Fault;
use crate::http::Client;
use crate::stop;

fn api_requests(town: &Town, company: usize) -> Result<u64, Fault> {
    let all = town.simulator.ask(&format!("/asked?company={company}"))?;
    let count = |name: &str| all["requests"][name].as_u64().unwrap_or(0);
    Ok(count("calls_extensive") + count("calls") + count("transcript"))
}

/// JOB-07: whoever works on one company's poll dies of it, while the polls of others are under way in the same process.
pub(super) fn poison(stage: &Stage, options: &Options, outcome: &mut Outcome) -> Result<(), Fault> {
    let (companies, lease) = if options.quick { (6, 5) } else { (20, 15) };
    let settings =
        vec![("SOUNDPOST_WORKER_GONE_AFTER", format!("{lease}s")), ("SOUNDPOST_POLL_EVERY", "5s".to_owned())];
    let town = Town::build(&stage.ground, &Plan { companies, settings, ..Plan::default() })?;
    let mut herd = Herd::of_workers(&town.app, 1)?;
    town.wait_for_history(Duration::from_secs(90))?;
    let poison = town.people[0].organization.clone();
    let pages = json!({ "endpoint": "calls_extensive", "company": 0, "what": "hold" });
    town.simulator.tell("/fault", &pages)?;
    town.simulator
        .tell("/fault", &json!({ "endpoint": "calls_extensive", "what": { "late_answer": 400 } }))?;
    let moment = town.database.ask("select clock_timestamp()")?;
    let buried =
        format!("select count(*) from dead_letters where state = 'dead' and organization_id = '{poison}'");
    // A worker's name is used once: until somebody takes over, the row names the dead one.
    let holder = format!(
        "select coalesce(max(lock_by), '') from apalis.jobs where status in ('Queued', 'Running')
            and metadata -> 'sp.kind' = 'poll' and metadata -> 'sp.organization' = '{poison}'"
    );
    let mut killed = String::new();
    let end = Instant::now() + Duration::from_secs(240);
    while town.database.number(&buried)? < 1.0 && Instant::now() < end {
        stop::check()?;
        let working = town.database.ask(&holder)?;
        if !working.is_empty() && working != killed {
            stop::sleep(Duration::from_millis(200));
            herd.replace(0)?;
            killed = working;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let deaths = herd.kills;
    stop::sleep(Duration::from_secs(15));
    outcome.injected("kill -9", deaths.into());
    outcome.holds(
        "a job that kills its workers is put away after so many deaths",
        deaths.to_string(),
        deaths == 3,
    );
    let code = town
        .database
        .ask(&format!("select distinct code from dead_letters where organization_id = '{poison}'"))?;
    outcome.holds("with its reason", code.clone(), code == "worker_died");
    let others = town.database.rows(&format!(
        "select kind, code from dead_letters where state = 'dead' and organization_id is distinct from '{poison}'"
    ))?;
    let others: Vec<String> = others.into_iter().map(|row| row.join(" ")).collect();
    outcome.none("no job that was in the same process is put away with it", &others);
    let gap = town.database.number(&format!(
        "select extract(epoch from max(gap)) from (select created_at - lag(created_at) over (partition by connection_id order by created_at) as gap
            from gong_runs where kind = 'poll' and created_at > '{moment}' and organization_id <> '{poison}') g"
    ))?;
    outcome.at_most("longest time between two polls of the others", gap, 60.0, "s");
    outcome.note(format!(
        "{companies} companies polled every 5 s by one worker, which is killed whenever it works on the first company's poll; a silent worker \
         is gone after {lease} s."
    ));
    Ok(())
}

/// JOB-08: the only worker dies and comes back at once; its work goes on after the lease and a little.
pub(super) fn comes_back(stage: &Stage, options: &Options, outcome: &mut Outcome) -> Result<(), Fault> {
    let (lease, rounds) = if options.quick { (10, 2) } else { (60, 5) };
    let settings = vec![("SOUNDPOST_WORKER_GONE_AFTER", format!("{lease}s"))];
    let plan = Plan { companies: 1, calls: 1_500, settings, ..Plan::default() };
    let mut town = Town::build(&stage.ground, &plan)?;
    let mut herd = Herd::of_workers(&town.app, 1)?;
    let mut worst = 0.0_f64;
    for _ in 0..rounds {
        goes_on(&town, Duration::from_secs(90))?;
        herd.kill(0)?;
        let died = Instant::now();
        herd.revive(0)?;
        goes_on(&town, Duration::from_secs(180))?;
        worst = worst.max(died.elapsed().as_secs_f64());
    }
    town.wait_for_history(Duration::from_secs(400))?;
    stop::sleep(Duration::from_secs(1));
    outcome.injected("kill -9", rounds);
    outcome.at_most("work goes on after a death", worst, f64::from(lease) + 10.0, "s");
    invariants::calls(&mut town, &Wanted { a_second: Some(3), ..Wanted::default() }, outcome)?;
    invariants::jobs(&town, outcome)?;
    outcome.note(format!("One worker on a history of 1,500 calls, killed and started again at once on the same host; the lease is {lease} s."));
    Ok(())
}

/// Waits for a further request to the first company.
fn goes_on(town: &Town, patience: Duration) -> Result<(), Fault> {
    let (before, end) = (api_requests(town, 0)?, Instant::now() + patience);
    while api_requests(town, 0)? == before {
        stop::check()?;
        if Instant::now() > end {
            return Err(Fault::new("work did not go on"));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// JOB-14: after half a day of silence everything is overdue.
pub(super) fn after_an_outage(stage: &Stage, options: &Options, outcome: &mut Outcome) -> Result<(), Fault> {
    let (companies, workers) = if options.quick { (70, 2) } else { (200, 4) };
    let town = Town::build(&stage.ground, &Plan { companies, ..Plan::default() })?;
    {
        let _herd = Herd::of_workers(&town.app, 1)?;
        town.wait_for_history(Duration::from_secs(120))?;
    }
    town.database.ask(
        "create table overdue as select connection_id, now() - interval '12 hours' + row_number() over (order by random()) * interval '1 second' as due_at
            from gong_schedules;
         update gong_schedules s set next_poll_at = o.due_at, next_sweep_at = now() + interval '1 day' from overdue o where o.connection_id = s.connection_id",
    )?;
    let moment = town.database.ask("select clock_timestamp()")?;
    let _herd = Herd::of_workers(&town.app, workers)?;
    let started = format!(
        "select count(distinct connection_id) = {companies} from gong_runs where kind = 'poll' and state = 'done' and created_at > '{moment}'"
    );
    let all = town.database.wait_for("a poll of everybody", &started, Duration::from_secs(180)).is_ok();
    outcome.injected("hours of silence", 12);
    outcome.holds("everybody is looked at", if all { "all" } else { "not all" }, all);
    town.database.ask(&format!(
        "create table starts as select r.connection_id, r.created_at as at, o.due_at from gong_runs r join overdue o using (connection_id)
         where r.kind = 'poll' and r.created_at > '{moment}'"
    ))?;
    let most = town.database.number(
        "select max(n) from (select count(*) as n from starts a join starts b on b.at >= a.at and b.at < a.at + interval '10 seconds' group by a.at) s",
    )?;
    outcome.at_most("polls started in any ten seconds by all processes", most, 55.0, "");
    // The oldest first: nobody starts before somebody who was due a batch earlier.
    let overtaken = town.database.number(
        "select count(*) from starts a where exists (select from starts b where b.due_at < a.due_at - interval '30 seconds' and b.at > a.at + interval '2 seconds')",
    )?;
    outcome.at_most("polls that began before much older ones", overtaken, 0.0, "");
    let twice = town.database.number("select count(*) - count(distinct connection_id) from starts")?;
    outcome.at_most("polls that were started twice", twice, 0.0, "");
    invariants::jobs(&town, outcome)?;
    outcome.note(format!(
        "{companies} connections, all overdue since 12 hours, {workers} workers start at once."
    ));
    Ok(())
}

/// JOB-16: strangers use the company's day as well.
pub(super) fn strangers(stage: &Stage, options: &Options, outcome: &mut Outcome) -> Result<(), Fault> {
    let calls = if options.quick { 600 } else { 3_000 };
    // All of the company's day, what strangers take of it, and our share.
    let (day, theirs, ours) = if options.quick { (24, 10, 19) } else { (120, 50, 96) };
    let settings =
        vec![("GONG_REQUESTS_PER_DAY", ours.to_string()), ("SOUNDPOST_POLL_EVERY", "15s".to_owned())];
    let plan = Plan { companies: 1, calls, settings, ..Plan::default() };
    let town = Town::build(&stage.ground, &plan)?;
    let limit = json!({ "limit": { "per_second": 3, "per_day": day, "by_sim_clock": false } });
    town.simulator.tell("/config", &limit)?;
    let url = format!("{}/v2/users", town.simulator.bases[0]);
    for _ in 0..theirs {
        // Without a token it is refused, but it counts: the limit is the company's.
        Client::default().get(&url)?;
        stop::sleep(Duration::from_millis(400));
    }
    let _herd = Herd::of_workers(&town.app, 2)?;
    stop::sleep(Duration::from_secs(if options.quick { 25 } else { 120 }));
    let requests = town.simulator.ask("/requests?limit=400000")?;
    let ours_alone: Vec<&Value> = requests["requests"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|r| !["token", "authorize", "users"].iter().any(|other| r["endpoint"] == *other))
        .collect();
    let used = ours_alone.len();
    let refused = ours_alone.iter().filter(|r| r["status"] == 429).count();
    let held = town.database.number("select count(*) from gong_budgets where held_until > now()")?;
    outcome.injected("requests of strangers", theirs);
    outcome.at_most("our requests in the day", used as f64, f64::from(ours), "");
    outcome.at_most("our requests that Gong refused before all of them stopped", refused as f64, 2.0, "");
    let spent = town.database.number("select coalesce(sum(fresh + backfill), 0) from gong_usage")?;
    outcome.holds("the whole company waits", format!("held: {held}, {spent} of {ours} used"), held > 0.0);
    let dead = town.database.number("select count(*) from dead_letters where state = 'dead'")?;
    outcome.at_most("jobs given up for it", dead, 0.0, "");
    outcome.note(format!(
        "One company with {calls} calls whose day has {day} requests: strangers take {theirs} of them, our share is {ours}, {used} were used and {refused} refused."
    ));
    Ok(())
}

/// JOB-19 and TEN-11: one company brings a history of many calls; the polls of the others must not notice.
pub(super) fn noisy_neighbour(stage: &Stage, options: &Options, outcome: &mut Outcome) -> Result<(), Fault> {
    let (quiet, calls) = if options.quick { (8, 3_000) } else { (50, 40_000) };
    let settings = vec![
        ("GONG_REQUESTS_PER_SECOND", "1000".to_owned()),
        ("GONG_REQUESTS_PER_DAY", "10000000".to_owned()),
    ];
    let plan =
        Plan { companies: quiet + 1, calls: 0, settings, simulator: vec!["--no-limit"], ..Plan::default() };
    let mut town = Town::build(&stage.ground, &plan)?;
    let _herd = Herd::of_workers(&town.app, 2)?;
    town.wait_for_history(Duration::from_secs(120))?;
    let alone = round(&mut town, quiet)?;
    while calls > town.truth(0)?.len() {
        town.simulator.tell("/calls", &json!({ "company": 0, "count": 1_000 }))?;
    }
    town.people[0].visitor.send(
        "POST",
        "/api/v1/integrations/gong/backfill",
        Some(&json!({ "days": 60 })),
    )?;
    let at_it = "select exists (select from gong_transcripts)";
    town.database.wait_for("the neighbour's first transcripts", at_it, Duration::from_secs(120))?;
    let noisy = round(&mut town, quiet)?;
    let busy = town.database.ask("select bool_or(state = 'running' or finished_at > now() - interval '3 seconds') from gong_runs where kind = 'backfill'")?;
    outcome.injected("calls of the neighbour", calls as u64);
    outcome.holds("the neighbour was still at it", busy.clone(), busy == "t" || options.quick);
    outcome.at_most("polls of the others start late, p95", noisy.late, 60.0, "s");
    outcome.at_most(
        "the others are done, compared with alone",
        noisy.done / alone.done.max(5.0),
        2.0,
        "times",
    );
    outcome.at_most(
        "the API for the others, p95 compared with alone",
        noisy.api / alone.api.max(0.02),
        2.0,
        "times",
    );
    town.wait_for_history(Duration::from_secs(600))?;
    invariants::jobs(&town, outcome)?;
    outcome.note(format!(
        "{quiet} companies are looked at, alone and while another one brings {calls} calls without limits. Alone: done after {:.1} s, API p95 {:.0} ms; \
         beside it {:.1} s and {:.0} ms.",
        alone.done, alone.api * 1e3, noisy.done, noisy.api * 1e3
    ));
    Ok(())
}

/// How a round of polls of the quiet companies went.
struct Round {
    late: f64,
    done: f64,
    api: f64,
}

fn round(town: &mut Town, quiet: usize) -> Result<Round, Fault> {
    let noisy = town.people[0].organization.clone();
    let others =
        format!("connection_id in (select id from gong_connections where organization_id <> '{noisy}')");
    let moment = town.database.ask("select clock_timestamp()")?;
    town.database.ask(&format!("update gong_schedules set next_poll_at = now() where {others}"))?;
    let began = Instant::now();
    let done = format!(
        "select count(distinct connection_id) = {quiet} from gong_runs where kind = 'poll' and state = 'done' and created_at > '{moment}' and {others}"
    );
    let mut api = Vec::new();
    while town.database.ask(&done)? != "t" {
        stop::check()?;
        if began.elapsed() > Duration::from_secs(180) {
            return Err(Fault::new("the polls of the quiet companies do not end"));
        }
        for person in town.people.iter_mut().skip(1).take(4) {
            let asked = Instant::now();
            person.visitor.connection()?;
            api.push(asked.elapsed().as_secs_f64());
        }
        stop::sleep(Duration::from_millis(100));
    }
    api.sort_by(f64::total_cmp);
    let late = town.database.number(&format!(
        "select coalesce(percentile_disc(0.95) within group (order by extract(epoch from created_at - '{moment}'::timestamptz)), 0)
         from gong_runs where kind = 'poll' and created_at > '{moment}' and {others}"
    ))?;
    let at = api.len().saturating_mul(95) / 100;
    Ok(Round {
        late,
        done: began.elapsed().as_secs_f64(),
        api: api.get(at).or(api.last()).copied().unwrap_or(0.0),
    })
}
