//! The HTTP door: JSON API, pages, live events, health, and the server loop that holds every client to its limits.
//!
//! Reads requests, asks rooms, words answers. Must never hold SQL, nor know `jobs`, tokens or how Gong is spoken to.

mod access_key;
mod actor;
mod api;
pub mod auth;
mod body;
mod client_address;
mod conditional;
mod connection;
mod context;
mod docs;
mod export;
mod extract;
mod feedback;
mod gong_settings;
mod gong_view;
mod headers;
mod health;
mod letters;
pub mod messages;
mod metrics_http;
mod observe;
mod once;
mod openapi;
mod organization;
mod origin;
mod pages;
mod preflight;
mod privacy;
mod problem;
mod quota;
mod refusals;
mod render;
mod router;
mod sentence;
mod server;
mod sse;
mod state;
mod traceparent;
#[cfg(test)]
mod trial;

pub use client_address::{ProxyError, TrustedProxies};
pub use context::RequestContext;
pub use export::{Export, Import, Imported, TransferError};
pub use feedback::FeedbackOffers;
pub use metrics_http::metrics_router;
pub use openapi::document as openapi_document;
pub use problem::{FieldError, Problem};
pub use router::router;
pub use server::{Limits, serve};
pub use state::{AppState, Parts};
