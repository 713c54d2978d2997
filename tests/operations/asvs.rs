//! What OWASP's ASVS asks for and no other story shows. Each id of docs/ASVS.md leads to a test; these are the rest.

use std::{collections::BTreeSet, time::Duration};

use reqwest::Method;
use stories::{Browser, PASSWORD, World};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::still_world;

const DAY: Duration = Duration::from_secs(86_400);

/// What is answered to these very bytes.
async fn raw(world: &World, request: &str) -> String {
    let port = world.base.port().expect("a port");
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
    socket.write_all(request.as_bytes()).await.expect("it reads");
    let mut answer = Vec::new();
    tokio::time::timeout(Duration::from_secs(20), socket.read_to_end(&mut answer)).await.ok();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn ops_18_a_request_is_decoded_once_and_says_each_thing_once() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let once = acme.api.get("/api/v1/calls?state=%73tored").await;
    assert_eq!(once.status, 200, "a letter may be encoded: {}", once.text);
    let twice = acme.api.get("/api/v1/calls?state=%2573tored").await;
    assert_eq!(twice.status, 422, "what comes out is not decoded again: {}", twice.text);
    let doubled = acme.api.get("/api/v1/calls?limit=1&limit=2").await;
    assert_eq!(doubled.status, 422, "neither the first nor the last wins: {}", doubled.text);
    for path in [
        "/api/v1/%2561pi-keys",
        "/static/",
        "/static",
        "/static/%2e%2e/Cargo.toml",
        "/static/..%2f..%2fetc%2fpasswd",
        "/.git/config",
    ] {
        let answer = acme.browser.get(path).await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.text);
    }
    world.finish().await;
}

#[tokio::test]
async fn ops_18_the_end_of_a_request_is_where_http_says() {
    let world = still_world().await;
    let smuggled = "GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let both = format!(
        "POST /api/v1/session HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}",
        smuggled.len() + 5
    );
    let answers = raw(&world, &both).await;
    assert!(!answers.starts_with("HTTP/1.1 200"), "{answers}");
    let statuses = answers.matches("HTTP/1.1 ").count();
    // Either refused and closed, or read by its chunks alone: then the second request is one of its own.
    assert!(statuses == 1 || (statuses == 2 && answers.ends_with("ok\n")), "{answers}");
    let lengths =
        "POST /api/v1/session HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 60\r\n\r\n";
    let two = raw(&world, &format!("{lengths}aaaaa{smuggled}")).await;
    assert!(two.starts_with("HTTP/1.1 400") && two.matches("HTTP/1.1 ").count() == 1, "{two}");
    let odd = "POST /api/v1/session HTTP/1.1\r\nhost: x\r\ntransfer-encoding: xchunked\r\n\r\n";
    let odd = raw(&world, &format!("{odd}{smuggled}")).await;
    assert!(odd.starts_with("HTTP/1.1 4") && odd.matches("HTTP/1.1 ").count() == 1, "{odd}");
    let trace =
        raw(&world, "TRACE / HTTP/1.1\r\nhost: x\r\nx-secret: abc\r\nconnection: close\r\n\r\n").await;
    assert!(trace.starts_with("HTTP/1.1 405") && !trace.contains("abc"), "{trace}");
    world.finish().await;
}

#[tokio::test]
async fn ops_18_passwords_are_hidden_may_be_pasted_and_every_page_has_a_way_out() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    for (browser, page) in [(&world.browser(), "/login"), (&acme.browser, "/password")] {
        let html = browser.get(page).await.text;
        let fields = html.split("<input").skip(1).filter_map(|part| part.split('>').next());
        let fields: Vec<&str> = fields.filter(|field| field.contains("-password\"")).collect();
        assert!(!fields.is_empty(), "{page}: {html}");
        for field in fields {
            assert!(
                field.contains("type=\"password\"") && !field.contains("autocomplete=\"off\""),
                "{field}"
            );
            assert!(!field.contains("onpaste") && !field.contains("readonly"), "{field}");
        }
    }
    for page in [
        "/",
        "/calls",
        "/activity",
        "/settings/integrations",
        "/settings/integrations/gong",
        "/settings/members",
        "/settings/api-keys",
        "/settings/privacy",
        "/posts",
        "/review",
        "/settings/feedback",
        "/organizations",
        "/password",
        "/dead-letters",
        "/settings/dead-letters",
    ] {
        let answer = acme.browser.get(page).await;
        if answer.status == 200 {
            assert!(answer.text.contains("action=\"/logout\""), "{page}");
        }
    }
    assert!(acme.browser.get("/calls").await.text.contains("action=\"/logout\""));
    world.finish().await;
}

