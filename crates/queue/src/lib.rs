//! Sending jobs, settling them, and the dead letters: the only crate that knows how jobs lie in the database.
//!
//! A job is a wake-up: it carries ids, never content, and whoever runs it looks the truth up in the rooms' tables. It is
//! sent in the sender's transaction, so it exists exactly when what it announces exists. At most one job a key lives at a
//! time. Running a job twice must be harmless; running it is for `jobs`, and what it means this crate must never know.

mod dead;
mod error;
mod job;
mod send;
mod settle;
mod tend;

pub use dead::{
    DeadLetter, LetterGroup, Letters, MOST_LETTERS, close_overtaken, discard, discard_all, groups, list,
    list_of, mask_reasons, owners, retry, retry_all, show,
};
pub use error::QueueError;
pub use job::{Job, Lane, NewJob, Unreadable};
pub use send::{cancel, enqueue, progressed, spoken_for};
pub use settle::{Settled, Verdict, backoff, bury, settle};
pub use tend::{
    Counts, LaneCounts, counts, due_in, farewell, gone_after, hand_back, heartbeat, last_heartbeat,
    last_signs, living, setup, tidy,
};
