//! Erasing a person: nothing is left, nothing comes back, nobody else loses anything.

use gong_sim::{NewCall, Party};
use serde_json::{Value, json};
use stories::{Org, World};

use crate::support::*;

const EMAIL: &str = "Canary.Meier@customer.example";
/// What must not be found anywhere: the address, the name, what she said, her number and her title.
const CANARIES: [&str; 6] =
    ["canary.meier@customer.example", "canarina", "canarmeier", "canarysaid", "1701234567", "canarytitle"];

fn her() -> Party {
    Party {
        id: "77".into(),
        name: Some("Canarina Canarmeier".into()),
        email: Some(EMAIL.into()),
        title: Some("canarytitle of sales".into()),
        phone: Some("+49 170 1234567".into()),
        user_id: None,
        speaker_id: Some("1".into()),
        affiliation: "External".into(),
        methods: vec!["Attendee".into()],
    }
}

fn him() -> Party {
    Party {
        id: "78".into(),
        name: Some("Bob Builder".into()),
        email: Some("bob@us.example".into()),
        title: Some("Host".into()),
        phone: None,
        user_id: None,
        speaker_id: Some("2".into()),
        affiliation: "Internal".into(),
        methods: vec!["Attendee".into()],
    }
}

/// A call of hers with him.
pub(crate) fn call() -> NewCall {
    NewCall::new()
        .title("Canarina Canarmeier and Bob Builder")
        .party(her())
        .party(him())
        .say(0, "This is what canarysaid aloud.")
        .say(
            1,
            "Thank you, Canarina, I will write to canary.meier@customer.example or call +49 (170) 1234567.",
        )
        .say(1, "Bobsword stays.")
}

pub(crate) async fn erased(world: &World, org: &Org, whom: Value) -> Value {
    let asked = org.browser.post("/api/v1/privacy/erasures", whom).await;
    assert_eq!(asked.status, 202, "{}", asked.text);
    world.settle().await;
    let path = format!("/api/v1/privacy/erasures/{}", asked.json()["id"].as_str().unwrap());
    org.browser.get(&path).await.json()
}

async fn assert_nowhere(world: &World) {
    for canary in CANARIES {
        assert_eq!(tables_with(world, canary).await, [].into(), "{canary}");
    }
}

#[tokio::test]
async fn ten_17_an_erased_person_is_nowhere_and_neither_poll_nor_sweep_nor_backfill_brings_her_back() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    for n in 0..6 {
        let at = world.sim.now() - time::Duration::days(n);
        world.sim.add_call(acme.company, call().started(at));
    }
    let other =
        NewCall::new().title("About Canarina Canarmeier").party(him()).say(0, "Canarina Canarmeier called.");
    world.sim.add_call(acme.company, other);
    world.connect(&acme, Some(30)).await;
    world.settle().await;
    // She also stands in the log, in the name of a key and in the reason of a dead letter.
    let added =
        acme.browser.post("/api/v1/members", json!({ "email": EMAIL, "role": "viewer" })).await.json();
    acme.browser.post("/api/v1/api-keys", json!({ "name": format!("for {EMAIL}"), "role": "viewer" })).await;
    let letter = "insert into dead_letters (job_id, organization_id, lane, kind, priority, attempts, max_attempts, code,
                      state, closed_reason)
                  values ('x', $1, 'fresh', 'poll', 0, 1, 8, 'failed', 'discarded', 'asked canary.meier@customer.example')";
    sqlx::query(letter).bind(acme.id).execute(world.db.pool()).await.unwrap();
    let whom = json!({ "email": EMAIL });
    assert_eq!(acme.browser.post("/api/v1/privacy/erasures", whom.clone()).await.code(), "still_member");
    let path = format!("/api/v1/members/{}", added["id"].as_str().unwrap());
    assert_eq!(acme.browser.delete(&path).await.status, 204);
    let receipt = erased(&world, &acme, whom).await;
    assert_eq!((&receipt["state"], &receipt["percent"]), (&json!("done"), &json!(100)), "{receipt}");
    assert_eq!(
        (&receipt["calls"], &receipt["parties"], &receipt["sentences"]),
        (&json!(7), &json!(6), &json!(6))
    );
    assert!(receipt["mentions"].as_i64().unwrap() >= 20, "{receipt}");
    assert!(receipt["records"].as_i64().unwrap() >= 3, "{receipt}");
    assert_nowhere(&world).await;
    assert!(
        !tables_with(&world, "bobsword").await.is_empty() && !tables_with(&world, "bob@us").await.is_empty()
    );
    // Everything that lists again.
    world.sim.add_call(acme.company, call());
    world.pass(4 * HOUR).await;
    sweep(&world).await;
    assert_eq!(acme.api.post("/api/v1/integrations/gong/backfill", json!({ "days": 60 })).await.status, 202);
    world.settle().await;
    assert_eq!(held(&acme).await.len(), 8);
    assert!(states(&acme).await.values().all(|state| state == "stored"));
    assert_nowhere(&world).await;
    // A new person of the same name, but for the address, may come; the search finds the others.
    assert_eq!(acme.api.get("/api/v1/calls?search=bob").await.json()["items"].as_array().unwrap().len(), 8);
    world.finish().await;
}

