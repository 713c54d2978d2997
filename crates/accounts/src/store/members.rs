//! The members of the transaction's organization.

use db::Tx;
use kernel::{Role, UserId};
use time::OffsetDateTime;

use crate::{
    AccountsError, Cursor, MemberLine,
    store::{failed, role},
};

pub(crate) async fn page(
    tx: &mut Tx,
    cursor: Option<Cursor>,
    limit: i64,
) -> Result<Vec<MemberLine>, AccountsError> {
    let organization = tx.scope().organization();
    let rows: Vec<(UserId, String, String, OffsetDateTime)> = sqlx::query_as(
        "select m.user_id, u.email, m.role, m.created_at
         from memberships m join users u on u.id = m.user_id
         where m.organization_id = $1 and ($2::timestamptz is null or (m.created_at, m.user_id) > ($2, $3))
         order by m.created_at, m.user_id limit $4",
    )
    .bind(organization)
    .bind(cursor.map(|c| c.at))
    .bind(cursor.map(|c| c.id))
    .bind(limit)
    .fetch_all(&mut **tx)
    .await
    .map_err(failed("listing the members"))?;
    rows.into_iter()
        .map(|(user, email, word, since)| Ok(MemberLine { user, email, role: role(&word)?, since }))
        .collect()
}

pub(crate) async fn one(tx: &mut Tx, user: UserId) -> Result<Option<MemberLine>, AccountsError> {
    let row: Option<(String, String, OffsetDateTime)> = sqlx::query_as(
        "select u.email, m.role, m.created_at from memberships m join users u on u.id = m.user_id
         where m.organization_id = $1 and m.user_id = $2",
    )
    .bind(tx.scope().organization())
    .bind(user)
    .fetch_optional(&mut **tx)
    .await
    .map_err(failed("reading a member"))?;
    row.map(|(email, word, since)| Ok(MemberLine { user, email, role: role(&word)?, since })).transpose()
}

/// Orders all changes of the members of this organization.
pub(crate) async fn lock_organization(tx: &mut Tx) -> Result<(), AccountsError> {
    let organization = tx.scope().organization();
    sqlx::query("select 1 from organizations where id = $1 for update")
        .bind(organization)
        .execute(&mut **tx)
        .await
        .map(|_| ())
        .map_err(failed("locking the organization"))
}

pub(crate) async fn role_of(tx: &mut Tx, user: UserId) -> Result<Option<Role>, AccountsError> {
    let organization = tx.scope().organization();
    let word: Option<String> =
        sqlx::query_scalar("select role from memberships where organization_id = $1 and user_id = $2")
            .bind(organization)
            .bind(user)
            .fetch_optional(&mut **tx)
            .await
            .map_err(failed("reading a member's role"))?;
    word.as_deref().map(role).transpose()
}

pub(crate) async fn address_of(tx: &mut Tx, user: UserId) -> Result<Option<String>, AccountsError> {
    let organization = tx.scope().organization();
    sqlx::query_scalar(
        "select u.email from memberships m join users u on u.id = m.user_id
         where m.organization_id = $1 and m.user_id = $2",
    )
    .bind(organization)
    .bind(user)
    .fetch_optional(&mut **tx)
    .await
    .map_err(failed("reading a member's address"))
}

pub(crate) async fn count_owners(tx: &mut Tx) -> Result<i64, AccountsError> {
    let organization = tx.scope().organization();
    sqlx::query_scalar("select count(*) from memberships where organization_id = $1 and role = 'owner'")
        .bind(organization)
        .fetch_one(&mut **tx)
        .await
        .map_err(failed("counting the owners"))
}

pub(crate) async fn set_role(tx: &mut Tx, user: UserId, role: Role) -> Result<(), AccountsError> {
    let organization = tx.scope().organization();
    sqlx::query("update memberships set role = $3 where organization_id = $1 and user_id = $2")
        .bind(organization)
        .bind(user)
        .bind(role.as_str())
        .execute(&mut **tx)
        .await
        .map(|_| ())
        .map_err(failed("changing a member's role"))
}

pub(crate) async fn delete(tx: &mut Tx, user: UserId) -> Result<(), AccountsError> {
    let organization = tx.scope().organization();
    sqlx::query("delete from memberships where organization_id = $1 and user_id = $2")
        .bind(organization)
        .bind(user)
        .execute(&mut **tx)
        .await
        .map(|_| ())
        .map_err(failed("removing a member"))
}

/// Ends the sessions that look at the organization: those of one person, or all of them.
pub(crate) async fn end_sessions(tx: &mut Tx, user: Option<UserId>) -> Result<(), AccountsError> {
    sqlx::query("select soundpost_end_sessions($1)")
        .bind(user)
        .execute(&mut **tx)
        .await
        .map(|_| ())
        .map_err(failed("ending the sessions of an organization"))
}
