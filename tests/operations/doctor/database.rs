//! Planted: a database that is away, another one, or set up in a way that cannot work.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
};
use url::Url;

use super::{Patient, SECRET};

/// Carries everything to the database and back but its notifications, as a pooler does that lends connections by transaction.
async fn mute(url: &Url) -> Url {
    let target = (url.host_str().unwrap_or_default().to_owned(), url.port().unwrap_or(5432));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mut through = url.clone();
    through.set_port(listener.local_addr().ok().map(|a| a.port())).expect("a port");
    through.set_host(Some("127.0.0.1")).expect("a host");
    through.query_pairs_mut().append_pair("sslmode", "disable");
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let Ok(server) = TcpStream::connect(target.clone()).await else { continue };
            let (mut from_client, to_client) = client.into_split();
            let (from_server, mut to_server) = server.into_split();
            tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await.ok() });
            tokio::spawn(without_notifications(from_server, to_client));
        }
    });
    through
}

async fn without_notifications(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> Option<()> {
    loop {
        let mut head = [0; 5];
        from.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes(head[1..].try_into().ok()?) as usize;
        let mut body = vec![0; length.checked_sub(4)?];
        from.read_exact(&mut body).await.ok()?;
        if head[0] != b'A' {
            to.write_all(&head).await.ok()?;
            to.write_all(&body).await.ok()?;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ops_09_a_database_that_is_away_or_another_one_is_found() {
    let patient = Patient::new().await;
    let url = Url::parse(&patient.world.database.url).unwrap();
    let away = format!("postgres://soundpost:{SECRET}@127.0.0.1:1/soundpost");
    patient.asks(&[("DATABASE_URL", &away)]).is("database database", 12);
    let mut nowhere = url.clone();
    nowhere.set_path("there_is_no_such_database");
    patient.asks(&[("DATABASE_URL", nowhere.as_str())]).is("database database", 12);
    let empty = std::env::var("SOUNDPOST_TEST_DATABASE_URL").unwrap();
    patient.asks(&[("DATABASE_URL", &empty)]).is("database migrations", 12);
    patient.asks(&[("DATABASE_URL", mute(&url).await.as_str())]).is("database news", 12);
    patient.asks(&[("SOUNDPOST_POOLER_URL", &away)]).is("database pooler", 12);
    patient.asks(&[("SOUNDPOST_POOLER_URL", &empty)]).is("database pooler", 12);
    assert_eq!(patient.asks(&[("SOUNDPOST_POOLER_URL", url.as_str())]).code, 0);
    patient.world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ops_09_a_schema_that_is_not_this_programs_is_found() {
    let patient = Patient::new().await;
    patient.sql("create table kept as select * from _sqlx_migrations").await;
    for (plant, code) in [
        ("delete from _sqlx_migrations where version = (select max(version) from kept)", 12),
        (
            "insert into _sqlx_migrations select 99990101, 'later', now(), true, checksum, 1 from kept limit 1",
            22,
        ),
        ("update _sqlx_migrations set checksum = '\\x00' where version = 1", 12),
        ("update _sqlx_migrations set success = false where version = 1", 12),
    ] {
        patient.sql(plant).await;
        patient.asks(&[]).is("database migrations", code);
        patient.sql("delete from _sqlx_migrations; insert into _sqlx_migrations select * from kept").await;
    }
    assert_eq!(patient.asks(&[]).code, 0);
    patient.world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ops_09_a_server_that_is_set_up_wrong_is_found_and_nothing_is_written() {
    let patient = Patient::new().await;
    let name = patient.world.database.name.clone();
    let set = async |what: &str| {
        let statement = format!("alter database {name} {what}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(patient.world.db.pool()).await.unwrap();
    };
    set("connection limit 10").await;
    patient.asks(&[]).is("database connections", 12);
    set("connection limit -1").await;
    patient.asks(&[("SOUNDPOST_DATABASE_CONNECTIONS", "500")]).is("database connections", 12);
    set("set statement_timeout = '900ms'").await;
    patient.asks(&[]).is("database statement timeout", 22);
    set("reset statement_timeout").await;
    // Every other check goes on: a doctor that wrote anything would be refused here.
    set("set default_transaction_read_only = on").await;
    patient.asks(&[]).is("database read only", 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn ops_09_walls_that_do_not_stand_are_found() {
    let patient = Patient::new().await;
    for (plant, undo) in [
        (
            "alter table gong_calls no force row level security",
            "alter table gong_calls force row level security",
        ),
        (
            "alter table audit_log disable row level security",
            "alter table audit_log enable row level security",
        ),
        ("create table more (organization_id uuid)", "drop table more"),
    ] {
        patient.sql(plant).await;
        patient.asks(&[]).is("database row-level security", 12);
        patient.sql(undo).await;
    }
    let role = format!("doctor_{}", patient.world.database.name);
    let make = format!(
        "create role {role} login password '{SECRET}'; grant select on _sqlx_migrations, worker_heartbeats to {role};"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(make)).execute(patient.world.db.pool()).await.unwrap();
    let mut url = Url::parse(&patient.world.database.url).unwrap();
    url.set_username(&role).unwrap();
    url.set_password(Some(SECRET)).unwrap();
    let diagnosis = patient.asks(&[("DATABASE_URL", url.as_str())]);
    let drop = format!("drop owned by {role}; drop role {role}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(drop)).execute(patient.world.db.pool()).await.unwrap();
    diagnosis.has("database row-level security", 12);
    diagnosis.has("database stored state", 12);
    assert_eq!(patient.asks(&[]).code, 0);
    patient.world.finish().await;
}
