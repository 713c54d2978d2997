//! `GET /posts`: what customers ask for, filtered and searched, a page at a time.

mod row;

use accounts::Permission;
use axum::{extract::State, response::Response};
use db::Tx;
use feedback::Board;
use kernel::{AnalyzerKind, FeedbackKind, PostState, PostStatus, Priority, Sentiment};
use serde::Deserialize;

use super::{
    view::{
        calls::Tab,
        figures,
        gong::Choice,
        posts::{Filter, Nothing, PostsPage, StandingPanel},
        shell::Here,
    },
    visit::{Trail, Visit, address, page},
};
use crate::{
    AppState, Problem,
    api::{FeedbackStatus, PostsQuery},
    auth::SignedIn,
    extract::Search,
    messages,
};
pub(super) use row::{choices, plain, row};

/// What to show.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    board: Option<String>,
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    sentiment: Option<String>,
    #[serde(default)]
    priority: Option<String>,
    #[serde(default)]
    label: Option<String>,
    #[serde(default)]
    q: Option<String>,
    #[serde(default)]
    sort: Option<String>,
    #[serde(flatten)]
    trail: Trail,
}

impl Wanted {
    fn query(&self) -> PostsQuery {
        PostsQuery {
            limit: Some(50),
            cursor: self.trail.cursor.clone(),
            board: self.board.clone(),
            state: self.state.clone(),
            status: self.status.clone(),
            kind: self.kind.clone(),
            sentiment: self.sentiment.clone(),
            priority: self.priority.clone(),
            label: self.label.clone(),
            q: self.q.clone(),
            sort: self.sort.clone(),
        }
    }

    /// The filters as parameters of an address.
    fn filters(&self) -> Vec<(&'static str, String)> {
        let all = [
            ("board", &self.board),
            ("state", &self.state),
            ("status", &self.status),
            ("kind", &self.kind),
            ("sentiment", &self.sentiment),
            ("priority", &self.priority),
            ("label", &self.label),
            ("q", &self.q),
            ("sort", &self.sort),
        ];
        all.into_iter().map(|(name, value)| (name, value.clone().unwrap_or_default())).collect()
    }

