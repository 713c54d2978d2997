//! The feature area that a wish is about: a thing that products have, or the word that the talk around it comes back to. Pure.

use std::collections::HashMap;

use super::words::words;

/// The word that says what it is about: often said in the call, and no everyday word.
pub(super) fn area(wish: &str, around: &str) -> String {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for word in words(around) {
        *counts.entry(stem(&word)).or_default() += 1;
    }
    let mut best: Option<(usize, String)> = None;
    for word in words(wish) {
        if word.len() < 4 || EVERYDAY.contains(&word.as_str()) || word.chars().all(char::is_numeric) {
            continue;
        }
        let weight = counts.get(&stem(&word)).copied().unwrap_or_default().min(6) * 2
            + usize::from(word.len() > 6)
            + 3 * usize::from(THINGS.contains(&stem(&word).as_str()));
        if best.as_ref().is_none_or(|(most, _)| weight > *most) {
            best = Some((weight, word));
        }
    }
    best.map_or_else(|| "general".to_owned(), |(_, word)| word)
}

/// One form for one and many.
fn stem(word: &str) -> String {
    word.strip_suffix('s').filter(|short| short.len() > 3).unwrap_or(word).to_owned()
}

/// Things that products are made of.
const THINGS: &[&str] = &[
    "report",
    "dashboard",
    "export",
    "import",
    "search",
    "filter",
    "calendar",
    "notification",
    "alert",
    "email",
    "template",
    "login",
    "permission",
    "role",
    "user",
    "invoice",
    "schedule",
    "mobile",
    "offline",
    "integration",
    "field",
    "form",
    "table",
    "chart",
    "map",
    "label",
    "tag",
    "file",
    "upload",
    "download",
    "attachment",
    "approval",
    "workflow",
    "rule",
    "language",
    "currency",
    "timezone",
    "print",
    "scanner",
    "history",
];

/// Words of everyday talk, which name no part of a product.
const EVERYDAY: &[&str] = &[
    "about",
    "actually",
    "after",
    "again",
    "all",
    "almost",
    "already",
    "also",
    "always",
    "another",
    "anybody",
    "anything",
    "around",
    "back",
    "because",
    "been",
    "before",
    "being",
    "best",
    "better",
    "both",
    "call",
    "came",
    "cannot",
    "cant",
    "come",
    "could",
    "customer",
    "customers",
    "didnt",
    "different",
    "does",
    "doesnt",
    "doing",
    "done",
    "dont",
    "down",
    "each",
    "even",
    "every",
    "everybody",
    "everything",
    "exactly",
    "fine",
    "first",
    "from",
    "gets",
    "getting",
    "give",
    "goes",
    "going",
    "good",
    "great",
    "hand",
    "have",
    "having",
    "here",
    "hour",
    "hours",
    "into",
    "isnt",
    "just",
    "keep",
    "kind",
    "know",
    "last",
    "like",
    "little",
    "look",
    "looks",
    "made",
    "make",
    "many",
    "maybe",
    "mean",
    "minute",
    "minutes",
    "month",
    "more",
    "morning",
    "most",
    "much",
    "must",
    "need",
    "needs",
    "never",
    "next",
    "nobody",
    "nothing",
    "only",
    "open",
    "other",
    "over",
    "people",
    "place",
    "problem",
    "really",
    "right",
    "same",
    "says",
    "should",
    "since",
    "some",
    "somebody",
    "something",
    "still",
    "such",
    "sure",
    "take",
    "than",
    "that",
    "their",
    "them",
    "then",
    "there",
    "these",
    "they",
    "thing",
    "things",
    "think",
    "this",
    "those",
    "time",
    "times",
    "today",
    "together",
    "tell",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_area_is_a_word_of_the_matter() {
        let around = "the export is nice but the export of reports never holds the header";
        assert_eq!(area("Every time the export loses something", around), "export");
        assert_eq!(area("it is so", ""), "general");
    }
}
