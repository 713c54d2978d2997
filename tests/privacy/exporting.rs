//! Taking an organization along: the export holds everything but secrets, and reads back in to the same.

use std::collections::BTreeMap;

use gong_sim::NewCall;
use serde_json::{Value, json};
use stories::{PASSWORD, World};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The rows of an export by table, without what cannot come along.
fn rows(export: &str) -> BTreeMap<String, Vec<Value>> {
    let lines: Vec<Value> = export.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["format"], &lines[0]["version"]), (&json!("soundpost-export"), &json!(1)));
    let end = lines.last().unwrap();
    assert_eq!((&end["end"], &end["rows"]), (&json!(true), &json!(lines.len() - 2)));
    let mut tables: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in &lines[1..lines.len() - 1] {
        let table = line["table"].as_str().unwrap().to_owned();
        let mut row = line["row"].clone();
        match table.as_str() {
            "gong_connections" => {
                for field in ["status", "disconnected_at", "reason", "paused_until"] {
                    row[field] = Value::Null;
                }
            }
            "gong_schedules" => row["active"] = Value::Null,
            _ => {}
        }
        tables.entry(table).or_default().push(row);
    }
    tables
}

async fn export(db: &db::Db, organization: kernel::OrganizationId) -> String {
    let scope = kernel::Scope::operator(organization);
    let mut export = web::Export::new(db.clone(), scope, &kernel::SystemAmbient);
    let mut text = String::new();
    while let Some(lines) = export.next().await.unwrap() {
        text.push_str(&lines);
    }
    text
}

async fn import(db: &db::Db, text: &str) -> Result<web::Imported, web::TransferError> {
    let hasher = accounts::PasswordHasher::new(1);
    let mut import = web::Import::new(db.clone(), &hasher, &kernel::SystemAmbient).await?;
    for line in text.lines() {
        import.line(line).await?;
    }
    import.finish()
}

#[tokio::test]
async fn ten_19_an_export_reads_back_in_to_the_same_content_and_holds_no_secret() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    for n in 0..230 {
        let at = world.sim.now() - time::Duration::minutes(n);
        let title = format!("Call {n} \"quoted\" äöü");
        world
            .sim
            .add_call(acme.company, NewCall::new().started(at).title(&title).say(0, "Bytes \\u00e4 stay."));
    }
    world.sim.add_call(acme.company, NewCall::new().private(Some(true)));
    world.connect(&acme, Some(7)).await;
    acme.browser.post("/api/v1/members", json!({ "email": "ana@people.example", "role": "member" })).await;
    acme.browser.post("/api/v1/privacy/erasures", json!({ "email": "gone@people.example" })).await;
    world.settle().await;
    // An admin's key does not get it; the owner does.
    assert_eq!(acme.api.get("/api/v1/export").await.status, 403);
    let answer = acme.browser.get("/api/v1/export").await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/x-ndjson"));
    let text = answer.text;
    let tables = rows(&text);
    for (table, least) in [
        ("organizations", 1),
        ("users", 2),
        ("memberships", 2),
        ("gong_connections", 1),
        ("gong_schedules", 1),
        ("gong_runs", 1),
        ("gong_calls", 230),
        ("gong_transcripts", 230),
        ("gong_tombstones", 1),
        ("gong_erasures", 1),
        ("audit_log", 5),
    ] {
        assert!(tables.get(table).is_some_and(|rows| rows.len() >= least), "{table}");
    }
    // No hash, no token, no sealed text; neither the word nor the values.
    let secrets = "select password_hash from users union all select access_sealed from gong_credentials
                   union all select refresh_sealed from gong_credentials union all select sealed from organization_secrets
                   union all select encode(secret_hash, 'hex') from api_keys";
    let secrets: Vec<String> = sqlx::query_scalar(secrets).fetch_all(world.db.pool()).await.unwrap();
    assert!(secrets.len() >= 6);
    for secret in secrets {
        assert!(!text.contains(&secret));
    }
    for word in ["password", "secret_hash", "sealed", "gone@people.example"] {
        assert!(!text.contains(&format!("\"{word}")), "{word}");
    }
    // Into an empty installation, and out again.
    let fresh = stories::fresh_database().await;
    let db = db::Db::connect(&fresh.url, 4).await.unwrap();
    let text = export(&world.db, acme.id).await;
    let imported = import(&db, &text).await.unwrap();
    assert_eq!(imported.organization, acme.id);
    let (before, mut after) = (rows(&text), rows(&export(&db, acme.id).await));
    after.insert("api_keys".into(), before["api_keys"].clone());
    for (table, rows) in &before {
        assert_eq!(after.get(table), Some(rows), "{table}");
    }
    assert_eq!(before.len(), after.len());
    let mut tx = db.begin(&kernel::Scope::operator(acme.id)).await.unwrap();
    let known = connector::current(&mut tx).await.unwrap();
    assert!(known.is_none_or(|c| c.status == kernel::ConnectionStatus::Disconnected));
    drop(tx);
    // A second time it is refused, and nothing is doubled.
    assert_eq!(
        import(&db, &text).await.unwrap_err().to_string(),
        "organization is here already; import into a fresh installation"
    );
    world.finish().await;
}

