//! The queries of the connector, one file a table.

pub(crate) mod claims;
pub(crate) mod connections;
pub(crate) mod credentials;
pub(crate) mod export;
pub(crate) mod flows;
pub(crate) mod secrets;
