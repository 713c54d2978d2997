//! An organization as lines of JSON, out and in: a head, a line a row, an end. Read page by page, so that it takes little
//! memory however much there is. Knows which room holds which table; no secret is among the rows.

mod import;

use std::collections::VecDeque;

use accounts::{Entry, Permission, actions};
use axum::body::Body;
use db::Db;
use kernel::{Ambient, OrganizationId, Scope};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;

pub use import::{Import, Imported, TransferError};

use crate::{AppState, Problem, auth::Caller};

/// The name of the format.
pub(crate) const FORMAT: &str = "soundpost-export";
/// Its version.
pub(crate) const VERSION: i64 = 1;
/// Rows of one page.
const PAGE: i64 = 200;
/// Exports that one process writes at once.
static EXPORTS: Semaphore = Semaphore::const_new(2);

/// Which room holds a table.
#[derive(Debug, Clone, Copy)]
enum Room {
    Accounts,
    Connector,
    Ingest,
}

/// An export under way.
#[derive(Debug)]
pub struct Export {
    db: Db,
    scope: Scope,
    head: Option<Value>,
    tables: VecDeque<(Room, &'static str)>,
    after: Option<String>,
    rows: u64,
    ended: bool,
}

impl Export {
    /// The export of the scope's organization; the caller has been checked.
    pub fn new(db: Db, scope: Scope, ambient: &dyn Ambient) -> Self {
        let accounts = accounts::exported();
        let log = |table: &&&str| **table == "audit_log";
        let people = accounts.iter().filter(|table| !log(table)).map(|table| (Room::Accounts, *table));
        let calls = ingest::exported().into_iter().map(|table| (Room::Ingest, table));
        let connections = std::iter::once((Room::Connector, connector::EXPORTED));
        let activity = accounts.iter().filter(log).map(|table| (Room::Accounts, *table));
        let now = ambient.now().format(&time::format_description::well_known::Rfc3339).unwrap_or_default();
        Self {
            db,
            scope,
            head: Some(json!({
                "format": FORMAT, "version": VERSION, "organization": scope.organization(), "exported_at": now,
            })),
            tables: people.chain(connections).chain(calls).chain(activity).collect(),
            after: None,
            rows: 0,
            ended: false,
        }
    }

    /// The next lines, each with its end of line; nothing after the last one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn next(&mut self) -> Result<Option<String>, TransferError> {
        if let Some(head) = self.head.take() {
            return Ok(Some(format!("{head}\n")));
        }
        while let Some((room, table)) = self.tables.front().copied() {
            let page = self.page(room, table).await?;
            let Some((last, _)) = page.last() else {
                self.tables.pop_front();
                self.after = None;
                continue;
            };
            self.after = Some(last.clone());
            self.rows += page.len() as u64;
            let line = |(_, row)| format!("{}\n", json!({ "table": table, "row": row }));
            return Ok(Some(page.into_iter().map(line).collect()));
        }
        let end = (!self.ended).then(|| format!("{}\n", json!({ "end": true, "rows": self.rows })));
        self.ended = true;
        Ok(end)
    }

    async fn page(&self, room: Room, table: &str) -> Result<Vec<(String, Value)>, TransferError> {
        let mut tx = self.db.begin(&self.scope).await?;
        let after = self.after.as_deref();
        Ok(match room {
            Room::Accounts => accounts::export_page(&mut tx, table, after, PAGE).await?,
            Room::Connector => connector::export_page(&mut tx, after, PAGE).await?,
            Room::Ingest => ingest::export_page(&mut tx, table, after, PAGE).await?,
        })
    }
}

/// The export as the body of an answer. It is written while it is read; a reader that goes away ends it.
///
/// # Errors
/// 403 below owner; 503 when two exports are being written already.
pub(crate) async fn body(state: &AppState, caller: &Caller) -> Result<Body, Problem> {
    caller.require(state, Permission::ExportOrganization).await?;
    let permit = EXPORTS.try_acquire().map_err(|_| {
        Problem::new(
            http::StatusCode::SERVICE_UNAVAILABLE,
            "too_many_exports",
            "Other exports are being written. Try again in a minute.",
        )
    })?;
    let mut tx = caller.begin(state).await?;
    accounts::audit(&mut tx, Entry::new(actions::ORGANIZATION_EXPORTED, &caller.request), &*state.ambient)
        .await?;
    tx.commit().await?;
    let mut export = Export::new(state.db.clone(), caller.scope, &*state.ambient);
    let (send, lines) = mpsc::channel::<Result<String, std::io::Error>>(2);
    tokio::spawn(async move {
        let _permit = permit;
        loop {
            let line = match export.next().await {
                Ok(Some(line)) => Ok(line),
                Ok(None) => return,
                // The connection is cut, so that the reader sees that the end is missing.
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "An export could not be written to its end."
                    );
                    Err(std::io::Error::other("the export failed"))
                }
            };
            let failed = line.is_err();
            if send.send(line).await.is_err() || failed {
                return;
            }
        }
    });
    Ok(Body::from_stream(ReceiverStream::new(lines)))
}

/// The name of the file that an export is stored in.
pub(crate) fn file_name(organization: OrganizationId) -> String {
    format!("soundpost-{organization}.jsonl")
}
