//! Privacy for good: what vanished, what was asked to be forgotten, and what is too old, is gone.
#![expect(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

mod ending;
mod erasing;
mod exporting;
mod retention;
mod support;
mod vanishing;
