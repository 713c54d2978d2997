//! Limits and faults, over HTTP.

use crate::support::{Api, connect, error, read, refresh, sim, text};
use gong_sim::{Endpoint, Limit, NewCall, RetryAfter, Rule, What, When};
use serde_json::json;
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_fourth_request_within_a_second_gets_429_over_all_clients() {
    let (sim, company) = sim().await;
    let api = Api::connect(&sim).await;
    sim.set_limit(company, Some(Limit::default()));
    let (key, secret) = sim.access_key(company).unwrap();
    let by_key = || api.client.get(format!("{}/v2/users", api.base)).basic_auth(&key, Some(&secret));
    for _ in 0..2 {
        assert_eq!(read(api.get("/v2/users")).await.0, 200);
    }
    assert_eq!(read(by_key()).await.0, 200);
    let refused = by_key().send().await.unwrap();
    assert_eq!(refused.status().as_u16(), 429);
    assert_eq!(refused.headers().get("retry-after").unwrap(), "1");
    assert_eq!(sim.rate_limited(company), 1);
    assert_eq!(sim.max_in_sliding_second(company), 4);
    tokio::time::sleep(Duration::from_millis(1_010)).await;
    assert_eq!(read(api.get("/v2/users")).await.0, 200);
    let other = sim.add_company("globex");
    assert_eq!((sim.rate_limited(other), sim.max_in_sliding_second(other)), (0, 0));
}

#[tokio::test]
async fn the_day_has_a_limit_and_retry_after_has_many_forms() {
    let (sim, company) = sim().await;
    let api = Api::connect(&sim).await;
    sim.freeze();
    sim.set_limit(company, Some(Limit { per_second: 1_000, per_day: 1, by_sim_clock: false }));
    assert_eq!(read(api.get("/v2/users")).await.0, 200);
    let wait = async || {
        let answer = api.get("/v2/users").send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 429);
        answer.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(wait().await.as_deref(), Some("86400"));
    sim.adjust(|switches| switches.retry_after = RetryAfter::HttpDate);
    assert!(wait().await.unwrap().ends_with(" GMT"));
    sim.adjust(|switches| switches.retry_after = RetryAfter::Text("soon".to_owned()));
    assert_eq!(wait().await.as_deref(), Some("soon"));
    sim.adjust(|switches| switches.retry_after = RetryAfter::Absent);
    assert_eq!(wait().await, None);
    sim.advance(time::Duration::hours(24));
    assert_eq!(read(api.get("/v2/users")).await.0, 401, "a day later the token is old, the budget is new");
    assert_eq!(sim.rate_limited(company), 4);
}

#[tokio::test]
async fn answers_can_be_errors_html_or_of_wrong_types() {
    let (sim, company) = sim().await;
    let id = sim.add_call(company, NewCall::new());
    let api = Api::connect(&sim).await;
    let ask = || api.get("/v2/workspaces");
    sim.fault(Rule::once(Endpoint::Workspaces, What::Status(500)));
    let (status, body) = read(ask()).await;
    assert_eq!(status, 500);
    assert!(!error(&body).is_empty() && body["requestId"].is_string());
    sim.fault(Rule::once(Endpoint::Workspaces, What::Html(502)).of(company));
    let page = ask().send().await.unwrap();
    assert_eq!(page.status().as_u16(), 502);
    assert!(page.text().await.unwrap().starts_with("<html>"));
    let with = What::StatusWith { status: 503, error: "later".to_owned(), retry_after: Some("7".to_owned()) };
    sim.fault(Rule::once(Endpoint::Workspaces, with));
    assert_eq!(ask().send().await.unwrap().headers().get("retry-after").unwrap(), "7");
    sim.fault(Rule::once(Endpoint::Transcript, What::WrongTypes));
    let body = json!({ "filter": { "callIds": [id] } });
    let (_, spoilt) = read(api.post("/v2/calls/transcript", &body)).await;
    assert!(spoilt["callTranscripts"].is_object());
    assert_eq!(read(ask()).await.0, 200, "all rules are spent");
    let faults: Vec<String> = sim.requests().into_iter().filter_map(|request| request.fault).collect();
    assert_eq!(faults, ["status", "html", "status_with", "wrong_types"]);
}

