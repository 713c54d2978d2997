//! Members, API keys and the activity log.

use askama::Template;

use super::{gong::Choice, icon::Icon, moment::Moment, shell::Frame};

/// One member.
#[derive(Debug, Clone)]
pub(crate) struct MemberRow {
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) role: &'static str,
    pub(crate) joined: Moment,
    pub(crate) you: bool,
    /// Roles that may be given; empty where the row may not be changed.
    pub(crate) roles: Vec<Choice>,
}

/// One line of the role matrix: what, and for viewer, member, admin, owner whether it is allowed.
#[derive(Debug, Clone)]
pub(crate) struct RoleLine {
    pub(crate) words: &'static str,
    pub(crate) allowed: [bool; 4],
}

/// Who belongs to the organization.
#[derive(Template)]
#[template(path = "members.html")]
pub(crate) struct MembersPage {
    pub(crate) frame: Frame,
    pub(crate) members: Vec<MemberRow>,
    /// The page before, and the next one.
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
    pub(crate) may_manage: bool,
    pub(crate) email: String,
    pub(crate) email_error: Option<String>,
    pub(crate) role_error: Option<String>,
    pub(crate) roles: Vec<Choice>,
    pub(crate) matrix: Vec<RoleLine>,
}

/// Something that is shown once: a first password, a new API key.
#[derive(Template)]
#[template(path = "shown_once.html")]
pub(crate) struct ShownOncePage {
    pub(crate) frame: Frame,
    pub(crate) title: &'static str,
    pub(crate) lead: String,
    pub(crate) label: &'static str,
    pub(crate) secret: String,
    pub(crate) after: &'static str,
    pub(crate) back: &'static str,
    pub(crate) back_label: &'static str,
}

/// A question before something that cannot be undone.
#[derive(Template)]
#[template(path = "confirm.html")]
pub(crate) struct ConfirmPage {
    pub(crate) frame: Frame,
    pub(crate) title: String,
    pub(crate) lines: Vec<String>,
    pub(crate) action: String,
    pub(crate) button: &'static str,
    pub(crate) back: &'static str,
}

/// One of the organizations that a person belongs to.
#[derive(Debug, Clone)]
pub(crate) struct OrganizationRow {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) role: &'static str,
    /// Whether it is the one that the session looks at.
    pub(crate) here: bool,
}

/// Which organization to look at.
#[derive(Template)]
#[template(path = "organizations.html")]
pub(crate) struct OrganizationsPage {
    pub(crate) frame: Frame,
    pub(crate) rows: Vec<OrganizationRow>,
    /// For those who may rename the one that the session looks at.
    pub(crate) rename: Option<RenameForm>,
}

/// The name of the organization, to be changed.
#[derive(Debug, Clone)]
pub(crate) struct RenameForm {
    pub(crate) name: String,
    pub(crate) error: Option<String>,
}

/// One API key.
#[derive(Debug, Clone)]
pub(crate) struct KeyRow {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) prefix: String,
    pub(crate) role: &'static str,
    pub(crate) made_by: String,
    pub(crate) created: Moment,
    pub(crate) used: Option<Moment>,
    pub(crate) revoked: Option<Moment>,
}

/// The keys of the JSON API.
#[derive(Template)]
#[template(path = "api_keys.html")]
pub(crate) struct ApiKeysPage {
    pub(crate) frame: Frame,
    pub(crate) keys: Vec<KeyRow>,
    pub(crate) newer: Option<String>,
    pub(crate) older: Option<String>,
    pub(crate) may_manage: bool,
    pub(crate) name: String,
    pub(crate) name_error: Option<String>,
    pub(crate) roles: Vec<Choice>,
}

/// One thing that somebody did.
#[derive(Debug, Clone)]
pub(crate) struct ActivityRow {
    pub(crate) at: Moment,
    pub(crate) actor: String,
    pub(crate) sentence: String,
    pub(crate) details: Vec<(String, String)>,
    pub(crate) ip: Option<String>,
    pub(crate) request_id: Option<String>,
}

/// The audit log, newest first.
#[derive(Template)]
#[template(path = "activity.html")]
pub(crate) struct ActivityPage {
    pub(crate) frame: Frame,
    pub(crate) rows: Vec<ActivityRow>,
    pub(crate) newer: Option<String>,
    pub(crate) older: Option<String>,
}
