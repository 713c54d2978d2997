//! `GET /calls`: filtered by state, searched by title and party, a page at a time.

use accounts::Permission;
use axum::{extract::State, response::Response};
use ingest::{CallQuery, CallSummary, Counts};
use kernel::{ConnectionStatus, TranscriptState};
use serde::Deserialize;
use time::OffsetDateTime;

use super::{
    view::{
        calls::{CallRow, CallsPage, Tab},
        figures,
        icon::Icon,
        moment::Moment,
        shell::{Here, Pill, Tone},
    },
    visit::{Trail, Visit, address, page},
};
use crate::{AppState, Problem, auth::SignedIn, extract::Search};

const PAGE: i64 = 50;
/// A longer search is cut.
const LONGEST_SEARCH: usize = 100;

/// What to show.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    q: Option<String>,
    #[serde(flatten)]
    trail: Trail,
}

impl Wanted {
    fn state(&self) -> Result<Option<TranscriptState>, Problem> {
        match self.state.as_deref().unwrap_or_default() {
            "" => Ok(None),
            word => word
                .parse()
                .map(Some)
                .map_err(|_| Problem::field("state", "must be one of wanted, waiting, stored, gave_up")),
        }
    }

    fn search(&self) -> String {
        self.q.as_deref().unwrap_or_default().trim().chars().take(LONGEST_SEARCH).collect()
    }

    /// The same list, elsewhere in it.
    fn at(&self, place: Vec<(&'static str, String)>) -> String {
        let mut query = vec![("state", self.state.clone().unwrap_or_default()), ("q", self.search())];
        query.extend(place);
        address("/calls", &query)
    }
}

/// `GET /calls`
pub(super) async fn list(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
    Search(wanted): Search<Wanted>,
) -> Result<Response, Problem> {
    person.require(&state, Permission::ViewCalls).await?;
    let now = state.ambient.now();
    let (word, search) = (wanted.state()?, wanted.search());
    let cursor = wanted.trail.cursor.as_deref().map(str::parse).transpose()?;
    let mut tx = person.begin(&state).await?;
    let connection = connector::current(&mut tx).await?;
    // The list is the organization's, so what stands above it is too.
    let counts = ingest::counts_of_all(&mut tx).await?;
    let query =
        CallQuery { state: word, search: (!search.is_empty()).then(|| search.clone()), cursor, limit: PAGE };
    let found = ingest::calls(&mut tx, &query).await?;
    page(&CallsPage {
        frame: visit.frame(&person, Here::Calls),
        tabs: tabs(&counts, word, &search),
        state: word.map_or("", TranscriptState::as_str),
        newer: wanted.trail.newer().map(|place| wanted.at(place)),
        older: found.next.map(|next| wanted.at(wanted.trail.older(&next.to_string()))),
        rows: found.calls.into_iter().map(|call| row(call, now)).collect(),
        private: (counts.private > 0).then(|| private_line(counts.private)),
        connected: connection.is_some_and(|c| c.status != ConnectionStatus::Disconnected),
        any: counts.calls() > 0,
        search,
    })
}

fn private_line(number: i64) -> String {
    format!(
        "{} left out. Soundpost does not ask Gong for them and holds nothing of them, so there is only this number.",
        figures::of(number, "private call was", "private calls were")
    )
}

fn tabs(counts: &Counts, chosen: Option<TranscriptState>, search: &str) -> Vec<Tab> {
    let tab = |state: Option<TranscriptState>, label: &str, count| Tab {
        label: label.into(),
        count: figures::count(count),
        href: address(
            "/calls",
            &[("state", state.map_or("", TranscriptState::as_str).to_owned()), ("q", search.to_owned())],
        ),
        chosen: state == chosen,
    };
    vec![
        tab(None, "All", counts.calls()),
        tab(Some(TranscriptState::Stored), "Stored", counts.stored),
        tab(Some(TranscriptState::Waiting), "Waiting", counts.waiting),
        tab(Some(TranscriptState::Wanted), "Wanted", counts.wanted),
        tab(Some(TranscriptState::GaveUp), "Gave up", counts.gave_up),
    ]
}

/// One call of a list.
pub(super) fn row(call: CallSummary, now: OffsetDateTime) -> CallRow {
    let waits = call.transcript_state == TranscriptState::Waiting;
    CallRow {
        href: format!("/calls/{}", call.id),
        title: title(call.title.as_deref()),
        people: call.party_names.join(", "),
        account: call.account,
        started: Moment::new(call.started_at, now),
        length: call.duration_seconds.map_or_else(|| "unknown".to_owned(), figures::length),
        pill: pill(call.transcript_state),
        since: call.waiting_since.filter(|_| waits).map(|at| Moment::new(at, now)),
        why: call.transcript_reason.as_deref().map(reason),
        partial: call.is_partial,
    }
}

/// A call without a title has a name all the same.
pub(super) fn title(title: Option<&str>) -> String {
    title.map(str::trim).filter(|title| !title.is_empty()).unwrap_or("Call without a title").to_owned()
}

/// The state of a transcript.
pub(super) fn pill(state: TranscriptState) -> Pill {
    let (tone, icon, label) = match state {
        TranscriptState::Wanted => (Tone::Calm, Icon::Sync, "wanted"),
        TranscriptState::Waiting => (Tone::Busy, Icon::Clock, "waiting"),
        TranscriptState::Stored => (Tone::Good, Icon::Text, "stored"),
        TranscriptState::GaveUp => (Tone::Warn, Icon::Close, "gave up"),
    };
    Pill { tone, icon, word: state.as_str(), label: label.into() }
}

/// Why a transcript is not here, in words.
pub(super) fn reason(code: &str) -> String {
    match code {
        "not_transcribed_yet" => "Gong has not transcribed it yet".into(),
        "not_listed" => "Gong did not list it at the last look".into(),
        "transcript_unreadable" => "Gong's answer could not be read".into(),
        "retention_over" => "the time is over for which content is kept".into(),
        other => other.replace('_', " "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_keep_the_search_and_drop_the_place() {
        let counts = Counts { stored: 1200, ..Counts::default() };
        let tabs = tabs(&counts, Some(TranscriptState::Stored), "a&b");
        assert_eq!(tabs[1].href, "/calls?state=stored&q=a%26b");
        assert!(tabs[1].chosen && !tabs[0].chosen);
        assert_eq!((&*tabs[1].count, &*tabs[0].count), ("1,200", "1,200"));
    }

    #[test]
    fn an_unknown_state_is_refused_and_named() {
        let wanted = Wanted { state: Some("x".into()), ..Wanted::default() };
        assert_eq!(wanted.state().unwrap_err().errors[0].field, "state");
        assert_eq!(title(Some("  ")), "Call without a title");
        assert!(private_line(1).starts_with("1 private call was left out"));
    }
}
