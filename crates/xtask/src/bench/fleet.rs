//! What ten thousand connected organizations cost while nothing is due, and how late polls start.

use std::time::{Duration, Instant};

use serde_json::json;

use super::Options;
use super::app::{App, BACKFILLED, Program};
use super::ground::{Database, Ground};
use super::report::{Part, number};
use super::simulator::Simulator;
use crate::fault::Fault;
use crate::stop;

/// Organizations with everything that a connected one has, copied from the first real one. Nothing of them falls due while
/// we look, and their credentials, sealed for another connection, are never opened.
const COPIES: &str = "
create temporary table copies as select gen_random_uuid() as organization, gen_random_uuid() as connection, n
    from generate_series(1, :copies) n;
insert into organizations (id, name, created_at) select organization, 'Organization ' || n, now() from copies;
create temporary table model as select * from gong_connections order by created_at limit 1;
insert into gong_connections (id, organization_id, status, auth_kind, api_base_url, workspaces, granted_scopes, history_days,
    connected_at, created_at, updated_at)
select connection, organization, m.status, m.auth_kind, m.api_base_url,
    jsonb_build_array(jsonb_build_object('id', (9000000 + n)::text, 'name', 'Main')), m.granted_scopes, m.history_days, now(), now(), now()
from copies, model m;
insert into gong_company_claims select (9000000 + n)::text, organization, connection from copies;
insert into gong_credentials (connection_id, organization_id, kind, key_id, access_sealed, refresh_sealed, expires_at,
    refresh_due_at, generation, refreshed_at)
select connection, organization, c.kind, c.key_id, c.access_sealed, c.refresh_sealed, now() + interval '1 day',
    now() + interval '2 hours' + n * interval '7 seconds', 1, now()
from copies, gong_credentials c where c.connection_id = (select id from model);
insert into gong_schedules (connection_id, organization_id, active, import_floor, next_poll_at, last_poll_at, next_sweep_at)
select connection, organization, true, now() - interval '60 days', now() + interval '1 hour' + n * interval '1.44 seconds', now(),
    now() + interval '2 hours' + n * interval '8 seconds'
from copies;
insert into gong_budgets (connection_id, organization_id, next_slot_at) select connection, organization, now() from copies;
insert into gong_usage (connection_id, organization_id, hour, fresh) select connection, organization, date_trunc('hour', now()), 2 from copies;
insert into gong_runs (id, organization_id, connection_id, kind, state, from_at, to_at, created_at, finished_at, progress)
select gen_random_uuid(), organization, connection, kind, 'done', now() - interval '3 days', now(), now(), now(), 1000
from copies, unnest(array['backfill', 'poll']) kind;
insert into gong_calls (id, organization_id, connection_id, gong_call_id, title, started_at, transcript_state, stored_at, looked_at, created_at)
select gen_random_uuid(), organization, connection, n || '00' || k, 'Call', now() - interval '1 day', 'stored', now(), now(), now()
from copies, generate_series(1, 3) k;
analyze";

/// Polls a minute when 10,000 organizations are polled every four hours.
const A_MINUTE: f64 = 10_000.0 / 240.0;

/// Idle first, then with real polls coming due.
pub(super) fn measure(ground: &Ground, options: &Options, part: &mut Part) -> Result<(), Fault> {
    let (real, idle_seconds) = if options.quick { (14, 60) } else { (126, 120) };
    let simulator = Simulator::start(ground, &["--companies", &real.to_string(), "--calls", "0"])?;
    let database = ground.database("fleet")?;
    let app = App::new(ground, &database, &simulator, &[])?;
    connect(&app, &simulator, real)?;
    {
        let _worker = app.start(&["work"])?;
        database.wait_for("the backfills", BACKFILLED, Duration::from_secs(120))?;
    }
    let later = "update gong_schedules set next_poll_at = now() + interval '3 hours', next_sweep_at = now() + interval '9 hours'";
    database.query(later)?;
    database.query(&COPIES.replace(":copies", &(10_000 - real).to_string()))?;
    part.note(format!(
        "10,000 connected organizations, {real} of them really connected to companies of the simulator, the others made by \
         SQL. One `soundpost serve`, which works on jobs, too; ready is from its start to `/readyz` 200. Idle is {idle_seconds} s in which nothing falls due. Then a poll of each real one falls \
         due every {:.2} s, the rhythm of 10,000 organizations polled every four hours.",
        60.0 / A_MINUTE
    ));
    let began = Instant::now();
    let mut serve = app.serve(&[])?;
    part.at_most("ready", began.elapsed().as_secs_f64(), 3.0, "s");
    stop::sleep(Duration::from_secs(if options.quick { 10 } else { 30 }));
    idle(&database, &mut serve, idle_seconds, part)?;
    polls(&database, &mut serve, real, part)
}

