//! Ingestion: nothing missing, nothing doubled, nothing private, never more than the company's share.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a story that cannot go on has failed")]

mod doubt;
mod failures;
mod gaps;
mod history;
mod listing;
mod misuse;
mod outages;
mod pace;
mod privacy;
mod reconciling;
mod scheduling;
mod stopping;
mod support;
mod transcripts;
mod windows;
mod wire;
