//! A model world for the decisions of ingestion: a Gong that shows calls late, turns them private, deletes them, lets its
//! cursors die and repeats itself; tables that keep what was committed; workers that crash anywhere, two at a time.
//!
//! Everything that decides is the product's own code (`listing`, `window`, `keep::sort`, `schedule`, the gaps of `fetch`); the
//! model supplies only the world around it. A failure prints its seed; `MODEL_SEED=<seed>` replays it alone.

pub(crate) mod gong_side;
mod rest;
mod tables;

use std::{collections::BTreeSet, time::Duration as Time};

use kernel::{ConnectionId, RunKind};
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use time::{Duration, OffsetDateTime, macros::datetime};
use uuid::Uuid;

use crate::{
    fetch::{must_look_again, next_try},
    keep::{self, Rules},
    listing::{Listing, Seen, Then, Turn},
    rules::SWEEP_BACK,
    schedule::{next_slot, poll_from},
    window::{Stored, Window},
};
use gong_side::{Gong, Listed, ModelCursor};
use rest::check;
use tables::{Place, Tables};

const START: OffsetDateTime = datetime!(2026-03-01 0:00 UTC);
const OVERLAP: Time = Time::from_secs(3 * 86_400);
const DAY: Time = Time::from_secs(86_400);
/// Small, so that small worlds split their windows too.
const WINDOW_MOST: u64 = 25;