#[tokio::test]
async fn connections_break_before_or_after_the_work() {
    let (sim, _) = sim().await;
    let client = crate::support::client();
    let token = text(&connect(&sim, &client).await, "refresh_token");
    let form = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
    sim.fault(Rule::once(Endpoint::Token, What::Reset));
    assert!(crate::support::token(&sim, &client, &form).send().await.is_err());
    sim.fault(Rule::once(Endpoint::Token, What::ResetAfterProcessing));
    assert!(
        crate::support::token(&sim, &client, &form).send().await.is_err(),
        "the first reset changed nothing"
    );
    assert_eq!(sim.tokens_issued(), 2, "the work was done, the answer was lost");
    assert_eq!(refresh(&sim, &client, &token).await.0, 400);
    assert_eq!(sim.requests().iter().filter(|request| request.status.is_none()).count(), 2);
}

#[tokio::test]
async fn answers_can_stall_drip_break_off_and_be_huge() {
    let (sim, company) = sim().await;
    let api = Api::connect(&sim).await;
    sim.add_call(company, NewCall::new());
    let ask = || api.get("/v2/users");
    for (what, at_least) in [
        (What::Stall(120), 120),
        (What::LateAnswer(120), 120),
        (What::SlowBody { bytes: 400, pause_ms: 20 }, 100),
    ] {
        sim.fault(Rule::once(Endpoint::Users, what));
        let start = Instant::now();
        assert_eq!(read(ask()).await.0, 200);
        assert!(start.elapsed() >= Duration::from_millis(at_least));
    }
    for endpoint in [Endpoint::Users, Endpoint::Transcript] {
        sim.fault(Rule::once(endpoint, What::TruncatedBody));
    }
    assert!(ask().send().await.unwrap().bytes().await.is_err());
    let body = json!({ "filter": {} });
    assert!(api.post("/v2/calls/transcript", &body).send().await.unwrap().bytes().await.is_err());
    sim.fault(Rule::once(Endpoint::Users, What::HugeBody(3)));
    assert!(ask().send().await.unwrap().bytes().await.unwrap().len() > 3 << 20);
    sim.fault(Rule::always(Endpoint::Users, What::Status(500)).when(When::Every(2)));
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(read(ask()).await.0);
    }
    assert_eq!(statuses, [200, 500, 200, 500]);
    sim.clear_faults();
    assert_eq!(read(ask()).await.0, 200);
}

#[tokio::test]
async fn the_memory_is_bounded_and_its_counters_are_exact() {
    let mut config = gong_sim::Config { memory_cap: 5, ..gong_sim::Config::default() };
    config.switches.limit = None;
    let sim = gong_sim::Sim::start(config).await.unwrap();
    let company = sim.add_company("acme");
    sim.set_consent(gong_sim::Consent::Approve(company));
    let api = Api::connect(&sim).await;
    for _ in 0..20 {
        read(api.get("/v2/users")).await;
    }
    let kept = sim.requests();
    assert_eq!(kept.iter().map(|request| request.sequence).collect::<Vec<_>>(), [18, 19, 20, 21, 22]);
    assert_eq!((sim.count(Endpoint::Users), sim.count_of(company, Endpoint::Users)), (20, 20));
    assert_eq!(sim.summary().forgotten, 17);
    assert!(kept.windows(2).all(|pair| pair[0].at_micros <= pair[1].at_micros));
    assert_eq!(sim.requests_since(21).len(), 2);
    sim.clear_memory();
    assert_eq!((sim.requests().len(), sim.count(Endpoint::Users)), (0, 0));
}