#[tokio::test]
async fn ten_17_a_person_is_erased_by_phone_before_she_ever_came() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    let receipt = erased(&world, &acme, json!({ "phone": "0049 170 1234567" })).await;
    assert_eq!((&receipt["state"], &receipt["calls"]), (&json!("done"), &json!(0)));
    world.connect(&acme, Some(7)).await;
    world.settle().await;
    world.sim.add_call(acme.company, call());
    world.pass(4 * HOUR).await;
    assert_eq!(held(&acme).await.len(), 1);
    for canary in ["canarina", "canarmeier", "canarysaid", "1701234567", "canarytitle"] {
        assert_eq!(tables_with(&world, canary).await, [].into(), "{canary}");
    }
    let log = acme.api.get("/api/v1/activity?limit=100").await.text;
    assert!(
        log.contains("person.erasure_requested")
            && log.contains("person.erased")
            && !log.contains("1701234567")
    );
    world.finish().await;
}

#[tokio::test]
async fn ten_17_an_erasure_that_is_killed_ends_and_another_organization_keeps_its_person() {
    let mut world = sleeping_world().await;
    let (acme, other) = (world.organization("acme").await, world.organization("other").await);
    for n in 0..300 {
        let at = world.sim.now() - time::Duration::minutes(n + 1);
        world.sim.add_call(acme.company, call().started(at));
    }
    world.sim.add_call(other.company, call());
    world.connect(&acme, Some(7)).await;
    world.connect(&other, Some(7)).await;
    let first = Workers::start(&world, &world.rooms.defaults).await;
    world.settle().await;
    first.kill();
    let before = everything(&world).await.into_iter().filter(|(_, line)| line.contains("canarysaid")).count();
    assert_eq!(before, 301);
    let asked = acme.browser.post("/api/v1/privacy/erasures", json!({ "email": EMAIL })).await;
    assert_eq!(asked.status, 202);
    let seen = "select coalesce(max(calls_seen), 0) from gong_erasures where state <> 'done'";
    for _ in 0..4 {
        let before = world.number(seen).await;
        let workers = Workers::start(&world, &world.rooms.defaults).await;
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(5);
        while world.number(seen).await == before && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        workers.kill();
    }
    world.work();
    // A job whose worker died comes back within half a minute.
    let done = "select count(*) from gong_erasures where state = 'done'";
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
    while world.number(done).await == 0 && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    world.settle().await;
    let left = everything(&world).await.into_iter().filter(|(_, line)| line.contains("canarysaid")).count();
    assert_eq!(left, 1, "the other organization's call stays as it was");
    assert_eq!(world.number(done).await, 1);
    world.finish().await;
}

#[tokio::test]
async fn ten_17_the_key_of_an_organization_is_sealed_anew_with_the_others() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    erased(&world, &acme, json!({ "email": EMAIL })).await;
    let new = vault::KeyRing::generate_key();
    let both = {
        use kernel::ExposeSecret;
        format!("{},{}", new.expose_secret(), world.key.expose_secret())
    };
    let ring = std::sync::Arc::new(vault::KeyRing::parse(&both.into()).unwrap());
    let resealed = connector::reseal(&world.connector(ring)).await.unwrap();
    assert_eq!((resealed.done, resealed.failed), (1, 0));
    let alone = world.connector(std::sync::Arc::new(vault::KeyRing::parse(&new).unwrap()));
    let mut tx = world.db.begin(&kernel::Scope::job(acme.id)).await.unwrap();
    alone.organization_secret(&mut tx).await.unwrap();
    assert!(world.rooms.connector.organization_secret(&mut tx).await.is_err());
    drop(tx);
    world.finish().await;
}

#[tokio::test]
async fn ten_17_what_is_no_address_is_refused_and_receipts_are_paged() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    for bad in [
        json!({}),
        json!({ "email": "anna" }),
        json!({ "phone": "12" }),
        json!({ "email": "a@b.example", "phone": "+49 170 1234567" }),
    ] {
        assert_eq!(acme.api.post("/api/v1/privacy/erasures", bad.clone()).await.status, 422, "{bad}");
    }
    for n in 0..5 {
        erased(&world, &acme, json!({ "email": format!("person{n}@x.example") })).await;
    }
    // Twice is once.
    erased(&world, &acme, json!({ "email": "PERSON0@x.example" })).await;
    let first = acme.api.get("/api/v1/privacy/erasures?limit=3").await.json();
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = acme.api.get(&format!("/api/v1/privacy/erasures?limit=3&cursor={cursor}")).await.json();
    assert_eq!((first["items"].as_array().unwrap().len(), second["items"].as_array().unwrap().len()), (3, 2));
    assert_eq!(second["next_cursor"], Value::Null);
    let other = world.organization("other").await;
    let id = first["items"][0]["id"].as_str().unwrap();
    assert_eq!(other.browser.get(&format!("/api/v1/privacy/erasures/{id}")).await.status, 404);
    world.finish().await;
}

#[tokio::test]
async fn ten_17_an_erased_person_who_is_recognised_late_loses_her_words_too() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, Some(30)).await;
    let at = world.sim.now();
    let id = world.sim.add_call(acme.company, call().title("Nobody").started(at).no_parties());
    world.pass(4 * HOUR).await;
    assert_eq!(&*states(&acme).await[&id], "stored");
    acme.browser.log_in(&acme.email, stories::PASSWORD).await;
    let receipt = erased(&world, &acme, json!({ "email": EMAIL })).await;
    assert_eq!(
        (&receipt["state"], &receipt["parties"]),
        (&json!("done"), &json!(0)),
        "nobody knows that it is her"
    );
    assert!(!tables_with(&world, "canarysaid").await.is_empty());

    // Gong learns who took part.
    world.sim.delete_call(acme.company, &id);
    world.sim.add_call(acme.company, call().id(&id).started(at));
    world.pass(4 * HOUR).await;
    assert_nowhere(&world).await;
    assert!(!tables_with(&world, "bobsword").await.is_empty());
    world.finish().await;
}
