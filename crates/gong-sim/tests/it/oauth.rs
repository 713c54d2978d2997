//! The authorize page and the token URL, over HTTP.

use crate::support::{
    Api, REDIRECT, SCOPES, authorize, client, code, connect, exchange, read, refresh, sent_back, sim, text,
    token,
};
use gong_sim::{ApiBase, Consent, Endpoint, RedirectUris, Rule, Sim, What};
use time::Duration;

#[tokio::test]
async fn consent_sends_the_browser_back_with_code_and_state() {
    let (sim, _) = sim().await;
    let client = client();
    let response = authorize(&sim, &client, SCOPES).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 302);
    let back = sent_back(&response);
    assert_eq!(back.get("state").unwrap(), "s t&te");
    let (status, tokens) = exchange(&sim, &client, back.get("code").unwrap()).await;
    assert_eq!(status, 200);
    assert_eq!(tokens["expires_in"], 86_400);
    assert_eq!(tokens["scope"], SCOPES.split_whitespace().collect::<Vec<_>>().join(" "));
    assert_eq!(tokens["token_type"], "bearer");
    assert!(tokens["api_base_url_for_customer"].as_str().unwrap().starts_with("http://127.0.0."));
}

#[tokio::test]
async fn the_consent_page_has_real_forms_that_approve_or_deny() {
    let (sim, company) = sim().await;
    sim.set_consent(Consent::Ask);
    let client = client();
    let page = authorize(&sim, &client, SCOPES).send().await.unwrap().text().await.unwrap();
    for part in
        ["<form method=\"post\"", "api:calls:read:transcript", ">Approve<", ">Deny<", ">acme<", "s t&amp;te"]
    {
        assert!(page.contains(part), "{part} is not on the page");
    }
    let press = |decision: &'static str| {
        let form = [
            ("client_id", "sim-client"),
            ("redirect_uri", REDIRECT),
            ("response_type", "code"),
            ("scope", SCOPES),
            ("state", "x"),
            ("company", "0"),
            ("decision", decision),
        ];
        client.post(format!("{}/decide", sim.authorize_url())).form(&form).send()
    };
    let denied = sent_back(&press("deny").await.unwrap());
    assert_eq!(denied.get("error").unwrap(), "access_denied");
    assert!(denied.contains_key("error_description") && denied.get("state").unwrap() == "x");
    let approved = sent_back(&press("approve").await.unwrap());
    let (status, _) = exchange(&sim, &client, approved.get("code").unwrap()).await;
    assert_eq!(status, 200);
    assert_eq!(sim.requests().last().unwrap().company, Some(company));
}

#[tokio::test]
async fn any_error_code_can_come_back() {
    let (sim, _) = sim().await;
    let client = client();
    for consent in [Consent::Deny, Consent::Error("unauthorized_client".to_owned())] {
        sim.set_consent(consent.clone());
        let back = sent_back(&authorize(&sim, &client, SCOPES).send().await.unwrap());
        let wanted = if consent == Consent::Deny { "access_denied" } else { "unauthorized_client" };
        assert_eq!(back.get("error").unwrap(), wanted);
    }
    let back = sent_back(&authorize(&sim, &client, "api:no:such").send().await.unwrap());
    assert_eq!(back.get("error").unwrap(), "invalid_scope");
}

#[tokio::test]
async fn a_redirect_uri_must_be_registered_exactly() {
    let mut config = gong_sim::Config::default();
    config.clients[0].redirect_uris = RedirectUris::Exact(vec!["https://app.example/cb".to_owned()]);
    let sim = Sim::start(config).await.unwrap();
    let company = sim.add_company("acme");
    sim.set_consent(Consent::Approve(company));
    let client = client();
    for (uri, status) in [
        ("https://app.example/cb", 302),
        ("https://app.example/cb/", 400),
        ("https://app.example/cb?x=1", 400),
        ("http://127.0.0.1/cb", 400),
    ] {
        let query = [
            ("client_id", "sim-client"),
            ("redirect_uri", uri),
            ("response_type", "code"),
            ("scope", SCOPES),
        ];
        let answer = client.get(sim.authorize_url()).query(&query).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{uri}");
    }
}

