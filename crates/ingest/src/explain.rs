//! Why a call is here, or why it is not: the answer to "what happened to this call".

use db::Tx;
use kernel::{CallId, ConnectionId, TranscriptState};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    IngestError, call,
    store::{runs, schedules, views},
};

/// What is known of a call, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Whether the call is known at all.
    pub found: bool,
    /// The call, where it is held.
    pub call: Option<CallId>,
    /// One sentence a step, in order.
    pub steps: Vec<String>,
}

/// Explains what happened to the call with this Gong id.
///
/// # Errors
/// When the database fails.
pub async fn explain(
    tx: &mut Tx,
    connection: Option<ConnectionId>,
    gong_call_id: &str,
) -> Result<Explanation, IngestError> {
    if let Some(id) = views::by_gong_id(tx, gong_call_id).await?
        && let Some(detail) = call(tx, id).await?
    {
        return Ok(Explanation { found: true, call: Some(id), steps: held(&detail) });
    }
    if let Some((reason, at)) = views::tombstone(tx, gong_call_id).await? {
        let why = match reason.as_str() {
            "private" => "Gong marks it as private. Private calls are never asked for nor stored",
            "privacy_unknown" => "Gong did not say whether it is private, so it is treated as private",
            _ => "Gong no longer has it",
        };
        let steps = vec![
            format!("This call was seen on {}.", text(at)),
            format!("{why}; nothing but its id is kept."),
            "When Gong says that it is public, the next poll imports it.".into(),
        ];
        return Ok(Explanation { found: true, call: None, steps });
    }
    Ok(Explanation { found: false, call: None, steps: unseen(tx, connection).await? })
}

fn held(detail: &crate::CallDetail) -> Vec<String> {
    let mut steps = vec![format!(
        "The call began on {} and came to us on {}.",
        text(detail.summary.started_at),
        text(detail.created_at)
    )];
    if detail.summary.is_partial {
        steps.push("Gong did not tell who took part; the call is marked as partial.".into());
    }
    steps.push(match detail.summary.transcript_state {
        TranscriptState::Stored => {
            format!("Its transcript was stored on {}.", detail.stored_at.map_or_else(String::new, text))
        }
        TranscriptState::Wanted => {
            "Its transcript has not been asked for yet; that happens within minutes.".into()
        }
        TranscriptState::Waiting => format!(
            "Gong had no transcript yet when it was asked ({} times, since {}); it is asked again on {}.",
            detail.tries,
            detail.summary.waiting_since.map_or_else(String::new, text),
            detail.next_try_at.map_or_else(String::new, text)
        ),
        TranscriptState::GaveUp if detail.summary.transcript_reason.as_deref() == Some("retention_over") => {
            "Its content was removed because the organization's retention time was over.".into()
        }
        TranscriptState::GaveUp => {
            "Gong had no transcript for 14 days; it is not asked for any longer.".into()
        }
    });
    steps.push(format!("We last saw the call in Gong on {}.", text(detail.looked_at)));
    steps
}

async fn unseen(tx: &mut Tx, connection: Option<ConnectionId>) -> Result<Vec<String>, IngestError> {
    let mut steps = vec!["This call has not been seen in Gong.".to_owned()];
    let Some(connection) = connection else {
        steps.push("Gong was never connected by this organization.".into());
        return Ok(steps);
    };
    if let Some(schedule) = schedules::load(tx, connection).await? {
        steps.push(format!(
            "Calls that began before {} are not imported (the history that was chosen when connecting).",
            text(schedule.import_floor)
        ));
        match schedule.last_poll_at {
            Some(at) => steps.push(format!("The last look that ended well reached up to {}.", text(at))),
            None => steps.push("No look at Gong has ended well yet.".into()),
        }
        steps.push(format!("The next look is due on {}.", text(schedule.next_poll_at)));
        if schedule.selected_workspaces.is_some() {
            steps.push("Only calls of the chosen Gong workspaces are imported.".into());
        }
    }
    if runs::live(tx, connection, kernel::RunKind::Backfill).await?.is_some() {
        steps.push("A backfill is running; the call may still come.".into());
    }
    Ok(steps)
}

fn text(moment: OffsetDateTime) -> String {
    let whole = moment.replace_nanosecond(0).unwrap_or(moment);
    whole.format(&Rfc3339).unwrap_or_default()
}
