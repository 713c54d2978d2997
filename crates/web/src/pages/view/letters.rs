//! Work that was given up.

use askama::Template;

use super::{icon::Icon, moment::Moment, shell::Frame};

/// Jobs that were given up, of one kind and for one reason.
#[derive(Debug, Clone)]
pub(crate) struct GroupRow {
    /// What they do, in words.
    pub(crate) work: String,
    pub(crate) title: String,
    pub(crate) cause: String,
    pub(crate) open: String,
    pub(crate) attempts: String,
    pub(crate) since: Moment,
    pub(crate) last: Moment,
    pub(crate) kind: String,
    pub(crate) code: String,
    /// Where one is asked for the reason to discard them.
    pub(crate) discard: String,
}

/// One job that was given up.
#[derive(Debug, Clone)]
pub(crate) struct LetterRow {
    pub(crate) id: String,
    pub(crate) work: String,
    pub(crate) title: String,
    pub(crate) code: String,
    pub(crate) attempts: String,
    pub(crate) died: Moment,
    /// What became of it, where it is closed.
    pub(crate) ended: Option<String>,
    pub(crate) closed: Option<Moment>,
    pub(crate) discard: String,
}

/// All work that was given up.
#[derive(Template)]
#[template(path = "dead_letters.html")]
pub(crate) struct DeadLettersPage {
    pub(crate) frame: Frame,
    pub(crate) groups: Vec<GroupRow>,
    pub(crate) letters: Vec<LetterRow>,
    /// Whether closed ones are shown too.
    pub(crate) all: bool,
    pub(crate) newer: Option<String>,
    pub(crate) older: Option<String>,
}

/// What the button says.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Button {
    One,
    Many,
}

impl Button {
    /// The words on it.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::One => "Discard this job",
            Self::Many => "Discard these jobs",
        }
    }
}

/// Why something is to be discarded.
#[derive(Template)]
#[template(path = "discard.html")]
pub(crate) struct DiscardPage {
    pub(crate) frame: Frame,
    pub(crate) title: String,
    pub(crate) work: String,
    pub(crate) why: String,
    pub(crate) id: Option<String>,
    pub(crate) kind: String,
    pub(crate) code: String,
    pub(crate) reason: String,
    pub(crate) error: Option<String>,
    pub(crate) button: Button,
}
