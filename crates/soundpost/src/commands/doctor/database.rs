//! The database: does it answer, is it set up for us, is the schema this program's, do the walls stand.

use std::{error::Error, future::Future, time::Duration};

use db::Db;
use kernel::{Ambient, ExposeSecret, SystemAmbient};

use super::{
    finding::{Check, Class},
    outside,
};
use crate::settings::Settings;

/// How long all looks of one kind may take together.
const PATIENCE: Duration = Duration::from_secs(8);
/// Statements of ours may take so long.
const STATEMENT_MS: i64 = 30_000;
/// Connections beside the pool: workers, news, migrations.
const BESIDE_POOL: i64 = 6;

/// Ends with words for people, whatever goes wrong.
pub(super) async fn in_time<T, E: Error>(look: impl Future<Output = Result<T, E>>) -> Result<T, String> {
    match tokio::time::timeout(PATIENCE, look).await {
        Ok(Ok(seen)) => Ok(seen),
        Ok(Err(error)) => Err(cause(&error)),
        Err(_) => Err("no answer within eight seconds".to_owned()),
    }
}

async fn open(url: &str, most: u32) -> Result<Db, db::DbError> {
    db::reach(url).await?;
    Db::connect(url, most).await
}

/// The innermost words: the server's, or the system's.
fn cause(error: &dyn Error) -> String {
    let mut last = error;
    while let Some(next) = last.source() {
        last = next;
    }
    last.to_string()
}

fn fault(check: &'static str, found: impl Into<String>, fix: &str) -> Check {
    Check::fault(Class::Database, check, found, fix)
}

/// Gives the database back where the tables can be looked at.
pub(super) async fn check(url: &str, settings: Option<&Settings>, checks: &mut Vec<Check>) -> Option<Db> {
    let db = match in_time(open(url, 3)).await {
        Ok(db) => db,
        Err(why) => {
            let fix =
                "check DATABASE_URL (address, user, password, name) and that PostgreSQL 15 or later runs";
            checks.push(fault("database", why, fix));
            return None;
        }
    };
    let server = match in_time(db::server(db.pool())).await {
        Ok(server) => server,
        Err(why) => {
            checks.push(fault("database", why, "look at the log of PostgreSQL"));
            return None;
        }
    };
    checks.push(Check::ok(Class::Database, "database", "answers"));
    checks.push(outside::clock("the database's", server.now, SystemAmbient.now()));
    set_up(&server, settings, checks);
    checks.push(news(&db).await);
    if let Some(settings) = settings {
        checks.extend(pooler(settings, &server).await);
    }
    let usable = schema(&db, checks).await;
    if usable {
        walls(&db, checks).await;
    }
    usable.then_some(db)
}

fn set_up(server: &db::Server, settings: Option<&Settings>, checks: &mut Vec<Check>) {
    if server.version < 150_000 {
        let found = format!("PostgreSQL {} is too old", server.version / 10_000);
        checks.push(fault("server version", found, "use PostgreSQL 15 or later"));
    }
    if server.read_only {
        checks.push(fault(
            "read only",
            "the database takes no changes: it is a standby, or set to read only",
            "let DATABASE_URL name the primary, or unset default_transaction_read_only",
        ));
    }
    if (1..STATEMENT_MS).contains(&server.statement_timeout) {
        checks.push(Check::warning(
            Class::Database,
            "statement timeout",
            format!("statements are cut off after {} ms", server.statement_timeout),
            "set statement_timeout of this user or database to 0 or to 30s and more",
        ));
    }
    let Some(settings) = settings else { return };
    let wanted = i64::from(settings.database_connections) + BESIDE_POOL;
    checks.push(if wanted <= server.connections {
        Check::ok(Class::Database, "connections", format!("{wanted} of {} a process", server.connections))
    } else {
        Check::fault(
            Class::Database,
            "connections",
            format!("a process wants up to {wanted} connections, and the server gives {}", server.connections),
            "lower SOUNDPOST_DATABASE_CONNECTIONS, or raise max_connections (or CONNECTION LIMIT of user or database)",
        )
    });
}

