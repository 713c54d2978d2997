//! Users by address, their memberships, and the making of organizations, users and memberships.

use db::FleetTx;
use kernel::{OrganizationId, Role, UserId};
use time::OffsetDateTime;

use crate::{
    AccountsError, Member, Membership,
    store::{failed, role},
};

/// A person as log-ins need it. The hash must not leave this crate.
#[derive(sqlx::FromRow)]
pub(crate) struct User {
    pub(crate) id: UserId,
    pub(crate) email: String,
    pub(crate) password_hash: String,
    pub(crate) must_change_password: bool,
}

/// A person to be made.
pub(crate) struct NewUser<'a> {
    pub(crate) id: UserId,
    pub(crate) email: &'a str,
    pub(crate) password_hash: &'a str,
    pub(crate) must_change: bool,
}

pub(crate) async fn user_by_email(tx: &mut FleetTx, email: &str) -> Result<Option<User>, AccountsError> {
    sqlx::query_as("select id, email, password_hash, must_change_password from users where email = $1")
        .bind(email)
        .fetch_optional(&mut **tx)
        .await
        .map_err(failed("looking a user up by address"))
}

pub(crate) async fn user_by_id(tx: &mut FleetTx, user: UserId) -> Result<Option<User>, AccountsError> {
    sqlx::query_as("select id, email, password_hash, must_change_password from users where id = $1")
        .bind(user)
        .fetch_optional(&mut **tx)
        .await
        .map_err(failed("looking a user up"))
}

/// Holds a person's row until the transaction ends, if the password is still the one that was read: until then nobody changes
/// it. `None` where somebody did meanwhile.
pub(crate) async fn hold(tx: &mut FleetTx, user: &User) -> Result<Option<User>, AccountsError> {
    sqlx::query_as(
        "select id, email, password_hash, must_change_password from users
         where id = $1 and password_hash = $2 for share",
    )
    .bind(user.id)
    .bind(&user.password_hash)
    .fetch_optional(&mut **tx)
    .await
    .map_err(failed("holding a user"))
}

/// Holds a person's row until the transaction ends: until then nobody changes the password.
pub(crate) async fn hold_by_id(tx: &mut FleetTx, user: UserId) -> Result<(), AccountsError> {
    sqlx::query("select 1 from users where id = $1 for share")
        .bind(user)
        .execute(&mut **tx)
        .await
        .map(|_| ())
        .map_err(failed("holding a user"))
}

/// What a person is in an organization now.
pub(crate) async fn member(
    tx: &mut FleetTx,
    user: UserId,
    organization: OrganizationId,
) -> Result<Option<Member>, AccountsError> {
    let row: Option<(String, String, String, bool)> = sqlx::query_as(
        "select u.email, m.role, o.name, u.must_change_password
         from memberships m
         join users u on u.id = m.user_id
         join organizations o on o.id = m.organization_id
         where m.user_id = $1 and m.organization_id = $2",
    )
    .bind(user)
    .bind(organization)
    .fetch_optional(&mut **tx)
    .await
    .map_err(failed("looking a member up"))?;
    let Some((email, word, organization_name, must_change_password)) = row else {
        return Ok(None);
    };
    let role = role(&word)?;
    Ok(Some(Member { user, organization, email, role, organization_name, must_change_password }))
}

pub(crate) async fn memberships(tx: &mut FleetTx, user: UserId) -> Result<Vec<Membership>, AccountsError> {
    let rows: Vec<(OrganizationId, String, String)> = sqlx::query_as(
        "select m.organization_id, o.name, m.role
         from memberships m join organizations o on o.id = m.organization_id
         where m.user_id = $1 order by m.created_at, m.organization_id limit 100",
    )
    .bind(user)
    .fetch_all(&mut **tx)
    .await
    .map_err(failed("reading the memberships of a user"))?;
    rows.into_iter()
        .map(|(organization, organization_name, word)| {
            Ok(Membership { organization, organization_name, role: role(&word)? })
        })
        .collect()
}

pub(crate) async fn insert_organization(
    tx: &mut FleetTx,
    id: OrganizationId,
    name: &str,
    now: OffsetDateTime,
) -> Result<(), AccountsError> {
    sqlx::query("insert into organizations (id, name, created_at) values ($1, $2, $3)")
        .bind(id)
        .bind(name)
        .bind(now)
        .execute(&mut **tx)
        .await
        .map(|_| ())
        .map_err(failed("making an organization"))
}

/// Makes a user; false where the address is taken.
pub(crate) async fn insert_user(
    tx: &mut FleetTx,
    new: NewUser<'_>,
    now: OffsetDateTime,
) -> Result<bool, AccountsError> {
    sqlx::query(
        "insert into users (id, email, password_hash, must_change_password, password_changed_at, created_at)
         values ($1, $2, $3, $4, $5, $5) on conflict (email) do nothing",
    )
    .bind(new.id)
    .bind(new.email)
    .bind(new.password_hash)
    .bind(new.must_change)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(|done| done.rows_affected() == 1)
    .map_err(failed("making a user"))
}

/// Makes a membership; false where the user is a member already.
pub(crate) async fn insert_membership(
    tx: &mut FleetTx,
    organization: OrganizationId,
    user: UserId,
    role: Role,
    now: OffsetDateTime,
) -> Result<bool, AccountsError> {
    sqlx::query(
        "insert into memberships (organization_id, user_id, role, created_at) values ($1, $2, $3, $4)
         on conflict do nothing",
    )
    .bind(organization)
    .bind(user)
    .bind(role.as_str())
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(|done| done.rows_affected() == 1)
    .map_err(failed("making a membership"))
}

/// Orders all changes of the members of an organization; false where there is none.
pub(crate) async fn lock_organization(
    tx: &mut FleetTx,
    organization: OrganizationId,
) -> Result<bool, AccountsError> {
    sqlx::query("select 1 from organizations where id = $1 for update")
        .bind(organization)
        .fetch_optional(&mut **tx)
        .await
        .map(|row| row.is_some())
        .map_err(failed("locking an organization"))
}

pub(crate) async fn count_members(
    tx: &mut FleetTx,
    organization: OrganizationId,
) -> Result<i64, AccountsError> {
    sqlx::query_scalar("select count(*) from memberships where organization_id = $1")
        .bind(organization)
        .fetch_one(&mut **tx)
        .await
        .map_err(failed("counting the members"))
}

/// Stores another password in place of the one that was read; false where somebody changed it meanwhile.
pub(crate) async fn change_password(
    tx: &mut FleetTx,
    user: &User,
    hash: &str,
    now: OffsetDateTime,
) -> Result<bool, AccountsError> {
    sqlx::query(
        "update users set password_hash = $3, must_change_password = false, password_changed_at = $4
         where id = $1 and password_hash = $2",
    )
    .bind(user.id)
    .bind(&user.password_hash)
    .bind(hash)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(|done| done.rows_affected() == 1)
    .map_err(failed("changing a password"))
}

/// Stores a password that has to be changed at the next log-in, whatever it was before.
pub(crate) async fn reset_password(
    tx: &mut FleetTx,
    user: UserId,
    hash: &str,
    now: OffsetDateTime,
) -> Result<(), AccountsError> {
    sqlx::query(
        "update users set password_hash = $2, must_change_password = true, password_changed_at = $3 where id = $1",
    )
    .bind(user)
    .bind(hash)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(failed("resetting a password"))
}
