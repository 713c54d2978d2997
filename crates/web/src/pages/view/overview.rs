//! The first page after logging in.

use askama::Template;

use super::{calls::CallRow, gong::Panel, icon::Icon, posts::PostRow, shell::Frame};

/// How the connection stands, what came in, what to do next.
#[derive(Template)]
#[template(path = "overview.html")]
pub(crate) struct OverviewPage {
    pub(crate) frame: Frame,
    /// `None`: nothing is connected, or no longer.
    pub(crate) panel: Option<Panel>,
    pub(crate) may_manage: bool,
    /// Calls from a connection that ended.
    pub(crate) kept: Option<String>,
    pub(crate) recent: Vec<CallRow>,
    /// What customers ask for; `None` for who may not see it.
    pub(crate) feedback: Option<FeedbackLines>,
}

/// What customers ask for, at a glance.
#[derive(Debug, Clone)]
pub(crate) struct FeedbackLines {
    pub(crate) new: String,
    pub(crate) review: String,
    pub(crate) published: String,
    pub(crate) has_board: bool,
    pub(crate) most_asked: Vec<PostRow>,
}
