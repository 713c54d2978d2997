//! What is still to be listed, as arithmetic: no clock, no database, no network.
//!
//! A window is walked page by page with Gong's cursor, which lives in memory only. What survives a crash is the window
//! itself: when the pages come in the order of time, the part that was listed is cut off with every page, so a new walk
//! starts where the last page ended. When they do not, the window stays whole until its walk has ended.

use time::{Duration, OffsetDateTime};

/// From a moment (inclusive) to another (exclusive).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) from: OffsetDateTime,
    pub(crate) to: OffsetDateTime,
}

/// A window as it is stored: what is left to be listed, and how it came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) window: Window,
    /// How often it was begun again.
    pub(crate) walked_again: i32,
    /// What it was cut off from.
    pub(crate) origin: Option<Origin>,
}

/// What a window was cut off from. An order of time that was believed too early shows in the number of calls that are left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The window before anything was cut off.
    pub(crate) whole: Window,
    /// So many calls must still lie in what is left.
    pub(crate) remaining: i64,
}

impl Stored {
    /// A window that nothing was cut off.
    pub(crate) const fn whole(window: Window, walked_again: i32) -> Self {
        Self { window, walked_again, origin: None }
    }
}

/// In which order the pages of a walk come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Order {
    /// Not yet known: no page, or one moment only.
    #[default]
    Unknown,
    /// Oldest first.
    Ascending,
    /// Newest first.
    Descending,
    /// In no order of time.
    Mixed,
}

impl Window {
    /// What a look at `now` lists: from a moment on, but nothing before the floor.
    pub(crate) fn of_look(from: OffsetDateTime, floor: OffsetDateTime, now: OffsetDateTime) -> Self {
        Self { from: from.max(floor).min(now - Duration::seconds(1)), to: now }
    }

    /// The two halves, the newer first; `None` when it is too short to be cut.
    pub(crate) fn halves(self) -> Option<[Self; 2]> {
        if self.to - self.from < Duration::minutes(2) {
            return None;
        }
        let middle = whole_second(self.from + (self.to - self.from) / 2);
        Some([Self { from: middle, to: self.to }, Self { from: self.from, to: middle }])
    }

    /// What is left after the walk has come to a call that started at `last`; `None` when nothing can be cut off.
    ///
    /// The moment of `last` itself stays in: other calls may have started in it.
    pub(crate) fn after(self, order: Order, last: OffsetDateTime) -> Option<Self> {
        let rest = match order {
            Order::Ascending => Self { from: last.max(self.from), to: self.to },
            Order::Descending => {
                Self { from: self.from, to: (last + Duration::milliseconds(1)).min(self.to) }
            }
            Order::Unknown | Order::Mixed => return None,
        };
        (rest.from < rest.to && rest != self).then_some(rest)
    }
}

impl Order {
    /// What is known of the order after a page with these starts, when the page before ended with `last`.
    pub(crate) fn refine(self, last: Option<OffsetDateTime>, page: &[OffsetDateTime]) -> Self {
        let starts: Vec<_> = last.into_iter().chain(page.iter().copied()).collect();
        let rising = starts.windows(2).all(|pair| pair[0] <= pair[1]);
        let falling = starts.windows(2).all(|pair| pair[0] >= pair[1]);
        match (self, rising, falling) {
            (Self::Mixed, ..) | (_, false, false) => Self::Mixed,
            (known, true, true) => known,
            (Self::Unknown | Self::Ascending, true, false) => Self::Ascending,
            (Self::Unknown | Self::Descending, false, true) => Self::Descending,
            (Self::Ascending, false, true) | (Self::Descending, true, false) => Self::Mixed,
        }
    }
}

fn whole_second(moment: OffsetDateTime) -> OffsetDateTime {
    moment.replace_nanosecond(0).unwrap_or(moment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::macros::datetime;

    const START: OffsetDateTime = datetime!(2026-03-01 0:00 UTC);

    fn at(minute: i64) -> OffsetDateTime {
        START + Duration::minutes(minute)
    }

    #[test]
    fn halves_cover_the_whole_and_do_not_overlap() {
        let window = Window { from: at(0), to: at(61) };
        let [newer, older] = window.halves().unwrap();
        assert_eq!((older.from, newer.to), (window.from, window.to));
        assert_eq!(older.to, newer.from);
        assert_eq!(Window { from: at(0), to: at(1) }.halves(), None);
    }

    #[test]
    fn an_order_is_believed_until_it_is_broken() {
        let order = Order::default().refine(None, &[at(3), at(3)]);
        assert_eq!(order, Order::Unknown);
        let order = order.refine(Some(at(3)), &[at(4), at(9)]);
        assert_eq!(order, Order::Ascending);
        assert_eq!(order.refine(Some(at(9)), &[at(9)]), Order::Ascending);
        assert_eq!(order.refine(Some(at(9)), &[at(8)]), Order::Mixed);
        assert_eq!(Order::Mixed.refine(None, &[at(1), at(2)]), Order::Mixed);
    }

    /// A Gong that lists the calls of a window in the order of time, in pages, from any start.
    fn list(calls: &[i64], window: Window, order: Order, page: usize) -> Vec<Vec<OffsetDateTime>> {
        let mut inside: Vec<_> =
            calls.iter().map(|m| at(*m)).filter(|t| *t >= window.from && *t < window.to).collect();
        inside.sort();
        if order == Order::Descending {
            inside.reverse();
        }
        inside.chunks(page).map(<[_]>::to_vec).collect()
    }

    proptest! {
        #[test]
        fn a_walk_that_is_cut_off_at_any_page_misses_nothing(
            calls in proptest::collection::vec(0_i64..500, 0..80),
            page in 3_usize..20,
            cuts in proptest::collection::vec(1_usize..4, 0..40),
            falling in any::<bool>(),
        ) {
            // More calls in one minute than fit a page would need the cursor; a walk gets it while it lives.
            let mut calls = calls;
            calls.sort_unstable();
            calls.dedup();
            let listing = if falling { Order::Descending } else { Order::Ascending };
            let mut window = Some(Window { from: at(0), to: at(500) });
            let mut seen = std::collections::BTreeSet::new();
            let mut cuts = cuts.into_iter();
            while let Some(current) = window {
                let pages = list(&calls, current, listing, page);
                let upto = cuts.next().unwrap_or(usize::MAX);
                let (mut order, mut last, mut rest) = (Order::default(), None, current);
                for page in pages.iter().take(upto) {
                    order = order.refine(last, page);
                    last = page.last().copied();
                    seen.extend(page.iter().copied());
                    rest = last.and_then(|l| rest.after(order, l)).unwrap_or(rest);
                }
                window = (upto < pages.len()).then_some(rest);
            }
            let expected: std::collections::BTreeSet<_> = calls.iter().map(|m| at(*m)).collect();
            prop_assert_eq!(seen, expected);
        }
    }
}
