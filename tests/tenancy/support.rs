//! What these stories ask with: the operations of the description, people of every role, and what a database holds.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};
use stories::{Browser, Org, PASSWORD, World, WorldOptions};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use uuid::Uuid;

/// An operation as `/api/openapi.json` describes it.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) method: Method,
    pub(crate) path: String,
}

impl Operation {
    /// Whether it names a thing in its path.
    pub(crate) fn names_a_thing(&self) -> bool {
        self.path.contains('{')
    }

    /// Whether it is meant to change something.
    pub(crate) fn writes(&self) -> bool {
        self.method != Method::GET
    }

    /// The address, with a query where one is needed.
    pub(crate) fn address(&self, thing: &str) -> String {
        let query = if self.id == "estimateGongBackfill" { "?days=3" } else { "" };
        format!("{}{query}", self.path.replace("{id}", thing))
    }

    /// Headers that the operation wants.
    pub(crate) fn headers(&self) -> Vec<(&'static str, String)> {
        match self.id.as_str() {
            "retryDeadLetters" | "discardDeadLetters" => {
                vec![("idempotency-key", format!("\"{}\"", Uuid::new_v4()))]
            }
            "changeGongSettings" | "changeFeedbackSettings" | "changePost" => {
                vec![("if-match", "*".to_owned())]
            }
            _ => Vec::new(),
        }
    }

    /// A body that the operation understands.
    pub(crate) fn body(&self) -> Option<Value> {
        Some(match self.id.as_str() {
            "logIn" => json!({ "email": "nobody@nowhere.example", "password": "not the password" }),
            "changePassword" => {
                json!({ "current_password": "not the password", "new_password": "another battery staple" })
            }
            "switchOrganization" => json!({ "organization": format!("org_{}", "7".repeat(32)) }),
            "createApiKey" => json!({ "name": "made in a story", "role": "viewer" }),
            "addMember" => json!({ "email": format!("{}@new.example", Uuid::new_v4()), "role": "viewer" }),
            "changeMember" => json!({ "role": "viewer" }),
            "discardDeadLetter" => json!({ "reason": "not needed" }),
            "discardDeadLetters" => json!({ "kind": "poll", "reason": "not needed" }),
            "changePrivacy" => json!({ "retention_days": 400 }),
            "decideVanishedCalls" => json!({ "decision": "keep" }),
            "erasePerson" => json!({ "email": "nobody@nowhere.example" }),
            "renameOrganization" => json!({ "name": "made in a story" }),
            // Never the right one.
            "eraseOrganization" => json!({ "name": "not its name" }),
            "retryDeadLetters" => json!({ "kind": "poll" }),
            "createBoard" => json!({ "name": format!("Board {}", Uuid::new_v4().simple()) }),
            "changeBoard" => json!({ "description": "made in a story" }),
            "replaceTags" => json!({ "tags": ["export", "mobile"] }),
            "changePost" => json!({ "status": "planned" }),
            "reviewPost" => json!({ "decision": "approve" }),
            "mergePost" => json!({ "into": format!("post_{}", "7".repeat(32)) }),
            "changeFeedbackSettings" => json!({ "mode": "approval" }),
            "lookAtCallsAgain" => json!({ "days": 30 }),
            "changeGongConnection" | "changeGongSettings" => json!({ "poll_every_seconds": 7200 }),
            "startGongBackfill" => json!({ "days": 3 }),
            "connectGong" => json!({ "history_days": null }),
            "connectGongWithKey" => json!({
                "access_key": "key", "access_key_secret": "secret", "api_base_url": "https://gong.example",
            }),
            _ => return None,
        })
    }
}

/// The description of the API.
pub(crate) async fn description(world: &World) -> Value {
    world.browser().get("/api/openapi.json").await.json()
}

/// Every operation of the description.
pub(crate) fn operations(description: &Value) -> Vec<Operation> {
    let mut all = Vec::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            all.push(Operation {
                id: operation["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
            });
        }
    }
    all
}

/// A world whose jobs nobody does.
pub(crate) async fn still_world() -> World {
    World::with(WorldOptions { workers: false, ..WorldOptions::default() }).await
}

/// A person who was added with a role and chose a password.
#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) browser: Browser,
}

