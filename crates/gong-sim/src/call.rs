//! The builder of one call for tests, and its turning into a served call.
//! Knows nothing of HTTP.

use crate::chance::Chance;
use crate::clock::trim;
use crate::model::{Call, Company, Monologue, Party, Sentence};
use crate::talk::Talk;
use serde_json::{Map, Value};
use std::sync::Arc;
use time::{Duration, OffsetDateTime};

/// One call to add. Without sentences it gets a generated talk, without parties two of them.
#[derive(Clone, Debug, Default)]
pub struct NewCall {
    pub(crate) id: Option<String>,
    pub(crate) title: Option<String>,
    pub(crate) started: Option<OffsetDateTime>,
    pub(crate) scheduled: Option<OffsetDateTime>,
    pub(crate) private: Option<Option<bool>>,
    pub(crate) privacy_changes: Vec<(OffsetDateTime, Option<bool>)>,
    pub(crate) visible_after: Option<OffsetDateTime>,
    pub(crate) transcript_after: Option<OffsetDateTime>,
    pub(crate) never_transcribed: bool,
    pub(crate) spoilt: bool,
    pub(crate) vanish_at: Option<OffsetDateTime>,
    pub(crate) ai_after: Option<OffsetDateTime>,
    pub(crate) parties: Option<Vec<Party>>,
    pub(crate) no_parties: bool,
    pub(crate) said: Vec<(Option<usize>, String)>,
    pub(crate) talk: Option<Talk>,
    pub(crate) duration_s: Option<i64>,
    pub(crate) sentences: Option<usize>,
    pub(crate) language: Option<String>,
    pub(crate) system: Option<String>,
    pub(crate) direction: Option<String>,
    pub(crate) workspace: usize,
    pub(crate) extra: Map<String, Value>,
}

impl NewCall {
    /// A public call that starts now, is listed and transcribed at once.
    pub fn new() -> Self {
        Self::default()
    }

    /// Fixes the id (else one of 19 or 20 digits is made).
    pub fn id(mut self, id: &str) -> Self {
        self.id = Some(id.to_owned());
        self
    }

    /// Sets the title.
    pub fn title(mut self, title: &str) -> Self {
        self.title = Some(title.to_owned());
        self
    }

    /// Sets the start; a start in the future keeps the call hidden until then.
    pub fn started(mut self, at: OffsetDateTime) -> Self {
        self.started = Some(at);
        self
    }

    /// Makes it a web conference that was scheduled for this time.
    pub fn scheduled(mut self, at: OffsetDateTime) -> Self {
        self.scheduled = Some(at);
        self
    }

    /// Sets the privacy flag; `None` leaves the field out. The default is `Some(false)`.
    pub fn private(mut self, flag: Option<bool>) -> Self {
        self.private = Some(flag);
        self
    }

    /// Changes the privacy flag at a time.
    pub fn private_from(mut self, at: OffsetDateTime, flag: Option<bool>) -> Self {
        self.privacy_changes.push((at, flag));
        self
    }

    /// Lists the call from this time on only.
    pub fn visible_after(mut self, at: OffsetDateTime) -> Self {
        self.visible_after = Some(at);
        self
    }

    /// Serves the transcript from this time on only (may lie before `visible_after`).
    pub fn transcript_after(mut self, at: OffsetDateTime) -> Self {
        self.transcript_after = Some(at);
        self
    }

    /// Never serves a transcript.
    pub fn never_transcribed(mut self) -> Self {
        self.never_transcribed = true;
        self
    }

    /// Serves a transcript that is no UTF-8, which spoils the whole answer it stands in.
    pub fn spoilt(mut self) -> Self {
        self.spoilt = true;
        self
    }

    /// Removes the call at a time.
    pub fn vanish_at(mut self, at: OffsetDateTime) -> Self {
        self.vanish_at = Some(at);
        self
    }

    /// Serves the AI fields from this time on only.
    pub fn ai_after(mut self, at: OffsetDateTime) -> Self {
        self.ai_after = Some(at);
        self
    }

    /// Adds a party. The first one is number 0 for `say`.
    pub fn party(mut self, party: Party) -> Self {
        self.parties.get_or_insert_default().push(party);
        self
    }

    /// Leaves `parties` out even when asked for, as some imported calls do.
    pub fn no_parties(mut self) -> Self {
        self.no_parties = true;
        self
    }

    /// Adds a sentence of party `number`.
    pub fn say(mut self, number: usize, text: &str) -> Self {
        self.said.push((Some(number), text.to_owned()));
        self
    }

    /// Adds a sentence with a null speaker and a null topic.
    pub fn say_unknown(mut self, text: &str) -> Self {
        self.said.push((None, text.to_owned()));
        self
    }

