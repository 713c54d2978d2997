//! Reads the words after a command. Knows no command.

use std::str::FromStr;

use crate::fault::{Doing, Fault};

/// The words that were not understood yet.
pub(crate) struct Arguments(Vec<String>);

impl Arguments {
    /// Takes all words after the command.
    pub(crate) fn new(words: Vec<String>) -> Self {
        Self(words)
    }

    /// Whether `--name` stands among the words.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|word| word != name);
        self.0.len() < before
    }

    /// The value of `--name value` or `--name=value`.
    pub(crate) fn value<T: FromStr<Err: std::fmt::Display>>(
        &mut self,
        name: &str,
    ) -> Result<Option<T>, Fault> {
        let with_sign = format!("{name}=");
        let Some(at) = self.0.iter().position(|word| word == name || word.starts_with(&with_sign)) else {
            return Ok(None);
        };
        let word = self.0.remove(at);
        let value = match word.strip_prefix(&with_sign) {
            Some(value) => value.to_owned(),
            None if at < self.0.len() => self.0.remove(at),
            None => return Err(Fault::new(format!("{name} needs a value"))),
        };
        value.parse().map(Some).doing(format!("{name} {value}"))
    }

    /// All words behind `--name`, up to the next option.
    pub(crate) fn list(&mut self, name: &str) -> Vec<String> {
        let mut found = Vec::new();
        while let Some(at) = self.0.iter().position(|word| word == name) {
            self.0.remove(at);
            while at < self.0.len() && !self.0[at].starts_with("--") {
                found.extend(self.0.remove(at).split(',').map(str::to_owned));
            }
        }
        found
    }

    /// Fails when a word is left that nobody asked for.
    pub(crate) fn end(self) -> Result<(), Fault> {
        match self.0.first() {
            None => Ok(()),
            Some(word) => {
                Err(Fault::new(format!("{word:?} is not understood; `cargo xtask help` lists what is")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Arguments;

    fn words(line: &str) -> Arguments {
        Arguments::new(line.split_whitespace().map(str::to_owned).collect())
    }

    #[test]
    fn flags_values_and_lists_are_taken_in_any_order() {
        let mut arguments = words("--exit --only fmt clippy,tidy --calls=12 --port 8081");
        assert!(arguments.flag("--exit"));
        assert!(!arguments.flag("--exit"));
        assert_eq!(arguments.value::<u32>("--calls").unwrap(), Some(12));
        assert_eq!(arguments.value::<u16>("--port").unwrap(), Some(8081));
        assert_eq!(arguments.list("--only"), ["fmt", "clippy", "tidy"]);
        arguments.end().unwrap();
    }

    #[test]
    fn a_word_that_nobody_asked_for_is_refused() {
        assert!(words("--cals 3").end().is_err());
        assert!(words("--calls x").value::<u32>("--calls").is_err());
        assert!(words("--calls").value::<u32>("--calls").is_err());
    }
}
