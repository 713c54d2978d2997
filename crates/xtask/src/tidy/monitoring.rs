//! The dashboard and the alert rules: every metric that they name is one that the product shows, or that a rule records.

use std::collections::BTreeSet;

use super::{File, Tree, Verdict, literals};

const RULES: &str = "docs/monitoring/rules.yml";
const DASHBOARD: &str = "docs/monitoring/soundpost.json";
/// What our metrics begin with; anything else in an expression is Prometheus' own.
const BEGINNINGS: [&str; 6] = ["soundpost_", "soundpost:", "gong_", "api_rate_", "validation_", "active_"];
const HISTOGRAM: [&str; 3] = ["_bucket", "_sum", "_count"];

/// Looks at expressions only: texts may say what they like.
pub(super) fn check(tree: &Tree) -> Verdict {
    let rules = tree.file(RULES).ok_or("docs/monitoring/rules.yml is not there")?;
    let dashboard = tree.file(DASHBOARD).ok_or("docs/monitoring/soundpost.json is not there")?;
    let shown: BTreeSet<&str> = tree
        .product()
        .flat_map(File::statements)
        .flat_map(|(_, line)| literals(line))
        .filter(|word| names(word).len() == 1 && names(word)[0] == *word)
        .collect();
    let recorded: BTreeSet<&str> =
        rules.text.lines().filter_map(|line| line.trim().strip_prefix("- record: ")).collect();
    let mut findings = Vec::new();
    for (file, start) in [(rules, "expr:"), (dashboard, "\"expr\":")] {
        for (at, line) in file.text.lines().enumerate().filter(|(_, line)| line.trim().starts_with(start)) {
            for name in names(line) {
                let base = HISTOGRAM.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
                if !(shown.contains(name) || shown.contains(base) || recorded.contains(name)) {
                    findings.push(file.finding(at + 1, format!("nothing shows the metric {name}")));
                }
            }
        }
    }
    Ok(findings)
}

/// The names of metrics of ours in an expression.
fn names(text: &str) -> Vec<&str> {
    let words = text.split(|sign: char| !(sign.is_ascii_alphanumeric() || sign == '_' || sign == ':'));
    words
        .filter(|word| BEGINNINGS.iter().any(|start| word.starts_with(start) && word.len() > start.len()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::fixture::{house, places};

    #[test]
    fn ops_03_a_dashboard_over_a_metric_that_nothing_shows_is_found() {
        let code = "//! x\nfn a() {\n    metrics::gauge!(\"soundpost_jobs_due\").set(1.0);\n    metrics::histogram!(\"soundpost_job_seconds\");\n}\n";
        let rules = "      - record: soundpost:up\n        expr: max(up) * soundpost_jobs_due\n      - alert: A\n        expr: soundpost_gone > 0\n        summary: soundpost_words\n";
        let dashboard = "{\n\"title\": \"soundpost_title\",\n\"expr\": \"rate(soundpost_job_seconds_bucket[5m]) + soundpost:up\"\n,\n\"expr\": \"soundpost_jobs_dues\"\n}\n";
        let tree = house(&[
            ("crates/soundpost/src/gauges.rs", code),
            ("docs/monitoring/rules.yml", rules),
            ("docs/monitoring/soundpost.json", dashboard),
        ]);
        assert_eq!(places(check(&tree)), ["docs/monitoring/rules.yml:4", "docs/monitoring/soundpost.json:5"]);
        assert!(check(&house(&[("docs/monitoring/rules.yml", rules)])).is_err());
    }
}
