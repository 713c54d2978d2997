//! The audit log is complete: whatever changes something leaves one line that says who, what, to what, what before and after, with
//! which request, from where; and so does whoever may not.

use std::{collections::BTreeMap, time::Duration};

use gong_sim::{Consent, Endpoint, NewCall, Rule, What};
use reqwest::Method;
use serde_json::{Value, json};
use stories::{Answer, Browser, Org, PASSWORD, World};
use uuid::Uuid;

use crate::support::{Operation, asked, dead_letter, description, operations, person};

/// Operations that change something, and the line that each leaves. What changes nothing of its own is empty.
const LINES: &[(&str, &str)] = &[
    ("logIn", "login.succeeded"),
    ("logOut", "session.ended"),
    ("changePassword", "password.changed"),
    ("connectGong", "gong.connect_started"),
    ("connectGongWithKey", "gong.connected"),
    ("changeGongConnection", "gong.settings_changed"),
    ("changeGongSettings", "gong.settings_changed"),
    ("pollGong", "gong.poll_requested"),
    ("startGongBackfill", "gong.backfill_started"),
    ("cancelGongBackfill", "gong.backfill_cancelled"),
    ("disconnectGong", "gong.disconnected"),
    ("changePrivacy", "privacy.changed"),
    ("renameOrganization", "organization.renamed"),
    ("erasePerson", "person.erasure_requested"),
    ("createApiKey", "api_key.created"),
    ("revokeApiKey", "api_key.revoked"),
    ("addMember", "member.added"),
    ("changeMember", "member.role_changed"),
    ("removeMember", "member.removed"),
    ("createBoard", "board.created"),
    ("changeBoard", "board.changed"),
    ("archiveBoard", "board.archived"),
    ("replaceTags", "tags.changed"),
    ("changePost", "post.changed"),
    ("reviewPost", "post.approved"),
    ("mergePost", "posts.merged"),
    ("splitEvidence", "post.split"),
    ("retryCallFeedback", "feedback.retried"),
    ("lookAtCallsAgain", "feedback.looked_again"),
    ("changeFeedbackSettings", "feedback.settings_changed"),
    ("retryDeadLetter", "job.retried"),
    ("discardDeadLetter", "job.discarded"),
    ("retryDeadLetters", "jobs.retried"),
    ("discardDeadLetters", "jobs.discarded"),
];

/// Whose lines have a before and an after.
const CHANGES: &[&str] = &[
    "gong.settings_changed",
    "organization.renamed",
    "board.changed",
    "post.changed",
    "feedback.settings_changed",
    "member.added",
    "member.role_changed",
    "member.removed",
    "job.retried",
    "job.discarded",
    "jobs.retried",
    "jobs.discarded",
];

struct Walk<'a> {
    world: &'a World,
    acme: &'a Org,
    operations: Vec<Operation>,
    seen: BTreeMap<String, Value>,
}

impl Walk<'_> {
    /// Does it with a request id of its own, and reads the lines that came of it.
    async fn go(&mut self, browser: &Browser, id: &str, thing: &str, body: Option<Value>) -> Answer {
        let operation = self.operations.iter().find(|o| o.id == id).expect("it is described").clone();
        let request = format!("audit-{}", Uuid::new_v4().simple());
        let own = operation.headers();
        let mut headers = vec![("x-request-id", request.as_str())];
        headers.extend(own.iter().map(|(name, value)| (*name, value.as_str())));
        let answer =
            browser.api_with(operation.method.clone(), &operation.address(thing), &headers, body).await;
        assert!(answer.status.is_success(), "{id}: {} {}", answer.status, answer.text);
        let lines = lines_of(self.world, &request).await;
        let wanted =
            LINES.iter().find(|(name, _)| *name == id).unwrap_or_else(|| panic!("{id} stands in no list")).1;
        assert_eq!(lines.len(), 1, "{id} leaves one line: {lines:?}");
        let line = lines.into_iter().next().unwrap();
        assert_eq!(line["action"], wanted, "{id}");
        assert_eq!(line["organization_id"], json!(self.acme.id.uuid()), "{id}");
        assert!(["user", "api_key"].contains(&line["actor_kind"].as_str().unwrap()), "{id}: who");
        assert!(line["actor_id"].is_string() && line["actor_label"].is_string(), "{id}: who by name: {line}");
        assert_eq!(line["ip"], "127.0.0.1", "{id}: from where");
        let own = [
            "login.succeeded",
            "session.ended",
            "password.changed",
            "gong.connect_started",
            "privacy.changed",
            "tags.changed",
            "feedback.settings_changed",
            "feedback.looked_again",
        ]
        .contains(&wanted);
        assert!(own || line["target"].is_string(), "{id}: to what: {line}");
        if CHANGES.contains(&wanted) {
            let detail = line["detail"].as_object().unwrap();
            assert!(detail.contains_key("before") && detail.contains_key("after"), "{id}: {line}");
            assert_ne!(detail["before"], detail["after"], "{id}");
        }
        self.seen.insert(id.to_owned(), line);
        answer
    }
}

