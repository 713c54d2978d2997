//! The audit log: who did what to what, from where. It only grows.
//!
//! Knows no action's meaning. Whatever comes in as detail is masked here, so that no caller can forget it.

use std::net::IpAddr;

use db::{FleetTx, Tx};
use kernel::{Actor, Ambient, AuditId, OrganizationId};
use serde_json::{Map, Value, json};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    AccountsError, Cursor, Listing, PageSize, Permission,
    actions::{self, Action},
    require,
    store::{audit as store, fleet::audit::insert_everywhere},
};

/// The most bytes that the detail of one line may have.
const MOST_DETAIL: usize = 16 * 1024;

/// Words in a field's name that mean its value must not be kept.
const SECRET_WORDS: [&str; 7] =
    ["password", "secret", "token", "authorization", "cookie", "access_key", "credential"];

/// Which request led to a line; empty for jobs and the command line.
#[derive(Debug, Clone, Default)]
pub struct RequestInfo {
    /// The id that the answer carried.
    pub request_id: Option<String>,
    /// Where the request came from.
    pub ip: Option<IpAddr>,
}

/// A line to be written.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What happened.
    pub action: Action,
    /// What it happened to, as an id or a name.
    pub target: Option<String>,
    /// What was before and after; secrets are masked when the line is written.
    pub detail: Value,
    /// Which request led to it.
    pub request: RequestInfo,
}

impl Entry {
    /// A line about an action of a request.
    pub fn new(action: Action, request: &RequestInfo) -> Self {
        Self { action, target: None, detail: json!({}), request: request.clone() }
    }

    /// Names what it happened to.
    #[must_use]
    pub fn target(mut self, target: impl ToString) -> Self {
        self.target = Some(target.to_string());
        self
    }

    /// Adds details.
    #[must_use]
    pub fn detail(mut self, detail: Value) -> Self {
        self.detail = detail;
        self
    }

    /// Adds what was before and what is after.
    #[must_use]
    pub fn change(self, before: impl ToString, after: impl ToString) -> Self {
        self.detail(json!({ "before": before.to_string(), "after": after.to_string() }))
    }
}

/// A line of the log.
#[derive(Debug, Clone)]
pub struct AuditLine {
    /// The line's id.
    pub id: AuditId,
    /// When it happened.
    pub at: OffsetDateTime,
    /// `user`, `api_key`, `job` or `operator`.
    pub actor_kind: String,
    /// The actor's id with its prefix, where it has one.
    pub actor_id: Option<String>,
    /// The e-mail address or the key's prefix as it was then.
    pub actor_label: Option<String>,
    /// The action's stable name.
    pub action: String,
    /// What it happened to.
    pub target: Option<String>,
    /// What was before and after.
    pub detail: Value,
    /// The id that the answer carried.
    pub request_id: Option<String>,
    /// Where the request came from.
    pub ip: Option<String>,
    /// The order of writing.
    pub(crate) line: i64,
}

impl AuditLine {
    fn place(&self) -> Cursor {
        Cursor { at: self.at, id: Uuid::from_u128(u128::from(self.line.unsigned_abs())) }
    }

    /// The place that a cursor of this list means; beyond the last line for a cursor of another list.
    pub(crate) fn line_of(cursor: Cursor) -> i64 {
        i64::try_from(cursor.id.as_u128()).unwrap_or(i64::MAX)
    }

    /// What happened, as a sentence that the actor's name goes before.
    pub fn sentence(&self) -> &str {
        actions::sentence(&self.action)
    }
}

/// Writes a line about what the scope's actor does in this transaction; it lasts if the change lasts.
///
/// # Errors
/// When the database fails.
pub async fn audit(tx: &mut Tx, entry: Entry, ambient: &dyn Ambient) -> Result<AuditId, AccountsError> {
    let who = Who { organization: tx.scope().organization(), actor: tx.scope().actor(), label: None };
    write(tx, who, entry, ambient).await
}

