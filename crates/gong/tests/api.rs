//! The client against a hand-written Gong: what goes out, and what comes of every kind of answer.
#![expect(clippy::unwrap_used, reason = "a test that cannot set up its peer has failed")]

mod peer;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use gong::{
    Auth, CallFilter, Client, Gate, GongError, Held, HeldReason, Hold, HostPolicy, OpenGate, Pass, Purpose,
    TranscriptItem,
};
use kernel::{Ambient, SystemAmbient};
use peer::{Peer, Reply};
use time::macros::datetime;

const EMPTY: &str = r#"{"requestId":"r1","errors":["No calls found corresponding to the provided filters"]}"#;

/// A gate that remembers, and closes when told so.
#[derive(Default)]
struct Watched {
    passed: Mutex<Vec<Purpose>>,
    holds: Mutex<Vec<Hold>>,
    closed: Option<HeldReason>,
}

#[async_trait]
impl Gate for Watched {
    async fn pass(&self, purpose: Purpose) -> Result<Pass, Held> {
        self.passed.lock().unwrap().push(purpose);
        self.closed.map_or(Ok(Pass::unwatched()), |why| Err(Held { until: SystemAmbient.now(), why }))
    }

    async fn hold(&self, hold: Hold) {
        self.holds.lock().unwrap().push(hold);
    }
}

fn client(peer: &Peer, gate: Arc<dyn Gate>) -> Client {
    let base = HostPolicy::parse("http://127.0.0.1").unwrap().check(&peer.base()).unwrap();
    let auth = Auth::Bearer("canary-token".to_owned().into());
    Client::new(gong::http("soundpost-test").unwrap(), base, auth, gate, Arc::new(SystemAmbient))
}

fn day() -> CallFilter {
    CallFilter::window(datetime!(2026-11-20 00:00 UTC), datetime!(2026-11-21 00:00 UTC)).unwrap()
}

