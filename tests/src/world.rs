//! The product as it runs, with its workers, against a simulated Gong.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use connector::Connector;
use db::{Db, Events};
use gong_sim::{CompanyId, Config, Consent, Sim};
use jobs::{Rooms, runtime};
use kernel::{OrganizationId, SecretString, SharedAmbient, UserId};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;
use url::Url;
use vault::KeyRing;
use web::{AppState, Limits, TrustedProxies};

use crate::{Browser, Database, Process, ShiftedClock, fresh_database, mind, process::Desk};

/// Everybody's password.
pub const PASSWORD: &str = "correct horse battery staple";

/// What a story may want to be different.
#[derive(Debug, Clone)]
pub struct WorldOptions {
    /// Run workers.
    pub workers: bool,
    /// The settings of ingestion; by default a pace that does not slow stories down.
    pub defaults: ingest::Defaults,
    /// Keep Gong's limit of three requests a second and 10,000 a day.
    pub gong_limit: bool,
    /// How long one token request may take.
    pub token_timeout: Duration,
    /// What one caller may ask of the API in a minute.
    pub api_per_minute: u32,
    /// Make feedback of calls, with a mind that is always the same.
    pub feedback: bool,
}

impl Default for WorldOptions {
    fn default() -> Self {
        let defaults =
            ingest::Defaults { per_second: 5_000.0, per_day: 1_000_000, ..ingest::Defaults::default() };
        Self {
            workers: true,
            defaults,
            gong_limit: false,
            token_timeout: oauth::TIMEOUT,
            api_per_minute: 1_000_000,
            feedback: false,
        }
    }
}

/// An organization with its owner, logged in.
#[derive(Debug, Clone)]
pub struct Org {
    /// Its id.
    pub id: OrganizationId,
    /// The owner.
    pub owner: UserId,
    /// The owner's address.
    pub email: String,
    /// The owner's browser; its session ends when too much time passes.
    pub browser: Browser,
    /// A program with an API key of an admin; it is not logged out by time.
    pub api: Browser,
    /// The Gong company of the same name.
    pub company: CompanyId,
}

