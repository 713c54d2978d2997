//! The labelled calls of this repository, as conversations and as what a person found in them.

use std::path::Path;

use feedback::{Conversation, Participant, Place, Sentence, Source, Speech};
use kernel::{CallId, FeedbackKind, Priority, Sentiment};
use serde::Deserialize;
use time::OffsetDateTime;

use crate::fault::{Doing, Fault};

/// A call and what is in it.
#[derive(Debug)]
pub(crate) struct Labelled {
    pub(crate) id: String,
    pub(crate) style: String,
    pub(crate) talk: Conversation,
    pub(crate) wishes: Vec<Wish>,
}

/// A labelled item.
#[derive(Debug)]
pub(crate) struct Wish {
    pub(crate) kind: FeedbackKind,
    pub(crate) sentiment: Sentiment,
    pub(crate) priority: Priority,
    /// Turn and words of each quote.
    pub(crate) quotes: Vec<(usize, String)>,
}

#[derive(Deserialize)]
struct Row {
    id: String,
    style: String,
    parties: Vec<Party>,
    turns: Vec<Said>,
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Party {
    id: String,
    name: String,
    side: String,
}

#[derive(Deserialize)]
struct Said {
    by: String,
    text: String,
}

#[derive(Deserialize)]
struct Item {
    kind: FeedbackKind,
    sentiment: Sentiment,
    priority: Priority,
    quotes: Vec<Quoted>,
}

#[derive(Deserialize)]
struct Quoted {
    turn: usize,
    text: String,
}

/// The calls of all files of a folder whose names begin so, in the order of names.
pub(crate) fn read(folder: &Path, beginning: &str) -> Result<Vec<Labelled>, Fault> {
    let entries = std::fs::read_dir(folder).doing(format!("looking into {}", folder.display()))?;
    let mut files: Vec<_> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with(beginning) && name.ends_with(".jsonl")
        })
        .collect();
    files.sort();
    let mut calls = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).doing(format!("reading {}", file.display()))?;
        for (n, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let row: Row = serde_json::from_str(line).doing(format!("{}, line {}", file.display(), n + 1))?;
            calls.push(call(row));
        }
    }
    if calls.is_empty() {
        return Err(Fault::new(format!("{} holds no {beginning}*.jsonl", folder.display())));
    }
    Ok(calls)
}

fn call(row: Row) -> Labelled {
    let party = |party: &Party| Participant {
        speaker_id: Some(party.id.clone()),
        name: Some(party.name.clone()),
        external: match party.side.as_str() {
            "us" => Some(false),
            "customer" => Some(true),
            _ => None,
        },
        ..Participant::default()
    };
    let said = |(n, said): (usize, &Said)| {
        let from = i64::try_from(n).unwrap_or_default() * 10_000;
        let sentence = Sentence { text: said.text.clone(), start_ms: from, end_ms: from + 9_000 };
        Speech { speaker_id: Some(said.by.clone()), sentences: vec![sentence] }
    };
    let source = Source {
        call: CallId::from_uuid(uuid::Uuid::nil()),
        title: None,
        url: None,
        started_at: OffsetDateTime::UNIX_EPOCH,
        parties: row.parties.iter().map(party).collect(),
        speeches: row.turns.iter().enumerate().map(said).collect(),
    };
    let wish = |item: Item| Wish {
        kind: item.kind,
        sentiment: item.sentiment,
        priority: item.priority,
        quotes: item.quotes.into_iter().map(|quote| (quote.turn, bare(&quote.text))).collect(),
    };
    Labelled {
        id: row.id,
        style: row.style,
        talk: Conversation::of(&source, &[]),
        wishes: row.items.into_iter().map(wish).collect(),
    }
}

impl Labelled {
    /// The wish that a sentence is quoted for.
    pub(crate) fn wish_at(&self, place: Place) -> Option<usize> {
        let text = bare(&self.talk.sentence_at(place)?.text);
        self.wishes.iter().position(|wish| {
            wish.quotes.iter().any(|(turn, quote)| *turn == place.turn && overlap(&text, quote))
        })
    }

    /// The wishes that a found quote overlaps.
    pub(crate) fn wishes_of(&self, quote: &feedback::Quote) -> Vec<usize> {
        let text = bare(&quote.text);
        let hit = |wish: &Wish| {
            wish.quotes.iter().any(|(turn, labelled)| *turn == quote.place.turn && overlap(&text, labelled))
        };
        (0..self.wishes.len()).filter(|n| hit(&self.wishes[*n])).collect()
    }
}

/// Whether one holds the other.
fn overlap(a: &str, b: &str) -> bool {
    !a.is_empty() && !b.is_empty() && (a.contains(b) || b.contains(a))
}

/// Letters and digits in lower case, single blanks between.
pub(crate) fn bare(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}
