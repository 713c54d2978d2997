//! Patterns for `like` out of what people type. No room's table.

/// Letters of a text that is looked for.
const LETTERS_MOST: usize = 200;

/// A pattern that finds a text anywhere, and whether an index of trigrams can help to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Like {
    /// The text itself, in lower case, as it stands in `pattern` without its signs being escaped.
    pub text: String,
    /// For `like` on lower case: finds the text itself, whatever signs are in it.
    pub pattern: String,
    /// It has three letters or digits in a row, so the index of trigrams knows where it can be.
    pub indexed: bool,
}

impl Like {
    /// What contains the text that a person typed, whatever its case; `None` when that is nothing. Of a long text the first 200 letters count.
    pub fn containing(typed: &str) -> Option<Self> {
        let text: String = typed.trim().to_lowercase().chars().take(LETTERS_MOST).collect();
        if text.is_empty() {
            return None;
        }
        let mut pattern = String::from("%");
        for c in text.chars() {
            if matches!(c, '%' | '_' | '\\') {
                pattern.push('\\');
            }
            pattern.push(c);
        }
        pattern.push('%');
        let indexed = text.split(|c: char| !c.is_alphanumeric()).any(|word| word.chars().count() >= 3);
        Some(Self { text, pattern, indexed })
    }
}

#[cfg(test)]
mod tests {
    use super::Like;

    #[test]
    fn signs_of_the_pattern_language_stand_for_themselves() {
        assert_eq!(Like::containing("100%_a\\B").unwrap().pattern, "%100\\%\\_a\\\\b%");
        assert_eq!(Like::containing(" \t "), None);
    }

    #[test]
    fn it_is_known_whether_the_trigrams_help() {
        for (typed, indexed) in [("ann", true), ("жук", true), ("a%bc", false), ("%%%", false), ("ab", false)]
        {
            assert_eq!(Like::containing(typed).unwrap().indexed, indexed, "{typed}");
        }
    }
}
