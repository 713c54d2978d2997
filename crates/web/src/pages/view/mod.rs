//! What pages show: small typed structs and their templates. Knows words, numbers and markup; never a room, a request or
//! a database. Handlers in `pages` fill these in.

pub(crate) mod access;
pub(crate) mod calls;
pub(crate) mod feedback;
pub(crate) mod figures;
pub(crate) mod gong;
pub(crate) mod icon;
pub(crate) mod letters;
pub(crate) mod moment;
pub(crate) mod overview;
pub(crate) mod plain;
pub(crate) mod posts;
pub(crate) mod privacy;
pub(crate) mod shell;

#[cfg(test)]
mod samples;
