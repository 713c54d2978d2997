//! UIX-02: whatever goes wrong, the page says it in plain words and offers one thing to do, which works.

use gong_sim::Consent;
use reqwest::Method;
use serde_json::json;
use stories::{Browser, Org, World};
use uuid::Uuid;

use crate::support::{person, still_world};

const PAGE: &str = "/settings/integrations/gong";
/// What a provider might write.
const RAW: &str = "ERR_7714 upstream said <b>nope</b>";

/// How the connection stands for a class of errors.
#[derive(Default)]
struct State {
    status: &'static str,
    reason: Option<&'static str>,
    last_error: Option<&'static str>,
    missing: &'static [&'static str],
    held: Option<&'static str>,
    failed_history: Option<&'static str>,
    doubted: bool,
    halted: bool,
}

impl State {
    async fn set(&self, world: &World, org: &Org) {
        sqlx::query(
            "update gong_connections set status = $2, reason = $3, last_error_code = $4, missing_scopes = $5::text[],
                last_error_at = case when $4::text is null then null else now() end where organization_id = $1",
        )
        .bind(org.id)
        .bind(self.status)
        .bind(self.reason)
        .bind(self.last_error)
        .bind(self.missing)
        .execute(world.db.pool())
        .await
        .unwrap();
        sqlx::query(
            "insert into gong_budgets (connection_id, organization_id, held_until, held_reason)
             select id, organization_id, case when $2::text is null then null else now() + interval '1 hour' end, $2
             from gong_connections where organization_id = $1
             on conflict (connection_id) do update set held_until = excluded.held_until, held_reason = excluded.held_reason",
        )
        .bind(org.id)
        .bind(self.held)
        .execute(world.db.pool())
        .await
        .unwrap();
        sqlx::query("update gong_schedules set doubted_since = case when $2 then now() end where organization_id = $1")
            .bind(org.id)
            .bind(self.doubted)
            .execute(world.db.pool())
            .await
            .unwrap();
        let halt = if self.halted {
            "insert into gong_stop (stopped_at, reason) values (now(), 'tried')"
        } else {
            "delete from gong_stop"
        };
        sqlx::query(halt).execute(world.db.pool()).await.unwrap();
        for clean in ["delete from gong_runs where kind = 'backfill'", "delete from gong_flows"] {
            sqlx::query(clean).execute(world.db.pool()).await.unwrap();
        }
        if let Some(code) = self.failed_history {
            sqlx::query(
                "insert into gong_runs (id, organization_id, connection_id, kind, state, from_at, to_at, created_at, finished_at, error_code)
                 select gen_random_uuid(), organization_id, id, 'backfill', 'failed', now() - interval '7 days', now(), now(), now(), $2
                 from gong_connections where organization_id = $1",
            )
            .bind(org.id)
            .bind(code)
            .execute(world.db.pool())
            .await
            .unwrap();
        }
    }
}

/// What stands between two marks.
fn between<'a>(text: &'a str, from: &str, to: &str) -> Option<&'a str> {
    text.split_once(from)?.1.split_once(to).map(|(found, _)| found)
}

