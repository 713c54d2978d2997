//! Which calls we hold: when to look, what lies in a window, what may be kept, whose transcript is still to come, and how
//! much of a company's API budget all of that may use.
//!
//! Knows nothing of credentials, people or posts: a door hands it a Gong client and a transaction.

mod begin;
mod budget;
mod calls;
mod came;
mod error;
mod explain;
mod fetch;
pub mod fleet;
mod keep;
mod listing;
mod look;
#[cfg(test)]
mod model;
mod pace;
mod progress;
mod rules;
mod schedule;
mod search;
mod store;
mod transcript;
mod walk;
mod window;
mod work;

pub use begin::{begin, cancel_backfill, give_up, poll_now, resume_backfill, set_active, start_backfill};
pub use budget::{BudgetView, CompanyGate, Gates, UsedHour, budget};
pub use calls::{
    CallCursor, CallDetail, CallPage, CallQuery, CallSummary, Counts, Party, call, calls, counts,
    workspace_ids,
};
pub use error::IngestError;
pub use explain::{Explanation, explain};
pub use fetch::{Fetched, Fetching, fetch_transcripts};
pub use look::confirm;
pub use progress::{Estimate, Progress, RunLine, backfill_progress, estimate, recent_runs};
pub use rules::{Defaults, task};
pub use schedule::{Schedule, ScheduleChange, change_schedule, next_slot, schedule};
pub use transcript::{Monologue, Sentence, Transcript, transcript};
pub use walk::{Walked, walk};
pub use work::Work;
