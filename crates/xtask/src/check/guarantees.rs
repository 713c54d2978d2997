//! docs/GUARANTEES.md: which promise is shown by which test, and how that ended, taken from the reports of a test run.
//! Nobody types this file. Knows report files and test names, nothing of what is promised.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use crate::fault::{Doing, Fault};

/// Where nextest writes its report (see .config/nextest.toml).
pub(super) const STORIES: &str = "target/nextest/default/junit.xml";
/// Where the browser step has Node write its report.
pub(super) const BROWSER: &str = "target/xtask/browser.xml";

/// The promises of the core. One without a test stands in the table as such.
const PROMISED: &[(&str, &[u32])] = &[
    ("TOK", &[1, 2, 3, 4, 5, 6, 9, 10, 12, 17, 18, 20, 22, 23, 24, 27, 28, 30, 34, 35]),
    ("TEN", &[1, 2, 3, 5, 6, 8, 9, 13, 14]),
    ("JOB", &[2, 5, 6, 11, 15, 17, 21, 22, 23]),
    ("PRV", &[1, 3, 6, 7]),
    ("UIX", &[1, 2, 3, 4, 5, 6, 9, 11, 12, 16]),
    ("API", &[1, 2, 8, 9]),
    ("OPS", &[1, 2, 3, 6, 7, 10]),
];

/// One test of a report.
#[derive(Debug, PartialEq, Eq)]
struct Case {
    name: String,
    ended: Ended,
}

/// How a test ended. The worst of several counts for a promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ended {
    Passed,
    /// Not at the first try: nextest was allowed another one.
    Retried,
    Failed,
}

impl Ended {
    const fn words(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Retried => "passed, not at the first try",
            Self::Failed => "FAILED",
        }
    }
}

/// Writes the table from the reports of this run; nothing is written when a report is missing.
pub(super) fn write(root: &Path) -> Result<(), Fault> {
    let mut cases = Vec::new();
    for report in [STORIES, BROWSER] {
        let Ok(text) = std::fs::read_to_string(root.join(report)) else {
            println!("docs/GUARANTEES.md stays as it is: {report} was not written by this run");
            return Ok(());
        };
        cases.extend(read(&text));
    }
    let mut table = table(&cases);
    let experiments = crate::prove::report::summary(root);
    if !experiments.is_empty() {
        let _ = write!(table, "\n{experiments}");
    }
    let file = root.join("docs/GUARANTEES.md");
    if std::fs::read_to_string(&file).unwrap_or_default() != table {
        std::fs::write(&file, table).doing("writing docs/GUARANTEES.md")?;
        println!("docs/GUARANTEES.md was written anew");
    }
    Ok(())
}

/// The test cases of a JUnit report, in either dialect.
fn read(report: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    for piece in report.split("<testcase ").skip(1) {
        let end = piece.find("</testcase>").or_else(|| piece.find("/>")).unwrap_or(piece.len());
        let (head, body) = piece.split_at(piece.find('>').unwrap_or(0).min(end));
        let Some(name) = attribute(head, "name") else { continue };
        let body = &body[..end.saturating_sub(head.len()).min(body.len())];
        let ended = match body {
            body if body.contains("<failure") => Ended::Failed,
            body if body.contains("<flakyFailure") => Ended::Retried,
            _ => Ended::Passed,
        };
        cases.push(Case { name, ended });
    }
    cases
}

fn attribute(head: &str, name: &str) -> Option<String> {
    let from = head.find(&format!("{name}=\""))? + name.len() + 2;
    let value = head[from..].split('"').next()?;
    let pairs = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    Some(pairs.iter().fold(value.to_owned(), |text, (code, sign)| text.replace(code, sign)))
}

/// The ids in a test's name, such as `tok_01` or `UIX-06`, and the rest of it as words.
fn ids(name: &str) -> (Vec<String>, String) {
    let plain = name.rsplit("::").next().unwrap_or(name).replace(['_', '-'], " ");
    let words: Vec<&str> = plain.split_whitespace().collect();
    let (mut ids, mut rest, mut family) = (Vec::new(), Vec::new(), None);
    for word in words {
        let upper = word.to_uppercase();
        let number = word.trim_end_matches([',', ':']).parse::<u32>().ok().filter(|_| word.len() <= 3);
        if rest.is_empty() && PROMISED.iter().any(|(known, _)| *known == upper) {
            family = Some(upper);
        } else if let (Some(family), Some(number), true) = (&family, number, rest.is_empty()) {
            ids.push(format!("{family}-{number:02}"));
        } else if !(rest.is_empty() && matches!(word, "and" | "+" | "&")) {
            rest.push(word);
        }
    }
    (ids, rest.join(" "))
}

