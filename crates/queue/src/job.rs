//! What a job is: before it is sent, and as a worker gets it.

use kernel::OrganizationId;
use serde::Deserialize;
use time::OffsetDateTime;
use uuid::Uuid;

/// Which queue a job waits in; each has workers of its own, so one cannot starve another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// Polls, and transcripts of new calls.
    Fresh,
    /// Backfills.
    Bulk,
    /// Token refresh and housekeeping.
    Upkeep,
}

impl Lane {
    /// All lanes.
    pub const ALL: [Self; 3] = [Self::Fresh, Self::Bulk, Self::Upkeep];

    /// The word for this lane in tables and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Bulk => "bulk",
            Self::Upkeep => "upkeep",
        }
    }

    /// The lane of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lane| lane.as_str() == word)
    }
}

/// A job to be sent.
#[derive(Debug, Clone)]
pub struct NewJob {
    pub(crate) lane: Lane,
    pub(crate) kind: &'static str,
    pub(crate) organization: OrganizationId,
    pub(crate) subject: Uuid,
    pub(crate) key: String,
    pub(crate) run_at: Option<OffsetDateTime>,
    pub(crate) priority: i32,
    pub(crate) max_attempts: i32,
    pub(crate) trace: Option<String>,
}

impl NewJob {
    /// A job that runs at once, with priority 0 and at most eight attempts.
    ///
    /// `kind` names what to do (lower-case letters, digits and `_`), `subject` the thing it is about, mostly a connection.
    /// Of one organization and `key` at most one job lives at a time.
    pub fn new(
        lane: Lane,
        kind: &'static str,
        organization: OrganizationId,
        subject: Uuid,
        key: impl Into<String>,
    ) -> Self {
        Self {
            lane,
            kind,
            organization,
            subject,
            key: key.into(),
            run_at: None,
            priority: 0,
            max_attempts: 8,
            trace: None,
        }
    }

    /// Not before this moment.
    #[must_use]
    pub const fn at(mut self, run_at: OffsetDateTime) -> Self {
        self.run_at = Some(run_at);
        self
    }

    /// Jobs with a higher number go first within their lane.
    #[must_use]
    pub const fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// After how many failed attempts the job becomes a dead letter; 1 to 100.
    #[must_use]
    pub const fn max_attempts(mut self, attempts: i32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// The trace that the sender works in, so that logs of both can be joined.
    #[must_use]
    pub fn trace(mut self, trace: Option<String>) -> Self {
        self.trace = trace;
        self
    }

    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if self.kind.is_empty() || self.kind.len() > 40 || !self.kind.bytes().all(plain) {
            return Err("the kind is 1 to 40 lower-case letters, digits and underscores");
        }
        if self.key.is_empty() || self.key.len() > 200 {
            return Err("the key has 1 to 200 bytes");
        }
        if !(1..=100).contains(&self.max_attempts) {
            return Err("1 to 100 attempts are possible");
        }
        if !(0..=1_000).contains(&self.priority) {
            return Err("the priority is 0 to 1,000");
        }
        if self.trace.as_ref().is_some_and(|trace| trace.len() > 200) {
            return Err("a trace has at most 200 bytes");
        }
        Ok(())
    }
}

/// A job as its worker gets it.
#[derive(Debug, Clone)]
pub struct Job {
    /// The id of its row.
    pub id: String,
    /// What to do.
    pub kind: String,
    /// For whom.
    pub organization: OrganizationId,
    /// About what; mostly a connection.
    pub subject: Uuid,
    /// Which attempt this is, from 1.
    pub attempt: i32,
    /// The last attempt that will be made.
    pub max_attempts: i32,
    /// The trace of the sender.
    pub trace: Option<String>,
    /// The worker that holds it; what it settles counts only while it does.
    pub worker: String,
}

/// The payload of a row is not a job.
#[derive(Debug, thiserror::Error)]
#[error("the payload of the job cannot be read")]
pub struct Unreadable(#[source] serde_json::Error);

#[derive(Deserialize)]
struct Payload {
    kind: String,
    organization: Uuid,
    subject: Uuid,
    trace: Option<String>,
}

impl Job {
    /// Reads a row that `worker` took; `counted` attempts have failed before.
    ///
    /// # Errors
    /// When the payload is not one that [`crate::enqueue`] writes.
    pub fn read(
        id: &str,
        payload: &[u8],
        counted: i32,
        max_attempts: i32,
        worker: &str,
    ) -> Result<Self, Unreadable> {
        let payload: Payload = serde_json::from_slice(payload).map_err(Unreadable)?;
        Ok(Self {
            id: id.to_owned(),
            kind: payload.kind,
            organization: OrganizationId::from_uuid(payload.organization),
            subject: payload.subject,
            attempt: counted.saturating_add(1),
            max_attempts,
            trace: payload.trace,
            worker: worker.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_breaks_a_rule_is_refused() {
        let organization = OrganizationId::from_uuid(Uuid::nil());
        let good = NewJob::new(Lane::Fresh, "poll", organization, Uuid::nil(), "poll:1");
        assert_eq!(good.check(), Ok(()));
        for bad in [
            NewJob::new(Lane::Fresh, "Poll Now", organization, Uuid::nil(), "k"),
            NewJob::new(Lane::Fresh, "poll", organization, Uuid::nil(), ""),
            good.clone().max_attempts(0),
            good.clone().priority(-1),
            good.clone().trace(Some("t".repeat(201))),
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_is_not_a_payload_is_unreadable() {
        for bad in [&b"garbage"[..], b"{}", b"[]", b"null", b"\xff\xfe", br#"{"kind":"poll"}"#] {
            assert!(Job::read("id", bad, 0, 8, "w").is_err());
        }
        let nil = Uuid::nil();
        let good = format!(r#"{{"v":1,"kind":"poll","organization":"{nil}","subject":"{nil}","more":1}}"#);
        let job = Job::read("id", good.as_bytes(), 2, 8, "w").unwrap();
        assert_eq!((job.kind.as_str(), job.attempt, job.trace), ("poll", 3, None));
    }
}
