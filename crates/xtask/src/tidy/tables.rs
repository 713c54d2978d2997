//! Rooms keep to their own tables: the list of tables in the architecture says whose each is.

use std::collections::BTreeMap;

use super::{Finding, Tree, Verdict};

const LIST: &str = "docs/ARCHITECTURE.md";
/// Behind these words a statement names a table.
const BEFORE_A_TABLE: [&str; 4] = ["from", "join", "into", "update"];
/// What a room may read of another all the same, and why.
const ALLOWED: [(&str, &str); 1] = [
    // An import keeps who connected only where that person is known here.
    ("crates/connector/src/store/export.rs", "users"),
];

/// No statement of a room names a table of another one.
pub(super) fn check(tree: &Tree) -> Verdict {
    let list = tree.files.iter().find(|file| file.path == LIST).ok_or("no list of tables")?;
    let owners: BTreeMap<&str, &str> = list.text.lines().filter_map(owner).collect();
    let rooms = ["accounts", "connector", "ingest", "feedback"];
    let mut findings: Vec<Finding> = Vec::new();
    for file in tree.product() {
        let Some(room) = rooms.into_iter().find(|room| file.path.starts_with(&format!("crates/{room}/src/")))
        else {
            continue;
        };
        for (line, text) in file.code() {
            for table in tables(text) {
                let foreign = owners.get(table).filter(|owner| **owner != room && rooms.contains(*owner));
                if let Some(owner) = foreign.filter(|_| !ALLOWED.contains(&(file.path.as_str(), table))) {
                    let why = format!("`{table}` belongs to `{owner}`; a door asks both rooms");
                    findings.push(file.finding(line, why));
                }
            }
        }
    }
    Ok(findings)
}

/// The table and its room in a line like "| `table` | `room` | ... |".
fn owner(line: &str) -> Option<(&str, &str)> {
    let mut cells = line.strip_prefix("| `")?.split('`');
    let (table, room) = (cells.next()?, cells.nth(1)?);
    (!room.contains(' ')).then_some((table, room))
}

/// What stands where a table may be named.
fn tables(line: &str) -> Vec<&str> {
    let words: Vec<&str> =
        line.split([' ', '(', ')', '"', ',', ';']).filter(|word| !word.is_empty()).collect();
    let pairs = words.windows(2).filter(|pair| BEFORE_A_TABLE.contains(&pair[0]));
    pairs.map(|pair| pair[1]).collect()
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{house, places};
    use super::check;

    #[test]
    fn a_statement_about_the_table_of_another_room_is_found() {
        let list =
            "| table | room | what |\n| `sessions` * | `accounts` | x |\n| `gong_calls` | `ingest` | x |\n";
        let good = "//! a\nfn a() { query(\"select * from gong_calls where x in (select y from b)\"); }\n";
        let bad = "//! a\nfn a() {\n  query(\"select 1\n    from gong_calls c join sessions s\");\n}\n";
        let files = |ours| {
            house(&[
                ("docs/ARCHITECTURE.md", list),
                ("crates/ingest/src/store/a.rs", ours),
                ("crates/jobs/src/a.rs", bad),
            ])
        };
        assert_eq!(places(check(&files(good))), [""; 0]);
        assert_eq!(places(check(&files(bad))), ["crates/ingest/src/store/a.rs:4"]);
        assert!(check(&house(&[])).is_err());
    }
}
