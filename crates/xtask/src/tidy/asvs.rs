//! docs/ASVS.md against OWASP ASVS 5.0.0: every requirement of levels 1 and 2 is shown by a test that exists, stands on a page
//! that exists, does not apply for a reason, or is waived, which few may be. Knows the numbers of the standard, none of its words.

use std::collections::BTreeMap;

use super::{File, Tree, Verdict, features, markdown};

const PAGE: &str = "docs/ASVS.md";
/// More waivers than this are no map but a list of holes.
const WAIVERS: usize = 10;
/// The shortest reason that says anything.
const REASON: usize = 20;

/// Section, and how many of its requirements are of level 1 or 2; those come first in every section. 253 in all.
const SECTIONS: [(&str, u32); 70] = [
    ("1.1", 2),
    ("1.2", 9),
    ("1.3", 11),
    ("1.4", 3),
    ("1.5", 2),
    ("2.1", 3),
    ("2.2", 3),
    ("2.3", 4),
    ("2.4", 1),
    ("3.2", 2),
    ("3.3", 4),
    ("3.4", 6),
    ("3.5", 5),
    ("3.7", 2),
    ("4.1", 3),
    ("4.2", 1),
    ("4.3", 2),
    ("4.4", 4),
    ("5.1", 1),
    ("5.2", 3),
    ("5.3", 2),
    ("5.4", 3),
    ("6.1", 3),
    ("6.2", 12),
    ("6.3", 4),
    ("6.4", 4),
    ("6.5", 5),
    ("6.6", 3),
    ("6.8", 4),
    ("7.1", 3),
    ("7.2", 4),
    ("7.3", 2),
    ("7.4", 5),
    ("7.5", 2),
    ("7.6", 2),
    ("8.1", 2),
    ("8.2", 3),
    ("8.3", 1),
    ("8.4", 1),
    ("9.1", 3),
    ("9.2", 4),
    ("10.1", 2),
    ("10.2", 2),
    ("10.3", 4),
    ("10.4", 11),
    ("10.5", 5),
    ("10.6", 2),
    ("10.7", 3),
    ("11.1", 2),
    ("11.2", 3),
    ("11.3", 3),
    ("11.4", 4),
    ("11.5", 1),
    ("11.6", 1),
    ("12.1", 3),
    ("12.2", 2),
    ("12.3", 4),
    ("13.1", 1),
    ("13.2", 5),
    ("13.3", 2),
    ("13.4", 5),
    ("14.1", 2),
    ("14.2", 4),
    ("14.3", 3),
    ("15.1", 3),
    ("15.2", 3),
    ("15.3", 7),
    ("16.1", 1),
    ("16.2", 5),
    ("16.3", 4),
];
/// The rest of them.
const MORE: [(&str, u32); 5] = [("16.4", 3), ("16.5", 3), ("17.1", 1), ("17.2", 4), ("17.3", 2)];
/// Sections that ask for documentation: a page can show these.
const ABOUT_PAGES: [&str; 10] = ["2.1", "5.1", "6.1", "7.1", "8.1", "11.1", "13.1", "14.1", "15.1", "16.1"];

/// Looks at the tables with the columns `id`, `state` and `shown by`.
pub(super) fn check(tree: &Tree) -> Verdict {
    let page = tree.file(PAGE).ok_or("docs/ASVS.md is not there")?;
    let mut findings = Vec::new();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut waivers = 0;
    for table in markdown::tables(&page.text) {
        let (Some(id), Some(state), Some(shown)) =
            (table.column("id"), table.column("state"), table.column("shown"))
        else {
            continue;
        };
        for (line, cells) in &table.rows {
            let cell = |at: usize| cells.get(at).map(String::as_str).unwrap_or_default();
            let Some(ids) = ids(cell(id)) else {
                findings
                    .push(page.finding(*line, format!("{:?} is no requirement of levels 1 and 2", cell(id))));
                continue;
            };
            waivers += if cell(state) == "waiver" { ids.len() } else { 0 };
            if let Some(why) = wrong(cell(state), cell(shown), &ids, tree) {
                findings.push(page.finding(*line, why));
            }
            for one in ids {
                if let Some(before) = seen.insert(one.clone(), *line) {
                    findings.push(page.finding(*line, format!("{one} stands in line {before}, too")));
                }
            }
        }
    }
    let missing: Vec<String> = all().filter(|id| !seen.contains_key(id)).collect();
    if !missing.is_empty() {
        findings.push(page.finding(1, format!("not answered: {}", missing.join(" "))));
    }
    if waivers > WAIVERS {
        findings.push(page.finding(1, format!("{waivers} waivers, more than {WAIVERS}")));
    }
    Ok(findings)
}

fn all() -> impl Iterator<Item = String> {
    let sections = SECTIONS.iter().chain(&MORE);
    sections.flat_map(|(section, count)| (1..=*count).map(move |n| format!("{section}.{n}")))
}

/// `6.2.1`, or `10.4.1-11`, or several with commas; `None` where one does not exist.
fn ids(cell: &str) -> Option<Vec<String>> {
    let mut found = Vec::new();
    for part in cell.split(',').map(str::trim) {
        let (first, last) = part.split_once('-').map_or((part, None), |(first, last)| (first, Some(last)));
        let (section, from) = first.rsplit_once('.')?;
        let from: u32 = from.parse().ok()?;
        let to: u32 = last.map_or(Some(from), |last| last.parse().ok())?;
        let (_, count) = SECTIONS.iter().chain(&MORE).find(|(name, _)| *name == section)?;
        if from == 0 || to < from || to > *count {
            return None;
        }
        found.extend((from..=to).map(|n| format!("{section}.{n}")));
    }
    Some(found)
}

