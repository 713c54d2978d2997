//! The organization, its members and its activity as JSON, out and in. No password, no session, no key.

use db::{FleetTx, Tx};
use kernel::OrganizationId;
use serde_json::Value;
use sqlx::types::Json;

use crate::{AccountsError, store::failed};

/// Which tables are exported, in the order of importing; and how a page is read: after `$2`, at most `$3`.
const TABLES: [(&str, &str); 5] = [
    (
        "organizations",
        "select id::text, to_jsonb(t) from organizations t where id = $1 and $2::text is null limit $3",
    ),
    (
        "users",
        "select id::text, jsonb_build_object('id', id, 'email', email, 'created_at', created_at) from users t
         where $1::uuid is not null and ($2::text is null or id > $2::uuid) order by t.id limit $3",
    ),
    (
        "memberships",
        "select user_id::text, to_jsonb(t) - 'organization_id' from memberships t
         where organization_id = $1 and ($2::text is null or user_id > $2::uuid) order by t.user_id limit $3",
    ),
    (
        "api_keys",
        "select id::text, to_jsonb(t) - 'organization_id' - 'secret_hash' from api_keys t
         where organization_id = $1 and ($2::text is null or id > $2::uuid) order by t.id limit $3",
    ),
    (
        "audit_log",
        "select line::text, to_jsonb(t) - 'organization_id' - 'line' from audit_log t
         where organization_id = $1 and ($2::text is null or line > $2::bigint) order by t.line limit $3",
    ),
];

/// The names of the exported tables.
pub(crate) fn tables() -> impl Iterator<Item = &'static str> {
    TABLES.iter().map(|(table, _)| *table)
}

/// A page of rows with the key behind which the next page begins.
pub(crate) async fn page(
    tx: &mut Tx,
    table: &str,
    after: Option<&str>,
    most: i64,
) -> Result<Vec<(String, Value)>, AccountsError> {
    let Some((_, query)) = TABLES.iter().find(|(name, _)| *name == table) else { return Ok(Vec::new()) };
    Ok(db::export_page(tx, query, after, most).await?)
}

/// Makes the organization again; false when there is one with this id.
pub(crate) async fn insert_organization(tx: &mut FleetTx, rows: &[Value]) -> Result<bool, AccountsError> {
    sqlx::query(
        "insert into organizations select r.* from jsonb_populate_recordset(null::organizations, $1) r
         on conflict (id) do nothing",
    )
    .bind(Json(rows))
    .execute(&mut **tx)
    .await
    .map(|done| done.rows_affected() == 1)
    .map_err(failed("importing the organization"))
}

/// Makes people who are not here yet, with a password that nobody knows; says how many of the rows are people of ours now.
pub(crate) async fn insert_users(
    tx: &mut FleetTx,
    rows: &[Value],
    password_hash: &str,
) -> Result<i64, AccountsError> {
    sqlx::query(
        "insert into users (id, email, password_hash, must_change_password, password_changed_at, created_at)
         select r.id, r.email, $2, true, r.created_at, r.created_at from jsonb_populate_recordset(null::users, $1) r
         on conflict do nothing",
    )
    .bind(Json(rows))
    .bind(password_hash)
    .execute(&mut **tx)
    .await
    .map_err(failed("importing people"))?;
    sqlx::query_scalar(
        "select count(*) from users u join jsonb_populate_recordset(null::users, $1) r on r.id = u.id and r.email = u.email",
    )
    .bind(Json(rows))
    .fetch_one(&mut **tx)
    .await
    .map_err(failed("importing people"))
}

/// Makes the memberships again.
pub(crate) async fn insert_memberships(
    tx: &mut FleetTx,
    organization: OrganizationId,
    rows: &[Value],
) -> Result<(), AccountsError> {
    sqlx::query(
        "insert into memberships select r.* from jsonb_populate_recordset(null::memberships, (
            select jsonb_agg(e || jsonb_build_object('organization_id', $1)) from jsonb_array_elements($2) e)) r",
    )
    .bind(organization)
    .bind(Json(rows))
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(failed("importing memberships"))
}

/// Writes the activity again, line by line in the same order.
pub(crate) async fn insert_audit(
    tx: &mut FleetTx,
    organization: OrganizationId,
    rows: &[Value],
) -> Result<(), AccountsError> {
    sqlx::query(
        "insert into audit_log
            (id, organization_id, at, actor_kind, actor_id, actor_label, action, target, detail, request_id, ip)
         select r.id, $1, r.at, r.actor_kind, r.actor_id, r.actor_label, r.action, r.target, r.detail, r.request_id, r.ip
         from jsonb_array_elements($2) with ordinality as e(line, n),
             jsonb_populate_record(null::audit_log, e.line) r
         order by e.n",
    )
    .bind(organization)
    .bind(Json(rows))
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(failed("importing the activity"))
}
