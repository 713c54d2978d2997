//! Why a command of ours could not go on: one sentence for the person at the terminal.

use std::fmt;

/// A sentence that says what failed and, after a colon, why.
#[derive(Debug)]
pub(crate) struct Fault(String);

impl Fault {
    /// A fault in our own words.
    pub(crate) fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Says what was being done when something else failed.
pub(crate) trait Doing<T> {
    /// Turns the error into `doing: error`.
    fn doing(self, doing: impl AsRef<str>) -> Result<T, Fault>;
}

impl<T, E: fmt::Display> Doing<T> for Result<T, E> {
    fn doing(self, doing: impl AsRef<str>) -> Result<T, Fault> {
        self.map_err(|error| Fault(format!("{}: {error}", doing.as_ref())))
    }
}
