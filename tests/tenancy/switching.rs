//! A person of several organizations: switching, leaving, and what either leaves behind.

use std::time::Duration;

use db::{Events, News};
use kernel::Scope;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use stories::{Org, World};
use tokio::sync::broadcast::Receiver;

use crate::support::{Person, key, person, still_world};

const SWITCH: &str = "/api/v1/session/organization";

/// Somebody who belongs to both; the browser looks at the first.
async fn of_both(world: &World, first: &Org, second: &Org, role: &str) -> Person {
    let bob = person(world, first, "admin").await;
    let added = second.browser.post("/api/v1/members", json!({ "email": bob.email, "role": role })).await;
    assert_eq!(added.status, 201, "{}", added.text);
    bob
}

async fn lines(org: &Org, action: &str) -> Vec<Value> {
    let all = org.browser.get("/api/v1/activity?limit=100").await.json();
    let items = all["items"].as_array().unwrap().clone();
    items.into_iter().filter(|line| line["action"] == action).collect()
}

/// Hears what processes tell each other.
struct Ear {
    _events: Events,
    news: Receiver<News>,
}

impl Ear {
    /// Open once it hears.
    async fn open(world: &World, org: &Org) -> Self {
        let events = Events::listen(world.db.pool().clone());
        let mut news = events.subscribe();
        loop {
            let mut tx = world.db.begin(&Scope::job(org.id)).await.unwrap();
            tx.announce("ping").await.unwrap();
            tx.commit().await.unwrap();
            if tokio::time::timeout(Duration::from_millis(100), news.recv()).await.is_ok() {
                return Self { _events: events, news };
            }
        }
    }

    /// The next topic.
    async fn hear(&mut self) -> String {
        loop {
            let next = tokio::time::timeout(Duration::from_secs(5), self.news.recv()).await;
            let topic = next.expect("news within five seconds").unwrap().topic;
            if &*topic != "ping" {
                return topic.to_string();
            }
        }
    }
}

#[tokio::test]
async fn ten_14_who_switches_the_organization_gets_a_new_session_bound_to_it() {
    let world = still_world().await;
    let (acme, rival) = (world.organization("acme").await, world.organization("rival").await);
    let bob = of_both(&world, &acme, &rival, "viewer").await;
    let me = bob.browser.get("/api/v1/me").await.json();
    assert_eq!(me["organization"]["name"], "acme", "{me}");
    assert_eq!(me["organizations"].as_array().map(Vec::len), Some(2), "{me}");
    let before = bob.browser.split();

    let switched = bob.browser.post(SWITCH, json!({ "organization": rival.id })).await;

    assert_eq!(switched.status, StatusCode::NO_CONTENT, "{}", switched.text);
    let me = bob.browser.get("/api/v1/me").await.json();
    assert_eq!((&me["organization"]["name"], &me["role"]), (&json!("rival"), &json!("viewer")), "{me}");
    assert_eq!(before.get("/api/v1/me").await.status, StatusCode::UNAUTHORIZED, "the old session is over");
    assert_eq!(bob.browser.get("/api/v1/members").await.status, StatusCode::FORBIDDEN, "a viewer there");
    let told = lines(&rival, "session.switched").await;
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!((&told[0]["actor_label"], &told[0]["target"]), (&json!(bob.email), &json!(bob.id)));
    assert!(!told[0].to_string().contains("acme"), "nobody learns where somebody else belongs: {told:#?}");
    assert!(lines(&acme, "session.switched").await.is_empty());
    world.finish().await;
}

#[tokio::test]
async fn ten_01_nobody_switches_to_an_organization_of_others() {
    let world = still_world().await;
    let (acme, rival) = (world.organization("acme").await, world.organization("rival").await);
    let bob = person(&world, &acme, "admin").await;
    for foreign in [rival.id.to_string(), "org_00000000000000000000000000000000".into()] {
        let refused = bob.browser.post(SWITCH, json!({ "organization": foreign })).await;
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::NOT_FOUND, "not_found"));
        let by_form = bob.browser.form("/organizations", &[("organization", &foreign)]).await;
        assert_eq!(by_form.status, StatusCode::NOT_FOUND, "{}", by_form.text);
    }
    let (_, _, program) = key(&bob.browser, "admin").await;
    let by_key = program.post(SWITCH, json!({ "organization": acme.id })).await;
    assert_eq!(by_key.status, StatusCode::UNAUTHORIZED, "a key belongs to its organization");
    assert_eq!(bob.browser.get("/api/v1/me").await.json()["organization"]["name"], "acme");
    world.finish().await;
}

#[tokio::test]
async fn uix_16_the_page_of_organizations_switches_without_script() {
    let world = still_world().await;
    let (acme, rival) = (world.organization("acme").await, world.organization("rival").await);
    let bob = of_both(&world, &acme, &rival, "member").await;
    let page = bob.browser.get("/organizations").await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.text.contains("acme") && page.text.contains("rival"), "{}", page.text);
    assert!(page.text.contains(&format!("value=\"{}\"", rival.id)), "{}", page.text);

    let switched = bob.browser.form("/organizations", &[("organization", &rival.id.to_string())]).await;

    assert_eq!(switched.status, StatusCode::SEE_OTHER, "{}", switched.text);
    let home = bob.browser.get(switched.location().path()).await;
    assert!(home.text.contains("<strong>rival</strong>"), "{}", home.text);
    world.finish().await;
}

