//! What one connection is doing and since when, seen from its bytes. Judges; the loop acts.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Instant,
};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::{Limits, refusal};

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    /// The head of a request is on its way.
    Arriving,
    /// A request is being answered.
    Answering,
    /// Nothing, after an answer.
    Resting,
}

#[derive(Debug)]
struct Facts {
    doing: Doing,
    since: Instant,
    /// Since when the client takes nothing of what we send.
    stalled: Option<Instant>,
}

/// Whether a connection may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It may.
    Fine,
    /// It rested long enough.
    Idle,
    /// The client is too slow.
    TooSlow,
}

/// What one connection is doing; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Watch(Arc<Mutex<Facts>>);

impl Watch {
    /// A connection that was just accepted: the clock for its first request runs.
    pub(super) fn new() -> Self {
        let facts = Facts { doing: Doing::Arriving, since: Instant::now(), stalled: None };
        Self(Arc::new(Mutex::new(facts)))
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self, doing: Doing) {
        let mut facts = self.facts();
        facts.doing = doing;
        facts.since = Instant::now();
    }

    /// A request has arrived; it is being answered until the result is dropped.
    pub(super) fn busy(&self) -> Busy {
        self.now(Doing::Answering);
        Busy(self.clone())
    }

    pub(super) fn judge(&self, limits: &Limits) -> Verdict {
        let facts = self.facts();
        let spent = facts.since.elapsed();
        if facts.stalled.is_some_and(|since| since.elapsed() > limits.stalled) {
            return Verdict::TooSlow;
        }
        match facts.doing {
            Doing::Arriving if spent > limits.head => Verdict::TooSlow,
            Doing::Resting if spent > limits.idle => Verdict::Idle,
            _ => Verdict::Fine,
        }
    }
}

/// As long as this lives a request is being answered.
#[derive(Debug)]
pub(super) struct Busy(Watch);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.now(Doing::Resting);
    }
}

/// A connection whose bytes are noticed. A refusal of hyper's own leaves it with words.
#[derive(Debug)]
pub(super) struct WatchedStream {
    inner: TcpStream,
    watch: Watch,
    /// What stands in place of a bare refusal and was not sent yet.
    instead: Vec<u8>,
}

impl WatchedStream {
    pub(super) const fn new(inner: TcpStream, watch: Watch) -> Self {
        Self { inner, watch, instead: Vec::new() }
    }

    fn note_write<T>(&self, outcome: &Poll<T>) {
        let mut facts = self.watch.facts();
        match outcome {
            Poll::Ready(_) => facts.stalled = None,
            Poll::Pending => {
                facts.stalled.get_or_insert_with(Instant::now);
            }
        }
    }

    /// Sends what stands in place of a bare refusal.
    fn poll_instead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.instead.is_empty() {
            let outcome = Pin::new(&mut self.inner).poll_write(cx, &self.instead);
            self.note_write(&outcome);
            let sent = ready!(outcome)?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.instead.drain(..sent);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for WatchedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let outcome = Pin::new(&mut self.inner).poll_read(cx, buf);
        if buf.filled().len() > before && self.watch.facts().doing == Doing::Resting {
            self.watch.now(Doing::Arriving);
        }
        outcome
    }
}

impl AsyncWrite for WatchedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let answering = self.watch.facts().doing == Doing::Answering;
        if let Some(instead) = refusal::worded(buf).filter(|_| !answering) {
            self.instead = instead;
            return Poll::Ready(Ok(buf.len()));
        }
        let outcome = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.note_write(&outcome);
        outcome
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_instead(cx))?;
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_instead(cx))?;
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let [buf] = bufs {
            return self.poll_write(cx, buf);
        }
        let outcome = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.note_write(&outcome);
        outcome
    }
}

/// The body of an answer; the connection is busy until it is sent or given up.
#[derive(Debug)]
pub(super) struct WatchedBody {
    inner: Body,
    _busy: Busy,
}

impl WatchedBody {
    pub(super) const fn new(inner: Body, busy: Busy) -> Self {
        Self { inner, _busy: busy }
    }
}

impl HttpBody for WatchedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
