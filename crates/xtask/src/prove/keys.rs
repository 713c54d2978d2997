//! TOK-26: the sealing key of many connections is changed while all of them are used, and whoever re-seals is killed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::herd::Herd;
use super::invariants;
use super::report::Outcome;
use super::town::{Plan, Town};
use super::{Options, Stage};
use crate::fault::{Doing, Fault};
use crate::http::Client;
use crate::lab::app::{App, UNLIMITED};
use crate::stop;

/// Seals and opens as Soundpost does (Fernet, bound to its place), so that any number of real credentials can be made.
const SEAL: &str = "
create function open_seal(key bytea, sealed text) returns text language sql as $$
    select regexp_replace(convert_from(decrypt_iv(substring(b from 26 for length(b) - 57), substring(key from 17 for 16),
        substring(b from 10 for 16), 'aes-cbc/pad:pkcs'), 'UTF8'), '^[^\\n]*\\n', '')
    from (select decode(translate(sealed, '-_', '+/'), 'base64') as b) d $$;
create function seal(key bytea, home text, secret text) returns text language plpgsql as $$
declare iv bytea := gen_random_bytes(16); body bytea;
begin
    body := '\\x80'::bytea || int8send(extract(epoch from now())::bigint) || iv
        || encrypt_iv(convert_to('soundpost1 ' || home || e'\\n' || secret, 'UTF8'), substring(key from 17 for 16), iv, 'aes-cbc/pad:pkcs');
    return translate(replace(encode(body || hmac(body, substring(key from 1 for 16), 'sha256'), 'base64'), e'\\n', ''), '+/', '-_');
end $$;
create function home(organization uuid, connection uuid, field text) returns text language sql as $$
    select format('org_%s con_%s %s 1', replace(organization::text, '-', ''), replace(connection::text, '-', ''), field) $$";

/// Organizations like the first real one, with its tokens, each sealed for its own place; every tenth has a secret of its own.
const COPIES: &str = "
create temporary table copies as select gen_random_uuid() as organization, gen_random_uuid() as connection, n
    from generate_series(1, :copies) n;
create temporary table model as select c.*, k.key_id, k.access_sealed, k.refresh_sealed, k.kind, :key::bytea as key
    from gong_connections c join gong_credentials k on k.connection_id = c.id order by c.created_at limit 1;
insert into organizations (id, name, created_at) select organization, 'Organization ' || n, now() from copies;
insert into gong_connections (id, organization_id, status, auth_kind, api_base_url, workspaces, granted_scopes, history_days,
    connected_at, created_at, updated_at)
select connection, organization, m.status, m.auth_kind, m.api_base_url,
    jsonb_build_array(jsonb_build_object('id', (9000000 + n)::text, 'name', 'Main')), m.granted_scopes, m.history_days, now(), now(), now()
from copies, model m;
insert into gong_company_claims select (9000000 + n)::text, organization, connection from copies;
insert into gong_credentials (connection_id, organization_id, kind, key_id, access_sealed, refresh_sealed, expires_at,
    refresh_due_at, generation, refreshed_at)
select connection, organization, m.kind, m.key_id,
    seal(m.key, home(organization, connection, 'access'), open_seal(m.key, m.access_sealed)),
    seal(m.key, home(organization, connection, 'refresh'), open_seal(m.key, m.refresh_sealed)),
    now() + interval '1 day', now() + interval '20 hours', 1, now()
from copies, model m;
insert into organization_secrets (organization_id, key_id, sealed, created_at)
select organization, m.key_id, seal(m.key, home(organization, organization, 'organization_secret'), md5(random()::text)), now()
from copies, model m where n % 10 = 0;
insert into gong_schedules (connection_id, organization_id, active, import_floor, next_poll_at, last_poll_at, next_sweep_at)
select connection, organization, true, now() - interval '60 days', now() + interval '1 day', now(), now() + interval '1 day' from copies;
insert into gong_budgets (connection_id, organization_id, next_slot_at) select connection, organization, now() from copies;
analyze";

