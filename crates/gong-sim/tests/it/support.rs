//! A small client for the tests of the simulator. It knows no other crate of this workspace.
#![expect(clippy::unwrap_used, reason = "a test that cannot send has failed")]

use gong_sim::{CompanyId, Config, Consent, Sim};
use reqwest::{Client, RequestBuilder, Response, redirect};
use serde_json::Value;
use std::collections::HashMap;

pub(crate) const REDIRECT: &str = "http://127.0.0.1:9/callback";
pub(crate) const SCOPES: &str = "api:calls:read:basic api:calls:read:extensive api:calls:read:transcript \
                          api:users:read api:workspaces:read";

#[expect(clippy::disallowed_methods, reason = "the simulator is tested with a client of its own")]
pub(crate) fn client() -> Client {
    Client::builder().redirect(redirect::Policy::none()).build().unwrap()
}

/// A simulator with one company that approves at once and has no limit.
pub(crate) async fn sim() -> (Sim, CompanyId) {
    let mut config = Config::default();
    config.switches.limit = None;
    let sim = Sim::start(config).await.unwrap();
    let company = sim.add_company("acme");
    sim.set_consent(Consent::Approve(company));
    (sim, company)
}

pub(crate) fn authorize(sim: &Sim, client: &Client, scope: &str) -> RequestBuilder {
    client.get(sim.authorize_url()).query(&[
        ("client_id", "sim-client"),
        ("redirect_uri", REDIRECT),
        ("response_type", "code"),
        ("scope", scope),
        ("state", "s t&te"),
    ])
}

/// The parameters with which the browser is sent back.
pub(crate) fn sent_back(response: &Response) -> HashMap<String, String> {
    let location = response.headers().get("location").unwrap().to_str().unwrap();
    assert!(location.starts_with(REDIRECT), "{location}");
    url::Url::parse(location).unwrap().query_pairs().into_owned().collect()
}

pub(crate) async fn code(sim: &Sim, client: &Client) -> String {
    let response = authorize(sim, client, SCOPES).send().await.unwrap();
    sent_back(&response).get("code").unwrap().clone()
}

pub(crate) fn token(sim: &Sim, client: &Client, form: &[(&str, &str)]) -> RequestBuilder {
    client.post(sim.token_url()).basic_auth("sim-client", Some("sim-secret")).form(form)
}

pub(crate) async fn exchange(sim: &Sim, client: &Client, code: &str) -> (u16, Value) {
    let form = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", REDIRECT)];
    read(token(sim, client, &form)).await
}

pub(crate) async fn refresh(sim: &Sim, client: &Client, refresh_token: &str) -> (u16, Value) {
    read(token(sim, client, &[("grant_type", "refresh_token"), ("refresh_token", refresh_token)])).await
}

pub(crate) async fn connect(sim: &Sim, client: &Client) -> Value {
    let code = code(sim, client).await;
    let (status, tokens) = exchange(sim, client, &code).await;
    assert_eq!(status, 200, "{tokens}");
    tokens
}

pub(crate) async fn read(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, response.json().await.unwrap())
}

/// A connected client of one company.
pub(crate) struct Api {
    pub(crate) client: Client,
    pub(crate) base: String,
    pub(crate) token: String,
}

impl Api {
    pub(crate) async fn connect(sim: &Sim) -> Self {
        let client = client();
        let tokens = connect(sim, &client).await;
        Self {
            client,
            base: text(&tokens, "api_base_url_for_customer"),
            token: text(&tokens, "access_token"),
        }
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.base)).bearer_auth(&self.token)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.base)).bearer_auth(&self.token).json(body)
    }
}

pub(crate) fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap().to_owned()
}

pub(crate) fn error(value: &Value) -> String {
    value.pointer("/errors/0").and_then(Value::as_str).unwrap().to_owned()
}