#[tokio::test]
async fn a_code_works_once_for_ten_minutes_and_for_its_redirect_uri() {
    let (sim, _) = sim().await;
    let client = client();
    let one = code(&sim, &client).await;
    assert_eq!(exchange(&sim, &client, &one).await.0, 200);
    let (status, body) = exchange(&sim, &client, &one).await;
    assert_eq!((status, body["error"].as_str()), (400, Some("invalid_grant")));
    let late = code(&sim, &client).await;
    sim.advance(Duration::minutes(10));
    assert_eq!(exchange(&sim, &client, &late).await.0, 400);
    let other = code(&sim, &client).await;
    let form =
        [("grant_type", "authorization_code"), ("code", &other), ("redirect_uri", "http://127.0.0.1:9/else")];
    assert_eq!(read(token(&sim, &client, &form)).await.0, 400);
}

#[tokio::test]
async fn the_token_url_wants_basic_and_takes_query_or_form() {
    let (sim, _) = sim().await;
    let client = client();
    let one = code(&sim, &client).await;
    let pairs = [("grant_type", "authorization_code"), ("code", one.as_str()), ("redirect_uri", REDIRECT)];
    let bare = client.post(sim.token_url()).form(&pairs);
    let (status, body) = read(bare).await;
    assert_eq!((status, body["error"].as_str()), (401, Some("invalid_client")));
    let wrong = client.post(sim.token_url()).basic_auth("sim-client", Some("no")).form(&pairs);
    assert_eq!(read(wrong).await.0, 401);
    let query = client.post(sim.token_url()).basic_auth("sim-client", Some("sim-secret")).query(&pairs);
    let (status, tokens) = read(query.query(&[("validity_duration", "77")])).await;
    assert_eq!((status, tokens["expires_in"].as_i64()), (200, Some(77)));
}

#[tokio::test]
async fn refresh_tokens_rotate_and_a_reuse_is_refused_and_counted() {
    let (sim, company) = sim().await;
    let client = client();
    let first = text(&connect(&sim, &client).await, "refresh_token");
    let (status, second) = refresh(&sim, &client, &first).await;
    assert_eq!(status, 200);
    let second = text(&second, "refresh_token");
    assert_ne!(first, second);
    let (status, body) = refresh(&sim, &client, &first).await;
    assert_eq!((status, body["error"].as_str()), (400, Some("invalid_grant")));
    assert_eq!(sim.refresh_reuses(), 1);
    let (status, third) = refresh(&sim, &client, &second).await;
    assert_eq!(status, 200, "the family lives on");
    sim.adjust(|switches| switches.revoke_family_on_reuse = true);
    assert_eq!(refresh(&sim, &client, &first).await.0, 400);
    assert_eq!(refresh(&sim, &client, &text(&third, "refresh_token")).await.0, 400, "the family is dead");
    let asked = sim.requests().pop().unwrap();
    assert_eq!((asked.company, asked.refresh_ordinal), (Some(company), Some(3)));
    assert_eq!(asked.grant_type.as_deref(), Some("refresh_token"));
    assert_eq!(sim.tokens_issued(), 3);
}

#[tokio::test]
async fn a_grace_time_lets_the_old_refresh_token_work_for_a_while() {
    let (sim, _) = sim().await;
    sim.adjust(|switches| switches.refresh_grace_seconds = 30);
    let client = client();
    let first = text(&connect(&sim, &client).await, "refresh_token");
    let (_, second) = refresh(&sim, &client, &first).await;
    let (status, again) = refresh(&sim, &client, &first).await;
    assert_eq!((status, text(&again, "refresh_token")), (200, text(&second, "refresh_token")));
    sim.advance(Duration::seconds(31));
    assert_eq!(refresh(&sim, &client, &first).await.0, 400);
}

