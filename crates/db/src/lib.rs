//! Access to PostgreSQL: the pool, migrations, transactions that see one organization only, and news between processes.
//!
//! Knows no table of any room, but for one mark: a commit says in `request_claims` that a request which is to be done once
//! has had its effect, as only the transaction itself can say that. Row-level security does the separating: every transaction takes a role that owns nothing
//! and names its organization for as long as it lasts, so nothing leaks through the pool.

mod error;
mod events;
mod export;
mod halt;
mod inspect;
mod like;
mod migrate;
mod outage;
mod tx;

pub use error::{DbError, is_deadlock};
pub use events::{Events, News};
pub use export::export_page;
pub use halt::{Halt, halt, is_halted, start_traffic, stop_traffic};
pub use inspect::{Schema, Server, Walls, hears_news, reach, schema, server, walls};
pub use like::Like;
pub use migrate::{MIGRATOR, migrate, pending_migrations};
pub use outage::{Outage, is_outage};
pub use tx::{Db, FleetTx, Tx};
