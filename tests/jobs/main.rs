//! Stories of the queue and its workers, with jobs that do what the story wants. The ids in their names are those of
//! docs/GUARANTEES.md.
#![expect(clippy::unwrap_used, reason = "a step of a story that fails, fails the story")]

mod dying;
mod guards;
mod letters;
mod outage;
mod running;
mod sending;
mod settling;
mod stopping;
mod support;
mod wakes;
