//! Sessions: what they hold, when they end, and where tower-sessions keeps them.
//!
//! Knows no cookies and no routes. The id in the cookie is never stored, only its hash: who reads the table cannot
//! take over a session.

use std::collections::HashMap;

use async_trait::async_trait;
use db::{Db, DbError, FleetTx};
use kernel::{Ambient, OrganizationId, SharedAmbient, UserId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};
use tower_sessions_core::{
    SessionStore,
    session::{Id, Record},
    session_store,
};

use crate::{AccountsError, store::fleet};

/// The key under which a session holds its [`SessionData`].
pub const SESSION_KEY: &str = "account";
/// A session that nobody used for this long is over.
pub const IDLE_END: Duration = Duration::minutes(30);
/// A session is over this long after the log-in, used or not.
pub const ABSOLUTE_END: Duration = Duration::hours(12);
/// Use is noted at most this often, so that a page with many requests writes once.
const NOTE_USE_EVERY: Duration = Duration::seconds(5);

/// Who is logged in, and since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionData {
    /// The person.
    pub user: UserId,
    /// The organization that the session looks at.
    pub organization: OrganizationId,
    /// When the person logged in.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When the session was last used, to within five seconds.
    #[serde(with = "time::serde::rfc3339")]
    pub seen_at: OffsetDateTime,
}

/// Whether a session still counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It counts.
    Live,
    /// It is over; log in again.
    Expired,
}

impl SessionData {
    /// A session that begins now.
    pub const fn begin(user: UserId, organization: OrganizationId, now: OffsetDateTime) -> Self {
        Self { user, organization, created_at: now, seen_at: now }
    }

    /// Whether the session still counts: used within 30 minutes, and begun within 12 hours.
    pub fn judge(&self, now: OffsetDateTime) -> Standing {
        if now < self.ends_at() { Standing::Live } else { Standing::Expired }
    }

    /// Notes that the session is being used; true where it has to be saved.
    pub fn touch(&mut self, now: OffsetDateTime) -> bool {
        let due = now - self.seen_at >= NOTE_USE_EVERY;
        if due {
            self.seen_at = now;
        }
        due
    }

    /// When the session ends if it is not used again.
    pub fn ends_at(&self) -> OffsetDateTime {
        (self.seen_at + IDLE_END).min(self.created_at + ABSOLUTE_END)
    }
}

/// The hash under which a session is stored.
pub fn id_hash(id: &Id) -> [u8; 32] {
    Sha256::digest(id.to_string().as_bytes()).into()
}

/// Stores a new session under a new random id. The person's row must be held: a change of the password must find it.
pub(crate) async fn begin_session(
    fleet: &mut FleetTx,
    data: &SessionData,
    ambient: &dyn Ambient,
) -> Result<Id, AccountsError> {
    let id = Id(i128::from_le_bytes(ambient.random()));
    let unreadable = |_| AccountsError::Corrupt { what: "session" };
    let record = serde_json::json!({ SESSION_KEY: serde_json::to_value(data).map_err(unreadable)? });
    let row = fleet::sessions::Row { user: Some(data.user), data: &record, expires_at: data.ends_at() };
    if fleet::sessions::insert(fleet, id_hash(&id), row, ambient.now()).await? {
        return Ok(id);
    }
    // One chance in 2^128.
    Err(AccountsError::Corrupt { what: "session" })
}

/// The session whose id has this hash (SHA-256), while it lives: for whoever may know which session it was without being able
/// to use it.
///
/// # Errors
/// When the database fails, or what is stored cannot be read.
pub async fn session_by_hash(
    fleet: &mut FleetTx,
    hash: &[u8],
    now: OffsetDateTime,
) -> Result<Option<SessionData>, AccountsError> {
    let Ok(hash) = <[u8; 32]>::try_from(hash) else { return Ok(None) };
    let Some((mut data, _)) = fleet::sessions::find(fleet, hash, now).await? else { return Ok(None) };
    let session = serde_json::from_value(data[SESSION_KEY].take())
        .map_err(|_| AccountsError::Corrupt { what: "session" })?;
    Ok(Some(session))
}

/// The store for tower-sessions. An end of the session decides over what the cookie layer believes: the end is taken
/// from the [`SessionData`] inside and judged by our clock.
#[derive(Debug, Clone)]
pub struct PgSessionStore {
    db: Db,
    ambient: SharedAmbient,
}

/// What a record says about itself, for the columns beside it.
struct Facts {
    user: Option<UserId>,
    ends_at: OffsetDateTime,
}

impl PgSessionStore {
    /// A store in this database, by this clock.
    pub const fn new(db: Db, ambient: SharedAmbient) -> Self {
        Self { db, ambient }
    }

