//! The tables of this room.

pub(crate) mod boards;
pub(crate) mod evidence;
pub(crate) mod export;
pub(crate) mod ledger;
pub(crate) mod masking;
pub(crate) mod posts;
pub(crate) mod settings;
pub(crate) mod stages;
pub(crate) mod vectors;