/// What is wrong with one row.
fn wrong(state: &str, shown: &str, ids: &[String], tree: &Tree) -> Option<String> {
    match state {
        "test" => {
            let tests = markdown::ticked(shown);
            let lost: Vec<&str> =
                tests.iter().filter(|name| !features::is_test(name, tree)).copied().collect();
            match (tests.is_empty(), lost.is_empty()) {
                (true, _) => Some("names no test in backticks".to_owned()),
                (false, false) => Some(format!("there is no test {}", lost.join(", "))),
                _ => None,
            }
        }
        "page" => {
            let about =
                |id: &String| ABOUT_PAGES.iter().any(|section| id.starts_with(&format!("{section}.")));
            if !ids.iter().all(about) {
                return Some("a page shows only what asks for documentation".to_owned());
            }
            let links: Vec<&str> =
                shown.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
            let dead = links.iter().find(|link| !leads_somewhere(link, tree));
            match dead {
                _ if links.is_empty() => Some("names no page".to_owned()),
                Some(link) => Some(format!("{link} leads nowhere")),
                None => None,
            }
        }
        "n/a" if shown.len() < REASON => Some("say why it does not apply".to_owned()),
        "waiver" if !shown.contains("Signed: ") || shown.len() < 2 * REASON => {
            Some("a waiver says why, and who signed it when".to_owned())
        }
        "n/a" | "waiver" => None,
        other => Some(format!("{other:?} is no state: test, page, n/a or waiver")),
    }
}

/// A page of docs/ and a heading on it.
fn leads_somewhere(link: &str, tree: &Tree) -> bool {
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let file = tree.file(&format!("docs/{path}"));
    file.is_some_and(|file| anchor.is_empty() || headings(file).any(|heading| heading == anchor))
}

fn headings(file: &File) -> impl Iterator<Item = String> {
    let lines = markdown::prose(&file.text).filter_map(|(_, line)| line.strip_prefix('#'));
    lines.map(|line| {
        let words = line.trim_start_matches('#').trim().to_lowercase();
        words
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-'))
            .collect::<String>()
            .replace(' ', "-")
    })
}

#[cfg(test)]
mod tests {
    use super::{all, check, ids};
    use crate::tidy::fixture::{house, places};

    /// A page that answers everything with these rows in place of what they are about.
    fn findings(rows: &[(&str, &str, &str)]) -> Vec<String> {
        let answered: Vec<String> = rows.iter().filter_map(|(id, ..)| ids(id)).flatten().collect();
        let mut page = String::from("# A\n\n| id | state | shown by |\n|---|---|---|\n");
        for (id, state, shown) in rows {
            page += &format!("| {id} | {state} | {shown} |\n");
        }
        for id in all().filter(|id| !answered.contains(id)) {
            page += &format!("| {id} | n/a | because there is nothing of that kind |\n");
        }
        let tree = house(&[
            ("docs/ASVS.md", &page),
            ("docs/SECURITY.md", "# Security\n\n## What's worth it, and for whom\n"),
            ("tests/it/a.rs", "//! x\nfn tok_01_a() {}\n"),
        ]);
        places(check(&tree))
    }

    #[test]
    fn ops_18_there_are_253_requirements() {
        assert_eq!(all().count(), 253);
        assert_eq!(ids("10.4.1-3, 6.2.12").unwrap().len(), 4);
        for wrong in ["6.2.13", "6.7.1", "10.4.3-1", "6.2.0", "6.2", "x"] {
            assert_eq!(ids(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn ops_18_what_is_shown_by_nothing_is_found() {
        let signed = "Nothing does this yet. Signed: somebody, 2026-01-01.";
        let good = [
            ("1.1.1", "test", "`tok_01_a`"),
            ("6.1.1", "page", "[here](SECURITY.md#whats-worth-it-and-for-whom)"),
            ("6.2.12", "waiver", signed),
        ];
        assert!(findings(&good).is_empty(), "{:?}", findings(&good));
        for bad in [
            ("1.1.1", "test", "`tok_02_b`"),
            ("1.1.1", "test", "we looked at it"),
            ("1.1.1", "page", "[here](SECURITY.md)"),
            ("6.1.1", "page", "[here](SECURITY.md#nowhere)"),
            ("6.1.1", "page", "[here](GONE.md)"),
            ("6.1.1", "n/a", "no"),
            ("6.2.12", "waiver", "later, when there is more time for it"),
            ("6.2.12", "fine", "it is fine, really, believe us"),
            ("6.2.99", "n/a", "because there is nothing of that kind"),
        ] {
            assert_eq!(findings(&[bad]).len(), 1, "{bad:?}");
        }
        let doubled = [("1.1.1", "test", "`tok_01_a`"), ("1.1.1-2", "test", "`tok_01_a`")];
        assert_eq!(findings(&doubled).len(), 1);
        assert!(findings(&[("6.2.1-10", "waiver", signed)]).is_empty(), "ten are the most");
        assert_eq!(findings(&[("6.2.1-11", "waiver", signed)]), ["docs/ASVS.md:1"]);
        assert_eq!(
            places(check(&house(&[("docs/ASVS.md", "# A\n")]))),
            ["docs/ASVS.md:1"],
            "an empty page answers nothing"
        );
    }
}
