//! Words for people out of what was said: a title, a summary. Rules that cut and turn a sentence, and invent nothing. Pure.

use super::{
    phrases::{AROUND, BEHIND, FILLERS, INSIDE, LEANING, OPENINGS, TURNS},
    words::words,
};

/// Letters of a title.
const TITLE_MOST: usize = 80;
/// Letters of a summary.
const SUMMARY_MOST: usize = 280;

/// An order to the builder where the words can be turned into one, and what was said where not; at most 80 letters, whole words.
pub(super) fn title(text: &str) -> String {
    let plain = plain(text);
    turned(&plain).unwrap_or_else(|| shaped("", telling_part(&plain)))
}

/// How well a sentence can stand alone as what somebody asks for: above zero where its words turn into an order, below where it only
/// leans on what was said before. Added to how sure it is that it speaks of a wish.
pub(super) fn stands_alone(text: &str) -> f32 {
    let plain = plain(text);
    let words = words(&plain);
    let leans = words.first().is_some_and(|first| LEANING.contains(&first.as_str()));
    let order = turned(&plain);
    // "Let people switch it off": what?
    let points = order
        .as_deref()
        .is_some_and(|order| order.split([' ', ',']).any(|word| ["it", "that", "this"].contains(&word)));
    match (order.is_some() && !points, leans || words.len() < 4) {
        (true, false) => 0.3,
        (true, true) | (false, false) => 0.0,
        (false, true) => -0.3,
    }
}

/// The order that the words turn into.
fn turned(plain: &str) -> Option<String> {
    let plain = after_praise(plain);
    let lower = plain.to_lowercase();
    // Cutting at the same byte is safe only where lower case did not change lengths.
    if lower.len() != plain.len() {
        return None;
    }
    if let Some(order) =
        had(plain, &lower).or_else(|| between(plain, &lower)).or_else(|| before(plain, &lower))
    {
        return Some(order);
    }
    for (opening, order) in TURNS {
        if let Some(rest) = after(plain, &lower, opening) {
            return Some(shaped(order, rest));
        }
    }
    for (inside, order) in INSIDE {
        if let Some(at) = lower.find(inside) {
            let from = at + inside.len();
            if plain.is_char_boundary(from) && plain[from..].split(' ').count() >= 2 {
                return Some(shaped(order, &plain[from..]));
            }
        }
    }
    None
}

/// "It would be great if the list had a search": what it should have goes first.
fn had(plain: &str, lower: &str) -> Option<String> {
    let opening = TURNS.iter().find(|(opening, order)| {
        *order == "Make it so that" && lower.strip_prefix(opening).is_some_and(|rest| rest.starts_with(' '))
    })?;
    let at = opening.0.len() + lower.get(opening.0.len()..)?.find(" had ")?;
    let (holder, wish) = (plain.get(opening.0.len()..at)?.trim(), plain.get(at + " had ".len()..)?);
    let short = holder.split(' ').count() <= 5 && !wish.is_empty();
    let wish = wish.trim_end_matches(['.', '?', '!']);
    short.then(|| shaped("Add", &format!("{wish} to {holder}")))
}

/// What stands between two halves of a question or a condition.
fn between(plain: &str, lower: &str) -> Option<String> {
    AROUND.iter().find_map(|(before, behind)| {
        let from = lower.strip_prefix(before).map(|rest| lower.len() - rest.len())?;
        let to = from + lower.get(from..)?.find(behind)?;
        let wish = plain.get(from..to)?.trim().trim_end_matches(',');
        (!wish.is_empty() && wish.split(' ').count() <= 10).then(|| shaped("Add", wish))
    })
}

/// "A search would help": the wish is what stands before.
fn before(plain: &str, lower: &str) -> Option<String> {
    let at = BEHIND.iter().filter_map(|behind| lower.find(behind)).min()?;
    let wish = plain.get(..at)?;
    let words = words(wish);
    let names = words.first().is_some_and(|first| {
        !LEANING.contains(&first.as_str()) && first != "what" && first != "i" && first != "we"
    });
    (names && (1..=9).contains(&words.len()) && !wish.contains(',')).then(|| shaped("Add", &uncapital(wish)))
}

/// What comes after the praise: in "it is nice, but ..." the second half is what they want.
fn after_praise(plain: &str) -> &str {
    let Some((praise, rest)) = plain.split_once(", but ") else { return plain };
    let says = |part: &str, set: &[&str]| words(part).iter().any(|word| set.contains(&word.as_str()));
    let good = says(
        praise,
        &["works", "work", "fine", "good", "great", "nice", "like", "love", "ok", "okay", "happy", "helps"],
    );
    match good
        && !says(praise, &["not", "no", "never", "cant", "doesnt", "would"])
        && rest.split(' ').count() >= 3
    {
        true => rest,
        false => plain,
    }
}

