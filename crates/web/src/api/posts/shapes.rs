//! Posts and evidence as JSON.

use feedback::{Evidence, Post, Quote};
use serde::Serialize;
use time::{Date, OffsetDateTime};
use utoipa::ToSchema;

use crate::feedback::moment_in_gong;

/// Where all feedback comes from today.
pub(crate) const SOURCE: &str = "gong";
/// What sort of source that is.
pub(crate) const SOURCE_TYPE: &str = "integration";

/// A page of posts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PostPage {
    pub(crate) items: Vec<PostView>,
    /// Where the next page begins; null at the end.
    pub(crate) next_cursor: Option<String>,
}

/// Something that customers ask for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Post)]
pub(crate) struct PostView {
    #[schema(example = "post_0190b0f2a6c37f6e8f3f0d6a8f1b2c3d")]
    id: String,
    /// The board on which it hangs.
    board: String,
    /// What is to be done.
    title: String,
    /// One sentence.
    summary: String,
    description: String,
    /// `feature_request`, `missing_capability`, `limitation`, `ux_complaint` or `bug`.
    kind: &'static str,
    /// `positive`, `neutral` or `negative`.
    sentiment: &'static str,
    /// `low`, `medium`, `high` or `critical`.
    priority: &'static str,
    /// The feature area, one or two words.
    area: String,
    /// A category of the board.
    category: Option<String>,
    tags: Vec<String>,
    /// `open`, `planned`, `in_progress`, `done` or `declined`.
    status: &'static str,
    /// `published`, `review`, `withdrawn` (its last evidence is gone) or `rejected`.
    state: &'static str,
    /// A person wrote its words.
    is_edited: bool,
    /// What made it.
    analyzer: String,
    /// How many wishes say so.
    evidence: i32,
    /// How many accounts ask for it.
    accounts: i32,
    #[serde(with = "time::serde::rfc3339::option")]
    first_asked_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    last_asked_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
    /// Always `gong`.
    source: &'static str,
    /// Always `integration`.
    source_type: &'static str,
}

impl From<Post> for PostView {
    fn from(post: Post) -> Self {
        Self {
            id: post.id.to_string(),
            board: post.board.to_string(),
            title: post.title,
            summary: post.summary,
            description: post.description,
            kind: post.kind.as_str(),
            sentiment: post.sentiment.as_str(),
            priority: post.priority.as_str(),
            area: post.area,
            category: post.category,
            tags: post.tags,
            status: post.status.as_str(),
            state: post.state.as_str(),
            is_edited: post.is_edited,
            analyzer: post.analyzer,
            evidence: post.evidence,
            accounts: post.accounts,
            first_asked_at: post.first_asked_at,
            last_asked_at: post.last_asked_at,
            created_at: post.created_at,
            updated_at: post.updated_at,
            source: SOURCE,
            source_type: SOURCE_TYPE,
        }
    }
}

/// A page of evidence.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EvidencePage {
    pub(crate) items: Vec<EvidenceView>,
    /// Where the next page begins; null at the end.
    pub(crate) next_cursor: Option<String>,
}

/// One wish in one call, with the words in which it was said.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Evidence)]
pub(crate) struct EvidenceView {
    #[schema(example = "evid_0190b0f2a6c37f6e8f3f0d6a8f1b2c3d")]
    id: String,
    /// The post that it supports.
    post: String,
    /// Our id of the call.
    call: String,
    call_title: Option<String>,
    /// The call's page in Gong.
    call_url: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    called_at: OffsetDateTime,
    title: String,
    summary: String,
    description: String,
    /// As of a post.
    kind: &'static str,
    /// As of a post.
    sentiment: &'static str,
    /// As of a post.
    priority: &'static str,
    area: String,
    /// What hurts them today.
    pain_points: Vec<String>,
    /// Word for word what was said.
    quotes: Vec<QuoteView>,
    /// Who asked, where that is known.
    author: Option<String>,
    /// The domain of the author's address, where that is known.
    account: Option<String>,
    /// How like its post it was, 0 to 1; null where it made the post.
    similarity: Option<f32>,
    /// How it came to its post: `maker` (it made the post), `joined` (by its likeness) or `person` (somebody put it there).
    joined: &'static str,
    /// The post that it may be the same as; somebody is asked.
    doubt: Option<String>,
    /// What found it.
    analyzer: String,
    /// Always `gong`.
    source: &'static str,
    /// Always `integration`.
    source_type: &'static str,
}

/// Words that stand in the transcript.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Quote)]
pub(crate) struct QuoteView {
    text: String,
    speaker: Option<String>,
    /// `customer`, `us` or `unknown`.
    side: &'static str,
    /// Milliseconds from the call's beginning.
    start_ms: i64,
    end_ms: i64,
    /// The call in Gong at these seconds.
    url: Option<String>,
}

impl QuoteView {
    fn of(quote: Quote, call_url: Option<&str>) -> Self {
        Self {
            url: moment_in_gong(call_url, quote.start_ms, quote.end_ms),
            text: quote.text,
            speaker: quote.speaker,
            side: quote.side.as_str(),
            start_ms: quote.start_ms,
            end_ms: quote.end_ms,
        }
    }
}

impl From<Evidence> for EvidenceView {
    fn from(one: Evidence) -> Self {
        let url = one.call_url.as_deref();
        Self {
            id: one.id.to_string(),
            post: one.post.to_string(),
            call: one.call.to_string(),
            call_title: one.call_title,
            called_at: one.called_at,
            title: one.title,
            summary: one.summary,
            description: one.description,
            kind: one.kind.as_str(),
            sentiment: one.sentiment.as_str(),
            priority: one.priority.as_str(),
            area: one.area,
            pain_points: one.pain_points,
            quotes: one.quotes.into_iter().map(|quote| QuoteView::of(quote, url)).collect(),
            call_url: one.call_url,
            author: one.author,
            account: one.account,
            similarity: one.similarity,
            joined: match (one.is_placed, one.is_joined) {
                (true, _) => "person",
                (_, true) => "joined",
                _ => "maker",
            },
            doubt: one.doubt.map(|post| post.to_string()),
            analyzer: one.analyzer,
            source: SOURCE,
            source_type: SOURCE_TYPE,
        }
    }
}

/// Asks by week.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PostTrend)]
pub(crate) struct Trend {
    /// The oldest first; weeks without an ask are left out.
    weeks: Vec<TrendWeek>,
}

/// The asks of one week.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TrendWeek {
    /// The Monday on which the week began, in UTC.
    #[schema(value_type = String, format = Date, example = "2026-03-02")]
    week: String,
    asks: i64,
}

impl Trend {
    pub(super) fn of(weeks: Vec<(OffsetDateTime, i64)>) -> Self {
        let week = |(week, asks): (OffsetDateTime, i64)| TrendWeek { week: day(week.date()), asks };
        Self { weeks: weeks.into_iter().map(week).collect() }
    }
}

/// A day as RFC 3339 has it.
pub(crate) fn day(date: Date) -> String {
    format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
}
