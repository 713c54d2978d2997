//! The door to background work: workers, what each kind of job does, and the schedules.
//!
//! Opens rooms and lets them work. Must never hold SQL of a room, nor know `web`.

mod chronicle;
mod feedback;
mod handlers;
mod privacy;
pub mod runtime;
pub mod schedule;

pub use chronicle::Chronicle;
pub use handlers::{REFRESH, Rooms};
