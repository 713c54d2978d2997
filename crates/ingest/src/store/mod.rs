//! The queries of ingestion, one file a subject.

pub(crate) mod calls;
pub(crate) mod erasures;
pub(crate) mod export;
pub(crate) mod ledger;
pub(crate) mod privacy;
pub(crate) mod purge;
pub(crate) mod relook;
pub(crate) mod runs;
pub(crate) mod schedules;
pub(crate) mod search;
pub(crate) mod usage;
pub(crate) mod views;
