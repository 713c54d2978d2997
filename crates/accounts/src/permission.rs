//! Which role may do what: one table, used by the code and published as docs/ROLES.md. Knows no route.

use kernel::{Actor, Role};

use crate::AccountsError;

/// Something that is allowed to some roles only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permission {
    /// See calls, their parties and transcripts.
    ViewCalls,
    /// See how the Gong connection stands.
    ViewConnection,
    /// See boards, posts and their evidence.
    ViewFeedback,
    /// Change, review, merge and split posts.
    EditFeedback,
    /// Manage boards and tags, set how feedback is made, have calls looked at again.
    ManageFeedback,
    /// Ask for a poll at once.
    PollNow,
    /// Connect, set up, pause, resume, backfill and disconnect; see, retry and discard dead letters.
    ManageConnection,
    /// See who belongs to the organization.
    ViewMembers,
    /// Add, change and remove members below owner.
    ManageMembers,
    /// Make, change and remove owners.
    ManageOwners,
    /// See which API keys exist (never their secrets).
    ViewApiKeys,
    /// Create and revoke API keys.
    ManageApiKeys,
    /// Read the audit log.
    ViewActivity,
    /// Rename the organization.
    ManageOrganization,
    /// Set how long content is kept, erase people, decide about calls that vanished.
    ManagePrivacy,
    /// Export all data of the organization.
    ExportOrganization,
    /// Erase the organization.
    EraseOrganization,
}

/// One line of the matrix. A stronger role may do all that a weaker one may.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// What is allowed.
    pub permission: Permission,
    /// The same in plain words.
    pub words: &'static str,
    /// The weakest role that may do it.
    pub from: Role,
}

const fn row(permission: Permission, words: &'static str, from: Role) -> Row {
    Row { permission, words, from }
}

/// The whole matrix.
pub const MATRIX: [Row; 17] = [
    row(Permission::ViewCalls, "See calls, parties and transcripts", Role::Viewer),
    row(Permission::ViewConnection, "See how the Gong connection stands", Role::Viewer),
    row(Permission::ViewFeedback, "See boards, posts and their evidence", Role::Viewer),
    row(Permission::EditFeedback, "Change, review, merge and split posts", Role::Member),
    row(
        Permission::ManageFeedback,
        "Manage boards and tags, set how feedback is made, have calls looked at again",
        Role::Admin,
    ),
    row(Permission::PollNow, "Look for new calls now", Role::Member),
    row(
        Permission::ManageConnection,
        "Connect Gong, change its settings, pause, resume, backfill, disconnect, look after work that was given up",
        Role::Admin,
    ),
    row(Permission::ViewMembers, "See the members", Role::Admin),
    row(Permission::ManageMembers, "Add, change and remove members below owner", Role::Admin),
    row(Permission::ManageOwners, "Make, change and remove owners", Role::Owner),
    row(Permission::ViewApiKeys, "See which API keys exist", Role::Admin),
    row(Permission::ManageApiKeys, "Create and revoke API keys", Role::Admin),
    row(Permission::ViewActivity, "Read the activity log", Role::Admin),
    row(Permission::ManageOrganization, "Rename the organization", Role::Owner),
    row(
        Permission::ManagePrivacy,
        "Set the retention time, erase people, decide about calls that vanished from Gong",
        Role::Admin,
    ),
    row(Permission::ExportOrganization, "Export all data of the organization", Role::Owner),
    row(Permission::EraseOrganization, "Erase the organization", Role::Owner),
];

impl Permission {
    /// Whether a role has this permission.
    pub fn allowed(self, role: Role) -> bool {
        MATRIX.iter().any(|row| row.permission == self && role >= row.from)
    }

    /// Whether an actor has it: people and keys by their role, operators always, jobs never.
    pub fn granted_to(self, actor: Actor) -> bool {
        match (actor, actor.role()) {
            (_, Some(role)) => self.allowed(role),
            (Actor::Operator, None) => true,
            _ => false,
        }
    }

    /// The permission in plain words, as published.
    pub fn words(self) -> &'static str {
        MATRIX.iter().find(|row| row.permission == self).map_or("", |row| row.words)
    }
}

/// Stops who lacks a permission.
///
/// # Errors
/// [`AccountsError::Forbidden`] with the permission in plain words.
pub fn require(actor: Actor, permission: Permission) -> Result<(), AccountsError> {
    if permission.granted_to(actor) {
        return Ok(());
    }
    Err(AccountsError::Forbidden { rule: permission.words() })
}

/// The matrix as a Markdown table, a line a permission and a column a role.
pub fn matrix_markdown() -> String {
    let mut text = String::from("| What | viewer | member | admin | owner |\n|---|---|---|---|---|\n");
    for row in MATRIX {
        text.push_str("| ");
        text.push_str(row.words);
        for role in Role::ALL {
            text.push_str(if row.permission.allowed(role) { " | yes" } else { " | -" });
        }
        text.push_str(" |\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::{ApiKeyId, SystemAmbient};

    #[test]
    fn the_published_roles_are_the_ones_in_force() {
        let published = include_str!("../../../docs/ROLES.md");
        assert!(published.contains(&matrix_markdown()), "docs/ROLES.md should hold:\n{}", matrix_markdown());
    }

    #[test]
    fn every_permission_stands_in_the_matrix_once() {
        for (at, row) in MATRIX.iter().enumerate() {
            assert!(MATRIX[at + 1..].iter().all(|other| other.permission != row.permission));
            assert!(row.permission.allowed(Role::Owner));
            assert_eq!(row.permission.words(), row.words);
        }
    }

    #[test]
    fn a_viewer_only_looks_and_an_admin_cannot_make_owners() {
        let of = |role| MATRIX.iter().filter(|row| row.permission.allowed(role)).count();
        assert_eq!(Role::ALL.map(of), [3, 5, 13, 17]);
        assert!(!Permission::ManageOwners.allowed(Role::Admin));
    }

    #[test]
    fn keys_are_bound_to_their_role_and_jobs_have_no_permission() {
        let key = Actor::ApiKey(ApiKeyId::mint(&SystemAmbient), Role::Viewer);
        assert!(Permission::ViewCalls.granted_to(key) && !Permission::ManageApiKeys.granted_to(key));
        assert!(!Permission::ViewCalls.granted_to(Actor::Job));
        assert!(Permission::ManageOwners.granted_to(Actor::Operator));
        assert_eq!(require(key, Permission::ManageMembers).unwrap_err().code(), "role_not_sufficient");
    }
}