#[tokio::test]
async fn the_token_answer_can_be_odd() {
    let (sim, _) = sim().await;
    let client = client();
    sim.adjust(|switches| {
        switches.expires_in_as_text = true;
        switches.token_type = "BEARER".to_owned();
        switches.scope_granted = Some("api:users:read".to_owned());
        switches.refresh_token_on_refresh = false;
        switches.api_base_on_code = ApiBase::Text("https://evil.example/@api.gong.io".to_owned());
        switches.api_base_on_refresh = ApiBase::Absent;
    });
    let tokens = connect(&sim, &client).await;
    assert_eq!(tokens["expires_in"], "86400");
    assert_eq!(tokens["token_type"], "BEARER");
    assert_eq!(tokens["scope"], "api:users:read");
    assert_eq!(tokens["api_base_url_for_customer"], "https://evil.example/@api.gong.io");
    let refresh_token = text(&tokens, "refresh_token");
    for _ in 0..2 {
        let (status, again) = refresh(&sim, &client, &refresh_token).await;
        assert_eq!(status, 200, "without rotation the old token stays good");
        assert!(again.get("refresh_token").is_none() && again.get("api_base_url_for_customer").is_none());
    }
}

#[tokio::test]
async fn tokens_die_with_time_and_with_the_app() {
    let (sim, company) = sim().await;
    let api = Api::connect(&sim).await;
    assert_eq!(read(api.get("/v2/workspaces")).await.0, 200);
    sim.advance(Duration::hours(24));
    assert_eq!(read(api.get("/v2/workspaces")).await.0, 401);
    let tokens = connect(&sim, &api.client).await;
    let api = Api { token: text(&tokens, "access_token"), ..api };
    sim.expire_access_tokens(company);
    assert_eq!(read(api.get("/v2/workspaces")).await.0, 401);
    let (status, tokens) = refresh(&sim, &api.client, &text(&tokens, "refresh_token")).await;
    assert_eq!(status, 200);
    let api = Api { token: text(&tokens, "access_token"), ..api };
    assert_eq!(read(api.get("/v2/workspaces")).await.0, 200);
    sim.revoke(company);
    assert_eq!(read(api.get("/v2/workspaces")).await.0, 401);
    assert_eq!(refresh(&sim, &api.client, &text(&tokens, "refresh_token")).await.0, 400);
}

#[tokio::test]
async fn open_token_requests_are_counted_while_they_are_held() {
    let (sim, company) = sim().await;
    let client = client();
    let token = text(&connect(&sim, &client).await, "refresh_token");
    let fault = sim.fault(Rule::always(Endpoint::Token, What::Hold).of(company));
    let (a, b) = tokio::join!(refresh(&sim, &client, &token), async {
        let second = refresh(&sim, &client, &token);
        let release = async {
            while sim.fault_hits(fault) < 2 {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            sim.release(fault);
        };
        tokio::join!(second, release).0
    });
    assert_eq!(a.0 + b.0, 600, "one refresh wins, the other is refused");
    assert_eq!(sim.open_token_requests_max(company), 2);
    assert_eq!(sim.open_token_requests_max_of_family(1), 2);
    assert_eq!(sim.refresh_reuses(), 1);
}

#[tokio::test]
async fn a_restarted_simulator_honours_earlier_connections() {
    let path = std::env::temp_dir().join(format!("gong-sim-state-{}.json", std::process::id()));
    let config = gong_sim::Config { state: Some(path.clone()), ..gong_sim::Config::default() };
    let start = async || {
        let sim = Sim::start(config.clone()).await.unwrap();
        let company = sim.add_company("acme");
        let ids = sim.generate(company, &gong_sim::GeneratorOptions { calls: 5, ..Default::default() });
        sim.replay_edits();
        sim.set_consent(Consent::Approve(company));
        (sim, company, ids)
    };
    let (sim, company, ids) = start().await;
    let api = Api::connect(&sim).await;
    let fresh = sim.add_calls_now(company, 2);
    assert!(sim.set_private(company, &ids[0], Some(true)));
    let (addresses, before) = ((sim.token_url(), sim.api_base(company)), sim.expected(company));
    sim.stop().await;

    let (sim, company, again) = start().await;
    assert_eq!((sim.token_url(), sim.api_base(company)), addresses);
    assert_eq!(again, ids);
    assert_eq!(sim.expected(company), before);
    assert!(sim.transcript_text(company, &fresh[1]).is_some());
    assert_eq!(read(api.get("/v2/workspaces")).await.0, 200);
    sim.stop().await;
    std::fs::remove_file(path).unwrap();
}
