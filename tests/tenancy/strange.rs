//! Strange requests by the thousand, with a database behind: each is answered in words, none makes the server fail.

use std::sync::Arc;

use kernel::{Ambient, SystemAmbient};
use reqwest::Method;
use stories::{Answer, Browser};

use crate::support::{Operation, dead_letter, description, key, operations, still_world};

/// A small generator: what it makes can be made again from its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % sides
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len())]
    }
}

const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"];
const KINDS: [&str; 8] = [
    "application/json",
    "application/json",
    "application/json; charset=utf-16",
    "text/plain",
    "multipart/form-data; boundary=x",
    "application/x-www-form-urlencoded",
    "application/vnd.api+json",
    "",
];
const THINGS: [&str; 12] = [
    "x",
    "call_",
    "call_zz",
    "%00",
    "%ff%fe",
    "..%2f..%2fetc%2fpasswd",
    "%27%3B%20drop%20table%20users%3B--",
    "0",
    "-1",
    "call_77777777777777777777777777777777",
    "key_77777777777777777777777777777777",
    "%F0%9F%92%A3",
];
const QUERIES: [&str; 16] = [
    "",
    "",
    "limit=0",
    "limit=201",
    "limit=9999999999999999999999",
    "limit=%00",
    "limit=1e3",
    "cursor=%00",
    "cursor=AAAA",
    "cursor=' or 1=1 --",
    "state=nothing",
    "search=%25%5F%27%22%5C",
    "search=%00",
    "days=0",
    "days=61&days=3",
    "limit=1&limit=2&&&=&x",
];
const VALUES: [&str; 20] = [
    "null",
    "true",
    "0",
    "-1",
    "1.5",
    "1e999",
    "9223372036854775808",
    "\"\"",
    "\"x\"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "[]",
    "[[[[]]]]",
    "{}",
    "{\"a\":{}}",
    "\"owner\"",
    "\"'; drop table users; --\"",
    "\"<script>alert(1)</script>\"",
    "60",
    "\"\u{202e}\u{1f4a3}\"",
];
const FIELDS: [&str; 15] = [
    "email",
    "password",
    "organization",
    "name",
    "role",
    "reason",
    "days",
    "history_days",
    "paused",
    "poll_every_seconds",
    "overlap_seconds",
    "selected_workspaces",
    "access_key",
    "current_password",
    "__proto__",
];

fn body(dice: &mut Dice) -> Option<String> {
    Some(match dice.roll(9) {
        0 => return None,
        1 => String::new(),
        2 => {
            dice.pick(&["{", "[1,2", "{\"a\":}", "nul", "\"", "{\"a\":1}{\"b\":2}", "\u{feff}{}"]).to_owned()
        }
        3 => dice.pick(&VALUES).to_owned(),
        4 => format!("{}1{}", "[".repeat(200 * dice.roll(20)), "]".repeat(200)),
        5 if dice.roll(6) == 0 => format!("{{\"name\":\"{}\"}}", "x".repeat(65_000 + dice.roll(1_500))),
        _ => {
            let fields: Vec<String> = (0..=dice.roll(4))
                .map(|_| format!("\"{}\":{}", dice.pick(&FIELDS), dice.pick(&VALUES)))
                .collect();
            format!("{{{}}}", fields.join(","))
        }
    })
}

/// One request: what it was, and the answer.
async fn strange(
    dice: &mut Dice,
    operation: &Operation,
    known: &str,
    browser: &Browser,
) -> (String, Method, Answer) {
    // Mostly the right method, else nothing but 405 would be seen.
    let method = if dice.roll(3) > 0 {
        operation.method.clone()
    } else {
        dice.pick(&METHODS).parse().expect("a method")
    };
    let thing = if dice.roll(4) == 0 { known } else { dice.pick(&THINGS) };
    let mut path = operation.path.replace("{id}", thing);
    match dice.roll(12) {
        0 => path.push('/'),
        1 => path.push_str("/%2e%2e/%00"),
        2 => path = path.replacen("/v1/", "/v2/", 1),
        3 => path = path.to_uppercase(),
        _ => {}
    }
    let query = dice.pick(&QUERIES);
    let address = format!("{path}?{query}");
    let origin = browser.base.origin().ascii_serialization();
    let kind = dice.pick(&KINDS);
    let body = body(dice);
    let mut headers = vec![("origin", origin.as_str()), ("content-type", kind)];
    if dice.roll(8) == 0 {
        headers.push((
            "authorization",
            dice.pick(&["Bearer", "Bearer x", "Basic Zm9vOmJhcg==", "Bearer spk_live_", "\u{e9}"]),
        ));
    }
    let shown: String = format!("{method} {address} {kind} {body:?}").chars().take(300).collect();
    (shown, method.clone(), browser.send(method, &address, &headers, body).await)
}