/// The lines of one request.
async fn lines_of(world: &World, request: &str) -> Vec<Value> {
    sqlx::query_scalar("select to_jsonb(a) from audit_log a where request_id = $1 order by line")
        .bind(request)
        .fetch_all(world.db.pool())
        .await
        .unwrap()
}

/// One that is still at its first request when it is cancelled.
async fn backfill(walk: &mut Walk<'_>, us: &Browser) {
    let sim = &walk.world.sim;
    let held = sim.fault(Rule::always(Endpoint::CallsExtensive, What::HoldAnswer).of(walk.acme.company));
    walk.go(us, "startGongBackfill", "", Some(json!({ "days": 5 }))).await;
    walk.go(us, "cancelGongBackfill", "", None).await;
    sim.release(held);
    sim.clear_faults();
}

#[tokio::test]
async fn ten_15_every_operation_that_changes_something_leaves_one_line() {
    let mut world = World::start().await;
    let acme = world.organization("acme").await;
    let started = world.sim.now() - Duration::from_secs(86_400);
    world.sim.add_call(acme.company, NewCall::new().started(started).title("One").say(0, "Hello."));
    let all = operations(&description(&world).await);
    let us = acme.browser.clone();
    let secrets = {
        let mut walk = Walk { world: &world, acme: &acme, operations: all.clone(), seen: BTreeMap::new() };
        walk.go(&us, "logIn", "", Some(json!({ "email": acme.email, "password": PASSWORD }))).await;
        world.sim.set_consent(Consent::Approve(acme.company));
        let begun = walk.go(&us, "connectGong", "", Some(json!({ "history_days": 30 }))).await.json();
        let back = us.at_gong(begun["authorize_url"].as_str().unwrap()).await;
        assert_eq!(us.get(back.as_str()).await.status, 303);
        world.settle().await;
        walk.go(&us, "changeGongConnection", "", Some(json!({ "poll_every_seconds": 3600 }))).await;
        walk.go(&us, "changeGongSettings", "", Some(json!({ "overlap_seconds": 7200 }))).await;
        walk.go(&acme.api, "pollGong", "", None).await;
        world.settle().await;
        backfill(&mut walk, &us).await;
        walk.go(&us, "changePrivacy", "", Some(json!({ "retention_days": 400 }))).await;
        walk.go(&us, "renameOrganization", "", Some(json!({ "name": "Acme & Sons" }))).await;
        walk.go(&us, "erasePerson", "", Some(json!({ "email": "nobody@nowhere.example" }))).await;
        feedback(&mut walk, &us).await;
        let made =
            walk.go(&us, "createApiKey", "", Some(json!({ "name": "k", "role": "viewer" }))).await.json();
        walk.go(&us, "revokeApiKey", made["id"].as_str().unwrap(), None).await;
        let bob = json!({ "email": "bob@acme.example", "role": "viewer" });
        let added = walk.go(&us, "addMember", "", Some(bob)).await.json();
        let bob = added["id"].as_str().unwrap().to_owned();
        walk.go(&us, "changeMember", &bob, Some(json!({ "role": "member" }))).await;
        walk.go(&us, "removeMember", &bob, None).await;
        let letters = [
            dead_letter(&world, &acme).await,
            dead_letter(&world, &acme).await,
            dead_letter(&world, &acme).await,
        ];
        walk.go(&us, "retryDeadLetter", &letters[0], None).await;
        walk.go(&us, "discardDeadLetter", &letters[1], Some(json!({ "reason": "not needed" }))).await;
        walk.go(&us, "retryDeadLetters", "", Some(json!({ "kind": "poll" }))).await;
        dead_letter(&world, &acme).await;
        walk.go(&us, "discardDeadLetters", "", Some(json!({ "kind": "poll", "reason": "no" }))).await;
        walk.go(&us, "disconnectGong", "", None).await;
        let (key, secret) = world.sim.access_key(acme.company).unwrap_or_default();
        let base = world.sim.api_base(acme.company);
        let body = json!({ "access_key": key, "access_key_secret": secret, "api_base_url": base, "history_days": 3 });
        walk.go(&us, "connectGongWithKey", "", Some(body)).await;
        let change = json!({ "current_password": PASSWORD, "new_password": "another battery staple" });
        walk.go(&us, "changePassword", "", Some(change)).await;
        walk.go(&us, "logOut", "", None).await;
        let missing: Vec<&str> =
            LINES.iter().map(|(id, _)| *id).filter(|id| !walk.seen.contains_key(*id)).collect();
        assert!(missing.is_empty(), "not tried: {missing:?}");
        let initial = added["initial_password"].as_str().unwrap().to_owned();
        vec![
            made["secret"].as_str().unwrap().to_owned(),
            secret,
            PASSWORD.to_owned(),
            initial,
            "another battery staple".into(),
        ]
    };
    let log: String = sqlx::query_scalar("select string_agg(a::text, ' ') from audit_log a")
        .fetch_one(world.db.pool())
        .await
        .unwrap();
    for secret in secrets {
        assert!(!log.contains(&secret), "a secret stands in the audit log");
    }
    world.stop().await;
}

