//! The endpoints that the simulator knows, each with one word. Knows nothing of what they do.

use serde::{Deserialize, Serialize};
use std::fmt;

/// One endpoint of Gong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `GET /oauth2/authorize` and the form behind it.
    Authorize,
    /// `POST /oauth2/generate-customer-token`.
    Token,
    /// `GET /v2/calls`.
    Calls,
    /// `GET /v2/calls/{id}`.
    Call,
    /// `POST /v2/calls/extensive`.
    CallsExtensive,
    /// `POST /v2/calls/transcript`.
    Transcript,
    /// `GET /v2/users`.
    Users,
    /// `GET /v2/users/{id}`.
    User,
    /// `POST /v2/users/extensive`.
    UsersExtensive,
    /// `GET /v2/workspaces`.
    Workspaces,
    /// Anything else.
    Other,
}

impl Endpoint {
    /// The word used in the memory and on the control surface.
    pub fn word(self) -> &'static str {
        match self {
            Self::Authorize => "authorize",
            Self::Token => "token",
            Self::Calls => "calls",
            Self::Call => "call",
            Self::CallsExtensive => "calls_extensive",
            Self::Transcript => "transcript",
            Self::Users => "users",
            Self::User => "user",
            Self::UsersExtensive => "users_extensive",
            Self::Workspaces => "workspaces",
            Self::Other => "other",
        }
    }

    /// The endpoint of a path on a company's own host.
    pub(crate) fn of_api(path: &str) -> Self {
        match path {
            "/v2/calls" => Self::Calls,
            "/v2/calls/extensive" => Self::CallsExtensive,
            "/v2/calls/transcript" => Self::Transcript,
            "/v2/users" => Self::Users,
            "/v2/users/extensive" => Self::UsersExtensive,
            "/v2/workspaces" => Self::Workspaces,
            _ if last_part(path, "/v2/calls/").is_some() => Self::Call,
            _ if last_part(path, "/v2/users/").is_some() => Self::User,
            _ => Self::Other,
        }
    }

    /// The endpoint of a path on the app host.
    pub(crate) fn of_app(path: &str) -> Self {
        match path {
            "/oauth2/authorize" | "/oauth2/authorize/decide" => Self::Authorize,
            "/oauth2/generate-customer-token" => Self::Token,
            _ => Self::Other,
        }
    }

    /// The method that the endpoint takes; `None` where any is fine.
    pub(crate) fn method(self) -> Option<&'static str> {
        match self {
            Self::Calls | Self::Call | Self::Users | Self::User | Self::Workspaces => Some("GET"),
            Self::CallsExtensive | Self::Transcript | Self::UsersExtensive | Self::Token => Some("POST"),
            Self::Authorize | Self::Other => None,
        }
    }

    /// The scope that the endpoint needs.
    pub(crate) fn scope(self) -> Option<&'static str> {
        match self {
            Self::Calls | Self::Call => Some("api:calls:read:basic"),
            Self::CallsExtensive => Some("api:calls:read:extensive"),
            Self::Transcript => Some("api:calls:read:transcript"),
            Self::Users | Self::User | Self::UsersExtensive => Some("api:users:read"),
            Self::Workspaces => Some("api:workspaces:read"),
            Self::Authorize | Self::Token | Self::Other => None,
        }
    }
}

/// The last part of a path below a folder, where there is exactly one.
pub(crate) fn last_part<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    path.strip_prefix(folder).filter(|rest| !rest.is_empty() && !rest.contains('/'))
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
