//! SQL that crosses organizations: what happens before one is known.

pub(crate) mod audit;
pub(crate) mod claims;
pub(crate) mod keys;
pub(crate) mod login;
pub(crate) mod people;
pub(crate) mod sessions;
