//! `/settings/dead-letters`: work that was given up, by kind and reason, with what can be done about it.

use accounts::Permission;
use axum::{extract::State, response::Response};
use http::StatusCode;
use kernel::DeadLetterId;
use queue::{DeadLetter, LetterGroup, Letters};
use serde::Deserialize;
use time::OffsetDateTime;

use super::{
    view::{
        figures,
        letters::{Button, DeadLettersPage, DiscardPage, GroupRow, LetterRow},
        moment::Moment,
        shell::Here,
    },
    visit::{Fields, Trail, Visit, address, done, page, page_with},
};
use crate::{
    AppState, Problem, auth::SignedIn, extract::Ids, extract::Search, letters, messages, sentence::sentence,
};

const HERE: &str = "/settings/dead-letters";
/// Letters on one page.
const LINES: usize = 25;

/// What a kind of job does, in words.
fn work(kind: &str) -> &str {
    match kind {
        "poll" => "Looking for new calls",
        "sweep" => "Daily re-check of the last 14 days",
        "transcripts" => "Fetching transcripts of new calls",
        "backfill" => "Bringing in history",
        "backfill_transcripts" => "Fetching transcripts of history",
        "confirm" => "Looking at privacy again",
        "refresh" => "Renewing the access to Gong",
        "recheck" => "Looking again at older and missing calls",
        "purge" => "Removing calls that Gong no longer has",
        "erase" => "Erasing a person",
        "retention" => "Removing content whose time is over",
        "unknown" => "A job that could not be read",
        other => other,
    }
}

/// Why a job was given up: what it is called, what it means.
fn why(code: &str) -> (String, String) {
    messages::explain(code).map_or_else(
        || ("Something failed".into(), "It failed on our side more often than it is tried. Try it again; if it fails again, tell your operator the code.".into()),
        |message| (message.title.into(), message.cause.into()),
    )
}

fn group(group: LetterGroup, now: OffsetDateTime) -> GroupRow {
    let (title, cause) = why(&group.code);
    let discard = [("kind", group.kind.clone()), ("code", group.code.clone())];
    GroupRow {
        work: work(&group.kind).to_owned(),
        title,
        cause,
        open: figures::of(group.open, "job", "jobs"),
        attempts: figures::of(group.attempts.into(), "attempt", "attempts"),
        since: Moment::new(group.first_at, now),
        last: Moment::new(group.last_at, now),
        discard: address(&format!("{HERE}/discard"), &discard),
        kind: group.kind,
        code: group.code,
    }
}

fn letter(letter: DeadLetter, now: OffsetDateTime) -> LetterRow {
    let id = letter.id.to_string();
    LetterRow {
        work: work(&letter.kind).to_owned(),
        title: why(&letter.code).0,
        attempts: figures::of(letter.attempts.into(), "attempt", "attempts"),
        died: Moment::new(letter.died_at, now),
        ended: (letter.state != "dead").then(|| match letter.closed_reason {
            Some(reason) => format!("{}: {reason}", letter.state),
            None => letter.state,
        }),
        closed: letter.closed_at.map(|at| Moment::new(at, now)),
        discard: address(&format!("{HERE}/discard"), &[("id", id.clone())]),
        code: letter.code,
        id,
    }
}

/// What the list shows, and where it begins.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Shown {
    /// `closed` for what was retried or discarded, too.
    #[serde(default)]
    show: String,
    #[serde(flatten)]
    trail: Trail,
}

/// `GET /settings/dead-letters`
pub(super) async fn list(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
    Search(shown): Search<Shown>,
) -> Result<Response, Problem> {
    person.require(&state, Permission::ManageConnection).await?;
    let (now, all) = (state.ambient.now(), shown.show == "all");
    let after: Option<DeadLetterId> = shown.trail.cursor.as_deref().and_then(|text| text.parse().ok());
    let mut tx = person.begin(&state).await?;
    let groups = queue::groups(&mut tx).await?;
    let wanted = if all { None } else { Some("dead") };
    let most = i64::try_from(LINES).unwrap_or(25);
    let mut letters = queue::list_of(&mut tx, Letters::default(), wanted, after, most + 1).await?;
    let more = letters.len() > LINES;
    letters.truncate(LINES);
    let show = ("show", if all { "all".to_owned() } else { String::new() });
    let link = |mut query: Vec<(&'static str, String)>| {
        query.push(show.clone());
        address(HERE, &query)
    };
    let last = letters.last().filter(|_| more).map(|last| last.id.to_string());
    page(&DeadLettersPage {
        frame: visit.frame(&person, Here::DeadLetters),
        groups: groups.into_iter().map(|one| group(one, now)).collect(),
        older: last.map(|last| link(shown.trail.older(&last))),
        newer: shown.trail.newer().map(link),
        letters: letters.into_iter().map(|one| letter(one, now)).collect(),
        all,
    })
}