/// Chance out of a seed.
#[derive(Debug, Clone)]
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// 0 to `most`, without `most`.
    fn below(&mut self, most: u64) -> u64 {
        self.next() % most.max(1)
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// A worker's memory: gone when it crashes.
#[derive(Debug)]
struct Worker {
    run: u64,
    kind: RunKind,
    listing: Listing<ModelCursor>,
    /// A page that was received and is not committed yet.
    page: Option<Listed>,
}

/// A batch of transcripts on its way.
#[derive(Debug)]
struct Batch {
    ids: Vec<u32>,
    confirm: bool,
    came: Option<Vec<u32>>,
}

struct World {
    chance: Chance,
    now: OffsetDateTime,
    gong: Gong,
    tables: Tables,
    connection: ConnectionId,
    every: Time,
    next_poll: OffsetDateTime,
    next_sweep: OffsetDateTime,
    woken: BTreeSet<RunKind>,
    workers: Vec<Option<Worker>>,
    batch: Option<Batch>,
    /// Without them the overlap of polls has to find what shows late.
    sweeps: bool,
    /// No crash, no fault.
    calm: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut chance = Chance(seed);
        let every = Time::from_secs([300, 3_600, 4 * 3_600, 86_400][chance.below(4) as usize]);
        let connection = ConnectionId::from_uuid(Uuid::from_u64_pair(chance.next(), chance.next()));
        let history = [0, 1, 7, 30][chance.below(4) as usize];
        let floor = START - Duration::days(history);
        let mut tables = Tables::new(floor);
        let mut woken = BTreeSet::new();
        if history > 0 {
            tables.history_to = Some(START);
            tables.begin(RunKind::Backfill, Window { from: floor, to: START });
            woken.insert(RunKind::Backfill);
        } else {
            woken.insert(RunKind::Poll);
        }
        let gong = Gong::new(&mut chance, START);
        Self {
            now: START,
            gong,
            tables,
            connection,
            every,
            next_poll: next_slot(connection, every, START),
            next_sweep: next_slot(connection, DAY, START),
            woken,
            workers: vec![None, None],
            batch: None,
            sweeps: seed.is_multiple_of(2),
            calm: false,
            chance,
        }
    }

    /// Time passes, and what is due is claimed: once a slot, and never more than an interval late.
    fn pass(&mut self, time: Duration) -> Result<(), TestCaseError> {
        self.now += time;
        for (due, every, kind) in
            [(&mut self.next_poll, self.every, RunKind::Poll), (&mut self.next_sweep, DAY, RunKind::Sweep)]
        {
            if *due <= self.now {
                let next = next_slot(self.connection, every, self.now);
                let slots = (next - *due).whole_milliseconds() % every.as_millis().cast_signed();
                check(
                    next > self.now && next - self.now <= every,
                    "the next look is at most an interval away",
                )?;
                check(slots == 0, "every look is in the connection's own phase")?;
                *due = next;
                if kind != RunKind::Sweep || self.sweeps {
                    self.woken.insert(kind);
                }
            }
        }
        Ok(())
    }

    fn step(&mut self) -> Result<(), TestCaseError> {
        match self.chance.below(10) {
            0 | 1 => {
                let minutes = self.chance.below(if self.calm { 1 } else { 150 });
                self.pass(Duration::minutes(minutes.cast_signed()))
            }
            2 | 3 => self.fetch(),
            _ => {
                let n = usize::from(!self.calm && self.chance.one_in(3));
                self.work(n)
            }
        }
    }

    /// One step of a worker: take up a run, receive a page, or commit it. A crash may come before each of them.
    fn work(&mut self, n: usize) -> Result<(), TestCaseError> {
        if !self.calm && self.chance.one_in(12) {
            self.workers[n] = None;
        }
        let Some(mut worker) = self.workers[n].take().or_else(|| self.take_up()) else { return Ok(()) };
        let Some(page) = worker.page.take() else {
            if self.tables.lives(worker.kind, worker.run) {
                self.workers[n] = self.receive(worker);
            }
            return Ok(());
        };
        let goes_on = self.commit(&mut worker, &page)?;
        self.workers[n] = goes_on.then_some(worker);
        Ok(())
    }

    fn take_up(&mut self) -> Option<Worker> {
        let kind = *self.woken.first()?;
        if !self.tables.runs.contains_key(&kind) && kind != RunKind::Backfill {
            let from = match kind {
                RunKind::Sweep => self.now - SWEEP_BACK,
                _ => poll_from(self.tables.last_poll, self.tables.history_to, self.tables.floor, OVERLAP),
            };
            self.tables.begin(kind, Window::of_look(from, self.tables.floor, self.now));
        }
        let run = self.tables.runs.get(&kind).map(|run| run.id);
        let next = self.tables.next_window(kind);
        let (Some(run), Some(stored)) = (run, next) else {
            self.woken.remove(&kind);
            return None;
        };
        Some(Worker { run, kind, listing: Listing::new(stored, WINDOW_MOST), page: None })
    }

    fn receive(&mut self, mut worker: Worker) -> Option<Worker> {
        if !self.calm && self.chance.one_in(15) {
            return Some(worker); // 429 or an outage: nothing came, the job waits.
        }
        let (whole, cursor) = (worker.listing.whole, worker.listing.cursor.clone());
        let calm = self.calm;
        match self.gong.list(whole, cursor.as_ref(), self.now, &mut self.chance, calm) {
            Some(listed) => worker.page = Some(listed),
            None => {
                // The cursor is dead.
                let (window, turn) = (worker.listing.window, worker.listing.begin_again());
                return self.take(&mut worker, window, &turn).then_some(worker);
            }
        }
        Some(worker)
    }

    fn commit(&mut self, worker: &mut Worker, listed: &Listed) -> Result<bool, TestCaseError> {
        if !self.tables.lives(worker.kind, worker.run) {
            return Ok(false);
        }
        let window = worker.listing.window;
        let rules = Rules { floor: self.tables.floor, workspaces: None };
        let sorted = keep::sort(&listed.page, &rules);
        check(sorted.public.iter().all(|c| c.is_private == Some(false)), "only public calls are kept")?;
        self.tables.keep(&sorted, self.now);
        let turn = worker.listing.page(&Seen {
            starts: listed.page.calls.iter().map(|c| c.started).collect(),
            rows: listed.page.calls.len() as u64,
            total: listed.page.total,
            next: listed.next.clone(),
        });
        let asked = self.tables.asked_for(worker.kind);
        for Stored { window: new, .. } in turn.instead.iter().flatten() {
            let inside = asked.is_some_and(|asked| new.from >= asked.from && new.to <= asked.to);
            check(inside && new.from < new.to, "no window leaves what the run was asked for")?;
        }
        Ok(self.take(worker, window, &turn))
    }

    /// Does to the tables what `walk` does to the database; false when the walk is over.
    fn take(&mut self, worker: &mut Worker, window: Window, turn: &Turn) -> bool {
        if let Some(instead) = &turn.instead {
            self.tables.replace(worker.kind, window, instead);
        }
        match turn.then {
            Then::GoOn => return true,
            Then::GiveUp => {
                self.tables.runs.remove(&worker.kind);
            }
            Then::NextWindow | Then::Split => match self.tables.next_window(worker.kind) {
                Some(next) => {
                    worker.listing = Listing::new(next, WINDOW_MOST);
                    return true;
                }
                None => self.tables.listed_all(worker.kind),
            },
        }
        self.woken.remove(&worker.kind);
        false
    }

    /// One step of fetching: choose, ask, or store. A crash may come in between.
    fn fetch(&mut self) -> Result<(), TestCaseError> {
        if !self.calm && self.chance.one_in(10) {
            self.batch = None;
        }
        let Some(mut batch) = self.batch.take() else {
            let ids = self.tables.due(self.now, 10);
            let oldest = ids.iter().filter_map(|id| self.tables.calls.get(id)).map(|c| c.looked_at).min();
            let confirm = oldest.is_some_and(|at| must_look_again(at, self.tables.private_seen, self.now));
            self.batch = (!ids.is_empty()).then_some(Batch { ids, confirm, came: None });
            return self.confirm_stored();
        };
        if batch.came.is_none() {
            batch.ids.retain(|id| self.tables.is_open(*id));
            check(
                batch.ids.iter().all(|id| !self.tables.hidden.contains(id)),
                "nothing hidden is asked for",
            )?;
            batch.came = Some(self.gong.transcripts(&batch.ids, self.now));
            self.batch = Some(batch);
            return Ok(());
        }
        let mut came = batch.came.unwrap_or_default();
        if batch.confirm {
            self.look(&came);
            came.retain(|id| self.gong.is_listed_public(*id, self.now));
        }
        for id in &batch.ids {
            let Some(call) = self.tables.calls.get_mut(id) else { continue };
            if came.contains(id) {
                check(call.place != Place::Stored || call.stored == 1, "no transcript is stored twice")?;
                call.store(batch.confirm);
            } else if call.place != Place::Stored {
                let next = next_try(call.waiting_since, call.tries, self.every, self.now);
                let gap = next.map_or(Duration::ZERO, |at| at - self.now);
                check(gap <= self.every, "a transcript is asked for again within an interval")?;
                call.postpone(next, self.now);
            }
        }
        Ok(())
    }

    fn confirm_stored(&mut self) -> Result<(), TestCaseError> {
        let unconfirmed = self.tables.unconfirmed();
        self.look(&unconfirmed);
        for id in unconfirmed {
            if let Some(call) = self.tables.calls.get_mut(&id) {
                call.confirmed = true;
            }
        }
        Ok(())
    }

    fn look(&mut self, ids: &[u32]) {
        let page = self.gong.by_id(ids, self.now);
        let rules = Rules { floor: self.tables.floor, workspaces: None };
        self.tables.keep(&keep::sort(&page, &rules), self.now);
    }
}

/// Runs the model for many seeds, or for the one that is to be replayed.
fn for_seeds(cases: u32, model: impl Fn(u64) -> Result<(), TestCaseError>) {
    let told =
        |seed: u64| model(seed).map_err(|why| TestCaseError::fail(format!("MODEL_SEED={seed}: {why}")));
    if let Some(seed) = std::env::var("MODEL_SEED").ok().and_then(|text| text.parse().ok()) {
        return told(seed).unwrap();
    }
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 0, ..Config::default() };
    TestRunner::new(config).run(&proptest::num::u64::ANY, told).unwrap();
}

#[test]
fn job_24_ingestion_misses_nothing_and_keeps_nothing_private_whatever_crashes() {
    for_seeds(2_000, |seed| {
        let mut world = World::new(seed);
        for _ in 0..world.chance.below(250) {
            world.step()?;
        }
        // Then nothing breaks any more: what shows late has shown, what flips has flipped, and every look is taken.
        world.settle()?;
        for _ in 0..18 {
            world.pass(Duration::days(1))?;
            world.settle()?;
        }
        world.check_all()
    });
}
