//! Walks over calls page by page: order, page size, cursor and its death.
//! Knows nothing of what a row looks like.

use super::Trouble;
use super::filter::Filter;
use crate::chance::Chance;
use crate::cursor::{Cursor, Place};
use crate::model::{Call, Company};
use crate::switches::{Order, Switches};
use serde_json::{Value, json};
use time::OffsetDateTime;

/// One page of a walk.
pub(crate) struct Page<'a> {
    pub(crate) rows: Vec<&'a Call>,
    /// The `records` object.
    pub(crate) records: Value,
}

/// Which time of a call the window looks at.
pub(crate) type TimeOf = fn(&Call) -> OffsetDateTime;

/// Gives the page that a filter with its cursor asks for.
pub(crate) fn page<'a>(
    company: &'a Company,
    switches: &Switches,
    filter: &Filter,
    now: OffsetDateTime,
    (time_of, is_there): (TimeOf, fn(&Call, OffsetDateTime) -> bool),
) -> Result<Page<'a>, Trouble> {
    let mut rows: Vec<(Place, &Call)> = matching(company, filter)
        .filter(|call| is_there(call, now) && filter.covers(time_of(call)) && fits(call, filter))
        .map(|call| (place(call, time_of(call), switches.order), call))
        .collect();
    rows.sort_unstable_by_key(|(place, _)| *place);
    rows.dedup_by_key(|(place, _)| *place);
    let cursor = match &filter.cursor {
        Some(text) => Some(open(text, company, switches, filter, now)?),
        None => None,
    };
    if rows.is_empty() {
        return Err(Trouble::empty());
    }
    Ok(cut(company, switches, filter, now, (rows, cursor)))
}

/// Takes one page out of all rows and seals the cursor to the next one.
fn cut<'a>(
    company: &Company,
    switches: &Switches,
    filter: &Filter,
    now: OffsetDateTime,
    (rows, cursor): (Vec<(Place, &'a Call)>, Option<Cursor>),
) -> Page<'a> {
    let size = switches.page_size.max(1);
    let start = match cursor.as_ref().and_then(Cursor::place) {
        None => 0,
        Some(last) if switches.repeat_row && size > 1 => rows.partition_point(|(place, _)| *place < last),
        Some(last) => rows.partition_point(|(place, _)| *place <= last),
    };
    let end = rows.len().min(start + size);
    let page = rows.get(start..end).unwrap_or_default();
    let number = cursor.as_ref().map_or(0, |cursor| cursor.page);
    let mut records = json!({
        "totalRecords": rows.len(),
        "currentPageSize": page.len(),
        "currentPageNumber": number,
    });
    if let (Some((last, _)), true) = (page.last(), end < rows.len()) {
        let first_exp = now.unix_timestamp() + switches.cursor_life_seconds;
        let exp = cursor.as_ref().map_or(first_exp, |cursor| cursor.exp);
        let next = Cursor::new(*last, number + 1, exp, filter.mark.clone());
        if let Some(fields) = records.as_object_mut() {
            fields.insert("cursor".to_owned(), json!(next.seal(&company.cursor_key)));
        }
    }
    Page { rows: page.iter().map(|(_, call)| *call).collect(), records }
}

/// Opens a cursor of this company that is still alive and belongs to this filter.
pub(crate) fn open(
    text: &str,
    company: &Company,
    switches: &Switches,
    filter: &Filter,
    now: OffsetDateTime,
) -> Result<Cursor, Trouble> {
    let refuse = |words: &str| Trouble::new(switches.cursor_error_status, words);
    let cursor = Cursor::open(text, &company.cursor_key).ok_or_else(|| refuse("failed to verify cursor"))?;
    if cursor.exp <= now.unix_timestamp() || switches.cursor_pages.is_some_and(|most| cursor.page >= most) {
        return Err(refuse("cursor has expired"));
    }
    if switches.cursor_bound_to_filter && cursor.filter != filter.mark {
        return Err(refuse("failed to verify cursor"));
    }
    Ok(cursor)
}

/// The calls that ids name, or all.
fn matching<'a: 'b, 'b>(company: &'a Company, filter: &'b Filter) -> Box<dyn Iterator<Item = &'a Call> + 'b> {
    match &filter.ids {
        Some(ids) => Box::new(ids.iter().filter_map(|id| company.calls.get(id))),
        None => Box::new(company.calls.values()),
    }
}

fn fits(call: &Call, filter: &Filter) -> bool {
    let workspace = filter.workspace.is_none() || filter.workspace == call.workspace_id;
    let host = filter
        .hosts
        .as_ref()
        .is_none_or(|hosts| call.primary_user.as_ref().is_some_and(|user| hosts.contains(user)));
    workspace && host
}

fn place(call: &Call, at: OffsetDateTime, order: Order) -> Place {
    let nanos = at.unix_timestamp_nanos();
    match order {
        Order::Ascending => (nanos, call.number),
        Order::Descending => (-nanos, u64::MAX - call.number),
        Order::Shuffled => (i128::from(Chance::new(call.number).next()), call.number),
    }
}