fn ids(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

async fn listed(reply: Reply) -> (Result<gong::CallPage, GongError>, Arc<Watched>, Peer) {
    let peer = Peer::start(vec![reply]).await;
    let gate = Arc::new(Watched::default());
    let page = client(&peer, gate.clone()).list_calls(&day(), None, Purpose::Backfill).await;
    (page, gate, peer)
}

/// Everything that a transcript answer yields.
async fn transcribed(
    reply: Reply,
    asked: &[&str],
) -> (Vec<Result<TranscriptItem, GongError>>, gong::TranscriptStream) {
    let peer = Peer::start(vec![reply]).await;
    let client = client(&peer, Arc::new(OpenGate::new()));
    let mut stream = client.transcripts(&ids(asked), None, Purpose::Fresh).await.unwrap();
    let mut items = Vec::new();
    while let Some(item) = stream.next().await {
        items.push(item);
    }
    assert!(stream.next().await.is_none());
    (items, stream)
}

#[tokio::test]
async fn a_page_is_asked_for_in_the_body_and_the_cursor_follows_there() {
    let first = r#"{"requestId":"r","records":{"totalRecords":2,"cursor":"eyJ.c1.x"},"calls":[
        {"metaData":{"id":"12345678901234567890","started":"2026-11-20T10:00:00.5+02:00","isPrivate":false},"parties":[]}]}"#;
    let last = r#"{"requestId":"r","records":{"totalRecords":2},"calls":[{"metaData":{"id":2,"started":"2026-11-20T11:00:00Z"}}]}"#;
    let peer = Peer::start(vec![Reply::json(200, first), Reply::json(200, last)]).await;
    let gate = Arc::new(Watched::default());
    let client = client(&peer, gate.clone()).with_trace(Some("00-abc-def-01".into()));

    let page = client.list_calls(&day(), None, Purpose::Backfill).await.unwrap();
    assert_eq!(page.calls[0].id, "12345678901234567890");
    let page = client.list_calls(&day(), page.next.as_ref(), Purpose::Fresh).await.unwrap();
    assert_eq!((page.calls[0].id.as_str(), page.calls[0].is_private, page.next), ("2", None, None));

    let seen = peer.seen();
    assert!(seen[0].starts_with("POST /v2/calls/extensive HTTP/1.1\r\n"), "no query: {}", seen[0]);
    let lower = seen[0].to_ascii_lowercase();
    for header in [
        "authorization: bearer canary-token",
        "traceparent: 00-abc-def-01",
        "user-agent: soundpost-test",
        "content-type: application/json",
    ] {
        assert!(lower.contains(header), "{header}");
    }
    assert!(!seen[0].contains("cursor") && seen[1].contains(r#"{"cursor":"eyJ.c1.x","filter":{"#));
    assert_eq!(*gate.passed.lock().unwrap(), [Purpose::Backfill, Purpose::Fresh]);
}

#[tokio::test]
async fn an_empty_window_is_an_empty_page_and_no_other_404_is() {
    assert!(listed(Reply::json(404, EMPTY)).await.0.unwrap().calls.is_empty());
    for body in ["", "<html>Not Found</html>", r#"{"errors":["Not Found"]}"#] {
        let error = listed(Reply::json(404, body)).await.0.unwrap_err();
        assert_eq!(error.code(), "gong_not_found", "{body}");
    }
}

#[tokio::test]
async fn a_limit_is_told_to_the_gate() {
    let limited = |header: &str| {
        Reply::raw(&format!(
            "HTTP/1.1 429 Too Many Requests\r\n{header}content-length: 0\r\nx-traceid: t9\r\n\r\n"
        ))
    };
    for (header, told, waits) in [
        ("retry-after: 7\r\n", Some(7), 7),
        ("retry-after: 999999\r\n", Some(86_400), 86_400),
        ("", None, 30),
    ] {
        let (page, gate, _) = listed(limited(header)).await;
        let error = page.unwrap_err();
        assert_eq!(error.request_id(), Some("t9"));
        let GongError::RateLimited { retry_after, .. } = error else { panic!("{error}") };
        assert_eq!(retry_after, told.map(Duration::from_secs));
        assert_eq!(*gate.holds.lock().unwrap(), [Hold { wait: Duration::from_secs(waits) }]);
    }
}

#[tokio::test]
async fn a_closed_gate_lets_nothing_through() {
    let peer = Peer::start(vec![Reply::json(200, "{}")]).await;
    let gate = Arc::new(Watched { closed: Some(HeldReason::DailyBudget), ..Watched::default() });
    let error = client(&peer, gate).workspaces().await.unwrap_err();
    assert_eq!(error.code(), "gong_held_daily_budget");
    assert!(peer.seen().is_empty());
}

#[tokio::test]
async fn answers_that_are_no_pages_are_errors_without_their_text() {
    let scope = r#"{"requestId":"q","errors":["You don't have permission to use 'api:calls:read:extensive' in your app. canary"]}"#;
    let huge = format!("{{\"calls\":[],\"x\":\"{}\"}}", "y".repeat(33 * 1024 * 1024));
    for (reply, code) in [
        (Reply::json(401, scope), "gong_missing_scope"),
        (Reply::json(401, r#"{"errors":["canary"]}"#), "gong_unauthorized"),
        (Reply::json(403, "canary"), "gong_forbidden"),
        (Reply::json(400, r#"{"errors":["canary: cursor has expired"]}"#), "gong_cursor_expired"),
        (Reply::json(400, r#"{"errors":["canary"]}"#), "gong_bad_request"),
        (Reply::json(500, r#"{"errors":["canary"]}"#), "gong_server_error"),
        (Reply::json(502, "<html>canary</html>"), "gong_server_error"),
        (Reply::json(200, "<html>canary</html>"), "gong_answer_malformed"),
        (Reply::json(200, r#"{"calls":"canary"}"#), "gong_answer_malformed"),
        (Reply::json(200, &huge), "gong_answer_too_large"),
        (Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"calls\":[canary"), "gong_answer_cut"),
        (
            Reply::raw("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 6\r\n\r\ncanary"),
            "gong_answer_malformed",
        ),
        (
            Reply::raw(
                "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/canary\r\ncontent-length: 0\r\n\r\n",
            ),
            "gong_answer_malformed",
        ),
        (Reply::Reset, "gong_answer_cut"),
    ] {
        let error = listed(reply).await.0.unwrap_err();
        assert_eq!(error.code(), code, "{error:?}");
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
}

#[tokio::test]
async fn where_nobody_listens_the_error_is_transient() {
    let peer = Peer::start(vec![]).await;
    let client = client(&peer, Arc::new(OpenGate::new()));
    drop(peer);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let error = client.users(None).await.unwrap_err();
    assert!(error.is_transient() && error.code() == "gong_unreachable", "{error:?}");
}

#[tokio::test]
async fn one_call_is_there_or_gone_or_in_doubt() {
    let there = r#"{"requestId":"r","call":{"id":"7","started":"2026-11-20T10:00:00Z","isPrivate":true}}"#;
    let peer = Peer::start(vec![
        Reply::json(200, there),
        Reply::json(404, r#"{"requestId":"r","errors":["Call ID 7 was not found"]}"#),
        Reply::json(404, "<html>no such host</html>"),
    ])
    .await;
    let client = client(&peer, Arc::new(Watched::default()));
    assert_eq!(client.call("7").await.unwrap().unwrap().is_private, Some(true));
    assert_eq!(client.call("7").await.unwrap(), None);
    assert_eq!(client.call("7").await.unwrap_err().code(), "gong_not_found");
    assert!(peer.seen()[0].starts_with("GET /v2/calls/7 HTTP/1.1\r\n"));
}

#[tokio::test]
async fn workspaces_and_users_are_read_and_cursors_of_a_get_go_into_the_query() {
    let peer = Peer::start(vec![
        Reply::json(200, r#"{"workspaces":[{"id":"6","name":"Initial workspace"}]}"#),
        Reply::json(
            200,
            r#"{"records":{"cursor":"a+b/c="},"users":[{"id":"5","emailAddress":"a@example.com"}]}"#,
        ),
        Reply::json(200, r#"{"users":[]}"#),
    ])
    .await;
    let client = client(&peer, Arc::new(Watched::default()));
    assert_eq!(client.workspaces().await.unwrap()[0].id, "6");
    let page = client.users(None).await.unwrap();
    assert!(client.users(page.next.as_ref()).await.unwrap().users.is_empty());
    assert!(peer.seen()[2].starts_with("GET /v2/users?cursor=a%2Bb%2Fc%3D HTTP/1.1\r\n"));
}

#[tokio::test]
async fn transcripts_come_one_by_one_and_only_those_that_were_asked_for() {
    let body = r#"{"requestId":"r","callTranscripts":[
        {"callId":"1","transcript":[{"speakerId":null,"topic":null,"sentences":[{"start":10,"end":20,"text":"two words"}]}]},
        {"callId":"99","transcript":[]}, {"callId":"2","transcript":[{}]}, {"callId":"3"},
        {"callId":"4","transcript":[]}],"records":{"cursor":"next.page"}}"#;
    let (items, stream) = transcribed(Reply::json(200, body), &["1", "2", "3", "4"]).await;
    let items: Vec<_> = items.into_iter().map(Result::unwrap).collect();
    assert_eq!(items.iter().map(|item| item.call_id().unwrap()).collect::<Vec<_>>(), ["1", "2", "4"]);
    let TranscriptItem::Ready(first) = &items[0] else { panic!("{items:?}") };
    assert_eq!((first.sentences, first.words, first.end_ms), (1, 2, 20));
    assert!(matches!(items[1], TranscriptItem::Bad { why: "shape", .. }));
    assert_eq!((stream.unasked(), stream.bytes()), (1, body.len() as u64));
    assert!(stream.cursor().is_some());
}

#[tokio::test]
async fn no_transcripts_yet_is_no_error() {
    assert!(transcribed(Reply::json(404, EMPTY), &["1"]).await.0.is_empty());
    assert!(transcribed(Reply::json(200, r#"{"callTranscripts":null}"#), &["1"]).await.0.is_empty());
}

#[tokio::test]
async fn a_transcript_answer_that_breaks_off_ends_with_an_error_after_what_was_whole() {
    let whole = r#"{"callTranscripts":[{"callId":"1","transcript":[]},"#;
    for (reply, code) in [
        (Reply::raw(&format!("HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{whole}")), "gong_answer_cut"),
        (Reply::json(200, whole), "gong_answer_malformed"),
        (
            Reply::json(200, &format!("{whole}{{\"callId\":\"1\",\"transcript\":[}}}}]}}")),
            "gong_answer_malformed",
        ),
        (
            Reply::json(200, &format!("{whole}{{\"callId\":\"99\",\"transcript\":[]}}]")),
            "gong_answer_malformed",
        ),
        (
            Reply::json(200, &format!("{whole}{{\"callId\":\"99\"}}],\"callTranscripts\":[]}}")),
            "gong_answer_malformed",
        ),
    ] {
        let (items, _) = transcribed(reply, &["1"]).await;
        assert_eq!(items.len(), 2, "{items:?}");
        assert!(items[0].is_ok());
        assert_eq!(items[1].as_ref().unwrap_err().code(), code);
    }
    for body in ["{}", "[]", "<html>", r#"{"callTranscripts":{}}"#, r#"{"callTranscripts":[]}x"#] {
        let (items, _) = transcribed(Reply::json(200, body), &["1"]).await;
        assert_eq!(items[0].as_ref().unwrap_err().code(), "gong_answer_malformed", "{body}");
    }
}