/// How an opening that failed shows in the logs.
const FAILED: [&str; 4] = ["could not be opened", "not configured", "sealed_secret", "credential_misplaced"];

/// TOK-26: the ring goes from the old key over both to the new one; the re-sealing is killed and begun again.
pub(super) fn rotated(stage: &Stage, options: &Options, outcome: &mut Outcome) -> Result<(), Fault> {
    let (real, all, kills) = if options.quick { (4, 1_000, 3) } else { (20, 10_000, 20) };
    let mut settings: Vec<_> = UNLIMITED.map(|(name, value)| (name, value.to_owned())).to_vec();
    settings.push(("SOUNDPOST_WORKER_GONE_AFTER", "5s".to_owned()));
    settings.push(("SOUNDPOST_REFRESH_BEFORE", "2s".to_owned()));
    let plan = Plan { companies: real, settings, simulator: vec!["--no-limit"], ..Plan::default() };
    let mut town = Town::build(&stage.ground, &plan)?;
    let old = town.app.setting("SOUNDPOST_KEYS").to_owned();
    {
        let _herd = Herd::of_workers(&town.app, 1)?;
        town.wait_for_history(Duration::from_secs(60))?;
    }
    copies(&town, &old, all - real)?;
    town.simulator
        .tell("/config", &serde_json::json!({ "token_life_seconds": 10, "revoke_family_on_reuse": true }))?;
    town.database.ask(&format!(
        "update gong_credentials set refresh_due_at = now() where connection_id {}",
        rotating(real)
    ))?;
    let new = town.app.new_key()?;
    let with = |app: &App, keys: String| Arc::new(app.with("SOUNDPOST_KEYS", &keys));
    let both = with(&town.app, format!("{old},{new}"));
    town.serve_as(&both)?;
    let herd = Herd::of_workers(&both, 2)?;
    used(&town, Duration::from_secs(4))?;
    drop(herd);
    let turned = with(&town.app, format!("{new},{old}"));
    town.serve_as(&turned)?;
    let mut herd = Herd::of_workers(&turned, 2)?;
    let moment = town.database.ask("select clock_timestamp()")?;
    let hits = reseal(&town, &turned, kills)?;
    let said = turned.tell(&["keys", "rotate"])?;
    herd.check()?;
    used(&town, Duration::from_secs(6))?;
    let polls = town.database.number(&format!(
        "select count(*) from gong_runs where kind = 'poll' and state = 'done' and created_at > '{moment}'"
    ))?;
    outcome.injected("kill -9", hits.into());
    let status: Value = serde_json::from_str(&turned.tell(&["keys", "status", "--json"])?)
        .doing("reading what `keys status` says")?;
    let left: Vec<String> = status["keys"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|key| key["seals"] == false && key["credentials"] != 0)
        .map(Value::to_string)
        .collect();
    outcome.none("rows that the old key sealed", &left);
    let rows = town.database.number(
        "select (select count(*) from gong_credentials) + (select count(*) from organization_secrets)",
    )?;
    outcome.holds(
        "everything that is sealed was re-sealed",
        format!("{rows} rows; the last run said: {}", said.lines().next().unwrap_or_default()),
        rows >= all as f64,
    );
    drop(herd);
    alone(&mut town, &new, real, outcome)?;
    outcome.holds("connections were used meanwhile", format!("{polls} polls"), polls >= 10.0);
    outcome.holds(
        "enough kills hit a rotation under way",
        format!("{hits} of {kills}"),
        hits * 10 >= kills * 8,
    );
    outcome.note(format!(
        "{all} connections, {real} of them with tokens of 10 s that rotate, the others with real tokens that SQL sealed for \
         each; 2 workers poll some of all of them without pause. Keys: old, then old and new, then new and old; `soundpost keys \
         rotate` is killed {hits} times and runs to its end; then everything starts with the new key alone."
    ));
    Ok(())
}

/// Those whose tokens are replaced all the time: the real ones but the first, whose tokens the copies share.
fn rotating(real: usize) -> String {
    format!("in (select id from gong_connections order by created_at offset 1 limit {})", real - 1)
}

