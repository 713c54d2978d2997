//! Keys for the JSON API: made, shown once, used, revoked. Knows no HTTP.
//!
//! A key never may do more than the person who made it may do now: demote or remove the person, and the key follows.

use db::{FleetTx, Tx};
use kernel::{Actor, Ambient, ApiKeyId, OrganizationId, Role, Scope, SecretString, UserId};
use serde_json::json;
use time::OffsetDateTime;

use crate::{
    AccountsError, Cursor, Entry, Listing, PageSize, Permission, RequestInfo, actions,
    audit::audit,
    fields, key_format, looks_like_api_key, require,
    store::{api_keys as store, fleet},
};

/// The most keys of one organization that are not revoked.
pub const MOST_KEYS: i64 = 100;

/// A key as lists show it: never its secret.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// The id.
    pub id: ApiKeyId,
    /// What people call it.
    pub name: String,
    /// How the secret starts, to recognise it by.
    pub prefix: String,
    /// What it may do, unless its maker may do less.
    pub role: Role,
    /// Who made it; none for operators.
    pub created_by: Option<UserId>,
    /// The maker's address, while the maker belongs to the organization.
    pub created_by_email: Option<String>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it was last used, to within a minute.
    pub last_used_at: Option<OffsetDateTime>,
    /// Since when it no longer works.
    pub revoked_at: Option<OffsetDateTime>,
}

/// A program that showed a valid key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyHolder {
    /// The organization of the key.
    pub organization: OrganizationId,
    /// The key.
    pub key: ApiKeyId,
    /// What it may do at this moment.
    pub role: Role,
}

impl KeyHolder {
    /// The right to act that follows from it.
    pub const fn scope(&self) -> Scope {
        Scope::checked(self.organization, Actor::ApiKey(self.key, self.role))
    }
}

/// A page of the keys, newest first, the revoked ones included.
///
/// # Errors
/// [`AccountsError::Forbidden`] below admin; when the database fails.
pub async fn api_keys(
    tx: &mut Tx,
    cursor: Option<Cursor>,
    size: PageSize,
) -> Result<Listing<ApiKey>, AccountsError> {
    require(tx.scope().actor(), Permission::ViewApiKeys)?;
    let keys = store::page(tx, cursor, size.and_one()).await?;
    Ok(Listing::cut(keys, size, |key| Cursor { at: key.created_at, id: key.id.uuid() }))
}

/// One key.
///
/// # Errors
/// [`AccountsError::Forbidden`] below admin; [`AccountsError::NotFound`]; when the database fails.
pub async fn api_key(tx: &mut Tx, id: ApiKeyId) -> Result<ApiKey, AccountsError> {
    require(tx.scope().actor(), Permission::ViewApiKeys)?;
    store::find(tx, id).await?.ok_or(AccountsError::NotFound { what: "API key" })
}

/// Makes a key. The secret is in the answer and nowhere else: show it once.
///
/// # Errors
/// [`AccountsError::Forbidden`] below admin or for a role above the own one; [`AccountsError::Invalid`] naming `name` or
/// `role` (keys are never owners); [`AccountsError::LimitReached`]; when the database fails.
pub async fn create_api_key(
    tx: &mut Tx,
    name: &str,
    role: Role,
    request: &RequestInfo,
    ambient: &dyn Ambient,
) -> Result<(ApiKey, SecretString), AccountsError> {
    let actor = tx.scope().actor();
    require(actor, Permission::ManageApiKeys)?;
    let name = fields::name("name", name, 100)?;
    if role == Role::Owner {
        return Err(AccountsError::invalid("role", "of an API key must be admin, member or viewer"));
    }
    if actor.role().is_some_and(|own| role > own) {
        return Err(AccountsError::Forbidden { rule: "give a key a stronger role than your own" });
    }
    store::lock(tx).await?;
    if store::count_live(tx).await? >= MOST_KEYS {
        return Err(AccountsError::LimitReached { what: "API keys", most: MOST_KEYS });
    }
    let id = ApiKeyId::mint(ambient);
    let fresh = key_format::fresh(ambient);
    let new = store::NewKey { id, name: &name, prefix: &fresh.prefix, hash: fresh.hash, role };
    store::insert(tx, new, ambient.now()).await?;
    let detail = json!({ "name": name, "role": role.as_str(), "prefix": fresh.prefix });
    audit(tx, Entry::new(actions::API_KEY_CREATED, request).target(id).detail(detail), ambient).await?;
    let key = store::find(tx, id).await?.ok_or(AccountsError::NotFound { what: "API key" })?;
    Ok((key, fresh.secret))
}

/// Revokes a key; it is refused from the next request on, in every process. Revoking twice is once.
///
/// # Errors
/// [`AccountsError::Forbidden`] below admin; [`AccountsError::NotFound`]; when the database fails.
pub async fn revoke_api_key(
    tx: &mut Tx,
    id: ApiKeyId,
    request: &RequestInfo,
    ambient: &dyn Ambient,
) -> Result<(), AccountsError> {
    require(tx.scope().actor(), Permission::ManageApiKeys)?;
    let key = store::find(tx, id).await?.ok_or(AccountsError::NotFound { what: "API key" })?;
    if store::revoke(tx, id, ambient.now()).await? {
        let detail = json!({ "name": key.name, "prefix": key.prefix });
        audit(tx, Entry::new(actions::API_KEY_REVOKED, request).target(id).detail(detail), ambient).await?;
    }
    Ok(())
}

/// Who shows this key; none for anything that is not a key, is unknown or revoked, or whose maker is gone.
/// Commit afterwards: the last use is noted, at most once a minute.
///
/// # Errors
/// When the database fails.
pub async fn authenticate_api_key(
    fleet: &mut FleetTx,
    presented: &str,
    ambient: &dyn Ambient,
) -> Result<Option<KeyHolder>, AccountsError> {
    if !looks_like_api_key(presented) {
        return Ok(None);
    }
    let Some(found) = fleet::keys::find(fleet, key_format::hash(presented)).await? else {
        return Ok(None);
    };
    let role = match (found.created_by, found.maker_role) {
        (None, _) => found.role,
        (Some(_), Some(maker)) => found.role.min(maker),
        (Some(_), None) => return Ok(None),
    };
    let now = ambient.now();
    if found.last_used_at.is_none_or(|last| now - last >= time::Duration::minutes(1)) {
        fleet::keys::note_use(fleet, found.id, now).await?;
    }
    Ok(Some(KeyHolder { organization: found.organization, key: found.id, role }))
}
