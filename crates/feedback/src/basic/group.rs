//! Which sentences speak of the same wish, which wishes were taken back, and which are about somebody else's product. Pure.

use kernel::Side;
use models::{Embedding, cosine};

use super::words::words;
use crate::{
    analyze::Vocabulary,
    conversation::{Conversation, Place},
};

/// Turns within which sentences are taken for one wish.
const NEAR: usize = 2;
/// Turns within which sentences are one wish when they mean nearly the same.
const FAR: usize = 6;
/// How alike they have to be then.
const ALIKE: f32 = 0.4;
/// Sentences of one wish; more is a speech about several things.
const SENTENCES_MOST: usize = 5;
/// Turns after a wish in which it can be taken back.
const TAKEN_BACK: usize = 8;

/// A sentence that speaks of a wish.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// Where it stands.
    pub(super) place: Place,
    /// How sure it is, 0 to 1.
    pub(super) score: f32,
    /// What it means.
    pub(super) meaning: Embedding,
}

/// Sentences in the order of the call, as wishes.
pub(super) fn wishes(mut found: Vec<Found>) -> Vec<Vec<Found>> {
    found.sort_by_key(|one| one.place);
    let mut wishes: Vec<Vec<Found>> = Vec::new();
    for one in found {
        match wishes.iter_mut().rev().find(|wish| belongs(wish, &one)) {
            Some(wish) => wish.push(one),
            None => wishes.push(vec![one]),
        }
    }
    wishes
}

fn belongs(wish: &[Found], one: &Found) -> bool {
    let gap = wish.last().map_or(usize::MAX, |last| one.place.turn - last.place.turn);
    let alike = wish.iter().map(|other| cosine(&other.meaning, &one.meaning)).fold(0.0, f32::max);
    wish.len() < SENTENCES_MOST && (gap <= NEAR || (gap <= FAR && alike >= ALIKE))
}

/// Words with which people take back what they just said.
const BACK: &[&str] = &[
    "scratch that",
    "forget it",
    "forget that",
    "forget i",
    "never mind",
    "nevermind",
    "ignore that",
    "take that back",
    "take it back",
    "dont need it",
    "dont need that",
    "withdraw",
    "strike that",
    "no longer need",
];

/// Leaves out wishes that somebody of the other side takes back soon after, before speaking of another one.
pub(super) fn kept(talk: &Conversation, wishes: Vec<Vec<Found>>) -> Vec<Vec<Found>> {
    let begins: Vec<Place> = wishes.iter().filter_map(|wish| Some(wish.first()?.place)).collect();
    let stays = |wish: &Vec<Found>| {
        let Some(last) = wish.last().map(|one| one.place) else { return false };
        let next = begins.iter().copied().filter(|begin| *begin > last).min();
        let until = next.map_or(usize::MAX, |next| next.turn);
        !talk
            .theirs()
            .skip_while(|(place, ..)| *place < last)
            .take_while(|(place, ..)| place.turn <= last.turn + TAKEN_BACK && place.turn < until)
            .any(|(_, _, sentence)| takes_back(&sentence.text))
    };
    wishes.into_iter().filter(stays).collect()
}

fn takes_back(text: &str) -> bool {
    let words = format!(" {} ", words(text).join(" "));
    BACK.iter().any(|phrase| words.contains(&format!(" {phrase} ")))
}

/// Whether a wish is about a competitor's product: it names one and nothing in it is said to or about us.
pub(super) fn is_about_others(talk: &Conversation, wish: &[Found], vocabulary: &Vocabulary) -> bool {
    let texts = wish.iter().filter_map(|one| talk.sentence_at(one.place));
    let said = format!(" {} ", texts.flat_map(|one| words(&one.text)).collect::<Vec<_>>().join(" "));
    let names = |of: &[String]| of.iter().any(|name| said.contains(&format!(" {} ", words(name).join(" "))));
    let to_us = [" you ", " your ", " yours ", " here ", " like ", " unlike ", " youre ", " youve "];
    names(&vocabulary.competitors)
        && !names(&vocabulary.products)
        && !to_us.iter().any(|word| said.contains(word))
}

/// Words with which people praise.
const PRAISE: &[&str] = &[
    "love",
    "loves",
    "loved",
    "glad",
    "happy",
    "impressed",
    "thrilled",
    "faster",
    "easier",
    "great",
    "nice",
    "thanks",
];
/// Words without which praise is only praise: what is wanted, what is wrong, what stands against it.
const MORE_THAN_PRAISE: &[&str] = &[
    "but", "would", "wish", "want", "wants", "need", "needs", "should", "could", "if", "except", "however",
    "though", "cant", "cannot", "doesnt", "dont", "didnt", "wont", "isnt", "not", "no", "never", "nothing",
    "only", "missing", "miss", "bug", "broken", "slow", "wrong", "error", "fails", "until", "instead",
    "still", "without", "every", "hours", "manually", "id", "wed", "itd",
];

