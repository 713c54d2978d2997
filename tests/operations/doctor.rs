//! `soundpost doctor`: faults are planted one after the other, and each has to be found with its fix and without a secret.

mod database;
mod outside;
mod setup;
mod state;

use std::process::{Command, Output};

use kernel::ExposeSecret;
use serde_json::Value;
use stories::{PASSWORD, World};

use crate::support::{command, differs, program, still_world, text};

/// Stands in planted addresses and settings; must never be printed.
const SECRET: &str = "hunter2hunter2";

/// A world and the settings of a process in it that has nothing wrong.
struct Patient {
    world: World,
    settings: Vec<(String, String)>,
}

/// What the doctor said.
#[derive(Debug)]
struct Diagnosis {
    code: i32,
    checks: Vec<Value>,
}

impl Patient {
    /// A world with one connection, without workers; one gave a sign of life just now.
    async fn new() -> Self {
        let world = still_world().await;
        let acme = world.organization("acme").await;
        world.connect(&acme, None).await;
        let this = Self::of(world);
        this.sql("insert into worker_heartbeats (name, started_at, seen_at) values ('w', now(), now() + interval '1 hour')")
            .await;
        this
    }

    fn of(world: World) -> Self {
        let hosts = (1..=9).map(|n| format!("http://127.0.0.{n}")).collect::<Vec<_>>().join(",");
        let settings = [
            ("DATABASE_URL", world.database.url.as_str()),
            ("SOUNDPOST_PUBLIC_URL", world.base.as_str()),
            ("SOUNDPOST_KEYS", world.key.expose_secret()),
            ("SOUNDPOST_ESCROW_DIR", world.escrow.to_str().expect("UTF-8")),
            ("GONG_CLIENT_ID", "sim-client"),
            ("GONG_CLIENT_SECRET", "sim-secret"),
            ("GONG_AUTHORIZE_URL", &world.sim.authorize_url()),
            ("GONG_TOKEN_URL", &world.sim.token_url()),
            ("GONG_API_HOSTS", &hosts),
            ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self { settings: settings.to_vec(), world }
    }

    /// Everything as it should be but for these settings; an empty value unsets one.
    fn variables(&self, but: &[(&str, &str)]) -> Vec<(String, String)> {
        let kept = self.settings.iter().filter(|(name, _)| but.iter().all(|(other, _)| other != name));
        let changed = but.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        kept.cloned().chain(changed).filter(|(_, value)| !value.is_empty()).collect()
    }

    fn asks(&self, but: &[(&str, &str)]) -> Diagnosis {
        let variables = self.variables(but);
        let mut doctor = command(&["doctor", "--json"]);
        self.read(doctor.envs(variables).output().expect("the doctor runs"))
    }

    /// The doctor started by a shell that makes the surroundings worse first; `$0` is the program.
    fn asks_within(&self, shell: &[&str], but: &[(&str, &str)]) -> Output {
        let mut command = Command::new(shell[0]);
        command.args(&shell[1..]).arg(program());
        command.env_clear().envs(self.variables(but)).output().expect("the shell runs")
    }

    /// Holds what was printed against the schema that is published, and looks for secrets.
    fn read(&self, output: Output) -> Diagnosis {
        let said = text(&output.stdout);
        let report: Value = serde_json::from_str(&said)
            .unwrap_or_else(|error| panic!("{error}: {said}{}", text(&output.stderr)));
        let schema: Value =
            serde_json::from_str(include_str!("../../docs/doctor.schema.json")).expect("JSON");
        assert_eq!(differs(&schema, &report, "the report"), None);
        let code = output.status.code().expect("an exit code");
        assert_eq!((report["exit_code"].as_i64(), report["healthy"] == true), (Some(code.into()), code == 0));
        let checks = report["checks"].as_array().expect("checks").clone();
        for check in &checks {
            let has_fix = check["fix"].as_str().is_some_and(|fix| fix.len() > 10);
            assert_eq!(has_fix, check["verdict"] != "ok", "every finding names its fix: {check}");
        }
        let everything = format!("{said}{}", text(&output.stderr));
        for secret in
            [SECRET, PASSWORD, "sim-secret", self.world.key.expose_secret(), "acme", "s3cret-value", "gAAAA"]
        {
            assert!(!everything.contains(secret), "{secret} is shown: {everything}");
        }
        Diagnosis { code, checks }
    }

    async fn sql(&self, statement: &'static str) {
        sqlx::raw_sql(statement).execute(self.world.db.pool()).await.expect("the statement works");
    }
}

impl Diagnosis {
    /// Every finding, as `class check`.
    fn findings(&self) -> Vec<String> {
        let bad = self.checks.iter().filter(|check| check["verdict"] != "ok");
        bad.map(|c| format!("{} {}", c["class"].as_str().unwrap(), c["check"].as_str().unwrap())).collect()
    }

    /// That exactly this was found, with this exit code.
    fn is(&self, finding: &str, code: i32) {
        let mut found = self.findings();
        found.dedup();
        assert_eq!((found, self.code), (vec![finding.to_owned()], code), "{:#?}", self.checks);
    }

    /// That this is among what was found, and the exit code is as told.
    fn has(&self, finding: &str, code: i32) {
        let found = self.findings().iter().any(|other| other == finding);
        assert!(found && self.code == code, "{finding} and {code}: {} {:#?}", self.code, self.checks);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ops_09_nothing_is_found_where_nothing_is_wrong() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, Some(3)).await;
    world.settle().await;
    let patient = Patient::of(world);
    let escrow = || std::fs::read_dir(&patient.world.escrow).map_or(0, Iterator::count);
    let before = escrow();
    let diagnosis = patient.asks(&[]);
    assert_eq!((diagnosis.findings(), diagnosis.code), (Vec::new(), 0), "{:#?}", diagnosis.checks);
    assert!(diagnosis.checks.len() >= 18, "{:#?}", diagnosis.checks);
    assert_eq!(escrow(), before, "nothing stays in the escrow folder");
    let missing = patient.world.escrow.join("not/yet");
    assert_eq!(patient.asks(&[("SOUNDPOST_ESCROW_DIR", missing.to_str().unwrap())]).code, 0);
    assert!(!missing.exists(), "the folder is made by those who use it");
    let mut words = command(&["doctor"]);
    let words = words.envs(patient.variables(&[])).output().unwrap();
    let lines = text(&words.stdout);
    assert!(lines.lines().all(|line| line.starts_with("ok ")), "{lines}");
    patient.world.finish().await;
}
