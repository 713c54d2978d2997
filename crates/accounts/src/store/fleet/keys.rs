//! API keys by the hash of their secret.

use db::FleetTx;
use kernel::{ApiKeyId, OrganizationId, Role, UserId};
use time::OffsetDateTime;

use crate::{
    AccountsError,
    store::{failed, role},
};

/// A key that is not revoked, and what its maker is now.
pub(crate) struct FoundKey {
    pub(crate) id: ApiKeyId,
    pub(crate) organization: OrganizationId,
    pub(crate) role: Role,
    pub(crate) created_by: Option<UserId>,
    pub(crate) maker_role: Option<Role>,
    pub(crate) last_used_at: Option<OffsetDateTime>,
}

type KeyRow = (ApiKeyId, OrganizationId, String, Option<UserId>, Option<String>, Option<OffsetDateTime>);

pub(crate) async fn find(tx: &mut FleetTx, hash: [u8; 32]) -> Result<Option<FoundKey>, AccountsError> {
    let row: Option<KeyRow> = sqlx::query_as(
        "select k.id, k.organization_id, k.role, k.created_by, m.role, k.last_used_at
         from api_keys k
         left join memberships m on m.organization_id = k.organization_id and m.user_id = k.created_by
         where k.secret_hash = $1 and k.revoked_at is null",
    )
    .bind(hash.as_slice())
    .fetch_optional(&mut **tx)
    .await
    .map_err(failed("looking an API key up"))?;
    let Some((id, organization, word, created_by, maker, last_used_at)) = row else {
        return Ok(None);
    };
    let maker_role = maker.as_deref().map(role).transpose()?;
    Ok(Some(FoundKey { id, organization, role: role(&word)?, created_by, maker_role, last_used_at }))
}

pub(crate) async fn note_use(
    tx: &mut FleetTx,
    id: ApiKeyId,
    now: OffsetDateTime,
) -> Result<(), AccountsError> {
    sqlx::query("update api_keys set last_used_at = $2 where id = $1")
        .bind(id)
        .bind(now)
        .execute(&mut **tx)
        .await
        .map(|_| ())
        .map_err(failed("noting the use of an API key"))
}
