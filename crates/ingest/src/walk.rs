//! Listing: the same steps for polls, backfills and sweeps.
//!
//! One page, one transaction: what may be kept, what was cut off the window, how far the run is. The cursor lives in
//! memory only (Gong's dies an hour after page one [I]); when it dies, or the process, the walk begins again at what is
//! left of the window.

use db::Tx;
use gong::{CallFilter, CallPage, Cursor, GongError, Purpose};
use kernel::{Ambient, ConnectionId, RunId, RunKind, RunState};

use crate::{
    IngestError, Work,
    begin::{progressed, wake_transcripts},
    keep::{self, Rules},
    listing::{Listing, Seen, Then, Turn},
    progress, purge,
    rules::{SLICE, SWEEP_BACK, WINDOW_MOST, task},
    schedule,
    store::{runs, schedules},
    window::{Stored, Window},
};

/// How a slice of listing ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Walked {
    /// Every window was listed to its end, or there is nothing to do.
    Finished,
    /// There is more; others may go first.
    More,
}

/// One slice of listing for a run kind: begins a poll or a sweep when none is running, goes on with what is running.
/// # Errors
/// What Gong answered, when the page cannot be had; everything before that page is committed.
pub async fn walk(work: &Work<'_>, kind: RunKind) -> Result<Walked, IngestError> {
    let Some(mut walk) = Walk::open(work, kind).await? else {
        return Ok(Walked::Finished);
    };
    let (began_at, every) = (walk.run.to_at, walk.every);
    let began = tokio::time::Instant::now();
    while walk.listing.is_some() {
        if work.stop.is_cancelled() || began.elapsed() > SLICE {
            return Ok(Walked::More);
        }
        if !walk.step(work).await? {
            return Ok(Walked::Finished);
        }
    }
    // The slot of the next poll passed while this one was kept waiting: its wake-up was spent on this one.
    let missed = schedule::next_slot(work.connection, every, began_at) <= work.ambient.now();
    Ok(if kind == RunKind::Poll && missed { Walked::More } else { Walked::Finished })
}

/// A run, and the window of it that is walked through; in memory.
struct Walk {
    connection: ConnectionId,
    kind: RunKind,
    run: runs::Run,
    rules: Rules,
    /// From one poll to the next.
    every: std::time::Duration,
    /// `None` when no window is left.
    listing: Option<Listing<Cursor>>,
    /// The list could not be walked to its end; the run is recorded as failed.
    gave_up: bool,
}

impl Walk {
    async fn open(work: &Work<'_>, kind: RunKind) -> Result<Option<Self>, IngestError> {
        let (connection, ambient) = (work.connection, work.ambient);
        let now = ambient.now();
        let mut tx = work.begin().await?;
        let Some(schedule) = schedules::load(&mut tx, connection).await?.filter(|s| s.active) else {
            return Ok(None);
        };
        let mut run = runs::live(&mut tx, connection, kind).await?;
        if run.is_none() && kind != RunKind::Backfill {
            let from = match kind {
                RunKind::Sweep => now - SWEEP_BACK,
                _ => {
                    let backfill = runs::newest(&mut tx, connection, RunKind::Backfill).await?;
                    let overlap = schedule::overlap(&schedule, work.defaults);
                    let history_to = backfill.map(|run| run.to_at);
                    schedule::poll_from(schedule.last_poll_at, history_to, schedule.import_floor, overlap)
                }
            };
            let window = Window::of_look(from, schedule.import_floor, now);
            runs::begin(&mut tx, connection, RunId::mint(ambient), kind, window, now).await?;
            run = runs::live(&mut tx, connection, kind).await?;
        }
        // A job for a backfill that failed: somebody put its dead letter back to work.
        if run.is_none() && kind == RunKind::Backfill && runs::reopen_backfill(&mut tx, connection).await? {
            run = runs::live(&mut tx, connection, kind).await?;
        }
        let Some(run) = run else { return Ok(None) };
        let next = runs::next_window(&mut tx, run.id).await?;
        let every = schedule::every(Some(&schedule), work.defaults);
        let floor = work.shroud.floor(schedule.import_floor, now);
        let rules = Rules { floor, workspaces: schedule.selected_workspaces };
        let walk = Self { connection, kind, run, rules, every, listing: next.map(begun), gave_up: false };
        if walk.listing.is_none() {
            walk.listed_all(&mut tx, ambient).await?;
        }
        tx.commit().await?;
        Ok(walk.listing.is_some().then_some(walk))
    }

    const fn purpose(&self) -> Purpose {
        match self.kind {
            RunKind::Backfill => Purpose::Backfill,
            RunKind::Poll | RunKind::Sweep => Purpose::Fresh,
        }
    }

    const fn lane(&self) -> i16 {
        match self.kind {
            RunKind::Backfill => 1,
            RunKind::Poll | RunKind::Sweep => 0,
        }
    }