async fn news(db: &Db) -> Check {
    const CHECK: &str = "news";
    let fix =
        "let DATABASE_URL go to PostgreSQL itself; an address of a pooler belongs into SOUNDPOST_POOLER_URL";
    match in_time(db::hears_news(db.pool())).await {
        Ok(true) => Check::ok(Class::Database, CHECK, "LISTEN and NOTIFY work"),
        Ok(false) => fault(CHECK, "LISTEN hears nothing: a pooler lends connections by transaction", fix),
        Err(why) => fault(CHECK, why, fix),
    }
}

async fn pooler(settings: &Settings, direct: &db::Server) -> Option<Check> {
    const CHECK: &str = "pooler";
    let url = settings.pooler_url.as_ref()?.expose_secret();
    let asked = async {
        let db = open(url, 1).await?;
        db::server(db.pool()).await
    };
    Some(match in_time(asked).await {
        Ok(server) if server.identity == direct.identity => {
            Check::ok(Class::Database, CHECK, "leads to the same database")
        }
        Ok(_) => fault(
            CHECK,
            "SOUNDPOST_POOLER_URL and DATABASE_URL lead to different databases",
            "let both name the same database of the same server",
        ),
        Err(why) => fault(CHECK, why, "check SOUNDPOST_POOLER_URL and that the pooler runs, or unset it"),
    })
}

/// Whether the tables are those that this program knows.
async fn schema(db: &Db, checks: &mut Vec<Check>) -> bool {
    const CHECK: &str = "migrations";
    let schema = match in_time(db::schema(db.pool())).await {
        Ok(schema) => schema,
        Err(why) => {
            checks.push(fault(
                CHECK,
                why,
                "let the user of DATABASE_URL read _sqlx_migrations, or run `soundpost migrate`",
            ));
            return false;
        }
    };
    if schema.missing > 0 {
        checks.push(fault(CHECK, format!("{} are missing", schema.missing), "run `soundpost migrate`"));
    }
    if schema.newer > 0 {
        let found = format!("{} are unknown here: a newer version was at work", schema.newer);
        checks.push(Check::warning(Class::Database, CHECK, found, "run the newer version of Soundpost"));
    }
    if schema.different > 0 {
        let found = format!("{} were applied with another content, or broke off", schema.different);
        checks.push(fault(
            CHECK,
            found,
            "restore the database, or run the version of Soundpost that belongs to it",
        ));
    }
    if schema == db::Schema::default() {
        checks.push(Check::ok(Class::Database, CHECK, "all applied"));
    }
    schema.missing == 0
}

async fn walls(db: &Db, checks: &mut Vec<Check>) {
    const CHECK: &str = "row-level security";
    let walls = match in_time(db::walls(db.pool())).await {
        Ok(walls) => walls,
        Err(why) => {
            checks.push(fault(CHECK, why, "look at the log of PostgreSQL"));
            return;
        }
    };
    let before = checks.len();
    let mut name = |names: &[String], words: &str, fix: &str| {
        if !names.is_empty() {
            checks.push(fault(CHECK, format!("{words}: {}", names.join(", ")), fix));
        }
    };
    name(
        &walls.roles_out_of_reach,
        "the user of DATABASE_URL may not take these roles",
        "grant soundpost_app, soundpost_fleet to <user>; docs/SECURITY.md lists everything that it needs",
    );
    name(
        &walls.roles_too_strong,
        "these roles go past the walls between organizations",
        "alter role <role> nosuperuser nobypassrls",
    );
    name(
        &walls.tables_open,
        "these tables do not keep organizations apart",
        "alter table <table> enable row level security, force row level security; its policy stands in the migrations",
    );
    if checks.len() == before {
        checks.push(Check::ok(Class::Database, CHECK, "every table of organizations is walled"));
    }
}
