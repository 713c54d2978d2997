//! What all lists share: `limit`, `cursor`, and the shape of a page.

use accounts::{Cursor, PageSize};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::Problem;

/// Where a list begins and how long a page is.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Page {
    /// How many lines a page has; 50 when left out.
    #[param(minimum = 1, maximum = 200)]
    #[serde(default)]
    pub(crate) limit: Option<i64>,
    /// `next_cursor` of the page before.
    #[serde(default)]
    pub(crate) cursor: Option<String>,
}

/// The length of a page, 1 to 200.
pub(crate) fn limit(asked: Option<i64>) -> Result<i64, Problem> {
    match asked.unwrap_or(50) {
        limit @ 1..=200 => Ok(limit),
        _ => Err(Problem::field("limit", "must be from 1 to 200")),
    }
}

impl Page {
    /// The page as `accounts` wants it; its pages have at most 100 lines.
    pub(crate) fn of_accounts(&self) -> Result<(Option<Cursor>, PageSize), Problem> {
        let size = PageSize::of(limit(self.limit)?.min(100))?;
        let cursor = self.cursor.as_deref().map(Cursor::decode).transpose()?;
        Ok((cursor, size))
    }
}
