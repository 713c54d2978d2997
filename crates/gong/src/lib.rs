//! Gong's REST API for one base URL and one credential: calls, transcripts, users, workspaces, and what its errors mean.
//!
//! Knows Gong's JSON, its quirks and its limits. Must never know where a credential comes from or is kept, SQL, or which
//! organization it works for. Retries nothing: callers decide, and every request passes a [`Gate`] first.

mod auth;
mod body;
mod brake;
mod breaker;
mod call;
mod client;
mod error;
mod gate;
mod host;
mod http;
mod knock;
mod page;
mod people;
mod refusal;
mod request;
mod scalar;
mod splitter;
mod stream;
mod transcript;

pub use auth::Auth;
pub use brake::Brake;
pub use breaker::{Breakers, Target, Ticket};
pub use call::{Affiliation, Call, Party};
pub use client::{Client, Turn};
pub use error::{GongError, TransportKind};
pub use gate::{Gate, Held, HeldReason, Hold, OpenGate, Pass, Purpose};
pub use host::{BaseUrl, BaseUrlRefused, HostPolicy, HostPolicyError};
pub use http::{Http, http};
pub use knock::{NoAnswer, knock};
pub use page::{CallPage, Cursor, Malformed};
pub use people::{User, UserPage, Workspace};
pub use request::{CallFilter, MOST_IDS};
pub use stream::TranscriptStream;
pub use transcript::{Transcript, TranscriptItem};
