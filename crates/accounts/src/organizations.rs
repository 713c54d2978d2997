//! Organizations, and who somebody is in one of them. Knows no sessions and no keys.

use db::{Db, FleetTx, Tx};
use kernel::{Actor, Ambient, OrganizationId, Role, Scope, SecretString, UserId};
use serde_json::json;
use time::OffsetDateTime;

use crate::{
    AccountsError, Entry, PasswordHasher, Permission, RequestInfo, actions, audit,
    audit::{Who, write},
    fields, password_policy,
    random_text::base62,
    require,
    store::{fleet, organizations as store},
};

/// A customer of the product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// The id.
    pub id: OrganizationId,
    /// The name people gave it.
    pub name: String,
    /// Since when it exists.
    pub created_at: OffsetDateTime,
}

/// What an operator says to make an organization.
#[derive(Debug)]
pub struct NewOrganization {
    /// The name.
    pub name: String,
    /// The first owner's address.
    pub owner_email: String,
    /// The owner's password; without one a random one is made. Ignored for a person who exists already.
    pub password: Option<SecretString>,
}

/// An organization that was just made.
#[derive(Debug)]
pub struct CreatedOrganization {
    /// The organization.
    pub organization: OrganizationId,
    /// The owner.
    pub owner: UserId,
    /// The random password, to be shown once; none where one was given or the person existed.
    pub initial_password: Option<SecretString>,
}

/// Somebody's place in one organization, read anew for every request.
#[derive(Debug, Clone)]
pub struct Member {
    /// The person.
    pub user: UserId,
    /// The organization.
    pub organization: OrganizationId,
    /// The person's address.
    pub email: String,
    /// What the person may do here at this moment.
    pub role: Role,
    /// The organization's name.
    pub organization_name: String,
    /// The password was made by somebody else and has to be changed first.
    pub must_change_password: bool,
}

impl Member {
    /// The right to act here that follows from it.
    pub const fn scope(&self) -> Scope {
        Scope::checked(self.organization, Actor::User(self.user, self.role))
    }
}

/// One of the organizations that a person belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The organization.
    pub organization: OrganizationId,
    /// Its name.
    pub organization_name: String,
    /// The person's role there.
    pub role: Role,
}

/// Reads what a person is in an organization now; none where the person does not belong to it (any longer).
///
/// # Errors
/// When the database fails.
pub async fn resolve_session(
    fleet: &mut FleetTx,
    user: UserId,
    organization: OrganizationId,
) -> Result<Option<Member>, AccountsError> {
    fleet::people::member(fleet, user, organization).await
}

/// The organizations that a person belongs to, oldest membership first (100 at most).
///
/// # Errors
/// When the database fails.
pub async fn memberships_of_user(
    fleet: &mut FleetTx,
    user: UserId,
) -> Result<Vec<Membership>, AccountsError> {
    fleet::people::memberships(fleet, user).await
}

/// For operators: makes an organization and its first owner.
///
/// # Errors
/// [`AccountsError::Invalid`] naming `name`, `owner_email` or `password`; when the database fails.
pub async fn create_organization(
    db: &Db,
    hasher: &PasswordHasher,
    new: NewOrganization,
    ambient: &dyn Ambient,
) -> Result<CreatedOrganization, AccountsError> {
    let name = fields::name("name", &new.name, 200)?;
    let email = fields::email("owner_email", &new.owner_email)?;
    let chosen = new.password;
    if let Some(password) = &chosen {
        password_policy("password", password, &email)?;
    }
    let (user, initial_password) = Newcomer::prepare(db, hasher, &email, chosen, ambient).await?;
    let organization = OrganizationId::mint(ambient);
    let now = ambient.now();
    let mut tx = db.fleet().await?;
    fleet::people::insert_organization(&mut tx, organization, &name, now).await?;
    let (owner, is_new) = user.settle(&mut tx, ambient).await?;
    fleet::people::insert_membership(&mut tx, organization, owner, Role::Owner, now).await?;
    let entry = Entry::new(actions::ORGANIZATION_CREATED, &RequestInfo::default())
        .target(organization)
        .detail(json!({ "name": name, "owner": email }));
    write(&mut tx, Who { organization, actor: Actor::Operator, label: None }, entry, ambient).await?;
    tx.commit().await?;
    Ok(CreatedOrganization { organization, owner, initial_password: initial_password.filter(|_| is_new) })
}

