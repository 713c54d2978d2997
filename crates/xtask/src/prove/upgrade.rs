//! OPS-11: the program of before serves and works while the tables become those of today; whoever migrates is killed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;

use super::chance::Chance;
use super::herd::Herd;
use super::invariants::{self, Wanted};
use super::report::Outcome;
use super::town::{Plan, Town};
use super::{Options, Stage};
use crate::fault::Fault;
use crate::http::Client;
use crate::lab::app::App;
use crate::lab::ground::Database;
use crate::{run, stop};

/// Where a program from before the newest migration is kept.
pub(super) const EARLIER: &str = "earlier";

/// What is asked for all the time, in turn.
const PATHS: [&str; 8] = [
    "/api/v1/me",
    "/api/v1/integrations/gong",
    "/api/v1/calls?limit=50",
    "/",
    "/calls",
    "/api/v1/activity",
    "/settings/integrations/gong",
    "/api/v1/calls?state=waiting",
];

/// Everything that somebody may read for a long time, such as an export or a backup does.
const READER: &str = "begin;
do $$ declare t record; begin
    for t in select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('public', 'apalis') and tablename not like '\\_sqlx%' loop
        execute 'lock table ' || t.name || ' in access share mode';
    end loop;
end $$;
select pg_sleep(:seconds);
commit";

/// Nobody can note that a migration was applied: its changes are made and not committed.
const HALFWAY: &str = "begin; lock table public._sqlx_migrations in share row exclusive mode; select pg_sleep(:seconds); commit";

/// Rows beside the real ones, so that a change which walks through the tables would be felt.
const FILL: &str = "insert into gong_calls
    select (jsonb_populate_record(c, jsonb_build_object('id', gen_random_uuid(), 'gong_call_id', c.gong_call_id || '-' || n))).*
    from gong_calls c, generate_series(1, :n) n; analyze gong_calls";

/// The longest time that a statement of the programs has been waiting for a table right now.
const WAITING: &str =
    "select coalesce(max(extract(epoch from clock_timestamp() - waitstart)), 0) from pg_locks
    where not granted and locktype in ('relation', 'tuple', 'object')";

/// OPS-11: requests and jobs of the old program must not notice.
pub(super) fn under_traffic(stage: &Stage, options: &Options, outcome: &mut Outcome) -> Result<(), Fault> {
    let (calls, copies, rate, kills) = if options.quick { (300, 30, 50, 3) } else { (1_000, 300, 100, 20) };
    let Some(earlier) = options.earlier.clone() else {
        return Err(Fault::new(
            "a program from before the newest migration is needed: `--earlier FOLDER`, or put it into target/earlier",
        ));
    };
    // Settings that the program of before knows, too.
    let settings = vec![("SOUNDPOST_POLL_EVERY", "20s".to_owned())];
    let plan = Plan { companies: 2, calls, settings, programs: Some(earlier), ..Plan::default() };
    let mut town = Town::build(&stage.ground, &plan)?;
    let old = Herd::of_workers(&town.app, 1)?;
    town.wait_for_history(Duration::from_secs(200))?;
    town.database.ask(&FILL.replace(":n", &copies.to_string()))?;
    let before = version(&town)?;
    let new = Arc::new(town.app.with_programs(&stage.ground.programs));
    let over = AtomicBool::new(false);
    // A session may ask a hundred times a second: two share the load.
    let log_in = |n| Ok(town.app.visitor(&format!("owner@company{n}.example"))?.into_client());
    let clients = (0..2).map(log_in).collect::<Result<Vec<_>, Fault>>()?;
    let traffic = Traffic { url: town.app.url.clone(), clients, rate, ..Traffic::default() };
    let longest = Mutex::new(0.0_f64);
    let killed = std::thread::scope(|scope| {
        for _ in 0..24 {
            scope.spawn(|| traffic.ask(&over));
        }
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let now = town.database.number(WAITING).unwrap_or(f64::from(u16::MAX));
                let mut longest = longest.lock().unwrap_or_else(PoisonError::into_inner);
                *longest = longest.max(now);
                drop(longest);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let killed = migrate(&town, &new, kills, options);
        stop::sleep(Duration::from_secs(3));
        over.store(true, Ordering::Relaxed);
        killed
    })?;
    let longest = longest.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcome.injected("kill -9", killed.into());
    traffic.report(outcome);
    outcome.at_most("longest wait for a table", longest, 1.0, "s");
    let applied = version(&town)?;
    outcome.holds("the tables are those of today", format!("{before} became {applied}"), applied > before);
    again(stage, &town, &new, outcome)?;
    town.database.ask("delete from gong_calls where gong_call_id like '%-%'")?;
    drop(old);
    town.serve_as(&new)?;
    let _young = Herd::of_workers(&new, 1)?;
    super::deploy::looked_again(&town)?;
    invariants::calls(&mut town, &Wanted::default(), outcome)?;
    invariants::tokens(&mut town, outcome)?;
    invariants::jobs(&town, outcome)?;
    outcome.note(format!(
        "The program of before (tables {before}) answers {rate} requests a second and polls, on {calls} calls of two companies \
         each with {copies} copies, while `soundpost migrate` of today is started and killed {killed} times: waiting for a table \
         that somebody reads for seconds, or with its changes made and not committed. Then it runs to its end, and once more; \
         then the programs of today take over."
    ));
    Ok(())
}

