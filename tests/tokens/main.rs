//! Stories of connecting and of the token life cycle. The ids in their names are those of docs/GUARANTEES.md.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a story fails at once when its own means fail")]

mod access_key;
mod addresses;
mod canaries;
mod chronicle;
mod connecting;
mod crashes;
mod ending;
mod refreshing;
mod returning;
mod scopes;
mod sealed;
mod secrets;
mod support;
mod turned_away;
