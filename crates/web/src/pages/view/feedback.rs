//! What happened to one call, and how feedback is made.

use askama::Template;

use super::{
    gong::Choice,
    icon::Icon,
    moment::Moment,
    shell::{Frame, Pill},
};

/// One stage of a call.
#[derive(Debug, Clone)]
pub(crate) struct StageLine {
    pub(crate) name: String,
    pub(crate) why: String,
    pub(crate) score: Option<String>,
    pub(crate) tokens: Option<String>,
    pub(crate) cost: String,
    pub(crate) took: String,
    pub(crate) made_by: String,
    /// What it left, as JSON.
    pub(crate) output: String,
}

/// A post that came of a call.
#[derive(Debug, Clone)]
pub(crate) struct CameOf {
    pub(crate) post: String,
    pub(crate) title: String,
    pub(crate) how: &'static str,
}

/// What happened to one call, stage by stage.
#[derive(Template)]
#[template(path = "feedback/trace.html")]
pub(crate) struct TracePage {
    pub(crate) frame: Frame,
    pub(crate) call: String,
    pub(crate) title: String,
    pub(crate) pill: Pill,
    pub(crate) explained: Vec<String>,
    pub(crate) stored: Option<Moment>,
    pub(crate) finished: Option<Moment>,
    pub(crate) due: Option<Moment>,
    pub(crate) tries: String,
    pub(crate) stages: Vec<StageLine>,
    pub(crate) posts: Vec<CameOf>,
    pub(crate) may_retry: bool,
}

/// One of several things that can be chosen, with what it means.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    pub(crate) value: &'static str,
    pub(crate) label: &'static str,
    pub(crate) means: String,
    pub(crate) chosen: bool,
    pub(crate) possible: bool,
}

/// A board and its form.
#[derive(Debug, Clone)]
pub(crate) struct BoardForm {
    pub(crate) id: String,
    pub(crate) version: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) categories: String,
    pub(crate) posts: String,
}

/// What other thresholds would have done.
#[derive(Debug, Clone)]
pub(crate) struct PreviewLines {
    pub(crate) title: String,
    pub(crate) lines: Vec<String>,
}

/// Thresholds, as a form has them.
#[derive(Debug, Clone)]
pub(crate) struct ThresholdForm {
    pub(crate) join_at: String,
    pub(crate) ask_at: String,
    pub(crate) usual: String,
    pub(crate) preview: Option<PreviewLines>,
}

/// What a model used in one month.
#[derive(Debug, Clone)]
pub(crate) struct UsageLine {
    pub(crate) month: String,
    pub(crate) model: String,
    pub(crate) asks: String,
    pub(crate) tokens: String,
    pub(crate) cost: String,
}

/// What was refused, in which form.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wrong {
    pub(crate) form: String,
    pub(crate) words: String,
}

impl Wrong {
    /// The words, where this is the form.
    pub(crate) fn of(&self, form: &str) -> Option<&str> {
        (self.form == form).then_some(self.words.as_str())
    }
}

/// How feedback is made.
#[derive(Template)]
#[template(path = "feedback/settings.html")]
pub(crate) struct FeedbackSettingsPage {
    pub(crate) frame: Frame,
    pub(crate) version: String,
    pub(crate) wrong: Wrong,
    pub(crate) boards: Vec<BoardForm>,
    pub(crate) new_board: BoardForm,
    pub(crate) modes: Vec<Offer>,
    pub(crate) analyzers: Vec<Offer>,
    /// Days to look at again, as typed.
    pub(crate) days: String,
    pub(crate) default_board: Vec<Choice>,
    pub(crate) may_add_tags: bool,
    pub(crate) tags: String,
    pub(crate) tags_version: String,
    pub(crate) products: String,
    pub(crate) competitors: String,
    pub(crate) domains: String,
    pub(crate) thresholds: ThresholdForm,
    /// Dollars, empty for no end.
    pub(crate) cap: String,
    pub(crate) spent: String,
    pub(crate) usage: Vec<UsageLine>,
    pub(crate) ledger: Vec<(String, String)>,
}
