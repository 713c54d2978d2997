//! Many readers at once: a mix of requests over a million calls, and a thousand live streams.

use std::io::{BufRead, BufReader, Write as _};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::Options;
use super::pages::{FILL, call_with_transcript};
use super::report::{Part, number, percentile};
use crate::fault::{Doing, Fault};
use crate::http::Client;
use crate::lab::app::App;
use crate::lab::ground::{Database, Ground};
use crate::lab::simulator::Simulator;
use crate::stop;

/// Requests a second over all readers.
const RATE: u32 = 50;

/// Posts with a piece of evidence each, on one board; a few wait for a yes. Two words of a title make it rare or frequent. Every
/// stored call was looked at.
const POSTS: &str = "
insert into boards (id, organization_id, name, created_at) select gen_random_uuid(), organization_id, 'Wishes', now() from gong_connections;
create temporary table made as select gen_random_uuid() as id, gen_random_uuid() as evidence, n, w.title,
    (array['feature_request', 'missing_capability', 'limitation', 'ux_complaint', 'bug'])[1 + n % 5] as kind,
    (array['positive', 'neutral', 'negative'])[1 + n % 3] as sentiment, (array['low', 'medium', 'high'])[1 + n % 3] as priority,
    case when n % 500 = 0 then 'review' else 'published' end as state, now() - n * interval '5 minutes' as at
    from generate_series(1, :posts) n,
    lateral (select (array['Export', 'Filter', 'Print', 'Share', 'Archive'])[1 + n % 5] || ' ' || (array['invoices', 'orders', 'tickets',
        'routes', 'shifts', 'contracts', 'drawings'])[1 + n % 7] || ' by site' || n % 1009 as title) w;
insert into posts (id, organization_id, board_id, title, summary, description, kind, sentiment, priority, area, tags, state, text_of,
    analyzer, created_at, updated_at)
select m.id, b.organization_id, b.id, m.title, 'People ask to ' || lower(m.title) || ' without a detour.', m.title, m.kind, m.sentiment,
    m.priority, (array['Reports', 'Search', 'Mobile'])[1 + m.n % 3], array['tag' || m.n % 40], m.state, m.evidence, 'bench', m.at, m.at
from made m, boards b;
insert into evidence (id, organization_id, post_id, call_id, content_hash, place, title, summary, description, kind, sentiment, priority,
    area, quotes, author, account, call_title, called_at, joined, analyzer, created_at)
select m.evidence, c.organization_id, m.id, c.id, '\\x00', 0, m.title, m.title, m.title, m.kind, m.sentiment, m.priority, 'Reports', '[]',
    'Buyer', 'firm' || m.n % 977 || '.example', c.title, c.started_at, 'maker', 'bench', m.at
from made m join gong_calls c on c.gong_call_id = (7000000000000000000 + 1 + m.n % :calls)::text;
insert into feedback_calls (call_id, organization_id, state, made_by, items, due_at, stored_at, finished_at)
select id, organization_id, case when right(gong_call_id, 1) = '7' then 'done' else 'discarded' end, 'bench', 0, stored_at, stored_at, stored_at
from gong_calls where transcript_state = 'stored'";

/// From here on sequential scans are counted.
const SCANS_BEFORE: &str =
    "create schema bench; create table bench.before as select relid, seq_scan from pg_stat_user_tables";
/// Sequential scans since then of the tables that are too large for them, and of which.
const SCANS: &str = "with scans as (select relname, s.seq_scan - b.seq_scan as n from pg_stat_user_tables s join bench.before b using (relid)
        where schemaname = 'public' and n_live_tup > 10000 and s.seq_scan > b.seq_scan)
    select coalesce(sum(n), 0) || coalesce(string_agg(' ' || relname || ' ' || n, ','), '') from scans";

