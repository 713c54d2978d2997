//! Stage one: a transcript and its parties as one conversation, where everybody stands on a side.
//!
//! Pure. Nothing is thrown away for being incomplete: nobody's words stay in, marked as nobody's.

use std::collections::{BTreeSet, HashMap};

use kernel::{CallId, Side};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

/// Sentences of a call that are read; a call of eight hours has about 8,000.
const SENTENCES_MOST: usize = 20_000;
/// Bytes of one sentence; what is longer becomes several.
const SENTENCE_MOST: usize = 1_000;
/// Addresses there say nothing about a company.
const FREE_MAIL: [&str; 9] = [
    "gmail.com",
    "googlemail.com",
    "outlook.com",
    "hotmail.com",
    "live.com",
    "yahoo.com",
    "icloud.com",
    "gmx.de",
    "proton.me",
];

/// A call as the room that holds calls hands it over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The call.
    pub call: CallId,
    /// Its title in Gong.
    pub title: Option<String>,
    /// Its page in Gong.
    pub url: Option<String>,
    /// When it began.
    pub started_at: OffsetDateTime,
    /// Who took part, as far as Gong knows.
    pub parties: Vec<Participant>,
    /// What was said.
    pub speeches: Vec<Speech>,
}

/// Who took part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Participant {
    /// The key into the speeches.
    pub speaker_id: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// The e-mail address.
    pub email: Option<String>,
    /// The job title.
    pub title: Option<String>,
    /// What Gong says about the side; `None` where it does not know.
    pub external: Option<bool>,
    /// A user of the organization's own Gong.
    pub is_user: bool,
}

/// What one person said without being interrupted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Speech {
    /// Who, where Gong knows.
    pub speaker_id: Option<String>,
    /// The sentences.
    pub sentences: Vec<Sentence>,
}

/// A sentence and its time in the call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sentence {
    /// The words.
    pub text: String,
    /// Milliseconds from the call's beginning.
    pub start_ms: i64,
    /// Milliseconds from the call's beginning.
    pub end_ms: i64,
}

/// A call, made ready to be understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// Everybody who speaks, and nobody twice.
    pub speakers: Vec<Speaker>,
    /// In the order of time.
    pub turns: Vec<Turn>,
}

/// Who speaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Speaker {
    /// The name, where it is known.
    pub name: Option<String>,
    /// The e-mail address, where it is known.
    pub email: Option<String>,
    /// The job title, where it is known.
    pub title: Option<String>,
    /// The side.
    pub side: Side,
}

impl Speaker {
    /// The company that the address belongs to; none for addresses of free mail services.
    pub fn account(&self) -> Option<String> {
        domain(self.email.as_deref()?).filter(|domain| !FREE_MAIL.contains(&domain.as_str()))
    }
}

/// What one speaker said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Place in [`Conversation::speakers`].
    pub speaker: usize,
    /// The sentences; never empty.
    pub sentences: Vec<Sentence>,
}

/// Where a sentence stands in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// Place among the turns.
    pub turn: usize,
    /// Place among the turn's sentences.
    pub sentence: usize,
}

impl Conversation {
    /// Makes a conversation; `domains` are those of the organization itself.
    pub fn of(source: &Source, domains: &[String]) -> Self {
        let ours = our_domains(&source.parties, domains);
        let mut speakers = Vec::new();
        let mut known: HashMap<Option<&str>, usize> = HashMap::new();
        for party in source.parties.iter().filter(|party| party.speaker_id.is_some()) {
            known.entry(party.speaker_id.as_deref()).or_insert_with(|| {
                speakers.push(speaker(party, &ours));
                speakers.len() - 1
            });
        }
        let (mut turns, mut left) = (Vec::new(), SENTENCES_MOST);
        for speech in &source.speeches {
            let sentences: Vec<Sentence> = speech.sentences.iter().flat_map(pieces).take(left).collect();
            if sentences.is_empty() {
                continue;
            }
            left -= sentences.len();
            let speaker = *known.entry(speech.speaker_id.as_deref()).or_insert_with(|| {
                speakers.push(Speaker { name: None, email: None, title: None, side: Side::Unknown });
                speakers.len() - 1
            });
            turns.push(Turn { speaker, sentences });
        }
        Self { speakers, turns }
    }