#[tokio::test]
async fn ops_18_no_account_is_there_before_somebody_makes_one_and_sessions_cannot_be_guessed() {
    let world = still_world().await;
    assert_eq!(world.number("select count(*) from users").await, 0, "no default account");
    assert_eq!(world.number("select count(*) from api_keys").await, 0);
    let columns: Vec<String> = sqlx::query_scalar(
        "select column_name::text from information_schema.columns where table_name = 'users' and table_schema = 'public'",
    )
    .fetch_all(world.db.pool())
    .await
    .unwrap();
    let odd = columns
        .iter()
        .find(|name| ["hint", "question", "answer", "secret"].iter().any(|part| name.contains(part)));
    assert_eq!(odd, None, "no hints and no questions");
    let acme = world.organization("acme").await;
    let mut ids = BTreeSet::new();
    for _ in 0..5 {
        let browser = world.browser();
        assert_eq!(browser.log_in(&acme.email, PASSWORD).await.status, 200);
        let id = browser.cookie("soundpost").expect("a session");
        assert!(id.len() >= 22, "16 bytes take 22 letters: {}", id.len());
        ids.insert(id.chars().take(8).collect::<String>());
    }
    assert_eq!(ids.len(), 5, "not even their beginnings repeat");
    world.finish().await;
}

#[tokio::test]
async fn ops_18_a_password_stays_valid_for_years_and_counts_to_the_letter() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    world.wait(800 * DAY);
    let browser = world.browser();
    for almost in [PASSWORD.to_uppercase(), format!("{PASSWORD} "), PASSWORD[..PASSWORD.len() - 1].to_owned()]
    {
        assert_eq!(browser.log_in(&acme.email, &almost).await.status, 401, "{almost:?}");
    }
    let welcome = browser.log_in(&acme.email, PASSWORD).await;
    assert_eq!(welcome.status, 200, "{}", welcome.text);
    assert_eq!(browser.get("/api/v1/calls").await.status, 200, "nobody has to change it");
    world.finish().await;
}

#[tokio::test]
async fn ops_18_a_log_out_has_the_browser_forget_and_scripts_keep_nothing() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let program = acme.browser.split();
    let out = acme
        .browser
        .send(Method::POST, "/logout", &[("origin", world.base.as_str().trim_end_matches('/'))], None)
        .await;
    assert_eq!(out.status, 303, "{}", out.text);
    assert_eq!(out.header("clear-site-data"), "\"cache\", \"storage\"");
    assert_eq!(program.get("/api/v1/me").await.status, 401, "and the session is over");
    let again = world.browser();
    again.log_in(&acme.email, PASSWORD).await;
    let out = again.api(Method::DELETE, "/api/v1/session", None).await;
    assert_eq!((out.status.as_u16(), out.header("clear-site-data")), (204, "\"cache\", \"storage\""));
    let ours =
        [include_str!("../../crates/web/static/live.js"), include_str!("../../crates/web/static/review.js")]
            .concat();
    for word in [
        "eval(",
        "new Function",
        "localStorage",
        "sessionStorage",
        "indexedDB",
        "document.cookie",
        "document.write",
        "postMessage",
        "addEventListener(\"message\"",
        "__proto__",
        "JSON.parse",
        ".innerHTML =",
        "insertAdjacentHTML",
    ] {
        assert!(!ours.contains(word), "{word}");
    }
    let page = Browser::new(world.base.clone()).get("/login").await.text;
    for setting in ["\"allowEval\":false", "\"historyCacheSize\":0", "\"selfRequestsOnly\":true"] {
        assert!(page.replace("&#34;", "\"").replace("&quot;", "\"").contains(setting), "{setting}");
    }
    for part in page.split("<script").skip(1) {
        assert!(part.trim_start().starts_with("src=\"/static/"), "scripts come from our own files: {part}");
    }
    world.finish().await;
}

#[tokio::test]
async fn ops_18_every_body_says_what_it_is_and_how_its_letters_are_written() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/calls", "text/html; charset=utf-8"),
        ("/nothing", "text/html; charset=utf-8"),
        ("/livez", "text/plain; charset=utf-8"),
        ("/health", "application/json"),
        ("/api/v1/calls", "application/json"),
        ("/api/v1/nothing", "application/problem+json"),
        ("/api/openapi.json", "application/json"),
    ] {
        let answer = acme.browser.get(path).await;
        assert_eq!(answer.header("content-type"), kind, "{path}");
        assert_eq!(answer.text.trim_start().starts_with('{'), kind.contains("json"), "{path}");
    }
    world.finish().await;
}