/// Whether a wish is none: nothing but praise in any of its sentences.
pub(super) fn is_praise(talk: &Conversation, wish: &[Found]) -> bool {
    every_sentence(talk, wish, |words| {
        let likes = matches!(words, [who, how, _, ..] if ["i", "we"].contains(&who.as_str()) && ["like", "love"].contains(&how.as_str()));
        says(words, PRAISE) && !says(words, MORE_THAN_PRAISE)
            || likes && !says(words, &["but", "would", "if", "except", "only", "could"])
    })
}

/// Words of buying and selling.
const COMMERCE: &[&str] = &[
    "price",
    "prices",
    "pricing",
    "discount",
    "discounts",
    "seat",
    "seats",
    "budget",
    "procurement",
    "fee",
    "fees",
    "contract",
    "bill",
];
/// Words with which talk about money is also talk about what the product does.
const MORE_THAN_COMMERCE: &[&str] = &[
    "cant", "cannot", "doesnt", "isnt", "export", "report", "show", "shows", "screen", "field", "column",
    "button", "click", "wrong", "bug", "broken", "hand", "manually", "feature", "access", "log", "logs",
];

/// Whether a wish is about buying: nothing but money in any of its sentences.
pub(super) fn is_commerce(talk: &Conversation, wish: &[Found]) -> bool {
    every_sentence(talk, wish, |words| says(words, COMMERCE) && !says(words, MORE_THAN_COMMERCE))
}

fn every_sentence(talk: &Conversation, wish: &[Found], is: impl Fn(&[String]) -> bool) -> bool {
    wish.iter().filter_map(|one| talk.sentence_at(one.place)).all(|one| is(&words(&one.text)))
}

fn says(words: &[String], set: &[&str]) -> bool {
    words.iter().any(|word| set.contains(&word.as_str()))
}

/// Whether anybody of ours is on the call: to whom else would a wish be said?
pub(super) fn has_us(talk: &Conversation) -> bool {
    talk.turns.iter().any(|turn| talk.speakers[turn.speaker].side == Side::Us)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::tests::talk;

    fn found(turn: usize, meaning: &[f32]) -> Found {
        Found { place: Place { turn, sentence: 0 }, score: 0.9, meaning: meaning.to_vec() }
    }

    #[test]
    fn neighbours_are_one_wish_and_distant_ones_only_when_they_mean_the_same() {
        let wishes = wishes(vec![
            found(1, &[1.0, 0.0]),
            found(3, &[0.0, 1.0]),
            found(8, &[0.0, 1.0]),
            found(15, &[1.0, 0.0]),
        ]);
        let turns: Vec<Vec<usize>> =
            wishes.iter().map(|wish| wish.iter().map(|one| one.place.turn).collect()).collect();
        assert_eq!(turns, [vec![1, 3, 8], vec![15]]);
    }

    #[test]
    fn what_is_taken_back_is_left_out() {
        let talk = talk(&[
            (Side::Customer, &["We would need an export."]),
            (Side::Us, &["It is under settings."]),
            (Side::Customer, &["Oh, scratch that then."]),
            (Side::Us, &["Anything else?"]),
            (Side::Customer, &["The search is slow."]),
        ]);
        let wishes = vec![vec![found(0, &[1.0])], vec![found(4, &[0.0])]];
        let kept = kept(&talk, wishes);
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0][0].place.turn, 4);
    }

    #[test]
    fn nothing_but_praise_is_no_wish() {
        let talk = talk(&[(
            Side::Customer,
            &[
                "Sales loves the calendar, they use it all day.",
                "It is great, but the list jumps.",
                "The list jumps.",
                "I like that I do not have to leave the page.",
            ],
        )]);
        let wish = |sentences: &[usize]| -> Vec<Found> {
            let place = |sentence: &usize| Place { turn: 0, sentence: *sentence };
            sentences.iter().map(|one| Found { place: place(one), score: 0.9, meaning: vec![] }).collect()
        };
        assert!(is_praise(&talk, &wish(&[0])));
        assert!(is_praise(&talk, &wish(&[3])));
        assert!(!is_praise(&talk, &wish(&[1])));
        assert!(!is_praise(&talk, &wish(&[0, 2])), "one sentence tells what is wrong");
    }

    #[test]
    fn talk_about_money_is_no_wish_until_it_is_about_the_product() {
        let talk = talk(&[(
            Side::Customer,
            &["Finance wants one bill a year.", "The price list cannot be changed for one customer."],
        )]);
        let wish = |sentence| [Found { place: Place { turn: 0, sentence }, score: 0.9, meaning: vec![] }];
        assert!(is_commerce(&talk, &wish(0)));
        assert!(!is_commerce(&talk, &wish(1)));
    }

    #[test]
    fn a_wish_about_a_competitor_is_not_ours() {
        let vocabulary = Vocabulary { competitors: vec!["Rivalio".into()], ..Vocabulary::default() };
        let theirs = talk(&[(Side::Customer, &["Rivalio never lets us export the list."])]);
        let ours = talk(&[(Side::Customer, &["Rivalio has an export, you do not."])]);
        assert!(is_about_others(&theirs, &[found(0, &[1.0])], &vocabulary));
        assert!(!is_about_others(&ours, &[found(0, &[1.0])], &vocabulary));
        assert!(!is_about_others(&theirs, &[found(0, &[1.0])], &Vocabulary::default()));
    }
}