fn copies(town: &Town, key: &str, count: usize) -> Result<(), Fault> {
    town.database.ask(SEAL)?;
    let bytes = format!("decode(translate('{key}', '-_', '+/'), 'base64')");
    town.database.ask(&COPIES.replace(":copies", &count.to_string()).replace(":key::bytea", &bytes))?;
    Ok(())
}

/// Has some connections looked at, chosen at random.
fn look_at_some(town: &Town) -> Result<(), Fault> {
    let some = "update gong_schedules set next_poll_at = now() where connection_id in
        (select connection_id from gong_schedules order by random() limit 20)";
    town.database.ask(some).map(|_| ())
}

fn used(town: &Town, time: Duration) -> Result<(), Fault> {
    let end = Instant::now() + time;
    while Instant::now() < end {
        look_at_some(town)?;
        stop::sleep(Duration::from_secs(1));
        stop::check()?;
    }
    Ok(())
}

/// Re-seals and kills it, each time a bit further; how many kills found it under way.
fn reseal(town: &Town, app: &Arc<App>, kills: u32) -> Result<u32, Fault> {
    let first = "select key_id from gong_credentials group by 1 order by count(*) desc limit 1";
    let old = town.database.ask(first)?;
    let left =
        || town.database.number(&format!("select count(*) from gong_credentials where key_id = '{old}'"));
    let all = left()?;
    let mut hits = 0;
    for number in 1..=kills {
        let goal = all * (1.0 - f64::from(number) / f64::from(kills + 1));
        let mut rotation = app.start(&["keys", "rotate"])?;
        let end = Instant::now() + Duration::from_secs(120);
        let mut now = left()?;
        while now > goal && rotation.ended().is_none() && Instant::now() < end {
            stop::check()?;
            std::thread::sleep(Duration::from_millis(5));
            now = left()?;
        }
        if rotation.ended().is_none() {
            rotation.kill()?;
            hits += u32::from(now > 0.0);
        }
        look_at_some(town)?;
    }
    Ok(hits)
}

/// The new key alone: everything starts, and every connection opens.
fn alone(town: &mut Town, key: &str, real: usize, outcome: &mut Outcome) -> Result<(), Fault> {
    let app = Arc::new(town.app.with("SOUNDPOST_KEYS", key));
    town.serve_as(&app)?;
    let ready = Client::default().get(&format!("{}/readyz", app.url))?.status;
    outcome.holds("the program is ready with the new key alone", ready.to_string(), ready == 200);
    let _herd = Herd::of_workers(&app, 2)?;
    let moment = town.database.ask("select clock_timestamp()")?;
    // More was wished for than the schedule starts in that time; what is left of it has nothing to do with keys.
    town.database.ask(
        "update gong_schedules set next_poll_at = now() + interval '1 hour' where next_poll_at < now()",
    )?;
    town.database.ask(&format!(
        "update gong_schedules set next_poll_at = now() where connection_id in (select id from gong_connections order by created_at limit {real})
            or connection_id in (select connection_id from gong_schedules order by random() limit 30)"
    ))?;
    let due = "select not exists (select from gong_schedules where active and next_poll_at < now())
        and not exists (select from gong_runs where state = 'running')";
    town.database.wait_for("a poll of all that were due", due, Duration::from_secs(120))?;
    stop::sleep(Duration::from_secs(2));
    let polls = town.database.number(&format!(
        "select count(*) from gong_runs where kind = 'poll' and state = 'done' and created_at > '{moment}'"
    ))?;
    outcome.holds("polls with the new key alone", polls.to_string(), polls >= real as f64 + 20.0);
    invariants::newest_wins_of(town, &rotating(real), outcome)?;
    let failed: Vec<String> =
        app.logged(&FAILED).iter().map(|line| line.chars().skip(14).take(120).collect()).collect();
    outcome.none("openings that failed, in all logs", &failed);
    invariants::tokens(town, outcome)?;
    invariants::jobs(town, outcome)
}
