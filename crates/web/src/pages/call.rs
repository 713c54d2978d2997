//! `GET /calls/{id}`: who spoke, what was said and when, and the way to the call in Gong.

use std::collections::HashSet;

use accounts::Permission;
use axum::{extract::State, response::Response};
use ingest::{CallDetail, Party, Transcript};
use kernel::{CallId, TranscriptState};
use time::OffsetDateTime;

use super::{
    calls::{pill, reason, title},
    trace,
    view::{
        calls::{CallPage, NoTranscript, PartyLine, Say, Side, Turn},
        figures,
        moment::Moment,
        shell::Here,
    },
    visit::{Visit, page},
};
use crate::{AppState, Problem, auth::SignedIn, extract::Ids};

/// `GET /calls/{id}`
pub(super) async fn show(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
    Ids(id): Ids<CallId>,
) -> Result<Response, Problem> {
    person.require(&state, Permission::ViewCalls).await?;
    let now = state.ambient.now();
    let mut tx = person.begin(&state).await?;
    let call = ingest::call(&mut tx, id).await?.ok_or_else(|| Problem::not_found("call"))?;
    let transcript = ingest::transcript(&mut tx, id).await?;
    let seen = person.may(Permission::ViewFeedback);
    let feedback = if seen { Some(trace::pill(feedback::trace(&mut tx, id).await?.as_ref())) } else { None };
    let summary = &call.summary;
    page(&CallPage {
        frame: visit.frame(&person, Here::Calls),
        title: title(summary.title.as_deref()),
        started: Moment::new(summary.started_at, now).exact(),
        length: summary.duration_seconds.map(figures::length).unwrap_or_default(),
        pill: pill(summary.transcript_state),
        partial: summary.is_partial,
        gong_url: summary.url.clone().filter(|url| is_https(url)),
        gong_call_id: summary.gong_call_id.clone(),
        sides: sides(&call.parties),
        facts: facts(&call),
        turns: transcript.as_ref().map(|t| turns(t, &call.parties)).unwrap_or_default(),
        transcript_size: transcript.as_ref().map(size).unwrap_or_default(),
        missing: transcript.is_none().then(|| missing(&call, now)),
        feedback_href: format!("/calls/{id}/feedback"),
        feedback,
    })
}

/// What Gong gave as an address becomes a link only when it is one to a web page.
fn is_https(text: &str) -> bool {
    url::Url::parse(text)
        .is_ok_and(|url| url.scheme() == "https" && url.has_host() && url.username().is_empty())
}

fn size(transcript: &Transcript) -> String {
    let sentences = figures::of(transcript.sentences, "sentence", "sentences");
    format!("{sentences}, {}", figures::of(transcript.words, "word", "words"))
}

fn side(party: Option<&Party>) -> (&'static str, &'static str) {
    match party.map(|party| party.affiliation.to_ascii_lowercase()).as_deref() {
        Some("internal") => ("us", "us"),
        Some("external") => ("customer", "customer"),
        _ => ("unknown", "side unknown"),
    }
}

fn name(party: &Party) -> String {
    let known = [&party.name, &party.email, &party.phone].into_iter().flatten();
    known.map(|text| text.trim()).find(|text| !text.is_empty()).unwrap_or("Somebody").to_owned()
}

fn sides(parties: &[Party]) -> Vec<Side> {
    [("customer", "Customer"), ("us", "Us"), ("unknown", "Side unknown")]
        .into_iter()
        .map(|(key, title)| {
            let lines = parties.iter().filter(|party| side(Some(party)).0 == key).map(line).collect();
            Side { title, parties: lines }
        })
        .filter(|side: &Side| !side.parties.is_empty())
        .collect()
}

fn line(party: &Party) -> PartyLine {
    let name = name(party);
    let detail: Vec<&str> = [&party.title, &party.email, &party.phone]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .filter(|text| !text.is_empty() && *text != name)
        .collect();
    PartyLine { detail: detail.join(", "), name }
}

