//! The API keys of the transaction's organization.

use db::Tx;
use kernel::{Actor, ApiKeyId, Role, UserId};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    AccountsError, ApiKey, Cursor,
    store::{failed, role},
};

/// A key to be stored: of the secret, the hash.
pub(crate) struct NewKey<'a> {
    pub(crate) id: ApiKeyId,
    pub(crate) name: &'a str,
    pub(crate) prefix: &'a str,
    pub(crate) hash: [u8; 32],
    pub(crate) role: Role,
}

#[derive(sqlx::FromRow)]
struct KeyRow {
    id: ApiKeyId,
    name: String,
    prefix: String,
    role: String,
    created_by: Option<UserId>,
    created_by_email: Option<String>,
    created_at: OffsetDateTime,
    last_used_at: Option<OffsetDateTime>,
    revoked_at: Option<OffsetDateTime>,
}

impl KeyRow {
    fn read(self) -> Result<ApiKey, AccountsError> {
        Ok(ApiKey {
            role: role(&self.role)?,
            id: self.id,
            name: self.name,
            prefix: self.prefix,
            created_by: self.created_by,
            created_by_email: self.created_by_email,
            created_at: self.created_at,
            last_used_at: self.last_used_at,
            revoked_at: self.revoked_at,
        })
    }
}

pub(crate) async fn page(
    tx: &mut Tx,
    cursor: Option<Cursor>,
    limit: i64,
) -> Result<Vec<ApiKey>, AccountsError> {
    let organization = tx.scope().organization();
    let rows: Vec<KeyRow> = sqlx::query_as(
        "select k.id, k.name, k.prefix, k.role, k.created_by, u.email as created_by_email,
                k.created_at, k.last_used_at, k.revoked_at
         from api_keys k left join users u on u.id = k.created_by
         where k.organization_id = $1 and ($2::timestamptz is null or (k.created_at, k.id) < ($2, $3))
         order by k.created_at desc, k.id desc limit $4",
    )
    .bind(organization)
    .bind(cursor.map(|c| c.at))
    .bind(cursor.map(|c| c.id))
    .bind(limit)
    .fetch_all(&mut **tx)
    .await
    .map_err(failed("listing the API keys"))?;
    rows.into_iter().map(KeyRow::read).collect()
}

pub(crate) async fn find(tx: &mut Tx, id: ApiKeyId) -> Result<Option<ApiKey>, AccountsError> {
    let organization = tx.scope().organization();
    let row: Option<KeyRow> = sqlx::query_as(
        "select k.id, k.name, k.prefix, k.role, k.created_by, u.email as created_by_email,
                k.created_at, k.last_used_at, k.revoked_at
         from api_keys k left join users u on u.id = k.created_by
         where k.organization_id = $1 and k.id = $2",
    )
    .bind(organization)
    .bind(id)
    .fetch_optional(&mut **tx)
    .await
    .map_err(failed("reading an API key"))?;
    row.map(KeyRow::read).transpose()
}

/// Orders those who make keys in this organization, so that the limit holds.
pub(crate) async fn lock(tx: &mut Tx) -> Result<(), AccountsError> {
    crate::store::members::lock_organization(tx).await
}

pub(crate) async fn count_live(tx: &mut Tx) -> Result<i64, AccountsError> {
    let organization = tx.scope().organization();
    sqlx::query_scalar("select count(*) from api_keys where organization_id = $1 and revoked_at is null")
        .bind(organization)
        .fetch_one(&mut **tx)
        .await
        .map_err(failed("counting the API keys"))
}

/// Stores a key. A key made with a key belongs to the person who made the first one.
pub(crate) async fn insert(tx: &mut Tx, new: NewKey<'_>, now: OffsetDateTime) -> Result<(), AccountsError> {
    let organization = tx.scope().organization();
    let (user, key): (Option<Uuid>, Option<Uuid>) = match tx.scope().actor() {
        Actor::User(user, _) => (Some(user.uuid()), None),
        Actor::ApiKey(key, _) => (None, Some(key.uuid())),
        Actor::Job | Actor::Operator => (None, None),
    };
    sqlx::query(
        "insert into api_keys (id, organization_id, name, prefix, secret_hash, role, created_by, created_at)
         values ($1, $2, $3, $4, $5, $6, coalesce($7, (select created_by from api_keys where id = $8)), $9)",
    )
    .bind(new.id)
    .bind(organization)
    .bind(new.name)
    .bind(new.prefix)
    .bind(new.hash.as_slice())
    .bind(new.role.as_str())
    .bind(user)
    .bind(key)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(failed("storing an API key"))
}

/// Revokes a key; false where it was revoked already.
pub(crate) async fn revoke(tx: &mut Tx, id: ApiKeyId, now: OffsetDateTime) -> Result<bool, AccountsError> {
    let organization = tx.scope().organization();
    sqlx::query(
        "update api_keys set revoked_at = $3 where organization_id = $1 and id = $2 and revoked_at is null",
    )
    .bind(organization)
    .bind(id)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(|done| done.rows_affected() == 1)
    .map_err(failed("revoking an API key"))
}

/// Revokes the keys that a user made; returns them.
pub(crate) async fn revoke_of_user(
    tx: &mut Tx,
    user: UserId,
    now: OffsetDateTime,
) -> Result<Vec<ApiKeyId>, AccountsError> {
    let organization = tx.scope().organization();
    sqlx::query_scalar(
        "update api_keys set revoked_at = $3
         where organization_id = $1 and created_by = $2 and revoked_at is null returning id",
    )
    .bind(organization)
    .bind(user)
    .bind(now)
    .fetch_all(&mut **tx)
    .await
    .map_err(failed("revoking the API keys of a member"))
}