    /// A hash of everything that the next stages see: equal conversations need no second look.
    pub fn content_hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for turn in &self.turns {
            let speaker = &self.speakers[turn.speaker];
            hash.update(speaker.side.as_str());
            hash.update([0]);
            hash.update(speaker.name.as_deref().unwrap_or_default());
            hash.update([0]);
            for sentence in &turn.sentences {
                hash.update(sentence.start_ms.to_le_bytes());
                hash.update(&sentence.text);
                hash.update([0]);
            }
        }
        hash.finalize().into()
    }

    /// Who said what stands there.
    pub fn speaker_at(&self, place: Place) -> Option<&Speaker> {
        self.speakers.get(self.turns.get(place.turn)?.speaker)
    }

    /// The sentence that stands there.
    pub fn sentence_at(&self, place: Place) -> Option<&Sentence> {
        self.turns.get(place.turn)?.sentences.get(place.sentence)
    }

    /// Every sentence that is not ours, in order: what may hold feedback.
    pub fn theirs(&self) -> impl Iterator<Item = (Place, &Speaker, &Sentence)> {
        self.turns.iter().enumerate().flat_map(move |(turn, said)| {
            let speaker = &self.speakers[said.speaker];
            let theirs = if speaker.side == Side::Us { &[] } else { said.sentences.as_slice() };
            theirs.iter().enumerate().map(move |(sentence, said)| (Place { turn, sentence }, speaker, said))
        })
    }
}

/// Domains of the organization: those that it named, and those of the people whom Gong knows as its own.
fn our_domains(parties: &[Participant], named: &[String]) -> BTreeSet<String> {
    let ours = parties.iter().filter(|party| party.is_user || party.external == Some(false));
    let seen = ours.filter_map(|party| domain(party.email.as_deref()?));
    let named = named.iter().map(|domain| domain.trim().to_lowercase());
    named.chain(seen).filter(|domain| !FREE_MAIL.contains(&domain.as_str())).collect()
}

fn speaker(party: &Participant, ours: &BTreeSet<String>) -> Speaker {
    let of_address = |address: &str| match domain(address) {
        Some(domain) if ours.contains(&domain) => Side::Us,
        Some(_) => Side::Customer,
        None => Side::Unknown,
    };
    let side = match party.external {
        _ if party.is_user => Side::Us,
        Some(false) => Side::Us,
        Some(true) => Side::Customer,
        None => party.email.as_deref().map_or(Side::Unknown, of_address),
    };
    let shown = |text: &Option<String>| text.as_deref().map(clean).filter(|text| !text.is_empty());
    Speaker { name: shown(&party.name), email: party.email.clone(), title: shown(&party.title), side }
}

fn domain(address: &str) -> Option<String> {
    let (_, domain) = address.trim().rsplit_once('@')?;
    domain.contains('.').then(|| domain.to_lowercase())
}

/// One sentence of Gong's as the sentences that it really holds. Each piece stands in the original letter by letter, but
/// for control characters and runs of white space.
fn pieces(said: &Sentence) -> Vec<Sentence> {
    let clean = clean(&said.text);
    let of = |text: &str| Sentence { text: text.to_owned(), start_ms: said.start_ms, end_ms: said.end_ms };
    split(&clean).into_iter().map(of).collect()
}

/// White space as single blanks, without control characters and those that change the direction of writing.
pub fn clean(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let shown: String =
        text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| !hidden(*c)).collect();
    shown.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Splits a clean text into sentences: behind a full stop, a question or an exclamation mark, and where it is too long.
pub fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut from) = (Vec::new(), 0);
    let mut words = 0;
    for (at, word) in text.match_indices(' ').map(|(at, _)| at).chain([text.len()]).scan(0, |begin, at| {
        let word = &text[(*begin).min(at)..at];
        *begin = at + 1;
        Some((at, word))
    }) {
        words += 1;
        let ends = word.ends_with(['.', '?', '!', '…']) || word.ends_with(".\"") || word.ends_with("?\"");
        // A short beginning is "Mr." or "No.", or belongs to what follows.
        if (ends && words >= 3) || at - from >= SENTENCE_MOST {
            parts.push(text[from..at].trim());
            from = (at + 1).min(text.len());
            words = 0;
        }
    }
    match text[from..].trim() {
        "" => {}
        rest => parts.push(rest),
    }
    parts.into_iter().flat_map(bounded).collect()
}

