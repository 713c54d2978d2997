//! What measurements and proofs stand on: a PostgreSQL, a simulated Gong, our programs as processes, and what /proc says.
//! Speaks to all of them only as the outside does.

pub(crate) mod app;
pub(crate) mod clock;
pub(crate) mod ground;
pub(crate) mod machine;
pub(crate) mod process;
pub(crate) mod simulator;
