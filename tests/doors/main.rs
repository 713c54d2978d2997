//! Stories of the doors: requests that are done once, from a version, within a quota; dead letters; what the audit log says of all
//! that. The ids in their names are those of docs/GUARANTEES.md.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a story fails at once when its own means fail"
)]

mod audit;
mod compatible;
mod every_post;
mod killed;
mod letters;
mod limits;
mod once;
mod posts;
mod private;
mod review;
mod served;
#[path = "../tenancy/support.rs"]
#[expect(dead_code, reason = "what the stories of organizations ask with; not all of it is needed here")]
mod support;
mod versions;
