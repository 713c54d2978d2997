//! Wakes workers: at once when a job is sent, and when the time of a waiting one has come.
//!
//! apalis' own timers can lose a wake-up when a tick and a fetch end in the same poll. A bell is a channel that is emptied
//! until it is pending at every poll, so a ring is never lost.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use apalis::prelude::BoxDynError;
use apalis_core::backend::ext::poll_strategy::{PollSnapshot, PollStrategy};
use queue::Lane;
use sqlx::{PgPool, postgres::PgListener};
use tokio::{
    sync::{Notify, mpsc},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// What apalis' trigger calls when a due job is inserted.
const CHANNEL: &str = "apalis::job::insert";
/// Jobs of which nobody told that they would become due are found within this time: those that another process put off.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// A fetch that is under way may have missed the job that the bell rang for: ring once more after this time.
const ECHO_AFTER: Duration = Duration::from_millis(30);

/// The bells of all lanes.
#[derive(Clone, Default)]
pub(super) struct Bells {
    ropes: Arc<Mutex<HashMap<Lane, mpsc::Sender<()>>>>,
    put_off: Arc<Notify>,
}

impl Bells {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// A new bell for a lane; the old one is silent from now on.
    pub(super) fn hang(&self, lane: Lane) -> Bell {
        let (rope, receiver) = mpsc::channel(1);
        self.ropes.lock().unwrap_or_else(PoisonError::into_inner).insert(lane, rope);
        Bell { receiver }
    }

    /// A job was put off: it may be the next that is due.
    pub(super) fn look_again(&self) {
        self.put_off.notify_one();
    }

    fn ring(&self, lane: Lane) {
        let ropes = self.ropes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rope) = ropes.get(&lane) {
            // A full channel rings already.
            rope.try_send(()).ok();
        }
    }
}

/// What a worker listens to.
pub(super) struct Bell {
    receiver: mpsc::Receiver<()>,
}

impl PollStrategy for Bell {
    fn poll_drive(&mut self, cx: &mut Context<'_>, _: &PollSnapshot) -> Poll<Option<()>> {
        let mut rung = false;
        // To the end: only a pending poll leaves our waker behind.
        while let Poll::Ready(Some(())) = self.receiver.poll_recv(cx) {
            rung = true;
        }
        if rung { Poll::Ready(Some(())) } else { Poll::Pending }
    }
}

/// Rings for every job that is sent and for every one whose time has come, until `stop`.
pub(super) async fn ring_when_due(pool: PgPool, bells: Bells, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let rung = tokio::select! {
            () = stop.cancelled() => return,
            rung = listen(&pool, &bells) => rung,
        };
        if let Err(error) = rung {
            tracing::warn!(error = %error, "Listening for jobs was interrupted; trying again.");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn listen(pool: &PgPool, bells: &Bells) -> Result<(), BoxDynError> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    loop {
        let mut next = LOOK_EVERY;
        for (lane, wait) in queue::due_in(pool).await? {
            if wait.is_zero() {
                bells.ring(lane);
            } else {
                next = next.min(wait);
            }
        }
        ring_for_news(&mut listener, bells, Instant::now() + next).await?;
    }
}

/// Until a job was put off, at the latest `until`.
async fn ring_for_news(
    listener: &mut PgListener,
    bells: &Bells,
    mut until: Instant,
) -> Result<(), BoxDynError> {
    let mut echo: Option<(Instant, HashSet<Lane>)> = None;
    loop {
        let wake = echo.as_ref().map_or(until, |(at, _)| *at);
        let notified = tokio::select! {
            notified = listener.recv() => notified?,
            () = bells.put_off.notified(), if until > Instant::now() => {
                until = Instant::now();
                continue;
            }
            () = tokio::time::sleep_until(wake) => {
                let Some((_, lanes)) = echo.take() else { return Ok(()) };
                lanes.into_iter().for_each(|lane| bells.ring(lane));
                continue;
            }
        };
        let payload: serde_json::Value = serde_json::from_str(notified.payload()).unwrap_or_default();
        if let Some(lane) = payload["job_type"].as_str().and_then(Lane::parse) {
            bells.ring(lane);
            let (_, lanes) = echo.get_or_insert_with(|| (Instant::now() + ECHO_AFTER, HashSet::new()));
            lanes.insert(lane);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::task::noop_waker;

    #[test]
    fn a_ring_is_heard_once_however_often_the_rope_is_pulled() {
        let bells = Bells::new();
        let mut bell = bells.hang(Lane::Fresh);
        let waker = noop_waker();
        let mut cx = Context::from_waker(&waker);
        let snapshot = PollSnapshot::new();
        assert_eq!(bell.poll_drive(&mut cx, &snapshot), Poll::Pending);
        bells.ring(Lane::Fresh);
        bells.ring(Lane::Fresh);
        bells.ring(Lane::Bulk);
        assert_eq!(bell.poll_drive(&mut cx, &snapshot), Poll::Ready(Some(())));
        assert_eq!(bell.poll_drive(&mut cx, &snapshot), Poll::Pending);
    }
}