/// Everything that a story is told in.
#[derive(Debug)]
pub struct World {
    /// The simulated Gong.
    pub sim: Sim,
    /// The clock of the product; move it with [`World::pass`].
    pub clock: Arc<ShiftedClock>,
    /// The database as the product sees it.
    pub db: Db,
    /// The database as its superuser sees it.
    pub database: Database,
    /// Where the product serves.
    pub base: Url,
    /// What jobs work with.
    pub rooms: Rooms,
    /// The sealing key, as text.
    pub key: SecretString,
    /// The ring with that key.
    pub keys: Arc<KeyRing>,
    /// The folder of answers in escrow.
    pub escrow: PathBuf,
    options: WorldOptions,
    desk: Desk,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl World {
    /// The usual world.
    pub async fn start() -> Self {
        Self::with(WorldOptions::default()).await
    }

    /// A world that is different in something.
    ///
    /// # Panics
    /// When it cannot be built.
    pub async fn with(options: WorldOptions) -> Self {
        // `RUST_LOG=debug` shows what happens inside a story.
        let filter = tracing_subscriber::EnvFilter::from_default_env();
        tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().try_init().ok();
        let sim = Sim::start(Config::default()).await.expect("the simulator starts");
        if !options.gong_limit {
            sim.adjust(|switches| switches.limit = None);
        }
        let database = fresh_database().await;
        let clock = Arc::new(ShiftedClock::default());
        let ambient: SharedAmbient = clock.clone();
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let base = Url::parse(&format!("http://localhost:{}", address.port())).expect("a URL");
        let db = Db::connect(&database.url, 16).await.expect("the database answers");
        let key = KeyRing::generate_key();
        let keys = Arc::new(KeyRing::parse(&key).expect("a key"));
        let escrow = std::env::temp_dir().join(format!("soundpost-{}", database.name));
        let desk = Desk::new(&sim, &base, options.token_timeout, &escrow, &ambient);
        let connector = desk.connector(db.clone(), keys.clone());
        let gates = ingest::Gates::new(db.clone(), ambient.clone(), options.defaults.clone());
        let rooms = Rooms {
            db: db.clone(),
            connector,
            gates,
            defaults: options.defaults.clone(),
            ambient: ambient.clone(),
            feedback: options.feedback.then(|| mind(ambient.clone())),
        };
        let mut world = Self {
            sim,
            clock,
            db,
            database,
            base,
            rooms,
            key,
            keys,
            escrow,
            options,
            desk,
            stop: CancellationToken::new(),
            tasks: JoinSet::new(),
        };
        let (connector, base) = (world.rooms.connector.clone(), world.base.clone());
        world.serve(listener, connector, base);
        if world.options.workers {
            world.work();
        }
        world
    }

    fn serve(&mut self, listener: TcpListener, connector: Connector, public_url: Url) {
        let state = AppState::new(web::Parts {
            db: self.db.clone(),
            hasher: accounts::PasswordHasher::new(2),
            connector,
            ambient: self.rooms.ambient.clone(),
            events: Events::listen(self.db.pool().clone()),
            keys: self.keys.clone(),
            api_per_minute: self.options.api_per_minute,
            defaults: self.options.defaults.clone(),
            public_url,
            authorize_url: Url::parse(&self.sim.authorize_url()).expect("a URL"),
            trusted_proxies: TrustedProxies::default(),
            feedback: web::FeedbackOffers::default(),
            stop: self.stop.clone(),
        });
        let (router, stop) = (web::router(state), self.stop.clone());
        self.tasks.spawn(async move {
            web::serve(listener, router, Limits::default(), stop).await.expect("it serves")
        });
    }

    /// Serves once more, on another address, with another connector.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn serve_beside(&mut self, connector: Connector) -> Browser {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let base = Url::parse(&format!("http://localhost:{port}")).expect("a URL");
        self.serve(listener, connector, base.clone());
        Browser::new(base)
    }

    /// The connector of another process with these keys; the same database, clock and escrow folder.
    pub fn connector(&self, keys: Arc<KeyRing>) -> Connector {
        self.desk.connector(self.db.clone(), keys)
    }

    /// Another process of the product, to be killed.
    ///
    /// # Panics
    /// When it cannot be started.
    pub async fn process(&self, keys: Arc<KeyRing>) -> Process {
        let defaults = self.options.defaults.clone();
        Process::start(self.desk.clone(), self.database.url.clone(), keys, defaults).await
    }

    /// Lets time pass on every clock, and does nothing else.
    ///
    /// # Panics
    /// When the time is too long.
    pub fn wait(&self, time: Duration) {
        self.clock.advance(time);
        self.sim.advance(time.try_into().expect("a short time"));
    }

    /// Starts workers, when the world was made without.
    pub fn work(&mut self) {
        let settings = runtime::Settings { fresh: 4, bulk: 2, upkeep: 2, ..runtime::Settings::default() };
        let (rooms, stop) = (self.rooms.clone(), self.stop.clone());
        self.tasks.spawn(async move {
            let (pool, ambient) = (rooms.db.pool().clone(), rooms.ambient.clone());
            runtime::run(pool, Arc::new(rooms), settings, ambient, stop).await.expect("the workers run");
        });
    }

