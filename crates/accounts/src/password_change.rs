//! Changing a password: by the person, who gives the old one, or by an operator. Knows no cookies.

use db::Db;
use kernel::{Actor, Ambient, ExposeSecret, Scope, SecretString, UserId};
use tower_sessions_core::session::Id;

use crate::{
    AccountsError, Entry, PasswordHasher, RequestInfo, actions,
    audit::{Who, write},
    fields,
    login::{device_hash, note},
    organizations::initial_password,
    password_policy,
    sessions::id_hash,
    store::fleet::{login, people, sessions},
    throttle::Bucket,
};

/// What a person gives to change the password.
#[derive(Debug)]
pub struct ChangePassword {
    /// The person, from the session.
    pub user: UserId,
    /// For whose request it is done: one that is to be done once is marked by it.
    pub scope: Scope,
    /// The password until now.
    pub current: SecretString,
    /// The password from now on.
    pub new: SecretString,
    /// The session that asks, which goes on; all others end.
    pub keep_session: Option<Id>,
    /// The token of the browser that asks, which stays known; all others are forgotten.
    pub keep_device: Option<SecretString>,
    /// The request, for the audit log.
    pub request: RequestInfo,
}

/// Changes a person's password and ends all other sessions of the person.
///
/// # Errors
/// [`AccountsError::Invalid`] naming `current_password` (wrong, or changed meanwhile) or `new_password`; [`AccountsError::TooManyTries`] after 10
/// wrong ones in a minute; [`AccountsError::Busy`]; when the database fails.
pub async fn change_password(
    db: &Db,
    hasher: &PasswordHasher,
    change: ChangePassword,
    ambient: &dyn Ambient,
) -> Result<(), AccountsError> {
    let (now, buckets) = (ambient.now(), Bucket::for_password_change(change.user));
    let mut tx = db.fleet().await?;
    let user =
        people::user_by_id(&mut tx, change.user).await?.ok_or(AccountsError::NotFound { what: "user" })?;
    login::count_try(&mut tx, &buckets, now).await?;
    tx.commit().await?;
    if !hasher.verify_of(true, &change.current, Some(user.password_hash.clone())).await? {
        return Err(AccountsError::invalid("current_password", "is wrong"));
    }
    password_policy("new_password", &change.new, &user.email)?;
    if change.new.expose_secret() == change.current.expose_secret() {
        return Err(AccountsError::invalid("new_password", "must differ from the current one"));
    }
    let hash = hasher.hash(&change.new, ambient).await?;
    let mut tx = db.fleet().await?;
    tx.on_behalf_of(&change.scope);
    // First of all: whoever begins or moves a session of this person waits now, or is among those that end below.
    if !people::change_password(&mut tx, &user, &hash, ambient.now()).await? {
        return Err(AccountsError::invalid("current_password", "was changed a moment ago; log in again"));
    }
    login::take_back(&mut tx, &buckets, now).await?;
    sessions::delete_of_user(&mut tx, user.id, change.keep_session.as_ref().map(id_hash)).await?;
    let device = change.keep_device.map(|token| device_hash(token.expose_secret()));
    login::forget_devices_of_user(&mut tx, user.id, device).await?;
    note(&mut tx, (user.id, &user.email), actions::PASSWORD_CHANGED, &change.request, ambient).await?;
    tx.commit().await?;
    Ok(())
}

/// For operators: gives a person a random password, to be shown once and changed at the next log-in. Ends all sessions.
///
/// # Errors
/// [`AccountsError::NotFound`] for an unknown address; [`AccountsError::Busy`]; when the database fails.
pub async fn reset_password(
    db: &Db,
    hasher: &PasswordHasher,
    email: &str,
    ambient: &dyn Ambient,
) -> Result<SecretString, AccountsError> {
    let password = initial_password(ambient);
    let hash = hasher.hash(&password, ambient).await?;
    let mut tx = db.fleet().await?;
    let user = people::user_by_email(&mut tx, &fields::email_to_look_for(email)).await?;
    let user = user.ok_or(AccountsError::NotFound { what: "user" })?;
    people::reset_password(&mut tx, user.id, &hash, ambient.now()).await?;
    sessions::delete_of_user(&mut tx, user.id, None).await?;
    login::forget_devices_of_user(&mut tx, user.id, None).await?;
    for membership in people::memberships(&mut tx, user.id).await? {
        let who = Who { organization: membership.organization, actor: Actor::Operator, label: None };
        let entry = Entry::new(actions::PASSWORD_RESET, &RequestInfo::default()).target(user.id);
        write(&mut tx, who, entry, ambient).await?;
    }
    tx.commit().await?;
    Ok(password)
}