fn turns(transcript: &Transcript, parties: &[Party]) -> Vec<Turn> {
    let mut taken = HashSet::new();
    let mut anchor = |ms: i64| {
        let mut name = format!("t-{ms}");
        let mut again = 2;
        while !taken.insert(name.clone()) {
            name = format!("t-{ms}-{again}");
            again += 1;
        }
        name
    };
    let turn = |monologue: &ingest::Monologue| {
        let spoke = monologue.speaker_id.as_deref();
        let party = spoke.and_then(|id| parties.iter().find(|party| party.speaker_id.as_deref() == Some(id)));
        let (side, label) = side(party);
        let says = monologue.sentences.iter().map(|sentence| Say {
            anchor: anchor(sentence.start_ms),
            at: figures::clock(sentence.start_ms),
            text: sentence.text.clone(),
        });
        Turn {
            side,
            label,
            name: party.map_or_else(|| "Unknown speaker".to_owned(), name),
            topic: monologue.topic.clone().filter(|topic| !topic.is_empty()),
            says: says.collect(),
        }
    };
    transcript.monologues.iter().map(turn).collect()
}

/// Gong's three letters as a word; codes without one stay.
fn language(code: &str) -> &str {
    match code {
        "eng" => "English",
        "ger" | "deu" => "German",
        "fre" | "fra" => "French",
        "spa" => "Spanish",
        "por" => "Portuguese",
        "ita" => "Italian",
        "dut" | "nld" => "Dutch",
        "jpn" => "Japanese",
        "und" => "not one that Gong knows",
        "zxx" => "too little was said",
        other => other,
    }
}

fn facts(call: &CallDetail) -> Vec<(&'static str, String)> {
    let facts = [
        ("Account", call.summary.account.as_deref()),
        ("Language", call.language.as_deref().map(language)),
        ("Recorded by", call.system.as_deref()),
        ("Direction", call.direction.as_deref()),
        ("Medium", call.media.as_deref()),
        ("With", call.scope.as_deref()),
    ];
    facts
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?.trim().to_owned())))
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

fn missing(call: &CallDetail, now: OffsetDateTime) -> NoTranscript {
    let asked = figures::of(call.tries, "time", "times");
    let again = call.next_try_at.map(|at| Moment::new(at, now).relative());
    let why = call.summary.transcript_reason.as_deref().map(reason);
    let since = call.summary.waiting_since.map(|at| Moment::new(at, now).relative());
    match call.summary.transcript_state {
        TranscriptState::GaveUp => NoTranscript {
            title: "No transcript came for this call",
            lines: vec![
                format!("{}. Soundpost asked {asked} over 14 days and stopped.", why.unwrap_or_else(|| "Gong had none".into())),
                "Gong transcribes no calls that are very short, without speech, or in a language it does not know.".into(),
            ],
        },
        TranscriptState::Waiting => NoTranscript {
            title: "Gong has no transcript yet",
            lines: vec![
                format!(
                    "Asked {asked}{}{}.",
                    since.map(|at| format!(", first {at}")).unwrap_or_default(),
                    again.map(|at| format!("; asks again {at}")).unwrap_or_default()
                ),
                "It usually takes minutes to hours, rarely a day. After 14 days Soundpost stops asking.".into(),
            ],
        },
        TranscriptState::Wanted | TranscriptState::Stored => NoTranscript {
            title: "The transcript is on its way",
            lines: vec!["Soundpost asks Gong for it with the next batch.".into()],
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_addresses_become_links() {
        assert!(is_https("https://us-70001.app.gong.io/call?id=7"));
        for bad in [
            "javascript:alert(1)",
            "http://app.gong.io/call",
            "data:text/html,x",
            "",
            "https://",
            "//app.gong.io",
        ] {
            assert!(!is_https(bad), "{bad}");
        }
    }
}
