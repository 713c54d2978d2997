//! An engine driven by hand, with a simulated language model and simulated embeddings behind it; a database of its own, and a
//! clock that can be set forward. No Gong and no jobs: what the stages do is all there is.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use accounts::{NewOrganization, PasswordHasher};
use db::Db;
use feedback::{
    Ended, Engine, Evidence, LanguageAnalyzer, Participant, Post, PostQuery, Sentence, Settings, Source,
    Speech, Task, Trace,
};
use kernel::{
    Ambient, AnalyzerKind, CallId, PostId, PostState, Scope, SecretString, SharedAmbient, SystemAmbient,
};
use model_sim::{Config, Sim};
use models::{Anthropic, Endpoint, LanguageModel, OpenAi, OpenAiEmbeddings, Price, Qdrant};
use stories::{Plain, ShiftedClock, fresh_database};
use time::OffsetDateTime;

/// What a million tokens cost here.
pub(crate) const PRICE: Price = Price { input: 3.0, output: 15.0 };
const KEY: &str = "sk-lab-0123456789";

/// Dice that always show nothing: pauses between tries are as short as they may be.
#[derive(Debug)]
struct Steady;

impl Ambient for Steady {
    fn now(&self) -> OffsetDateTime {
        SystemAmbient.now()
    }
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

/// Whose wire format is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    Anthropic,
    OpenAi,
}

impl Wire {
    pub(crate) const fn endpoint(self) -> model_sim::Endpoint {
        match self {
            Self::Anthropic => model_sim::Endpoint::Messages,
            Self::OpenAi => model_sim::Endpoint::Chat,
        }
    }
}

fn endpoint(base: &str) -> Endpoint {
    let key = Some(SecretString::from(KEY.to_owned()));
    Endpoint::new(base.parse().unwrap(), key, "lab", Arc::new(Steady)).unwrap()
}

/// An engine that asks the simulated models, behind the screen of the stories.
pub(crate) fn engine(sim: &Sim, wire: Wire, ambient: SharedAmbient) -> Engine {
    let at = || endpoint(&sim.base());
    let model: Arc<dyn LanguageModel> = match wire {
        Wire::Anthropic => Arc::new(Anthropic::new(at(), "claude-lab".into())),
        Wire::OpenAi => Arc::new(OpenAi::new(at(), "gpt-lab".into())),
    };
    let analyzer = Arc::new(LanguageAnalyzer::new(Arc::new(Plain), model));
    let embedder = Arc::new(OpenAiEmbeddings::new(at(), "lab"));
    Engine::new(embedder, Arc::new(Plain), Some((analyzer, Some(PRICE))), ambient)
}

pub(crate) struct Lab {
    pub(crate) sim: Sim,
    pub(crate) clock: Arc<ShiftedClock>,
    pub(crate) db: Db,
    pub(crate) wire: Wire,
    /// Vectors are in a double of Qdrant.
    pub(crate) has_index: bool,
    sources: Mutex<HashMap<CallId, Source>>,
}

impl Lab {
    pub(crate) async fn new(wire: Wire) -> Self {
        let sim = Sim::start(Config::default()).await.unwrap();
        sim.adjust(|switches| switches.key = Some(KEY.into()));
        let database = fresh_database().await;
        let db = Db::connect(&database.url, 12).await.unwrap();
        Self {
            sim,
            clock: Arc::new(ShiftedClock::default()),
            db,
            wire,
            has_index: false,
            sources: Mutex::default(),
        }
    }

    /// An engine with nothing in its memory, as another process has it.
    pub(crate) fn engine(&self) -> Engine {
        let engine = engine(&self.sim, self.wire, self.clock.clone());
        if self.has_index { engine.with_index(self.index()) } else { engine }
    }

    /// The index, for whoever wants to spoil it.
    pub(crate) fn index(&self) -> Qdrant {
        Qdrant::new(endpoint(&self.sim.qdrant()))
    }

    /// How often the language model was asked.
    pub(crate) fn asked(&self) -> usize {
        self.sim.asked(self.wire.endpoint())
    }

    /// An organization with a board that has its calls read by the language model.
    pub(crate) async fn organization(&self, name: &str) -> Scope {
        let new = NewOrganization {
            name: name.into(),
            owner_email: format!("owner@{name}.example"),
            password: Some("correct horse battery staple".to_owned().into()),
        };
        let hasher = PasswordHasher::new(1);
        let made = accounts::create_organization(&self.db, &hasher, new, &*self.clock).await.unwrap();
        let scope = Scope::job(made.organization);
        let mut tx = self.db.begin(&scope).await.unwrap();
        feedback::create_board(&mut tx, "Wishes", "", &*self.clock).await.unwrap();
        tx.commit().await.unwrap();
        self.settings(&scope, |settings| settings.analyzer = AnalyzerKind::Model).await;
        sqlx::query(
            "insert into gong_connections (id, organization_id, status, auth_kind, api_base_url, connected_at, created_at, updated_at)
             values (gen_random_uuid(), $1, 'paused', 'oauth', 'https://gong.example', now(), now(), now())",
        )
        .bind(scope.organization().uuid())
        .execute(self.db.pool())
        .await
        .unwrap();
        scope
    }