/// Writes the same line for every organization, about what an operator does to all of them in this transaction; says how many.
///
/// # Errors
/// When the database fails.
pub async fn audit_everywhere(
    fleet: &mut FleetTx,
    mut entry: Entry,
    ambient: &dyn Ambient,
) -> Result<u64, AccountsError> {
    entry.detail = bounded(masked(entry.detail));
    insert_everywhere(fleet, Actor::Operator, &entry, ambient).await
}

/// A page of the log, newest first.
///
/// # Errors
/// [`AccountsError::Forbidden`] below admin; when the database fails.
pub async fn activity(
    tx: &mut Tx,
    cursor: Option<Cursor>,
    size: PageSize,
) -> Result<Listing<AuditLine>, AccountsError> {
    require(tx.scope().actor(), Permission::ViewActivity)?;
    let lines = store::page(tx, cursor, size.and_one()).await?;
    Ok(Listing::cut(lines, size, AuditLine::place))
}

/// The newest line of an action about a target, where it is among the newest 500 lines of the organization.
///
/// # Errors
/// When the database fails.
pub async fn latest(tx: &mut Tx, action: Action, target: &str) -> Result<Option<AuditLine>, AccountsError> {
    store::latest(tx, action.name, target).await
}

/// Who a line is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Who<'a> {
    pub(crate) organization: OrganizationId,
    pub(crate) actor: Actor,
    /// Given where it cannot be looked up from the actor.
    pub(crate) label: Option<&'a str>,
}

/// Writes a line in any transaction that may.
pub(crate) async fn write(
    conn: &mut PgConnection,
    who: Who<'_>,
    mut entry: Entry,
    ambient: &dyn Ambient,
) -> Result<AuditId, AccountsError> {
    let id = AuditId::mint(ambient);
    entry.detail = bounded(masked(entry.detail));
    entry.request.request_id = entry.request.request_id.map(|id| id.chars().take(100).collect());
    store::insert(conn, id, who, &entry, ambient.now()).await?;
    Ok(id)
}

/// Replaces every value whose field name speaks of a secret, and every text that looks like an API key, by `***`.
fn masked(value: Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(fields.into_iter().map(masked_field).collect::<Map<_, _>>()),
        Value::Array(items) => Value::Array(items.into_iter().map(masked).collect()),
        Value::String(text) if text.contains("spk_live_") && text.len() > 20 => json!("***"),
        other => other,
    }
}

fn masked_field((name, value): (String, Value)) -> (String, Value) {
    let lower = name.to_lowercase();
    let secret = SECRET_WORDS.iter().any(|word| lower.contains(word));
    let value = match value {
        Value::Null | Value::Bool(_) => value,
        _ if secret => json!("***"),
        other => masked(other),
    };
    (name, value)
}

fn bounded(detail: Value) -> Value {
    let size = detail.to_string().len();
    if size <= MOST_DETAIL { detail } else { json!({ "left_out": "too long", "bytes": size }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_however_deep_they_lie() {
        let key = format!("spk_live_{}", "a".repeat(46));
        let detail = json!({
            "before": { "api_base_url": "https://x", "Refresh_Token": "r", "list": [{ "clientSecret": 7 }] },
            "after": { "password": { "old": "x" }, "note": key, "must_change_password": true, "prefix": "spk_live_abc" },
        });
        assert_eq!(
            masked(detail),
            json!({
                "before": { "api_base_url": "https://x", "Refresh_Token": "***", "list": [{ "clientSecret": "***" }] },
                "after": { "password": "***", "note": "***", "must_change_password": true, "prefix": "spk_live_abc" },
            })
        );
    }

    #[test]
    fn an_endless_detail_is_left_out() {
        assert_eq!(bounded(json!({ "a": 1 })), json!({ "a": 1 }));
        assert_eq!(bounded(json!("x".repeat(20_000)))["left_out"], "too long");
    }
}
