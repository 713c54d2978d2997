//! What can be known of a sentence without understanding it: its words, those of the turns around it, its place. Pure and quick, so
//! that every sentence of a call can be looked at; a vector of what it means is added only where that is worth it.

use std::collections::BTreeSet;

use kernel::Side;

use super::words::{CLASSES, cues, hashed, place, words};
use crate::conversation::{Conversation, Place};

/// Places of words in each of the three tables: the sentence, the turn after, the turn before.
const TABLE: u32 = 4_096;
/// Plain numbers.
const NUMBERS: usize = 17;
/// Places of words in each of the two tables of a whole call: what we say, what the others say.
const CALL: u32 = 1_024;
/// How much a word somewhere in the call counts: it says what the call is about, not what a sentence wants.
const ANYWHERE: f32 = 0.06;
/// Words of a neighbouring turn that are read.
const AROUND: usize = 60;
/// Numbers of an embedding.
pub(super) const MEANING: usize = 384;
/// Features that the screen sees.
pub const SCREEN: u32 = PLAIN + 2 * CALL;
/// Where the tables of the whole call begin.
#[expect(clippy::cast_possible_truncation, reason = "they are dozens")]
const PLAIN: u32 = 3 * TABLE + (NUMBERS + CLASSES) as u32;
/// Features that the decision sees: those of the screen, what the sentence means, what the answer to it means.
#[expect(clippy::cast_possible_truncation, reason = "384 fits")]
pub const DECISION: u32 = SCREEN + 2 * MEANING as u32;
/// Features that say what sort of wish it is: the classes of its words. What it means told no more (docs/QUALITY.md).
pub const SORT: usize = CLASSES;

/// Features that are not zero.
pub type Sparse = Vec<(u32, f32)>;

/// A sentence that may hold a wish.
#[derive(Debug, Clone)]
pub struct Line {
    /// Where it stands.
    pub place: Place,
    /// Where the turn after it begins.
    pub reply: Option<Place>,
    /// What the screen sees.
    pub features: Sparse,
}

/// Every sentence that is not ours.
pub fn lines(talk: &Conversation) -> Vec<Line> {
    let turns: Vec<Said> = (0..talk.turns.len()).map(|turn| Said::of(talk, turn)).collect();
    let all: usize = talk.turns.iter().map(|turn| turn.sentences.len()).sum();
    let whole = whole(talk);
    let mut before = 0;
    let mut found = Vec::new();
    for (turn, said) in talk.turns.iter().enumerate() {
        if turns[turn].side != Side::Us {
            let about = About { turns: &turns, turn, sentences: said.sentences.len() };
            for (sentence, text) in said.sentences.iter().enumerate() {
                let part = ratio(before + sentence, all.saturating_sub(1).max(1));
                let mut features = about.features(&text.text, sentence, part);
                features.extend_from_slice(&whole);
                found.push(Line {
                    place: Place { turn, sentence },
                    reply: turns.get(turn + 1).map(|_| Place { turn: turn + 1, sentence: 0 }),
                    features,
                });
            }
        }
        before += said.sentences.len();
    }
    found
}

/// What the call is about: the words that we say anywhere in it, and those of the others.
fn whole(talk: &Conversation) -> Sparse {
    let mut features = Sparse::new();
    for (table, ours) in [(0, true), (1, false)] {
        let turns = talk.turns.iter().filter(|turn| (talk.speakers[turn.speaker].side == Side::Us) == ours);
        let said = turns.flat_map(|turn| &turn.sentences).flat_map(|one| words(&one.text));
        let places: BTreeSet<u32> = said.map(|word| place(&[&word], CALL)).collect();
        features.extend(places.into_iter().map(|place| (PLAIN + table * CALL + place, ANYWHERE)));
    }
    features
}

/// What the decision sees.
pub fn decision(line: &Line, meaning: &[f32], reply: Option<&[f32]>) -> Sparse {
    let mut features = line.features.clone();
    let dense = |from: usize, vector: &[f32]| -> Sparse {
        (SCREEN..).skip(from).zip(vector.iter().copied().take(MEANING)).collect()
    };
    features.extend(dense(0, meaning));
    features.extend(reply.map(|vector| dense(MEANING, vector)).unwrap_or_default());
    features
}

