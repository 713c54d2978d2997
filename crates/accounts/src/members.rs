//! Members of an organization and the rules about who may change whom. Knows no passwords beyond the first one.

use db::{Db, Tx};
use kernel::{Actor, Ambient, Role, Scope, SecretString, UserId};
use serde_json::json;
use time::OffsetDateTime;

use crate::{
    AccountsError, Action, Cursor, Entry, Listing, PageSize, PasswordHasher, Permission, RequestInfo,
    actions,
    audit::{Who, audit, write},
    fields,
    organizations::Newcomer,
    require,
    store::{api_keys, fleet, members as store},
};

/// The most members of one organization.
pub const MOST_MEMBERS: i64 = 5000;

/// A member as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberLine {
    /// The person.
    pub user: UserId,
    /// The person's address.
    pub email: String,
    /// What the person may do.
    pub role: Role,
    /// Since when the person belongs to the organization.
    pub since: OffsetDateTime,
}

/// A member who was just added.
#[derive(Debug)]
pub struct AddedMember {
    /// The person.
    pub user: UserId,
    /// The first password of a new person, to be shown once; none for somebody who has one already.
    pub initial_password: Option<SecretString>,
}

/// A page of the members, longest first.
///
/// # Errors
/// [`AccountsError::Forbidden`] below admin; when the database fails.
pub async fn members(
    tx: &mut Tx,
    cursor: Option<Cursor>,
    size: PageSize,
) -> Result<Listing<MemberLine>, AccountsError> {
    require(tx.scope().actor(), Permission::ViewMembers)?;
    let lines = store::page(tx, cursor, size.and_one()).await?;
    Ok(Listing::cut(lines, size, |line| Cursor { at: line.since, id: line.user.uuid() }))
}

/// One member. `lock` keeps others from changing members until the transaction ends.
///
/// # Errors
/// [`AccountsError::Forbidden`] below admin; [`AccountsError::NotFound`]; when the database fails.
pub async fn member(tx: &mut Tx, user: UserId, lock: bool) -> Result<MemberLine, AccountsError> {
    require(tx.scope().actor(), Permission::ViewMembers)?;
    if lock {
        store::lock_organization(tx).await?;
    }
    store::one(tx, user).await?.ok_or(AccountsError::NotFound { what: "member" })
}

/// The address of a member; `None` for somebody who does not belong to the organization (any longer).
///
/// # Errors
/// When the database fails.
pub async fn address_of(tx: &mut Tx, user: UserId) -> Result<Option<String>, AccountsError> {
    store::address_of(tx, user).await
}

/// Adds a person by address. Somebody who has an account only gets the membership and keeps the password.
///
/// # Errors
/// [`AccountsError::Forbidden`] by the rules about roles; [`AccountsError::Invalid`] naming `email`;
/// [`AccountsError::AlreadyMember`]; [`AccountsError::LimitReached`]; when the database fails.
pub async fn add_member(
    db: &Db,
    hasher: &PasswordHasher,
    scope: &Scope,
    (email, role): (&str, Role),
    request: &RequestInfo,
    ambient: &dyn Ambient,
) -> Result<AddedMember, AccountsError> {
    may_change(scope.actor(), None, None, Some(role))?;
    let email = fields::email("email", email)?;
    let (newcomer, initial_password) = Newcomer::prepare(db, hasher, &email, None, ambient).await?;
    let organization = scope.organization();
    let mut tx = db.fleet().await?;
    tx.on_behalf_of(scope);
    if !fleet::people::lock_organization(&mut tx, organization).await? {
        return Err(AccountsError::NotFound { what: "organization" });
    }
    if fleet::people::count_members(&mut tx, organization).await? >= MOST_MEMBERS {
        return Err(AccountsError::LimitReached { what: "members", most: MOST_MEMBERS });
    }
    let (user, is_new) = newcomer.settle(&mut tx, ambient).await?;
    let now = ambient.now();
    if !fleet::people::insert_membership(&mut tx, organization, user, role, now).await? {
        return Err(AccountsError::AlreadyMember);
    }
    let detail = json!({ "email": email, "before": null, "after": role.as_str(), "new_account": is_new });
    let entry = Entry::new(actions::MEMBER_ADDED, request).target(user).detail(detail);
    write(&mut tx, Who { organization, actor: scope.actor(), label: None }, entry, ambient).await?;
    tx.announce(organization, "members").await?;
    tx.commit().await?;
    Ok(AddedMember { user, initial_password: initial_password.filter(|_| is_new) })
}

/// Gives a member another role; it counts from the member's next request on.
///
/// # Errors
/// [`AccountsError::NotFound`] for somebody who is not a member; [`AccountsError::Forbidden`] by the rules about roles;
/// [`AccountsError::LastOwner`]; when the database fails.
pub async fn change_role(
    tx: &mut Tx,
    user: UserId,
    role: Role,
    request: &RequestInfo,
    ambient: &dyn Ambient,
) -> Result<(), AccountsError> {
    require(tx.scope().actor(), Permission::ManageMembers)?;
    store::lock_organization(tx).await?;
    let before = store::role_of(tx, user).await?.ok_or(AccountsError::NotFound { what: "member" })?;
    may_change(tx.scope().actor(), Some(user), Some(before), Some(role))?;
    if before == role {
        return Ok(());
    }
    keep_an_owner(tx, before).await?;
    store::set_role(tx, user, role).await?;
    let entry = Entry::new(actions::MEMBER_ROLE_CHANGED, request).target(user).change(before, role);
    audit(tx, entry, ambient).await?;
    Ok(())
}

