//! Soundpost in one scenario: its environment, its commands, its processes.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::ground::{Database, Ground};
use super::process::{self, Usage};
use super::simulator::Simulator;
use crate::demo::visitor::Visitor;
use crate::demo::{generate_key, tail};
use crate::fault::{Doing, Fault};
use crate::guard::{Guarded, Launch};
use crate::http::Client;
use crate::{postgres, run, secret, stop};

/// Who logs in.
pub(crate) const PASSWORD: &str = "a laboratory needs no secret";

/// The limits that make limits invisible.
pub(crate) const UNLIMITED: [(&str, &str); 2] =
    [("GONG_REQUESTS_PER_SECOND", "100000"), ("GONG_REQUESTS_PER_DAY", "1000000000")];

/// An installation: one database, one simulated Gong, some settings.
#[derive(Clone)]
pub(crate) struct App {
    program: PathBuf,
    folder: PathBuf,
    /// What every process of it is told.
    pub(crate) environment: Vec<(String, String)>,
    /// Where its pages are while `serve` runs.
    pub(crate) url: String,
}

impl App {
    /// Puts the environment together and migrates.
    pub(crate) fn new(
        ground: &Ground,
        database: &Database,
        simulator: &Simulator,
        settings: &[(&str, &str)],
    ) -> Result<Self, Fault> {
        Self::of(&ground.programs, ground, database, simulator, settings)
    }

    /// The same with the programs of another folder.
    pub(crate) fn of(
        programs: &Path,
        ground: &Ground,
        database: &Database,
        simulator: &Simulator,
        settings: &[(&str, &str)],
    ) -> Result<Self, Fault> {
        let program = programs.join("soundpost");
        let folder = ground.folder.join(secret::random_word(4)?);
        fs::create_dir_all(folder.join("escrow")).doing("creating the escrow folder")?;
        let port = postgres::free_port()?;
        let url = format!("http://127.0.0.1:{port}");
        let ours = [
            ("DATABASE_URL", database.url.clone()),
            ("SOUNDPOST_LISTEN", format!("127.0.0.1:{port}")),
            ("SOUNDPOST_PUBLIC_URL", url.clone()),
            ("SOUNDPOST_KEYS", generate_key(&program)?),
            ("SOUNDPOST_ESCROW_DIR", folder.join("escrow").display().to_string()),
            ("RUST_LOG", "warn".to_owned()),
        ];
        let mut environment: Vec<(String, String)> =
            ours.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        environment.extend(simulator.environment.iter().cloned());
        environment.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let app = Self { program, folder, environment, url };
        run::output(app.command().arg("migrate"))?;
        Ok(app)
    }