fn judge(shown: &str, method: &Method, answer: &Answer) {
    let status = answer.status.as_u16();
    assert!(status < 500, "{shown}: {status} {}", answer.text);
    let text = answer.text.to_lowercase();
    for inside in
        ["select ", "insert into", "sqlx", "postgres", "src/", ".rs:", "panicked", "/work", "/home", "/root"]
    {
        let echoed = shown.to_lowercase().contains(inside);
        assert!(status < 400 || echoed || !text.contains(inside), "{shown}: {}", answer.text);
    }
    let page =
        answer.url.path() == "/api/integrations/gong/callback" || !answer.url.path().starts_with("/api");
    if status < 400 || page {
        return;
    }
    assert_eq!(answer.header("content-type"), "application/problem+json", "{shown}: {status}");
    if *method != Method::HEAD {
        let json = answer.json();
        assert_eq!(json["status"], status, "{shown}: {json}");
        assert_eq!(json["request_id"], answer.header("x-request-id"), "{shown}");
        let kind = json["type"].as_str().unwrap_or_default();
        assert!(
            kind == format!("/docs/errors#{}", answer.code()) && !answer.code().is_empty(),
            "{shown}: {json}"
        );
        assert!(json["title"].is_string() && json["detail"].is_string(), "{shown}: {json}");
    }
}

#[tokio::test]
async fn api_01_strange_requests_are_answered_in_words_and_break_nothing() {
    let mut world = still_world().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    let letter = dead_letter(&world, &acme).await;
    let all = Arc::new(operations(&description(&world).await));
    let seed = u64::from_le_bytes((&SystemAmbient as &dyn Ambient).random());
    let mut walkers = Vec::new();
    for walker in 0..8_u64 {
        // Somebody with a session that is not logged out, somebody with a key, and nobody.
        let browser = match walker % 4 {
            0 => acme.browser.split(),
            1 => world.browser(),
            _ => key(&acme.browser, "admin").await.2,
        };
        let (all, known, session) =
            (all.clone(), letter.clone(), acme.browser.cookie("soundpost").unwrap_or_default());
        walkers.push(tokio::spawn(async move {
            let mut dice = Dice(seed.wrapping_add(walker));
            let mut statuses = std::collections::BTreeMap::new();
            for _ in 0..300 {
                let operation = &all[dice.roll(all.len())];
                if operation.path.ends_with("/events") || (walker % 4 == 0 && operation.id == "logOut") {
                    continue;
                }
                let (shown, method, answer) = strange(&mut dice, operation, &known, &browser).await;
                judge(&format!("seed {seed}: {shown}"), &method, &answer);
                *statuses.entry(answer.status.as_u16()).or_insert(0) += 1;
                if walker % 4 == 0 {
                    browser.set_cookie("soundpost", &session);
                }
            }
            statuses
        }));
    }
    let mut seen = std::collections::BTreeMap::new();
    for walker in walkers {
        for (status, count) in walker.await.expect("no walker falls") {
            *seen.entry(status).or_insert(0) += count;
        }
    }
    assert!(seen.values().sum::<i32>() >= 2_000, "{seen:?}");
    for status in [400, 401, 404, 405, 413, 415, 422] {
        assert!(seen.contains_key(&status), "{status} was never seen: {seen:?}");
    }
    assert_eq!(world.browser().get("/readyz").await.status, 200);
    assert_eq!(
        world.number("select count(*) from users").await,
        world.number("select count(*) from memberships").await
    );
    world.stop().await;
}
