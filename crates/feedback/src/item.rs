//! One thing that somebody asks for, as an analyzer found it and as evidence of it is kept.

use kernel::{FeedbackKind, Priority, Sentiment, Side};
use serde::{Deserialize, Serialize};

use crate::conversation::{Conversation, Place, clean};

/// Letters of a title.
pub const TITLE_MOST: usize = 120;
/// Letters of a quote.
const QUOTE_MOST: usize = 1_000;
/// Quotes of an item.
const QUOTES_MOST: usize = 5;
/// What an item may claim to be quotes before the rest is not looked at.
const CLAIMS_MOST: usize = 20;

/// One distinct ask in one call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// What is to be done, as an order to the builder.
    pub title: String,
    /// One sentence: what, for whom, why. With the title it is what duplicates are recognised by.
    pub summary: String,
    /// Everything that a product manager has to know.
    pub description: String,
    /// What sort of feedback it is.
    pub kind: FeedbackKind,
    /// How they feel about it.
    pub sentiment: Sentiment,
    /// How much it matters to them.
    pub priority: Priority,
    /// One or two words.
    pub area: String,
    /// What hurts them today.
    pub pain_points: Vec<String>,
    /// A category of the organization's own, where one fits.
    pub category: Option<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Word for word what was said; never empty.
    pub quotes: Vec<Quote>,
}

impl Item {
    /// The text that duplicates are recognised by: never a raw quote, whose words say more about the talk than about the ask.
    pub fn canonical(&self) -> String {
        format!("{}. {}", self.title.trim_end_matches('.'), self.summary)
    }
}

/// Words that are really in the transcript, with who said them and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// Word for word.
    pub text: String,
    /// Where it begins.
    pub place: Place,
    /// Who said it, where that is known.
    pub speaker: Option<String>,
    /// The speaker's side.
    pub side: Side,
    /// The company that the speaker's address belongs to.
    pub account: Option<String>,
    /// Milliseconds from the call's beginning.
    pub start_ms: i64,
    /// Milliseconds from the call's beginning.
    pub end_ms: i64,
}

/// Finds in the conversation what is said to be a quote: the same words in the same order within one turn of somebody who is
/// not ours; letter case, punctuation and white space aside. `None` for words that nobody said.
pub fn find_quote(talk: &Conversation, claimed: &str) -> Option<Quote> {
    Spoken::of(talk).find(claimed)
}

/// What was said by those who are not ours, as words with single blanks: read once, asked for many quotes.
pub(crate) struct Spoken<'a> {
    talk: &'a Conversation,
    /// A turn, its words, and where in them each of its sentences begins.
    turns: Vec<(usize, String, Vec<usize>)>,
}

impl<'a> Spoken<'a> {
    pub(crate) fn of(talk: &'a Conversation) -> Self {
        let theirs =
            talk.turns.iter().enumerate().filter(|(_, said)| talk.speakers[said.speaker].side != Side::Us);
        let turns = theirs.map(|(turn, said)| {
            let (mut text, mut begins) = (String::from(" "), Vec::with_capacity(said.sentences.len()));
            for sentence in &said.sentences {
                begins.push(text.len() - 1);
                words(&sentence.text, &mut text);
            }
            (turn, text, begins)
        });
        Self { talk, turns: turns.collect() }
    }

    fn find(&self, claimed: &str) -> Option<Quote> {
        if claimed.len() > QUOTE_MOST * 4 {
            return None;
        }
        let mut wanted = String::from(" ");
        words(claimed, &mut wanted);
        let last_word = wanted.trim_end().rfind(' ').filter(|_| wanted.len() > 1)?;
        self.turns.iter().find_map(|(turn, text, begins)| {
            let at = text.find(&wanted)?;
            let sentence = |at: usize| begins.partition_point(|begin| *begin <= at).saturating_sub(1);
            quote(self.talk, *turn, sentence(at), sentence(at + last_word))
        })
    }
}

/// The sentences of one turn from one to another, as a quote.
pub fn quote(talk: &Conversation, turn: usize, first: usize, last: usize) -> Option<Quote> {
    let said = talk.turns.get(turn)?;
    let sentences = said.sentences.get(first..=last)?;
    let speaker = talk.speakers.get(said.speaker)?;
    let text = sentences.iter().map(|s| s.text.as_str()).collect::<Vec<_>>().join(" ");
    Some(Quote {
        text: cut(&text, QUOTE_MOST).to_owned(),
        place: Place { turn, sentence: first },
        speaker: speaker.name.clone(),
        side: speaker.side,
        account: speaker.account(),
        start_ms: sentences.first()?.start_ms,
        end_ms: sentences.last()?.end_ms,
    })
}

