//! Stories of the program as operators meet it: its doctor, the root it lives in, and what a standard asks of it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a story fails at once when its own means fail"
)]

mod asvs;
mod container;
mod doctor;
mod migration;
mod support;
