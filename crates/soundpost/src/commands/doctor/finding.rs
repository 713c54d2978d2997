//! What a check says, and the report that they make together. Its JSON is described in docs/doctor.schema.json.

use serde::Serialize;

/// What a check is about; the last digit of the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Class {
    /// The environment and files named there.
    Configuration,
    /// Clock, disk, limits of the operating system.
    Machine,
    /// The server, the schema, the walls between organizations.
    Database,
    /// Sealing keys.
    Keys,
    /// The ways to Gong, and to our own public address.
    Network,
    /// Workers, jobs, budgets.
    Work,
    /// Connections of organizations.
    Connections,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    Ok,
    /// It works, and somebody should look at it.
    Warning,
    /// It does not work.
    Fault,
}

/// One check.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    class: Class,
    check: &'static str,
    verdict: Verdict,
    found: String,
    fix: Option<String>,
}

impl Check {
    pub(super) fn ok(class: Class, check: &'static str, found: impl Into<String>) -> Self {
        Self { class, check, verdict: Verdict::Ok, found: found.into(), fix: None }
    }

    pub(super) fn fault(
        class: Class,
        check: &'static str,
        found: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { class, check, verdict: Verdict::Fault, found: found.into(), fix: Some(fix.into()) }
    }

    pub(super) fn warning(
        class: Class,
        check: &'static str,
        found: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { class, check, verdict: Verdict::Warning, found: found.into(), fix: Some(fix.into()) }
    }

    /// One or two lines for people.
    pub(super) fn text(&self) -> String {
        let word = match self.verdict {
            Verdict::Ok => "ok     ",
            Verdict::Warning => "warning",
            Verdict::Fault => "FAULT  ",
        };
        let fix = self.fix.as_ref().map_or_else(String::new, |fix| format!("\n         -> {fix}"));
        format!("{word}  {}: {}{fix}", self.check, self.found)
    }
}

/// All checks.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Of this shape of the report.
    version: u8,
    healthy: bool,
    /// 0; 10 and the class where something does not work; 20 and the class where there are only warnings.
    pub(super) exit_code: u8,
    pub(super) checks: Vec<Check>,
}

impl Report {
    pub(super) fn of(checks: Vec<Check>) -> Self {
        let first = |verdict| checks.iter().filter(|c| c.verdict == verdict).map(|c| c.class as u8).min();
        let exit_code = match (first(Verdict::Fault), first(Verdict::Warning)) {
            (Some(class), _) => 10 + class,
            (None, Some(class)) => 20 + class,
            (None, None) => 0,
        };
        Self { version: 1, healthy: exit_code == 0, exit_code, checks }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_and_gravity_has_an_exit_code_of_its_own() {
        let classes = [
            Class::Configuration,
            Class::Machine,
            Class::Database,
            Class::Keys,
            Class::Network,
            Class::Work,
            Class::Connections,
        ];
        let code = |checks: Vec<Check>| Report::of(checks).exit_code;
        let mut codes = vec![code(vec![Check::ok(Class::Work, "x", "fine")])];
        for class in classes {
            codes.push(code(vec![Check::fault(class, "x", "y", "z"), Check::ok(Class::Work, "x", "y")]));
            codes.push(code(vec![Check::warning(class, "x", "y", "z")]));
        }
        let all = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!((codes.len(), codes[0], codes[1], codes[all - 1]), (all, 0, 10, 26));
    }

    #[test]
    fn what_does_not_work_goes_before_warnings_and_causes_before_what_follows() {
        let checks = vec![
            Check::warning(Class::Configuration, "x", "y", "z"),
            Check::fault(Class::Work, "x", "y", "z"),
            Check::fault(Class::Database, "x", "y", "z"),
        ];
        assert_eq!(Report::of(checks).exit_code, 12);
    }
}