    /// How many sentences a generated talk has (30).
    pub fn sentences(mut self, count: usize) -> Self {
        self.sentences = Some(count);
        self
    }

    /// Sets the duration in seconds (else the end of the last sentence).
    pub fn duration_seconds(mut self, seconds: i64) -> Self {
        self.duration_s = Some(seconds);
        self
    }

    /// Sets the language code (`eng`).
    pub fn language(mut self, code: &str) -> Self {
        self.language = Some(code.to_owned());
        self
    }

    /// Sets the direction, also to a value that nobody knows.
    pub fn direction(mut self, word: &str) -> Self {
        self.direction = Some(word.to_owned());
        self
    }

    /// Puts the call into the company's workspace of this number, from 0.
    pub fn workspace(mut self, number: usize) -> Self {
        self.workspace = number;
        self
    }

    /// Adds a field to `metaData`, or changes a known one.
    pub fn field(mut self, name: &str, value: Value) -> Self {
        self.extra.insert(name.to_owned(), value);
        self
    }

    /// Turns it into a call of a company.
    pub(crate) fn build(self, company: &Company, chance: &mut Chance, now: OffsetDateTime) -> Call {
        let id = self.id.clone().unwrap_or_else(|| chance.id());
        let number = id.parse().unwrap_or_else(|_| Chance::of(0, &[&id]).next());
        let started = trim(self.started.unwrap_or(now));
        let visible_at = self.visible_after.unwrap_or(started);
        let spoken_by = self.said.iter().filter_map(|(who, _)| *who).max().map_or(2, |most| most + 1);
        let parties = match self.parties {
            Some(parties) => parties,
            None => crate::cast::plain_parties(company, chance, spoken_by.max(2)),
        };
        let talk = match (self.talk, self.said.is_empty()) {
            (Some(talk), _) => talk,
            (None, false) => spoken(&self.said, &parties),
            (None, true) => {
                crate::generate::scripted(company, chance, &parties, self.sentences.unwrap_or(30))
            }
        };
        let internal_only = parties.iter().all(|party| party.affiliation == "Internal");
        Call {
            number,
            title: self.title.or_else(|| Some(format!("Call {}", id.get(..6).unwrap_or(&id)))),
            started,
            scheduled: self.scheduled.map(trim),
            duration_s: self.duration_s.unwrap_or_else(|| talk.length_ms() / 1_000 + 1),
            primary_user: parties.iter().find_map(|party| party.user_id.clone()),
            direction: self.direction.unwrap_or_else(|| {
                if self.scheduled.is_some() { "Conference" } else { "Inbound" }.to_owned()
            }),
            system: self.system.or_else(|| Some("Zoom".to_owned())),
            scope: if internal_only { "Internal" } else { "External" }.to_owned(),
            media: if self.scheduled.is_some() { "Video" } else { "Audio" }.to_owned(),
            language: Some(self.language.unwrap_or_else(|| "eng".to_owned())),
            workspace_id: company.workspaces.get(self.workspace).map(|(id, _)| id.clone()),
            private: self.private.unwrap_or(Some(false)),
            privacy_changes: self.privacy_changes,
            visible_at,
            transcript_at: match self.never_transcribed {
                true => None,
                false => Some(self.transcript_after.unwrap_or(visible_at)),
            },
            ai_at: Some(self.ai_after.unwrap_or(visible_at + Duration::hours(1))),
            vanish_at: self.vanish_at,
            deleted: false,
            spoilt: self.spoilt,
            parties: (!self.no_parties).then_some(parties),
            talk,
            extra: self.extra,
            id,
        }
    }
}

/// Groups sentences of one speaker in a row into monologues, with plausible times.
fn spoken(said: &[(Option<usize>, String)], parties: &[Party]) -> Talk {
    let mut out: Vec<Monologue> = Vec::new();
    let mut last: Option<Option<usize>> = None;
    let mut at = 1_200;
    for (who, text) in said {
        let length = 300 + 330 * i64::try_from(text.split_whitespace().count()).unwrap_or(1);
        let sentence = Sentence { start_ms: at, end_ms: at + length, text: text.clone() };
        at += length + 250;
        if last == Some(*who)
            && let Some(monologue) = out.last_mut()
        {
            monologue.sentences.push(sentence);
            continue;
        }
        last = Some(*who);
        out.push(Monologue {
            speaker_id: who.and_then(|number| parties.get(number)?.speaker_id.clone()),
            topic: who.map(|_| "Discussion".to_owned()),
            sentences: vec![sentence],
        });
    }
    Talk::Spoken(Arc::new(out))
}