/// What people do with boards, posts and evidence.
async fn feedback(walk: &mut Walk<'_>, us: &Browser) {
    let (world, acme) = (walk.world, walk.acme);
    let board = walk.go(us, "createBoard", "", Some(json!({ "name": "Product" }))).await.json();
    let board = board["id"].as_str().unwrap().to_owned();
    walk.go(us, "changeBoard", &board, Some(json!({ "categories": ["Reporting"] }))).await;
    walk.go(us, "replaceTags", "", Some(json!({ "tags": ["export"] }))).await;
    let one = asked(world, acme, "print the report", "review", &["a.example"]).await;
    let other = asked(world, acme, "export the report", "published", &["b.example"]).await;
    walk.go(us, "changePost", &one.post, Some(json!({ "status": "planned", "title": "Print it" }))).await;
    let told = walk.seen["changePost"]["detail"].to_string();
    assert!(!told.contains("Print it") && told.contains("title"), "that words changed, not which: {told}");
    walk.go(us, "reviewPost", &one.post, Some(json!({ "decision": "approve" }))).await;
    walk.go(us, "mergePost", &one.post, Some(json!({ "into": other.post }))).await;
    walk.go(us, "splitEvidence", &one.evidence[0], None).await;
    sqlx::query("update feedback_calls set state = 'failed'").execute(world.db.pool()).await.unwrap();
    walk.go(us, "retryCallFeedback", &one.calls[0], None).await;
    walk.go(us, "lookAtCallsAgain", "", Some(json!({ "days": 30 }))).await;
    walk.go(us, "changeFeedbackSettings", "", Some(json!({ "mode": "approval" }))).await;
    walk.go(us, "archiveBoard", &board, None).await;
}

#[tokio::test]
async fn ten_15_every_operation_that_writes_is_in_the_list() {
    let mut world = crate::support::still_world().await;
    // Told in stories of their own, beside the rooms that they are about.
    let elsewhere = |id: &str| ELSEWHERE.contains(&id);
    for operation in operations(&description(&world).await) {
        if operation.method == Method::GET || elsewhere(&operation.id) {
            continue;
        }
        assert!(
            LINES.iter().any(|(id, _)| *id == operation.id),
            "{}: which line does it leave?",
            operation.id
        );
    }
    world.stop().await;
}

const ELSEWHERE: &[&str] =
    &["switchOrganization", "leaveOrganization", "decideVanishedCalls", "eraseOrganization"];

#[tokio::test]
async fn ten_15_who_may_not_leaves_a_line_too() {
    let mut world = crate::support::still_world().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    let viewer = person(&world, &acme, "viewer").await;
    let nothing = "7".repeat(32);
    let mut refused = 0;
    for operation in operations(&description(&world).await) {
        if operation.path.ends_with("/events") {
            continue;
        }
        let kind = match operation.path.as_str() {
            path if path.contains("/calls/") => "call",
            path if path.contains("/api-keys/") => "key",
            path if path.contains("/members/") => "usr",
            path if path.contains("/boards/") => "board",
            path if path.contains("/posts/{id}") => "post",
            path if path.contains("/evidence/") => "evid",
            _ => "dead",
        };
        let request = format!("audit-{}", Uuid::new_v4().simple());
        let own = operation.headers();
        let mut headers = vec![("x-request-id", request.as_str())];
        headers.extend(own.iter().map(|(name, value)| (*name, value.as_str())));
        let address = operation.address(&format!("{kind}_{nothing}"));
        let browser = viewer.browser.split();
        let answer = browser.api_with(operation.method.clone(), &address, &headers, operation.body()).await;
        if answer.status != 403 {
            continue;
        }
        let lines = lines_of(&world, &request).await;
        assert_eq!(lines.len(), 1, "{}: {lines:?}", operation.id);
        assert_eq!(lines[0]["action"], "authorization.refused", "{}", operation.id);
        assert_eq!(lines[0]["actor_label"], json!(viewer.email));
        assert!(lines[0]["detail"]["rule"].is_string() && lines[0]["detail"]["role"] == "viewer");
        refused += 1;
    }
    assert!(refused >= 18, "{refused}");
    world.stop().await;
}
