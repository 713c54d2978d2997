//! Who acts, and for which organization.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{ApiKeyId, OrganizationId, UserId};

/// What a member may do; a later role may do all that an earlier one may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks at everything that is not about access.
    Viewer,
    /// Works with calls and posts.
    Member,
    /// Manages the Gong connection, API keys and members below owner.
    Admin,
    /// Manages everything, owners included.
    Owner,
}

/// The text is not one of the four roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("role must be one of owner, admin, member, viewer")]
pub struct RoleError;

impl Role {
    /// All roles, weakest first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Member, Self::Admin, Self::Owner];

    /// The word for this role in tables, URLs and on screens.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = RoleError;
    fn from_str(text: &str) -> Result<Self, RoleError> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(RoleError)
    }
}

/// Who does something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// A person with a session.
    User(UserId, Role),
    /// A program with an API key.
    ApiKey(ApiKeyId, Role),
    /// A background job.
    Job,
    /// An operator at the command line.
    Operator,
}

impl Actor {
    /// The role that limits this actor; jobs and operators are not limited by one.
    pub const fn role(self) -> Option<Role> {
        match self {
            Self::User(_, role) | Self::ApiKey(_, role) => Some(role),
            Self::Job | Self::Operator => None,
        }
    }

    /// The word for the kind of actor in the audit log.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::User(..) => "user",
            Self::ApiKey(..) => "api_key",
            Self::Job => "job",
            Self::Operator => "operator",
        }
    }
}

/// The right to see and change the things of one organization.
///
/// Made only where a session, an API key, a job or an operator's command has been checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    organization: OrganizationId,
    actor: Actor,
    claim: Option<Uuid>,
}

impl Scope {
    /// What `actor` may see after it was checked that it belongs to `organization`.
    pub const fn checked(organization: OrganizationId, actor: Actor) -> Self {
        Self { organization, actor, claim: None }
    }

    /// What a background job of `organization` may see.
    pub const fn job(organization: OrganizationId) -> Self {
        Self { organization, actor: Actor::Job, claim: None }
    }

    /// What an operator at the command line may see of `organization`.
    pub const fn operator(organization: OrganizationId) -> Self {
        Self { organization, actor: Actor::Operator, claim: None }
    }

    /// The organization.
    pub const fn organization(&self) -> OrganizationId {
        self.organization
    }

    /// Who acts.
    pub const fn actor(&self) -> Actor {
        self.actor
    }

    /// The same right, for a request that is to be done once: what is committed with it counts only while the claim does.
    #[must_use]
    pub const fn claimed(mut self, claim: Option<Uuid>) -> Self {
        self.claim = claim;
        self
    }

    /// The claim of a request that is to be done once.
    pub const fn claim(&self) -> Option<Uuid> {
        self.claim
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_ordered_and_their_words_parse_back() {
        assert!(Role::Owner > Role::Admin && Role::Admin > Role::Member && Role::Member > Role::Viewer);
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        assert_eq!("root".parse::<Role>(), Err(RoleError));
    }
}
