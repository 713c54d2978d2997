//! The page about privacy, and the question before an organization is erased.

use askama::Template;

use super::{icon::Icon, moment::Moment, shell::Frame};

/// Calls that vanished, as numbers in words.
#[derive(Debug, Clone)]
pub(crate) struct Vanished {
    pub(crate) missing: String,
    pub(crate) expected: String,
    pub(crate) since: Moment,
}

/// A receipt.
#[derive(Debug, Clone)]
pub(crate) struct ErasureRow {
    pub(crate) id: String,
    /// By what the person was named.
    pub(crate) kind: &'static str,
    /// The beginning of the keyed hash.
    pub(crate) fingerprint: String,
    pub(crate) asked: Moment,
    pub(crate) by: String,
    pub(crate) done: Option<Moment>,
    pub(crate) percent: i64,
    /// What was removed, in words.
    pub(crate) removed: String,
}

/// What was typed into the form that erases a person, when it was not accepted. The address is not repeated.
#[derive(Debug, Clone, Default)]
pub(crate) struct Refused {
    pub(crate) address: Option<String>,
    pub(crate) retention: Option<String>,
}

/// The page about privacy.
#[derive(Template)]
#[template(path = "privacy.html")]
pub(crate) struct PrivacyPage {
    pub(crate) frame: Frame,
    pub(crate) vanished: Option<Vanished>,
    pub(crate) retention_days: String,
    pub(crate) by_phone: bool,
    pub(crate) refused: Refused,
    pub(crate) erasures: Vec<ErasureRow>,
    pub(crate) newer: Option<String>,
    pub(crate) older: Option<String>,
    pub(crate) may_export: bool,
    pub(crate) may_erase: bool,
}

/// The question before an organization is erased.
#[derive(Template)]
#[template(path = "erase_organization.html")]
pub(crate) struct EraseOrganizationPage {
    pub(crate) frame: Frame,
    pub(crate) name: String,
    pub(crate) error: Option<String>,
}
