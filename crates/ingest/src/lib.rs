//! Which calls we hold: when to look, what lies in a window, what may be kept, whose transcript is still to come, and how
//! much of a company's API budget all of that may use.
//!
//! Knows nothing of credentials, people or posts: a door hands it a Gong client and a transaction.

mod begin;
mod budget;
mod calls;
mod came;
mod clock;
mod doubt;
mod erase;
mod error;
mod explain;
mod export;
mod fetch;
pub mod fleet;
mod flood;
mod keep;
mod late;
mod listing;
mod look;
#[cfg(test)]
mod model;
mod pace;
mod progress;
mod purge;
mod retention;
mod rules;
mod schedule;
mod search;
mod shroud;
mod store;
mod transcript;
mod veil;
mod walk;
mod window;
mod work;

pub use begin::{
    begin, cancel_backfill, give_up, hold_company, poll_now, resume_backfill, set_active, start_backfill,
};
pub use budget::{BudgetView, CompanyGate, Gates, UsedHour, budget};
pub use calls::{
    CallCursor, CallDetail, CallPage, CallQuery, CallSummary, Counts, Party, call, calls, counts,
    counts_of_all, workspace_ids,
};
pub use doubt::doubt;
pub use erase::{
    Erasing, Erasure, erase_some, erasure, erasures, finish_erasure, has_erasures, request_erasure, shroud,
};
pub use error::IngestError;
pub use explain::{Explanation, explain};
pub use export::{export_page, exported, import_rows};
pub use fetch::{Fetched, Fetching, fetch_transcripts};
pub use flood::flood_told;
pub use look::confirm;
pub use progress::{Estimate, Progress, RunLine, backfill_progress, estimate, recent_runs};
pub use purge::{Answer, Lost, Question, answer, judge_losses, purge_some, question, recheck};
pub use retention::{Expired, expire_some, retention, set_retention};
pub use rules::{Defaults, task};
pub use schedule::{
    OwnSettings, Schedule, ScheduleChange, change_schedule, next_slot, own_settings, schedule,
};
pub use shroud::{AddressKind, Shroud, ShroudKey};
pub use transcript::{Monologue, Sentence, Transcript, stored_among, transcript};
pub use walk::{Walked, walk};
pub use work::Work;
