//! TOK-28: no secret lies anywhere but where it belongs.

use std::time::Duration;

use gong_sim::{Consent, Endpoint, GeneratorOptions, Rule, What};
use kernel::ExposeSecret;
use stories::{Org, PASSWORD, World};

use crate::{
    canaries::{Canary, Log, assert_clean, dump},
    support::{SealedRow, UNTIL_DUE, make_due, open, refresh_if_due, sealed, session, write_sealed},
};

/// What the story knows of secrets, and what people and programs were shown.
struct Hunt {
    world: World,
    acme: Org,
    keyed: Org,
    canaries: Vec<Canary>,
    seen: String,
}

impl Hunt {
    async fn begin() -> Self {
        let world = World::start().await;
        let (acme, keyed) = (world.organization("acme").await, world.organization("keyed").await);
        let canaries = vec![
            Canary::new("our client secret", "sim-secret"),
            Canary::new("the password", PASSWORD),
            Canary::new("the sealing key", world.key.expose_secret()),
            Canary::new("the session", &acme.browser.cookie("soundpost").unwrap()),
        ];
        Self { world, acme, keyed, canaries, seen: String::new() }
    }

    /// Connecting, refused and then well, with a backfill.
    async fn connect(&mut self) {
        let options = GeneratorOptions { calls: 30, days: 5, ..GeneratorOptions::default() };
        self.world.sim.generate(self.acme.company, &options);
        let yes = Consent::Approve(self.acme.company);
        for consent in [Consent::Deny, yes.clone(), yes] {
            self.world.sim.set_consent(consent);
            let begun = self.acme.browser.begin_connect(Some(10)).await.json();
            let authorize_url = begun["authorize_url"].as_str().unwrap();
            let callback = self.acme.browser.at_gong(authorize_url).await;
            for (name, value) in callback.query_pairs() {
                match &*name {
                    "state" => self.canaries.push(Canary::new("a state", &value)),
                    "code" => self.canaries.push(Canary::new("a code", &value)),
                    _ => {}
                }
            }
            let flow = self.acme.browser.cookie("soundpost_flow").unwrap();
            self.canaries.push(Canary::new("a browser's secret", &flow));
            for browser in [&self.acme.browser, &self.acme.browser, &self.world.browser()] {
                self.seen.push_str(&browser.get(callback.as_str()).await.text);
            }
        }
        self.world.settle().await;
    }

    /// An access key, wrong and right.
    async fn connect_with_a_key(&mut self) {
        let (key, secret) = self.world.sim.access_key(self.keyed.company).unwrap();
        let wrong = "wrong-secret-canary-0123456789";
        self.canaries.push(Canary::new("an access key's secret", &secret));
        self.canaries.push(Canary::new("a wrong access key's secret", wrong));
        for secret in [wrong, secret.as_str()] {
            let body = serde_json::json!({ "access_key": key, "access_key_secret": secret,
                "api_base_url": self.world.sim.api_base(self.keyed.company), "history_days": 5 });
            let answer = self.keyed.api.post("/api/v1/integrations/gong/connect-key", body).await;
            self.seen.push_str(&answer.text);
        }
        self.world.settle().await;
    }

    async fn tokens_of_now(&mut self) {
        let row = sealed(&self.world, &self.acme).await;
        for (name, field) in [("an access token", "access"), ("a refresh token", "refresh")] {
            let secret = open(&self.world.keys, &self.acme, &row, field).unwrap();
            self.canaries.push(Canary::new(name, &secret));
        }
    }

    /// Three generations of tokens, and refreshes that fail in every way.
    async fn refresh(&mut self) {
        self.tokens_of_now().await;
        self.world.sim.adjust(|s| s.refresh_grace_seconds = 86_400);
        for what in [
            What::Status(500),
            What::Html(502),
            What::WrongTypes,
            What::TruncatedBody,
            What::Json(400, serde_json::json!({ "error": "temporarily_unavailable" })),
        ] {
            self.world.sim.fault(Rule::once(Endpoint::Token, what));
            make_due(&self.world, &self.acme).await;
            refresh_if_due(&self.world, &self.world.rooms.connector, &self.acme).await;
        }
        make_due(&self.world, &self.acme).await;
        refresh_if_due(&self.world, &self.world.rooms.connector, &self.acme).await;
        self.tokens_of_now().await;
        self.world.pass(UNTIL_DUE).await;
        self.tokens_of_now().await;
    }

    /// Requests that fail, jobs that fail, a row that does not open.
    async fn fail(&mut self) {
        for what in [
            What::Status(401),
            What::Status(403),
            What::Status(500),
            What::WrongTypes,
            What::Reset,
            What::Html(502),
        ] {
            self.world.sim.fault(Rule::once(Endpoint::CallsExtensive, what));
            self.world.pass(Duration::from_secs(5 * 3600)).await;
        }
        self.tokens_of_now().await;
        let whole = sealed(&self.world, &self.acme).await;
        let torn = SealedRow { generation: whole.generation + 1, ..whole.clone() };
        write_sealed(&self.world, &self.acme, &torn).await;
        session(&self.world, &self.world.rooms.connector, &self.acme).await.unwrap_err();
        write_sealed(&self.world, &self.acme, &whole).await;
    }

    /// What programs and people are shown.
    async fn look_around(&mut self) {
        let v1 = [
            "/api/v1/integrations/gong",
            "/api/v1/activity",
            "/api/v1/calls",
            "/api/v1/me",
            "/health",
            "/readyz",
        ];
        for path in v1 {
            self.seen.push_str(&self.acme.api.get(path).await.text);
        }
        self.acme.browser.log_in(&self.acme.email, PASSWORD).await;
        for path in ["/settings/integrations/gong", "/activity", "/", "/settings/api-keys", "/calls"] {
            self.seen.push_str(&self.acme.browser.get(path).await.text);
        }
    }
}

#[tokio::test]
async fn tok_28_no_secret_lies_in_logs_answers_jobs_or_the_database() {
    let log = Log::default();
    let sink = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || sink.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber)
        .expect("this story needs a process of its own: run it with cargo nextest");

    let mut hunt = Hunt::begin().await;
    hunt.connect().await;
    hunt.connect_with_a_key().await;
    let early = dump(&hunt.world).await;
    hunt.refresh().await;
    hunt.fail().await;
    hunt.look_around().await;

    let logged = log.text();
    assert!(logged.contains("The access token was replaced."), "the log is really caught");
    assert!(logged.contains("TRACE") && logged.len() > 100_000, "{} bytes", logged.len());
    assert!(early.contains("-- apalis.jobs") && early.contains("poll"), "jobs are looked at too");
    assert!(hunt.seen.contains("connected"), "there were answers");
    let canaries = &hunt.canaries;
    assert!(canaries.len() > 15);
    assert_clean("the log", &logged, canaries);
    assert_clean("answers and pages", &hunt.seen, canaries);
    assert_clean("Debug", &format!("{:?} {:?}", hunt.world.rooms, hunt.world.keys), canaries);
    assert_clean("the database", &early, canaries);
    assert_clean("the database", &dump(&hunt.world).await, canaries);
    for file in std::fs::read_dir(&hunt.world.escrow).unwrap() {
        assert_clean("escrow", &std::fs::read_to_string(file.unwrap().path()).unwrap(), canaries);
    }
    hunt.world.stop().await;
}
