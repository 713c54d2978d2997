//! How a command ends when it does not end well: what is said and with which code.

use std::{error::Error, io::Write, process::ExitCode};

use accounts::AccountsError;

/// Why a command did not end well.
#[derive(Debug)]
pub(crate) struct Exit {
    code: u8,
    lines: Vec<String>,
}

impl Exit {
    /// Something failed: exit code 3 when what was named does not exist, 2 when a value cannot be accepted, else 1, because
    /// it may work another time.
    pub(crate) fn failed(doing: &str, error: &(dyn Error + 'static)) -> Self {
        let mut code = code_of(error);
        let mut text = format!("{doing} failed: {error}");
        let mut cause = error.source();
        while let Some(next) = cause {
            code = code.max(code_of(next));
            let more = next.to_string();
            if !text.ends_with(&more) {
                text.push_str(": ");
                text.push_str(&more);
            }
            cause = next.source();
        }
        Self { code, lines: vec![text] }
    }

    /// A part of the process ended, which the log tells: exit code 1.
    pub(crate) fn broken() -> Self {
        Self { code: 1, lines: Vec::new() }
    }

    /// The command or its configuration is wrong: exit code 2.
    pub(crate) fn misuse(lines: Vec<String>) -> Self {
        Self { code: 2, lines }
    }

    /// What was named does not exist: exit code 3.
    pub(crate) fn not_found(what: impl Into<String>) -> Self {
        Self { code: 3, lines: vec![what.into()] }
    }

    /// The doctor found something, which was printed already: 10 to 16 for faults, 20 to 26 for warnings alone, by class.
    pub(crate) fn diagnosis(code: u8) -> Self {
        Self { code, lines: Vec::new() }
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

fn code_of(error: &(dyn Error + 'static)) -> u8 {
    match error.downcast_ref() {
        Some(AccountsError::NotFound { .. }) => 3,
        Some(AccountsError::Invalid { .. }) => 2,
        _ => 1,
    }
}

/// Names what was being done when an error came.
pub(crate) trait Doing<T> {
    /// Ends the command on an error, with the code of [`Exit::failed`].
    fn doing(self, what: &str) -> Result<T, Exit>;
}

impl<T, E: Error + 'static> Doing<T> for Result<T, E> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the import stopped")]
    struct Wrapped(#[source] AccountsError);

    #[test]
    fn exit_codes_tell_what_is_unknown_from_what_is_wrong_and_from_what_failed() {
        let unknown = || AccountsError::NotFound { what: "organization" };
        let wrong = AccountsError::Invalid { field: "name", problem: "must not be empty".into() };
        let of = |error: &(dyn Error + 'static)| Exit::failed("trying", error).code;
        assert_eq!((of(&unknown()), of(&Wrapped(unknown())), of(&wrong)), (3, 3, 2));
        assert_eq!((of(&AccountsError::Busy), of(&std::io::Error::other("disk"))), (1, 1));
    }
}
