//! How fast pages answer with many calls stored.

use std::time::Instant;

use super::Options;
use super::app::App;
use super::ground::{Database, Ground};
use super::report::{Part, number, percentile};
use super::simulator::Simulator;
use crate::fault::{Doing, Fault};
use crate::http::Client;

/// Calls as a company would have them, by SQL; one in twenty with a transcript.
pub(super) const FILL: &str = "
insert into gong_calls (id, organization_id, connection_id, gong_call_id, title, url, started_at, duration_seconds, direction,
    workspace_id, parties, search_text, transcript_state, stored_at, looked_at, created_at, lane)
select gen_random_uuid(), c.organization_id, c.id, (7000000000000000000 + n)::text, t.title,
    'https://app.gong.io/call?id=' || n, now() - n * interval '45 seconds', 600 + n % 3000, 'Conference',
    (7000000000000000000 + n % 3)::text,
    jsonb_build_array(
        jsonb_build_object('speaker_id', '1', 'name', p.rep, 'email', lower(replace(p.rep, ' ', '.')) || '@acme.example', 'affiliation', 'internal'),
        jsonb_build_object('speaker_id', '2', 'name', p.buyer, 'email', lower(replace(p.buyer, ' ', '.')) || '@' || p.firm || '.example', 'affiliation', 'external')),
    lower(t.title) || E'\\n' || lower(p.rep) || E'\\n' || lower(p.buyer) || E'\\n' || p.firm,
    case when n % 20 = 0 then 'stored' when n % 50 = 1 then 'waiting' when n % 1000 = 3 then 'gave_up' else 'stored' end,
    now(), now() + interval '1 minute', now(), 1
from gong_connections c, generate_series(1, :calls) n,
    lateral (select 'firm' || n % 977 as firm, 'Rep ' || chr(65 + n % 26) || n % 89 as rep, 'Buyer ' || chr(65 + n % 23) || n % 1999 as buyer) p,
    lateral (select (array['Discovery', 'Demo', 'Pricing review', 'Onboarding', 'Renewal', 'Support escalation'])[1 + n % 6] || ' with ' || p.firm as title) t;
insert into gong_transcripts (call_id, organization_id, body, sentences, words, end_ms, stored_at)
select id, organization_id, (select jsonb_agg(jsonb_build_object('speakerId', (1 + m % 2)::text, 'topic', 'Pricing', 'sentences',
        (select jsonb_agg(jsonb_build_object('start', m * 60000 + s * 5000, 'end', m * 60000 + s * 5000 + 4000,
            'text', 'We would like to export the dashboard every week, and send it on.')) from generate_series(0, 9) s)))::text
    from generate_series(0, 29) m), 300, 3900, 1800000, now()
from gong_calls where transcript_state = 'stored' and (gong_call_id::numeric % 20) = 0;
analyze";

/// Gets pages one after the other and four at a time, with the session of the owner.
pub(super) fn measure(ground: &Ground, options: &Options, part: &mut Part) -> Result<(), Fault> {
    let calls = if options.quick { 5_000 } else { 100_000 };
    let simulator = Simulator::start(ground, &["--calls", "0"])?;
    let database = ground.database("pages")?;
    let app = App::new(ground, &database, &simulator, &[])?;
    app.connect_one()?;
    database.query(&FILL.replace(":calls", &calls.to_string()))?;
    let mut serve = app.serve(&["--no-workers"])?;
    let client = app.visitor("owner@acme.example")?.into_client();
    database.query("select pg_stat_statements_reset()")?;
    let call = call_with_transcript(&database)?;
    part.note(format!(
        "{} calls stored, `serve --no-workers`, a session of the owner, a new connection for every request. 200 requests one \
         after the other, then 200 by four at a time; the figure is the 95th percentile of the slower way.",
        number(f64::from(calls))
    ));
    let paths = [
        "/",
        "/calls",
        "/calls?state=waiting",
        "/calls?q=firm42",
        "/calls?q=renewal+with+firm7",
        "/calls?q=nothing+like+this",
        &format!("/calls/{call}"),
        "/settings/integrations/gong",
    ];
    for path in paths {
        let shown = if path.starts_with("/calls/") { "/calls/{id}, 300 sentences" } else { path };
        let url = format!("{}{path}", app.url);
        let mut alone = gets(client.clone(), &url, 200)?;
        let mut together = four_at_a_time(&client, &url)?;
        let median = percentile(&mut alone, 0.5);
        let (alone, together) = (percentile(&mut alone, 0.95), percentile(&mut together, 0.95));
        let measured = format!("{alone:.1} ms alone (median {median:.1}), {together:.1} ms by four");
        part.promised(shown, "p95 <= 50 ms", &measured, alone.max(together) <= 50.0);
    }
    part.detail("The statements that took most of PostgreSQL's time", &database.costliest(12)?);
    part.told("memory of serve at its peak", &format!("{:.0} MB", serve.usage().peak_mb));
    Ok(())
}

/// One whose transcript is stored.
pub(super) fn call_with_transcript(database: &Database) -> Result<String, Fault> {
    let id =
        database.query("select 'call_' || replace(call_id::text, '-', '') from gong_transcripts limit 1")?;
    if id.is_empty() { Err(Fault::new("no transcript was made")) } else { Ok(id) }
}

/// Milliseconds of each request, after three that warm up.
fn gets(mut client: Client, url: &str, times: usize) -> Result<Vec<f64>, Fault> {
    let mut milliseconds = Vec::with_capacity(times);
    for round in 0..times + 3 {
        let began = Instant::now();
        let answer = client.get(url)?;
        let took = began.elapsed().as_secs_f64() * 1e3;
        if answer.status != 200 {
            return Err(Fault::new(format!("{url} answered {}", answer.status)));
        }
        if round >= 3 {
            milliseconds.push(took);
        }
    }
    Ok(milliseconds)
}

fn four_at_a_time(client: &Client, url: &str) -> Result<Vec<f64>, Fault> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| gets(client.clone(), url, 50))).collect();
        let mut all = Vec::new();
        for thread in threads {
            all.extend(thread.join().map_err(|_| "a thread panicked").doing("getting pages")??);
        }
        Ok(all)
    })
}
