//! A flood of log-ins with wrong passwords: what it costs those who only want to work, and somebody with the right one.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use super::Options;
use super::app::{App, PASSWORD};
use super::ground::Ground;
use super::report::{Part, number, percentile};
use super::simulator::Simulator;
use crate::fault::{Doing, Fault};
use crate::http::Client;
use crate::stop;

/// Wrong log-ins a second.
const FLOOD: u32 = 50;
/// Requests of somebody who works, a second.
const WORK: u32 = 20;
/// What one check of a password holds while it runs, in MB.
const HASH_MB: f64 = 19_456.0 * 1024.0 / 1e6;

const OWNER: &str = "owner@acme.example";

/// Milliseconds of everybody.
#[derive(Default)]
struct Times {
    work: Mutex<Vec<f64>>,
    /// Of a browser that logged in before.
    good: Mutex<Vec<f64>>,
    /// Of browsers that nobody knows.
    new: Mutex<Vec<f64>>,
    /// How often each status was the answer to a wrong password.
    wrong: Mutex<std::collections::BTreeMap<u16, u32>>,
}

/// First without the flood, then beside it.
pub(super) fn measure(ground: &Ground, options: &Options, part: &mut Part) -> Result<(), Fault> {
    let (calm, flood): (u32, u32) = if options.quick { (8, 12) } else { (30, 120) };
    let simulator = Simulator::start(ground, &["--calls", "200"])?;
    let database = ground.database("logins")?;
    // Everybody who guesses comes from elsewhere, as far as an honest proxy can tell.
    let app = App::new(ground, &database, &simulator, &[("SOUNDPOST_TRUSTED_PROXIES", "127.0.0.1")])?;
    app.connect_one()?;
    let mut serve = app.serve(&[])?;
    database.wait_for("the history", super::app::BACKFILLED, Duration::from_secs(120))?;
    let worker = app.visitor(OWNER)?.into_client();
    let before = Times::default();
    run(&app, &worker, &before, calm, 0)?;
    let (memory, cpu) = (serve.memory()?, serve.usage().cpu);
    let during = Times::default();
    run(&app, &worker, &during, flood, FLOOD)?;
    let after = serve.usage();
    let p95 = |times: &Mutex<Vec<f64>>| {
        percentile(&mut times.lock().map(|all| all.clone()).unwrap_or_default(), 0.95)
    };
    let (undisturbed, disturbed) = (p95(&before.work), p95(&during.work));
    let wrong = during.wrong.lock().map(|all| all.clone()).unwrap_or_default();
    let answers: Vec<String> = wrong.iter().map(|(status, times)| format!("{status}: {times}")).collect();
    part.note(format!(
        "{FLOOD} log-ins a second for {flood} s, each for another account and from another address, past what either is allowed, with \
         wrong passwords; beside them {WORK} requests a second of somebody who is logged in (lists, a page, the state of the \
         connection), and every three seconds two log-ins with the right password from an address of their own: one of a browser that logged in \
         before, one of a new browser. Each request on time, \
         by a new connection. The flood, `serve` with its workers and PostgreSQL share the machine."
    ));
    part.at_most(
        "a good log-in, slowest",
        percentile(&mut during.good.lock().map(|all| all.clone()).unwrap_or_default(), 1.0),
        2_000.0,
        "ms",
    );
    let good = during.good.lock().map_or(0, |all| all.len());
    part.at_least(
        "good log-ins of a browser that logged in before, of those tried",
        good as f64 / f64::from(flood / 3),
        1.0,
        "",
    );
    let new = during.new.lock().map_or(0, |all| all.len());
    part.told(
        "good log-ins of browsers that nobody knows, of those tried",
        &number(new as f64 / f64::from(flood / 3)),
    );
    part.at_most(
        "passwords checked at once, by the memory they take",
        (after.peak_mb - memory).max(0.0) / HASH_MB,
        2.9,
        "",
    );
    part.at_most(
        "other answers, p95, compared with undisturbed",
        disturbed / undisturbed.max(5.0),
        2.0,
        "times",
    );
    part.told(
        "other answers, p95 undisturbed and beside the flood",
        &format!("{} and {} ms", number(undisturbed), number(disturbed)),
    );
    part.told("answers to wrong passwords", &answers.join(", "));
    part.told(
        "CPU of serve beside the flood",
        &format!("{} %", number((after.cpu - cpu) / f64::from(flood) * 100.0)),
    );
    Ok(())
}

