//! One Gong company, one organization.

use gong_sim::{Consent, NewCall};
use reqwest::StatusCode;
use stories::{Answer, Org, World};
use url::Url;

use crate::support::{fingerprint, still_world};

/// Begins to connect to the company and comes back from Gong, up to the callback.
async fn callback(world: &World, org: &Org, company: gong_sim::CompanyId) -> Url {
    world.sim.set_consent(Consent::Approve(company));
    let begun = org.browser.begin_connect(None).await;
    assert_eq!(begun.status, StatusCode::OK, "{}", begun.text);
    org.browser.at_gong(begun.json()["authorize_url"].as_str().unwrap_or_default()).await
}

fn tells_nothing_of(answer: &Answer, org: &Org, name: &str) {
    for secret in [name, &org.email, &org.id.to_string(), &org.owner.to_string()] {
        assert!(!answer.text.contains(secret), "the answer names {secret}: {}", answer.text);
    }
}

#[tokio::test]
async fn ten_08_of_two_organizations_that_connect_one_company_at_once_one_wins() {
    let world = still_world().await;
    let (one, two) = (world.organization("kingfisher").await, world.organization("woodpecker").await);
    let shared = world.sim.add_company("shared");
    let mut won = [0, 0];
    for round in 0..20 {
        let (first, second) = (callback(&world, &one, shared).await, callback(&world, &two, shared).await);
        let (first, second) = tokio::join!(one.browser.get(first.as_str()), two.browser.get(second.as_str()));
        let (winner, loser, lost) = match (first.status.as_u16(), second.status.as_u16()) {
            (303, 409) => (&one, &two, second),
            (409, 303) => (&two, &one, first),
            other => panic!("round {round}: {other:?} {} {}", first.text, second.text),
        };
        won[usize::from(winner.id == two.id)] += 1;
        tells_nothing_of(&lost, winner, if winner.id == one.id { "kingfisher" } else { "woodpecker" });
        assert_eq!(
            world.number("select count(*) from gong_connections where status = 'connected'").await,
            1,
            "round {round}"
        );
        assert_eq!(world.number("select count(*) from gong_credentials").await, 1, "round {round}");
        assert_ne!(loser.browser.gong().await["status"], "connected");
        let ended = winner.browser.delete("/api/v1/integrations/gong").await;
        assert_eq!(ended.status, StatusCode::NO_CONTENT, "{}", ended.text);
        sqlx::query("delete from gong_company_claims").execute(world.db.pool()).await.unwrap();
        sqlx::query("delete from gong_connections").execute(world.db.pool()).await.unwrap();
    }
    assert_eq!(won[0] + won[1], 20, "{won:?}");
    world.finish().await;
}

#[tokio::test]
async fn ten_08_who_comes_later_is_told_no_and_nothing_else() {
    let world = still_world().await;
    let (one, two) = (world.organization("kingfisher").await, world.organization("woodpecker").await);
    world.connect(&one, None).await;
    let before = fingerprint(&world, Some(&one)).await;

    let late = callback(&world, &two, one.company).await;
    let late = two.browser.get(late.as_str()).await;
    assert_eq!(late.status, StatusCode::CONFLICT, "{}", late.text);
    // The company itself is called like the first organization; the page names neither.
    tells_nothing_of(&late, &one, "kingfisher");
    let (key, secret) = world.sim.access_key(one.company).unwrap();
    let body = serde_json::json!({
        "access_key": key, "access_key_secret": secret, "api_base_url": world.sim.api_base(one.company),
    });
    let by_key = two.browser.post("/api/v1/integrations/gong/connect-key", body).await;
    assert_eq!(
        (by_key.status, by_key.code().as_str()),
        (StatusCode::CONFLICT, "company_taken"),
        "{}",
        by_key.text
    );
    tells_nothing_of(&by_key, &one, "kingfisher");

    assert_eq!(fingerprint(&world, Some(&one)).await, before);
    world.finish().await;
}

#[tokio::test]
async fn ten_09_a_second_company_is_refused_and_the_first_stays() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, Some(10)).await;
    let before = acme.browser.gong().await;
    let second = world.sim.add_company("second");

    let answer = callback(&world, &acme, second).await;
    let answer = acme.browser.get(answer.as_str()).await;

    assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.text);
    assert!(answer.text.to_lowercase().contains("disconnect"), "it says what to do: {}", answer.text);
    let after = acme.browser.gong().await;
    for part in ["id", "status", "company", "connected_at", "token_expires_at", "backfill"] {
        assert_eq!(after[part], before[part], "{part}");
    }
    assert_eq!(world.number("select count(*) from gong_credentials").await, 1);
    assert_eq!(world.number("select count(*) from gong_connections").await, 1);
    world.finish().await;
}

#[tokio::test]
async fn uix_01_calls_are_counted_for_the_organization_as_they_are_listed_and_the_panel_for_its_company() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    let started = world.sim.now() - std::time::Duration::from_secs(86_400);
    for title in ["First", "Second"] {
        world.sim.add_call(acme.company, NewCall::new().started(started).title(title).say(0, "Hello."));
    }
    world.sim.add_call(acme.company, NewCall::new().started(started).title("Hidden").private(Some(true)));
    world.connect(&acme, Some(5)).await;
    world.settle().await;
    let ended = acme.browser.delete("/api/v1/integrations/gong").await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT, "{}", ended.text);
    let other = world.sim.add_company("other");
    let back = callback(&world, &acme, other).await;
    assert_eq!(acme.browser.get(back.as_str()).await.status, 303);
    world.settle().await;

    let page = acme.browser.get("/calls").await.text;
    assert!(page.contains("First") && page.contains("Second"), "{page}");
    let count = |tab: &str| {
        let at = page.find(&format!(">{tab} ")).unwrap_or_else(|| panic!("no tab {tab}: {page}"));
        let digits = page[at..].chars().skip_while(|c| !c.is_ascii_digit());
        digits.take_while(char::is_ascii_digit).collect::<String>()
    };
    assert_eq!((count("All"), count("Stored"), count("Waiting")), ("2".into(), "2".into(), "0".into()));
    assert!(page.contains("1 private call was left out"), "{page}");
    let counts = acme.browser.gong().await["counts"].clone();
    assert_eq!(
        (&counts["calls"], &counts["private"]),
        (&0.into(), &0.into()),
        "of the new company: {counts}"
    );
    world.finish().await;
}
