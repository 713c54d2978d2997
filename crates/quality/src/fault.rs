//! Why a command could not go on: one sentence for the person at the terminal.

use std::fmt::{self, Display};

/// A sentence that says what failed and, after a colon, why.
#[derive(Debug)]
pub(crate) struct Fault(String);

impl Fault {
    pub(crate) fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Says what was being done when something else failed.
pub(crate) trait Doing<T> {
    /// Turns the error into `doing: error`.
    fn doing(self, doing: impl Display) -> Result<T, Fault>;
}

impl<T, E: Display> Doing<T> for Result<T, E> {
    fn doing(self, doing: impl Display) -> Result<T, Fault> {
        self.map_err(|error| Fault(format!("{doing}: {error}")))
    }
}
