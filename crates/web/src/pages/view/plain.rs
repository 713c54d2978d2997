//! Pages outside the frame: log-in, password, errors, the page that asks again; and the documentation pages.

use askama::Template;

use super::{icon::Icon, shell::Frame};

/// Log-in.
#[derive(Template)]
#[template(path = "login.html")]
pub(crate) struct LoginPage {
    pub(crate) frame: Frame,
    pub(crate) email: String,
    pub(crate) next: String,
    pub(crate) error: Option<String>,
    /// A neutral line: logged out, session ended.
    pub(crate) notice: Option<&'static str>,
}

/// Choosing a new password.
#[derive(Template)]
#[template(path = "password.html")]
pub(crate) struct PasswordPage {
    pub(crate) frame: Frame,
    pub(crate) forced: bool,
    pub(crate) policy: String,
    pub(crate) current_error: Option<String>,
    pub(crate) new_error: Option<String>,
    pub(crate) again_error: Option<String>,
}

/// Something did not work: what, why, where to go.
#[derive(Template)]
#[template(path = "error.html")]
pub(crate) struct ErrorPage {
    pub(crate) frame: Frame,
    pub(crate) status: u16,
    pub(crate) title: String,
    pub(crate) detail: String,
    pub(crate) code: String,
    pub(crate) request_id: String,
    pub(crate) action: &'static str,
    pub(crate) href: String,
}

/// A code that can come up, explained.
#[derive(Debug, Clone)]
pub(crate) struct CodeLine {
    pub(crate) code: &'static str,
    pub(crate) title: &'static str,
    pub(crate) cause: &'static str,
    pub(crate) who: Option<&'static str>,
}

/// Every error code with its meaning.
#[derive(Template)]
#[template(path = "docs_errors.html")]
pub(crate) struct ErrorsPage {
    pub(crate) frame: Frame,
    pub(crate) codes: Vec<CodeLine>,
}

/// Where the documentation is.
#[derive(Template)]
#[template(path = "docs.html")]
pub(crate) struct DocsPage {
    pub(crate) frame: Frame,
}