/// Everybody for so many seconds.
fn run(app: &App, worker: &Client, times: &Times, seconds: u32, flood: u32) -> Result<(), Fault> {
    let paths = ["/api/v1/calls?limit=50", "/calls", "/api/v1/integrations/gong", "/livez"];
    std::thread::scope(|scope| {
        let mut all = Vec::new();
        all.push(scope.spawn(|| {
            on_time(WORK, seconds, 8, &|number| {
                let path = paths[number % paths.len()];
                let (status, took) = ask(worker, "GET", &format!("{}{path}", app.url), None, "10.9.0.1")?;
                if status != 200 {
                    return Err(Fault::new(format!("{path} answered {status}")));
                }
                times.work.lock().map_err(|_| Fault::new("a reader panicked"))?.push(took);
                Ok(())
            })
        }));
        if flood > 0 {
            all.push(scope.spawn(|| {
                on_time(flood, seconds, 64, &|number| {
                    let body = json!({ "email": format!("nobody{number}@elsewhere.example"), "password": "this is not the password" });
                    let from = format!("10.{}.{}.{}", 20 + number / 60_000, number / 250 % 240, number % 250);
                    let url = format!("{}/api/v1/session", app.url);
                    let (status, _) = ask(&Client::default(), "POST", &url, Some(&body.to_string()), &from)?;
                    *times.wrong.lock().map_err(|_| Fault::new("a guesser panicked"))?.entry(status).or_default() += 1;
                    Ok(())
                })
            }));
            let mut known = app.visitor(OWNER)?.into_client();
            all.push(scope.spawn(move || {
                for number in 0..seconds / 3 {
                    stop::check()?;
                    let body = json!({ "email": OWNER, "password": PASSWORD });
                    let url = format!("{}/api/v1/session", app.url);
                    let from = format!("10.8.0.{number}");
                    // The browser keeps the new mark that each log-in gives it.
                    let began = Instant::now();
                    let known = known.send("POST", &url, Some(&body))?.status;
                    let known = (known, began.elapsed().as_secs_f64() * 1000.0);
                    let new = ask(&Client::default(), "POST", &url, Some(&body.to_string()), &from)?;
                    for ((status, took), times) in [(known, &times.good), (new, &times.new)] {
                        if (200..300).contains(&status) {
                            times.lock().map_err(|_| Fault::new("somebody panicked"))?.push(took);
                        }
                    }
                    stop::sleep(Duration::from_millis(2_800));
                }
                Ok(())
            }));
        }
        for thread in all {
            thread.join().map_err(|_| Fault::new("a thread panicked"))??;
        }
        Ok(())
    })
}

/// Does something so often a second, whether the one before is done or not, with so many hands.
fn on_time(
    rate: u32,
    seconds: u32,
    hands: usize,
    deed: &(dyn Fn(usize) -> Result<(), Fault> + Sync),
) -> Result<(), Fault> {
    let (next, began) = (AtomicUsize::new(0), Instant::now());
    let most = (rate * seconds) as usize;
    std::thread::scope(|scope| {
        let hand = || -> Result<(), Fault> {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= most || stop::asked() {
                    return Ok(());
                }
                let due = began + Duration::from_secs_f64(number as f64 / f64::from(rate));
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                deed(number)?;
            }
        };
        let all: Vec<_> = (0..hands).map(|_| scope.spawn(hand)).collect();
        for one in all {
            one.join().map_err(|_| Fault::new("a thread panicked"))??;
        }
        Ok(())
    })
}

/// One request as if it came from an address; its status and milliseconds.
fn ask(
    client: &Client,
    method: &str,
    url: &str,
    body: Option<&str>,
    from: &str,
) -> Result<(u16, f64), Fault> {
    let began = Instant::now();
    let (authority, mut head) = client.head(method, url)?;
    head.push_str(&format!("x-forwarded-for: {from}\r\n"));
    let body = body.unwrap_or_default();
    if method != "GET" {
        head.push_str(&format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len()));
    }
    let mut stream = TcpStream::connect(authority).doing("connecting")?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).doing("connecting")?;
    stream.write_all(format!("{head}\r\n{body}").as_bytes()).doing("asking")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).doing("reading an answer")?;
    let line = String::from_utf8_lossy(answer.get(..20).unwrap_or(&answer)).into_owned();
    let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
    let status = status.ok_or_else(|| Fault::new(format!("not an answer: {line}")))?;
    Ok((status, began.elapsed().as_secs_f64() * 1e3))
}
