//! Gong's company-level authorization: the authorize URL, the code exchange, the refresh of rotating tokens, and *when* a
//! refresh is due.
//!
//! Knows one Gong application (client id and secret) and its two URLs. Must never know SQL, organizations, sessions, or where
//! tokens are kept: a caller gets a [`Granted`] and stores it before anybody uses it.

mod answer;
mod callback;
mod client;
mod error;
mod granted;
mod http;
mod schedule;
mod scopes;
mod state;

pub use callback::{Callback, CallbackError};
pub use client::{Client, Config, TIMEOUT};
pub use error::{OauthError, RefusedKind, TransientKind};
pub use granted::{Granted, GrantedError};
pub use schedule::{JITTER, RefreshRule, refresh_due_at};
pub use scopes::{OPTIONAL, Permission, SCOPES, missing};
pub use state::State;
