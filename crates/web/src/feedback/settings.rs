//! How feedback is made: changed by an admin, with the version that was read.

use accounts::{Permission, actions};
use db::Tx;
use feedback::{Settings, Thresholds, Vocabulary};
use kernel::{AnalyzerKind, BoardId, FeedbackMode};
use serde_json::{Value, json};

use super::note;
use crate::{
    AppState, Problem,
    auth::Caller,
    conditional::{IfMatch, Version},
};

/// What to change; `None` leaves it.
#[derive(Debug, Default)]
pub(crate) struct SettingsChange {
    pub(crate) mode: Option<FeedbackMode>,
    pub(crate) analyzer: Option<AnalyzerKind>,
    pub(crate) may_add_tags: Option<bool>,
    pub(crate) join_at: Option<Option<f32>>,
    pub(crate) ask_at: Option<Option<f32>>,
    pub(crate) vocabulary: Option<Vocabulary>,
    pub(crate) default_board: Option<Option<BoardId>>,
    pub(crate) monthly_cap: Option<Option<i64>>,
}

/// The version of the settings.
pub(crate) fn version(settings: &Settings) -> Version {
    Version::of(&settings.version)
}

/// Changes the settings. Calls that waited are looked at again: what they waited for may be there.
///
/// # Errors
/// 403 below admin; 409 for a language model that is not there; 412 when somebody was faster; 422 naming the field.
pub(crate) async fn change(
    state: &AppState,
    caller: &Caller,
    from: &IfMatch,
    change: SettingsChange,
) -> Result<Settings, Problem> {
    caller.require(state, Permission::ManageFeedback).await?;
    if change.analyzer == Some(AnalyzerKind::Model) && state.feedback.language_model.is_none() {
        let fix = "cannot be model: this installation has no language model; its operator sets SOUNDPOST_LANGUAGE_MODEL";
        return Err(Problem::field("analyzer", fix));
    }
    let mut tx = caller.begin(state).await?;
    let old = feedback::settings(&mut tx).await?;
    from.check(&version(&old))?;
    let new = with(&old, change);
    if new == old {
        return Ok(old);
    }
    feedback::change_settings(&mut tx, &new).await?;
    feedback::wake(&mut tx, &*state.ambient).await?;
    let detail = json!({ "before": told(&old), "after": told(&new) });
    note(&mut tx, state, caller, (actions::FEEDBACK_SETTINGS_CHANGED, None), detail).await?;
    let stored = feedback::settings(&mut tx).await?;
    tx.commit().await?;
    Ok(stored)
}

fn with(old: &Settings, change: SettingsChange) -> Settings {
    Settings {
        mode: change.mode.unwrap_or(old.mode),
        analyzer: change.analyzer.unwrap_or(old.analyzer),
        may_add_tags: change.may_add_tags.unwrap_or(old.may_add_tags),
        join_at: change.join_at.unwrap_or(old.join_at),
        ask_at: change.ask_at.unwrap_or(old.ask_at),
        vocabulary: change.vocabulary.unwrap_or_else(|| old.vocabulary.clone()),
        default_board: change.default_board.unwrap_or(old.default_board),
        monthly_cap: change.monthly_cap.unwrap_or(old.monthly_cap),
        version: old.version,
    }
}

fn told(settings: &Settings) -> Value {
    json!({
        "mode": settings.mode, "analyzer": settings.analyzer, "may_add_tags": settings.may_add_tags,
        "join_at": settings.join_at, "ask_at": settings.ask_at, "vocabulary": settings.vocabulary,
        "default_board": settings.default_board, "monthly_cap_micros": settings.monthly_cap,
    })
}

/// Days that can be looked at again.
const DAYS: std::ops::RangeInclusive<i64> = 1..=365;

/// Has calls of the last days looked at again, as the settings are now; how many.
///
/// # Errors
/// 403 below admin; 422 for days that cannot be.
pub(crate) async fn look_again(state: &AppState, caller: &Caller, days: i64) -> Result<u64, Problem> {
    caller.require(state, Permission::ManageFeedback).await?;
    if !DAYS.contains(&days) {
        return Err(Problem::field("days", "must be from 1 to 365"));
    }
    let mut tx = caller.begin(state).await?;
    let since = state.ambient.now() - time::Duration::days(days);
    let calls = feedback::look_again(&mut tx, since, &*state.ambient).await?;
    let detail = json!({ "days": days, "calls": calls });
    note(&mut tx, state, caller, (actions::FEEDBACK_LOOKED_AGAIN, None), detail).await?;
    tx.commit().await?;
    Ok(calls)
}

/// Thresholds to try: what is left out is as it is set.
///
/// # Errors
/// 422 naming the field.
pub(crate) async fn thresholds(
    state: &AppState,
    tx: &mut Tx,
    (join_at, ask_at): (Option<f32>, Option<f32>),
) -> Result<Thresholds, Problem> {
    let (settings, usual) = (feedback::settings(tx).await?, state.feedback.thresholds);
    let share = |field, value: f32| match value {
        value if (0.0..=1.0).contains(&value) => Ok(value),
        _ => Err(Problem::field(field, "must be between 0 and 1")),
    };
    let join_at = share("join_at", join_at.or(settings.join_at).unwrap_or(usual.join_at))?;
    if ask_at.is_some_and(|ask| ask > join_at) {
        return Err(Problem::field("ask_at", "must not be above join_at"));
    }
    let ask_at = share("ask_at", ask_at.or(settings.ask_at).unwrap_or(usual.ask_at))?;
    Ok(Thresholds { join_at, ask_at: ask_at.min(join_at) })
}
