//! The image and the compose file: no root, no shell, nothing to write to, no secrets in layers, nothing that floats.

use super::{File, Finding, Tree, Verdict};

/// Words that names of secrets contain.
const SECRET_WORDS: [&str; 5] = ["SECRET", "PASSWORD", "TOKEN", "_KEY", "DATABASE_URL"];

/// One stage of a Dockerfile: the line it begins at, what it is from, its instructions.
struct Stage<'a> {
    line: usize,
    from: &'a str,
    name: &'a str,
    steps: Vec<(usize, &'a str, String)>,
}

/// Checks the Dockerfile.
pub(super) fn image(tree: &Tree) -> Verdict {
    let file = tree.file("Dockerfile").ok_or("there is no Dockerfile")?;
    let stages = stages(&file.text);
    let mut findings = Vec::new();
    let names: Vec<&str> = stages.iter().map(|stage| stage.name).collect();
    for stage in &stages {
        if stage.from != "scratch" && !names.contains(&stage.from) && !is_pinned(stage.from) {
            findings.push(
                file.finding(stage.line, format!("{} floats: name a digest, or a whole version", stage.from)),
            );
        }
        for (line, word, rest) in &stage.steps {
            let sets = matches!(*word, "ENV" | "ARG")
                && SECRET_WORDS.iter().any(|secret| rest.to_uppercase().contains(secret));
            let copies = matches!(*word, "COPY" | "ADD")
                && [".env", ".pem", ".key", "id_rsa"].iter().any(|name| rest.contains(name));
            if sets || copies {
                findings.push(
                    file.finding(*line, "a secret in a layer is there for everybody who has the image"),
                );
            }
        }
        if stage.steps.iter().any(|(_, word, _)| *word == "ENTRYPOINT") {
            findings.extend(runs_well(file, stage));
        }
    }
    if !stages.iter().any(|stage| stage.steps.iter().any(|(_, word, _)| *word == "ENTRYPOINT")) {
        findings.push(file.finding(1, "no stage has an ENTRYPOINT"));
    }
    Ok(findings)
}

/// What is true of every stage that runs.
fn runs_well(file: &File, stage: &Stage<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut must = |good: bool, why: &str| {
        if !good {
            findings.push(file.finding(stage.line, format!("{}: {why}", stage.name)));
        }
    };
    let last = |wanted: &str| {
        stage.steps.iter().rev().find(|(_, word, _)| *word == wanted).map(|(.., rest)| rest.as_str())
    };
    must(stage.from == "scratch", "begins at `scratch`: nothing is there but the program, so no shell");
    let user = last("USER").and_then(|user| user.split(':').next()).unwrap_or("0");
    must(user.parse::<u32>().is_ok_and(|id| id != 0), "has a USER, as a number that is not 0");
    for word in ["ENTRYPOINT", "CMD", "HEALTHCHECK"] {
        let shell = last(word).is_some_and(|rest| {
            !rest.split(" CMD ").last().unwrap_or(rest).trim_start_matches("CMD ").starts_with('[')
        });
        must(!shell, &format!("{word} has the form of a list: there is no shell"));
    }
    must(!stage.steps.iter().any(|(_, word, _)| *word == "RUN"), "runs nothing while it is built");
    must(last("STOPSIGNAL").is_none_or(|signal| signal == "SIGTERM"), "is stopped by SIGTERM");
    findings
}

fn stages(text: &str) -> Vec<Stage<'_>> {
    let mut found: Vec<Stage<'_>> = Vec::new();
    let mut open = false;
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with('#')) {
        let (continued, trimmed) = (open, line.trim());
        open = trimmed.ends_with('\\');
        let (word, rest) = trimmed.split_once(' ').unwrap_or((trimmed, ""));
        let rest = rest.trim_end_matches('\\').trim();
        match found.last_mut() {
            Some(stage) if continued => {
                if let Some((.., last)) = stage.steps.last_mut() {
                    last.push(' ');
                    last.push_str(trimmed.trim_end_matches('\\'));
                }
            }
            _ if word == "FROM" => {
                let mut words = rest.split_whitespace().filter(|word| !word.starts_with("--"));
                let (from, name) = (words.next().unwrap_or_default(), words.nth(1).unwrap_or_default());
                found.push(Stage { line: at + 1, from, name, steps: Vec::new() });
            }
            Some(stage) if !word.is_empty() => stage.steps.push((at + 1, word, rest.to_owned())),
            _ => {}
        }
    }
    found
}

/// A digest, or a tag with at least two numbers in its version such as `17.6-bookworm`.
fn is_pinned(image: &str) -> bool {
    let tag = image.rsplit('/').next().and_then(|name| name.split_once(':')).map_or("", |(_, tag)| tag);
    let version = tag.split('-').next().unwrap_or_default();
    let numbers = version.split('.').filter(|part| part.parse::<u32>().is_ok()).count();
    image.contains("@sha256:") || numbers >= 2
}

