//! Words of a sentence, and the classes of words that tell wishes and complaints from the rest. Pure.

use std::{collections::HashMap, sync::LazyLock};

/// Classes of words and word pairs (`by_hand`). A class alone proves nothing: what each weighs is learned.
const CUES: &[&str] = &[
    "cant cannot couldnt unable impossible not_possible no_way",
    "doesnt dont didnt wont isnt arent not never nothing no",
    "only just_one at_most maximum limit limited up_to",
    "by_hand manual manually spreadsheet spreadsheets excel paper copy copies paste type typing print retype screenshot screenshots \
     notebook sticky email emails",
    "every each always again all_the twice times daily weekly",
    "wish would_love would_like id_like id_love wed_like wed_love want wants need needs hope ideal ideally should would_be itd_be could",
    "if when then so because until instead unless but",
    "click clicks scroll screen button page tab menu field list filter column report dashboard export import upload download search \
     login notification alert app template calendar",
    "bug broken crash crashes wrong error freeze freezes lost loses disappear disappears gone stuck fails failed duplicate blank \
     empty missing slow",
    "hour hours minute minutes day days morning mornings half",
    "one two three four five six seven eight nine ten twelve twenty thirty forty fifty sixty hundred thousand",
    "we our us",
    "i my me",
    "he she his her him",
    "it its that there",
    "you your",
    "they them their people users customers team staff guys",
    "price discount contract invoice renewal budget quote percent cost costs license purchasing legal",
    "thank thanks great perfect good fine happy nice love works okay ok yeah yes exactly sure",
    "work works working worked solved fixed already found resolved",
    "is_there can_it can_we can_i does_it do_you is_it will_it",
    "scratch forget never_mind nevermind ignore dont_need",
    "have_to has_to must got_to gotta need_to needs_to",
    "other another different competitor vendor tool software system bank internal",
    "have has had was were went came did said told asked bought",
    "able_to way_to possible_to let_me let_us allow option setting feature support integrate integration automatic automatically",
    "wife husband son daughter kid kids dog mother father weekend holiday vacation weather lunch coffee football",
    "guidance quarter revenue shareholders investors margin growth question operator analysts",
    "book booking reservation appointment reserve ticket flight hotel room address account balance number",
];

/// How many classes there are.
pub(super) const CLASSES: usize = CUES.len() + 2;

static CLASS_OF: LazyLock<HashMap<&'static str, Vec<usize>>> = LazyLock::new(|| {
    let mut of: HashMap<&'static str, Vec<usize>> = HashMap::new();
    for (class, words) in CUES.iter().enumerate() {
        for word in words.split_whitespace() {
            of.entry(word).or_default().push(class);
        }
    }
    of
});

/// The words of a text: letters and digits in lower case, apostrophes left out (`cant`).
pub(super) fn words(text: &str) -> Vec<String> {
    let plain: String = text.chars().filter(|c| !matches!(c, '\'' | '\u{2019}' | '\u{2018}')).collect();
    let words = plain.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

/// How often each class occurs, at most three times; the last two are a question and commas.
pub(super) fn cues(text: &str, words: &[String]) -> [f32; CLASSES] {
    let mut counts = [0.0_f32; CLASSES];
    let mut count = |word: &str| {
        for class in CLASS_OF.get(word).into_iter().flatten() {
            counts[*class] = (counts[*class] + 1.0).min(3.0);
        }
    };
    for (n, word) in words.iter().enumerate() {
        count(if word.starts_with(|c: char| c.is_ascii_digit()) { "one" } else { word });
        if let Some(next) = words.get(n + 1) {
            count(&format!("{word}_{next}"));
        }
    }
    counts[CLASSES - 2] = f32::from(u8::from(text.trim_end().ends_with('?')));
    counts[CLASSES - 1] = text.matches(',').take(3).map(|_| 1.0).sum();
    counts
}

/// Words and word pairs as places in a table of so many, each place once.
pub(super) fn hashed(words: &[String], places: u32) -> Vec<u32> {
    let pairs = words.windows(2).map(|two| place(&[&two[0], &two[1]], places));
    let mut found: Vec<u32> = words.iter().map(|word| place(&[word], places)).chain(pairs).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// The place of a word or a pair in a table of so many.
pub(super) fn place(words: &[&String], places: u32) -> u32 {
    fnv(words) % places
}

/// FNV-1a with a stroke between the words, and its high bits folded in.
fn fnv(words: &[&String]) -> u32 {
    let mut hash = 0x811c_9dc5_u32;
    for word in words {
        for byte in word.bytes().chain([b'|']) {
            hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
    }
    hash ^ (hash >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_counted_by_words_and_pairs() {
        let text = "We can\u{2019}t filter it, so we do it by hand every morning.";
        let words = words(text);
        assert_eq!(words[1], "cant");
        let counts = cues(text, &words);
        assert_eq!((counts[0], counts[3], counts[4], counts[7]), (1.0, 1.0, 1.0, 1.0));
        assert_eq!((counts[CLASSES - 2], counts[CLASSES - 1]), (0.0, 1.0));
    }

    #[test]
    fn a_word_and_a_pair_have_places_of_their_own() {
        let two = words("export report");
        let places = hashed(&two, 4_096);
        assert_eq!(places.len(), 3);
        assert_eq!(hashed(&words("Report export"), 4_096).iter().filter(|p| places.contains(p)).count(), 2);
    }
}