/// What says which sort of wish it is.
pub fn sort(text: &str) -> [f32; SORT] {
    cues(text, &words(text)).map(|count| count * 0.3)
}

/// A turn as its neighbours see it.
struct Said {
    side: Side,
    head: Vec<u32>,
    tail: Vec<u32>,
    length: usize,
    asks: bool,
}

impl Said {
    fn of(talk: &Conversation, turn: usize) -> Self {
        let said = &talk.turns[turn];
        let all: Vec<String> = said.sentences.iter().flat_map(|one| words(&one.text)).collect();
        Self {
            side: talk.speakers[said.speaker].side,
            head: hashed(&all[..all.len().min(AROUND)], TABLE),
            tail: hashed(&all[all.len().saturating_sub(AROUND)..], TABLE),
            length: all.len(),
            asks: said.sentences.last().is_some_and(|one| one.text.ends_with('?')),
        }
    }
}

/// What all sentences of a turn share.
struct About<'a> {
    turns: &'a [Said],
    turn: usize,
    sentences: usize,
}

impl About<'_> {
    fn features(&self, text: &str, sentence: usize, part: f32) -> Sparse {
        let words = words(text);
        let (after, before) =
            (self.turns.get(self.turn + 1), self.turn.checked_sub(1).map(|t| &self.turns[t]));
        let mut features = Vec::with_capacity(200);
        let mut table = |number: u32, places: &[u32], weight: f32| {
            let each = weight / (1.0_f32.max(ratio(places.len(), 1))).sqrt();
            features.extend(places.iter().map(|place| (number * TABLE + place, each)));
        };
        table(0, &hashed(&words, TABLE), 0.5);
        table(1, after.map_or(&[], |said| &said.head), 0.5);
        table(2, before.map_or(&[], |said| &said.tail), 0.3);
        let length = words.len();
        let yes = |is: bool| f32::from(u8::from(is));
        let numbers: [f32; NUMBERS] = [
            ratio(length.min(60), 1).ln_1p(),
            yes(length > 12),
            yes(length > 20),
            yes(length > 30),
            part,
            yes(part < 0.15),
            yes(part > 0.85),
            ratio(self.sentences.min(20), 5),
            ratio(self.turns[self.turn].length.min(300), 1).ln_1p(),
            yes(sentence == 0),
            yes(sentence + 1 == self.sentences),
            yes(self.turns[self.turn].side == Side::Unknown),
            yes(after.is_none()),
            ratio(after.map_or(0, |said| said.length.min(100)), 20),
            yes(after.is_some_and(|said| said.asks)),
            yes(before.is_some_and(|said| said.asks)),
            yes(after.is_some_and(|said| said.side == Side::Us)),
        ];
        let classes = cues(text, &words).map(|count| count * 0.3);
        let plain = numbers.map(|number| number * 0.5).into_iter().chain(classes);
        features.extend((3 * TABLE..).zip(plain).filter(|(_, value)| *value != 0.0));
        features
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of sentences and words")]
fn ratio(of: usize, to: usize) -> f32 {
    of as f32 / to as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::tests::talk;

    #[test]
    fn our_sentences_are_no_lines_but_count_as_what_stands_around() {
        let one = talk(&[
            (Side::Us, &["What is missing?"]),
            (Side::Customer, &["An export.", "We print it."]),
            (Side::Us, &["We do not have that."]),
        ]);
        let other = talk(&[
            (Side::Us, &["What is missing?"]),
            (Side::Customer, &["An export.", "We print it."]),
            (Side::Us, &["It is under settings."]),
        ]);
        let (a, b) = (lines(&one), lines(&other));
        assert_eq!(a.len(), 2);
        assert_eq!(a[1].place, Place { turn: 1, sentence: 1 });
        assert_eq!(a[1].reply, Some(Place { turn: 2, sentence: 0 }));
        assert_ne!(a[0].features, b[0].features, "the answer matters");
        assert!(a.iter().flat_map(|line| &line.features).all(|(place, _)| *place < SCREEN));
        let whole = decision(&a[0], &[0.5; MEANING], Some(&[0.5; MEANING]));
        assert_eq!(whole.iter().map(|(place, _)| *place).max(), Some(DECISION - 1));
    }
}