#[tokio::test]
async fn ten_06_who_leaves_is_out_at_once_and_the_last_owner_stays() {
    let world = still_world().await;
    let (acme, rival) = (world.organization("acme").await, world.organization("rival").await);
    let bob = of_both(&world, &acme, &rival, "member").await;
    let (_, _, program) = key(&bob.browser, "viewer").await;
    let mut news = Ear::open(&world, &acme).await;

    let left = bob.browser.api(Method::DELETE, "/api/v1/me/membership", None).await;

    assert_eq!(left.status, StatusCode::NO_CONTENT, "{}", left.text);
    assert_eq!(bob.browser.get("/api/v1/me").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(program.get("/api/v1/calls").await.status, StatusCode::UNAUTHORIZED, "his keys too");
    assert_eq!(lines(&acme, "member.left").await.len(), 1);
    assert_eq!(news.hear().await, "members", "open pages hear of it");
    bob.browser.log_in(&bob.email, stories::PASSWORD).await;
    assert_eq!(bob.browser.get("/api/v1/me").await.json()["organization"]["name"], "rival");

    let stays = acme.browser.api(Method::DELETE, "/api/v1/me/membership", None).await;
    assert_eq!((stays.status, stays.code().as_str()), (StatusCode::CONFLICT, "last_owner"));
    let by_form = acme.browser.form("/organizations/leave", &[]).await;
    assert_eq!(by_form.status, StatusCode::CONFLICT, "{}", by_form.text);
    assert_eq!(acme.browser.get("/api/v1/me").await.status, StatusCode::OK);
    world.finish().await;
}

#[tokio::test]
async fn ten_19_who_erases_one_of_two_organizations_can_log_in_to_the_other() {
    let world = still_world().await;
    let (acme, rival) = (world.organization("acme").await, world.organization("rival").await);
    let added = json!({ "email": acme.email, "role": "member" });
    assert_eq!(rival.browser.post("/api/v1/members", added).await.status, 201);
    let elsewhere = world.browser();
    elsewhere.log_in(&acme.email, stories::PASSWORD).await;
    let ours =
        format!("select count(*) from sessions where data -> 'account' ->> 'organization' = '{}'", acme.id);
    let ours = || sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(ours.clone())).fetch_one(world.db.pool());
    assert_eq!(ours().await.unwrap(), 2);

    let erased = acme.browser.form("/settings/privacy/erase-organization", &[("name", "acme")]).await;

    assert_eq!(
        (erased.status, erased.location().path()),
        (StatusCode::SEE_OTHER, "/login"),
        "{}",
        erased.text
    );
    assert!(
        acme.browser.cookie("soundpost").unwrap_or_default().is_empty(),
        "the browser forgets the session"
    );
    assert_eq!(ours().await.unwrap(), 0, "and no other one looks there");
    assert_eq!(elsewhere.get("/").await.location().path(), "/login");
    assert_eq!(elsewhere.get("/login").await.status, StatusCode::OK, "it does not lead in a circle");
    elsewhere.log_in(&acme.email, stories::PASSWORD).await;
    assert_eq!(elsewhere.get("/api/v1/me").await.json()["organization"]["name"], "rival");
    world.finish().await;
}

#[tokio::test]
async fn ten_06_a_session_without_its_membership_leads_to_the_log_in_page_and_not_in_a_circle() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let bob = person(&world, &acme, "viewer").await;
    // As a process leaves it that dies at a bad moment.
    sqlx::query("delete from memberships where role = 'viewer'").execute(world.db.pool()).await.unwrap();
    assert_eq!(bob.browser.get("/").await.location().path(), "/login");
    assert_eq!(bob.browser.get("/login").await.status, StatusCode::OK);
    world.finish().await;
}

#[tokio::test]
async fn adding_and_removing_members_is_announced() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let mut news = Ear::open(&world, &acme).await;
    let added =
        acme.browser.post("/api/v1/members", json!({ "email": "new@acme.example", "role": "viewer" })).await;
    assert_eq!(added.status, 201, "{}", added.text);
    assert_eq!(news.hear().await, "members");
    let id = added.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(acme.browser.delete(&format!("/api/v1/members/{id}")).await.status, 204);
    assert_eq!(news.hear().await, "members");
    world.finish().await;
}

#[tokio::test]
async fn ten_05_an_owner_gives_the_organization_another_name_and_nobody_else_does() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let admin = person(&world, &acme, "admin").await;

    let page = acme.browser.get("/organizations").await.text;
    assert!(page.contains("action=\"/organizations/name\""), "{page}");
    let empty = acme.browser.form("/organizations/name", &[("name", "  ")]).await;
    assert_eq!(empty.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", empty.text);
    assert!(empty.text.contains("id=\"name-error\""), "{}", empty.text);
    let done = acme.browser.form("/organizations/name", &[("name", "Acme & Sons")]).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
    assert!(acme.browser.get("/organizations").await.text.contains("Acme &#38; Sons"));

    assert!(!admin.browser.get("/organizations").await.text.contains("/organizations/name"));
    let refused = admin.browser.form("/organizations/name", &[("name", "Mine")]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text);
    assert_eq!(acme.browser.get("/api/v1/me").await.json()["organization"]["name"], "Acme & Sons");
    world.finish().await;
}