/// One sentence without sounds and openings.
pub(super) fn summary(text: &str) -> String {
    let mut plain = capital(&cut(&plain(text), SUMMARY_MOST));
    if !plain.ends_with(['.', '?', '!', '\u{2026}']) {
        plain.push('.');
    }
    plain
}

fn after<'a>(plain: &'a str, lower: &str, opening: &str) -> Option<&'a str> {
    let rest = lower.strip_prefix(opening)?;
    let rest = plain.get(plain.len() - rest.len()..)?;
    (rest.starts_with(' ') && rest.split_whitespace().count() >= 2).then_some(rest)
}

fn shaped(order: &str, rest: &str) -> String {
    let rest = rest.replace(", though", "").replace(", please", "");
    let rest = rest.trim().trim_end_matches(['.', '?', '!', ',', ';', '\u{2026}']);
    let rest = if order.is_empty() { capital(rest) } else { rest.to_owned() };
    // What follows a comma is mostly a reason; it goes first when it is too long.
    let room = TITLE_MOST - order.len().min(TITLE_MOST) - 1;
    let rest = match rest.match_indices([',', ';']).map(|(at, _)| at).find(|at| *at >= 24) {
        Some(at) if rest.len() > room => rest[..at].to_owned(),
        _ => rest,
    };
    let rest = cut(&rest, room);
    capital(format!("{order} {rest}").trim())
}

/// The part that says what does not work: from the comma before the first word of denial on, where the sentence is long.
fn telling_part(plain: &str) -> &str {
    let plain = after_praise(plain);
    if plain.len() < TITLE_MOST {
        return plain;
    }
    // What begins with a joining word says nothing without what stands before it.
    let leans = |part: &str| {
        let first = part.split(' ').next().unwrap_or_default().to_lowercase();
        ["and", "but", "or", "so", "which", "who", "because", "then", "where", "while"]
            .contains(&first.as_str())
    };
    let parts = plain.split([',', ';']).map(str::trim).filter(|part| !part.is_empty());
    let parts: Vec<&str> =
        parts.enumerate().filter(|(n, part)| *n == 0 || !leans(part)).map(|(_, part)| part).collect();
    let weight = |part: &&str| {
        let words = words(part);
        let says = |set: &[&str]| words.iter().any(|word| set.contains(&word.as_str()));
        let denies = says(&[
            "no", "not", "cant", "cannot", "doesnt", "dont", "wont", "isnt", "only", "never", "nothing",
        ]);
        let asks = says(&["should", "need", "want", "wish", "could", "would", "missing", "instead", "every"]);
        let must = says(&["must"]) && !says(&["i", "we", "they"]);
        (words.len() >= 4, u8::from(must) * 4 + u8::from(denies) * 2 + u8::from(asks), std::cmp::Reverse(0))
    };
    let best = parts.iter().enumerate().max_by_key(|(n, part)| (weight(part), std::cmp::Reverse(*n)));
    best.map_or(plain, |(_, part)| part)
}

/// Without sounds, stammering and empty openings.
pub(super) fn plain(text: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for word in text.split_whitespace() {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
        let sound = matches!(bare.as_str(), "uh" | "um" | "uhm" | "er" | "erm" | "hmm" | "hm" | "mhm");
        let again = kept.last().is_some_and(|last| {
            last.trim_end_matches(',').eq_ignore_ascii_case(word.trim_end_matches(',')) && bare.len() < 8
        });
        match (sound || word == "-", again) {
            (true, _) => {}
            (_, true) => {
                kept.pop();
                kept.push(word);
            }
            _ => kept.push(word),
        }
    }
    let mut rest = kept.join(" ");
    while let Some(shorter) = without_opening(&rest) {
        rest = shorter;
    }
    rest
}

fn without_opening(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    if lower.len() != text.len() {
        return None;
    }
    let all = OPENINGS.iter().chain(FILLERS);
    let opening = all.filter(|opening| lower.starts_with(**opening)).max_by_key(|opening| opening.len())?;
    let rest = text.get(opening.len()..)?;
    if !rest.starts_with([' ', ',', '.', ':', ';', '\u{2026}']) {
        return None;
    }
    let rest = rest.trim_start_matches([' ', ',', '.', ':', ';', '\u{2026}']);
    (rest.split(' ').count() >= 3).then(|| rest.to_owned())
}

