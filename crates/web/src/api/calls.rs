//! `/api/v1/calls`: the calls that we hold.

use accounts::Permission;
use axum::{Json as Answer, extract::State};
use ingest::{CallDetail, CallQuery, CallSummary};
use kernel::{CallId, TranscriptState};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use super::{
    answers::{Listing, ReadingOne},
    paging,
};
use crate::{
    AppState, Problem,
    auth::ApiCaller,
    extract::{Ids, Search},
};

/// Which calls to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CallsQuery {
    /// How many calls a page has; 50 when left out.
    #[param(minimum = 1, maximum = 200)]
    #[serde(default)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    #[serde(default)]
    cursor: Option<String>,
    /// Only calls whose transcript is `wanted`, `waiting`, `stored` or `gave_up`.
    #[serde(default)]
    state: Option<String>,
    /// Only calls with this text in the title or in the name or address of a party.
    #[param(max_length = 200)]
    #[serde(default)]
    search: Option<String>,
}

impl CallsQuery {
    fn query(self) -> Result<CallQuery, Problem> {
        let known = |_| Problem::field("state", "must be wanted, waiting, stored or gave_up");
        if self.search.as_ref().is_some_and(|text| text.chars().count() > 200) {
            return Err(Problem::field("search", "must not be longer than 200 characters"));
        }
        Ok(CallQuery {
            state: self.state.map(|word| word.parse::<TranscriptState>().map_err(known)).transpose()?,
            search: self.search,
            cursor: self.cursor.map(|text| text.parse()).transpose()?,
            limit: paging::limit(self.limit)?,
        })
    }
}

/// A page of calls, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CallPage {
    items: Vec<CallLine>,
    /// Where the next page begins; null at the end.
    next_cursor: Option<String>,
}

/// One call in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CallLine {
    #[schema(example = "call_0190b0f2a6c37f6e8f3f0d6a8f1b2c3d")]
    id: String,
    /// Gong's own id; text, always.
    gong_call_id: String,
    title: Option<String>,
    /// The call's page in Gong.
    url: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    started_at: OffsetDateTime,
    duration_seconds: Option<i64>,
    /// `wanted`, `waiting`, `stored` or `gave_up`.
    transcript_state: &'static str,
    transcript_reason: Option<String>,
    /// Since when the transcript is waited for.
    #[serde(with = "time::serde::rfc3339::option")]
    waiting_since: Option<OffsetDateTime>,
    /// Gong did not tell who took part.
    is_partial: bool,
    party_names: Vec<String>,
    /// The domain of the first external party's address.
    account: Option<String>,
}

impl From<CallSummary> for CallLine {
    fn from(call: CallSummary) -> Self {
        Self {
            id: call.id.to_string(),
            gong_call_id: call.gong_call_id,
            title: call.title,
            url: call.url,
            started_at: call.started_at,
            duration_seconds: call.duration_seconds,
            transcript_state: call.transcript_state.as_str(),
            transcript_reason: call.transcript_reason,
            waiting_since: call.waiting_since,
            is_partial: call.is_partial,
            party_names: call.party_names,
            account: call.account,
        }
    }
}

/// The calls that we hold, newest first.
#[utoipa::path(
    get, path = "/api/v1/calls", tag = "calls", operation_id = "listCalls",
    params(CallsQuery),
    responses((status = 200, description = "A page.", body = CallPage), Listing),
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    caller: ApiCaller,
    Search(query): Search<CallsQuery>,
) -> Result<Answer<CallPage>, Problem> {
    caller.require(&state, Permission::ViewCalls).await?;
    let query = query.query()?;
    let mut tx = caller.begin(&state).await?;
    let page = ingest::calls(&mut tx, &query).await?;
    Ok(Answer(CallPage {
        items: page.calls.into_iter().map(CallLine::from).collect(),
        next_cursor: page.next.map(|cursor| cursor.to_string()),
    }))
}

/// One call with everything but its transcript.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Call {
    #[serde(flatten)]
    line: CallLine,
    parties: Vec<PartyView>,
    language: Option<String>,
    media: Option<String>,
    direction: Option<String>,
    system: Option<String>,
    scope: Option<String>,
    workspace_id: Option<String>,
    /// When it is asked for again.
    #[serde(with = "time::serde::rfc3339::option")]
    next_try_at: Option<OffsetDateTime>,
    /// How often it was asked for in vain.
    tries: i64,
    #[serde(with = "time::serde::rfc3339::option")]
    stored_at: Option<OffsetDateTime>,
    /// When we last saw the call in Gong.
    #[serde(with = "time::serde::rfc3339")]
    looked_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

