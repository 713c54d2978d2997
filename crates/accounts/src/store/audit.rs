//! The lines of the audit log.

use db::Tx;
use kernel::{Actor, ApiKeyId, AuditId, UserId};
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{AccountsError, AuditLine, Cursor, Entry, audit::Who, store::failed};

/// Adds a line; a label that was not given is looked up from the actor.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    id: AuditId,
    who: Who<'_>,
    entry: &Entry,
    now: OffsetDateTime,
) -> Result<(), AccountsError> {
    let actor_id = match who.actor {
        Actor::User(user, _) => Some(user.uuid()),
        Actor::ApiKey(key, _) => Some(key.uuid()),
        Actor::Job | Actor::Operator => None,
    };
    sqlx::query(
        "insert into audit_log
             (id, organization_id, at, actor_kind, actor_id, actor_label, action, target, detail, request_id, ip)
         values ($1, $2, $3, $4, $5,
             coalesce($6, case $4::text
                 when 'user' then (select email from users where id = $5)
                 when 'api_key' then (select prefix from api_keys where id = $5) end),
             $7, $8, $9, $10, $11)",
    )
    .bind(id)
    .bind(who.organization)
    .bind(now)
    .bind(who.actor.kind())
    .bind(actor_id)
    .bind(who.label)
    .bind(entry.action.name)
    .bind(&entry.target)
    .bind(&entry.detail)
    .bind(&entry.request.request_id)
    .bind(entry.request.ip.map(|ip| ip.to_canonical().to_string()))
    .execute(conn)
    .await
    .map(|_| ())
    .map_err(failed("writing a line of the audit log"))
}

#[derive(sqlx::FromRow)]
struct LineRow {
    id: AuditId,
    at: OffsetDateTime,
    actor_kind: String,
    actor_id: Option<Uuid>,
    actor_label: Option<String>,
    action: String,
    target: Option<String>,
    detail: Value,
    request_id: Option<String>,
    ip: Option<String>,
    line: i64,
}

impl LineRow {
    fn read(self) -> AuditLine {
        let actor_id = self.actor_id.map(|id| match self.actor_kind.as_str() {
            "api_key" => ApiKeyId::from_uuid(id).to_string(),
            _ => UserId::from_uuid(id).to_string(),
        });
        AuditLine {
            id: self.id,
            at: self.at,
            actor_kind: self.actor_kind,
            actor_id,
            actor_label: self.actor_label,
            action: self.action,
            target: self.target,
            detail: self.detail,
            request_id: self.request_id,
            ip: self.ip,
            line: self.line,
        }
    }
}

/// Lines of the transaction's organization, newest first, in the order of writing.
pub(crate) async fn page(
    tx: &mut Tx,
    cursor: Option<Cursor>,
    limit: i64,
) -> Result<Vec<AuditLine>, AccountsError> {
    let organization = tx.scope().organization();
    let rows: Vec<LineRow> = sqlx::query_as(
        "select id, at, actor_kind, actor_id, actor_label, action, target, detail, request_id, ip, line
         from audit_log where organization_id = $1 and ($2::bigint is null or line < $2)
         order by line desc limit $3",
    )
    .bind(organization)
    .bind(cursor.map(AuditLine::line_of))
    .bind(limit)
    .fetch_all(&mut **tx)
    .await
    .map_err(failed("reading the audit log"))?;
    Ok(rows.into_iter().map(LineRow::read).collect())
}

/// The newest line of an action about a target, looked for among the newest 500.
pub(crate) async fn latest(
    tx: &mut Tx,
    action: &str,
    target: &str,
) -> Result<Option<AuditLine>, AccountsError> {
    let row: Option<LineRow> = sqlx::query_as(
        "select * from (
             select id, at, actor_kind, actor_id, actor_label, action, target, detail, request_id, ip, line
             from audit_log where organization_id = $1 order by line desc limit 500) as newest
         where action = $2 and target = $3 order by line desc limit 1",
    )
    .bind(tx.scope().organization())
    .bind(action)
    .bind(target)
    .fetch_optional(&mut **tx)
    .await
    .map_err(failed("looking for a line of the audit log"))?;
    Ok(row.map(LineRow::read))
}
