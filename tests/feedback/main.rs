//! Stories of calls that become feedback.
#![expect(clippy::unwrap_used, reason = "a story that cannot go on fails at once")]

mod counting;
mod going;
mod hostile;
mod lab;
mod making;
mod models;
mod once;
mod qdrant;
mod support;