/// `POST /settings/dead-letters/{id}/retry`
pub(super) async fn retry(
    State(state): State<AppState>,
    person: SignedIn,
    Ids(id): Ids<DeadLetterId>,
) -> Result<Response, Problem> {
    match letters::retry(&state, &person, id).await {
        Ok(()) => Ok(done(HERE, "job-retried")),
        Err(problem) if problem.status == StatusCode::CONFLICT => Ok(done(HERE, "jobs-none")),
        Err(problem) => Err(problem),
    }
}

/// What a form is about: one letter, or all of a kind and reason.
struct About {
    id: Option<DeadLetterId>,
    kind: String,
    code: String,
}

impl About {
    fn of(get: impl Fn(&str) -> String) -> Self {
        Self { id: get("id").parse().ok(), kind: get("kind"), code: get("code") }
    }

    fn letters(&self) -> Result<Letters<'_>, Problem> {
        // An empty form must not mean everything.
        if self.kind.is_empty() || self.code.is_empty() {
            return Err(Problem::not_found("kind of work"));
        }
        Ok(Letters { kind: Some(&self.kind), code: Some(&self.code) })
    }
}

/// `POST /settings/dead-letters/retry`
pub(super) async fn retry_all(
    State(state): State<AppState>,
    person: SignedIn,
    fields: Fields,
) -> Result<Response, Problem> {
    let about = About::of(|name| fields.get(name).to_owned());
    let jobs = letters::retry_all(&state, &person, about.letters()?).await?;
    Ok(done(HERE, if jobs == 0 { "jobs-none" } else { "jobs-retried" }))
}

/// What is to be discarded.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    id: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    code: String,
}

/// `GET /settings/dead-letters/discard`
pub(super) async fn ask_discard(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
    Search(asked): Search<Asked>,
) -> Result<Response, Problem> {
    let about = About { id: asked.id.parse().ok(), kind: asked.kind, code: asked.code };
    page(&question(&state, &visit, &person, &about, "", None).await?)
}

async fn question(
    state: &AppState,
    visit: &Visit,
    person: &SignedIn,
    about: &About,
    reason: &str,
    error: Option<String>,
) -> Result<DiscardPage, Problem> {
    person.require(state, Permission::ManageConnection).await?;
    let mut tx = person.begin(state).await?;
    let (kind, code, open) = match about.id {
        Some(id) => {
            let letter = queue::show(&mut tx, id).await?.filter(|letter| letter.state == "dead");
            let letter = letter.ok_or_else(|| Problem::not_found("open dead letter"))?;
            (letter.kind, letter.code, 1)
        }
        None => {
            let groups = queue::groups(&mut tx).await?;
            let found = groups.into_iter().find(|g| g.kind == about.kind && g.code == about.code);
            let found = found.ok_or_else(|| Problem::not_found("open dead letter"))?;
            (found.kind, found.code, found.open)
        }
    };
    Ok(DiscardPage {
        frame: visit.frame(person, Here::DeadLetters),
        title: format!("Discard {}?", figures::of(open, "job", "jobs")),
        work: work(&kind).to_owned(),
        why: why(&code).0,
        id: about.id.map(|id| id.to_string()),
        kind,
        code,
        reason: reason.to_owned(),
        error,
        button: if open == 1 { Button::One } else { Button::Many },
    })
}

/// `POST /settings/dead-letters/discard`
pub(super) async fn discard(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
    fields: Fields,
) -> Result<Response, Problem> {
    let about = About::of(|name| fields.get(name).to_owned());
    let reason = fields.get("reason");
    let discarded = match about.id {
        Some(id) => letters::discard(&state, &person, id, reason).await.map(|()| 1),
        None => letters::discard_all(&state, &person, about.letters()?, reason).await,
    };
    match discarded {
        Ok(0) => Ok(done(HERE, "jobs-none")),
        Ok(_) => Ok(done(HERE, "jobs-discarded")),
        Err(problem) if problem.status == StatusCode::CONFLICT => Ok(done(HERE, "jobs-none")),
        Err(problem) if !problem.errors.is_empty() => {
            let error = problem.errors.first().map(|error| sentence(&error.message));
            let page = question(&state, &visit, &person, &about, reason, error).await?;
            page_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(problem) => Err(problem),
    }
}
