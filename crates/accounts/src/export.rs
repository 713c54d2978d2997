//! The organization, its people and its activity as rows of JSON, and back in again. Passwords and keys stay behind.

use db::{FleetTx, Tx};
use kernel::{Ambient, OrganizationId, SecretString};
use serde_json::Value;

use crate::{AccountsError, PasswordHasher, random_text::base62, store::export as store};

/// The tables of this room that are exported, in the order of importing.
pub fn exported() -> Vec<&'static str> {
    store::tables().collect()
}

/// A page of a table: each row with its key, behind which the next page begins.
///
/// # Errors
/// When the database fails.
pub async fn export_page(
    tx: &mut Tx,
    table: &str,
    after: Option<&str>,
    most: i64,
) -> Result<Vec<(String, Value)>, AccountsError> {
    store::page(tx, table, after, most.clamp(1, 500)).await
}

/// A hash of a password that nobody knows, for people that are imported.
///
/// # Errors
/// When hashing fails.
pub async fn unknown_password(
    hasher: &PasswordHasher,
    ambient: &dyn Ambient,
) -> Result<SecretString, AccountsError> {
    let password = SecretString::from(base62(ambient, 40));
    Ok(hasher.hash(&password, ambient).await?.into())
}

/// Puts exported rows in; false for a table of another room. API keys are left out: their secrets did not come along.
///
/// # Errors
/// [`AccountsError::Invalid`] when the organization, or somebody with an address of it, is here already; when a row does
/// not fit, or the database fails.
pub async fn import_rows(
    tx: &mut FleetTx,
    organization: OrganizationId,
    (table, rows): (&str, &[Value]),
    password_hash: &SecretString,
) -> Result<bool, AccountsError> {
    use kernel::ExposeSecret;
    match table {
        "organizations" => {
            if !store::insert_organization(tx, rows).await? {
                return Err(AccountsError::invalid(
                    "organization",
                    "is here already; import into a fresh installation",
                ));
            }
        }
        "users" => {
            let made = store::insert_users(tx, rows, password_hash.expose_secret()).await?;
            if usize::try_from(made).ok() != Some(rows.len()) {
                let problem = "belong to accounts of other people here; import into a fresh installation";
                return Err(AccountsError::invalid("users", problem));
            }
        }
        "memberships" => store::insert_memberships(tx, organization, rows).await?,
        "audit_log" => store::insert_audit(tx, organization, rows).await?,
        "api_keys" => {}
        _ => return Ok(false),
    }
    Ok(true)
}
