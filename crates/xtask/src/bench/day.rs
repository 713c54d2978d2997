//! A day of many connections, shorter: PostgreSQL and the worker live by a clock that runs faster.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::json;

use super::Options;
use super::app::{App, Program};
use super::ground::{Database, Ground};
use super::report::{Part, number};
use super::simulator::Simulator;
use crate::fault::Fault;
use crate::http::Client;
use crate::lab::clock::FastClock;
use crate::stop;
use crate::workspace::Workspace;

/// Organizations beside the first one, all of one person, each with a session of that person that looks at it.
const OTHERS: &str = "
create temporary table others as select gen_random_uuid() as id, n,
    rtrim(translate(encode(uuid_send(gen_random_uuid()), 'base64'), '+/', '-_'), '=') as cookie
    from generate_series(1, :others) n;
insert into organizations (id, name, created_at) select id, 'Organization ' || n, now() from others;
insert into memberships (organization_id, user_id, role, created_at)
select o.id, m.user_id, m.role, now() from others o, (select * from memberships limit 1) m;
insert into sessions (id_hash, user_id, data, created_at, expires_at)
select sha256(convert_to(o.cookie, 'UTF8')), s.user_id,
    jsonb_set(s.data, '{account,organization}', to_jsonb(
        case when s.data #>> '{account,organization}' like 'org\\_%' then 'org_' || replace(o.id::text, '-', '') else o.id::text end)),
    now(), s.expires_at
from others o, (select * from sessions order by created_at desc limit 1) s;
select cookie from others order by n";

/// Work of the day comes evenly; what is noted of it: when something was due, and when it was begun.
const WATCHED: &str = "
update gong_schedules set next_poll_at = now() + random() * interval '4 hours', next_sweep_at = now() + random() * interval '1 day';
update gong_credentials set expires_at = now() + interval '20 minutes' + random() * interval '1 day';
update gong_credentials set refresh_due_at = expires_at - interval '5 minutes' - random() * interval '5 minutes';
create table noted (what text, connection uuid, due timestamptz, at timestamptz default clock_timestamp());
grant insert on noted to public;
create function note_claim() returns trigger language plpgsql security definer as $$ begin
    if new.next_poll_at > old.next_poll_at then insert into noted values ('poll', old.connection_id, old.next_poll_at); end if;
    if new.next_sweep_at > old.next_sweep_at then insert into noted values ('sweep', old.connection_id, old.next_sweep_at); end if;
    return new; end $$;
create trigger noted_claim after update on gong_schedules for each row execute function note_claim();
create function note_run() returns trigger language plpgsql security definer as $$ begin
    insert into noted values ('begun ' || new.kind, new.connection_id, null); return new; end $$;
create trigger noted_run after insert on gong_runs for each row execute function note_run();
create function note_refresh() returns trigger language plpgsql security definer as $$ begin
    if new.generation > old.generation then insert into noted values ('refresh', old.connection_id, old.refresh_due_at); end if;
    if new.generation > old.generation and old.expires_at < clock_timestamp() then
        insert into noted values ('expired', old.connection_id, old.expires_at); end if;
    return new; end $$;
create trigger noted_refresh after update on gong_credentials for each row execute function note_refresh()";

/// How many times as fast. What the machine holds up for a moment counts as many times: the two seconds after which
/// a database that does not answer is taken to be away are 83 ms here.
const FACTOR: u32 = 24;

/// How long the polls that follow a connecting may take once all are connected.
const FIRST_POLLS: Duration = Duration::from_secs(15 * 60);

/// How much, how fast, how long.
struct Size {
    connections: u32,
    factor: u32,
    hours: u32,
}

/// Connects all by the time that everybody has, then lets the day go by.
pub(super) fn measure(_: &Ground, options: &Options, part: &mut Part) -> Result<(), Fault> {
    let size = match options.quick {
        true => Size { connections: 500, factor: FACTOR, hours: 1 },
        false => Size { connections: 10_000, factor: FACTOR, hours: 24 },
    };
    let size = Size { hours: options.hours.unwrap_or(size.hours), ..size };
    let clock = FastClock::make()?;
    let ground = Ground::measured_with(&Workspace::read()?, clock.environment(false))?;
    let connections = size.connections.to_string();
    let words =
        ["--companies", &connections, "--calls", "0", "--no-limit", "--remember", "1000", "--one-address"];
    let simulator = Simulator::start(&ground, &words)?;
    let database = ground.database("day")?;
    let unpaced = [("GONG_REQUESTS_PER_SECOND", "100000"), ("GONG_REQUESTS_PER_DAY", "1000000")];
    let mut app = App::new(&ground, &database, &simulator, &unpaced)?;
    let began = Instant::now();
    connect(&app, &simulator, &database, size.connections)?;
    println!("  {} connected after {:.0} s", size.connections, began.elapsed().as_secs_f64());
    database.query(WATCHED)?;
    database.query("analyze")?;
    database.forget_statements()?;
    clock.hasten(size.factor)?;
    app.environment.extend(clock.environment(true));
    let mut worker = app.start(&["work"])?;
    let memory = pass(&database, &mut worker, &size)?;
    told(&database, &size, memory, &worker.log(), part)
}

fn connect(app: &App, simulator: &Simulator, database: &Database, connections: u32) -> Result<(), Fault> {
    let _serve = app.serve(&["--no-workers"])?;
    let email = "owner@company0.example";
    app.organization("Company 0", email)?;
    simulator.tell("/consent", &json!({ "consent": { "approve": 0 } }))?;
    drop(app.visitor(email)?);
    let cookies = database.query(&OTHERS.replace(":others", &connections.to_string()))?;
    for (company, cookie) in cookies.lines().enumerate() {
        stop::check()?;
        simulator.tell("/consent", &json!({ "consent": { "approve": company } }))?;
        let mut client = Client::with_cookie("127.0.0.1", "soundpost", cookie);
        let url = format!("{}/api/v1/integrations/gong/connect", app.url);
        let answer = client.post(&url, &json!({ "history_days": null }))?.good("asking to connect Gong")?;
        let consent = answer.json()["authorize_url"].as_str().unwrap_or_default().to_owned();
        client.follow(&consent)?;
    }
    let connected = database.number("select count(*) from gong_connections where status = 'connected'")?;
    if connected < f64::from(connections) {
        return Err(Fault::new(format!("only {connected} of {connections} connections came about")));
    }
    // The day is not to begin with everybody's first poll.
    let _worker = app.start(&["work"])?;
    let left = "select count(*) from apalis.jobs where status in ('Queued', 'Running') or status = 'Pending' and run_at <= now()";
    let end = Instant::now() + FIRST_POLLS;
    while database.number(left)? > 0.0 {
        if Instant::now() > end {
            return Err(Fault::new("the polls that follow a connecting do not come to their end"));
        }
        stop::check()?;
        stop::sleep(Duration::from_secs(1));
    }
    Ok(())
}

/// The most memory that the worker held in the time; fails when it ends.
fn pass(database: &Database, worker: &mut Program, size: &Size) -> Result<f64, Fault> {
    let end = database.query(&format!("select now() + interval '{} hours'", size.hours))?;
    let mut most = 0.0_f64;
    while database.ask(&format!("select now() < '{end}'"))? == "t" {
        stop::check()?;
        worker.check()?;
        most = most.max(worker.memory()?);
        stop::sleep(Duration::from_secs(2));
    }
    Ok(most)
}

fn told(database: &Database, size: &Size, memory: f64, log: &str, part: &mut Part) -> Result<(), Fault> {
    part.note(format!(
        "{} organizations, each connected to a company of its own (without calls), one `soundpost work`. {} hours in {} minutes: the \
         clocks of PostgreSQL and of the worker, and all waiting of the worker, run {} times as fast (a library that the loader puts \
         before the C library); the simulator's does not. Polls every four hours, a sweep and a new token a day, each begun at a \
         random moment; the polls that follow a connecting were over before. Lateness is in seconds of the fast clock, from the moment when something was due; a poll counts when its \
         request may begin, a token when it is stored.",
        size.connections, size.hours, size.hours * 60 / size.factor, size.factor
    ));
    let late = |share: f64, what: &str| {
        database.number(&format!(
            "select coalesce(round(percentile_disc({share}) within group (order by late)::numeric, 2), 0) from (
                select extract(epoch from least(
                    (select min(b.at) from noted b where b.what = 'begun {what}' and b.connection = n.connection and b.at >= n.at),
                    case when n.what = 'refresh' then n.at end) - n.due)::float8 as late
                from noted n where n.what = '{what}' and n.at < now() - interval '10 minutes') l"
        ))
    };
    database.query("create index on noted (what, connection, at); analyze noted")?;
    let count = |what: &str| database.number(&format!("select count(*) from noted where what = '{what}'"));
    for (what, a_day) in [("poll", 6.0), ("sweep", 1.0), ("refresh", 1.0)] {
        let least = f64::from(size.connections) * a_day * f64::from(size.hours) / 24.0;
        part.at_least(&format!("{what}: how often, of what was due"), count(what)? / least, 0.9, "");
        part.at_most(&format!("{what}: late, p99"), late(0.99, what)?, 60.0, "s");
        part.told(
            &format!("{what}: late, median and worst"),
            &format!("{} and {} s", number(late(0.5, what)?), number(late(1.0, what)?)),
        );
    }
    part.at_most("tokens that were over before the next one came", count("expired")?, 0.0, "");
    let connected = database.number("select count(*) from gong_connections where status = 'connected'")?;
    part.at_least("connections at the end", connected, f64::from(size.connections), "");
    part.at_most("dead letters", database.number("select count(*) from dead_letters")?, 0.0, "");
    // Nothing says the 95th percentile of a statement; the mean and two standard deviations are no less.
    let slow = "select coalesce(max(round((mean_exec_time + 2 * stddev_exec_time)::numeric, 2)), 0) from pg_stat_statements s join pg_database d on d.oid = s.dbid
        where d.datname = current_database() and (query like '%next_poll_at <= $%' or query like '%refresh_due_at <= $%')";
    part.at_most("statements of the schedule, mean and two deviations", database.number(slow)?, 20.0, "ms");
    part.at_most("memory of the worker", memory, 200.0, "MB");
    let mut complaints: BTreeMap<String, usize> = BTreeMap::new();
    for line in log.lines().filter(|line| line.contains("WARN") || line.contains("ERROR")) {
        let line: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
        let why = ["message", "code", "error"].map(|field| line[field].as_str().unwrap_or_default());
        *complaints.entry(why.join(" | ")).or_default() += 1;
    }
    part.told("warnings and errors of the worker", &complaints.values().sum::<usize>().to_string());
    let mut complaints: Vec<_> = complaints.into_iter().collect();
    complaints.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
    let complaints: Vec<_> =
        complaints.iter().take(8).map(|(why, times)| format!("{times:>7} x  {why}")).collect();
    part.detail("What it complained of", &complaints.join("\n"));
    part.detail("The statements that took most of PostgreSQL's time", &database.costliest(8)?);
    Ok(())
}
