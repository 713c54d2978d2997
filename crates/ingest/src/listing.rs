//! One window while it is listed, as a state machine: pages go in, and what becomes of the stored windows comes out.
//!
//! No clock, no database, no network: `walk` does what is decided here, and so do the model tests.

use std::{collections::HashSet, hash::Hash};

use time::OffsetDateTime;

use crate::{
    rules::WALKS_MOST,
    window::{Order, Origin, Stored, Window},
};

/// A walk through one window with a cursor that lives in memory only.
#[derive(Debug, Clone)]
pub(crate) struct Listing<C> {
    /// The window as this walk found it.
    pub(crate) whole: Window,
    /// What is still to be listed of it.
    pub(crate) window: Window,
    /// How often it was begun again before.
    walked_again: i32,
    /// What an earlier walk had cut it off from.
    origin: Option<Origin>,
    /// A window with more calls is listed in halves.
    most: u64,
    /// Where the next page begins.
    pub(crate) cursor: Option<C>,
    order: Order,
    last: Option<OffsetDateTime>,
    /// Listed calls that began at `last`: they lie in what is left, too.
    at_last: u64,
    /// How many calls the first page announced.
    pub(crate) first_total: Option<u64>,
    pages: u64,
    /// Rows on all pages of this walk.
    rows: u64,
    /// The cursors of this walk: one that comes again leads in a circle.
    seen: HashSet<C>,
}

/// What a page says, as far as listing goes.
#[derive(Debug, Clone)]
pub(crate) struct Seen<C> {
    /// When the calls on it began, in the order of the page.
    pub(crate) starts: Vec<OffsetDateTime>,
    /// Its rows, those that cannot be read among them.
    pub(crate) rows: u64,
    /// How many calls there are on all pages, when Gong says so.
    pub(crate) total: Option<u64>,
    /// The way on; `None` on the last page.
    pub(crate) next: Option<C>,
}

/// What follows from a page, or from the death of a cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Turn {
    /// Windows that take the place of the stored one; `None`: it stays.
    pub(crate) instead: Option<Vec<Stored>>,
    /// Where the walk goes.
    pub(crate) then: Then,
}

/// Where a walk goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// To the next page.
    GoOn,
    /// To the newest stored window; this walk is over.
    NextWindow,
    /// The same, and the page does not count as listed: its window was cut in two.
    Split,
    /// Nowhere: the list cannot be walked to its end.
    GiveUp,
}

impl<C: Clone + Eq + Hash> Listing<C> {
    /// A walk that begins at a stored window; one with more than `most` calls is cut in two.
    pub(crate) fn new(Stored { window, walked_again, origin }: Stored, most: u64) -> Self {
        Self {
            whole: window,
            window,
            walked_again,
            origin,
            most,
            cursor: None,
            order: Order::default(),
            last: None,
            at_last: 0,
            first_total: None,
            pages: 0,
            rows: 0,
            seen: HashSet::new(),
        }
    }

    /// A page came.
    pub(crate) fn page(&mut self, page: &Seen<C>) -> Turn {
        self.pages += 1;
        self.first_total = self.first_total.or(page.total);
        self.rows += page.rows;
        if let Some(whole) = self.lost(page) {
            return Turn { instead: Some(vec![whole]), then: Then::NextWindow };
        }
        if let Some(halves) = self.split(page) {
            let halves = halves.into_iter().map(|half| Stored::whole(half, 0)).collect();
            return Turn { instead: Some(halves), then: Then::Split };
        }
        self.order = self.order.refine(self.last, &page.starts);
        self.follow(&page.starts);
        // An empty page in the middle says that nothing is left at all.
        let total = page.total.unwrap_or(if page.starts.is_empty() { 0 } else { u64::MAX });
        let shrank = self.first_total.is_some_and(|first| total < first);
        let Some(next) = page.next.clone() else { return self.ended(shrank) };
        let endless = self.pages > self.first_total.unwrap_or(u64::MAX / 2) + 20;
        if endless || !self.seen.insert(next.clone()) {
            return self.begin_again();
        }
        self.cursor = Some(next);
        self.cut(shrank)
    }

