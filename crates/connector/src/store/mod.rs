//! The queries of the connector, one file a table.

pub(crate) mod claims;
pub(crate) mod connections;
pub(crate) mod credentials;
pub(crate) mod flows;
