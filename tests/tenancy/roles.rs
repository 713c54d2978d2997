//! The published matrix, operation by operation.

use kernel::Role;
use reqwest::StatusCode;
use stories::Answer;

use crate::support::{Live, Operation, description, key, operations, person, still_world};

/// The weakest that may, in the words of docs/API.md.
const MATRIX: &[(&str, &str)] = &[
    ("logIn", "anybody"),
    ("logOut", "session"),
    ("switchOrganization", "session"),
    ("getMe", "session"),
    ("leaveOrganization", "session"),
    ("changePassword", "session"),
    ("getGongConnection", "viewer"),
    ("changeGongConnection", "admin"),
    ("disconnectGong", "admin"),
    ("getGongSettings", "viewer"),
    ("changeGongSettings", "admin"),
    ("connectGong", "admin, session"),
    ("gongCallback", "flow cookie"),
    ("connectGongWithKey", "admin"),
    ("pollGong", "member"),
    ("startGongBackfill", "admin"),
    ("cancelGongBackfill", "admin"),
    ("estimateGongBackfill", "viewer"),
    ("watchGongConnection", "viewer"),
    ("listCalls", "viewer"),
    ("getCall", "viewer"),
    ("getTranscript", "viewer"),
    ("listBoards", "viewer"),
    ("createBoard", "admin"),
    ("changeBoard", "admin"),
    ("archiveBoard", "admin"),
    ("getTags", "viewer"),
    ("replaceTags", "admin"),
    ("listPosts", "viewer"),
    ("exportPosts", "viewer"),
    ("getPost", "viewer"),
    ("changePost", "member"),
    ("listEvidence", "viewer"),
    ("getPostTrend", "viewer"),
    ("reviewPost", "member"),
    ("mergePost", "member"),
    ("splitEvidence", "member"),
    ("getCallFeedback", "viewer"),
    ("retryCallFeedback", "admin"),
    ("lookAtCallsAgain", "admin"),
    ("getFeedbackSettings", "admin"),
    ("changeFeedbackSettings", "admin"),
    ("previewFeedbackSettings", "admin"),
    ("getFeedbackStatus", "viewer"),
    ("watchFeedback", "viewer"),
    ("listActivity", "admin"),
    ("listApiKeys", "admin"),
    ("createApiKey", "admin"),
    ("revokeApiKey", "admin"),
    ("listMembers", "admin"),
    ("addMember", "admin"),
    ("getMember", "admin"),
    ("changeMember", "admin"),
    ("removeMember", "admin"),
    ("getPrivacy", "admin"),
    ("changePrivacy", "admin"),
    ("decideVanishedCalls", "admin"),
    ("listErasures", "admin"),
    ("erasePerson", "admin"),
    ("getErasure", "admin"),
    ("renameOrganization", "owner"),
    ("exportOrganization", "owner"),
    ("eraseOrganization", "owner"),
    ("listDeadLetters", "admin"),
    ("countDeadLetters", "admin"),
    ("retryDeadLetters", "admin"),
    ("discardDeadLetters", "admin"),
    ("retryDeadLetter", "admin"),
    ("discardDeadLetter", "admin"),
];

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    May,
    RoleTooWeak,
    NotWithThis,
}

fn word(operation: &Operation) -> &'static str {
    let line = MATRIX.iter().find(|(id, _)| *id == operation.id);
    line.unwrap_or_else(|| panic!("{} stands in no matrix: decide who may", operation.id)).1
}

fn expected(word: &str, role: Role, by_key: bool) -> Verdict {
    let (weakest, session_only) = match word {
        "session" => (Role::Viewer, true),
        "admin, session" => (Role::Admin, true),
        word => (word.parse().expect("a role"), false),
    };
    match (by_key && session_only, role >= weakest) {
        (true, _) => Verdict::NotWithThis,
        (false, true) => Verdict::May,
        (false, false) => Verdict::RoleTooWeak,
    }
}

