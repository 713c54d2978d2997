//! What becomes of a session while it lives: ended by its person, or moved to another organization. Each with its line in the
//! audit log, in one transaction. Knows no cookies.

use db::Db;
use kernel::{Ambient, OrganizationId, Scope, UserId};
use tower_sessions_core::session::Id;

use crate::{
    AccountsError, Entry, RequestInfo, SessionData, actions,
    audit::{Who, write},
    sessions::{begin_session, id_hash},
    store::fleet::{people, sessions},
};

/// A session that is asked with.
#[derive(Debug, Clone, Copy)]
pub struct Own<'a> {
    /// Its id, from the cookie.
    pub id: &'a Id,
    /// What it holds.
    pub data: &'a SessionData,
    /// Who acts with it, and where.
    pub scope: &'a Scope,
}

/// Ends the session, in every process and at once.
///
/// # Errors
/// When the database fails.
pub async fn end_session(
    db: &Db,
    own: Own<'_>,
    request: &RequestInfo,
    ambient: &dyn Ambient,
) -> Result<(), AccountsError> {
    let mut tx = db.fleet().await?;
    tx.on_behalf_of(own.scope);
    sessions::delete(&mut tx, id_hash(own.id)).await?;
    let who = Who { organization: own.scope.organization(), actor: own.scope.actor(), label: None };
    let entry = Entry::new(actions::SESSION_ENDED, request).target(own.data.user);
    write(&mut tx, who, entry, ambient).await?;
    Ok(tx.commit().await?)
}

/// Lets the person look at another organization: a new session under a new id, which ends when the log-in ends. The session
/// until now is over. `None` where it was over before.
///
/// # Errors
/// [`AccountsError::NotFound`] for an organization that the person does not belong to; when the database fails.
pub async fn move_session(
    db: &Db,
    own: Own<'_>,
    to: OrganizationId,
    request: &RequestInfo,
    ambient: &dyn Ambient,
) -> Result<Option<Id>, AccountsError> {
    let user: UserId = own.data.user;
    let mut tx = db.fleet().await?;
    tx.on_behalf_of(own.scope);
    // Held first: whoever changes the password ends the old session or the new one.
    people::hold_by_id(&mut tx, user).await?;
    let member = people::member(&mut tx, user, to).await?;
    let member = member.ok_or(AccountsError::NotFound { what: "organization" })?;
    if !sessions::delete(&mut tx, id_hash(own.id)).await? {
        return Ok(None);
    }
    let mut data = SessionData::begin(user, to, ambient.now());
    data.created_at = own.data.created_at;
    let id = begin_session(&mut tx, &data, ambient).await?;
    let who = Who { organization: to, actor: member.scope().actor(), label: None };
    let entry = Entry::new(actions::SESSION_SWITCHED, request).target(user);
    write(&mut tx, who, entry, ambient).await?;
    tx.commit().await?;
    Ok(Some(id))
}
