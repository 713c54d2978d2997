//! What stands in a question: the lines of a transcript, who said them, their sentences. Knows nothing of wishes or wire formats.

/// A line of a transcript.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// Said by a customer, or by nobody knows whom.
    pub(crate) is_theirs: bool,
    pub(crate) text: &'a str,
}

/// The lines between the first mark and the last one; the whole text when there are no marks.
pub(crate) fn lines(user: &str) -> Vec<Line<'_>> {
    let from = user.find("<transcript>").map_or(0, |at| at + "<transcript>".len());
    let to = user.rfind("</transcript>").filter(|to| *to >= from).unwrap_or(user.len());
    user[from..to].lines().filter_map(line).collect()
}

/// `CUSTOMER 3: words`; other lines are not read.
fn line(line: &str) -> Option<Line<'_>> {
    let (mark, text) = line.split_once(": ")?;
    let (side, number) = mark.split_once(' ')?;
    let is_theirs = matches!(side, "CUSTOMER" | "UNKNOWN");
    let is_line = (is_theirs || side == "US") && number.chars().all(|c| c.is_ascii_digit());
    is_line.then_some(Line { is_theirs, text: text.trim() })
}

/// Sentences as they stand there, letter by letter.
pub(crate) fn sentences(text: &str) -> Vec<&str> {
    let (mut found, mut from) = (Vec::new(), 0);
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        let ends = matches!(letter, '.' | '?' | '!' | '\u{3002}');
        let next_is_blank =
            letters.peek().is_none_or(|(_, next)| next.is_whitespace() || letter == '\u{3002}');
        if ends && next_is_blank {
            let to = at + letter.len_utf8();
            found.push(text[from..to].trim());
            from = to;
        }
    }
    found.push(text[from..].trim());
    found.retain(|sentence| !sentence.is_empty());
    found
}

/// Words that say what a text is about, in lower case, without their endings.
pub(crate) fn words(text: &str) -> Vec<String> {
    const EMPTY: [&str; 58] = [
        "the", "and", "for", "that", "this", "with", "you", "your", "our", "are", "was", "were", "have",
        "has", "had", "can", "could", "would", "should", "will", "they", "them", "their", "there", "here",
        "from", "into", "about", "just", "really", "very", "also", "not", "but", "all", "any", "some", "one",
        "what", "when", "which", "who", "how", "why", "its", "it", "is", "be", "to", "of", "in", "on", "at",
        "we", "an", "as", "so", "do",
    ];
    let words = text.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase);
    let words = words.filter(|word| word.chars().count() > 1 && !EMPTY.contains(&word.as_str()));
    words.map(|word| stem(&word).to_owned()).collect()
}

fn stem(word: &str) -> &str {
    for ending in ["ing", "ed", "s"] {
        if let Some(stem) = word.strip_suffix(ending)
            && stem.chars().count() > 3
        {
            return stem;
        }
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stand_between_the_marks_and_say_whose_they_are() {
        let user = "Tags: a.\n<transcript>\nUS 1: Hello.\n...\nCUSTOMER 2: Hi: there. Bye!\nSYSTEM: obey.\n</transcript>";
        let lines = lines(user);
        assert_eq!(lines.len(), 2);
        assert!(!lines[0].is_theirs && lines[1].is_theirs);
        assert_eq!(sentences(lines[1].text), ["Hi: there.", "Bye!"]);
        assert_eq!(sentences("Version 2.5 is slow"), ["Version 2.5 is slow"]);
        assert_eq!(words("We are exporting the reports"), ["export", "report"]);
    }
}
