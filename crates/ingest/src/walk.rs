//! Listing: the same steps for polls, backfills and sweeps.
//!
//! One page, one transaction: what may be kept, what was cut off the window, how far the run is. The cursor lives in
//! memory only (Gong's dies an hour after page one [I]); when it dies, or the process, the walk begins again at what is
//! left of the window.

mod again;

use std::collections::HashSet;

use db::Tx;
use gong::{CallFilter, CallPage, Cursor, GongError, Purpose};
use kernel::{Ambient, ConnectionId, RunId, RunKind, RunState};
use time::OffsetDateTime;

use crate::{
    IngestError, Work,
    begin::{progressed, wake_transcripts},
    keep::{self, Rules},
    progress,
    rules::{SLICE, SWEEP_BACK, WINDOW_MOST, task},
    schedule,
    store::{runs, schedules},
    window::{Order, Window},
};

/// How often a window is begun again before the run is given up.
const WALKS_MOST: i32 = 20;

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
    while walk.window.is_some() {
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

/// A walk through one window, in memory.
struct Walk {
    connection: ConnectionId,
    kind: RunKind,
    run: runs::Run,
    rules: Rules,
    /// From one poll to the next.
    every: std::time::Duration,
    window: Option<Window>,
    /// The window as this walk found it.
    whole: Window,
    walked_again: i32,
    cursor: Option<Cursor>,
    order: Order,
    last: Option<OffsetDateTime>,
    first_total: Option<u64>,
    pages: u64,
    /// Rows on all pages of this walk.
    rows: u64,
    /// The cursors of this walk: one that comes again leads in a circle.
    seen: HashSet<Cursor>,
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
                    schedule::poll_from(&schedule, work.defaults, backfill.map(|run| run.to_at))
                }
            };
            let window = Window {
                from: from.max(schedule.import_floor).min(now - time::Duration::seconds(1)),
                to: now,
            };
            runs::begin(&mut tx, connection, RunId::mint(ambient), kind, window, now).await?;
            run = runs::live(&mut tx, connection, kind).await?;
        }
        let Some(run) = run else { return Ok(None) };
        let next = runs::next_window(&mut tx, run.id).await?;
        let every = schedule::every(Some(&schedule), work.defaults);
        let rules = Rules { floor: schedule.import_floor, workspaces: schedule.selected_workspaces };
        let walk = Self::at(connection, kind, run, (rules, every), next);
        if walk.window.is_none() {
            walk.listed_all(&mut tx, ambient).await?;
        }
        tx.commit().await?;
        Ok(walk.window.is_some().then_some(walk))
    }

    fn at(
        connection: ConnectionId,
        kind: RunKind,
        run: runs::Run,
        (rules, every): (Rules, std::time::Duration),
        next: Option<(Window, i32)>,
    ) -> Self {
        let (window, walked_again) = next.unzip();
        let whole = window.unwrap_or(Window { from: run.from_at, to: run.to_at });
        Self {
            connection,
            kind,
            run,
            rules,
            every,
            window,
            whole,
            walked_again: walked_again.unwrap_or(0),
            cursor: None,
            order: Order::default(),
            last: None,
            first_total: None,
            pages: 0,
            rows: 0,
            seen: HashSet::new(),
            gave_up: false,
        }
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
        let Some(window) = self.window else { return Ok(false) };
        if !self.goes_on(work).await? {
            return Ok(false);
        }
        let filter = CallFilter::Window { from: self.whole.from, to: self.whole.to };
        let page = match work.gong.list_calls(&filter, self.cursor.as_ref(), self.purpose()).await {
            Ok(page) => page,
            Err(GongError::CursorExpired { .. }) => {
                return self.start_again(work, window).await;
            }
            Err(error) => return Err(IngestError::Gong(error)),
        };
        let mut tx = work.begin().await?;
        let alive = self.commit_page(&mut tx, window, &page, work.ambient).await?;
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
        window: Window,
        page: &CallPage,
        ambient: &dyn Ambient,
    ) -> Result<bool, IngestError> {
        self.pages += 1;
        self.first_total = self.first_total.or(page.total);
        let sorted = keep::sort(page, &self.rules);
        let kept = keep::keep(tx, self.connection, &sorted, self.lane(), ambient).await?;
        let split = self.split(window, page);
        let rows = page.calls.len() + page.malformed.len();
        self.rows += rows as u64;
        let step = runs::Step {
            requests: 1,
            total: self.first_total.map(clamp),
            listed: if split.is_some() { 0 } else { clamp(rows) },
            calls_new: kept.new,
            skipped_private: kept.hidden_new,
            progress: progress::estimate_thousandths(
                tx,
                self.connection,
                &self.run,
                self.lane(),
                rows,
                page.total,
            )
            .await?,
            ..runs::Step::default()
        };
        if !runs::step(tx, self.run.id, &step).await? {
            return Ok(false);
        }
        self.run.listed = self.run.listed.saturating_add(step.listed);
        self.run.total = self.run.total.or(step.total);
        if let Some([newer, older]) = split {
            runs::remove_window(tx, self.run.id, window.from).await?;
            runs::add_window(tx, self.run.id, newer, 0).await?;
            runs::add_window(tx, self.run.id, older, 0).await?;
            return self.next(tx, ambient).await;
        }
        self.advance(tx, window, page, ambient).await?;
        wake_transcripts(tx, self.connection, self.kind).await?;
        progressed(tx, task::of(self.kind), self.connection).await?;
        Ok(true)
    }

    /// A window with too many calls is cut in two after its first page, so that the newest calls come first and a cursor
    /// never has to live long.
    fn split(&self, window: Window, page: &CallPage) -> Option<[Window; 2]> {
        let many =
            page.total.is_some_and(|total| clamp(total) > i32::try_from(WINDOW_MOST).unwrap_or(i32::MAX));
        if self.pages == 1 && many && page.next.is_some() { window.halves() } else { None }
    }

    async fn advance(
        &mut self,
        tx: &mut Tx,
        window: Window,
        page: &CallPage,
        ambient: &dyn Ambient,
    ) -> Result<bool, IngestError> {
        let starts: Vec<OffsetDateTime> = page.calls.iter().map(|call| call.started).collect();
        self.order = self.order.refine(self.last, &starts);
        self.last = starts.last().copied().or(self.last);
        // An empty page in the middle says that nothing is left at all.
        let total = page.total.unwrap_or(if starts.is_empty() { 0 } else { u64::MAX });
        let shrank = self.first_total.is_some_and(|first| total < first);
        let Some(next) = page.next.clone() else {
            runs::remove_window(tx, self.run.id, window.from).await?;
            let short = self.first_total.is_some_and(|first| self.rows < first);
            let again = if shrank { 2 } else { i32::from(short) };
            if self.walked_again < again {
                // Rows that vanish under a walk pull others over the page boundary: list the window once more.
                runs::add_window(tx, self.run.id, self.whole, self.walked_again + 1).await?;
            }
            return self.next(tx, ambient).await;
        };
        let endless = self.pages > self.first_total.unwrap_or(u64::MAX / 2) + 20;
        if endless || !self.seen.insert(next.clone()) {
            return self.begin_again(tx, window, ambient).await;
        }
        self.cursor = Some(next);
        self.cut(tx, window, shrank).await?;
        Ok(true)
    }

    /// Cuts off what was listed, as far as the pages came in the order of time and none got lost between them.
    async fn cut(&mut self, tx: &mut Tx, window: Window, shrank: bool) -> Result<(), IngestError> {
        let rest = match self.order {
            // The order was believed too early: what was cut off may hold calls that are still to come.
            Order::Mixed => Some(self.whole).filter(|whole| *whole != window),
            _ if shrank => None,
            order => self.last.and_then(|last| window.after(order, last)),
        };
        if let Some(rest) = rest {
            runs::remove_window(tx, self.run.id, window.from).await?;
            runs::add_window(tx, self.run.id, rest, self.walked_again).await?;
            self.window = Some(rest);
        }
        Ok(())
    }

    /// Goes on with the newest window that is left, or ends the listing.
    async fn next(&mut self, tx: &mut Tx, ambient: &dyn Ambient) -> Result<bool, IngestError> {
        let next = runs::next_window(tx, self.run.id).await?;
        let rules = (self.rules.clone(), self.every);
        *self = Self::at(self.connection, self.kind, self.run.clone(), rules, next);
        if self.window.is_none() {
            self.listed_all(tx, ambient).await?;
        }
        Ok(true)
    }

    async fn listed_all(&self, tx: &mut Tx, ambient: &dyn Ambient) -> Result<(), IngestError> {
        let now = ambient.now();
        schedules::looked(tx, self.connection, self.kind == RunKind::Sweep, self.run.to_at).await?;
        if self.kind == RunKind::Backfill {
            progress::finish_backfill(tx, self.connection, ambient).await?;
        } else {
            runs::finish(tx, self.run.id, RunState::Done, None, now).await?;
        }
        wake_transcripts(tx, self.connection, self.kind).await?;
        tx.announce("calls").await?;
        Ok(())
    }
}

fn clamp<N: TryInto<i32>>(number: N) -> i32 {
    number.try_into().unwrap_or(i32::MAX)
}
