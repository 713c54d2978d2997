//! Logging in: count the try, check the password, remember the browser, begin the session. Knows no cookies.
//!
//! A right address with a wrong password and an address nobody has take the same path: the same statements, the same
//! hash, the same answer.
//!
//! Checking a password takes a while. So the session is begun in a transaction that holds the person's row and sees that the
//! password is still the one that was checked: who changes it meanwhile either ends that session or comes before it.

use std::{net::IpAddr, time::Duration};

use db::{Db, FleetTx};
use kernel::{Actor, Ambient, ExposeSecret, OrganizationId, SecretString, UserId};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use tower_sessions_core::session::Id;

use crate::{
    AccountsError, Action, Entry, PasswordHasher, RequestInfo, SessionData, actions,
    audit::{Who, write},
    fields,
    random_text::base62,
    sessions::{begin_session, id_hash},
    store::fleet::{login as store, people, sessions},
    throttle::Bucket,
};

/// What somebody gives to log in.
#[derive(Debug)]
pub struct LoginRequest {
    /// The address, as typed.
    pub email: String,
    /// The password.
    pub password: SecretString,
    /// Where the request comes from; behind a proxy, what the proxy says.
    pub ip: IpAddr,
    /// The token of a browser that logged in before.
    pub device: Option<SecretString>,
    /// Which of the person's organizations to look at; the oldest membership where it is left open.
    pub organization: Option<OrganizationId>,
    /// The session that the browser had before; it ends.
    pub ends: Option<Id>,
    /// The id of the request, for the audit log.
    pub request_id: Option<String>,
}

/// Somebody who gave the right password.
#[derive(Debug)]
pub struct LoggedIn {
    /// The person.
    pub user: UserId,
    /// The person's address.
    pub email: String,
    /// The password was made by somebody else and has to be changed first.
    pub must_change_password: bool,
    /// The organization that the session looks at.
    pub organization: OrganizationId,
    /// The new session, for a cookie.
    pub session: Id,
    /// For a lasting cookie: later log-ins from this browser are not throttled together with strangers.
    pub device_token: SecretString,
}

/// Why somebody is not logged in.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The address or the password is wrong; it is not told which.
    #[error("the e-mail address or the password is wrong")]
    WrongCredentials,
    /// Too many tries within a minute.
    #[error("too many tries; wait {} seconds and try again", retry_after.as_secs())]
    TooManyTries {
        /// When a new try makes sense.
        retry_after: Duration,
    },
    /// More passwords wait to be checked than this process can handle soon.
    #[error("too many people are logging in at this moment; try again in a few seconds")]
    Busy,
    /// The password is right, but the person does not belong to the organization, or to none (any longer).
    #[error("this account belongs to no organization; ask an owner to add it again")]
    NoOrganization,
    /// It could not be found out.
    #[error("the log-in could not be checked")]
    Failed(#[source] AccountsError),
}

impl LoginError {
    /// Stable name for clients, logs and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::WrongCredentials => "wrong_credentials",
            Self::TooManyTries { .. } => "too_many_tries",
            Self::Busy => "password_check_busy",
            Self::NoOrganization => "no_organization",
            Self::Failed(error) => error.code(),
        }
    }
}

impl From<AccountsError> for LoginError {
    fn from(error: AccountsError) -> Self {
        match error {
            AccountsError::TooManyTries { retry_after } => Self::TooManyTries { retry_after },
            AccountsError::Busy => Self::Busy,
            other => Self::Failed(other),
        }
    }
}

impl From<db::DbError> for LoginError {
    fn from(error: db::DbError) -> Self {
        Self::Failed(error.into())
    }
}

/// A try that was counted.
struct Attempt {
    user: Option<people::User>,
    /// The browser's token, where it belongs to this user.
    device: Option<[u8; 32]>,
    buckets: Vec<Bucket>,
    at: OffsetDateTime,
}