/// Ends a membership: the person's sessions in this organization and the API keys the person made here end with it.
///
/// # Errors
/// As [`change_role`].
pub async fn remove_member(
    db: &Db,
    scope: &Scope,
    user: UserId,
    request: &RequestInfo,
    ambient: &dyn Ambient,
) -> Result<(), AccountsError> {
    require(scope.actor(), Permission::ManageMembers)?;
    let mut tx = db.begin(scope).await?;
    store::lock_organization(&mut tx).await?;
    let before = store::role_of(&mut tx, user).await?.ok_or(AccountsError::NotFound { what: "member" })?;
    may_change(scope.actor(), Some(user), Some(before), None)?;
    end_membership(tx, user, before, actions::MEMBER_REMOVED, request, ambient).await
}

/// Ends the actor's own membership: the sessions in this organization and the API keys made here end with it.
///
/// # Errors
/// [`AccountsError::Forbidden`] for anybody but a person; [`AccountsError::LastOwner`]; when the database fails.
pub async fn leave_organization(
    db: &Db,
    scope: &Scope,
    request: &RequestInfo,
    ambient: &dyn Ambient,
) -> Result<(), AccountsError> {
    let Actor::User(user, _) = scope.actor() else {
        return Err(AccountsError::Forbidden { rule: "only a person can leave an organization" });
    };
    let mut tx = db.begin(scope).await?;
    store::lock_organization(&mut tx).await?;
    let before = store::role_of(&mut tx, user).await?.ok_or(AccountsError::NotFound { what: "member" })?;
    end_membership(tx, user, before, actions::MEMBER_LEFT, request, ambient).await
}

async fn end_membership(
    mut tx: Tx,
    user: UserId,
    before: Role,
    action: Action,
    request: &RequestInfo,
    ambient: &dyn Ambient,
) -> Result<(), AccountsError> {
    keep_an_owner(&mut tx, before).await?;
    for key in api_keys::revoke_of_user(&mut tx, user, ambient.now()).await? {
        let why = json!({ "because": "the member who made it does not belong here any longer" });
        let entry = Entry::new(actions::API_KEY_REVOKED, request).target(key).detail(why);
        audit(&mut tx, entry, ambient).await?;
    }
    let detail = json!({ "before": before.as_str(), "after": null });
    audit(&mut tx, Entry::new(action, request).target(user).detail(detail), ambient).await?;
    store::delete(&mut tx, user).await?;
    store::end_sessions(&mut tx, Some(user)).await?;
    tx.announce("members").await?;
    Ok(tx.commit().await?)
}

async fn keep_an_owner(tx: &mut Tx, before: Role) -> Result<(), AccountsError> {
    if before == Role::Owner && store::count_owners(tx).await? <= 1 {
        return Err(AccountsError::LastOwner);
    }
    Ok(())
}

/// The rules about roles: who manages members may not touch or make owners unless an owner, and nobody rises by
/// his own hand. `target` is none for a newcomer, `to` is none for a removal.
fn may_change(
    actor: Actor,
    target: Option<UserId>,
    from: Option<Role>,
    to: Option<Role>,
) -> Result<(), AccountsError> {
    require(actor, Permission::ManageMembers)?;
    if from == Some(Role::Owner) || to == Some(Role::Owner) {
        require(actor, Permission::ManageOwners)?;
    }
    let own = matches!((actor, target), (Actor::User(actor, _), Some(target)) if actor == target);
    if own && to > from {
        return Err(AccountsError::Forbidden { rule: "nobody can give himself a stronger role" });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::{ApiKeyId, SystemAmbient};

    fn someone(role: Role) -> (UserId, Actor) {
        let user = UserId::mint(&SystemAmbient);
        (user, Actor::User(user, role))
    }

    #[test]
    fn only_owners_and_operators_touch_owners() {
        let (other, _) = someone(Role::Member);
        for (role, may) in
            [(Role::Viewer, false), (Role::Member, false), (Role::Admin, false), (Role::Owner, true)]
        {
            let (_, actor) = someone(role);
            for (from, to) in [
                (Some(Role::Owner), Some(Role::Member)),
                (Some(Role::Owner), None),
                (Some(Role::Member), Some(Role::Owner)),
                (None, Some(Role::Owner)),
            ] {
                assert_eq!(
                    may_change(actor, Some(other), from, to).is_ok(),
                    may,
                    "{role} {from:?} -> {to:?}"
                );
            }
        }
        assert!(may_change(Actor::Operator, None, None, Some(Role::Owner)).is_ok());
        assert!(may_change(Actor::Job, None, None, Some(Role::Viewer)).is_err());
    }

    #[test]
    fn admins_manage_everybody_below_owner() {
        let (other, _) = someone(Role::Member);
        let key = Actor::ApiKey(ApiKeyId::mint(&SystemAmbient), Role::Admin);
        for actor in [someone(Role::Admin).1, key] {
            for to in [Some(Role::Admin), Some(Role::Viewer), None] {
                assert!(may_change(actor, Some(other), Some(Role::Admin), to).is_ok());
            }
        }
        assert!(may_change(someone(Role::Member).1, Some(other), Some(Role::Viewer), None).is_err());
    }

    #[test]
    fn nobody_rises_by_his_own_hand_but_may_step_down() {
        // The scope may be older than the membership: an owner demoted to admin a moment ago.
        let (me, actor) = someone(Role::Owner);
        assert!(may_change(actor, Some(me), Some(Role::Admin), Some(Role::Owner)).is_err());
        assert!(may_change(actor, Some(me), Some(Role::Owner), Some(Role::Viewer)).is_ok());
    }
}
