//! How much of the API one caller may use, and what scripts of other sites may do with it.

use std::time::Duration;

use reqwest::Method;
use stories::{Answer, World, WorldOptions};

use crate::support::{description, operations, still_world};

/// The number behind `name=` in a header.
fn number(answer: &Answer, header: &str, name: &str) -> u64 {
    let text = answer.header(header);
    let rest = text.split(&format!(";{name}=")).nth(1).unwrap_or_else(|| panic!("{header}: {text}"));
    rest.split(';').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn api_07_the_headers_are_true_to_the_last_request_and_waiting_helps() {
    let options = WorldOptions { workers: false, api_per_minute: 20, ..WorldOptions::default() };
    let mut world = World::with(options).await;
    let acme = world.organization("acme").await;
    let me = |_: u32| acme.api.get("/api/v1/calls");
    let first = me(0).await;
    assert_eq!(first.header("ratelimit-policy"), "\"minute\";q=20;w=60");
    let mut left = number(&first, "ratelimit", "r");
    assert!(
        (17..=19).contains(&left),
        "{left}: what making the organization took is counted for the session"
    );
    let mut passed = 0;
    let refused = loop {
        let answer = me(0).await;
        if answer.status != 200 {
            break answer;
        }
        passed += 1;
        let now = number(&answer, "ratelimit", "r");
        assert_eq!(now + 1, left, "each request is one less");
        left = now;
    };
    assert_eq!(left, 0, "{passed} passed, and none was promised that did not");
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (429, "too_many_requests"));
    assert_eq!(refused.header("content-type"), "application/problem+json");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait) && wait == number(&refused, "ratelimit", "t"));
    // Others have quotas of their own: a session, and whoever shows nothing at all.
    assert_eq!(acme.browser.get("/api/v1/calls").await.status, 200);
    assert_eq!(world.browser().get("/api/v1/calls").await.status, 401);
    assert_eq!(world.browser().get("/livez").await.header("ratelimit"), "", "health is not counted");
    // Waiting is tried in the unit test of the count; here a window of the real length would be too long.
    tokio::time::sleep(Duration::from_millis(10)).await;
    world.stop().await;
}

#[tokio::test]
async fn api_07_a_key_that_nobody_knows_counts_for_its_address() {
    let options = WorldOptions { workers: false, api_per_minute: 20, ..WorldOptions::default() };
    let mut world = World::with(options).await;
    let acme = world.organization("acme").await;
    assert_eq!(acme.api.get("/api/v1/calls").await.status, 200);
    let mut statuses = Vec::new();
    for _ in 0..30 {
        let made_up = format!("spk_live_{}", uuid::Uuid::new_v4().simple());
        statuses.push(world.browser().with_key(&made_up).get("/api/v1/calls").await.status.as_u16());
    }
    assert_eq!(statuses[0], 401);
    assert_eq!(statuses[20..], [429; 10], "{statuses:?}");
    assert_eq!(acme.api.get("/api/v1/calls").await.status, 200, "a friend at the same address goes on");
    assert_eq!(acme.browser.get("/api/v1/calls").await.status, 200, "and so does a session");
    world.stop().await;
}

#[tokio::test]
async fn api_07_every_answer_of_the_api_says_how_much_is_left() {
    let mut world = still_world().await;
    let acme = world.organization("acme").await;
    for operation in operations(&description(&world).await) {
        if !operation.path.starts_with("/api/v1/") || operation.path.ends_with("/events") {
            continue;
        }
        let browser = acme.browser.split();
        let address = operation.address("x");
        let answer = browser.api(operation.method.clone(), &address, operation.body()).await;
        assert_eq!(number(&answer, "ratelimit-policy", "w"), 60, "{}", operation.id);
        assert!(number(&answer, "ratelimit", "r") < number(&answer, "ratelimit-policy", "q"));
    }
    world.stop().await;
}

#[tokio::test]
async fn api_10_scripts_of_other_sites_get_no_permission_and_answers_are_not_stored() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    for operation in operations(&description(&world).await) {
        if operation.path.ends_with("/events") {
            continue;
        }
        let address = operation.address("x");
        for origin in ["https://evil.example", "null", world.base.as_str().trim_end_matches('/')] {
            let asked = [
                ("origin", origin),
                ("access-control-request-method", operation.method.as_str()),
                ("access-control-request-headers", "authorization, content-type"),
            ];
            let preflight = acme.browser.send(Method::OPTIONS, &address, &asked, None).await;
            assert_eq!((preflight.status.as_u16(), preflight.text.len()), (204, 0), "{address}");
            assert!(preflight.header("allow").contains(operation.method.as_str()), "{address}");
            assert_eq!(preflight.header("vary"), "Origin");
            assert!(no_permission(&preflight), "{address}: {:?}", preflight.headers);
        }
        if operation.method == Method::GET {
            let asked = [("origin", "https://evil.example")];
            let answer = acme.browser.send(Method::GET, &address, &asked, None).await;
            assert!(no_permission(&answer), "{address}: {:?}", answer.headers);
            assert_eq!(answer.header("cache-control"), "no-store", "{address}");
            assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin");
        }
    }
    assert_eq!(acme.browser.send(Method::OPTIONS, "/api/v1/nothing", &[], None).await.status, 404);
    for page in ["/", "/calls", "/settings/members", "/activity", "/settings/dead-letters"] {
        let answer = acme.browser.get(page).await;
        assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (200, "no-store"), "{page}");
        assert!(no_permission(&answer));
    }
    world.finish().await;
}

fn no_permission(answer: &Answer) -> bool {
    answer.headers.keys().all(|name| !name.as_str().starts_with("access-control-"))
}
