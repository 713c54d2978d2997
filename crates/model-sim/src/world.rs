//! What the simulator is set to, what goes wrong next, and what it remembers. Knows nothing of wire formats.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::qdrant::Collections;

/// Requests that are remembered one by one.
const REMEMBERED: usize = 20_000;

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `POST /v1/messages`.
    Messages,
    /// `POST /v1/chat/completions`.
    Chat,
    /// `POST /v1/embeddings`.
    Embeddings,
    /// Everything under `/qdrant/`.
    Qdrant,
    /// Anything else.
    Other,
}

impl Endpoint {
    pub(crate) fn of(path: &str) -> Self {
        match path {
            "/v1/messages" => Self::Messages,
            "/v1/chat/completions" => Self::Chat,
            "/v1/embeddings" => Self::Embeddings,
            path if path.starts_with("/qdrant/") => Self::Qdrant,
            _ => Self::Other,
        }
    }
}

/// What goes wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// 429, with this `Retry-After` in seconds.
    RateLimited {
        /// `Retry-After`.
        retry_after: Option<String>,
    },
    /// 529 with `overloaded_error` (503 where nobody knows 529).
    Overloaded,
    /// This status, with the provider's form of error and a text that quotes the request.
    Status(u16),
    /// This many milliseconds without a sign, then the usual answer.
    Stall(u64),
    /// The connection is dropped without an answer.
    Cut,
    /// Half of the answer, then the connection is dropped.
    CutInBody,
    /// The answer ends at the limit of tokens.
    Truncated,
    /// 200 with a page of HTML.
    Html,
    /// Words in place of a structured answer.
    Prose,
    /// JSON of another shape than asked for.
    WrongShape,
    /// Every item rests on words that nobody said.
    InventedQuote,
    /// An answer of so many megabytes.
    Huge(usize),
}

/// What stays as it is until it is changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Switches {
    /// The key that every request has to bring; `None` = anything goes.
    pub key: Option<String>,
    /// Numbers in a vector.
    pub width: usize,
    /// Milliseconds before every answer.
    pub delay_ms: u64,
    /// Obeys whoever says in the transcript that instructions are to be ignored.
    pub gullible: bool,
    /// Refuses parameters as the newest models do: `temperature`, and `max_tokens` in OpenAI's form.
    pub newest: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self { key: None, width: 256, delay_ms: 0, gullible: false, newest: false }
    }
}

/// One request, and what was answered.
#[derive(Clone, Debug, Serialize)]
pub struct Request {
    /// Number in order of arrival, from 1.
    pub sequence: u64,
    /// What was asked.
    pub endpoint: Endpoint,
    /// HTTP method.
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// The query, empty when there is none.
    pub query: String,
    /// Headers, in lower case; keys of callers too: this is a simulator.
    pub headers: BTreeMap<String, String>,
    /// The body; null when it was no JSON.
    pub body: Value,
    /// The status; `None` while open, or when the connection was dropped.
    pub status: Option<u16>,
    /// The trouble that hit it.
    pub trouble: Option<Trouble>,
}

impl Request {
    /// The text of the user's message of a question to a language model.
    pub fn user(&self) -> &str {
        let messages = self.body["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
        let user = messages.iter().find(|message| message["role"] == "user");
        user.and_then(|message| message["content"].as_str()).unwrap_or_default()
    }
}

#[derive(Debug)]
struct Rule {
    endpoint: Endpoint,
    left: u32,
    what: Trouble,
}

/// Everything behind the lock.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) switches: Switches,
    pub(crate) collections: Collections,
    rules: Vec<Rule>,
    requests: VecDeque<Request>,
    count: u64,
}

impl World {
    pub(crate) fn of(switches: Switches) -> Self {
        Self { switches, ..Self::default() }
    }

    pub(crate) fn plan(&mut self, endpoint: Endpoint, times: u32, what: Trouble) {
        self.rules.push(Rule { endpoint, left: times, what });
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
        self.requests.clear();
    }

    /// The trouble that hits a request to this endpoint, in the order in which troubles were planned.
    pub(crate) fn strike(&mut self, endpoint: Endpoint) -> Option<Trouble> {
        let rule = self.rules.iter_mut().find(|rule| rule.endpoint == endpoint && rule.left > 0)?;
        rule.left -= 1;
        Some(rule.what.clone())
    }

    pub(crate) fn remember(&mut self, mut request: Request) -> u64 {
        self.count += 1;
        request.sequence = self.count;
        if self.requests.len() == REMEMBERED {
            self.requests.pop_front();
        }
        self.requests.push_back(request);
        self.count
    }

    pub(crate) fn answered(&mut self, sequence: u64, status: Option<u16>) {
        if let Some(request) = self.requests.iter_mut().rev().find(|request| request.sequence == sequence) {
            request.status = status;
        }
    }

    pub(crate) fn requests(&self) -> impl Iterator<Item = &Request> {
        self.requests.iter()
    }
}