    /// Lists one page and commits it; false when the run has ended or was cancelled.
    async fn step(&mut self, work: &Work<'_>) -> Result<bool, IngestError> {
        let Some(listing) = &self.listing else { return Ok(false) };
        let (whole, cursor) = (listing.whole, listing.cursor.clone());
        if !self.goes_on(work).await? {
            return Ok(false);
        }
        let filter = CallFilter::Window { from: whole.from, to: whole.to };
        let page = match work.list_calls(&filter, cursor.as_ref(), self.purpose()).await {
            Ok(page) => Some(page),
            Err(GongError::CursorExpired { .. }) => None,
            Err(error) => return Err(IngestError::Gong(error)),
        };
        let mut tx = work.begin().await?;
        let alive = match &page {
            Some(page) => self.commit_page(&mut tx, page, work).await?,
            None => self.start_again(&mut tx, work.ambient).await?,
        };
        tx.announce("progress").await?;
        tx.commit().await?;
        if self.gave_up { Err(IngestError::WindowWillNotEnd) } else { Ok(alive) }
    }

    /// Whether the run is still wanted: nothing is asked for after it was cancelled.
    async fn goes_on(&self, work: &Work<'_>) -> Result<bool, IngestError> {
        let mut tx = work.begin().await?;
        let live = runs::live(&mut tx, self.connection, self.kind).await?;
        Ok(live.is_some_and(|run| run.id == self.run.id))
    }

    async fn commit_page(
        &mut self,
        tx: &mut Tx,
        page: &CallPage,
        work: &Work<'_>,
    ) -> Result<bool, IngestError> {
        let Some(listing) = self.listing.as_mut() else { return Ok(false) };
        let (window, rows) = (listing.window, page.calls.len() + page.malformed.len());
        let turn = listing.page(&Seen {
            starts: page.calls.iter().map(|call| call.started).collect(),
            rows: rows as u64,
            total: page.total,
            next: page.next.clone(),
        });
        let first_total = listing.first_total.map(clamp);
        let sorted = keep::sort(page, &self.rules);
        let kept = keep::keep(tx, work, &sorted, self.lane()).await?;
        let (run, lane) = (&self.run, self.lane());
        let step = runs::Step {
            requests: 1,
            total: first_total,
            listed: if turn.then == Then::Split { 0 } else { clamp(rows) },
            calls_new: kept.new,
            skipped_private: kept.hidden_new,
            progress: progress::estimate_thousandths(tx, self.connection, run, lane, rows, page.total)
                .await?,
            ..runs::Step::default()
        };
        if !runs::step(tx, self.run.id, &step).await? {
            return Ok(false);
        }
        self.run.listed = self.run.listed.saturating_add(step.listed);
        self.run.total = self.run.total.or(step.total);
        self.take(tx, window, &turn, work.ambient).await?;
        if turn.then != Then::Split {
            wake_transcripts(tx, self.connection, self.kind).await?;
            progressed(tx, task::of(self.kind), self.connection).await?;
        }
        Ok(true)
    }

    /// The cursor died: the walk begins again at what is left of the window.
    async fn start_again(&mut self, tx: &mut Tx, ambient: &dyn Ambient) -> Result<bool, IngestError> {
        let Some(listing) = self.listing.as_ref() else { return Ok(false) };
        let (window, turn) = (listing.window, listing.begin_again());
        let step = runs::Step { requests: 1, ..runs::Step::default() };
        let alive = runs::step(tx, self.run.id, &step).await?;
        self.take(tx, window, &turn, ambient).await?;
        Ok(alive)
    }

    /// Does what was decided: changes the stored window, and goes where the walk goes.
    async fn take(
        &mut self,
        tx: &mut Tx,
        window: Window,
        turn: &Turn,
        ambient: &dyn Ambient,
    ) -> Result<(), IngestError> {
        if let Some(instead) = &turn.instead {
            runs::remove_window(tx, self.run.id, window.from).await?;
            for stored in instead {
                runs::add_window(tx, self.run.id, stored).await?;
            }
        }
        match turn.then {
            Then::GoOn => Ok(()),
            Then::NextWindow | Then::Split => {
                self.listing = runs::next_window(tx, self.run.id).await?.map(begun);
                if self.listing.is_none() { self.listed_all(tx, ambient).await } else { Ok(()) }
            }
            Then::GiveUp => {
                let code = IngestError::WindowWillNotEnd.code();
                runs::finish(tx, self.run.id, RunState::Failed, Some(code), ambient.now()).await?;
                self.gave_up = true;
                Ok(())
            }
        }
    }

    async fn listed_all(&self, tx: &mut Tx, ambient: &dyn Ambient) -> Result<(), IngestError> {
        let now = ambient.now();
        let listed = Window { from: self.run.from_at, to: self.run.to_at };
        schedules::looked(tx, self.connection, self.kind == RunKind::Sweep, listed).await?;
        if self.kind == RunKind::Backfill {
            progress::finish_backfill(tx, self.connection, ambient).await?;
        } else {
            runs::finish(tx, self.run.id, RunState::Done, None, now).await?;
        }
        if self.kind == RunKind::Sweep {
            purge::after_sweep(tx, self.connection, &self.run, &self.rules, ambient).await?;
        }
        wake_transcripts(tx, self.connection, self.kind).await?;
        tx.announce("calls").await?;
        Ok(())
    }
}

/// A stored window, as the beginning of a walk.
fn begun(stored: Stored) -> Listing<Cursor> {
    Listing::new(stored, WINDOW_MOST)
}

fn clamp<N: TryInto<i32>>(number: N) -> i32 {
    number.try_into().unwrap_or(i32::MAX)
}
