//! Just enough Markdown for the rules: words in backticks, links, tables. Code blocks are left out.

/// A table with its header in lower case and its rows with their line numbers.
pub(super) struct Table {
    pub(super) header: Vec<String>,
    pub(super) rows: Vec<(usize, Vec<String>)>,
}

impl Table {
    /// Which column has this name.
    pub(super) fn column(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|cell| cell == name || cell.split(' ').any(|word| word == name))
    }
}

/// The lines outside of fenced code, counted from 1.
pub(super) fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(at, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence).then_some((at + 1, line))
    })
}

/// What stands in backticks on one line.
pub(super) fn ticked(line: &str) -> Vec<&str> {
    line.split('`').skip(1).step_by(2).collect()
}

/// The targets of the links on one line that stay in the repository, without their anchors.
pub(super) fn links(line: &str) -> Vec<&str> {
    let targets = line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
    let inner = targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:"));
    inner.filter_map(|target| target.split('#').next()).filter(|target| !target.is_empty()).collect()
}

/// All tables of a page.
pub(super) fn tables(text: &str) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    let mut inside = false;
    for (line, row) in prose(text) {
        let is_row = row.trim_start().starts_with('|');
        match (inside, is_row) {
            (false, true) => {
                let header = cells(row).into_iter().map(|cell| cell.to_lowercase()).collect();
                tables.push(Table { header, rows: Vec::new() });
            }
            (true, true) if !row.chars().all(|sign| "|-: ".contains(sign)) => {
                if let Some(table) = tables.last_mut() {
                    table.rows.push((line, cells(row)));
                }
            }
            _ => {}
        }
        inside = is_row;
    }
    tables
}

fn cells(row: &str) -> Vec<String> {
    let row = row.trim().trim_start_matches('|');
    let row = row.strip_suffix('|').unwrap_or(row);
    let mut cells = vec![String::new()];
    let mut ticked = false;
    for sign in row.chars() {
        ticked ^= sign == '`';
        match cells.last_mut() {
            Some(cell) if sign != '|' || ticked => cell.push(sign),
            _ => cells.push(String::new()),
        }
    }
    cells.into_iter().map(|cell| cell.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::{links, prose, tables, ticked};

    #[test]
    fn words_links_and_tables_are_found() {
        assert_eq!(ticked("a `b` c `d/e`"), ["b", "d/e"]);
        assert_eq!(links("[a](docs/A.md#top) [b](https://x.test) [c](#d)"), ["docs/A.md"]);
        assert_eq!(prose("a\n```\nb\n```\nc").map(|(line, _)| line).collect::<Vec<_>>(), [1, 5]);

        let tables = tables("| Crate | State |\n|---|---|\n| `a|b` | works |\n\n| x |\n|--|\n| y |\n");
        assert_eq!(tables.len(), 2);
        assert_eq!(tables[0].column("state"), Some(1));
        assert_eq!(tables[0].rows, [(3, vec!["`a|b`".to_owned(), "works".to_owned()])]);
    }
}