#[tokio::test]
async fn ten_19_a_file_that_is_cut_off_or_no_export_is_noticed() {
    let world =
        World::with(stories::WorldOptions { workers: false, ..stories::WorldOptions::default() }).await;
    let acme = world.organization("acme").await;
    let text = export(&world.db, acme.id).await;
    let fresh = stories::fresh_database().await;
    let db = db::Db::connect(&fresh.url, 4).await.unwrap();
    for bad in ["", "[]", "{}", "{\"format\":\"soundpost-export\",\"version\":2,\"organization\":null}"] {
        assert!(import(&db, bad).await.is_err(), "{bad}");
    }
    let cut: String = text.lines().take(text.lines().count() - 1).map(|line| format!("{line}\n")).collect();
    assert!(import(&db, &cut).await.unwrap_err().to_string().starts_with("the file is cut off"));
    world.finish().await;
}

#[tokio::test]
async fn ten_19_who_loses_the_role_while_the_export_is_read_does_not_get_the_rest() {
    let world =
        World::with(stories::WorldOptions { workers: false, ..stories::WorldOptions::default() }).await;
    let acme = world.organization("acme").await;
    let bob = json!({ "email": "bob@people.example", "role": "owner" });
    let bob = acme.browser.post("/api/v1/members", bob).await.json();
    let browser = world.browser();
    browser.log_in("bob@people.example", bob["initial_password"].as_str().unwrap()).await;
    let change = json!({ "current_password": bob["initial_password"], "new_password": PASSWORD });
    assert_eq!(browser.post("/api/v1/me/password", change).await.status, 204);
    // More than fits between a server and a reader that does not read.
    sqlx::query(
        "insert into audit_log (id, organization_id, at, actor_kind, action, detail)
         select gen_random_uuid(), $1, now(), 'job', 'story', jsonb_build_object('text', repeat('x', 15000)) from generate_series(1, 3000)",
    )
    .bind(acme.id)
    .execute(world.db.pool())
    .await
    .unwrap();
    let port = browser.base.port().unwrap();
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let cookie = browser.cookie("soundpost").unwrap();
    let head = format!(
        "GET /api/v1/export HTTP/1.1\r\nhost: localhost:{port}\r\ncookie: soundpost={cookie}\r\nconnection: close\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut start = [0; 1000];
    socket.read_exact(&mut start).await.unwrap();
    assert!(start.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&start));
    let second = browser.get("/api/v1/export").await;
    assert_eq!((second.status.as_u16(), second.code().as_str()), (429, "too_many_exports"));

    let removed = acme.browser.delete(&format!("/api/v1/members/{}", bob["id"].as_str().unwrap())).await;
    assert_eq!(removed.status, 204, "{}", removed.text);

    let mut rest = Vec::new();
    let end = tokio::time::timeout(std::time::Duration::from_secs(20), socket.read_to_end(&mut rest)).await;
    assert!(end.is_ok(), "it ends");
    let rest = String::from_utf8_lossy(&rest);
    assert!(!rest.contains("\"end\":true"), "the last line is missing");
    let rows = rest.matches("\"action\":\"story\"").count();
    assert!(rows < 3000, "{rows} of 3000");
    world.finish().await;
}
