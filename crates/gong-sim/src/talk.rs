//! What is said in a call, in three forms: given text, a script that is performed when asked for,
//! and a body that many calls share. Knows nothing of calls, companies or HTTP.

mod lines;
mod lines_of_use;
mod names;
mod script;
mod words;

pub(crate) use names::{ACCOUNT_ENDS, ACCOUNT_STARTS, FIRST_NAMES, LAST_NAMES, TITLES};
pub(crate) use script::{Flavour, Script, Speaker};

use crate::model::Monologue;
use bytes::Bytes;
use std::borrow::Cow;
use std::sync::Arc;

/// What is said in a call.
#[derive(Clone, Debug)]
pub(crate) enum Talk {
    /// Text that was given.
    Spoken(Arc<Vec<Monologue>>),
    /// Text that is made anew each time, always the same.
    Script(Arc<Script>),
    /// Text that many calls share, already written as JSON.
    Pooled(Arc<Pooled>),
}

/// A talk that is written once and served often.
#[derive(Debug)]
pub(crate) struct Pooled {
    monologues: Vec<Monologue>,
    json: Bytes,
}

impl Talk {
    /// A talk to be shared by many calls.
    pub(crate) fn pooled(monologues: Vec<Monologue>) -> Self {
        let mut json = Vec::new();
        write_monologues(&monologues, &mut json);
        Self::Pooled(Arc::new(Pooled { monologues, json: json.into() }))
    }

    /// The monologues.
    pub(crate) fn monologues(&self) -> Cow<'_, [Monologue]> {
        match self {
            Self::Spoken(monologues) => Cow::Borrowed(monologues),
            Self::Script(script) => Cow::Owned(script.perform()),
            Self::Pooled(pooled) => Cow::Borrowed(&pooled.monologues),
        }
    }

    /// Writes the `transcript` array.
    pub(crate) fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Self::Pooled(pooled) => out.extend_from_slice(&pooled.json),
            _ => write_monologues(&self.monologues(), out),
        }
    }

    /// The number of sentences.
    pub(crate) fn sentences(&self) -> usize {
        match self {
            Self::Script(script) => script.sentences,
            _ => self.monologues().iter().map(|monologue| monologue.sentences.len()).sum(),
        }
    }

    /// The end of the last sentence in milliseconds.
    pub(crate) fn length_ms(&self) -> i64 {
        let monologues = self.monologues();
        monologues.last().and_then(|last| last.sentences.last()).map_or(0, |sentence| sentence.end_ms)
    }
}

fn write_monologues(monologues: &[Monologue], out: &mut Vec<u8>) {
    out.push(b'[');
    for (index, monologue) in monologues.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"{\"speakerId\":" } else { b",{\"speakerId\":" });
        write_text(monologue.speaker_id.as_deref(), out);
        out.extend_from_slice(b",\"topic\":");
        write_text(monologue.topic.as_deref(), out);
        out.extend_from_slice(b",\"sentences\":[");
        for (index, sentence) in monologue.sentences.iter().enumerate() {
            out.extend_from_slice(if index == 0 { b"{\"start\":" } else { b",{\"start\":" });
            write_number(sentence.start_ms, out);
            out.extend_from_slice(b",\"end\":");
            write_number(sentence.end_ms, out);
            out.extend_from_slice(b",\"text\":");
            write_text(Some(&sentence.text), out);
            out.push(b'}');
        }
        out.extend_from_slice(b"]}");
    }
    out.push(b']');
}

/// Writes a JSON string or null. Writing into memory cannot fail.
pub(crate) fn write_text(text: Option<&str>, out: &mut Vec<u8>) {
    if serde_json::to_writer(&mut *out, &text).is_err() {
        out.extend_from_slice(b"null");
    }
}

fn write_number(number: i64, out: &mut Vec<u8>) {
    if serde_json::to_writer(&mut *out, &number).is_err() {
        out.push(b'0');
    }
}
