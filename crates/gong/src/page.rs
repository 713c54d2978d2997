//! A page of a list, and the way to the next one. Knows Gong's envelope; must never know what is done with what is on the page.

use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{Call, GongError, call, scalar::Scalar};

const MOST_CURSOR: usize = 16 * 1024;

/// The way to the next page; good for about an hour from the first page on, so never to be stored.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Cursor(String);

impl Cursor {
    /// The text that Gong sent, only to be sent back.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cursor(..)")
    }
}

/// A page of calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallPage {
    /// The calls that can be read.
    pub calls: Vec<Call>,
    /// How many there are on all pages, when Gong says so.
    pub total: Option<u64>,
    /// The way on; `None` on the last page.
    pub next: Option<Cursor>,
    /// The elements that cannot be read.
    pub malformed: Vec<Malformed>,
}

/// An element of a page that cannot be read as a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// Gong's id of the call, where at least that can be read.
    pub id: Option<String>,
    /// What it says about privacy; anything but `Some(false)` counts as private.
    pub is_private: Option<bool>,
    /// What is wrong: `id`, `started` or `shape`.
    pub why: &'static str,
}

/// Gong's `records`.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub(crate) struct Records<'a> {
    #[serde(default)]
    total_records: Scalar<'a>,
    #[serde(default)]
    cursor: Scalar<'a>,
}

impl Records<'_> {
    /// How many there are on all pages.
    pub(crate) fn total(&self) -> Option<u64> {
        self.total_records.whole().and_then(|total| u64::try_from(total).ok())
    }

    /// The way on. A cursor that cannot be one is an error: without it the rest of the list would be lost quietly.
    pub(crate) fn next(&self) -> Result<Option<Cursor>, GongError> {
        match &self.cursor {
            Scalar::Nothing => Ok(None),
            Scalar::Text(text) if text.is_empty() => Ok(None),
            Scalar::Text(text) if text.len() <= MOST_CURSOR && text.bytes().all(|b| b.is_ascii_graphic()) => {
                Ok(Some(Cursor(text.to_string())))
            }
            _ => Err(malformed("its cursor is no cursor")),
        }
    }
}

impl CallPage {
    /// Reads the answer of `/v2/calls/extensive`, each element for itself.
    pub(crate) fn read(body: &[u8]) -> Result<Self, GongError> {
        #[derive(Deserialize)]
        struct Answer<'a> {
            #[serde(borrow, default)]
            records: Option<Records<'a>>,
            /// Null for an empty list, but there: what has none is no page, and must not pass for an empty one.
            #[serde(borrow, deserialize_with = "Option::deserialize")]
            calls: Option<Vec<&'a RawValue>>,
        }
        let answer: Answer<'_> =
            serde_json::from_slice(body).map_err(|_| malformed("it is not a page of calls"))?;
        let records = answer.records.unwrap_or_default();
        let mut page = Self { total: records.total(), next: records.next()?, ..Self::default() };
        for element in answer.calls.unwrap_or_default() {
            match call::extensive(element.get()) {
                Ok(call) => page.calls.push(call),
                Err(malformed) => page.malformed.push(malformed),
            }
        }
        Ok(page)
    }
}

pub(crate) fn malformed(why: &'static str) -> GongError {
    GongError::Malformed { why, request_id: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_element_does_not_lose_the_page() {
        let page = CallPage::read(
            br#"{"requestId":"x","records":{"totalRecords":3,"currentPageSize":3,"cursor":"eyJ.a.b"},"calls":[
                {"metaData":{"id":"1","started":"2026-03-05T14:01:12Z","isPrivate":false}}, null,
                {"metaData":{"id":"2","started":5,"isPrivate":true}}]}"#,
        )
        .unwrap();
        assert_eq!((page.calls.len(), page.malformed.len(), page.total), (1, 2, Some(3)));
        assert_eq!(page.malformed[1].is_private, Some(true));
        assert_eq!(page.next.as_ref().unwrap().as_str(), "eyJ.a.b");
        assert!(!format!("{page:?}").contains("eyJ"));
    }

    #[test]
    fn null_lists_are_empty_and_missing_ones_are_malformed() {
        assert_eq!(CallPage::read(br#"{"records":null,"calls":null}"#).unwrap(), CallPage::default());
        let next = CallPage::read(br#"{"calls":[],"records":{"cursor":""}}"#).unwrap().next;
        assert_eq!(next, None);
        let bodies: [&[u8]; 9] = [
            b"",
            b"{}",
            br#"{"records":{"totalRecords":7}}"#,
            b"<html>",
            b"[]",
            br#"{"calls":{}}"#,
            br#"{"calls":[]"#,
            br#"{"calls":[],"records":{"cursor":"a b"}}"#,
            b"{\"calls\":[\xff]}",
        ];
        for body in bodies {
            let error = CallPage::read(body).unwrap_err();
            assert_eq!(error.code(), "gong_answer_malformed");
        }
    }
}