/// Adds a person to the organization, who logs in and chooses a password.
pub(crate) async fn person(world: &World, org: &Org, role: &str) -> Person {
    let email = format!("{role}.{}@people.example", Uuid::new_v4().simple());
    let added = org.browser.post("/api/v1/members", json!({ "email": email, "role": role })).await;
    assert_eq!(added.status, 201, "{}", added.text);
    let initial = added.json()["initial_password"].as_str().unwrap().to_owned();
    let browser = world.browser();
    assert_eq!(browser.log_in(&email, &initial).await.status, 200);
    let change = json!({ "current_password": initial, "new_password": PASSWORD });
    let changed = browser.post("/api/v1/me/password", change).await;
    assert_eq!(changed.status, 204, "{}", changed.text);
    Person { id: added.json()["id"].as_str().unwrap().to_owned(), email, browser }
}

/// Makes an API key: its id, its secret, and a program that has it.
pub(crate) async fn key(by: &Browser, role: &str) -> (String, String, Browser) {
    let made = by.post("/api/v1/api-keys", json!({ "name": "a key of a story", "role": role })).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let made = made.json();
    let secret = made["secret"].as_str().unwrap().to_owned();
    (made["id"].as_str().unwrap().to_owned(), secret.clone(), by.with_key(&secret))
}

/// A job of the organization that was given up; a retry goes to a lane that nobody works on.
pub(crate) async fn dead_letter(world: &World, org: &Org) -> String {
    let id: Uuid = sqlx::query_scalar(
        "insert into dead_letters (job_id, organization_id, lane, kind, subject, key, priority, attempts, max_attempts, code)
         values (gen_random_uuid()::text, $1, 'nobody', 'poll', gen_random_uuid(), gen_random_uuid()::text, 0, 3, 3, 'failed')
         returning id",
    )
    .bind(org.id)
    .fetch_one(world.db.pool())
    .await
    .unwrap();
    format!("dead_{}", id.simple())
}

/// A post with evidence, as the stages would have left it.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The post.
    pub(crate) post: String,
    /// Its evidence, one call each.
    pub(crate) evidence: Vec<String>,
    /// The calls.
    pub(crate) calls: Vec<String>,
}

/// Puts a post on the organization's first board (made where there is none), asked for in calls of these accounts.
pub(crate) async fn asked(world: &World, org: &Org, title: &str, state: &str, accounts: &[&str]) -> Asked {
    let pool = world.db.pool();
    sqlx::query(
        "insert into boards (id, organization_id, name, created_at) select gen_random_uuid(), $1, 'Product', now()
         where not exists (select from boards where organization_id = $1)",
    )
    .bind(org.id)
    .execute(pool)
    .await
    .unwrap();
    let post: Uuid = sqlx::query_scalar(
        "insert into posts (id, organization_id, board_id, title, summary, description, kind, sentiment, priority, area, tags, state,
            analyzer, created_at, updated_at)
         select gen_random_uuid(), $1, b.id, $2, 'So that nobody has to type it off.', 'All that is known.', 'missing_capability',
            'negative', 'high', 'reporting', '{export}', $3, 'basic/1', now(), now()
         from boards b where b.organization_id = $1 order by created_at limit 1 returning id",
    )
    .bind(org.id)
    .bind(title)
    .bind(state)
    .fetch_one(pool)
    .await
    .unwrap();
    let mut made = Asked { post: format!("post_{}", post.simple()), evidence: Vec::new(), calls: Vec::new() };
    for account in accounts {
        let call = heard(world, org, account).await;
        let evidence: Uuid = sqlx::query_scalar(
            "insert into evidence (id, organization_id, post_id, call_id, content_hash, place, title, summary, description, kind,
                sentiment, priority, area, pain_points, quotes, author, account, call_title, call_url, called_at, joined, analyzer, created_at)
             values (gen_random_uuid(), $1, $2, $3, 'x', 0, $4, 'So that nobody has to type it off.', 'All that is known.',
                'missing_capability', 'negative', 'high', 'reporting', '{typing}', $5, 'Ines Okafor', $6, 'Quarterly review',
                'https://us-1.app.gong.io/call?id=7', now() - interval '2 days', 'maker', 'basic/1', now()) returning id",
        )
        .bind(org.id)
        .bind(post)
        .bind(call)
        .bind(title)
        .bind(json!([{ "text": format!("We need to {title}."), "place": { "turn": 0, "sentence": 0 }, "speaker": "Ines Okafor",
            "side": "customer", "account": account, "start_ms": 61_000, "end_ms": 63_500 }]))
        .bind(*account)
        .fetch_one(pool)
        .await
        .unwrap();
        made.evidence.push(format!("evid_{}", evidence.simple()));
        made.calls.push(format!("call_{}", call.simple()));
    }
    made
}

