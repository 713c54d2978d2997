//! Guessing passwords: how often, and what one learns.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::json;
use stories::{Answer, Browser, PASSWORD};

use crate::support::still_world;

const MINUTE: Duration = Duration::from_secs(62);

async fn guess(browser: &Browser, email: &str, forwarded: &str) -> Answer {
    let origin = browser.base.origin().ascii_serialization();
    let headers =
        [("origin", origin.as_str()), ("content-type", "application/json"), ("x-forwarded-for", forwarded)];
    let body = json!({ "email": email, "password": "not the password" }).to_string();
    browser.send(Method::POST, "/api/v1/session", &headers, Some(body)).await
}

#[tokio::test]
async fn ten_13_an_account_takes_ten_guesses_a_minute_and_its_owner_still_gets_in() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    world.wait(MINUTE);
    let mut answers = Vec::new();
    for n in 0..16 {
        answers.push(guess(&world.browser(), &acme.email, &format!("198.51.100.{n}")).await);
    }
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(statuses, [vec![401; 10], vec![429; 6]].concat(), "a forged X-Forwarded-For changes nothing");
    assert!(answers[15].header("retry-after").parse::<u64>().is_ok_and(|wait| (1..=62).contains(&wait)));
    let right = world.browser().log_in(&acme.email, PASSWORD).await;
    assert_eq!(right.status, StatusCode::TOO_MANY_REQUESTS, "the right password of a stranger waits too");

    let known = acme.browser.log_in(&acme.email, PASSWORD).await;
    assert_eq!(known.status, StatusCode::OK, "a browser that was here before gets in: {}", known.text);
    world.wait(MINUTE);
    let stranger = world.browser().log_in(&acme.email, PASSWORD).await;
    assert_eq!(stranger.status, StatusCode::OK, "{}", stranger.text);
    world.finish().await;
}

#[tokio::test]
async fn ten_13_ten_at_once_are_ten() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    world.wait(MINUTE);
    let tries = (0..24).map(|_| {
        let (browser, email) = (world.browser(), acme.email.clone());
        tokio::spawn(async move { guess(&browser, &email, "").await.status.as_u16() })
    });
    let mut let_through = 0;
    for tried in tries.collect::<Vec<_>>() {
        let_through += i32::from(tried.await.unwrap() == 401);
    }
    // Some may find no free place to be hashed in and were counted all the same.
    assert!((1..=10).contains(&let_through), "{let_through} guesses were let through");
    world.finish().await;
}

#[tokio::test]
async fn ten_13_an_address_takes_thirty_guesses_a_minute_over_all_accounts() {
    let world = still_world().await;
    world.organization("acme").await;
    world.wait(MINUTE);
    let mut statuses = Vec::new();
    for n in 0..36 {
        let answer =
            guess(&world.browser(), &format!("person{n}@acme.example"), &format!("198.51.100.{n}")).await;
        statuses.push(answer.status.as_u16());
    }
    assert_eq!(statuses, [vec![401; 30], vec![429; 6]].concat());
    world.finish().await;
}

#[tokio::test]
async fn ten_13_an_unknown_address_gets_the_same_answer_in_the_same_time() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for _ in 0..9 {
        world.wait(MINUTE);
        for (email, times) in [(acme.email.as_str(), &mut known), ("nobody@acme.example", &mut unknown)] {
            let begun = Instant::now();
            let answer = guess(&world.browser(), email, "").await;
            times.push((begun.elapsed(), answer));
        }
    }
    let shape = |answer: &Answer| {
        let mut json = answer.json();
        for own in ["request_id", "trace_id"] {
            json[own] = serde_json::Value::Null;
        }
        let names: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
        (answer.status, json, names)
    };
    assert_eq!(shape(&known[0].1), shape(&unknown[0].1));
    known.sort_by_key(|(took, _)| *took);
    unknown.sort_by_key(|(took, _)| *took);
    let (of_known, of_unknown) = (known[4].0, unknown[4].0);
    // Without the hash an unknown address would answer in a tenth of the time.
    assert!(of_unknown * 2 > of_known && of_known * 2 > of_unknown, "{of_known:?} and {of_unknown:?}");
    world.finish().await;
}
