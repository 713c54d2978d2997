//! What only a real PostgreSQL can prove: row-level security, locks, counters and the end of sessions.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod audit;
mod house;
mod keys;
mod login;
mod members;
mod sessions;
