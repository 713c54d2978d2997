//! The list of calls and the page of one call.

use askama::Template;

use super::{
    icon::Icon,
    moment::Moment,
    shell::{Frame, Pill},
};

/// One call in a list.
#[derive(Debug, Clone)]
pub(crate) struct CallRow {
    pub(crate) href: String,
    pub(crate) title: String,
    pub(crate) people: String,
    pub(crate) account: Option<String>,
    pub(crate) started: Moment,
    pub(crate) length: String,
    pub(crate) pill: Pill,
    /// Since when it waits.
    pub(crate) since: Option<Moment>,
    /// Why it waits, or was given up.
    pub(crate) why: Option<String>,
    pub(crate) partial: bool,
}

/// A filter with its count.
#[derive(Debug, Clone)]
pub(crate) struct Tab {
    pub(crate) label: String,
    pub(crate) count: String,
    pub(crate) href: String,
    pub(crate) chosen: bool,
}

/// Calls, filtered and searched, a page at a time.
#[derive(Template)]
#[template(path = "calls.html")]
pub(crate) struct CallsPage {
    pub(crate) frame: Frame,
    pub(crate) tabs: Vec<Tab>,
    pub(crate) state: &'static str,
    pub(crate) search: String,
    pub(crate) rows: Vec<CallRow>,
    pub(crate) newer: Option<String>,
    pub(crate) older: Option<String>,
    pub(crate) private: Option<String>,
    pub(crate) connected: bool,
    /// Whether any call is held at all.
    pub(crate) any: bool,
}

/// Somebody in a call.
#[derive(Debug, Clone)]
pub(crate) struct PartyLine {
    pub(crate) name: String,
    pub(crate) detail: String,
}

/// The people of one side.
#[derive(Debug, Clone)]
pub(crate) struct Side {
    pub(crate) title: &'static str,
    pub(crate) parties: Vec<PartyLine>,
}

/// A sentence and its place in the recording.
#[derive(Debug, Clone)]
pub(crate) struct Say {
    pub(crate) anchor: String,
    pub(crate) at: String,
    pub(crate) text: String,
}

/// What one person said in one go.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    /// `customer`, `us` or `unknown`.
    pub(crate) side: &'static str,
    pub(crate) name: String,
    pub(crate) label: &'static str,
    pub(crate) topic: Option<String>,
    pub(crate) says: Vec<Say>,
}

/// Why there is no transcript (yet).
#[derive(Debug, Clone)]
pub(crate) struct NoTranscript {
    pub(crate) title: &'static str,
    pub(crate) lines: Vec<String>,
}

/// One call.
#[derive(Template)]
#[template(path = "call.html")]
pub(crate) struct CallPage {
    pub(crate) frame: Frame,
    pub(crate) title: String,
    pub(crate) started: Moment,
    pub(crate) length: String,
    pub(crate) pill: Pill,
    pub(crate) partial: bool,
    /// Only ever an https address.
    pub(crate) gong_url: Option<String>,
    pub(crate) gong_call_id: String,
    pub(crate) sides: Vec<Side>,
    pub(crate) facts: Vec<(&'static str, String)>,
    pub(crate) turns: Vec<Turn>,
    pub(crate) transcript_size: String,
    pub(crate) missing: Option<NoTranscript>,
    /// Where it leads to what came of the call.
    pub(crate) feedback_href: String,
    /// What came of it, for who may see that.
    pub(crate) feedback: Option<Pill>,
}
