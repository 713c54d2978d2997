//! An organization as lines of JSON, out and in: a head, a line a row, an end. Read page by page, so that it takes little
//! memory however much there is. Knows which room holds which table; no secret is among the rows.

mod import;

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use accounts::{Entry, Permission, actions};
use axum::body::Body;
use db::Db;
use http::StatusCode;
use kernel::{Ambient, OrganizationId, Scope};
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;

pub use import::{Import, Imported, TransferError};

use crate::{
    AppState, Problem,
    auth::{self, ApiCaller, Credential},
};

/// The name of the format.
pub(crate) const FORMAT: &str = "soundpost-export";
/// Its version.
pub(crate) const VERSION: i64 = 1;
/// Rows of one page.
const PAGE: i64 = 200;
/// Exports that one process writes at once, one for each organization.
const MOST: usize = 2;
/// How long one may take to be read; less than an unused session lives.
const LONGEST: Duration = Duration::from_secs(25 * 60);

/// Whose exports this process is writing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Exports(Arc<Mutex<HashSet<OrganizationId>>>);

/// One of them; dropped when it ends.
#[derive(Debug)]
pub(crate) struct Place {
    exports: Exports,
    organization: OrganizationId,
}

impl Exports {
    /// A place for one more export.
    ///
    /// # Errors
    /// 429 while one of the organization is being written; 503 when others are.
    pub(crate) fn take(&self, organization: OrganizationId) -> Result<Place, Problem> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = |status, detail| {
            let wait = Duration::from_secs(60);
            Err(Problem::new(status, "too_many_exports", detail).after(wait))
        };
        if all.contains(&organization) {
            let detail =
                "An export of this organization is being written. Read that one, or try again later.";
            return refused(StatusCode::TOO_MANY_REQUESTS, detail);
        }
        if all.len() >= MOST {
            let detail = "Other exports are being written. Try again in a minute.";
            return refused(StatusCode::SERVICE_UNAVAILABLE, detail);
        }
        all.insert(organization);
        Ok(Place { exports: self.clone(), organization })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.exports.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.organization);
    }
}

/// Which room holds a table.
#[derive(Debug, Clone, Copy)]
enum Room {
    Accounts,
    Connector,
    Ingest,
    Feedback,
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
        let feedback = feedback::exported().into_iter().map(|table| (Room::Feedback, table));
        let connections = std::iter::once((Room::Connector, connector::EXPORTED));
        let activity = accounts.iter().filter(log).map(|table| (Room::Accounts, *table));
        let now = ambient.now().format(&time::format_description::well_known::Rfc3339).unwrap_or_default();
        Self {
            db,
            scope,
            head: Some(json!({
                "format": FORMAT, "version": VERSION, "organization": scope.organization(), "exported_at": now,
            })),
            tables: people.chain(connections).chain(calls).chain(feedback).chain(activity).collect(),
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
            Room::Feedback => feedback::export_page(&mut tx, table, after, PAGE).await?,
        })
    }
}

type Lines = mpsc::Sender<Result<String, std::io::Error>>;

/// The export as the body of an answer. It is written while it is read; it ends early when the reader goes away, no longer may
/// have it, or takes longer than 25 minutes.
///
/// # Errors
/// 403 below owner; 429 while one of the organization is being written; 503 when two others are.
pub(crate) async fn body(state: &AppState, caller: &ApiCaller) -> Result<Body, Problem> {
    caller.require(state, Permission::ExportOrganization).await?;
    let place = state.exports.take(caller.scope.organization())?;
    let mut tx = caller.begin(state).await?;
    accounts::audit(&mut tx, Entry::new(actions::ORGANIZATION_EXPORTED, &caller.request), &*state.ambient)
        .await?;
    tx.commit().await?;
    let export = Export::new(state.db.clone(), caller.scope, &*state.ambient);
    let (send, lines) = mpsc::channel(2);
    let (state, credential) = (state.clone(), caller.credential.clone());
    tokio::spawn(async move {
        let written = timeout(LONGEST, write(&state, &credential, export, &send)).await;
        drop(place);
        if !matches!(written, Ok(Ok(true))) {
            match written {
                Ok(Err(error)) => {
                    let why = &error as &dyn std::error::Error;
                    tracing::error!(error = why, "An export could not be written to its end.");
                }
                _ => {
                    tracing::warn!("An export was ended: its reader may no longer have it, or took too long.")
                }
            }
            // The connection is cut, so that the reader sees that the end is missing; a full channel has no reader to tell.
            send.try_send(Err(std::io::Error::other("the export failed"))).ok();
        }
    });
    Ok(Body::from_stream(ReceiverStream::new(lines)))
}

/// Writes it to its end, or until nobody reads it; false when the reader may no longer have it.
async fn write(
    state: &AppState,
    credential: &Credential,
    mut export: Export,
    to: &Lines,
) -> Result<bool, TransferError> {
    while let Some(lines) = export.next().await? {
        if to.send(Ok(lines)).await.is_err() {
            return Ok(true);
        }
        // A database that cannot tell ends it, too.
        let now = auth::recheck(state, credential).await.ok().flatten();
        if !now.is_some_and(|now| may_have(&now, &export.scope)) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn may_have(now: &Scope, then: &Scope) -> bool {
    now.organization() == then.organization() && Permission::ExportOrganization.granted_to(now.actor())
}

/// The name of the file that an export is stored in.
pub(crate) fn file_name(organization: OrganizationId) -> String {
    format!("soundpost-{organization}.jsonl")
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::SystemAmbient;

    #[test]
    fn there_is_one_export_of_an_organization_and_two_in_all() {
        let exports = Exports::default();
        let [one, two, three] = [(); 3].map(|()| OrganizationId::mint(&SystemAmbient));
        let first = exports.take(one).unwrap();
        assert_eq!(exports.take(one).unwrap_err().status, StatusCode::TOO_MANY_REQUESTS);
        let _second = exports.take(two).unwrap();
        assert_eq!(exports.take(three).unwrap_err().status, StatusCode::SERVICE_UNAVAILABLE);
        drop(first);
        exports.take(three).unwrap();
    }
}