/// The text without its markup.
fn words(html: &str) -> String {
    let pieces = html.split('<').map(|piece| piece.split_once('>').map_or(piece, |(_, text)| text));
    pieces.collect::<Vec<_>>().join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The callout of a code says it plainly and has one remedy; where that leads. A button leads by POST.
fn told(html: &str, code: &str) -> (bool, String) {
    let section =
        html.split("<section class=\"callout").find(|s| s.contains(&format!("data-code=\"{code}\"")));
    let callout = section.unwrap_or_else(|| panic!("{code} is not told: {}", words(html)));
    let callout = callout.split("</section>").next().unwrap();
    let text = words(between(callout, "<h2>", "<div class=\"actions\">").unwrap());
    assert!(text.len() >= 60, "{code}: {text}");
    let codes = text.split(' ').filter(|word| word.contains('_') && !word.starts_with("SOUNDPOST_"));
    assert_eq!(codes.collect::<Vec<_>>(), Vec::<&str>::new(), "{code}: no codes among the words: {text}");
    assert!(!html.contains("ERR_7714") && !html.contains("nope"), "{code}: nothing that a provider wrote");
    assert_eq!(callout.matches(&format!("id=\"remedy-{code}\"")).count(), 1, "{code}: one thing to do");
    assert_eq!(callout.matches("<button").count() + callout.matches("<a ").count(), 1, "{code}");
    match between(callout, "method=\"post\" action=\"", "\"") {
        Some(target) => (true, target.to_owned()),
        None => (false, between(callout, "href=\"", "\"").unwrap().to_owned()),
    }
}

/// Presses the button or follows the link.
async fn works(browser: &Browser, html: &str, code: &str, (post, target): (bool, String)) {
    if post {
        let answer = browser.form(&target, &[]).await;
        assert_eq!(answer.status, 303, "{code}: {target}: {}", answer.text);
    } else if let Some(id) = target.strip_prefix('#') {
        assert!(html.contains(&format!("id=\"{id}\"")), "{code}: {target} is on the page");
    } else if target.starts_with("https://") {
        assert_eq!(target, "https://status.gong.io", "{code}");
    } else {
        let answer = browser.get(&target).await;
        assert_eq!(answer.status, 200, "{code}: {target}: {}", answer.text);
    }
}

fn classes() -> Vec<(&'static str, State)> {
    let reconnect = [
        "authorization_revoked",
        "access_refused",
        "refresh_exhausted",
        "credential_misplaced",
        "base_url_refused",
    ];
    let paused = ["by_person", "company_linked_elsewhere", "transcript_flood", "credential_flood"];
    let beside = [
        "ip_not_allowed",
        "gong_unavailable",
        "gong_malformed",
        "gong_bad_request",
        "gong_invalid_request",
        "sealing_key_unknown",
        "unauthorized_client",
        "exchange_refused",
    ];
    let held = ["rate_limited", "daily_budget_spent"];
    let history = ["window_will_not_end", "gong_bad_request"];
    let connected = || State { status: "connected", ..State::default() };
    let mut all = Vec::new();
    let state = |status, code| State { status, reason: Some(code), ..State::default() };
    all.extend(reconnect.map(|code| (code, state("reconnect_required", code))));
    all.extend(paused.map(|code| (code, state("paused", code))));
    all.extend(beside.map(|code| (code, State { last_error: Some(code), ..connected() })));
    all.extend(held.map(|code| (code, State { held: Some(code), ..connected() })));
    all.extend(history.map(|code| (code, State { failed_history: Some(code), ..connected() })));
    all.push(("missing_scope", State { missing: &["api:calls:read:transcript"], ..connected() }));
    all.push(("calls_not_visible", State { doubted: true, ..connected() }));
    all.push(("gong_held_halted", State { halted: true, ..connected() }));
    // A word that nobody knows yet.
    all.push(("other", State { last_error: Some(RAW), ..connected() }));
    all
}

#[tokio::test]
async fn uix_02_every_state_of_a_connection_has_plain_words_and_one_thing_to_do_that_works() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    let classes = classes();
    assert!(classes.len() >= 15, "{}", classes.len());
    for (code, state) in classes {
        state.set(&world, &acme).await;
        let page = acme.browser.get(PAGE).await;
        assert_eq!(page.status, 200, "{code}: {}", page.text);
        let remedy = told(&page.text, code);
        works(&acme.browser, &page.text, code, remedy).await;
    }
}

#[tokio::test]
async fn uix_02_every_no_of_gong_while_connecting_has_plain_words_and_one_thing_to_do_that_works() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let said = [
        "access_denied",
        "unauthorized_client",
        "invalid_scope",
        "invalid_request",
        "unsupported_response_type",
        "server_error",
        "temporarily_unavailable",
        RAW,
    ];
    for error in said {
        world.sim.set_consent(Consent::Error(error.to_owned()));
        let begun = acme.browser.begin_connect(None).await.json();
        let mut callback = acme.browser.at_gong(begun["authorize_url"].as_str().unwrap()).await;
        callback.query_pairs_mut().append_pair("error_uri", RAW);
        let page = acme.browser.get(callback.as_str()).await;
        let code = if error == RAW { "other" } else { error };
        let remedy = told(&page.text, code);
        works(&acme.browser, &page.text, code, remedy).await;
        let again = acme.browser.get(callback.as_str()).await;
        let code = if again.text.contains("data-code=\"flow_used\"") { "flow_used" } else { "flow_unknown" };
        works(&acme.browser, &again.text, code, told(&again.text, code)).await;
    }
}

