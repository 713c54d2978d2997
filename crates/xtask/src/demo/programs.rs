//! Starts our two programs as a stranger would: by their command line and environment.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::keep::{self, Keep};
use super::language::LanguageServer;
use super::{Options, say};
use crate::fault::{Doing, Fault};
use crate::guard::{Guarded, Launch};
use crate::http::Client;
use crate::{run, secret, stop};

/// How long a program may take until it is ready.
const PATIENCE: Duration = Duration::from_secs(60);

/// The simulated Gong.
pub(super) struct Simulator {
    process: Guarded,
    client_id: String,
    client_secret: String,
    authorize_url: String,
    token_url: String,
    api_bases: Vec<String>,
    /// Where its memory can be asked.
    control: String,
}

impl Simulator {
    /// Starts it and reads the one line that it prints when it is ready.
    pub(super) fn start(folder: &Path, keep: &Keep, options: &Options) -> Result<Self, Fault> {
        let port = keep.port("SIMULATOR_PORT", None)?;
        let client_secret = keep.value("CLIENT_SECRET", || secret::random_word(16))?;
        let client_id = "soundpost-demo".to_owned();
        let mut words: Vec<OsString> = [
            "--listen",
            &format!("127.0.0.1:{port}"),
            "--companies",
            "1",
            "--calls",
            &keep.value("CALLS", || Ok("400".to_owned()))?,
            "--days",
            "60",
            "--private-share",
            "0.1",
            "--fresh-every",
            "30",
            "--auto-approve",
            "--print-json",
            "--client-id",
            &client_id,
            "--client-secret",
            &client_secret,
        ]
        .map(OsString::from)
        .into();
        words.extend(["--state".into(), keep.folder().join("gong-sim.json").into_os_string()]);
        let conversations = keep.value("CONVERSATIONS", || Ok(String::new()))?;
        if !conversations.is_empty() {
            words.extend(["--conversations".into(), conversations.into()]);
        }
        if options.no_limit {
            words.push("--no-limit".into());
        }
        let (process, ready) = simulator("gong-sim", folder, keep, words, Vec::new())?;
        let text = |name: &str| ready[name].as_str().unwrap_or_default().to_owned();
        let bases = ready["api_bases"].as_array().into_iter().flatten();
        let api_bases = bases.filter_map(|base| base.as_str().map(str::to_owned)).collect();
        let control = text("control_url");
        let (authorize_url, token_url) = (text("authorize_url"), text("token_url"));
        say(&format!("the simulated Gong is up: {authorize_url}"));
        Ok(Self { process, client_id, client_secret, authorize_url, token_url, api_bases, control })
    }

    /// Fails when it has ended by itself.
    pub(super) fn check(&mut self) -> Result<(), Fault> {
        match self.process.ended() {
            Some(status) => Err(Fault::new(format!("gong-sim ended by itself ({status})"))),
            None => Ok(()),
        }
    }

    /// What its memory says; `path` is below the control address.
    pub(super) fn ask(&self, path: &str) -> Result<Value, Fault> {
        let answer = Client::default().get(&format!("{}{path}", self.control))?;
        Ok(answer.good("asking the simulated Gong")?.json())
    }

    /// `http://host` of every API base, which is how the plain addresses are allowed.
    fn hosts(&self) -> String {
        let host = |base: &String| {
            let rest = base.strip_prefix("http://")?;
            Some(format!("http://{}", rest.split([':', '/']).next()?))
        };
        self.api_bases.iter().filter_map(host).collect::<Vec<_>>().join(",")
    }
}

/// What soundpost makes feedback with.
pub(super) struct Minds<'a> {
    /// The folder of the local model.
    pub(super) local: Option<&'a Path>,
    /// The language model.
    pub(super) language: Option<&'a LanguageServer>,
}

/// Soundpost itself.
pub(super) struct App {
    program: PathBuf,
    environment: Vec<(String, String)>,
    process: Option<Guarded>,
    log: PathBuf,
    /// Where its pages are.
    pub(super) url: String,
}