fn found(answer: &Answer) -> Verdict {
    match (answer.status, answer.text.is_empty()) {
        (StatusCode::UNAUTHORIZED, _) => Verdict::NotWithThis,
        (StatusCode::FORBIDDEN, false) if answer.code() == "role_not_sufficient" => Verdict::RoleTooWeak,
        (StatusCode::FORBIDDEN, _) => panic!("forbidden for another reason: {}", answer.text),
        _ => Verdict::May,
    }
}

#[tokio::test]
async fn ten_05_every_operation_keeps_to_the_published_matrix() {
    let mut world = still_world().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    let all = operations(&description(&world).await);
    assert_eq!(all.len(), MATRIX.len());
    let mut callers = vec![(Role::Owner, false, acme.browser.split())];
    for role in [Role::Viewer, Role::Member, Role::Admin] {
        callers.push((role, false, person(&world, &acme, role.as_str()).await.browser));
        callers.push((role, true, key(&acme.browser, role.as_str()).await.2));
    }
    let nothing = "7".repeat(32);
    let mut compared = 0;
    for (role, by_key, browser) in callers {
        let later = |o: &&Operation| matches!(o.id.as_str(), "logOut" | "disconnectGong");
        // Whoever disconnects or logs out does it last.
        for operation in all.iter().filter(|o| !later(o)).chain(all.iter().filter(later)) {
            let wanted = word(operation);
            // Who left has no session to go on with: a story of its own.
            let apart = matches!(
                operation.id.as_str(),
                "watchGongConnection" | "watchFeedback" | "leaveOrganization"
            );
            if apart || matches!(wanted, "anybody" | "flow cookie") {
                continue;
            }
            let kind = match operation.path.as_str() {
                path if path.contains("/calls/") => "call",
                path if path.contains("/api-keys/") => "key",
                path if path.contains("/members/") => "usr",
                path if path.contains("/erasures/") => "ers",
                path if path.contains("/boards/") => "board",
                path if path.contains("/posts/{id}") => "post",
                path if path.contains("/evidence/") => "evid",
                _ => "dead",
            };
            let address = operation.address(&format!("{kind}_{nothing}"));
            let answer = browser.api(operation.method.clone(), &address, operation.body()).await;
            let verdict = found(&answer);
            assert_eq!(
                verdict,
                expected(wanted, role, by_key),
                "{} as {role}, key: {by_key}: {}",
                operation.id,
                answer.text
            );
            compared += 1;
        }
    }
    assert_eq!(compared, 7 * (MATRIX.len() - 5));
    world.stop().await;
}

#[tokio::test]
async fn ten_05_everybody_who_belongs_may_watch() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let viewer = person(&world, &acme, "viewer").await;
    Live::of_session(&viewer.browser).await;
    let (_, secret, _) = key(&acme.browser, "viewer").await;
    Live::open(&acme.browser, &format!("authorization: Bearer {secret}")).await;
    world.finish().await;
}

#[tokio::test]
async fn ten_05_the_documentation_says_the_same() {
    let world = still_world().await;
    let published = include_str!("../../docs/API.md");
    for operation in operations(&description(&world).await) {
        let start = format!("| `{} {}` | ", operation.method, operation.path);
        let line = published.lines().find_map(|line| line.strip_prefix(&start));
        let line = line.unwrap_or_else(|| panic!("docs/API.md does not list {start}"));
        assert_eq!(line.split(" | ").next(), Some(word(&operation)), "{}", operation.id);
    }
    world.finish().await;
}

#[tokio::test]
async fn ten_05_nobody_without_a_session_or_key_may_anything() {
    let world = still_world().await;
    world.organization("acme").await;
    let stranger = world.browser();
    for operation in operations(&description(&world).await) {
        if matches!(word(&operation), "anybody" | "flow cookie") {
            continue;
        }
        let answer = stranger.api(operation.method.clone(), &operation.address("x"), operation.body()).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}: {}", operation.id, answer.text);
    }
    world.finish().await;
}
