//! The calls that we hold, as pages and the API show them.

use std::{fmt, str::FromStr, sync::Arc};

use db::Tx;
use kernel::{CallId, ConnectionId, TranscriptState};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    IngestError,
    search::Needle,
    store::{
        search::{self, Wish},
        views,
    },
};

/// A person on a call, as Gong names them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// The key into the transcript; absent when the person never spoke.
    pub speaker_id: Option<String>,
    /// The Gong user, for people of the company.
    pub user_id: Option<String>,
    /// The name; Gong makes one up for unknown callers.
    pub name: Option<String>,
    /// The e-mail address.
    pub email: Option<String>,
    /// The phone number.
    pub phone: Option<String>,
    /// The job title.
    pub title: Option<String>,
    /// `internal`, `external` or `unknown`.
    pub affiliation: Arc<str>,
}

/// How many calls stand where in the ledger.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Transcript not asked for yet.
    pub wanted: i64,
    /// Transcript asked for, not there yet.
    pub waiting: i64,
    /// Transcript here.
    pub stored: i64,
    /// Transcript not asked for any longer.
    pub gave_up: i64,
    /// Calls that were left out because they are private, or not known to be public.
    pub private: i64,
}

impl Counts {
    /// All calls that we hold.
    pub const fn calls(&self) -> i64 {
        self.wanted + self.waiting + self.stored + self.gave_up
    }
}

/// How many calls of a connection stand where.
///
/// # Errors
/// When the database fails.
pub async fn counts(tx: &mut Tx, connection: ConnectionId) -> Result<Counts, IngestError> {
    let private = views::hidden(tx, connection).await?;
    tally(private, views::counts(tx, connection).await?)
}

/// How many calls of the organization stand where, whichever connection brought them: what [`calls`] lists.
///
/// # Errors
/// When the database fails.
pub async fn counts_of_all(tx: &mut Tx) -> Result<Counts, IngestError> {
    let private = views::hidden_of_all(tx).await?;
    tally(private, views::counts_of_all(tx).await?)
}

fn tally(private: i64, states: Vec<(String, i64)>) -> Result<Counts, IngestError> {
    let mut counts = Counts { private, ..Counts::default() };
    for (state, calls) in states {
        match state.parse().map_err(|_| IngestError::Damaged { what: "transcript state" })? {
            TranscriptState::Wanted => counts.wanted = calls,
            TranscriptState::Waiting => counts.waiting = calls,
            TranscriptState::Stored => counts.stored = calls,
            TranscriptState::GaveUp => counts.gave_up = calls,
        }
    }
    Ok(counts)
}

/// The Gong workspaces that the calls of a connection name, at most 50.
///
/// # Errors
/// When the database fails.
pub async fn workspace_ids(tx: &mut Tx, connection: ConnectionId) -> Result<Vec<String>, IngestError> {
    views::workspace_ids(tx, connection).await
}

/// Where a list goes on: behind this call. Opaque to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallCursor {
    pub(crate) started_at: OffsetDateTime,
    pub(crate) id: CallId,
}

impl fmt::Display for CallCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}.{}", self.started_at.unix_timestamp_nanos() / 1000, self.id)
    }
}

impl FromStr for CallCursor {
    type Err = IngestError;
    fn from_str(text: &str) -> Result<Self, IngestError> {
        let bad = || IngestError::Setting { field: "cursor", fix: "must be one that a list gave out" };
        let (micros, id) = text.split_once('.').ok_or_else(bad)?;
        let micros = i128::from_str_radix(micros, 16).map_err(|_| bad())?;
        let nanos = micros.checked_mul(1000).ok_or_else(bad)?;
        let started_at = OffsetDateTime::from_unix_timestamp_nanos(nanos).map_err(|_| bad())?;
        Ok(Self { started_at, id: id.parse().map_err(|_| bad())? })
    }
}

/// Which calls to list.
#[derive(Debug, Clone, Default)]
pub struct CallQuery {
    /// Only those in this state.
    pub state: Option<TranscriptState>,
    /// Only those with this text in the title or in a party's name or address.
    pub search: Option<String>,
    /// Behind this one.
    pub cursor: Option<CallCursor>,
    /// At most this many, 1 to 200.
    pub limit: i64,
}