    pub(crate) async fn settings(&self, scope: &Scope, change: impl FnOnce(&mut Settings)) {
        let mut tx = self.db.begin(scope).await.unwrap();
        let mut settings = feedback::settings(&mut tx).await.unwrap();
        change(&mut settings);
        feedback::change_settings(&mut tx, &settings).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// A stored call: turns of `them:` and `us:`, or of nobody where nothing stands before.
    pub(crate) async fn call(&self, scope: &Scope, turns: &[&str]) -> CallId {
        let call = CallId::mint(&*self.clock as &dyn Ambient);
        sqlx::query(
            "insert into gong_calls (id, organization_id, connection_id, gong_call_id, started_at, transcript_state, looked_at, created_at)
             select $1, $2, c.id, (extract(epoch from clock_timestamp()) * 1000000)::bigint::text, now(), 'stored', now(), now()
             from gong_connections c where c.organization_id = $2",
        )
        .bind(call.uuid())
        .bind(scope.organization().uuid())
        .execute(self.db.pool())
        .await
        .unwrap();
        sqlx::query("insert into gong_transcripts values ($1, $2, '[]', 1, 1, 1, now())")
            .bind(call.uuid())
            .bind(scope.organization().uuid())
            .execute(self.db.pool())
            .await
            .unwrap();
        self.say(call, turns);
        self.enter(scope).await;
        call
    }

    /// What is said in a call from now on.
    pub(crate) fn say(&self, call: CallId, turns: &[&str]) {
        let speech = |(n, turn): (usize, &&str)| {
            let (who, text) = match turn.split_once(": ") {
                Some(("them", text)) => (Some("1"), text),
                Some(("us", text)) => (Some("2"), text),
                _ => (None, *turn),
            };
            let start_ms = i64::try_from(n).unwrap() * 10_000;
            let said = Sentence { text: text.into(), start_ms, end_ms: start_ms + 9_000 };
            Speech { speaker_id: who.map(Into::into), sentences: vec![said] }
        };
        let party = |id: &str, name: &str, email: &str, external| Participant {
            speaker_id: Some(id.into()),
            name: Some(name.into()),
            email: Some(email.into()),
            external: Some(external),
            ..Participant::default()
        };
        let source = Source {
            call,
            title: Some("A call".into()),
            url: Some("https://gong.example/call".into()),
            started_at: self.clock.now(),
            parties: vec![
                party("1", "Ann", "ann@globex.example", true),
                party("2", "Sam", "sam@us.example", false),
            ],
            speeches: turns.iter().enumerate().map(speech).collect(),
        };
        self.sources.lock().unwrap().insert(call, source);
    }

    /// Enters what changed, as the job does.
    pub(crate) async fn enter(&self, scope: &Scope) {
        let mut tx = self.db.begin(scope).await.unwrap();
        let changed = feedback::take_changes(&mut tx, 1_000).await.unwrap();
        let here: Vec<_> = changed.into_iter().map(|call| (call, self.clock.now())).collect();
        feedback::want(&mut tx, &here, &*self.clock).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub(crate) fn source(&self, call: CallId) -> Source {
        self.sources.lock().unwrap()[&call].clone()
    }

    /// Takes what is due.
    pub(crate) async fn take(&self, engine: &Engine, scope: &Scope) -> Vec<Task> {
        engine.take(&self.db, scope, 100).await.unwrap()
    }

    pub(crate) async fn work(&self, engine: &Engine, scope: &Scope, task: &Task) -> Ended {
        let source = self.source(task.call);
        engine.work(&self.db, scope, task, Some(&source)).await.unwrap()
    }

    /// Works on all that is due, and says how each call ended.
    pub(crate) async fn run(&self, engine: &Engine, scope: &Scope) -> Vec<Ended> {
        let mut ended = Vec::new();
        for task in self.take(engine, scope).await {
            ended.push(self.work(engine, scope, &task).await);
        }
        ended
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    pub(crate) async fn posts(&self, scope: &Scope) -> Vec<Post> {
        let mut tx = self.db.begin(scope).await.unwrap();
        let query = PostQuery { state: PostState::Published, limit: 100, ..PostQuery::default() };
        feedback::posts(&mut tx, &query).await.unwrap().posts
    }

    /// Every post of an organization, whatever its state.
    pub(crate) async fn all_posts(&self, scope: &Scope) -> Vec<Post> {
        let mut tx = self.db.begin(scope).await.unwrap();
        let mut all = Vec::new();
        for state in [PostState::Published, PostState::Review, PostState::Withdrawn, PostState::Rejected] {
            let query = PostQuery { state, limit: 100, ..PostQuery::default() };
            all.extend(feedback::posts(&mut tx, &query).await.unwrap().posts);
        }
        all
    }

    pub(crate) async fn evidence(&self, scope: &Scope, post: PostId) -> Vec<Evidence> {
        let mut tx = self.db.begin(scope).await.unwrap();
        feedback::evidence(&mut tx, post, None, 100).await.unwrap().items
    }

    pub(crate) async fn trace(&self, scope: &Scope, call: CallId) -> Trace {
        let mut tx = self.db.begin(scope).await.unwrap();
        feedback::trace(&mut tx, call).await.unwrap().unwrap()
    }

    pub(crate) async fn explain(&self, scope: &Scope, call: CallId) -> String {
        let mut tx = self.db.begin(scope).await.unwrap();
        feedback::explain(&mut tx, call).await.unwrap().join(" ")
    }

    /// Asks, tokens read, tokens written and cost of an organization, over all months and models.
    pub(crate) async fn used(&self, scope: &Scope) -> (i64, i64, i64, i64) {
        let mut tx = self.db.begin(scope).await.unwrap();
        let lines = feedback::usage(&mut tx).await.unwrap();
        lines.iter().fold((0, 0, 0, 0), |sum, one| {
            (sum.0 + one.asks, sum.1 + one.input, sum.2 + one.output, sum.3 + one.cost)
        })
    }
}
