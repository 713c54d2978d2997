//! What is known of a connection, without its secrets.

use kernel::{ConnectionId, ConnectionStatus, UserId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// How we prove to Gong who we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthKind {
    /// The company approved our app.
    Oauth,
    /// The company made an access key for us.
    AccessKey,
}

impl AuthKind {
    /// The word in tables and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Oauth => "oauth",
            Self::AccessKey => "access_key",
        }
    }
}

/// A part of a Gong company with its own calls and settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workspace {
    /// Gong's id.
    pub id: String,
    /// The name that people know it by.
    pub name: String,
}

/// The last thing that went wrong and has not been mended since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastError {
    /// A stable code.
    pub code: String,
    /// When it began.
    pub at: OffsetDateTime,
    /// When a Gong that does not answer is asked again.
    pub next_try_at: Option<OffsetDateTime>,
}

/// The link between an organization and its Gong company.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Its id; the same after a reconnect.
    pub id: ConnectionId,
    /// How it stands.
    pub status: ConnectionStatus,
    /// Why it is paused or has to be reconnected: a stable code of [`reason`].
    pub reason: Option<String>,
    /// When a pause ends by itself.
    pub paused_until: Option<OffsetDateTime>,
    /// How we prove who we are.
    pub auth_kind: AuthKind,
    /// Where Gong serves this company.
    pub api_base_url: String,
    /// The company's workspaces; empty until they are known.
    pub workspaces: Vec<Workspace>,
    /// Scopes that Gong granted.
    pub granted_scopes: Vec<String>,
    /// Scopes that we need and do not have.
    pub missing_scopes: Vec<String>,
    /// The history that was asked for when connecting, in days.
    pub history_days: Option<i64>,
    /// When it was last connected.
    pub connected_at: OffsetDateTime,
    /// When it was disconnected.
    pub disconnected_at: Option<OffsetDateTime>,
    /// The person who connected it.
    pub connected_by: Option<UserId>,
    /// What went wrong last.
    pub last_error: Option<LastError>,
    /// When the access token ends; `None` for access keys and after a disconnect.
    pub token_expires_at: Option<OffsetDateTime>,
    /// When anything of this changed.
    pub updated_at: OffsetDateTime,
}

/// The codes that explain why a connection is paused or has to be reconnected.
pub mod reason {
    /// Gong refused the refresh token: the app was removed or the grant was withdrawn.
    pub const AUTHORIZATION_REVOKED: &str = "authorization_revoked";
    /// Gong refuses requests even with a fresh token, or refuses the access key.
    pub const ACCESS_REFUSED: &str = "access_refused";
    /// The token endpoint did not answer usefully for days.
    pub const REFRESH_EXHAUSTED: &str = "refresh_exhausted";
    /// A stored credential belongs to another place or was changed.
    pub const CREDENTIAL_MISPLACED: &str = "credential_misplaced";
    /// The API host is not an allowed one.
    pub const BASE_URL_REFUSED: &str = "base_url_refused";
    /// The company turned out to be linked to another organization.
    pub const COMPANY_LINKED_ELSEWHERE: &str = "company_linked_elsewhere";
    /// Far more transcripts were asked for than usual.
    pub const TRANSCRIPT_FLOOD: &str = "transcript_flood";
    /// Its credential was opened far too often.
    pub const CREDENTIAL_FLOOD: &str = "credential_flood";
    /// A person paused it.
    pub const BY_PERSON: &str = "by_person";
}