impl App {
    /// Puts its environment together and writes it down for the other commands.
    pub(super) fn new(
        folder: &Path,
        keep: &Keep,
        simulator: &Simulator,
        (database, minds): (&str, &Minds<'_>),
        options: &Options,
    ) -> Result<Self, Fault> {
        let program = folder.join("soundpost");
        if let Some(port) = options.port {
            keep.remember("WEB_PORT", &port.to_string())?;
        }
        let (web, metrics) = (keep.port("WEB_PORT", Some(8080))?, keep.port("METRICS_PORT", None)?);
        if options.port.is_some_and(|port| port != web) {
            return Err(Fault::new(format!("port {} is taken", options.port.unwrap_or(web))));
        }
        let keys = keep.value("SOUNDPOST_KEYS", || {
            say("generating the key that seals tokens");
            generate_key(&program)
        })?;
        let escrow = keep.folder().join("escrow");
        std::fs::create_dir_all(&escrow).doing("creating the escrow folder")?;
        let url = format!("http://127.0.0.1:{web}");
        let mut environment = vec![
            ("DATABASE_URL", database.to_owned()),
            ("SOUNDPOST_LISTEN", format!("127.0.0.1:{web}")),
            ("SOUNDPOST_METRICS_LISTEN", format!("127.0.0.1:{metrics}")),
            ("SOUNDPOST_PUBLIC_URL", url.clone()),
            ("SOUNDPOST_KEYS", keys),
            ("SOUNDPOST_ESCROW_DIR", escrow.display().to_string()),
            ("SOUNDPOST_POLL_EVERY", "1m".to_owned()),
            ("GONG_CLIENT_ID", simulator.client_id.clone()),
            ("GONG_CLIENT_SECRET", simulator.client_secret.clone()),
            ("GONG_AUTHORIZE_URL", simulator.authorize_url.clone()),
            ("GONG_TOKEN_URL", simulator.token_url.clone()),
            ("GONG_API_HOSTS", simulator.hosts()),
            ("RUST_LOG", std::env::var("RUST_LOG").unwrap_or_else(|_| "info".to_owned())),
        ];
        if let Some(model) = minds.local {
            environment.push(("SOUNDPOST_MODEL_DIR", model.display().to_string()));
            environment.push(("RAYON_NUM_THREADS", "1".to_owned()));
        }
        environment.extend(minds.language.into_iter().flat_map(LanguageServer::settings));
        if options.no_limit {
            environment.push(("GONG_REQUESTS_PER_SECOND", "1000".to_owned()));
            environment.push(("GONG_REQUESTS_PER_DAY", "1000000".to_owned()));
        }
        let environment: Vec<(String, String)> =
            environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let text: String = environment.iter().map(|(name, value)| format!("{name}='{value}'\n")).collect();
        secret::write(&keep.environment_file(), &text)?;
        Ok(Self { program, environment, process: None, log: keep.folder().join("serve.log"), url })
    }

    /// Migrates, and creates the organization the first time.
    pub(super) fn prepare(&self, keep: &Keep) -> Result<(), Fault> {
        say("migrating the database");
        run::output(self.command().arg("migrate"))?;
        if keep.knows("ORGANIZATION") {
            say("continuing with the data of the earlier demo");
            return Ok(());
        }
        say("creating the organization Acme Inc");
        let password = keep.folder().join("password");
        secret::write(&password, &format!("{}\n", keep.password()?))?;
        let words = [
            "organizations",
            "create",
            "--name",
            "Acme Inc",
            "--owner-email",
            keep::OWNER,
            "--password-stdin",
            "--json",
        ];
        let input = File::open(&password).doing("opening the password file")?;
        let output = self.command().args(words).stdin(input).output().doing("starting soundpost")?;
        std::fs::remove_file(&password).doing("removing the password file")?;
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(Fault::new(format!("soundpost organizations create failed: {}", why.trim())));
        }
        let created: Value =
            serde_json::from_slice(&output.stdout).doing("reading the created organization")?;
        let id = ["id", "organization_id", "organization"].iter().find_map(|name| created[*name].as_str());
        keep.remember("ORGANIZATION", id.unwrap_or("created"))
    }

    /// Starts `soundpost serve` and waits until it is ready.
    pub(super) fn serve(&mut self, keep: &Keep) -> Result<(), Fault> {
        let log = File::create(&self.log).doing("creating the log of soundpost")?;
        self.process = Some(Guarded::start(Launch {
            name: "soundpost",
            program: self.program.clone(),
            arguments: vec!["serve".into()],
            environment: self.environment.clone(),
            folder: keep.folder().to_path_buf(),
            user: None,
            signal: "TERM",
            patience_seconds: 35,
            sweep: None,
            stdout: log.try_clone().map(Stdio::from).doing("sharing the log of soundpost")?,
            stderr: Stdio::from(log),
        })?);
        let end = Instant::now() + PATIENCE;
        let ready = format!("{}/readyz", self.url);
        while !Client::default().get(&ready).is_ok_and(|answer| answer.status == 200) {
            stop::check()?;
            self.check()?;
            if Instant::now() > end {
                return Err(Fault::new(format!(
                    "soundpost was not ready within a minute:\n{}",
                    tail(&self.log)
                )));
            }
            stop::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Fails when it has ended by itself.
    pub(super) fn check(&mut self) -> Result<(), Fault> {
        match self.process.as_mut().and_then(Guarded::ended) {
            Some(status) => {
                Err(Fault::new(format!("soundpost ended by itself ({status}):\n{}", tail(&self.log))))
            }
            None => Ok(()),
        }
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

/// One line of `soundpost keys generate`, with or without the name of the setting.
pub(crate) fn generate_key(program: &Path) -> Result<String, Fault> {
    let printed = run::output(Command::new(program).args(["keys", "generate"]))?;
    let line = printed.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    let line = line.ok_or_else(|| Fault::new("soundpost keys generate printed no key"))?;
    Ok(line.strip_prefix("SOUNDPOST_KEYS=").unwrap_or(line).trim_matches(['"', '\'']).to_owned())
}

/// Starts one of our simulators and reads the one line of JSON that it prints when it is ready; what else it says is in its log.
pub(super) fn simulator(
    name: &'static str,
    folder: &Path,
    keep: &Keep,
    arguments: Vec<OsString>,
    environment: Vec<(String, String)>,
) -> Result<(Guarded, Value), Fault> {
    let log = keep.folder().join(format!("{name}.log"));
    let mut process = Guarded::start(Launch {
        name,
        program: folder.join(name),
        arguments,
        environment,
        folder: keep.folder().to_path_buf(),
        user: None,
        signal: "TERM",
        patience_seconds: 5,
        sweep: None,
        stdout: Stdio::piped(),
        stderr: Stdio::from(File::create(&log).doing("creating the log of a simulator")?),
    })?;
    let line = process
        .first_line(PATIENCE)
        .ok_or_else(|| Fault::new(format!("{name} did not start:\n{}", tail(&log))))?;
    let ready = serde_json::from_str(&line).doing("reading what a simulator printed")?;
    Ok((process, ready))
}

/// The last lines of a log.
pub(crate) fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}
