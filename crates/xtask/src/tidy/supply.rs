//! The supply chain, without a tool and without a network: licences and sources that deny.toml allows, a lock file that is
//! complete, scripts that keep to it. `cargo deny` looks at the same and at advisories.

use super::{File, Finding, Tree, Verdict, markdown};
use crate::supply::{Locked, locked};

const POLICY: &str = "deny.toml";
const LOCK: &str = "Cargo.lock";
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Every licence is one that deny.toml allows, for everybody or for that crate.
pub(super) fn licences(tree: &Tree) -> Verdict {
    let policy = tree.file(POLICY).ok_or("deny.toml is not there")?;
    if tree.licences.is_empty() {
        return Err("cargo metadata could not list all crates (no network, and not downloaded yet)");
    }
    let allowed = quoted_after(policy, "[licenses]", "allow = [");
    let exceptions: Vec<&str> = policy.text.lines().filter(|line| line.contains("name = \"")).collect();
    let is_exception = |name: &str, licence: &str| {
        let (name, licence) = (format!("name = \"{name}\""), format!("allow = [\"{licence}\"]"));
        exceptions.iter().any(|line| line.contains(&name) && line.contains(&licence))
    };
    let mut findings = Vec::new();
    for licence in &tree.licences {
        let says = licence.expression.as_deref().unwrap_or_default();
        if !allows(says, &|one| allowed.contains(&one) || is_exception(&licence.name, one)) {
            let why = format!(
                "{} {} has the licence {says:?}, which is not allowed",
                licence.name, licence.version
            );
            findings.push(policy.finding(1, why));
        }
    }
    Ok(findings)
}

/// Whether an SPDX expression can be met: `OR` needs one side, `AND` both, `WITH` belongs to its licence, `/` is an old `OR`.
fn allows(expression: &str, allowed: &dyn Fn(&str) -> bool) -> bool {
    let expression = expression.trim();
    let depth_zero = |word: &str| {
        let mut depth = 0_i32;
        expression.char_indices().find_map(|(at, sign)| {
            depth += i32::from(sign == '(') - i32::from(sign == ')');
            (depth == 0 && expression[at..].starts_with(word)).then_some((at, at + word.len()))
        })
    };
    for (word, both) in [(" OR ", false), ("/", false), (" AND ", true)] {
        if let Some((left, right)) = depth_zero(word) {
            let (left, right) = (allows(&expression[..left], allowed), allows(&expression[right..], allowed));
            return if both { left && right } else { left || right };
        }
    }
    match expression.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) {
        Some(inner) => allows(inner, allowed),
        None => allowed(expression),
    }
}

/// The quoted words of a list that begins with `start`, in one section.
fn quoted_after<'a>(file: &'a File, section: &str, start: &str) -> Vec<&'a str> {
    let inside = file.text.lines().skip_while(|line| *line != section).skip(1);
    let inside = inside.take_while(|line| !line.starts_with('['));
    let list =
        inside.skip_while(|line| !line.starts_with(start)).skip(1).take_while(|line| !line.starts_with(']'));
    list.flat_map(|line| line.split('"').skip(1).step_by(2).take(1)).collect()
}

/// Everything comes from crates.io with a checksum, nothing that deny.toml bans, and no JSON web tokens with known holes.
pub(super) fn sources(tree: &Tree) -> Verdict {
    let file = tree.file(LOCK).ok_or("Cargo.lock is not there")?;
    let policy = tree.file(POLICY).ok_or("deny.toml is not there")?;
    let all = locked(&file.text);
    let banned: Vec<&str> =
        policy.text.lines().filter(|line| line.contains("name = \"") && line.contains("reason = ")).collect();
    let mut findings = Vec::new();
    for one in &all {
        let mut bad = |why: String| {
            findings.push(file.finding(one.line, format!("{} {}: {why}", one.name, one.version)))
        };
        match one.source.as_deref() {
            None if tree.packages.iter().all(|ours| ours.name != one.name) => {
                bad("is none of our crates and has no source".to_owned())
            }
            Some(source) if source != REGISTRY => bad(format!("comes from {source}, not from crates.io")),
            Some(_) if one.checksum.is_none() => bad("has no checksum".to_owned()),
            _ => {}
        }
        let name = format!("name = \"{}\"", one.name);
        if let Some(ban) = banned.iter().find(|line| line.contains(&name))
            && !is_wrapped(one, ban, &all)
        {
            bad(format!("is banned by {POLICY}"));
        }
        if one.name == "jsonwebtoken" && version(&one.version) < [10, 3] {
            bad("has known holes; 10.3 is the first without them".to_owned());
        }
    }
    Ok(findings)
}