/// Somebody who took part.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Party)]
pub(crate) struct PartyView {
    /// The key into the transcript; null when the person never spoke.
    speaker_id: Option<String>,
    /// The Gong user, for people of the company.
    user_id: Option<String>,
    name: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    title: Option<String>,
    /// `internal`, `external` or `unknown`.
    affiliation: String,
}

impl From<ingest::Party> for PartyView {
    fn from(party: ingest::Party) -> Self {
        Self {
            speaker_id: party.speaker_id,
            user_id: party.user_id,
            name: party.name,
            email: party.email,
            phone: party.phone,
            title: party.title,
            affiliation: party.affiliation.to_string(),
        }
    }
}

impl From<CallDetail> for Call {
    fn from(call: CallDetail) -> Self {
        Self {
            line: call.summary.into(),
            parties: call.parties.into_iter().map(PartyView::from).collect(),
            language: call.language,
            media: call.media,
            direction: call.direction,
            system: call.system,
            scope: call.scope,
            workspace_id: call.workspace_id,
            next_try_at: call.next_try_at,
            tries: call.tries,
            stored_at: call.stored_at,
            looked_at: call.looked_at,
            created_at: call.created_at,
        }
    }
}

/// One call.
#[utoipa::path(
    get, path = "/api/v1/calls/{id}", tag = "calls", operation_id = "getCall",
    params(("id" = String, Path, description = "Our id of the call.")),
    responses((status = 200, description = "The call.", body = Call), ReadingOne),
)]
pub(crate) async fn one(
    State(state): State<AppState>,
    caller: ApiCaller,
    Ids(id): Ids<CallId>,
) -> Result<Answer<Call>, Problem> {
    caller.require(&state, Permission::ViewCalls).await?;
    let mut tx = caller.begin(&state).await?;
    let call = ingest::call(&mut tx, id).await?.ok_or_else(|| Problem::not_found("call"))?;
    Ok(Answer(call.into()))
}

/// What was said.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TranscriptView {
    monologues: Vec<MonologueView>,
    sentences: i64,
    words: i64,
    #[serde(with = "time::serde::rfc3339")]
    stored_at: OffsetDateTime,
}

/// What one person said without being interrupted.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Monologue)]
pub(crate) struct MonologueView {
    /// The speaker's key among the parties; Gong does not always know it.
    speaker_id: Option<String>,
    topic: Option<String>,
    sentences: Vec<SentenceView>,
}

/// One sentence.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Sentence)]
pub(crate) struct SentenceView {
    /// Milliseconds from the call's beginning.
    start_ms: i64,
    end_ms: i64,
    /// The words exactly as Gong has them.
    text: String,
}

/// The transcript of a call.
#[utoipa::path(
    get, path = "/api/v1/calls/{id}/transcript", tag = "calls", operation_id = "getTranscript",
    params(("id" = String, Path, description = "Our id of the call.")),
    responses((status = 200, description = "What was said, in order.", body = TranscriptView), ReadingOne),
)]
pub(crate) async fn transcript(
    State(state): State<AppState>,
    caller: ApiCaller,
    Ids(id): Ids<CallId>,
) -> Result<Answer<TranscriptView>, Problem> {
    caller.require(&state, Permission::ViewCalls).await?;
    let mut tx = caller.begin(&state).await?;
    let stored = ingest::transcript(&mut tx, id).await?.ok_or_else(|| Problem::not_found("transcript"))?;
    let sentence =
        |s: ingest::Sentence| SentenceView { start_ms: s.start_ms, end_ms: s.end_ms, text: s.text };
    let monologue = |m: ingest::Monologue| MonologueView {
        speaker_id: m.speaker_id,
        topic: m.topic,
        sentences: m.sentences.into_iter().map(sentence).collect(),
    };
    Ok(Answer(TranscriptView {
        monologues: stored.monologues.into_iter().map(monologue).collect(),
        sentences: stored.sentences,
        words: stored.words,
        stored_at: stored.stored_at,
    }))
}