/// A page of calls.
#[derive(Debug, Clone)]
pub struct CallPage {
    /// Newest first.
    pub calls: Vec<CallSummary>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<CallCursor>,
}

/// One call in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallSummary {
    /// Our id.
    pub id: CallId,
    /// Gong's id.
    pub gong_call_id: String,
    /// The title.
    pub title: Option<String>,
    /// The page in Gong.
    pub url: Option<String>,
    /// When it began.
    pub started_at: OffsetDateTime,
    /// How long it was.
    pub duration_seconds: Option<i64>,
    /// Where the transcript is.
    pub transcript_state: TranscriptState,
    /// Why it is there.
    pub transcript_reason: Option<String>,
    /// Since when the transcript is waited for.
    pub waiting_since: Option<OffsetDateTime>,
    /// Gong did not tell who took part.
    pub is_partial: bool,
    /// Who took part.
    pub party_names: Vec<String>,
    /// The domain of the first external party's address.
    pub account: Option<String>,
}

/// One call with everything but its transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallDetail {
    /// What lists show.
    pub summary: CallSummary,
    /// Who took part.
    pub parties: Vec<Party>,
    /// ISO 639-2 language.
    pub language: Option<String>,
    /// `Video` or `Audio`.
    pub media: Option<String>,
    /// `Inbound`, `Outbound`, `Conference` or `Unknown`.
    pub direction: Option<String>,
    /// The conference system.
    pub system: Option<String>,
    /// `Internal`, `External` or `Unknown`.
    pub scope: Option<String>,
    /// The Gong workspace.
    pub workspace_id: Option<String>,
    /// When it is asked for again.
    pub next_try_at: Option<OffsetDateTime>,
    /// How often it was asked for in vain.
    pub tries: i64,
    /// When the transcript was stored.
    pub stored_at: Option<OffsetDateTime>,
    /// When we last saw the call in Gong.
    pub looked_at: OffsetDateTime,
    /// When it came to us.
    pub created_at: OffsetDateTime,
}

/// Lists calls, newest first.
///
/// # Errors
/// When the database fails.
pub async fn calls(tx: &mut Tx, query: &CallQuery) -> Result<CallPage, IngestError> {
    let limit = query.limit.clamp(1, 200);
    let mut rows = match query.search.as_deref().and_then(Needle::new) {
        None => views::page(tx, query.state, query.cursor, limit + 1).await?,
        Some(needle) => {
            let most = i32::try_from(limit + 1).unwrap_or(201);
            let wish = Wish { needle: &needle, state: query.state, cursor: query.cursor, most };
            let found = search::find(tx, &wish).await?;
            views::these(tx, &found).await?
        }
    };
    let more = i64::try_from(rows.len()).is_ok_and(|rows| rows > limit);
    rows.truncate(usize::try_from(limit).unwrap_or(200));
    let calls: Vec<CallSummary> = rows.into_iter().map(CallSummary::try_from).collect::<Result<_, _>>()?;
    let next =
        calls.last().filter(|_| more).map(|last| CallCursor { started_at: last.started_at, id: last.id });
    Ok(CallPage { calls, next })
}

/// One call; `None` when this organization holds no such call.
///
/// # Errors
/// When the database fails.
pub async fn call(tx: &mut Tx, id: CallId) -> Result<Option<CallDetail>, IngestError> {
    views::detail(tx, id).await?.map(CallDetail::try_from).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::SystemAmbient;
    use time::macros::datetime;

    #[test]
    fn a_cursor_survives_its_text_form_and_nonsense_is_refused() {
        let cursor = CallCursor {
            started_at: datetime!(2026-03-01 1:02:03.456789 UTC),
            id: CallId::mint(&SystemAmbient),
        };
        assert_eq!(cursor.to_string().parse::<CallCursor>().unwrap(), cursor);
        for bad in [
            "",
            ".",
            "zz.call_1",
            "ffffffffffffffffffffffffffffffff.x",
            "1.org_00000000000000000000000000000000",
        ] {
            assert_eq!(bad.parse::<CallCursor>().unwrap_err().code(), "setting_out_of_range", "{bad}");
        }
    }
}
