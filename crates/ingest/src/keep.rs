//! What of a page of calls may be kept. Fails closed: a call that is not known to be public is private.

use std::sync::Arc;

use db::Tx;
use gong::{Affiliation, Call, CallPage, Malformed};
use kernel::{Ambient, CallId};
use time::OffsetDateTime;

use crate::{
    IngestError, Work,
    calls::Party,
    search::signs,
    store::{calls, schedules},
};

/// How long the text may be that the search box looks through.
const SEARCH_TEXT_MOST: usize = 2_000;
/// Parties that are stored of one call.
const PARTIES_MOST: usize = 500;

/// What decides whether a call is imported.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// No call that started before is imported.
    pub(crate) floor: OffsetDateTime,
    /// Only calls of these Gong workspaces are imported; `None` means all.
    pub(crate) workspaces: Option<Vec<String>>,
}

/// A page, sorted.
#[derive(Debug, Default)]
pub(crate) struct Sorted<'a> {
    /// Public calls to hold.
    pub(crate) public: Vec<&'a Call>,
    /// Calls of which only the id and the reason may stay.
    pub(crate) hidden: Vec<(String, &'static str)>,
    /// Calls that are not ours to import.
    pub(crate) ignored: usize,
    /// Answers that cannot be read.
    pub(crate) unreadable: usize,
}

/// Sorts a page. Pure, so that every rule can be tried without a database.
pub(crate) fn sort<'a>(page: &'a CallPage, rules: &Rules) -> Sorted<'a> {
    let mut sorted = Sorted::default();
    for call in &page.calls {
        let elsewhere = rules
            .workspaces
            .as_ref()
            .is_some_and(|chosen| call.workspace_id.as_ref().is_none_or(|id| !chosen.contains(id)));
        match call.is_private {
            Some(true) => sorted.hidden.push((call.id.clone(), "private")),
            None => sorted.hidden.push((call.id.clone(), "privacy_unknown")),
            Some(false) if call.started < rules.floor || elsewhere => sorted.ignored += 1,
            Some(false) => sorted.public.push(call),
        }
    }
    for Malformed { id, is_private, .. } in &page.malformed {
        match (id, is_private) {
            (Some(id), Some(true)) => sorted.hidden.push((id.clone(), "private")),
            (Some(id), None) => sorted.hidden.push((id.clone(), "privacy_unknown")),
            (_, Some(false)) | (None, _) => sorted.unreadable += 1,
        }
    }
    // A page may repeat a call [D]; the stricter word wins, and one statement may name a row once.
    sorted.hidden.sort();
    sorted.hidden.dedup_by(|a, b| a.0 == b.0);
    let mut seen = std::collections::HashSet::new();
    let hidden: std::collections::HashSet<&str> = sorted.hidden.iter().map(|(id, _)| id.as_str()).collect();
    sorted.public.retain(|call| !hidden.contains(call.id.as_str()) && seen.insert(call.id.as_str()));
    sorted
}

/// What keeping a page changed.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Kept {
    pub(crate) new: i64,
    pub(crate) hidden_new: i64,
}

/// Stores a sorted page: public calls whole, of the others nothing but a tombstone.
pub(crate) async fn keep(
    tx: &mut Tx,
    work: &Work<'_>,
    sorted: &Sorted<'_>,
    lane: i16,
) -> Result<Kept, IngestError> {
    let (connection, now) = (work.connection, work.ambient.now());
    let rows: Vec<calls::NewCall<'_>> = sorted.public.iter().map(|call| row(call, work.ambient)).collect();
    let late = work.recognised_late(tx, &rows).await?;
    let hidden_new = calls::bury(tx, connection, &sorted.hidden, now).await?;
    let new = calls::upsert(tx, connection, &rows, lane, now).await?;
    work.veil_stored(tx, &late).await?;
    if !sorted.hidden.is_empty() {
        schedules::private_seen(tx, connection, now).await?;
        metrics::counter!("soundpost_calls_skipped_private_total").increment(hidden_new.unsigned_abs());
    }
    if sorted.unreadable > 0 {
        metrics::counter!("validation_failures_total").increment(sorted.unreadable as u64);
        tracing::warn!(connection.id = %connection, calls = sorted.unreadable, "Gong listed calls that cannot be read.");
    }
    Ok(Kept { new, hidden_new })
}