/// Logs somebody in: a new session under a new id. At most 10 tries a minute for an account and 30 for an address; a browser
/// that logged in to the account before has 10 of its own, which nobody else can use up. Right passwords do not count.
///
/// # Errors
/// As [`LoginError`] says.
pub async fn login(
    db: &Db,
    hasher: &PasswordHasher,
    request: LoginRequest,
    ambient: &dyn Ambient,
) -> Result<LoggedIn, LoginError> {
    let attempt = admit(db, &request, ambient.now()).await?;
    let stored = attempt.user.as_ref().map(|user| user.password_hash.clone());
    let right = hasher.verify_of(attempt.device.is_some(), &request.password, stored).await?;
    let info = RequestInfo { request_id: request.request_id.clone(), ip: Some(request.ip) };
    let mut tx = db.fleet().await?;
    let unchanged = match &attempt.user {
        Some(user) if right => people::hold(&mut tx, user).await?,
        _ => None,
    };
    if let Some(user) = unchanged {
        let logged_in = welcome(&mut tx, &user, &attempt, &request, &info, ambient).await?;
        tx.commit().await?;
        return logged_in.ok_or(LoginError::NoOrganization);
    }
    match attempt.user {
        Some(user) => {
            note(&mut tx, (user.id, &user.email), actions::LOGIN_FAILED, &info, ambient).await?;
            tx.commit().await?;
            Err(LoginError::WrongCredentials)
        }
        None => {
            // As many steps as for somebody who exists.
            people::memberships(&mut tx, UserId::mint(ambient)).await?;
            tx.commit().await?;
            Err(LoginError::WrongCredentials)
        }
    }
}

/// Counts the try before any password is looked at; the count lasts whatever happens afterwards.
async fn admit(db: &Db, request: &LoginRequest, now: OffsetDateTime) -> Result<Attempt, LoginError> {
    let email = fields::email_to_look_for(&request.email);
    let shown = request.device.as_ref().map(|token| device_hash(token.expose_secret()));
    let mut tx = db.fleet().await?;
    let user = people::user_by_email(&mut tx, &email).await?;
    let device = match (&user, shown) {
        (Some(user), Some(hash)) if store::is_known_device(&mut tx, user.id, hash).await? => Some(hash),
        _ => None,
    };
    let buckets = match &device {
        Some(hash) => Bucket::for_known_device(hash),
        None => Bucket::for_stranger(&email, request.ip),
    };
    store::count_try(&mut tx, &buckets, now).await?;
    tx.commit().await?;
    Ok(Attempt { user, device, buckets, at: now })
}

async fn welcome(
    tx: &mut FleetTx,
    user: &people::User,
    attempt: &Attempt,
    request: &LoginRequest,
    info: &RequestInfo,
    ambient: &dyn Ambient,
) -> Result<Option<LoggedIn>, AccountsError> {
    store::take_back(tx, &attempt.buckets, attempt.at).await?;
    let memberships = people::memberships(tx, user.id).await?;
    let wanted = |id: &OrganizationId| request.organization.is_none_or(|wanted| wanted == *id);
    let chosen = memberships.into_iter().map(|membership| membership.organization).find(wanted);
    let Some(organization) = chosen else { return Ok(None) };
    if let Some(before) = &request.ends {
        sessions::delete(tx, id_hash(before)).await?;
    }
    let session =
        begin_session(tx, &SessionData::begin(user.id, organization, ambient.now()), ambient).await?;
    // A new token each time: one that leaked is worth nothing after the next log-in.
    let token = base62(ambient, 43);
    if let Some(old) = attempt.device {
        store::forget_device(tx, old).await?;
    }
    store::remember_device(tx, user.id, device_hash(&token), ambient.now()).await?;
    note(tx, (user.id, &user.email), actions::LOGIN_SUCCEEDED, info, ambient).await?;
    Ok(Some(LoggedIn {
        user: user.id,
        email: user.email.clone(),
        must_change_password: user.must_change_password,
        organization,
        session,
        device_token: token.into(),
    }))
}

/// Writes a line about a person into every organization the person belongs to.
pub(crate) async fn note(
    tx: &mut FleetTx,
    (user, email): (UserId, &str),
    action: Action,
    info: &RequestInfo,
    ambient: &dyn Ambient,
) -> Result<(), AccountsError> {
    for membership in people::memberships(tx, user).await? {
        let actor = Actor::User(user, membership.role);
        let who = Who { organization: membership.organization, actor, label: Some(email) };
        write(tx, who, Entry::new(action, info).target(user), ambient).await?;
    }
    Ok(())
}

/// What is stored of a browser's token.
pub(crate) fn device_hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}