/// A word without end in pieces.
fn bounded(mut text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    while text.len() > 2 * SENTENCE_MOST {
        let (piece, rest) = text.split_at(text.floor_char_boundary(SENTENCE_MOST));
        pieces.push(piece);
        text = rest;
    }
    pieces.push(text);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    fn said(text: &str) -> Sentence {
        Sentence { text: text.into(), start_ms: 0, end_ms: 900 }
    }

    fn source(parties: Vec<Participant>, speeches: Vec<(Option<&str>, &str)>) -> Source {
        let speech = |(who, text): (Option<&str>, &str)| Speech {
            speaker_id: who.map(Into::into),
            sentences: vec![said(text)],
        };
        Source {
            call: CallId::from_uuid(uuid::Uuid::nil()),
            title: None,
            url: None,
            started_at: datetime!(2026-03-01 10:00 UTC),
            parties,
            speeches: speeches.into_iter().map(speech).collect(),
        }
    }

    fn party(id: &str, email: &str, external: Option<bool>) -> Participant {
        Participant {
            speaker_id: Some(id.into()),
            email: Some(email.into()),
            external,
            ..Participant::default()
        }
    }

    #[test]
    fn everybody_stands_on_a_side() {
        let parties = vec![
            party("1", "ann@us.example", Some(false)),
            party("2", "bob@us.example", None),
            party("3", "cid@them.example", None),
            party("4", "dan@gmail.com", None),
            Participant { speaker_id: Some("5".into()), ..Participant::default() },
            Participant { is_user: true, ..party("6", "eve@gmail.com", Some(true)) },
        ];
        let who = ["1", "2", "3", "4", "5", "6", "7"].map(|id| (Some(id), "Well then."));
        let talk = Conversation::of(&source(parties, who.into_iter().chain([(None, "Hm.")]).collect()), &[]);
        let sides: Vec<_> = talk.turns.iter().map(|turn| talk.speakers[turn.speaker].side).collect();
        use Side::{Customer, Unknown, Us};
        assert_eq!(sides, [Us, Us, Customer, Customer, Unknown, Us, Unknown, Unknown]);
        assert_eq!(talk.speakers[2].account().as_deref(), Some("them.example"));
        assert_eq!(talk.speakers[3].account(), None);
        assert_eq!(talk.theirs().count(), 5);
    }

    #[test]
    fn sentences_are_split_and_stay_as_they_are() {
        let text =
            "We export  it.\u{7} Then\u{202e} we fix it by hand, every week! Mr. Bean does; see No. 5. Right";
        let talk = Conversation::of(&source(Vec::new(), vec![(None, text)]), &[]);
        let texts: Vec<_> = talk.turns[0].sentences.iter().map(|s| s.text.as_str()).collect();
        assert_eq!(
            texts,
            ["We export it.", "Then we fix it by hand, every week!", "Mr. Bean does; see No.", "5. Right"]
        );
    }

    #[test]
    fn a_turn_without_end_is_bounded() {
        let text = "word ".repeat(5_000_000);
        let talk = Conversation::of(&source(Vec::new(), vec![(None, &text)]), &[]);
        let sentences = &talk.turns[0].sentences;
        assert!(sentences.len() <= SENTENCES_MOST);
        assert!(sentences.iter().all(|s| s.text.len() <= SENTENCE_MOST + 10));
        let one = "x".repeat(3_000_000);
        let talk = Conversation::of(&source(Vec::new(), vec![(None, &one)]), &[]);
        assert!(
            talk.turns[0].sentences.iter().all(|s| s.text.len() <= 2 * SENTENCE_MOST),
            "a word without end"
        );
    }

    #[test]
    fn only_what_matters_changes_the_hash() {
        let one = source(Vec::new(), vec![(None, "We miss an export.")]);
        let same = Source { title: Some("other".into()), ..one.clone() };
        let other = source(Vec::new(), vec![(None, "We miss an import.")]);
        let hash = |source: &Source| Conversation::of(source, &[]).content_hash();
        assert_eq!(hash(&one), hash(&same));
        assert_ne!(hash(&one), hash(&other));
    }
}
