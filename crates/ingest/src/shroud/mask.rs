//! Finding addresses in a text, and writing the text without them. Knows no key.

use std::ops::Range;

use super::{AddressKind, ERASED_TEXT};

/// Where addresses stand that `known` recognises.
pub(super) fn addresses(text: &str, known: &dyn Fn(AddressKind, &str) -> bool) -> Vec<Range<usize>> {
    let mut spans: Vec<Range<usize>> = text
        .match_indices('@')
        .map(|(at, _)| around(text, at))
        .filter(|span| known(AddressKind::Email, &text[span.clone()]))
        .collect();
    spans.extend(numbers(text).into_iter().filter(|span| known(AddressKind::Phone, &text[span.clone()])));
    spans
}

/// What may be an e-mail address around its sign.
fn around(text: &str, at: usize) -> Range<usize> {
    let name = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '%' | '+' | '-' | '\'');
    let host = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-');
    let before = text[..at].trim_end_matches(name).len();
    let before =
        before + (text[before..at].len() - text[before..at].trim_start_matches(['.', '\'', '-']).len());
    let after = &text[at + 1..];
    let length = after.len() - after.trim_start_matches(host).len();
    let length = after[..length].trim_end_matches(['.', '-']).len();
    before..at + 1 + length
}

/// Runs of digits with the signs that stand in phone numbers.
fn numbers(text: &str) -> Vec<Range<usize>> {
    let inside =
        |c: char| c.is_ascii_digit() || matches!(c, ' ' | '-' | '.' | '/' | '(' | ')' | '\u{a0}' | '+');
    let mut found = Vec::new();
    let mut rest = 0;
    while let Some(start) = text[rest..].find(|c: char| c.is_ascii_digit() || c == '+' || c == '(') {
        let start = rest + start;
        let end = start + text[start..].find(|c| !inside(c)).unwrap_or(text.len() - start);
        let trimmed = start + text[start..end].trim_end_matches(|c: char| !c.is_ascii_digit()).len();
        if text[start..trimmed].bytes().filter(u8::is_ascii_digit).count() >= 7 {
            found.push(start..trimmed);
        }
        rest = end.max(start + 1);
    }
    found
}

/// The text with something else in these places; `None` without places.
pub(super) fn without(text: &str, mut spans: Vec<Range<usize>>) -> Option<(String, i64)> {
    if spans.is_empty() {
        return None;
    }
    spans.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end)));
    let (mut masked, mut from, mut count) = (String::with_capacity(text.len()), 0, 0);
    for span in spans {
        if span.start < from {
            continue;
        }
        masked.push_str(&text[from..span.start]);
        masked.push_str(ERASED_TEXT);
        from = span.end;
        count += 1;
    }
    masked.push_str(&text[from..]);
    Some((masked, count))
}
