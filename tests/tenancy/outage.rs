//! A database that is away, and the real program: nobody waits for it, the log stays readable, and all goes on by itself.

use std::time::{Duration, Instant};

use serde_json::Value;
use stories::{Browser, Mood, Way, until};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{program::Served, support::still_world};

const ME: &str = "/api/v1/me";

fn at(line: &Value) -> OffsetDateTime {
    OffsetDateTime::parse(line["timestamp"].as_str().unwrap(), &Rfc3339).unwrap()
}

/// The most lines in any second.
fn most_in_a_second(lines: &[Value]) -> usize {
    let times: Vec<OffsetDateTime> = lines.iter().map(at).collect();
    let within = |from: OffsetDateTime| {
        times.iter().filter(move |at| (0..1_000).contains(&(**at - from).whole_milliseconds())).count()
    };
    times.iter().map(|from| within(*from)).max().unwrap_or(0)
}

/// Asks all the time; whoever asks is refused at once, with a time to wait.
async fn everybody_is_refused_at_once(browser: &Browser, time: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < time {
        let asked = Instant::now();
        let answers = (0..10).map(|_| {
            let browser = browser.clone();
            tokio::spawn(async move { browser.get(ME).await })
        });
        for answer in answers.collect::<Vec<_>>() {
            let answer = answer.await.unwrap();
            assert!(
                ["database_failure", "session_store_failure"].contains(&&*answer.code()),
                "{}",
                answer.text
            );
            assert_eq!(answer.status, 503);
            assert_eq!(answer.header("retry-after"), "5");
        }
        // The promise is "at once"; the rest is for two busy cores.
        assert!(asked.elapsed() < Duration::from_millis(800), "{:?}", asked.elapsed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn an_outage(down: Mood) {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let way = Way::to(&world.database.url).await;
    let served = Served::start_on(&world, &way.url).await;
    served.connect(&world, &acme).await;
    let before = served.lines().len();

    way.be(down);
    let refused = async || served.browser.get(ME).await.status == 503;
    assert!(until(Duration::from_secs(4), refused).await, "it is noticed");
    everybody_is_refused_at_once(&served.browser, Duration::from_secs(5)).await;
    let page = served.browser.get("/calls").await;
    assert_eq!(page.status, 503);
    assert!(page.text.contains("<html") && page.text.contains("does not answer"), "{}", page.text);
    assert_eq!(served.browser.get("/livez").await.status, 200);

    way.be(Mood::Pass);
    let back = async || served.browser.get(ME).await.status == 200;
    assert!(until(Duration::from_secs(6), back).await, "it goes on by itself");
    tokio::time::sleep(Duration::from_millis(500)).await;

    let lines: Vec<Value> =
        served.lines()[before..].iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_it: Vec<Value> = lines.iter().filter(|line| line["http.status"] != 200).cloned().collect();
    let most = most_in_a_second(&of_it);
    assert!(most <= 10, "{most} lines in a second: {of_it:#?}");
    for message in ["The database does not answer", "The database answers again"] {
        let told = lines.iter().filter(|line| line["message"].as_str().unwrap().starts_with(message)).count();
        assert_eq!(told, 1, "{message}: {of_it:#?}");
    }
    assert_eq!(world.number("select count(*) from apalis.jobs where attempts > 1").await, 0);
    world.finish().await;
}

#[tokio::test]
async fn ops_07_a_database_that_refuses_everybody_does_not_flood_the_log() {
    an_outage(Mood::Refuse).await;
}

#[tokio::test]
async fn ops_07_a_database_that_is_silent_does_not_flood_the_log() {
    an_outage(Mood::Hang).await;
}
