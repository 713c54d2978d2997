//! The simulated Gong of one scenario, and what it remembers.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use super::ground::Ground;
use crate::demo::tail;
use crate::fault::{Doing, Fault};
use crate::guard::{Guarded, Launch};
use crate::http::Client;

const SECRET: &str = "lab-secret";

/// A running `gong-sim` that approves every authorization.
pub(crate) struct Simulator {
    /// Dropping it ends the simulator.
    _process: Guarded,
    control: String,
    /// Where each company is asked, in order.
    pub(crate) bases: Vec<String>,
    /// What soundpost has to know about it.
    pub(crate) environment: Vec<(String, String)>,
}

impl Simulator {
    /// Starts it with these words on its command line.
    pub(crate) fn start(ground: &Ground, words: &[&str]) -> Result<Self, Fault> {
        let log = ground.folder.join("gong-sim.log");
        let mut arguments: Vec<OsString> = words.iter().map(OsString::from).collect();
        arguments.extend(["--auto-approve", "--print-json", "--client-secret", SECRET].map(OsString::from));
        let mut process = Guarded::start(Launch {
            name: "gong-sim",
            program: ground.programs.join("gong-sim"),
            arguments,
            environment: vec![("RUST_LOG".to_owned(), "warn".to_owned())],
            folder: ground.folder.clone(),
            user: None,
            signal: "TERM",
            patience_seconds: 5,
            sweep: None,
            stdout: Stdio::piped(),
            stderr: Stdio::from(File::create(&log).doing("creating the log of gong-sim")?),
        })?;
        let line = process
            .first_line(Duration::from_secs(120))
            .ok_or_else(|| Fault::new(format!("gong-sim did not start:\n{}", tail(&log))))?;
        let ready: Value = serde_json::from_str(&line).doing("reading what gong-sim printed")?;
        let text = |name: &str| ready[name].as_str().unwrap_or_default().to_owned();
        let bases: Vec<String> = ready["api_bases"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|b| Some(b.as_str()?.to_owned()))
            .collect();
        let hosts: BTreeSet<String> = bases.iter().filter_map(|base| host(base)).collect();
        let hosts: Vec<String> = hosts.into_iter().collect();
        let environment = vec![
            ("GONG_CLIENT_ID".to_owned(), text("client_id")),
            ("GONG_CLIENT_SECRET".to_owned(), SECRET.to_owned()),
            ("GONG_AUTHORIZE_URL".to_owned(), text("authorize_url")),
            ("GONG_TOKEN_URL".to_owned(), text("token_url")),
            ("GONG_API_HOSTS".to_owned(), hosts.join(",")),
        ];
        Ok(Self { _process: process, control: text("control_url"), bases, environment })
    }

    /// What it remembers; `path` is below its control address.
    pub(crate) fn ask(&self, path: &str) -> Result<Value, Fault> {
        let answer = Client::default().get(&format!("{}{path}", self.control))?;
        Ok(answer.good("asking the simulated Gong")?.json())
    }

    /// Changes something.
    pub(crate) fn tell(&self, path: &str, body: &Value) -> Result<Value, Fault> {
        let answer = Client::default().post(&format!("{}{path}", self.control), body)?;
        Ok(answer.good("telling the simulated Gong")?.json())
    }

    /// How many requests it got.
    pub(crate) fn counts(&self) -> Result<Counts, Fault> {
        let summary = self.ask("/summary")?;
        let of = |name: &str| summary["requests"][name].as_u64().unwrap_or(0);
        let all: u64 =
            summary["requests"].as_object().into_iter().flatten().filter_map(|(_, n)| n.as_u64()).sum();
        let most = summary["max_in_sliding_second"].as_object().into_iter().flatten();
        Ok(Counts {
            api: all - of("token") - of("authorize"),
            lists: of("calls") + of("calls_extensive"),
            transcripts: of("transcript"),
            refused: summary["statuses"]["429"].as_u64().unwrap_or(0),
            most_in_a_second: most.filter_map(|(_, n)| n.as_u64()).max().unwrap_or(0),
        })
    }
}

/// Requests that the simulator counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counts {
    /// To its API, that is without tokens and the authorize page.
    pub(crate) api: u64,
    /// For pages of calls.
    pub(crate) lists: u64,
    /// For batches of transcripts.
    pub(crate) transcripts: u64,
    /// Answered with 429.
    pub(crate) refused: u64,
    /// The most within any 1,000 ms to one company.
    pub(crate) most_in_a_second: u64,
}

/// `http://host` of an API base: plain addresses are allowed without their port.
fn host(base: &str) -> Option<String> {
    let rest = base.strip_prefix("http://")?;
    Some(format!("http://{}", rest.split([':', '/']).next()?))
}