fn row<'a>(call: &'a Call, ambient: &dyn Ambient) -> calls::NewCall<'a> {
    let parties: Vec<Party> = call.parties.iter().flatten().take(PARTIES_MOST).map(party).collect();
    let search_text = search_text(call.title.as_deref(), &parties);
    calls::NewCall {
        id: CallId::mint(ambient).uuid(),
        gong_call_id: &call.id,
        title: call.title.as_deref(),
        url: call.url.as_deref(),
        started_at: call.started,
        duration_seconds: call.duration_seconds,
        direction: call.direction.as_deref(),
        system: call.system.as_deref(),
        scope: call.scope.as_deref(),
        media: call.media.as_deref(),
        language: call.language.as_deref(),
        workspace_id: call.workspace_id.as_deref(),
        primary_user_id: call.primary_user_id.as_deref(),
        is_partial: call.parties.is_none(),
        search_signs: signs(&search_text),
        search_text,
        parties,
    }
}

fn party(party: &gong::Party) -> Party {
    Party {
        speaker_id: party.speaker_id.clone(),
        user_id: party.user_id.clone(),
        name: party.name.clone(),
        email: party.email.clone(),
        phone: party.phone.clone(),
        title: party.title.clone(),
        affiliation: match party.affiliation {
            Affiliation::Internal => Arc::from("internal"),
            Affiliation::External => Arc::from("external"),
            Affiliation::Unknown => Arc::from("unknown"),
        },
    }
}

pub(crate) fn search_text(title: Option<&str>, parties: &[Party]) -> String {
    let mut text = String::new();
    let names = parties.iter().flat_map(|p| [p.name.as_deref(), p.email.as_deref()]);
    for part in std::iter::once(title).chain(names).flatten() {
        if text.len() + part.len() > SEARCH_TEXT_MOST {
            break;
        }
        text.push_str(&part.to_lowercase());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::gong_side::call;
    use time::macros::datetime;

    fn page(calls: Vec<Call>) -> CallPage {
        CallPage { calls, ..CallPage::default() }
    }

    const FLOOR: OffsetDateTime = datetime!(2026-03-01 0:00 UTC);
    const RULES: Rules = Rules { floor: FLOOR, workspaces: None };

    #[test]
    fn only_a_call_that_says_it_is_public_is_public() {
        let page =
            page(vec![call("1", Some(false), FLOOR), call("2", Some(true), FLOOR), call("3", None, FLOOR)]);
        let sorted = sort(&page, &RULES);
        assert_eq!(sorted.public.len(), 1);
        assert_eq!(sorted.hidden, [("2".into(), "private"), ("3".into(), "privacy_unknown")]);
    }

    #[test]
    fn the_floor_itself_is_inside() {
        let before = FLOOR - time::Duration::nanoseconds(1);
        let page = page(vec![call("1", Some(false), FLOOR), call("2", Some(false), before)]);
        let sorted = sort(&page, &RULES);
        assert_eq!((sorted.public.len(), sorted.ignored), (1, 1));
    }

    #[test]
    fn a_private_call_before_the_floor_still_leaves_its_mark() {
        // It may have been stored under an earlier, longer lookback.
        let page = page(vec![call("1", Some(true), FLOOR - time::Duration::days(9))]);
        assert_eq!(sort(&page, &RULES).hidden.len(), 1);
    }

    #[test]
    fn when_a_page_contradicts_itself_the_stricter_word_wins() {
        let page = page(vec![
            call("1", Some(false), FLOOR),
            call("1", Some(true), FLOOR),
            call("1", Some(false), FLOOR),
        ]);
        let sorted = sort(&page, &RULES);
        assert!(sorted.public.is_empty());
        assert_eq!(sorted.hidden.len(), 1);
    }

    #[test]
    fn calls_of_other_workspaces_are_left_alone() {
        let mut inside = call("1", Some(false), FLOOR);
        inside.workspace_id = Some("7".into());
        let page = page(vec![inside, call("2", Some(false), FLOOR)]);
        let rules = Rules { workspaces: Some(vec!["7".into()]), ..RULES };
        let sorted = sort(&page, &rules);
        assert_eq!((sorted.public.len(), sorted.ignored), (1, 1));
    }

    #[test]
    fn a_call_that_cannot_be_read_is_private_unless_it_says_otherwise() {
        let mut page = page(vec![]);
        page.malformed.push(Malformed { id: Some("9".into()), is_private: None, why: "started" });
        page.malformed.push(Malformed { id: Some("8".into()), is_private: Some(false), why: "started" });
        page.malformed.push(Malformed { id: None, is_private: None, why: "id" });
        let sorted = sort(&page, &RULES);
        assert_eq!((sorted.hidden.len(), sorted.unreadable), (1, 2));
    }
}
