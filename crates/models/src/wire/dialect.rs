//! Parameters that some models want and others refuse, behind the same API: learnt from the first refusal, so that nobody keeps a
//! list of models.
//!
//! OpenAI's newest models refuse `max_tokens` (they want `max_completion_tokens`) and any `temperature`; Anthropic's newest refuse
//! `temperature`. Older models and other servers with the same API know nothing else.

use std::sync::{Arc, Mutex, PoisonError};

use reqwest::RequestBuilder;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Endpoint, ModelError};

/// What a model takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect {
    /// `temperature`.
    pub(super) temperature: bool,
    /// `max_tokens`, and not `max_completion_tokens`.
    pub(super) max_tokens: bool,
}

/// What was learnt of one model so far; copies learn together.
#[derive(Debug, Clone)]
pub(super) struct Learnt(Arc<Mutex<Dialect>>);

impl Default for Learnt {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Dialect { temperature: true, max_tokens: true })))
    }
}

impl Learnt {
    /// Asks with what the model is known to take, and once more without each parameter that it names in a refusal.
    pub(super) async fn post<A: DeserializeOwned>(
        &self,
        endpoint: &Endpoint,
        path: &str,
        body: impl Fn(Dialect) -> Value,
        dress: impl Fn(RequestBuilder) -> RequestBuilder + Sync,
    ) -> Result<A, ModelError> {
        let mut dialect = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let question = body(dialect);
            match endpoint.post(path, &question, &dress).await {
                Err(ModelError::BadRequest { status, parameter }) => {
                    match parameter {
                        Some("temperature") => dialect.temperature = false,
                        Some("max_tokens") => dialect.max_tokens = false,
                        _ => {}
                    }
                    if body(dialect) == question {
                        return Err(ModelError::BadRequest { status, parameter });
                    }
                }
                answer => {
                    if answer.is_ok() {
                        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = dialect;
                    }
                    return answer;
                }
            }
        }
    }
}