    /// An organization, its owner logged in, and a Gong company of the same name that approves whatever it is asked.
    ///
    /// # Panics
    /// When it cannot be made.
    pub async fn organization(&self, name: &str) -> Org {
        let email = format!("owner@{name}.example");
        let new = accounts::NewOrganization {
            name: name.to_owned(),
            owner_email: email.clone(),
            password: Some(PASSWORD.to_owned().into()),
        };
        let hasher = accounts::PasswordHasher::new(1);
        let created = accounts::create_organization(&self.db, &hasher, new, &*self.rooms.ambient)
            .await
            .expect("an organization can be made");
        let browser = self.browser();
        let answer = browser.log_in(&email, PASSWORD).await;
        assert!(answer.status.is_success(), "the owner can log in: {} {}", answer.status, answer.text);
        let body = serde_json::json!({ "name": "stories", "role": "admin" });
        let key = browser.post("/api/v1/api-keys", body).await;
        assert!(key.status.is_success(), "a key can be made: {} {}", key.status, key.text);
        let api = browser.with_key(key.json()["secret"].as_str().unwrap_or_default());
        let company = self.sim.add_company(name);
        Org { id: created.organization, owner: created.owner, email, browser, api, company }
    }

    /// A browser that nobody uses yet.
    pub fn browser(&self) -> Browser {
        Browser::new(self.base.clone())
    }

    /// Connects the organization to its Gong company; the whole way through the browser.
    ///
    /// # Panics
    /// When it does not end well.
    pub async fn connect(&self, org: &Org, history_days: Option<i64>) {
        self.sim.set_consent(Consent::Approve(org.company));
        let answer = org.browser.connect(history_days).await;
        assert_eq!(answer.status, 303, "the callback redirects: {}", answer.text);
    }

    /// Lets time pass, everywhere; does what falls due and waits until it is done.
    pub async fn pass(&self, time: Duration) {
        self.clock.advance(time);
        self.sim.advance(time.try_into().expect("a short time"));
        jobs::schedule::look_once(&self.rooms).await.expect("the schedule can be kept");
        jobs::schedule::reconcile_once(&self.rooms).await.expect("the schedule can be kept");
        self.settle().await;
    }

    /// Waits until no job is due, at most a minute.
    ///
    /// # Panics
    /// When jobs are still due after that.
    pub async fn settle(&self) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        let mut quiet = 0;
        while quiet < 3 {
            quiet = if self.due_jobs().await == 0 { quiet + 1 } else { 0 };
            assert!(tokio::time::Instant::now() < deadline, "jobs are still due after a minute");
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    }

    /// Jobs that run or are due by the story's clock; what waits for that clock is made due for the database's.
    pub async fn due_jobs(&self) -> i64 {
        sqlx::query("update apalis.jobs set run_at = now() where status = 'Pending' and run_at > now() and run_at <= now() + make_interval(secs => $1)")
            .bind(self.clock.ahead_millis() as f64 / 1000.0)
            .execute(self.db.pool())
            .await
            .expect("the jobs can be moved");
        sqlx::query_scalar("select count(*) from apalis.jobs where status in ('Queued', 'Running') or (status = 'Pending' and run_at <= now())")
            .fetch_one(self.db.pool())
            .await
            .expect("the jobs can be counted")
    }

    /// Open dead letters: (kind, code).
    pub async fn dead_letters(&self) -> Vec<(String, String)> {
        sqlx::query_as("select kind, code from dead_letters where state = 'dead' order by died_at")
            .fetch_all(self.db.pool())
            .await
            .expect("the dead letters can be read")
    }

    /// One number out of the database, seen as its superuser.
    ///
    /// # Panics
    /// When the query fails.
    pub async fn number(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(self.db.pool()).await.expect("the query works")
    }

    /// Stops everything; fails when a job was given up.
    ///
    /// # Panics
    /// When there are dead letters.
    pub async fn finish(mut self) {
        let dead = self.dead_letters().await;
        assert!(dead.is_empty(), "jobs were given up: {dead:?}");
        self.stop().await;
    }

    /// Stops everything, whatever happened.
    pub async fn stop(&mut self) {
        self.stop.cancel();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        tokio::time::timeout(Duration::from_secs(35), ended).await.ok();
        std::fs::remove_dir_all(&self.escrow).ok();
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
        std::fs::remove_dir_all(&self.escrow).ok();
    }
}
