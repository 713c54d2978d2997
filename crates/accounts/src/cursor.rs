//! Where a list goes on: an opaque text that holds the time and id of the last line shown. Knows no table.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::AccountsError;

/// The place after one line of a list that is ordered by time and id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// When the line came to be, in whole microseconds as the database keeps it.
    pub at: OffsetDateTime,
    /// Which of the lines of that moment.
    pub id: Uuid,
}

/// Versions the encoding, so that a later one can tell old cursors apart.
const VERSION: u8 = 1;

impl Cursor {
    /// The opaque text for clients.
    pub fn encode(&self) -> String {
        let micros = i64::try_from(self.at.unix_timestamp_nanos() / 1000).unwrap_or(i64::MAX);
        let mut bytes = Vec::with_capacity(25);
        bytes.push(VERSION);
        bytes.extend_from_slice(&micros.to_be_bytes());
        bytes.extend_from_slice(self.id.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads what [`Cursor::encode`] wrote.
    ///
    /// # Errors
    /// [`AccountsError::Invalid`] naming `cursor`, for anything else.
    pub fn decode(text: &str) -> Result<Self, AccountsError> {
        Self::read(text).ok_or_else(|| {
            AccountsError::invalid("cursor", "is not one of ours; leave it out to start from the beginning")
        })
    }

    fn read(text: &str) -> Option<Self> {
        if text.len() != 34 {
            return None;
        }
        let bytes: [u8; 25] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (version, rest) = bytes.split_first()?;
        let (micros, id) = rest.split_first_chunk::<8>()?;
        let at =
            OffsetDateTime::from_unix_timestamp_nanos(i128::from(i64::from_be_bytes(*micros)) * 1000).ok()?;
        (*version == VERSION).then_some(Self { at, id: Uuid::from_slice(id).ok()? })
    }
}

/// How many lines a page has: from 1 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageSize(u8);

impl Default for PageSize {
    fn default() -> Self {
        Self(50)
    }
}

impl PageSize {
    /// A page of `lines` lines.
    ///
    /// # Errors
    /// [`AccountsError::Invalid`] naming `limit`, when it is not from 1 to 100.
    pub fn of(lines: i64) -> Result<Self, AccountsError> {
        match u8::try_from(lines) {
            Ok(lines @ 1..=100) => Ok(Self(lines)),
            _ => Err(AccountsError::invalid("limit", "must be from 1 to 100")),
        }
    }

    /// One more than is shown, to see whether there is another page.
    pub(crate) const fn and_one(self) -> i64 {
        self.0 as i64 + 1
    }
}

/// One page of a list.
#[derive(Debug, Clone)]
pub struct Listing<T> {
    /// The lines, in order.
    pub items: Vec<T>,
    /// The cursor of the next page; none where this is the last one.
    pub next: Option<String>,
}

impl<T> Listing<T> {
    /// Cuts the extra line off that [`PageSize::and_one`] asked for.
    pub(crate) fn cut(mut items: Vec<T>, size: PageSize, place: impl Fn(&T) -> Cursor) -> Self {
        let most = usize::from(size.0);
        let more = items.len() > most;
        items.truncate(most);
        let next = items.last().filter(|_| more).map(|last| place(last).encode());
        Self { items, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_text_and_nothing_else_is_one() {
        let at = time::macros::datetime!(2026-03-01 12:00:00.123456 UTC);
        let cursor = Cursor { at, id: Uuid::from_u128(77) };
        let text = cursor.encode();
        assert_eq!(Cursor::decode(&text).unwrap(), cursor);
        let other_version = format!("B{}", &text[1..]);
        for bad in ["", "x", "' or 1=1", &text[1..], &format!("{text}A"), &other_version, &"é".repeat(17)] {
            assert_eq!(Cursor::decode(bad).unwrap_err().field(), Some("cursor"), "{bad}");
        }
    }

    #[test]
    fn a_page_has_1_to_100_lines() {
        for bad in [i64::MIN, -1, 0, 101, 257] {
            assert_eq!(PageSize::of(bad).unwrap_err().field(), Some("limit"));
        }
        assert_eq!(PageSize::of(100).unwrap().and_one(), 101);
    }

    #[test]
    fn only_a_page_with_more_behind_it_has_a_next_one() {
        let place = |n: &u128| Cursor { at: OffsetDateTime::UNIX_EPOCH, id: Uuid::from_u128(*n) };
        let size = PageSize::of(2).unwrap();
        assert!(Listing::cut(vec![1, 2], size, place).next.is_none());
        let page = Listing::cut(vec![1, 2, 3], size, place);
        assert_eq!(page.items, [1, 2]);
        assert_eq!(Cursor::decode(&page.next.unwrap()).unwrap().id, Uuid::from_u128(2));
    }
}
