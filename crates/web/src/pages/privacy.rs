//! `/settings/privacy`: how long content is kept, calls that vanished, people that are erased, the end of the organization.

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use http::StatusCode;
use ingest::{AddressKind, Answer, Erasure};
use kernel::ErasureId;
use time::OffsetDateTime;

use super::{
    view::{
        figures,
        moment::Moment,
        privacy::{EraseOrganizationPage, ErasureRow, PrivacyPage, Refused, Vanished},
        shell::Here,
    },
    visit::{Fields, Trail, Visit, address, done, page, page_with, with_cookie},
};
use crate::{
    AppState, Problem,
    auth::{SignedIn, session},
    extract::Search,
    privacy,
    sentence::sentence,
};

const HERE: &str = "/settings/privacy";
/// Receipts on one page.
const LINES: i64 = 20;

/// `GET /settings/privacy`
pub(super) async fn show(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
    Search(trail): Search<Trail>,
) -> Result<Response, Problem> {
    page(&build(&state, &visit, &person, &trail).await?)
}

async fn build(
    state: &AppState,
    visit: &Visit,
    person: &SignedIn,
    trail: &Trail,
) -> Result<PrivacyPage, Problem> {
    let now = state.ambient.now();
    let standing = privacy::standing(state, person).await?;
    let bad = |_| Problem::field("cursor", "must be one that a list gave out");
    let after = trail.cursor.as_deref().map(str::parse::<ErasureId>).transpose().map_err(bad)?;
    let (erasures, next) = privacy::erasures(state, person, after, LINES).await?;
    Ok(PrivacyPage {
        frame: visit.frame(person, Here::Privacy),
        vanished: standing.question.map(|question| Vanished {
            missing: figures::of(question.missing, "call", "calls"),
            expected: figures::of(question.expected, "call", "calls"),
            since: Moment::new(question.since, now),
        }),
        retention_days: standing.retention_days.map(|days| days.to_string()).unwrap_or_default(),
        by_phone: false,
        refused: Refused::default(),
        erasures: erasures.into_iter().map(|erasure| row(erasure, now)).collect(),
        newer: trail.newer().map(|place| address(HERE, &place)),
        older: next.map(|next| address(HERE, &trail.older(&next.to_string()))),
        may_export: person.may(accounts::Permission::ExportOrganization),
        may_erase: person.may(accounts::Permission::EraseOrganization),
    })
}

fn row(erasure: Erasure, now: OffsetDateTime) -> ErasureRow {
    let removed = [
        figures::of(erasure.calls, "call changed", "calls changed"),
        figures::of(erasure.sentences, "sentence removed", "sentences removed"),
        figures::of(erasure.mentions, "mention masked", "mentions masked"),
        figures::of(erasure.records, "record masked", "records masked"),
    ];
    ErasureRow {
        id: erasure.id.to_string(),
        kind: if erasure.kind == "phone" { "Phone number" } else { "E-mail address" },
        fingerprint: erasure.fingerprint.chars().take(12).collect(),
        asked: Moment::new(erasure.requested_at, now),
        by: erasure.requested_by,
        done: erasure.finished_at.map(|at| Moment::new(at, now)),
        percent: erasure.percent,
        removed: removed.join(", "),
    }
}

/// The page once more, with what was wrong; other problems go on.
async fn again(
    state: &AppState,
    visit: &Visit,
    person: &SignedIn,
    (problem, by_phone, retention): (Problem, bool, Option<&str>),
) -> Result<Response, Problem> {
    if !matches!(problem.status, StatusCode::UNPROCESSABLE_ENTITY | StatusCode::CONFLICT) {
        return Err(problem);
    }
    let words = problem.errors.first().map_or_else(|| problem.detail.clone(), |e| sentence(&e.message));
    let mut page = build(state, visit, person, &Trail::default()).await?;
    page.by_phone = by_phone;
    match retention {
        Some(typed) => {
            typed.clone_into(&mut page.retention_days);
            page.refused.retention = Some(words);
        }
        None => page.refused.address = Some(words),
    }
    page_with(problem.status, &page)
}

/// `POST /settings/privacy/retention`
pub(super) async fn retention(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
    fields: Fields,
) -> Result<Response, Problem> {
    let typed = fields.get("retention_days").trim();
    let days = match typed {
        "" => Ok(None),
        typed => typed.parse::<i64>().map(Some),
    };
    let changed = match days {
        Ok(days) => privacy::change_retention(&state, &person, days).await,
        Err(_) => {
            Err(Problem::field("retention_days", "must be a whole number from 1 to 3650, or empty for never"))
        }
    };
    match changed {
        Ok(()) => Ok(done(HERE, "retention")),
        Err(problem) => again(&state, &visit, &person, (problem, false, Some(typed))).await,
    }
}

/// `POST /settings/privacy/vanished`
pub(super) async fn vanished(
    State(state): State<AppState>,
    person: SignedIn,
    fields: Fields,
) -> Result<Response, Problem> {
    let (answer, code) = match fields.get("decision") {
        "remove" => (Answer::Remove, "vanished-removed"),
        "keep" => (Answer::Keep, "vanished-kept"),
        _ => return Err(Problem::field("decision", "must be remove or keep")),
    };
    match privacy::answer(&state, &person, answer).await {
        Ok(()) => Ok(done(HERE, code)),
        // Somebody else decided a moment ago, or the calls came back.
        Err(problem) if problem.code == "nothing_vanished" => Ok(done(HERE, "vanished-none")),
        Err(problem) => Err(problem),
    }
}

/// `POST /settings/privacy/erasures`
pub(super) async fn erase(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
    fields: Fields,
) -> Result<Response, Problem> {
    let by_phone = fields.get("by") == "phone";
    let kind = if by_phone { AddressKind::Phone } else { AddressKind::Email };
    match privacy::erase_person(&state, &person, (kind, fields.get("address"))).await {
        Ok(_) => Ok(done(HERE, "erasure")),
        Err(problem) => again(&state, &visit, &person, (problem, by_phone, None)).await,
    }
}

fn question(visit: &Visit, person: &SignedIn, error: Option<String>) -> EraseOrganizationPage {
    let name = person.organization_name.clone();
    EraseOrganizationPage { frame: visit.frame(person, Here::Privacy), name, error }
}

/// `GET /settings/privacy/erase-organization`
pub(super) async fn ask_erase_organization(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
) -> Result<Response, Problem> {
    person.require(&state, accounts::Permission::EraseOrganization).await?;
    page(&question(&visit, &person, None))
}

/// `POST /settings/privacy/erase-organization`
pub(super) async fn erase_organization(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
    fields: Fields,
) -> Result<Response, Problem> {
    match privacy::erase_organization(&state, &person, fields.get("name")).await {
        Ok(_) => Ok(with_cookie(Redirect::to("/login").into_response(), session::forget(&state))),
        Err(problem) if problem.status == StatusCode::UNPROCESSABLE_ENTITY => {
            let words = problem.errors.first().map(|e| sentence(&e.message));
            page_with(problem.status, &question(&visit, &person, words))
        }
        Err(problem) => Err(problem),
    }
}
