//! Lines of the audit log about what happens to everybody.

use db::FleetTx;
use kernel::{Actor, Ambient, AuditId, OrganizationId};
use uuid::Uuid;

use crate::{AccountsError, Entry, store::failed};

/// Adds the same line for every organization; says how many.
pub(crate) async fn insert_everywhere(
    fleet: &mut FleetTx,
    actor: Actor,
    entry: &Entry,
    ambient: &dyn Ambient,
) -> Result<u64, AccountsError> {
    let all: Vec<OrganizationId> = sqlx::query_scalar("select id from organizations")
        .fetch_all(&mut **fleet)
        .await
        .map_err(failed("listing organizations"))?;
    let ids: Vec<Uuid> = all.iter().map(|_| AuditId::mint(ambient).uuid()).collect();
    sqlx::query(
        "insert into audit_log (id, organization_id, at, actor_kind, action, target, detail)
         select line.id, line.organization, $3, $4, $5, $6, $7
         from unnest($1::uuid[], $2::uuid[]) as line(id, organization)",
    )
    .bind(ids)
    .bind(all)
    .bind(ambient.now())
    .bind(actor.kind())
    .bind(entry.action.name)
    .bind(&entry.target)
    .bind(&entry.detail)
    .execute(&mut **fleet)
    .await
    .map(|done| done.rows_affected())
    .map_err(failed("writing lines of the audit log"))
}
