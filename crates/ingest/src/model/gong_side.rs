//! The model's Gong: what is true of each call, and how it is listed.

use gong::{Call, CallPage};
use time::{Duration, OffsetDateTime};

use super::Chance;
use crate::window::Window;

/// What is true of a call.
#[derive(Debug, Clone)]
pub(super) struct Truth {
    pub(super) id: u32,
    pub(super) start: OffsetDateTime,
    /// Calls show up late.
    visible_at: OffsetDateTime,
    /// From here on it is private.
    private_from: Option<OffsetDateTime>,
    /// From here on it is not listed any more.
    gone_at: Option<OffsetDateTime>,
    pub(super) transcript_at: OffsetDateTime,
}

impl Truth {
    fn is_listed(&self, now: OffsetDateTime) -> bool {
        self.visible_at <= now && self.gone_at.is_none_or(|at| at > now)
    }

    pub(super) fn is_private(&self, now: OffsetDateTime) -> bool {
        self.private_from.is_some_and(|at| at <= now)
    }

    pub(super) fn came_and_went(&self) -> bool {
        self.gone_at.is_some()
    }

    /// As Gong lists it; some private calls do not say that they are.
    fn call(&self, now: OffsetDateTime) -> Call {
        let private = self.is_private(now);
        let told = !self.id.is_multiple_of(11) || !private;
        call(&self.id.to_string(), told.then_some(private), self.start)
    }
}

/// In which order calls are listed.
#[derive(Debug, Clone, Copy)]
enum Sorting {
    Rising,
    Falling,
    ById,
}

/// A place in a list, and how many pages ago the walk began.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ModelCursor {
    offset: usize,
    pages: u32,
}

/// A page, with a cursor of the model's own.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    pub(super) page: CallPage,
    pub(super) next: Option<ModelCursor>,
}

#[derive(Debug)]
pub(super) struct Gong {
    pub(super) calls: Vec<Truth>,
    sorting: Sorting,
    page: usize,
    /// Cursors die after so many pages.
    cursor_lives: u32,
}

impl Gong {
    /// Forty days of calls around `start`: some late by up to the overlap, some turning private, some deleted.
    pub(super) fn new(chance: &mut Chance, start: OffsetDateTime) -> Self {
        let count = chance.below(70);
        let minutes = |chance: &mut Chance, most: u64| Duration::minutes(chance.below(most).cast_signed());
        // Often many calls lie close together, some in the same second.
        let spread: u64 = if chance.one_in(3) { 300 } else { 40 * 1_440 };
        let calls = (0..count).map(|n| {
            let began = start - Duration::minutes(spread.cast_signed() * 3 / 4) + minutes(chance, spread);
            let visible_at =
                began + if chance.one_in(3) { minutes(chance, 3 * 1_440 - 300) } else { Duration::ZERO };
            let later = |chance: &mut Chance| visible_at + minutes(chance, 9 * 1_440);
            let slow = if chance.one_in(8) { 30 * 1_440 } else { 600 };
            Truth {
                id: u32::try_from(n).unwrap(),
                start: began,
                visible_at,
                private_from: chance.one_in(6).then(|| if chance.one_in(2) { began } else { later(chance) }),
                gone_at: chance.one_in(12).then(|| later(chance)),
                transcript_at: visible_at + minutes(chance, slow),
            }
        });
        let calls = calls.collect();
        let sorting = [Sorting::Rising, Sorting::Falling, Sorting::ById][chance.below(3) as usize];
        Self { calls, sorting, page: 2 + chance.below(9) as usize, cursor_lives: 2 + chance.below(8) as u32 }
    }

    /// A page of what is listed now; `None` when the cursor is dead. Rows that come or go move all behind them.
    pub(super) fn list(
        &self,
        window: Window,
        cursor: Option<&ModelCursor>,
        now: OffsetDateTime,
        chance: &mut Chance,
        calm: bool,
    ) -> Option<Listed> {
        let mut inside: Vec<&Truth> = self
            .calls
            .iter()
            .filter(|c| c.is_listed(now) && c.start >= window.from && c.start < window.to)
            .collect();
        match self.sorting {
            Sorting::Rising => inside.sort_by_key(|c| (c.start, c.id)),
            Sorting::Falling => inside.sort_by_key(|c| (std::cmp::Reverse(c.start), c.id)),
            Sorting::ById => inside.sort_by_key(|c| c.id.wrapping_mul(2_654_435_761)),
        }
        let (offset, pages) = cursor.map_or((0, 0), |c| (c.offset, c.pages));
        if pages >= self.cursor_lives && !calm && chance.one_in(3) {
            return None;
        }
        let end = (offset + self.page).min(inside.len());
        let rows = inside.get(offset.min(end)..end).unwrap_or_default();
        let mut calls: Vec<Call> = rows.iter().map(|truth| truth.call(now)).collect();
        if !calm && chance.one_in(20) {
            calls.extend(calls.first().cloned()); // A row that comes twice.
        }
        let next = (end < inside.len()).then_some(ModelCursor { offset: end, pages: pages + 1 });
        let page = CallPage { calls, total: Some(inside.len() as u64), ..CallPage::default() };
        Some(Listed { page, next })
    }

    pub(super) fn by_id(&self, ids: &[u32], now: OffsetDateTime) -> CallPage {
        let calls = self.calls.iter().filter(|c| ids.contains(&c.id) && c.is_listed(now));
        CallPage { calls: calls.map(|truth| truth.call(now)).collect(), ..CallPage::default() }
    }

    pub(super) fn is_listed_public(&self, id: u32, now: OffsetDateTime) -> bool {
        self.calls.iter().any(|c| c.id == id && c.is_listed(now) && !c.is_private(now))
    }

    pub(super) fn transcripts(&self, ids: &[u32], now: OffsetDateTime) -> Vec<u32> {
        let there = self.calls.iter().filter(|c| ids.contains(&c.id) && c.transcript_at <= now);
        there.map(|c| c.id).collect()
    }
}

/// A call that says nothing but when it was and whether it is private.
pub(crate) fn call(id: &str, is_private: Option<bool>, started: OffsetDateTime) -> Call {
    Call {
        id: id.into(),
        title: None,
        url: None,
        started,
        scheduled: None,
        duration_seconds: None,
        direction: None,
        system: None,
        scope: None,
        media: None,
        language: None,
        workspace_id: None,
        primary_user_id: None,
        is_private,
        parties: None,
    }
}