    fn facts(&self, record: &Record) -> session_store::Result<Facts> {
        let Some(value) = record.data.get(SESSION_KEY) else {
            return Ok(Facts { user: None, ends_at: self.ambient.now() + IDLE_END });
        };
        let data =
            SessionData::deserialize(value).map_err(|e| session_store::Error::Encode(e.to_string()))?;
        Ok(Facts { user: Some(data.user), ends_at: data.ends_at() })
    }

    async fn begin(&self) -> session_store::Result<FleetTx> {
        self.db.fleet().await.map_err(|e| backend(&e))
    }
}

fn backend(error: &DbError) -> session_store::Error {
    session_store::Error::Backend(error.to_string())
}

fn refused(error: &AccountsError) -> session_store::Error {
    session_store::Error::Backend(error.to_string())
}

#[async_trait]
impl SessionStore for PgSessionStore {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        let facts = self.facts(record)?;
        let data =
            serde_json::to_value(&record.data).map_err(|e| session_store::Error::Encode(e.to_string()))?;
        let mut tx = self.begin().await?;
        for _ in 0..3 {
            let row = fleet::sessions::Row { user: facts.user, data: &data, expires_at: facts.ends_at };
            let now = self.ambient.now();
            let made = fleet::sessions::insert(&mut tx, id_hash(&record.id), row, now).await;
            if made.map_err(|e| refused(&e))? {
                return tx.commit().await.map_err(|e| backend(&e));
            }
            record.id = Id::default();
        }
        Err(session_store::Error::Backend("no free session id was found".to_owned()))
    }

    /// Changes a session that exists. One that was ended meanwhile stays ended: a request that was under way when the
    /// password changed must not bring its session back.
    async fn save(&self, record: &Record) -> session_store::Result<()> {
        let facts = self.facts(record)?;
        let data =
            serde_json::to_value(&record.data).map_err(|e| session_store::Error::Encode(e.to_string()))?;
        let row = fleet::sessions::Row { user: facts.user, data: &data, expires_at: facts.ends_at };
        let mut tx = self.begin().await?;
        fleet::sessions::update(&mut tx, id_hash(&record.id), row).await.map_err(|e| refused(&e))?;
        tx.commit().await.map_err(|e| backend(&e))
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        let mut tx = self.begin().await?;
        let found = fleet::sessions::find(&mut tx, id_hash(id), self.ambient.now()).await;
        let Some((data, expiry_date)) = found.map_err(|e| refused(&e))? else {
            return Ok(None);
        };
        let data: HashMap<String, serde_json::Value> =
            serde_json::from_value(data).map_err(|e| session_store::Error::Decode(e.to_string()))?;
        Ok(Some(Record { id: *id, data, expiry_date }))
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        let mut tx = self.begin().await?;
        fleet::sessions::delete(&mut tx, id_hash(id)).await.map_err(|e| refused(&e))?;
        tx.commit().await.map_err(|e| backend(&e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::SystemAmbient;
    use time::macros::datetime;

    const START: OffsetDateTime = datetime!(2026-01-01 8:00 UTC);

    fn session() -> SessionData {
        SessionData::begin(UserId::mint(&SystemAmbient), OrganizationId::mint(&SystemAmbient), START)
    }

    #[test]
    fn an_unused_session_ends_after_30_minutes() {
        let session = session();
        assert_eq!(session.judge(START), Standing::Live);
        assert_eq!(session.judge(START + IDLE_END - Duration::SECOND), Standing::Live);
        assert_eq!(session.judge(START + IDLE_END), Standing::Expired);
    }

    #[test]
    fn a_session_in_use_ends_after_12_hours() {
        let mut session = session();
        let mut now = START;
        while now - START < ABSOLUTE_END - Duration::minutes(10) {
            now += Duration::minutes(10);
            assert!(session.touch(now));
            assert_eq!(session.judge(now), Standing::Live, "{now}");
        }
        session.touch(START + ABSOLUTE_END);
        assert_eq!(session.judge(START + ABSOLUTE_END), Standing::Expired);
    }

    #[test]
    fn use_is_noted_once_in_five_seconds() {
        let mut session = session();
        assert!(!session.touch(START + Duration::seconds(4)));
        assert!(session.touch(START + Duration::seconds(5)));
        assert!(!session.touch(START), "a clock that goes back notes nothing");
    }

    #[test]
    fn the_stored_form_reads_back() {
        let session = session();
        let value = serde_json::to_value(&session).unwrap();
        assert_eq!(value["user"], session.user.to_string());
        assert_eq!(SessionData::deserialize(&value).unwrap(), session);
    }
}