/// Fifty requests a second of the API and of pages, on time whether the one before was answered or not.
pub(super) fn million(ground: &Ground, options: &Options, part: &mut Part) -> Result<(), Fault> {
    let (calls, posts, seconds) = if options.quick { (20_000, 2_000, 5) } else { (1_000_000, 100_000, 60) };
    let simulator = Simulator::start(ground, &["--calls", "0"])?;
    let database = ground.database("million")?;
    let app = App::new(ground, &database, &simulator, &[("SOUNDPOST_API_PER_MINUTE", "1000000")])?;
    app.connect_one()?;
    database.query(&FILL.replace(":calls", &calls.to_string()))?;
    database.query(&POSTS.replace(":posts", &posts.to_string()).replace(":calls", &calls.to_string()))?;
    database.query("vacuum analyze")?;
    let mut serve = app.serve(&["--no-workers"])?;
    let paths = paths(&app, &database)?;
    let client = app.visitor("owner@acme.example")?.into_client();
    for path in &paths {
        client.clone().get(&format!("{}{path}", app.url))?.good(path)?;
    }
    database.query("select pg_stat_statements_reset()")?;
    database.query(SCANS_BEFORE)?;
    let (mut milliseconds, of_path) = on_time(&app, &client, &paths, seconds)?;
    stop::sleep(Duration::from_secs(2));
    let scans = database.query(SCANS)?;
    let (scans, scanned) = scans.split_once(' ').unwrap_or((&scans, ""));
    part.note(format!(
        "{} calls stored, one in twenty with a transcript, and {} posts of one organization; {RATE} requests a second for {seconds} s over {} addresses of the API and \
         of pages, each on time whether the one before was answered or not; a new connection for each.",
        number(f64::from(calls)),
        number(f64::from(posts)),
        paths.len()
    ));
    part.at_most("p95", percentile(&mut milliseconds, 0.95), 100.0, "ms");
    part.told("median", &format!("{} ms", number(percentile(&mut milliseconds, 0.5))));
    part.told("p99", &format!("{} ms", number(percentile(&mut milliseconds, 0.99))));
    part.at_most(
        "sequential scans of tables with more than 10,000 rows",
        scans.parse().doing("counting scans")?,
        0.0,
        "",
    );
    if !scanned.is_empty() {
        part.told("tables that were scanned", scanned);
    }
    part.told("memory of serve at its peak", &format!("{:.0} MB", serve.usage().peak_mb));
    part.detail("The slowest addresses, by their medians", &slowest(&paths, of_path, 8));
    part.detail("The statements that took most of PostgreSQL's time", &database.costliest(8)?);
    Ok(())
}

fn slowest(paths: &[String], of_path: Vec<Vec<f64>>, most: usize) -> String {
    let mut medians: Vec<_> =
        of_path.into_iter().zip(paths).map(|(mut all, path)| (percentile(&mut all, 0.5), path)).collect();
    medians.sort_by(|one, other| other.0.total_cmp(&one.0));
    let lines: Vec<_> = medians[..most.min(medians.len())]
        .iter()
        .map(|(median, path)| {
            let shown = path.split("cursor=").next().unwrap_or(path);
            format!("{median:>8.1} ms  {shown}")
        })
        .collect();
    lines.join("\n")
}

/// What is asked for, with pages deep in the list.
fn paths(app: &App, database: &Database) -> Result<Vec<String>, Fault> {
    let call = call_with_transcript(database)?;
    let mut paths: Vec<String> = [
        "/",
        "/calls",
        "/calls?q=renewal+with+firm7",
        "/calls?q=nothing+like+this",
        "/settings/integrations/gong",
        "/api/v1/me",
        "/api/v1/integrations/gong",
        "/api/v1/activity",
        "/api/v1/calls?state=waiting",
        "/api/v1/calls?state=gave_up&limit=200",
        "/posts",
        "/posts?q=export+invoices",
        "/posts?q=by+site777&kind=bug",
        "/posts?q=nothing+like+this",
        "/posts?label=tag7&sort=newest",
        "/posts?label=nothing",
        "/posts?q=export&label=nothing",
        "/review",
        "/api/v1/posts?limit=100",
        "/api/v1/posts?priority=critical",
    ]
    .map(str::to_owned)
    .to_vec();
    paths.extend([
        format!("/calls/{call}"),
        format!("/api/v1/calls/{call}"),
        format!("/api/v1/calls/{call}/transcript"),
    ]);
    let mut visitor = app.visitor("owner@acme.example")?;
    for list in ["calls?limit=200", "posts?limit=100"] {
        let mut path = format!("/api/v1/{list}");
        for _ in 0..4 {
            let page = visitor.get(&path)?;
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("/api/v1/{list}&cursor={cursor}");
            paths.push(path.clone());
        }
    }
    let post =
        visitor.get("/api/v1/posts?limit=1")?["items"][0]["id"].as_str().unwrap_or_default().to_owned();
    paths.extend([format!("/posts/{post}"), format!("/api/v1/posts/{post}/evidence")]);
    Ok(paths)
}