    /// The same list, elsewhere in it.
    fn at(&self, place: Vec<(&'static str, String)>) -> String {
        let mut query = self.filters();
        query.extend(place);
        address("/posts", &query)
    }

    fn export(&self, format: &str) -> String {
        let mut query = vec![("format", format.to_owned())];
        query.extend(self.filters());
        address("/api/v1/posts/export", &query)
    }

    /// Whether one of the filters is set that are folded away.
    fn digs(&self) -> bool {
        let folded = [&self.kind, &self.sentiment, &self.priority, &self.label];
        folded.into_iter().flatten().any(|value| !value.is_empty())
    }

    /// Whether anything but the board narrows the list.
    fn narrows(&self) -> bool {
        self.filters().iter().any(|(name, value)| !matches!(*name, "board" | "sort") && !value.is_empty())
    }
}

/// `GET /posts`
pub(super) async fn list(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
    Search(wanted): Search<Wanted>,
) -> Result<Response, Problem> {
    person.require(&state, Permission::ViewFeedback).await?;
    let now = state.ambient.now();
    let query = wanted.query().query()?;
    let mut tx = person.begin(&state).await?;
    let boards = feedback::boards(&mut tx).await?;
    let found = feedback::posts(&mut tx, &query).await?;
    let status = FeedbackStatus::read(&state, &mut tx).await?;
    let nothing = match found.posts.is_empty() {
        false => None,
        true => Some(nothing(&state, &mut tx, &wanted, &status).await?),
    };
    page(&PostsPage {
        frame: visit.frame(&person, Here::Posts),
        panel: panel(&status),
        boards: tabs(&boards, &wanted),
        board: query.board.map(|id| id.to_string()).unwrap_or_default(),
        search: query.search.clone().unwrap_or_default(),
        label: query.label.clone().unwrap_or_default(),
        filters: filters(&wanted),
        more: more(&wanted),
        more_open: wanted.digs(),
        filtered: wanted.narrows(),
        csv: wanted.export("csv"),
        json: wanted.export("json"),
        newer: wanted.trail.newer().map(|place| wanted.at(place)),
        older: found.next.map(|next| wanted.at(wanted.trail.older(&next.to_string()))),
        rows: found.posts.into_iter().map(|post| row(post, now)).collect(),
        nothing,
    })
}

/// `GET /posts/panel`: the line that keeps itself fresh.
pub(super) async fn fresh(State(state): State<AppState>, person: SignedIn) -> Result<Response, Problem> {
    person.require(&state, Permission::ViewFeedback).await?;
    let mut tx = person.begin(&state).await?;
    page(&panel(&FeedbackStatus::read(&state, &mut tx).await?))
}

fn tabs(boards: &[Board], wanted: &Wanted) -> Vec<Tab> {
    let to = |id: String| {
        let other = Wanted { board: Some(id), trail: Trail::default(), ..wanted.clone() };
        other.at(Vec::new())
    };
    let chosen = wanted.board.clone().unwrap_or_default();
    let all: i64 = boards.iter().map(|board| board.posts).sum();
    let mut tabs = vec![Tab {
        label: "All boards".into(),
        count: figures::count(all),
        href: to(String::new()),
        chosen: chosen.is_empty(),
    }];
    tabs.extend(boards.iter().map(|board| Tab {
        label: board.name.clone(),
        count: figures::count(board.posts),
        href: to(board.id.to_string()),
        chosen: chosen == board.id.to_string(),
    }));
    tabs
}

fn filter(name: &'static str, label: &'static str, choices: Vec<Choice>) -> Filter {
    Filter { name, label, choices }
}

fn filters(wanted: &Wanted) -> Vec<Filter> {
    let chosen = |text: &Option<String>| text.clone().unwrap_or_default();
    let mut states = choices(PostState::ALL, &chosen(&wanted.state), None);
    let labels = ["Waiting for review", "On the boards", "Withdrawn", "Rejected"];
    for (choice, label) in states.iter_mut().zip(labels) {
        choice.label = label.into();
        choice.chosen |= choice.value == "published" && chosen(&wanted.state).is_empty();
    }
    vec![
        filter("sort", "Order", choices(&["most_asked", "newest"], &chosen(&wanted.sort), None)),
        filter("status", "Status", choices(PostStatus::ALL, &chosen(&wanted.status), Some("Any"))),
        filter("state", "Where", states),
    ]
}

fn more(wanted: &Wanted) -> Vec<Filter> {
    let chosen = |text: &Option<String>| text.clone().unwrap_or_default();
    vec![
        filter("kind", "Kind", choices(FeedbackKind::ALL, &chosen(&wanted.kind), Some("Any"))),
        filter("priority", "Priority", choices(Priority::ALL, &chosen(&wanted.priority), Some("Any"))),
        filter("sentiment", "Sentiment", choices(Sentiment::ALL, &chosen(&wanted.sentiment), Some("Any"))),
    ]
}

/// Why the list is empty, and what to do.
async fn nothing(
    state: &AppState,
    tx: &mut Tx,
    wanted: &Wanted,
    status: &FeedbackStatus,
) -> Result<Nothing, Problem> {
    const SETTINGS: &str = "/settings/feedback";
    let nothing =
        |title: &str, words: &str, action| Nothing { title: title.into(), words: words.into(), action };
    let settings = feedback::settings(tx).await?;
    Ok(if wanted.narrows() {
        nothing(
            "No post fits",
            "Search looks at titles and summaries. Take a filter away, or clear all of them.",
            Some(("/posts", "Clear the filters")),
        )
    } else if !status.has_board {
        nothing(
            "Make the first board",
            "Posts hang on boards. As soon as there is one, the calls that are here are looked at, and what customers ask for shows up by itself.",
            Some((SETTINGS, "Make a board")),
        )
    } else if settings.analyzer == AnalyzerKind::Off {
        nothing(
            "Feedback is switched off",
            "Calls come in, and nobody looks for feedback in them. Choose an analyzer in the settings.",
            Some((SETTINGS, "Open the feedback settings")),
        )
    } else if !state.feedback.local {
        nothing(
            "The model is not here yet",
            "This installation has no model for likeness, so no call is looked at. The operator fetches it and sets SOUNDPOST_MODEL_DIR.",
            Some(("/docs", "Read how")),
        )
    } else if status.calls.wanted > 0 {
        nothing(
            "Calls are being looked at",
            "The first posts show up here within minutes. Most calls hold no product feedback; that is normal.",
            Some(("/calls", "See the calls")),
        )
    } else if status.review > 0 {
        nothing(
            "Nothing is published yet",
            "What was found waits for somebody to say yes.",
            Some(("/review", "Open the review")),
        )
    } else {
        nothing(
            "No posts yet",
            "Posts come out of calls in which customers ask for something, miss something or struggle. None of the calls that are here did.",
            Some(("/calls", "See the calls")),
        )
    })
}

/// How feedback stands, as a line.
pub(super) fn panel(status: &FeedbackStatus) -> StandingPanel {
    let calls = |number: i64| figures::of(number, "call", "calls");
    let reason = |code: &str| messages::title(code).map_or_else(|| code.replace('_', " "), str::to_owned);
    let waiting: Vec<String> = status
        .calls
        .waiting
        .iter()
        .map(|one| {
            let number = figures::of(one.calls, "call waits", "calls wait");
            format!("{number}: {}.", lower(&reason(&one.reason)))
        })
        .collect();
    let failed: i64 = status.calls.failed.iter().map(|one| one.calls).sum();
    let panel = StandingPanel {
        shape: String::new(),
        review: (status.review > 0)
            .then(|| format!("{} for review.", figures::of(status.review, "post waits", "posts wait"))),
        looking: (status.calls.wanted > 0)
            .then(|| format!("{} to be looked at for feedback.", calls(status.calls.wanted))),
        failed: (failed > 0)
            .then(|| format!("{} could not be read by a model and were given up.", calls(failed))),
        waiting,
    };
    let shape = format!(
        "{} {:?} {:?} {:?} {:?}",
        status.published, panel.review, panel.looking, panel.waiting, panel.failed
    );
    StandingPanel { shape: crate::conditional::Version::of(&shape).as_str().to_owned(), ..panel }
}

/// A sentence's beginning in the middle of another one.
fn lower(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_stay_in_addresses_and_words_are_read_as_people_read_them() {
        let wanted = Wanted { q: Some("a&b".into()), kind: Some("bug".into()), ..Wanted::default() };
        assert_eq!(wanted.at(Vec::new()), "/posts?kind=bug&q=a%26b");
        assert_eq!(wanted.export("csv"), "/api/v1/posts/export?format=csv&kind=bug&q=a%26b");
        assert!(wanted.narrows() && !Wanted { board: Some("x".into()), ..Wanted::default() }.narrows());
        assert_eq!([plain("ux_complaint"), plain("in_progress")], ["UX complaint", "In progress"]);
    }
}