fn connect(app: &App, simulator: &Simulator, real: u32) -> Result<(), Fault> {
    let _serve = app.serve(&["--no-workers"])?;
    for number in 0..real {
        simulator.tell("/consent", &json!({ "consent": { "approve": number } }))?;
        let email = format!("owner@company{number}.example");
        app.organization(&format!("Company {number}"), &email)?;
        app.visitor(&email)?.connect_quietly()?;
    }
    Ok(())
}

fn idle(database: &Database, worker: &mut Program, seconds: u32, part: &mut Part) -> Result<(), Fault> {
    database.forget_statements()?;
    let before = worker.usage();
    stop::sleep(Duration::from_secs(seconds.into()));
    stop::check()?;
    let after = worker.usage();
    let often = database.most_often(24)?;
    let statements = self::statements(database)?;
    let seconds = f64::from(seconds);
    part.at_most("CPU of the idle process", (after.cpu - before.cpu) / seconds * 100.0, 1.0, "%");
    part.at_most("statements a second of the idle process", statements / seconds, 5.0, "");
    part.at_most("peak memory of the process", after.peak_mb, 150.0, "MB");
    part.detail(&format!("Its statements in {seconds:.0} s"), &often);
    Ok(())
}

/// Statements of this database so far, also those that only begin or end a transaction; ours are left out.
fn statements(database: &Database) -> Result<f64, Fault> {
    database.number(
        "select coalesce(sum(calls), 0) from pg_stat_statements s join pg_database d on d.oid = s.dbid
         where d.datname = current_database() and query not like '%pg_stat_statements%'",
    )
}

fn polls(database: &Database, worker: &mut Program, real: u32, part: &mut Part) -> Result<(), Fault> {
    let gap = 60.0 / A_MINUTE;
    let began = worker.usage();
    database.query(&format!(
        "create table polls_due as
            select c.id, now() + interval '5 seconds' + row_number() over (order by random()) * interval '{gap} seconds' as due_at
            from gong_connections c where exists (select from gong_runs r where r.connection_id = c.id and r.progress = 1000)
                and c.api_base_url is not null and c.connected_by is not null;
         update gong_schedules s set next_poll_at = d.due_at from polls_due d where d.id = s.connection_id"
    ))?;
    let window = Duration::from_secs_f64(f64::from(real) * gap + 15.0);
    let started = format!(
        "select count(*) >= {real} from polls_due d join gong_runs r on r.connection_id = d.id and r.kind = 'poll' and r.created_at >= d.due_at"
    );
    database.wait_for("the polls", &started, window + Duration::from_secs(120))?;
    let cpu = worker.usage().cpu - began.cpu;
    database.query(
        "create table polls_started as select r.created_at as at, extract(epoch from r.created_at - d.due_at)::float8 as late
         from polls_due d join gong_runs r on r.connection_id = d.id and r.kind = 'poll' and r.created_at >= d.due_at",
    )?;
    let late = |share: f64| {
        database.number(&format!(
            "select round((percentile_disc({share}) within group (order by late))::numeric, 2) from polls_started"
        ))
    };
    part.at_most("polls start late, p99", late(0.99)?, 60.0, "s");
    part.told("polls start late, median", &format!("{} s", number(late(0.5)?)));
    let most = database.number(
        "select max(n) from (select count(*) as n from polls_started a join polls_started b
            on b.at >= a.at and b.at < a.at + interval '1 minute' group by a.at) per_minute",
    )?;
    part.at_most("polls in any sliding minute", most, 2.0 * A_MINUTE, "");
    part.told("CPU for a poll of an empty company", &format!("{:.1} ms", cpu * 1e3 / f64::from(real)));
    Ok(())
}
