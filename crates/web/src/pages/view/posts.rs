//! The list of posts, one post with its evidence, and the review.

use askama::Template;

use super::{
    calls::Tab,
    gong::Choice,
    icon::Icon,
    moment::Moment,
    shell::{Frame, Pill},
};

/// One post in a list.
#[derive(Debug, Clone)]
pub(crate) struct PostRow {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) summary: String,
    /// Kind, area, category and tags, in words.
    pub(crate) labels: Vec<String>,
    pub(crate) accounts: String,
    pub(crate) asks: String,
    pub(crate) priority: Pill,
    pub(crate) status: Pill,
    pub(crate) last_asked: Option<Moment>,
}

/// A select with its name and choices.
#[derive(Debug, Clone)]
pub(crate) struct Filter {
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    pub(crate) choices: Vec<Choice>,
}

/// Why a list is empty, and what to do.
#[derive(Debug, Clone)]
pub(crate) struct Nothing {
    pub(crate) title: String,
    pub(crate) words: String,
    /// Where it leads and what the button says.
    pub(crate) action: Option<(&'static str, &'static str)>,
}

/// How feedback stands, in a line that keeps itself fresh.
#[derive(Template, Debug, Clone)]
#[template(path = "feedback/panel.html")]
pub(crate) struct StandingPanel {
    /// Changes when anything in it does.
    pub(crate) shape: String,
    pub(crate) review: Option<String>,
    pub(crate) looking: Option<String>,
    /// Why calls wait, in words.
    pub(crate) waiting: Vec<String>,
    pub(crate) failed: Option<String>,
}

/// Posts, filtered and searched, a page at a time.
#[derive(Template)]
#[template(path = "feedback/posts.html")]
pub(crate) struct PostsPage {
    pub(crate) frame: Frame,
    pub(crate) panel: StandingPanel,
    pub(crate) boards: Vec<Tab>,
    /// The chosen board's id.
    pub(crate) board: String,
    pub(crate) search: String,
    pub(crate) label: String,
    pub(crate) filters: Vec<Filter>,
    /// Those that are folded away, unless one of them is set.
    pub(crate) more: Vec<Filter>,
    pub(crate) more_open: bool,
    /// Whether any filter is set.
    pub(crate) filtered: bool,
    pub(crate) rows: Vec<PostRow>,
    pub(crate) nothing: Option<Nothing>,
    pub(crate) newer: Option<String>,
    pub(crate) older: Option<String>,
    pub(crate) csv: String,
    pub(crate) json: String,
}

/// Words of a call, with the ways to where they were said.
#[derive(Debug, Clone)]
pub(crate) struct QuoteLine {
    pub(crate) text: String,
    pub(crate) speaker: String,
    pub(crate) at: String,
    /// Only ever an https address.
    pub(crate) gong: Option<String>,
    /// Our transcript, at that line.
    pub(crate) transcript: String,
}

/// One wish in one call.
#[derive(Debug, Clone)]
pub(crate) struct EvidenceCard {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) quotes: Vec<QuoteLine>,
    pub(crate) who: String,
    pub(crate) account: Option<String>,
    pub(crate) call: String,
    pub(crate) call_title: String,
    pub(crate) called: Moment,
    /// How it came to this post.
    pub(crate) how: String,
    pub(crate) pain_points: Vec<String>,
}

/// A bar of the trend.
#[derive(Debug, Clone)]
pub(crate) struct WeekBar {
    pub(crate) x: i64,
    pub(crate) y: i64,
    pub(crate) height: i64,
}

/// Asks by week, as a drawing and in words.
#[derive(Debug, Clone)]
pub(crate) struct TrendFigure {
    pub(crate) summary: String,
    pub(crate) bars: Vec<WeekBar>,
    pub(crate) first: String,
    pub(crate) weeks: Vec<(String, String)>,
}

/// What can be changed of a post.
#[derive(Debug, Clone)]
pub(crate) struct EditForm {
    pub(crate) version: String,
    pub(crate) title: String,
    pub(crate) summary: String,
    pub(crate) description: String,
    pub(crate) tags: String,
    pub(crate) boards: Vec<Choice>,
    pub(crate) categories: Vec<Choice>,
    pub(crate) priorities: Vec<Choice>,
    pub(crate) statuses: Vec<Choice>,
    /// What was refused.
    pub(crate) error: Option<String>,
    /// Whether the form is open.
    pub(crate) open: bool,
}

/// Posts into which this one could be merged.
#[derive(Debug, Clone)]
pub(crate) struct MergeForm {
    pub(crate) search: String,
    pub(crate) found: Vec<PostRow>,
    /// Whether somebody searched.
    pub(crate) asked: bool,
    pub(crate) error: Option<String>,
}

/// One post.
#[derive(Template)]
#[template(path = "feedback/post.html")]
pub(crate) struct PostPage {
    pub(crate) frame: Frame,
    pub(crate) row: PostRow,
    pub(crate) description: String,
    pub(crate) board: String,
    pub(crate) facts: Vec<(&'static str, String)>,
    /// In review, rejected or withdrawn: what that means.
    pub(crate) notice: Option<(&'static str, String)>,
    /// Whether somebody has to say yes or no, and this person may.
    pub(crate) decides: bool,
    /// The post that it may be the same as.
    pub(crate) doubt: Option<PostRow>,
    pub(crate) may_edit: bool,
    pub(crate) edit: EditForm,
    pub(crate) merge: MergeForm,
    pub(crate) trend: Option<TrendFigure>,
    pub(crate) evidence: Vec<EvidenceCard>,
    pub(crate) may_split: bool,
    pub(crate) more: Option<String>,
    pub(crate) first: Option<String>,
}

/// A post that waits for a decision.
#[derive(Debug, Clone)]
pub(crate) struct ReviewCard {
    pub(crate) post: PostRow,
    pub(crate) evidence: Option<EvidenceCard>,
    /// How like the other it is, in words, and the other.
    pub(crate) doubt: Option<(String, PostRow, Option<EvidenceCard>)>,
}

/// What waits for a decision.
#[derive(Template)]
#[template(path = "feedback/review.html")]
pub(crate) struct ReviewPage {
    pub(crate) frame: Frame,
    pub(crate) approval: bool,
    pub(crate) waiting: String,
    pub(crate) may_edit: bool,
    pub(crate) cards: Vec<ReviewCard>,
    pub(crate) older: Option<String>,
    pub(crate) newer: Option<String>,
    pub(crate) script: &'static str,
}