/// Checks docker-compose.yml: what every service of ours has, and that images are pinned.
pub(super) fn compose(tree: &Tree) -> Verdict {
    let file = tree.file("docker-compose.yml").ok_or("there is no docker-compose.yml")?;
    let blocks = blocks(&file.text);
    let anchor =
        blocks.iter().find(|(_, head, _)| head.contains("&soundpost")).map(|(.., body)| body.as_str());
    let mut findings = Vec::new();
    let mut ours = 0;
    for (line, head, body) in &blocks {
        let whole = if body.contains("<<: *soundpost") {
            format!("{}{body}", anchor.unwrap_or_default())
        } else {
            body.clone()
        };
        let image = whole.lines().find_map(|line| line.trim().strip_prefix("image: ")).unwrap_or_default();
        if image.is_empty() || head.contains("&soundpost") {
            continue;
        }
        if !image.starts_with("soundpost") {
            if !is_pinned(image) {
                findings
                    .push(file.finding(*line, format!("{image} floats: name a digest, or a whole version")));
            }
            continue;
        }
        ours += 1;
        for needed in [
            "read_only: true",
            "tmpfs: [/tmp]",
            "cap_drop: [ALL]",
            "security_opt: [\"no-new-privileges:true\"]",
        ] {
            if !whole.lines().any(|line| line.trim() == needed) {
                findings.push(file.finding(*line, format!("{}has no `{needed}`", head.replace(':', " "))));
            }
        }
        if whole.contains("privileged: true") || whole.contains("docker.sock") || whole.contains("user: root")
        {
            findings.push(file.finding(*line, "has rights that it does not need"));
        }
        if whole.lines().any(|line| line.trim_start().starts_with("test:") && line.contains("CMD-SHELL")) {
            findings.push(file.finding(*line, "its health check needs a shell"));
        }
    }
    if ours < 3 {
        findings.push(file.finding(1, format!("only {ours} services of ours are found")));
    }
    Ok(findings)
}

/// What stands below each head: the anchors at the top, and the services.
fn blocks(text: &str) -> Vec<(usize, String, String)> {
    let mut found: Vec<(usize, String, String)> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let depth = line.len() - line.trim_start().len();
        let words = line.trim();
        if words.is_empty() || words.starts_with('#') {
            continue;
        }
        let is_head = words.ends_with(':') || words.contains(": &");
        if is_head
            && (depth == 0 || depth == 2 && !found.last().is_some_and(|(_, head, _)| head.contains('&')))
        {
            found.push((at + 1, words.to_owned(), String::new()));
        } else if let Some((.., body)) = found.last_mut() {
            body.push_str(line);
            body.push('\n');
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{compose, image, is_pinned};
    use crate::tidy::fixture::{house, places};

    const GOOD: &str = "FROM rust:1.95.0-bookworm AS build\nRUN cargo build --locked \\\n    && true\n\nFROM scratch AS soundpost\n\
        COPY --from=build /out /\nENV A=b\nUSER 10001:10001\nSTOPSIGNAL SIGTERM\nHEALTHCHECK --interval=5s CMD [\"a\", \"probe\"]\nENTRYPOINT [\"a\"]\nCMD [\"serve\"]\n";

    #[test]
    fn ops_16_an_image_that_is_root_has_a_shell_or_a_secret_is_found() {
        let count = |from: &str, to: &str| {
            let text = GOOD.replace(from, to);
            assert!(from.is_empty() || text != GOOD, "{from}");
            places(image(&house(&[("Dockerfile", &text)]))).len()
        };
        assert_eq!(count("", ""), 0);
        for (from, to) in [
            ("USER 10001:10001\n", ""),
            ("USER 10001:10001", "USER 0"),
            ("USER 10001:10001", "USER root"),
            ("FROM scratch", "FROM debian:12.12-slim"),
            ("rust:1.95.0-bookworm", "rust:latest"),
            ("rust:1.95.0-bookworm", "rust:1-bookworm"),
            ("ENTRYPOINT [\"a\"]", "ENTRYPOINT a serve"),
            ("CMD [\"a\", \"probe\"]", "CMD curl localhost"),
            ("ENV A=b", "ENV SOUNDPOST_KEYS_SECRET=b"),
            ("ENV A=b", "ARG db_password"),
            ("ENV A=b", "COPY .env /"),
            ("ENV A=b", "RUN true"),
            ("STOPSIGNAL SIGTERM", "STOPSIGNAL SIGKILL"),
        ] {
            assert_eq!(count(from, to), 1, "{to}");
        }
    }

    const SERVICES: &str = "x-soundpost: &soundpost\n  image: soundpost\n  environment: &environment\n    A: b\n  read_only: true\n  tmpfs: [/tmp]\n  cap_drop: [ALL]\n  \
        security_opt: [\"no-new-privileges:true\"]\n\nservices:\n  postgres:\n    image: postgres:17.6-bookworm\n  migrate:\n    <<: *soundpost\n  serve:\n    <<: *soundpost\n  \
        sim:\n    image: soundpost-gong-sim\n    read_only: true\n    tmpfs: [/tmp]\n    cap_drop: [ALL]\n    security_opt: [\"no-new-privileges:true\"]\n";

    #[test]
    fn ops_16_a_service_with_more_rights_than_it_needs_is_found() {
        let count = |from: &str, to: &str| {
            let text = SERVICES.replacen(from, to, 1);
            assert!(from.is_empty() || text != SERVICES, "{from}");
            places(compose(&house(&[("docker-compose.yml", &text)]))).len()
        };
        assert_eq!(count("", ""), 0);
        assert_eq!(count("  read_only: true\n", ""), 2, "both services that share it");
        assert_eq!(count("    read_only: true\n", ""), 1);
        assert_eq!(count("    cap_drop: [ALL]\n", ""), 1);
        assert_eq!(count("postgres:17.6-bookworm", "postgres:17"), 1);
        assert_eq!(
            count(
                "  migrate:\n    <<: *soundpost\n",
                "  migrate:\n    <<: *soundpost\n    privileged: true\n"
            ),
            1
        );
        assert_eq!(count("  migrate:\n    <<: *soundpost\n", ""), 1, "fewer services than there were");
        assert!(is_pinned("a/b@sha256:00") && is_pinned("x:1.2") && !is_pinned("x:1") && !is_pinned("x"));
    }
}