    /// The cursor died, or leads nowhere: the walk begins again at what is left, in halves when nothing could be cut off.
    pub(crate) fn begin_again(&self) -> Turn {
        let advanced = self.window != self.whole;
        let walked_again = if advanced { 0 } else { self.walked_again + 1 };
        if walked_again > WALKS_MOST {
            return Turn { instead: None, then: Then::GiveUp };
        }
        let left = match self.window.halves().filter(|_| !advanced) {
            Some(halves) => halves.into_iter().map(|half| Stored::whole(half, walked_again)).collect(),
            None => vec![Stored { window: self.window, walked_again, origin: self.cut_from() }],
        };
        Turn { instead: Some(left), then: Then::NextWindow }
    }

    /// The whole, when fewer calls are left than must be: it was listed in no order of time after all, and some of what was
    /// cut off had not been listed.
    fn lost(&self, page: &Seen<C>) -> Option<Stored> {
        let Origin { whole, remaining } = self.origin.filter(|_| self.pages == 1)?;
        let total = i64::try_from(page.total?).unwrap_or(i64::MAX);
        (total < remaining && self.walked_again < WALKS_MOST)
            .then(|| Stored::whole(whole, self.walked_again + 1))
    }

    /// What the stored window is cut off from, as far as this walk got.
    fn cut_from(&self) -> Option<Origin> {
        let whole = self.origin.map_or(self.whole, |origin| origin.whole);
        let left = self.first_total? + self.at_last;
        let remaining = i64::try_from(left.saturating_sub(self.rows)).unwrap_or(i64::MAX);
        (whole != self.window).then_some(Origin { whole, remaining })
    }

    fn follow(&mut self, starts: &[OffsetDateTime]) {
        for start in starts {
            self.at_last = if self.last == Some(*start) { self.at_last + 1 } else { 1 };
            self.last = Some(*start);
        }
    }

    /// A window with too many calls is cut in two after its first page, so that the newest calls come first and a cursor
    /// never has to live long.
    fn split(&self, page: &Seen<C>) -> Option<[Window; 2]> {
        let many = page.total.is_some_and(|total| total > self.most);
        if self.pages == 1 && many && page.next.is_some() { self.window.halves() } else { None }
    }

    /// Rows that vanish under a walk pull others over the page boundary: such a window is listed once more.
    fn ended(&self, shrank: bool) -> Turn {
        let short = self.first_total.is_some_and(|first| self.rows < first);
        let again = if shrank { 2 } else { i32::from(short) };
        let once_more = (self.walked_again < again).then(|| Stored {
            window: self.whole,
            walked_again: self.walked_again + 1,
            origin: self.origin,
        });
        Turn { instead: Some(once_more.into_iter().collect()), then: Then::NextWindow }
    }

    /// Cuts off what was listed, as far as the pages came in the order of time and none got lost between them.
    fn cut(&mut self, shrank: bool) -> Turn {
        let before = self.origin.map_or(self.whole, |origin| origin.whole);
        if self.order == Order::Mixed {
            // The order was believed too early: what was cut off may hold calls that are still to come.
            let instead = (before != self.window).then(|| vec![Stored::whole(before, self.walked_again)]);
            let then = if before == self.whole { Then::GoOn } else { Then::NextWindow };
            self.window = self.whole;
            return Turn { instead, then };
        }
        let rest = self.last.filter(|_| !shrank).and_then(|last| self.window.after(self.order, last));
        self.window = rest.unwrap_or(self.window);
        let stored = |window| Stored { window, walked_again: self.walked_again, origin: self.cut_from() };
        Turn { instead: rest.map(|rest| vec![stored(rest)]), then: Then::GoOn }
    }
}
