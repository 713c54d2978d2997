//! Names: which hashes one leaves, and where a text bears one of them.

use std::ops::Range;

use super::{Mark, ShroudKey};

/// The most words that a name has.
const MOST_WORDS: usize = 4;
/// A part of a name that is shorter means nobody.
const SHORTEST: usize = 3;

/// The hashes of a name: whole, first with last, and each part that is long enough to mean somebody.
pub(super) fn marks(key: &ShroudKey, name: &str) -> Vec<Mark> {
    if name.contains('@') || !name.contains(char::is_alphabetic) {
        return Vec::new();
    }
    let words: Vec<String> = words(name).into_iter().map(|span| name[span].to_lowercase()).collect();
    let mut marks: Vec<Mark> = words
        .iter()
        .filter(|word| word.chars().count() >= SHORTEST)
        .map(|word| key.mark("word", word))
        .collect();
    if words.len() > 1 {
        marks.push(key.mark("name", &words[..words.len().min(MOST_WORDS)].join(" ")));
    }
    if let (true, Some(first), Some(last)) = (words.len() > 2, words.first(), words.last()) {
        marks.push(key.mark("name", &format!("{first} {last}")));
    }
    marks
}

/// Where a known name stands: whole ones always, single parts when the person took part.
pub(super) fn spans(
    key: &ShroudKey,
    text: &str,
    present: bool,
    known: &dyn Fn(&Mark) -> bool,
) -> Vec<Range<usize>> {
    let words = words(text);
    let capital = |span: &Range<usize>| {
        text[span.clone()].chars().next().is_some_and(|c| !c.is_lowercase() && c.is_alphabetic())
    };
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate().filter(|(_, word)| capital(word)) {
        let lower = text[word.clone()].to_lowercase();
        let mut name = lower.clone();
        let mut end = word.end;
        for next in words.iter().skip(at + 1).take(MOST_WORDS - 1) {
            // A name ends where a sentence does.
            if !text[end..next.start].chars().all(char::is_whitespace) {
                break;
            }
            end = next.end;
            name.push(' ');
            name.push_str(&text[next.clone()].to_lowercase());
            if capital(next) && known(&key.mark("name", &name)) {
                found.push(word.start..next.end);
            }
        }
        if present && lower.chars().count() >= SHORTEST && known(&key.mark("word", &lower)) {
            found.push(word.clone());
        }
    }
    found
}

fn words(text: &str) -> Vec<Range<usize>> {
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '-' | '\'' | '’');
    let mut found = Vec::new();
    let mut rest = 0;
    while let Some(start) = text[rest..].find(char::is_alphanumeric) {
        let start = rest + start;
        let end = start + text[start..].find(|c| !inside(c)).unwrap_or(text.len() - start);
        let word = text[start..end].trim_end_matches(['-', '\'', '’']);
        let word = word.strip_suffix("'s").or_else(|| word.strip_suffix("’s")).unwrap_or(word);
        found.push(start..start + word.len());
        rest = end;
    }
    found
}
