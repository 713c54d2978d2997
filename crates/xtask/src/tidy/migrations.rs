//! Migrations that run while everything goes on: an index on a table that may be large is built beside the traffic.

use super::{File, Finding, Tree, Verdict};

/// Those up to here landed before the rule, and what landed is never changed.
const BEFORE_THE_RULE: u32 = 12;
/// What has sqlx run a file outside of a transaction.
const OUTSIDE: &str = "-- no-transaction";

/// An index on a table that is not new is made `concurrently`, alone in its file, outside of a transaction.
pub(super) fn check(tree: &Tree) -> Verdict {
    Ok(tree.files.iter().filter(|file| number(file) > Some(BEFORE_THE_RULE)).flat_map(findings).collect())
}

/// The number of a migration.
fn number(file: &File) -> Option<u32> {
    let name = file.path.strip_prefix("migrations/")?.strip_suffix(".sql")?;
    name.split('_').next()?.parse().ok()
}

fn findings(file: &File) -> Vec<Finding> {
    let code: Vec<String> =
        file.text.lines().map(|line| line.split("--").next().unwrap_or_default().to_lowercase()).collect();
    let words: Vec<&str> =
        code.iter().flat_map(|line| line.split([' ', '(', '\t'])).filter(|w| !w.is_empty()).collect();
    let is_new =
        |table: &str| words.windows(3).any(|three| three[..2] == ["create", "table"] && three[2] == table);
    let statements = code.iter().map(|line| line.matches(';').count()).sum::<usize>();
    let outside = file.text.starts_with(OUTSIDE);
    let mut found = Vec::new();
    if outside && statements > 1 {
        let why = "what runs outside of a transaction is not undone: one statement a file";
        found.push(file.finding(1, why));
    }
    for (at, line) in code.iter().enumerate() {
        if !(line.contains("create index") || line.contains("create unique index")) {
            continue;
        }
        let rest = code[at..].join(" ");
        let table =
            rest.split(" on ").nth(1).and_then(|rest| rest.split([' ', '(']).next()).unwrap_or_default();
        if !(is_new(table) || outside && line.contains("concurrently")) {
            let why = format!(
                "an index on {table}, which may be large: `create index concurrently` alone in a file that begins with `{OUTSIDE}`"
            );
            found.push(file.finding(at + 1, why));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{house, places};
    use super::check;

    #[test]
    fn an_index_on_a_table_of_before_is_built_beside_the_traffic() {
        let good = "-- no-transaction\n-- Why.\ncreate index concurrently calls_b\n    on calls (b);\n";
        let new = "create table things (a int);\ncreate index things_a on things (a);\nalter table calls add column c int;\n";
        let bad = "alter table calls add column b int;\ncreate unique index calls_b on calls (b);\n";
        let two = "-- no-transaction\ncreate index concurrently a on calls (a);\ncreate index concurrently b on calls (b);\n";
        let files = [
            ("migrations/0006_speed.sql", bad),
            ("migrations/0020_good.sql", good),
            ("migrations/0021_new.sql", new),
            ("migrations/0022_bad.sql", bad),
            ("migrations/0023_two.sql", two),
            ("migrations/0024_within.sql", "create index concurrently a on calls (a);\n"),
        ];
        let expected =
            ["migrations/0022_bad.sql:2", "migrations/0023_two.sql:1", "migrations/0024_within.sql:1"];
        assert_eq!(places(check(&house(&files))), expected);
    }
}
