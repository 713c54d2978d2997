//! One JSON value that may be anything: Gong's fields can be null, absent, or of another type than documented. Knows how to take
//! what is usable; an id is never read as a floating point number.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer, de};
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

/// Twice what is documented; what is longer could not be stored.
const MOST_ID: usize = 40;

/// A value as it came; arrays and objects are read over.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) enum Scalar<'a> {
    #[default]
    Nothing,
    Flag(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Text(Cow<'a, str>),
}

impl Scalar<'_> {
    /// An id: text of letters, digits, `-`, `_`, or a whole number.
    pub(crate) fn id(&self) -> Option<String> {
        match self {
            Self::Text(text) if is_id(text) => Some(text.to_string()),
            Self::Signed(number) => Some(number.to_string()),
            Self::Unsigned(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// Text of at most `most` characters, without the NUL that PostgreSQL cannot hold; `None` when nothing is left.
    pub(crate) fn text(&self, most: usize) -> Option<String> {
        let Self::Text(text) = self else { return None };
        let text: String = text.chars().filter(|c| *c != '\0').take(most).collect();
        (!text.is_empty()).then_some(text)
    }

    /// Yes or no, if it is exactly that.
    pub(crate) fn flag(&self) -> Option<bool> {
        if let Self::Flag(flag) = self { Some(*flag) } else { None }
    }

    /// A whole number; fractions are cut off.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "casts from f64 saturate, and these are durations and counts"
    )]
    pub(crate) fn whole(&self) -> Option<i64> {
        match self {
            Self::Signed(number) => Some(*number),
            Self::Unsigned(number) => i64::try_from(*number).ok(),
            Self::Float(number) if number.is_finite() => Some(*number as i64),
            _ => None,
        }
    }

    /// A moment, in UTC, from RFC 3339 with any offset and any number of fraction digits.
    pub(crate) fn moment(&self) -> Option<OffsetDateTime> {
        let Self::Text(text) = self else { return None };
        let moment = OffsetDateTime::parse(text.trim(), &Rfc3339).ok()?;
        moment.checked_to_offset(UtcOffset::UTC)
    }

    /// An address that is safe to link to.
    pub(crate) fn link(&self) -> Option<String> {
        self.text(2000).filter(|link| {
            (link.starts_with("https://") || link.starts_with("http://"))
                && !link.contains(|c: char| c.is_control() || c.is_whitespace())
        })
    }
}

/// Whether a text can be one of Gong's ids.
pub(crate) fn is_id(text: &str) -> bool {
    (1..=MOST_ID).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> de::Visitor<'de> for Reader {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Scalar::Flag(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Scalar::Signed(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Scalar::Unsigned(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Scalar::Float(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Scalar::Nothing)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<de::IgnoredAny>()?.is_some() {}
        Ok(Scalar::Nothing)
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<de::IgnoredAny, de::IgnoredAny>()?.is_some() {}
        Ok(Scalar::Nothing)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn scalar(json: &str) -> Scalar<'_> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn ids_keep_every_digit_or_are_no_ids() {
        for (json, id) in [
            ("\"12345678901234567890\"", Some("12345678901234567890")),
            ("18446744073709551615", Some("18446744073709551615")),
            ("9223372036854775807", Some("9223372036854775807")),
            ("-1", Some("-1")),
            ("123456789012345678901", None),
            ("1e3", None),
            ("1.0", None),
            ("\"\"", None),
            ("\"a b\"", None),
            ("\"a\\u0000\"", None),
            ("\"../../x\"", None),
            ("null", None),
            ("true", None),
            ("[1]", None),
            ("{\"a\":{}}", None),
        ] {
            assert_eq!(scalar(json).id().as_deref(), id, "{json}");
        }
        assert!(scalar(&format!("\"{}\"", "1".repeat(65))).id().is_none());
    }

    #[test]
    fn moments_come_with_any_fraction_and_offset() {
        for (json, moment) in [
            ("\"2026-03-05T14:01:12+02:00\"", Some(datetime!(2026-03-05 12:01:12 UTC))),
            ("\"2026-03-05T14:01:12.482+02:00\"", Some(datetime!(2026-03-05 12:01:12.482 UTC))),
            ("\"2026-03-05T14:01:12.482123Z\"", Some(datetime!(2026-03-05 14:01:12.482123 UTC))),
            (
                "\"2026-03-05T00:30:00.123456789123-11:30\"",
                Some(datetime!(2026-03-05 12:00:00.123456789 UTC)),
            ),
            ("\"2026-03-05T14:01:12\"", None),
            ("\"yesterday\"", None),
            ("1772719272", None),
            ("null", None),
        ] {
            assert_eq!(scalar(json).moment(), moment, "{json}");
        }
    }

    #[test]
    fn texts_are_bounded_and_free_of_nul_and_links_lead_to_the_web() {
        assert_eq!(scalar("\"a\\u0000b\"").text(10).as_deref(), Some("ab"));
        assert_eq!(scalar("\"äöüß\"").text(2).as_deref(), Some("äö"));
        assert_eq!(scalar("\"\\u0000\"").text(2), None);
        assert!(scalar("\"https://app.gong.io/call?id=1\"").link().is_some());
        assert!(scalar("\"javascript:alert(1)\"").link().is_none());
        assert_eq!(
            (scalar("12.9").whole(), scalar("7").whole(), scalar("\"7\"").whole()),
            (Some(12), Some(7), None)
        );
        assert_eq!(
            (scalar("true").flag(), scalar("\"true\"").flag(), scalar("1").flag()),
            (Some(true), None, None)
        );
    }
}
