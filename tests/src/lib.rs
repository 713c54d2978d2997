//! The world that stories are told in: a real router, real workers, a real PostgreSQL, and a Gong with memory.
//!
//! Time is the machine's plus whatever a story let pass. Nothing is mocked inside; at the edge stands `gong-sim`.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a world that cannot be built fails the story at once"
)]

mod browser;
mod clock;
mod cluster;
mod mind;
mod process;
mod program;
mod rows;
mod way;
mod workers;
mod world;

pub use browser::{Answer, Browser};
pub use clock::ShiftedClock;
pub use cluster::{Database, fresh_database};
pub use mind::{Plain, Words, mind};
pub use process::Process;
pub use program::program;
pub use rows::{everything, tables_with};
pub use way::{Mood, Way};
pub use workers::{Workers, until};
pub use world::{Org, PASSWORD, World, WorldOptions};