fn table(cases: &[Case]) -> String {
    let mut rows: BTreeMap<String, Vec<(String, Ended)>> = BTreeMap::new();
    for case in cases {
        let (ids, words) = ids(&case.name);
        for id in ids {
            rows.entry(id).or_default().push((words.clone(), case.ended));
        }
    }
    let mut text = String::from(
        "# Guarantees\n\nWritten by `cargo xtask test` from the reports of its run; do not edit. Each promise of the core stands \
         beside the tests\nthat would fail if it were broken. Larger counts and fault experiments stand in a table of their own below.\n\n\
         | id | shown by | last run |\n|---|---|---|\n",
    );
    let promised =
        PROMISED.iter().flat_map(|(family, numbers)| numbers.iter().map(move |n| format!("{family}-{n:02}")));
    let mut shown = 0;
    let promised: Vec<String> = promised.collect();
    for id in &promised {
        let Some(tests) = rows.get(id) else {
            let _ = writeln!(text, "| {id} | no test yet | - |");
            continue;
        };
        let ended = tests.iter().map(|(_, ended)| *ended).max().unwrap_or(Ended::Failed);
        shown += usize::from(ended != Ended::Failed);
        let mut words: Vec<&str> = tests.iter().map(|(words, _)| words.as_str()).collect();
        // They end in another order each time.
        words.sort_unstable();
        let _ = writeln!(text, "| {id} | {} | {} |", words.join("; "), ended.words());
    }
    let _ = writeln!(text, "\n{shown} of {} shown.", promised.len());
    let beyond: Vec<&String> = rows.keys().filter(|id| !promised.contains(id)).collect();
    if !beyond.is_empty() {
        let list: Vec<&str> = beyond.iter().map(|id| id.as_str()).collect();
        let _ = writeln!(text, "\nTests beyond the core's list: {}.", list.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_dialects_of_a_report_are_read() {
        let nextest = r#"<testsuite name="stories::tokens"><testcase name="connecting::tok_01_another_browser_is_refused" classname="x" time="1.0">
            </testcase><testcase name="tok_04_once" classname="x"><failure type="test failure">boom</failure></testcase>
            <testcase name="tok_05_late" classname="x"><flakyFailure type="test failure">slow</flakyFailure></testcase></testsuite>"#;
        let node = r#"<testcase name="UIX-06 every page &amp; state" time="0.1" classname="test"/><testcase name="UIX-01 words agree"><failure/></testcase>"#;
        let cases = [read(nextest), read(node)].concat_cases();
        let names: Vec<(&str, Ended)> = cases.iter().map(|c| (c.name.as_str(), c.ended)).collect();
        assert_eq!(
            names,
            [
                ("connecting::tok_01_another_browser_is_refused", Ended::Passed),
                ("tok_04_once", Ended::Failed),
                ("tok_05_late", Ended::Retried),
                ("UIX-06 every page & state", Ended::Passed),
                ("UIX-01 words agree", Ended::Failed)
            ]
        );
    }

    trait Concat {
        fn concat_cases(self) -> Vec<Case>;
    }

    impl Concat for [Vec<Case>; 2] {
        fn concat_cases(self) -> Vec<Case> {
            self.into_iter().flatten().collect()
        }
    }

    #[test]
    fn ids_are_found_in_names_of_either_style() {
        let (found, words) = ids("connecting::tok_01_02_another_browser_of_50");
        assert_eq!(found, ["TOK-01", "TOK-02"]);
        assert_eq!(words, "another browser of 50");
        assert_eq!(ids("UIX-06 no violation on any page").0, ["UIX-06"]);
        assert!(ids("a_token_is_sealed_01").0.is_empty());
    }

    #[test]
    fn a_promise_without_a_test_and_a_failed_one_are_said() {
        use Ended::{Failed, Passed, Retried};
        let case = |name: &str, ended| Case { name: name.to_owned(), ended };
        let text = table(&[
            case("tok_01_a", Passed),
            case("tok_01_b", Failed),
            case("tok_02_c", Passed),
            case("tok_03_d", Retried),
            case("tok_03_e", Passed),
        ]);
        assert!(text.contains("| TOK-01 | a; b | FAILED |"), "{text}");
        assert!(text.contains("| TOK-02 | c | passed |"), "{text}");
        assert!(text.contains("| OPS-10 | no test yet | - |"), "{text}");
        assert!(text.contains("| TOK-03 | d; e | passed, not at the first try |"), "{text}");
        assert!(text.contains("2 of 62 shown."), "{text}");
    }
}
