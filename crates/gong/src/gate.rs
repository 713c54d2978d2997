//! What stands between us and Gong's limits. Knows that there is one; must never know how it counts.

use std::{fmt, num::NonZeroU32, time::Duration};

use async_trait::async_trait;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use time::OffsetDateTime;
use tokio::sync::oneshot;

/// What a request is for: fresh calls go before history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// New calls, checks, anything a person waits for.
    Fresh,
    /// History.
    Backfill,
}

/// Why a request has to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldReason {
    /// Gong asked for a pause.
    RetryAfter,
    /// Our share of the day is used up.
    DailyBudget,
    /// A person or a rule stopped it.
    Stopped,
    /// An operator stopped all traffic to Gong.
    Halted,
    /// Gong's host does not answer; it is probed.
    Outage,
}

impl HeldReason {
    /// The word, for logs and screens.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RetryAfter => "retry_after",
            Self::DailyBudget => "daily_budget",
            Self::Stopped => "stopped",
            Self::Halted => "halted",
            Self::Outage => "outage",
        }
    }
}

/// No request now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// When to ask again.
    pub until: OffsetDateTime,
    /// Why.
    pub why: HeldReason,
}

/// What Gong asked for with a 429.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// How long nobody may send.
    pub wait: Duration,
}

/// The right to send one request now. The gate learns from it whether the request has arrived: one that is neither answered
/// nor known to have stayed here may still be on its way.
#[derive(Debug)]
pub struct Pass(Option<oneshot::Sender<()>>);

impl Pass {
    /// A pass that nobody watches.
    pub const fn unwatched() -> Self {
        Self(None)
    }

    /// A pass, and what ends when its request has arrived; an error there says that nobody will ever know.
    pub fn watched() -> (Self, oneshot::Receiver<()>) {
        let (sender, receiver) = oneshot::channel();
        (Self(Some(sender)), receiver)
    }

    /// The request was answered, or never left.
    pub fn arrived(self) {
        if let Some(gate) = self.0 {
            // A gate that does not listen any more need not know.
            let _ = gate.send(());
        }
    }
}

/// Passed by every request before it is sent; told of every 429.
#[async_trait]
pub trait Gate: Send + Sync {
    /// Waits for a turn, or says that there is none soon.
    async fn pass(&self, purpose: Purpose) -> Result<Pass, Held>;

    /// Gong asked for a pause.
    async fn hold(&self, hold: Hold);
}

/// A gate without memory, for the few look-ups before a connection exists: two requests a second, waiting.
pub struct OpenGate {
    limiter: DefaultDirectRateLimiter,
}

impl OpenGate {
    /// A gate of its own.
    pub fn new() -> Self {
        let two = NonZeroU32::MIN.saturating_add(1);
        Self { limiter: RateLimiter::direct(Quota::per_second(two)) }
    }
}

impl Default for OpenGate {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for OpenGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpenGate")
    }
}

#[async_trait]
impl Gate for OpenGate {
    async fn pass(&self, _: Purpose) -> Result<Pass, Held> {
        self.limiter.until_ready().await;
        Ok(Pass::unwatched())
    }

    async fn hold(&self, _: Hold) {}
}