/// Brings an item of an analyzer into its bounds and drops what nobody said: `None` when no quote is left, or no title.
pub fn checked(talk: &Conversation, item: Item, claimed: &[String]) -> Option<Item> {
    checked_in(&Spoken::of(talk), item, claimed)
}

/// [`checked`] for many items of one conversation.
pub(crate) fn checked_in(spoken: &Spoken<'_>, mut item: Item, claimed: &[String]) -> Option<Item> {
    let bounded = |text: &str, most| cut(&clean(text), most).to_owned();
    item.quotes = Vec::new();
    for quote in claimed.iter().take(CLAIMS_MOST).filter_map(|text| spoken.find(text)).take(QUOTES_MOST) {
        if !item.quotes.iter().any(|one| one.place == quote.place) {
            item.quotes.push(quote);
        }
    }
    item.title = bounded(&item.title, TITLE_MOST);
    item.summary = bounded(&item.summary, 300);
    item.description = bounded(&item.description, 2_000);
    item.area = bounded(&item.area, 40).to_lowercase();
    item.pain_points =
        item.pain_points.iter().map(|point| bounded(point, 200)).filter(|p| !p.is_empty()).take(5).collect();
    item.tags = item
        .tags
        .iter()
        .map(|tag| bounded(tag, 40).to_lowercase())
        .filter(|t| !t.is_empty())
        .take(8)
        .collect();
    (!item.quotes.is_empty() && !item.title.is_empty()).then_some(item)
}

/// Adds the words of a text, for comparing: letters and digits in lower case, a blank behind each.
fn words(text: &str, to: &mut String) {
    let plain = text.replace(['\u{2019}', '\'', '\u{2018}'], "");
    for word in plain.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        to.push_str(&word.to_lowercase());
        to.push(' ');
    }
}

/// At most so many bytes, at a border of letters.
pub(crate) fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most.min(text.len()))]
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::conversation::{Sentence, Speaker, Turn};

    /// A conversation; each turn is a side and its sentences.
    pub(crate) fn talk(turns: &[(Side, &[&str])]) -> Conversation {
        let speaker = |side| Speaker { name: Some("Ana".into()), email: None, title: None, side };
        let sentence = |(n, text): (usize, &&str)| Sentence {
            text: (*text).into(),
            start_ms: i64::try_from(n).unwrap() * 1_000,
            end_ms: i64::try_from(n).unwrap() * 1_000 + 900,
        };
        Conversation {
            speakers: vec![speaker(Side::Us), speaker(Side::Customer), speaker(Side::Unknown)],
            turns: turns
                .iter()
                .map(|(side, said)| Turn {
                    speaker: Side::ALL.iter().position(|s| s == side).map_or(0, |n| [1, 0, 2][n]),
                    sentences: said.iter().enumerate().map(sentence).collect(),
                })
                .collect(),
        }
    }

    #[test]
    fn a_quote_is_found_in_its_turn_or_not_at_all() {
        let talk = talk(&[
            (Side::Us, &["You can\u{2019}t export it."]),
            (Side::Customer, &["Right.", "We can\u{2019}t export it,", "so we type it off."]),
        ]);
        let quote = find_quote(&talk, "we can't export it - so we type it off").unwrap();
        assert_eq!(quote.text, "We can\u{2019}t export it, so we type it off.");
        assert_eq!(
            (quote.place.turn, quote.place.sentence, quote.start_ms, quote.end_ms),
            (1, 1, 1_000, 2_900)
        );
        assert_eq!(find_quote(&talk, "You can't export it"), None, "we said that");
        assert_eq!(find_quote(&talk, "We cannot export it"), None, "nobody said that");
        assert_eq!(find_quote(&talk, " .. "), None);
        assert_eq!(find_quote(&talk, "export it so"), find_quote(&talk, "export it, so we"), "over a border");
        assert_eq!(find_quote(&talk, "xport it"), None, "half a word");
        assert_eq!(find_quote(&talk, "type it off").unwrap().text, "so we type it off.");
    }
}
