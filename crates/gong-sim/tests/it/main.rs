//! The simulator over HTTP, with a client of its own.

mod api;
mod control;
mod oauth;
mod support;
mod trouble;