/// Whether only those use it that the ban lets through.
fn is_wrapped(one: &Locked, ban: &str, all: &[Locked]) -> bool {
    let Some((_, wrappers)) = ban.split_once("wrappers = [") else { return false };
    let wrappers: Vec<&str> =
        wrappers.split(']').next().unwrap_or_default().split('"').skip(1).step_by(2).collect();
    let uses =
        |other: &&Locked| other.dependencies.iter().any(|name| name.split(' ').next() == Some(&one.name));
    all.iter().filter(uses).all(|user| wrappers.contains(&user.name.as_str()))
}

fn version(text: &str) -> [u64; 2] {
    let mut parts = text.split('.').map(|part| part.parse().unwrap_or(0));
    [parts.next().unwrap_or(0), parts.next().unwrap_or(0)]
}

/// The inventory of cryptography in docs/SECURITY.md and what our crates depend on are the same, so that every primitive comes
/// from a published crate that somebody chose, and none is home-made or slipped in.
pub(super) fn cryptography(tree: &Tree) -> Verdict {
    const PAGE: &str = "docs/SECURITY.md";
    let page = tree.file(PAGE).ok_or("docs/SECURITY.md is not there")?;
    let mut listed: Vec<(usize, String)> = Vec::new();
    for table in markdown::tables(&page.text) {
        let (Some(at), Some(_)) = (table.column("package"), table.column("algorithm")) else { continue };
        for (line, cells) in &table.rows {
            let names = cells.get(at).map(|cell| markdown::ticked(cell)).unwrap_or_default();
            listed.extend(names.into_iter().map(|name| (*line, name.to_owned())));
        }
    }
    let ours = tree.packages.iter().filter(|p| !matches!(p.name.as_str(), "gong-sim" | "stories" | "xtask"));
    let used: Vec<(&str, &str)> = ours
        .flat_map(|p| {
            p.dependencies.iter().filter(|d| !d.for_tests).map(|d| (p.name.as_str(), d.name.as_str()))
        })
        .collect();
    let mut findings = Vec::new();
    for (owner, name) in &used {
        if is_cryptography(name) && !listed.iter().any(|(_, listed)| listed == name) {
            findings.push(
                page.finding(
                    1,
                    format!("{owner} uses {name}, which the inventory of cryptography leaves out"),
                ),
            );
        }
    }
    for (line, name) in &listed {
        if !used.iter().any(|(_, used)| used == name) {
            findings.push(page.finding(*line, format!("no crate of ours depends on {name}")));
        }
    }
    Ok(findings)
}

/// Crates that are, or make, cryptography, by the names that are usual.
fn is_cryptography(name: &str) -> bool {
    const PARTS: [&str; 30] = [
        "fernet",
        "argon2",
        "scrypt",
        "bcrypt",
        "pbkdf2",
        "hkdf",
        "hmac",
        "sha1",
        "sha2",
        "sha3",
        "sha-1",
        "md5",
        "md-5",
        "blake",
        "aes",
        "chacha",
        "salsa",
        "rsa",
        "dsa",
        "ed25519",
        "x25519",
        "curve25519",
        "ring",
        "openssl",
        "aws-lc",
        "rustls",
        "crypto",
        "subtle",
        "getrandom",
        "jsonwebtoken",
    ];
    PARTS.iter().any(|part| {
        name == *part || name.starts_with(&format!("{part}-")) || name.starts_with(&format!("{part}_"))
    }) || ["blake2", "blake3", "aes-gcm", "chacha20", "rand", "libcrux", "sodiumoxide", "orion"]
        .contains(&name)
}