fn version(town: &Town) -> Result<u64, Fault> {
    Ok(town.database.number("select max(version) from public._sqlx_migrations where success")? as u64)
}

/// Kills it again and again, then lets it come to its end beside a long reader.
fn migrate(town: &Town, app: &App, kills: u32, options: &Options) -> Result<u32, Fault> {
    stop::sleep(Duration::from_secs(2));
    let mut chance = Chance::of(options.seed, "kills of a migration");
    let mut killed = 0;
    for number in 0..kills {
        stop::check()?;
        let obstacle = if number % 2 == 0 { HALFWAY } else { READER };
        std::thread::scope(|scope| {
            let blocked = scope.spawn(|| town.database.query(&obstacle.replace(":seconds", "2")));
            std::thread::sleep(Duration::from_millis(300));
            let mut migration = app.start(&["migrate"])?;
            migration.id()?;
            std::thread::sleep(chance.millis(50, 1_200));
            if migration.ended().is_none() {
                migration.kill()?;
                killed += 1;
            }
            blocked.join().map_err(|_| Fault::new("a reader panicked"))??;
            Ok::<(), Fault>(())
        })?;
    }
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| town.database.query(&READER.replace(":seconds", "4")));
        std::thread::sleep(Duration::from_millis(300));
        app.tell(&["migrate"])?;
        reader.join().map_err(|_| Fault::new("a reader panicked"))??;
        Ok::<(), Fault>(())
    })?;
    Ok(killed)
}

/// A second run changes nothing, and the tables are those of a database that was never anything else.
fn again(stage: &Stage, town: &Town, app: &App, outcome: &mut Outcome) -> Result<(), Fault> {
    let applied = "select md5(string_agg(m::text, ',' order by version)) from public._sqlx_migrations m";
    let (before, tables) = (town.database.ask(applied)?, schema(stage, &town.database)?);
    app.tell(&["migrate"])?;
    let same = town.database.ask(applied)? == before && schema(stage, &town.database)? == tables;
    outcome.holds("a second run changes nothing", if same { "nothing" } else { "something" }, same);
    let fresh = stage.ground.database("fresh")?;
    app.with("DATABASE_URL", &fresh.url).tell(&["migrate"])?;
    let fresh = schema(stage, &fresh)?;
    let differences: Vec<String> = tables
        .iter()
        .filter(|line| !fresh.contains(line))
        .chain(fresh.iter().filter(|line| !tables.contains(line)))
        .cloned()
        .collect();
    outcome.none("the tables differ from those of a new database", &differences);
    Ok(())
}

/// The definitions of everything, a line each.
fn schema(stage: &Stage, database: &Database) -> Result<Vec<String>, Fault> {
    let program = run::find("pg_dump").unwrap_or_else(|| stage.ground.postgres_program("pg_dump"));
    let dump = run::output(Command::new(program).args(["--schema-only", "-d", &database.url]))?;
    Ok(dump
        .lines()
        .filter(|line| !line.starts_with('\\') && !line.starts_with("--"))
        .map(str::to_owned)
        .collect())
}

/// Requests on time, whether those before were answered or not.
#[derive(Default)]
struct Traffic {
    url: String,
    clients: Vec<Client>,
    rate: u32,
    next: AtomicUsize,
    began: std::sync::OnceLock<Instant>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    answers: u64,
    slowest: f64,
    wrong: Vec<String>,
}

impl Traffic {
    fn ask(&self, over: &AtomicBool) {
        let began = *self.began.get_or_init(Instant::now);
        while !over.load(Ordering::Relaxed) && !stop::asked() {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let due = began + Duration::from_secs_f64(number as f64 / f64::from(self.rate));
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let path = PATHS[number % PATHS.len()];
            let mut client = self.clients[number / 7 % self.clients.len()].clone();
            let asked = Instant::now();
            let answer = match number % 10 {
                9 => {
                    let change = json!({ "poll_every_seconds": 300 + number % 600 });
                    client.send("PATCH", &format!("{}/api/v1/integrations/gong", self.url), Some(&change))
                }
                _ => client.get(&format!("{}{path}", self.url)),
            };
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.answers += 1;
            seen.slowest = seen.slowest.max(asked.elapsed().as_secs_f64());
            match answer {
                Ok(answer) if answer.status < 300 => {}
                Ok(answer) => seen.wrong.push(format!("{path} {}", answer.status)),
                Err(fault) => seen.wrong.push(fault.to_string()),
            }
        }
    }

    fn report(&self, outcome: &mut Outcome) {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        outcome.none(&format!("wrong answers to {} requests", seen.answers), &seen.wrong);
        // How slow the machine is says nothing about migrations: that is what the longest wait is for.
        outcome.note(format!("The slowest answer took {:.1} s.", seen.slowest));
    }
}

/// The folder with a program from before the newest migration, when there is one.
pub(super) fn earlier(target: &Path) -> Option<PathBuf> {
    Some(target.join(EARLIER)).filter(|folder| folder.join("soundpost").is_file())
}
