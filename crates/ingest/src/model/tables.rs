//! The model's database: what was committed and survives every crash.

use std::collections::{BTreeMap, BTreeSet};

use kernel::RunKind;
use time::OffsetDateTime;

use crate::{
    keep::Sorted,
    window::{Stored, Window},
};

/// Where a call stands in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Open,
    Stored,
    GaveUp,
}

#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) place: Place,
    pub(super) looked_at: OffsetDateTime,
    pub(super) waiting_since: Option<OffsetDateTime>,
    next_try: Option<OffsetDateTime>,
    pub(super) tries: i32,
    /// How often a transcript was stored.
    pub(super) stored: u32,
    pub(super) confirmed: bool,
}

impl Row {
    pub(super) fn store(&mut self, confirmed: bool) {
        if self.place != Place::Stored {
            self.stored += 1;
        }
        (self.place, self.confirmed) = (Place::Stored, confirmed);
    }

    pub(super) fn postpone(&mut self, next: Option<OffsetDateTime>, now: OffsetDateTime) {
        self.waiting_since.get_or_insert(now);
        self.tries += 1;
        self.next_try = next;
        if next.is_none() {
            self.place = Place::GaveUp;
        }
    }
}

#[derive(Debug)]
pub(super) struct Run {
    pub(super) id: u64,
    asked: Window,
    windows: BTreeMap<OffsetDateTime, Stored>,
}

#[derive(Debug)]
pub(super) struct Tables {
    pub(super) calls: BTreeMap<u32, Row>,
    pub(super) hidden: BTreeSet<u32>,
    pub(super) runs: BTreeMap<RunKind, Run>,
    pub(super) last_poll: Option<OffsetDateTime>,
    pub(super) history_to: Option<OffsetDateTime>,
    pub(super) floor: OffsetDateTime,
    pub(super) private_seen: bool,
    runs_ever: u64,
}

impl Tables {
    pub(super) fn new(floor: OffsetDateTime) -> Self {
        Self {
            calls: BTreeMap::new(),
            hidden: BTreeSet::new(),
            runs: BTreeMap::new(),
            last_poll: None,
            history_to: None,
            floor,
            private_seen: false,
            runs_ever: 0,
        }
    }

    pub(super) fn begin(&mut self, kind: RunKind, window: Window) {
        self.runs_ever += 1;
        let windows = BTreeMap::from([(window.from, Stored::whole(window, 0))]);
        self.runs.insert(kind, Run { id: self.runs_ever, asked: window, windows });
    }

    pub(super) fn lives(&self, kind: RunKind, id: u64) -> bool {
        self.runs.get(&kind).is_some_and(|run| run.id == id)
    }

    /// The newest window, as `runs::next_window` finds it.
    pub(super) fn next_window(&self, kind: RunKind) -> Option<Stored> {
        self.runs.get(&kind)?.windows.values().max_by_key(|stored| stored.window.to).copied()
    }

    pub(super) fn asked_for(&self, kind: RunKind) -> Option<Window> {
        self.runs.get(&kind).map(|run| run.asked)
    }

    /// As `runs::remove_window` and `runs::add_window` do.
    pub(super) fn replace(&mut self, kind: RunKind, window: Window, instead: &[Stored]) {
        let Some(run) = self.runs.get_mut(&kind) else { return };
        run.windows.remove(&window.from);
        for new in instead {
            let stored = run.windows.entry(new.window.from).or_insert(*new);
            stored.window.to = stored.window.to.max(new.window.to);
            stored.walked_again = stored.walked_again.max(new.walked_again);
            stored.origin = new.origin;
        }
    }

    pub(super) fn listed_all(&mut self, kind: RunKind) {
        if let Some(run) = self.runs.remove(&kind) {
            // As `schedules::looked` does.
            let before = self.last_poll.or(self.history_to).unwrap_or(self.floor).max(self.floor);
            if run.asked.from <= before {
                self.last_poll = self.last_poll.max(Some(run.asked.to));
            }
        }
    }

    pub(super) fn keep(&mut self, sorted: &Sorted<'_>, now: OffsetDateTime) {
        for (id, _) in &sorted.hidden {
            let id = id.parse().unwrap();
            self.calls.remove(&id);
            self.hidden.insert(id);
            self.private_seen = true;
        }
        for call in &sorted.public {
            let id = call.id.parse().unwrap();
            self.hidden.remove(&id);
            let row = self.calls.entry(id).or_insert(Row {
                place: Place::Open,
                looked_at: now,
                waiting_since: None,
                next_try: None,
                tries: 0,
                stored: 0,
                confirmed: true,
            });
            row.looked_at = now;
        }
    }

    pub(super) fn due(&self, now: OffsetDateTime, most: usize) -> Vec<u32> {
        let due = |row: &Row| row.place == Place::Open && row.next_try.is_none_or(|at| at <= now);
        self.calls.iter().filter(|(_, row)| due(row)).map(|(id, _)| *id).take(most).collect()
    }

    pub(super) fn is_open(&self, id: u32) -> bool {
        self.calls.get(&id).is_some_and(|row| row.place == Place::Open)
    }

    pub(super) fn unconfirmed(&self) -> Vec<u32> {
        let open = self.calls.iter().filter(|(_, row)| row.place == Place::Stored && !row.confirmed);
        open.map(|(id, _)| *id).collect()
    }
}