/// Scripts that build keep to the lock file.
pub(super) fn locked_builds(tree: &Tree) -> Verdict {
    let scripts = tree.files.iter().filter(|f| f.path == "Dockerfile" || f.path.starts_with(".ci/"));
    let mut findings: Vec<Finding> = Vec::new();
    for script in scripts {
        for (at, line) in
            script.text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with('#'))
        {
            let builds = ["build", "run", "test", "install", "nextest", "xtask"];
            let cargo = builds.iter().any(|word| line.contains(&format!("cargo {word}")));
            if cargo && !line.contains("--locked") {
                findings.push(
                    script.finding(at + 1, "call cargo with --locked: what is built is what was tested"),
                );
            }
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::{allows, cryptography, licences, locked_builds, sources};
    use crate::supply::Licence;
    use crate::tidy::fixture::{house, places};
    use crate::workspace::{Dependency, Package};

    const POLICY: &str = "[licenses]\nallow = [\n  \"MIT\",\n  \"Apache-2.0\", # words\n]\nexceptions = [{ name = \"fernet\", allow = [\"MPL-2.0\"] }]\n\
        [bans]\ndeny = [\n  { name = \"openssl\", reason = \"x\" },\n  { name = \"chrono\", wrappers = [\"oauth2\"], reason = \"x\" },\n]\n";

    #[test]
    fn ops_15_a_licence_that_is_not_allowed_is_found() {
        let judge = |name: &str, expression: Option<&str>| {
            let mut tree = house(&[("deny.toml", POLICY)]);
            let expression = expression.map(str::to_owned);
            tree.licences.push(Licence { name: name.to_owned(), version: "1.0.0".to_owned(), expression });
            places(licences(&tree)).len()
        };
        for fine in ["MIT", "MIT OR GPL-3.0", "GPL-3.0/MIT", "(MIT OR GPL-3.0) AND Apache-2.0"] {
            assert_eq!(judge("a", Some(fine)), 0, "{fine}");
        }
        for bad in ["GPL-3.0", "AGPL-3.0-only", "MIT AND GPL-3.0", "MPL-2.0", "Apache-2.0 WITH X", ""] {
            assert_eq!(judge("a", Some(bad)), 1, "{bad}");
        }
        assert_eq!((judge("a", None), judge("fernet", Some("MPL-2.0"))), (1, 0));
        assert!(
            licences(&house(&[("deny.toml", POLICY)])).is_err(),
            "without a list nothing is said to be fine"
        );
        assert!(allows("A AND (B OR C)", &|one| one == "A" || one == "C"));
    }

    #[test]
    fn ops_15_a_crate_from_elsewhere_a_banned_one_and_one_with_holes_are_found() {
        let lock = |body: &str| {
            let text = format!("[[package]]\n{body}\n");
            places(sources(&house(&[("deny.toml", POLICY), ("Cargo.lock", &text)]))).len()
        };
        let registry =
            "source = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"00\"";
        assert_eq!(lock(&format!("name = \"a\"\nversion = \"1.0.0\"\n{registry}")), 0);
        assert_eq!(lock("name = \"a\"\nversion = \"1.0.0\"\nsource = \"git+https://x.example/a#1\""), 1);
        assert_eq!(
            lock(
                "name = \"a\"\nversion = \"1.0.0\"\nsource = \"registry+https://mirror.example\"\nchecksum = \"00\""
            ),
            1
        );
        assert_eq!(
            lock(
                "name = \"a\"\nversion = \"1.0.0\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\""
            ),
            1
        );
        assert_eq!(lock("name = \"a\"\nversion = \"1.0.0\""), 1, "a crate beside the workspace");
        assert_eq!(lock(&format!("name = \"openssl\"\nversion = \"1.0.0\"\n{registry}")), 1);
        assert_eq!(lock(&format!("name = \"jsonwebtoken\"\nversion = \"10.2.9\"\n{registry}")), 1);
        assert_eq!(lock(&format!("name = \"jsonwebtoken\"\nversion = \"10.3.0\"\n{registry}")), 0);
        let chrono = |user: &str| {
            lock(&format!(
                "name = \"chrono\"\nversion = \"1.0.0\"\n{registry}\n[[package]]\nname = \"{user}\"\nversion = \"1.0.0\"\n{registry}\ndependencies = [\n \"chrono\",\n]"
            ))
        };
        assert_eq!((chrono("oauth2"), chrono("other")), (0, 1));
    }

    #[test]
    fn ops_18_cryptography_that_the_inventory_leaves_out_is_found() {
        let judge = |inventory: &str, uses: &[&str]| {
            let page = format!(
                "# S\n\n| what | algorithm | package |\n|---|---|---|\n| seals | Fernet | {inventory} |\n"
            );
            let mut tree = house(&[("docs/SECURITY.md", &page)]);
            let dependency = |name: &&str| Dependency { name: (*name).to_owned(), for_tests: false };
            let dependencies = uses.iter().map(dependency).collect();
            tree.packages.push(Package { name: "vault".to_owned(), manifest: String::new(), dependencies });
            places(cryptography(&tree)).len()
        };
        assert_eq!(judge("`fernet`", &["fernet", "serde", "url"]), 0);
        assert_eq!(judge("`fernet`", &["fernet", "md-5"]), 1);
        assert_eq!(judge("`fernet`", &["fernet", "aes-gcm", "ring"]), 2);
        assert_eq!(judge("`fernet`", &["serde"]), 1, "the inventory lists what is gone");
    }

    #[test]
    fn ops_15_a_script_that_may_change_the_lock_file_is_found() {
        let docker = "RUN cargo build --release --locked\n# cargo build\nRUN cargo install x\n";
        let tree = house(&[
            ("Dockerfile", docker),
            (".ci/run", "cargo xtask test\n"),
            ("README.md", "cargo build\n"),
        ]);
        assert_eq!(places(locked_builds(&tree)), ["Dockerfile:3", ".ci/run:1"]);
    }
}