/// A call that was looked at for feedback.
async fn heard(world: &World, org: &Org, account: &str) -> Uuid {
    let call: Uuid = sqlx::query_scalar(
        "insert into gong_calls (id, organization_id, connection_id, gong_call_id, title, started_at, transcript_state, looked_at, created_at)
         select gen_random_uuid(), $1, c.id, gen_random_uuid()::text, 'Review with ' || $2, now() - interval '2 days', 'stored', now(), now()
         from gong_connections c where c.organization_id = $1 limit 1 returning id",
    )
    .bind(org.id)
    .bind(account)
    .fetch_one(world.db.pool())
    .await
    .unwrap();
    sqlx::query(
        "insert into feedback_calls (call_id, organization_id, state, items, due_at, stored_at, finished_at)
         values ($1, $2, 'done', 1, now(), now(), now())",
    )
    .bind(call)
    .bind(org.id)
    .execute(world.db.pool())
    .await
    .unwrap();
    call
}

/// The tables of ours.
pub(crate) async fn tables(world: &World) -> Vec<String> {
    sqlx::query_scalar(
        "select c.relname::text from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
         and c.relname <> '_sqlx_migrations' order by 1",
    )
    .fetch_all(world.db.pool())
    .await
    .unwrap()
}

/// A hash of every table's rows, as the superuser sees them; of one organization where it is named.
pub(crate) async fn fingerprint(world: &World, org: Option<&Org>) -> BTreeMap<String, String> {
    // What every request may touch: when a session or key was used last, and tries to log in.
    const MOVING: [&str; 4] = ["sessions", "login_tries", "known_devices", "worker_heartbeats"];
    let mut all = BTreeMap::new();
    for table in tables(world).await.into_iter().filter(|t| !MOVING.contains(&t.as_str())) {
        let filter = match (org, table.as_str()) {
            (None, _) => "$1::uuid is null",
            // They belong to no organization: what is left of erased ones, and the switch that stops everything.
            (Some(_), "erased_organizations" | "gong_stop" | "worker_silence") => "$1::uuid is not null",
            (Some(_), "organizations") => "r.id = $1",
            (Some(_), "users") => {
                "exists (select 1 from memberships m where m.user_id = r.id and m.organization_id = $1)"
            }
            (Some(_), _) => "r.organization_id = $1",
        };
        let query = format!(
            "select coalesce(md5(string_agg(r::text, '|' order by r::text)), '') from {table} r where {filter}"
        );
        let hash: String = sqlx::query_scalar(sqlx::AssertSqlSafe(query))
            .bind(org.map(|org| org.id.uuid()))
            .fetch_one(world.db.pool())
            .await
            .unwrap();
        all.insert(table, hash);
    }
    all
}

/// Whether any row of any table holds this text.
pub(crate) async fn is_stored(world: &World, text: &str) -> bool {
    for table in tables(world).await {
        let query = format!("select exists (select 1 from {table} r where position($1 in r::text) > 0)");
        let found: bool = sqlx::query_scalar(sqlx::AssertSqlSafe(query))
            .bind(text)
            .fetch_one(world.db.pool())
            .await
            .unwrap();
        if found {
            return true;
        }
    }
    false
}

/// An open stream of live events.
#[derive(Debug)]
pub(crate) struct Live {
    socket: TcpStream,
    /// What came so far, the head included.
    pub(crate) text: String,
}

impl Live {
    /// Opens one about the connection, with these header lines.
    pub(crate) async fn open(browser: &Browser, header: &str) -> Self {
        Self::open_at(browser, "/api/v1/integrations/gong/events", header).await
    }

    /// Opens one at an address, with these header lines.
    pub(crate) async fn open_at(browser: &Browser, path: &str, header: &str) -> Self {
        let port = browser.base.port().unwrap();
        let mut socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nhost: localhost:{port}\r\n{header}\r\n\r\n");
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut live = Self { socket, text: String::new() };
        while !live.text.contains("\ndata:") {
            assert!(live.read().await, "the stream ended: {}", live.text);
        }
        live
    }

    /// Opens one with the browser's session.
    pub(crate) async fn of_session(browser: &Browser) -> Self {
        Self::open(browser, &format!("cookie: soundpost={}", browser.cookie("soundpost").unwrap())).await
    }

    /// Reads what comes next; false at the end.
    pub(crate) async fn read(&mut self) -> bool {
        let mut buffer = [0; 8192];
        let count = self.socket.read(&mut buffer).await.unwrap_or(0);
        self.text.push_str(&String::from_utf8_lossy(&buffer[..count]));
        // The last chunk is the end too.
        count > 0 && !self.text.ends_with("\r\n0\r\n\r\n")
    }
}