    /// Creates an organization whose owner logs in with this address; its id.
    pub(crate) fn organization(&self, name: &str, email: &str) -> Result<String, Fault> {
        let file = self.folder.join("password");
        secret::write(&file, &format!("{PASSWORD}\n"))?;
        let mut command = self.command();
        command.args(["organizations", "create", "--name", name, "--owner-email", email, "--password-stdin"]);
        let input = File::open(&file).doing("opening the password file")?;
        let output = command.arg("--json").stdin(input).output().doing("starting soundpost")?;
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(Fault::new(format!("soundpost organizations create failed: {}", why.trim())));
        }
        let created: Value =
            serde_json::from_slice(&output.stdout).doing("reading the created organization")?;
        Ok(created["id"].as_str().unwrap_or_default().to_owned())
    }

    /// Starts a process of this installation.
    pub(crate) fn start(&self, words: &[&str]) -> Result<Program, Fault> {
        self.start_with(words, &self.program, &[])
    }

    /// The same installation with one setting changed.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut other = self.clone();
        other.environment.retain(|(known, _)| known != name);
        other.environment.push((name.to_owned(), value.to_owned()));
        other
    }

    /// The same installation with the programs of another folder.
    pub(crate) fn with_programs(&self, programs: &Path) -> Self {
        Self { program: programs.join("soundpost"), ..self.clone() }
    }

    /// What one of its settings is.
    pub(crate) fn setting(&self, name: &str) -> &str {
        self.environment.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
    }

    /// A new sealing key.
    pub(crate) fn new_key(&self) -> Result<String, Fault> {
        generate_key(&self.program)
    }

    /// Runs a command to its end; what it printed.
    pub(crate) fn tell(&self, words: &[&str]) -> Result<String, Fault> {
        run::output(self.command().args(words))
    }

    /// Lines of all logs so far that hold one of these words.
    pub(crate) fn logged(&self, words: &[&str]) -> Vec<String> {
        let files = fs::read_dir(&self.folder).into_iter().flatten().flatten().map(|file| file.path());
        let logs = files.filter(|file| file.extension().is_some_and(|ending| ending == "log"));
        let text: String = logs.filter_map(|log| fs::read_to_string(log).ok()).collect();
        text.lines().filter(|line| words.iter().any(|word| line.contains(word))).map(str::to_owned).collect()
    }

    /// The folder where token answers wait.
    pub(crate) fn escrow(&self) -> PathBuf {
        self.folder.join("escrow")
    }

    /// Starts another program file with settings of its own.
    pub(crate) fn start_with(
        &self,
        words: &[&str],
        program: &Path,
        own: &[(String, String)],
    ) -> Result<Program, Fault> {
        let log = self.folder.join(format!("{}-{}.log", words[0], secret::random_word(2)?));
        let file = File::create(&log).doing("creating a log of soundpost")?;
        let guarded = Guarded::start(Launch {
            name: "soundpost",
            program: program.to_path_buf(),
            arguments: words.iter().map(Into::into).collect(),
            environment: self.environment.iter().chain(own).cloned().collect(),
            folder: self.folder.clone(),
            user: None,
            signal: "TERM",
            patience_seconds: 35,
            sweep: None,
            stdout: file.try_clone().map(Stdio::from).doing("sharing a log of soundpost")?,
            stderr: Stdio::from(file),
        })?;
        Ok(Program { guarded, log, id: None })
    }

    /// Starts `serve` with these further words and waits until it is ready.
    pub(crate) fn serve(&self, words: &[&str]) -> Result<Program, Fault> {
        let mut program = self.start(&[&["serve"], words].concat())?;
        let ready = format!("{}/readyz", self.url);
        let end = Instant::now() + Duration::from_secs(60);
        while !Client::default().get(&ready).is_ok_and(|answer| answer.status == 200) {
            stop::check()?;
            program.check()?;
            if Instant::now() > end {
                return Err(Fault::new(format!(
                    "soundpost was not ready in a minute:\n{}",
                    tail(&program.log)
                )));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(program)
    }

    /// Somebody who is logged in; `serve` must run.
    pub(crate) fn visitor(&self, email: &str) -> Result<Visitor, Fault> {
        Visitor::log_in(&self.url, email, PASSWORD)
    }

    /// One organization that is connected, by a `serve` that does no jobs and is gone afterwards.
    pub(crate) fn connect_one(&self) -> Result<(), Fault> {
        self.organization("Acme Inc", "owner@acme.example")?;
        let _serve = self.serve(&["--no-workers"])?;
        self.visitor("owner@acme.example")?.connect_quietly()
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("SOUNDPOST_") || name.starts_with("GONG_")) {
                command.env_remove(name);
            }
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// A running process of soundpost; dropping it stops it.
pub(crate) struct Program {
    guarded: Guarded,
    log: PathBuf,
    id: Option<u32>,
}

impl Program {
    /// What it used so far.
    pub(crate) fn usage(&mut self) -> Usage {
        process::usage(self.id().unwrap_or(0))
    }

    /// The memory that it holds now, in MB.
    pub(crate) fn memory(&mut self) -> Result<f64, Fault> {
        let standing = process::standing(self.id()?);
        standing.map(|(memory, ..)| memory).ok_or_else(|| Fault::new("soundpost is gone"))
    }

    /// Its process id, once the program runs.
    pub(crate) fn id(&mut self) -> Result<u32, Fault> {
        let end = Instant::now() + Duration::from_secs(5);
        while self.id.is_none_or(|id| id == 0) {
            self.id = process::find(self.guarded.shell_id(), "soundpost");
            if Instant::now() > end {
                return Err(Fault::new(format!("soundpost is not running:\n{}", tail(&self.log))));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(self.id.unwrap_or_default())
    }

    /// Sends a signal to it, such as `STOP`.
    pub(crate) fn signal(&mut self, name: &str) -> Result<(), Fault> {
        let id = self.id()?;
        run::output(Command::new("kill").args(["-s", name, &id.to_string()])).map(|_| ())
    }

    /// Kills it as an empty socket would, and waits until it is gone.
    pub(crate) fn kill(&mut self) -> Result<(), Fault> {
        if self.guarded.ended().is_none() {
            self.signal("KILL")?;
        }
        let end = Instant::now() + Duration::from_secs(10);
        while self.guarded.ended().is_none() {
            if Instant::now() > end {
                return Err(Fault::new("a killed soundpost does not end"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Whether it ended, and well.
    pub(crate) fn ended(&mut self) -> Option<bool> {
        self.guarded.ended().map(|status| status.success())
    }

    /// What it wrote.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Fails when it has ended by itself.
    pub(crate) fn check(&mut self) -> Result<(), Fault> {
        match self.guarded.ended() {
            Some(status) => Err(Fault::new(format!("soundpost ended ({status}):\n{}", tail(&self.log)))),
            None => Ok(()),
        }
    }
}

/// True in SQL once every backfill is over.
pub(crate) const BACKFILLED: &str =
    "select coalesce(bool_and(state <> 'running'), false) from gong_runs where kind = 'backfill'";