/// Milliseconds from the moment that each request was due to the end of its answer: of all, and of each path.
fn on_time(
    app: &App,
    client: &Client,
    paths: &[String],
    seconds: u32,
) -> Result<(Vec<f64>, Vec<Vec<f64>>), Fault> {
    let (next, of_path) = (AtomicUsize::new(0), Mutex::new(vec![Vec::new(); paths.len()]));
    let most = (RATE * seconds) as usize;
    let began = Instant::now();
    std::thread::scope(|scope| {
        let reader = || -> Result<(), Fault> {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= most || stop::asked() {
                    return Ok(());
                }
                let due = began + Duration::from_secs_f64(number as f64 / f64::from(RATE));
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                let path = &paths[number % paths.len()];
                let answer = client.clone().get(&format!("{}{path}", app.url))?;
                let took = due.elapsed().as_secs_f64() * 1e3;
                if answer.status != 200 {
                    return Err(Fault::new(format!("{path} answered {}", answer.status)));
                }
                of_path.lock().map_err(|_| Fault::new("a reader panicked"))?[number % paths.len()].push(took);
            }
        };
        let readers: Vec<_> = (0..32).map(|_| scope.spawn(reader)).collect();
        for reader in readers {
            reader.join().map_err(|_| Fault::new("a reader panicked"))??;
        }
        Ok::<(), Fault>(())
    })?;
    let of_path = of_path.into_inner().map_err(|_| Fault::new("a reader panicked"))?;
    Ok((of_path.concat(), of_path))
}

/// Organizations that share the streams: one may have a hundred.
const ORGANIZATIONS: usize = 10;

/// What a change writes into the state that streams carry: when it was made, far in the future.
const FAR: f64 = 1e9;

/// A thousand streams, ten changes a second.
pub(super) fn streams(ground: &Ground, options: &Options, part: &mut Part) -> Result<(), Fault> {
    let (of_one, changes) = if options.quick { (10, 30) } else { (100, 300) };
    let words = ["--companies".to_owned(), ORGANIZATIONS.to_string(), "--calls".to_owned(), "0".to_owned()];
    let simulator = Simulator::start(ground, &words.each_ref().map(String::as_str))?;
    let database = ground.database("streams")?;
    let app = App::new(ground, &database, &simulator, &[])?;
    let mut serve = app.serve(&["--no-workers"])?;
    let mut clients = Vec::new();
    for number in 0..ORGANIZATIONS {
        simulator.tell("/consent", &serde_json::json!({ "consent": { "approve": number } }))?;
        let email = format!("owner@company{number}.example");
        app.organization(&format!("Company {number}"), &email)?;
        let mut visitor = app.visitor(&email)?;
        visitor.connect_quietly()?;
        clients.push(visitor.into_client());
    }
    let before = serve.memory()?;
    let (over, open, delays) = (AtomicBool::new(false), AtomicUsize::new(0), Mutex::new(Vec::new()));
    let peak = std::thread::scope(|scope| {
        let mut listeners = Vec::new();
        for client in clients.iter().flat_map(|client| std::iter::repeat_n(client, of_one)) {
            let listen = || listen(&app, client, &over, &open, &delays);
            let thread = std::thread::Builder::new().stack_size(128 << 10);
            listeners.push(thread.spawn_scoped(scope, listen).doing("starting a listener")?);
        }
        let told = change(&database, &open, ORGANIZATIONS * of_one, changes).and_then(|()| serve.memory());
        over.store(true, Ordering::Relaxed);
        for listener in listeners {
            listener.join().map_err(|_| Fault::new("a listener panicked"))??;
        }
        told
    })?;
    let mut delays = delays.into_inner().map_err(|_| Fault::new("a listener panicked"))?;
    part.note(format!(
        "{} streams over {ORGANIZATIONS} organizations, ten changes a second for {} s, each heard by {of_one} streams; from the \
         change in the database to its arrival at the reader.",
        ORGANIZATIONS * of_one,
        changes / 10
    ));
    part.told("events that arrived", &number(delays.len() as f64));
    part.at_most("delay, p99", percentile(&mut delays, 0.99), 1_000.0, "ms");
    part.told("delay, median", &format!("{} ms", number(percentile(&mut delays, 0.5))));
    part.at_most("memory that the streams added", peak - before, 64.0, "MB");
    let heard = delays.len() as f64 / (changes * of_one) as f64;
    part.at_least("events that arrived, of those sent", heard, 0.99, "");
    Ok(())
}