#[tokio::test]
async fn uix_02_every_kind_of_given_up_work_has_plain_words_and_a_button_that_works() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let codes = [
        "worker_died",
        "job_panicked",
        "job_timed_out",
        "gong_bad_request",
        "database_failure",
        "unknown_kind",
        "failed",
        "ERR_7714",
    ];
    for code in codes {
        sqlx::query(
            "insert into dead_letters (job_id, organization_id, lane, kind, subject, key, priority, attempts, max_attempts, code)
             values ($3, $1, 'nobody', 'poll', $4, $3, 0, 8, 8, $2)",
        )
        .bind(acme.id)
        .bind(code)
        .bind(Uuid::new_v4().to_string())
        .bind(Uuid::new_v4())
        .execute(world.db.pool())
        .await
        .unwrap();
        let page = acme.browser.get("/settings/dead-letters").await;
        let row = page.text.split("<tr>").find(|row| row.contains("name=\"code\"")).unwrap();
        let why = words(between(row, "data-label=\"Why\">", "<a href").unwrap());
        assert!(why.len() >= 60 && !why.contains('_'), "{code}: {why}");
        assert!(row.contains("action=\"/settings/dead-letters/retry\""), "{code}");
        let explained = acme.browser.get(between(row, "<a href=\"", "\"").unwrap()).await;
        assert_eq!(explained.status, 200, "{code}: its code is explained");
        let pressed =
            acme.browser.form("/settings/dead-letters/retry", &[("kind", "poll"), ("code", code)]).await;
        assert_eq!(pressed.status, 303, "{code}: {}", pressed.text);
        assert_eq!(world.number("select count(*) from dead_letters where state = 'dead'").await, 0, "{code}");
    }
}

#[tokio::test]
async fn while_gong_is_awaited_the_page_says_so_and_one_can_start_over_or_cancel() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    world.sim.set_consent(Consent::Approve(acme.company));
    let begun = acme.browser.begin_connect(None).await.json();
    let page = acme.browser.get(PAGE).await.text;
    let callout = between(&page, "id=\"connecting\"", "</section>").unwrap();
    assert!(words(callout).contains("This request counts until"), "{callout}");
    assert_eq!(acme.api.gong().await["status"], "connecting");
    assert!(acme.api.gong().await["connecting_until"].is_string());
    assert!(callout.contains("href=\"#connect\"") && page.contains("id=\"connect\""), "a way to start over");

    let cancelled = acme.browser.form("/settings/integrations/gong/connect/cancel", &[]).await;
    assert_eq!(cancelled.status, 303, "{}", cancelled.text);
    assert!(!acme.browser.get(PAGE).await.text.contains("id=\"connecting\""));
    assert_eq!(acme.api.gong().await["status"], "disconnected");
    let late = acme.browser.at_gong(begun["authorize_url"].as_str().unwrap()).await;
    let late = acme.browser.get(late.as_str()).await;
    assert_eq!(late.status, 403, "who comes back with a cancelled request is turned away: {}", late.text);
    assert_eq!(world.number("select count(*) from gong_connections").await, 0);

    acme.browser.begin_connect(None).await;
    let over = acme.browser.form("/settings/integrations/gong/connect", &[]).await;
    assert_eq!(over.status, 303, "starting over is pressing the button: {}", over.text);
    let callback = acme.browser.at_gong(over.location().as_str()).await;
    assert_eq!(acme.browser.get(callback.as_str()).await.status, 303);
    assert_eq!(acme.api.gong().await["status"], "connected");
}

#[tokio::test]
async fn who_connected_gong_is_shown_to_those_who_see_the_members_and_outlives_the_person() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let (admin, viewer) = (person(&world, &acme, "admin").await, person(&world, &acme, "viewer").await);
    world.sim.set_consent(Consent::Approve(acme.company));
    assert_eq!(admin.browser.connect(None).await.status, 303);
    let connected = |html: String| words(between(&html, "<dt>Connected</dt>", "</dd>").unwrap());
    assert_eq!(acme.api.gong().await["connected_by"], json!(admin.id));
    let line = connected(acme.browser.get(PAGE).await.text);
    assert!(line.ends_with(&format!("by {}", admin.email)), "{line}");
    let line = connected(viewer.browser.get(PAGE).await.text);
    assert!(!line.contains(" by "), "a viewer does not see members: {line}");

    let address = format!("/api/v1/members/{}", admin.id);
    let removed = acme.browser.api(Method::DELETE, &address, None).await;
    assert_eq!(removed.status, 204, "{}", removed.text);
    let line = connected(acme.browser.get(PAGE).await.text);
    assert!(line.ends_with("by a removed user"), "{line}");
    assert_eq!(acme.api.gong().await["status"], "connected", "the connection is the organization's");
}
