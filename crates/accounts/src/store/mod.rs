//! All SQL of this room. What sees one organization stands beside this file; what crosses them stands in [`fleet`].

pub(crate) mod api_keys;
pub(crate) mod audit;
pub(crate) mod claims;
pub(crate) mod export;
pub(crate) mod fleet;
pub(crate) mod masking;
pub(crate) mod members;
pub(crate) mod organizations;

use db::DbError;
use kernel::Role;

use crate::AccountsError;

/// Wraps a driver error with what was being done.
fn failed(doing: &'static str) -> impl FnOnce(sqlx::Error) -> AccountsError {
    move |source| AccountsError::Db(DbError::while_doing(doing)(source))
}

/// Reads a stored role.
fn role(word: &str) -> Result<Role, AccountsError> {
    word.parse().map_err(|_| AccountsError::Corrupt { what: "role" })
}
