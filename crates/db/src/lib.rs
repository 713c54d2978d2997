//! Access to PostgreSQL: the pool, migrations, transactions that see one organization only, and news between processes.
//!
//! Knows no table of any room. Row-level security does the separating: every transaction takes a role that owns nothing
//! and names its organization for as long as it lasts, so nothing leaks through the pool.

mod error;
mod events;
mod halt;
mod migrate;
mod tx;
mod inspect;

pub use error::DbError;

pub use events::{Events, News};
pub use halt::{Halt, halt, start_traffic, stop_traffic};
pub use migrate::{MIGRATOR, migrate, pending_migrations};
pub use tx::{Db, FleetTx, Tx};
pub use inspect::{Schema, Server, Walls, hears_news, reach, schema, server, walls};
