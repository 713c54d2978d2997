//! Stories of organizations, roles, log-in, the API and operations. The ids in their names are those of docs/GUARANTEES.md.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a story fails at once when its own means fail"
)]

mod answers;
mod beginnings;
mod companies;
mod cross_site;
mod foreign;
mod guessing;
mod headers;
mod health;
mod keys;
mod leaving;
mod lists;
mod manners;
mod outage;
mod plain_words;
mod program;
mod roles;
mod searching;
mod sessions;
mod stopped;
mod strange;
mod support;
mod switching;
mod traces;
mod walls;