/// A first word that was large only because it began the sentence.
fn uncapital(text: &str) -> String {
    let first = text.split(' ').next().unwrap_or_default();
    let ordinary = first.chars().skip(1).all(char::is_lowercase) && first.chars().count() > 1 || first == "A";
    let mut letters = text.chars();
    match letters.next() {
        Some(letter) if ordinary => letter.to_lowercase().chain(letters).collect(),
        _ => text.to_owned(),
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// At most so many bytes, and whole words; a first word that is longer is cut.
fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let short = &text[..text.floor_char_boundary(most)];
    let ended = text[short.len()..].starts_with(' ');
    let whole = if ended { short } else { short.rsplit_once(' ').map_or(short, |(whole, _)| whole) };
    let mut whole = whole.trim_end_matches(|c: char| !c.is_alphanumeric());
    // A title does not end with a word that asks for another one.
    while let Some((rest, last)) = whole.rsplit_once(' ') {
        let hangs = [
            "the", "a", "an", "to", "of", "in", "on", "for", "and", "or", "that", "with", "it", "so", "we",
            "i",
        ];
        if !hangs.contains(&last.to_lowercase().as_str()) {
            break;
        }
        whole = rest.trim_end_matches(|c: char| !c.is_alphanumeric());
    }
    whole.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_becomes_an_order() {
        for (said, wanted) in [
            ("Is there a way to print the week for the front desk?", "Print the week for the front desk"),
            ("Um, and what I miss is a way to, to merge two jobs.", "Add a way to merge two jobs"),
            ("Honestly, we'd like to see the history of a ticket.", "Let people see the history of a ticket"),
            (
                "They are stuck and there's no button for them to say they run late.",
                "Add button for them to say they run late",
            ),
            ("Today we can't export the list.", "Make it possible to export the list"),
            ("Could you put a color on the new ones?", "Put a color on the new ones"),
            ("So I have to open every group by hand.", "Spare people having to open every group by hand"),
            ("I close it, and it doesn't remember the filter.", "Make it remember the filter"),
            ("The clock jumps back.", "The clock jumps back"),
            ("We really need a dark mode.", "Add a dark mode"),
            ("It would be great if the calendar had two views.", "Add two views to the calendar"),
            ("Is a weekly digest on the roadmap?", "Add a weekly digest"),
            ("If a guest list came by May, we would renew at once.", "Add a guest list"),
            (
                "Offline mode on the tablet would help, even in its simplest form.",
                "Add offline mode on the tablet",
            ),
            ("CSV import would be a game changer for the depot.", "Add CSV import"),
            ("Please let us switch it off, though.", "Let people switch it off"),
            (
                "For the depot a read-only role for the auditors is a must, and a printed list is only nice to have.",
                "For the depot a read-only role for the auditors is a must",
            ),
            ("Without single sign-on we cannot switch over.", "Add single sign-on"),
            ("On my machine it works, but for sales the list stays empty.", "For sales the list stays empty"),
            ("It is not nice, but we live with it.", "It is not nice, but we live with it"),
            (
                "Finance built a spreadsheet with a hundred tabs for it, and only one person in all of finance understands it.",
                "Finance built a spreadsheet with a hundred tabs for it",
            ),
        ] {
            assert_eq!(title(said), wanted);
        }
    }

    #[test]
    fn what_leans_on_other_words_does_not_stand_alone() {
        let order = stands_alone("We'd like to see the history of a ticket.");
        let plain = stands_alone("The clock jumps back every time.");
        let leaning = stands_alone("It happens about nine times a day.");
        assert!(order > plain && plain > leaning, "{order} {plain} {leaning}");
        assert!(order > stands_alone("Please let us switch it off."), "an order about something else");
    }

    #[test]
    fn a_title_is_short_and_ends_with_a_whole_word() {
        let long = "The overview of all the warehouses that we have in the northern region loses its order whenever anybody adds a pallet";
        let short = title(long);
        assert!(short.len() <= TITLE_MOST, "{short}");
        let last = short.rsplit(' ').next().unwrap();
        assert!(long.split(' ').any(|word| word == last), "{short}");
        let title = title(&"ü".repeat(300));
        assert!(title.len() <= TITLE_MOST && title.starts_with('Ü'));
    }

    #[test]
    fn summaries_keep_the_words_without_the_sounds() {
        assert_eq!(summary("Uh, yeah, we we print it, um, twice"), "We print it, twice.");
        assert_eq!(summary("So."), "So.");
    }
}
