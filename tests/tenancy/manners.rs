//! The manners of the command line: pure output, no waiting, all faults at once, no secrets as arguments.

use std::{io::Write, process::Stdio};

use serde_json::Value;
use stories::PASSWORD;

use crate::{
    program::{command, run, text},
    support::still_world,
};

#[tokio::test]
async fn ops_10_data_goes_to_standard_output_and_nothing_else_does() {
    let world = still_world().await;
    let variables = [("DATABASE_URL", world.database.url.as_str()), ("RUST_LOG", "debug")];
    let key = run(&["keys", "generate"], &[]);
    assert_eq!((key.status.code(), text(&key.stdout).lines().count(), key.stderr.len()), (Some(0), 1, 0));
    assert!(vault::KeyRing::parse(&text(&key.stdout).trim().to_owned().into()).is_ok());

    let create = ["organizations", "create", "--name", "Acme", "--owner-email", "o@acme.example", "--json"];
    let made = run(&create, &variables);
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    let made: Value = serde_json::from_slice(&made.stdout).expect("one JSON value and nothing else");
    let password = made["initial_password"].as_str().unwrap();
    assert_eq!(world.browser().log_in("o@acme.example", password).await.status, 200);
    let listed = run(&["jobs", "dead", "list", "--json"], &variables);
    assert_eq!((listed.status.code(), listed.stdout.len()), (Some(0), 0), "no dead letters, no lines");
    let unknown = ["explain", "call", "1", "--organization", made["id"].as_str().unwrap(), "--json"];
    let unknown = run(&unknown, &variables);
    let whole = text(&unknown.stdout);
    assert!(whole.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{whole}");
    let missing = run(&["jobs", "dead", "show", &format!("dead_{}", "7".repeat(32))], &variables);
    assert_eq!((missing.status.code(), missing.stdout.len()), (Some(3), 0), "{}", text(&missing.stderr));
    world.finish().await;
}

#[tokio::test]
async fn ops_10_a_password_comes_from_standard_input_and_nobody_is_waited_for() {
    let world = still_world().await;
    let variables = [("DATABASE_URL", world.database.url.as_str())];
    let words = [
        "organizations",
        "create",
        "--name",
        "Acme",
        "--owner-email",
        "o@acme.example",
        "--password-stdin",
        "--json",
    ];
    let nothing = run(&words, &variables);
    assert!(!nothing.status.success() && nothing.stdout.is_empty(), "an empty input is no password");
    let mut child = command(&words, &variables).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{PASSWORD}\n").as_bytes()).unwrap();
    let made = child.wait_with_output().unwrap();
    assert_eq!(made.status.code(), Some(0));
    assert!(!text(&made.stdout).contains(PASSWORD), "what somebody gave is not shown");
    assert_eq!(world.browser().log_in("o@acme.example", PASSWORD).await.status, 200);
    world.finish().await;
}

#[tokio::test]
async fn ops_10_what_is_not_there_ends_with_three_and_what_is_wrong_with_two() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let variables = [("DATABASE_URL", world.database.url.as_str())];
    let (nowhere, here) = (format!("org_{}", "7".repeat(32)), acme.id.to_string());
    let add = ["users", "add", "--role", "admin", "--email", "new@acme.example", "--organization"];
    for (words, code) in [
        (vec!["organizations", "export", &nowhere], 3),
        (vec!["organizations", "erase", &nowhere, "--confirm", "acme"], 3),
        (vec!["organizations", "erase", &here, "--confirm", "not its name"], 2),
        ([&add[..], &[&nowhere]].concat(), 3),
        (vec!["users", "reset-password", "--email", "nobody@nowhere.example"], 3),
        (vec!["users", "add", "--role", "admin", "--email", "nobody", "--organization", &here], 2),
        (vec!["gong", "status"], 0),
        (vec!["gong", "stop", "--reason", "a story"], 0),
        (vec!["gong", "status"], 4),
        (vec!["gong", "start", "--reason", "a story"], 0),
    ] {
        let done = run(&words, &variables);
        assert_eq!(done.status.code(), Some(code), "{words:?}: {}", text(&done.stderr));
    }
    assert_eq!(acme.browser.get("/api/v1/me").await.status, 200, "nothing was erased");
    world.finish().await;
}

#[test]
fn ops_10_wrong_use_and_wrong_configuration_end_with_two_and_list_every_fault() {
    for words in [&["serve", "--nothing"][..], &["nothing"], &[], &["jobs", "dead", "show", "x"]] {
        let wrong = run(words, &[]);
        assert_eq!((wrong.status.code(), wrong.stdout.len()), (Some(2), 0), "{words:?}");
        assert!(
            !wrong.stderr.is_empty() && !text(&wrong.stderr).contains('\u{1b}'),
            "no colours into a pipe"
        );
    }
    let variables = [
        ("SOUNDPOST_LISTN", "127.0.0.1:1"),
        ("SOUNDPOST_SECRET_DOOR", "s3cret-value"),
        ("SOUNDPOST_POLL_EVERY", "soon"),
        ("SOUNDPOST_PUBLIC_URL", "http://soundpost.example"),
        ("SOUNDPOST_KEYS", "s3cret-value"),
        ("GONG_REQUESTS_PER_SECOND", "-3"),
    ];
    for command in ["serve", "work"] {
        let wrong = run(&[command], &variables);
        let said = text(&wrong.stderr);
        assert_eq!((wrong.status.code(), wrong.stdout.len()), (Some(2), 0), "{said}");
        for name in variables.map(|(name, _)| name).iter().chain(&[
            "DATABASE_URL",
            "GONG_CLIENT_ID",
            "GONG_CLIENT_SECRET",
        ]) {
            assert!(said.contains(name), "{command} does not name {name}: {said}");
        }
        assert!(!said.contains("s3cret-value"), "{said}");
    }
    let doctor = run(&["doctor", "--json"], &variables);
    assert_eq!(doctor.status.code(), Some(10), "{}", text(&doctor.stderr));
    let said = text(&doctor.stdout);
    let report: Value = serde_json::from_str(&said).expect("JSON");
    let checks = report["checks"].as_array().unwrap();
    assert!(checks.len() >= 9 && !said.contains("s3cret-value"), "{said}");
    assert!(checks.iter().all(|check| check["verdict"] != "fault" || check["fix"].is_string()), "{said}");
}

#[test]
fn ops_10_no_secret_is_ever_an_argument() {
    for words in [
        &["--help"][..],
        &["serve", "--help"],
        &["work", "--help"],
        &["migrate", "--help"],
        &["doctor", "--help"],
        &["organizations", "create", "--help"],
        &["users", "add", "--help"],
        &["keys", "generate", "--help"],
        &["keys", "rotate", "--help"],
        &["keys", "status", "--help"],
        &["jobs", "dead", "retry", "--help"],
        &["explain", "call", "--help"],
    ] {
        let help = run(words, &[]);
        let help = text(&help.stdout);
        assert!(help.contains("Usage:"), "{words:?}");
        for flag in [
            "--password <",
            "--secret",
            "--token",
            "--key <",
            "--keys <",
            "--database-url",
            "--client-secret",
        ] {
            assert!(!help.contains(flag), "{words:?} takes {flag}");
        }
    }
}
