//! The arithmetic of the search box: what a text is like, which signs are in it, and which index can find it.

use db::Like;

/// Signs that nearly every title, name or address has, or that people type alone. Each has a bit of its own.
const SIGNS: &str = " \n.@-_'%&/\\,:()+#";
/// Letters, digits, then the signs; what is neither shares the bits behind.
const FIRST_SHARED: u32 = 26 + 10 + 17;

/// What to look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Needle {
    /// The text as a pattern.
    pub(crate) like: Like,
    /// A call without all of these signs does not have the text.
    pub(crate) signs: i64,
}

impl Needle {
    /// Of what a person typed; `None` when that is nothing.
    pub(crate) fn new(typed: &str) -> Option<Self> {
        let like = Like::containing(typed)?;
        Some(Self { signs: signs(&like.text), like })
    }
}

/// Which letters, digits and signs a lower-case text has, a bit each.
pub(crate) fn signs(text: &str) -> i64 {
    text.chars().fold(0, |bits, c| bits | (1 << bit(c)))
}

fn bit(c: char) -> u32 {
    let code = u32::from(c);
    match c {
        'a'..='z' => code - u32::from('a'),
        '0'..='9' => 26 + code - u32::from('0'),
        _ => match (0..).zip(SIGNS.chars()).find(|(_, sign)| *sign == c) {
            Some((place, _)) => 36 + place,
            None => FIRST_SHARED + code % (63 - FIRST_SHARED),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_people_type_alone_has_a_bit_of_its_own() {
        let own: Vec<char> = ('a'..='z').chain('0'..='9').chain(SIGNS.chars()).collect();
        assert_eq!(own.len(), usize::try_from(FIRST_SHARED).unwrap());
        let all: String = own.iter().collect();
        assert_eq!(signs(&all).count_ones(), FIRST_SHARED);
        assert!(signs("%") & signs("firm42 renewal\nann@acme.example") == 0);
    }

    proptest! {
        #[test]
        fn a_text_has_the_signs_of_all_that_is_in_it(before in ".*", typed in ".{1,40}", after in ".*") {
            let text = format!("{before}{typed}{after}").to_lowercase();
            if let Some(needle) = Needle::new(&typed).filter(|n| text.contains(n.like.pattern.trim_matches('%'))) {
                prop_assert_eq!(signs(&text) & needle.signs, needle.signs);
            }
        }
    }
}
