//! Reads calls from a JSON-lines file: one conversation a line with parties and timed sentences.
//! Texts are kept byte for byte. Knows nothing of HTTP.

use crate::call::NewCall;
use crate::chance::Chance;
use crate::clock;
use crate::config::SimError;
use crate::model::{Call, Company, Monologue, Party, Sentence};
use crate::talk::Talk;
use serde::Deserialize;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use time::{Duration, OffsetDateTime};

#[derive(Deserialize)]
struct Line {
    id: String,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    started: Option<String>,
    #[serde(default)]
    duration_s: Option<f64>,
    #[serde(default)]
    parties: Vec<LineParty>,
    sentences: Vec<LineSentence>,
}

#[derive(Deserialize)]
struct LineParty {
    speaker_id: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    affiliation: Option<String>,
    #[serde(default)]
    role: Option<String>,
}

#[derive(Deserialize)]
struct LineSentence {
    #[serde(default)]
    speaker_id: Option<String>,
    start_ms: i64,
    end_ms: i64,
    text: String,
}

/// Reads all lines of a file as calls of a company, spread over the days before `until`.
pub(crate) fn load(
    company: &Company,
    path: &Path,
    (seed, days): (u64, u32),
    until: OffsetDateTime,
) -> Result<Vec<Call>, SimError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| SimError::File { path: path.to_owned(), source })?;
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let parsed: Line = serde_json::from_str(line).map_err(|source| SimError::Line {
            path: path.to_owned(),
            line: index + 1,
            source,
        })?;
        lines.push(parsed);
    }
    let oldest = until - Duration::days(i64::from(days.max(1)));
    let step = (until - oldest) / (i32::try_from(lines.len()).unwrap_or(i32::MAX) + 1);
    let mut at = until - Duration::hours(1);
    let mut calls = Vec::with_capacity(lines.len());
    for line in lines {
        let recorded = line.started.as_deref().and_then(clock::read);
        let started = recorded.filter(|time| *time > oldest && *time < until).unwrap_or(at);
        at -= step;
        calls.push(call(company, line, seed, started));
    }
    Ok(calls)
}

fn call(company: &Company, line: Line, seed: u64, started: OffsetDateTime) -> Call {
    let mut chance = Chance::of(seed, &["conversation", &company.name, &line.id]);
    let voices: HashMap<&str, String> =
        line.parties.iter().map(|party| (party.speaker_id.as_str(), chance.id())).collect();
    let talk = talk(&line.sentences, &voices);
    let known = line.parties.iter().any(|party| party.affiliation.is_some());
    let mut parties = Vec::with_capacity(line.parties.len());
    for (index, party) in line.parties.iter().enumerate() {
        let speaks = line.sentences.iter().any(|s| s.speaker_id.as_deref() == Some(&party.speaker_id));
        let internal = match (&party.affiliation, known) {
            (Some(word), _) => word == "Internal",
            (None, true) => false,
            (None, false) => index == 0 || chance.hit(0.25),
        };
        let voice = voices.get(party.speaker_id.as_str()).filter(|_| speaks).cloned();
        parties.push(person(company, party, internal, voice, &mut chance));
    }
    let mut call = NewCall::new().started(started);
    call.title = line.title;
    call.duration_s = line.duration_s.map(|seconds| seconds.ceil() as i64);
    call.talk = Some(Talk::Spoken(Arc::new(talk)));
    call.parties = Some(parties);
    call.workspace = chance.index(company.workspaces.len());
    call.build(company, &mut chance, started)
}

fn talk(sentences: &[LineSentence], voices: &HashMap<&str, String>) -> Vec<Monologue> {
    let mut out: Vec<Monologue> = Vec::new();
    let mut last: Option<Option<&str>> = None;
    for said in sentences {
        let who = said.speaker_id.as_deref();
        let sentence = Sentence { start_ms: said.start_ms, end_ms: said.end_ms, text: said.text.clone() };
        if last == Some(who)
            && let Some(monologue) = out.last_mut()
        {
            monologue.sentences.push(sentence);
            continue;
        }
        last = Some(who);
        let speaker_id = who.and_then(|who| voices.get(who)).cloned();
        out.push(Monologue { speaker_id, topic: None, sentences: vec![sentence] });
    }
    out
}

fn person(
    company: &Company,
    party: &LineParty,
    internal: bool,
    voice: Option<String>,
    chance: &mut Chance,
) -> Party {
    let name = party.name.clone().filter(|name| !name.is_empty());
    let local = crate::cast::slug(name.as_deref().unwrap_or(&party.speaker_id));
    let domain = if internal { company.domain.clone() } else { "customer.example".to_owned() };
    let user = internal.then(|| chance.index(company.users.len())).and_then(|at| company.users.get(at));
    Party {
        id: chance.id(),
        name,
        email: Some(format!("{local}@{domain}")),
        title: party.role.clone(),
        phone: None,
        user_id: user.map(|user| user.id.clone()),
        speaker_id: voice,
        affiliation: if internal { "Internal" } else { "External" }.to_owned(),
        methods: vec!["Attendee".to_owned()],
    }
}
