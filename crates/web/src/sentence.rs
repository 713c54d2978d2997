//! A piece of text as a sentence. Knows no texts.

/// With a capital at its beginning, and an end where it has none.
pub(crate) fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::sentence;

    #[test]
    fn a_text_becomes_a_sentence_and_a_sentence_stays_one() {
        assert_eq!(sentence("must be a number"), "Must be a number.");
        assert_eq!(sentence("Is it?"), "Is it?");
        assert_eq!(sentence("\u{e9}tat"), "\u{c9}tat.");
    }
}
