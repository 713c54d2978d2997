//! How a command ends when it does not end well: what is said and with which code.

use std::{error::Error, io::Write, process::ExitCode};

/// Why a command did not end well.
#[derive(Debug)]
pub(crate) struct Exit {
    code: u8,
    lines: Vec<String>,
}

impl Exit {
    /// Something failed that may work another time: exit code 1.
    pub(crate) fn failed(doing: &str, error: &dyn Error) -> Self {
        let mut text = format!("{doing} failed: {error}");
        let mut cause = error.source();
        while let Some(next) = cause {
            let more = next.to_string();
            if !text.ends_with(&more) {
                text.push_str(": ");
                text.push_str(&more);
            }
            cause = next.source();
        }
        Self { code: 1, lines: vec![text] }
    }

    /// The command or its configuration is wrong: exit code 2.
    pub(crate) fn misuse(lines: Vec<String>) -> Self {
        Self { code: 2, lines }
    }

    /// What was named does not exist: exit code 3.
    pub(crate) fn not_found(what: impl Into<String>) -> Self {
        Self { code: 3, lines: vec![what.into()] }
    }

    /// Checks found faults, which were printed already: exit code 4.
    pub(crate) fn faults() -> Self {
        Self { code: 4, lines: Vec::new() }
    }

    /// Says why on standard error.
    pub(crate) fn report(self) -> ExitCode {
        let mut stderr = std::io::stderr().lock();
        for line in self.lines {
            // Nobody may be reading.
            let _ = writeln!(stderr, "soundpost: {line}");
        }
        ExitCode::from(self.code)
    }
}

/// Names what was being done when an error came.
pub(crate) trait Doing<T> {
    /// Ends the command with code 1 on an error.
    fn doing(self, what: &str) -> Result<T, Exit>;
}

impl<T, E: Error> Doing<T> for Result<T, E> {
    fn doing(self, what: &str) -> Result<T, Exit> {
        self.map_err(|error| Exit::failed(what, &error))
    }
}

/// Writes one line of data to standard output; a closed pipe is not an error.
pub(crate) fn print_line(line: &str) -> Result<(), Exit> {
    match writeln!(std::io::stdout().lock(), "{line}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Exit::failed("writing", &error)),
        _ => Ok(()),
    }
}