/// Opens a stream and notes how late each change arrives, until it is over.
#[expect(clippy::disallowed_methods, reason = "compared with the clock of a database on this machine")]
fn listen(
    app: &App,
    client: &Client,
    over: &AtomicBool,
    open: &AtomicUsize,
    delays: &Mutex<Vec<f64>>,
) -> Result<(), Fault> {
    let url = format!("{}/api/v1/integrations/gong/events", app.url);
    let (authority, head) = client.head("GET", &url)?;
    let stream = TcpStream::connect(authority).doing("opening a stream")?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).doing("opening a stream")?;
    (&stream).write_all(format!("{head}\r\n").as_bytes()).doing("opening a stream")?;
    let mut lines = BufReader::new(stream);
    let (mut line, mut last) = (String::new(), 0.0);
    while !over.load(Ordering::Relaxed) {
        match lines.read_line(&mut line) {
            Ok(0) => return Err(Fault::new("a stream ended by itself")),
            Ok(_) => {}
            // Nothing came for a while; what came of a line stays in it.
            Err(_) => continue,
        }
        if line.starts_with("event: status") {
            open.fetch_add(usize::from(last == 0.0), Ordering::Relaxed);
            last = f64::max(last, 1.0);
        } else if let Some(made) = made_at(&line).filter(|made| *made > last) {
            last = made;
            let late = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64() - made;
            delays.lock().map_err(|_| Fault::new("a listener panicked"))?.push(late * 1e3);
        }
        line.clear();
    }
    Ok(())
}

/// The moment of the change that an event tells of, in seconds since 1970.
fn made_at(line: &str) -> Option<f64> {
    let state: serde_json::Value = serde_json::from_str(line.strip_prefix("data:")?.trim()).ok()?;
    let text = state["company"]["name"].as_str()?.strip_prefix("at ")?;
    text.parse::<f64>().ok().map(|far| far - FAR)
}

/// Waits for the streams to be open, then makes a change every tenth of a second.
fn change(database: &Database, open: &AtomicUsize, all: usize, changes: usize) -> Result<(), Fault> {
    let end = Instant::now() + Duration::from_secs(60);
    while open.load(Ordering::Relaxed) < all {
        stop::check()?;
        if Instant::now() > end {
            return Err(Fault::new(format!("only {} streams of {all} opened", open.load(Ordering::Relaxed))));
        }
        stop::sleep(Duration::from_millis(100));
    }
    database.query(&format!(
        "do $$
         declare connection record;
         begin
            for n in 0 .. {} loop
                select id, organization_id into connection from gong_connections order by id offset n % {ORGANIZATIONS} limit 1;
                update gong_connections set workspaces = jsonb_build_array(jsonb_build_object('id', '1', 'name',
                    'at ' || (extract(epoch from clock_timestamp()) + {FAR})::text)) where id = connection.id;
                perform pg_notify('soundpost_news', replace(connection.organization_id::text, '-', '') || ':connection');
                commit;
                perform pg_sleep(0.1);
            end loop;
         end $$",
        changes - 1
    ))?;
    stop::sleep(Duration::from_secs(2));
    Ok(())
}