/// The organization of the transaction.
///
/// # Errors
/// [`AccountsError::NotFound`] when it does not exist (any longer); when the database fails.
pub async fn organization(tx: &mut Tx) -> Result<Organization, AccountsError> {
    store::find(tx).await?.ok_or(AccountsError::NotFound { what: "organization" })
}

/// Renames the organization.
///
/// # Errors
/// [`AccountsError::Forbidden`] below owner; [`AccountsError::Invalid`] naming `name`; when the database fails.
pub async fn rename_organization(
    tx: &mut Tx,
    name: &str,
    request: &RequestInfo,
    ambient: &dyn Ambient,
) -> Result<(), AccountsError> {
    require(tx.scope().actor(), Permission::ManageOrganization)?;
    let name = fields::name("name", name, 200)?;
    let before = organization(tx).await?;
    if before.name == name {
        return Ok(());
    }
    store::rename(tx, &name).await?;
    let entry = Entry::new(actions::ORGANIZATION_RENAMED, request).target(before.id);
    audit::audit(tx, entry.change(before.name, name), ambient).await?;
    Ok(())
}

/// A person to be added, with the slow hashing done before any transaction begins.
pub(crate) enum Newcomer {
    /// The person existed when we looked.
    Known(UserId),
    /// Nobody had this address when we looked.
    New { email: String, password_hash: String, must_change: bool },
}

impl Newcomer {
    /// Looks the address up; for a new one hashes the chosen password or makes a random one, which is returned too.
    pub(crate) async fn prepare(
        db: &Db,
        hasher: &PasswordHasher,
        email: &str,
        chosen: Option<SecretString>,
        ambient: &dyn Ambient,
    ) -> Result<(Self, Option<SecretString>), AccountsError> {
        let mut tx = db.fleet().await?;
        let known = fleet::people::user_by_email(&mut tx, email).await?;
        drop(tx);
        if let Some(user) = known {
            return Ok((Self::Known(user.id), None));
        }
        let made = chosen.is_none().then(|| initial_password(ambient));
        let must_change = made.is_some();
        let password = chosen.or_else(|| made.clone()).unwrap_or_default();
        let password_hash = hasher.hash(&password, ambient).await?;
        Ok((Self::New { email: email.to_owned(), password_hash, must_change }, made))
    }

    /// The person's id, and whether the person was made by this call.
    pub(crate) async fn settle(
        self,
        tx: &mut FleetTx,
        ambient: &dyn Ambient,
    ) -> Result<(UserId, bool), AccountsError> {
        let (email, password_hash, must_change) = match self {
            Self::Known(user) => return Ok((user, false)),
            Self::New { email, password_hash, must_change } => (email, password_hash, must_change),
        };
        let id = UserId::mint(ambient);
        let new = fleet::people::NewUser { id, email: &email, password_hash: &password_hash, must_change };
        if fleet::people::insert_user(tx, new, ambient.now()).await? {
            return Ok((id, true));
        }
        // Somebody else added the same address a moment ago.
        let user = fleet::people::user_by_email(tx, &email).await?;
        user.map(|user| (user.id, false)).ok_or(AccountsError::NotFound { what: "user" })
    }
}

/// Four groups of five letters and digits: 119 random bits that can be read out loud.
pub(crate) fn initial_password(ambient: &dyn Ambient) -> SecretString {
    let text = base62(ambient, 20);
    SecretString::from([&text[..5], &text[5..10], &text[10..15], &text[15..]].join("-"))
}
