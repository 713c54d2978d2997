//! The chat API that OpenAI made and many servers speak, with an answer after a JSON Schema.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use super::dialect::{Dialect, Learnt};
use crate::{Answer, Ask, Endpoint, LanguageModel, ModelError, Usage};

/// How many times as long the answer of a model may be that thinks first: what it thinks counts as well.
const ROOM_TO_THINK: u32 = 4;

/// A model behind an OpenAI-compatible chat endpoint.
#[derive(Debug, Clone)]
pub struct OpenAi {
    endpoint: Endpoint,
    model: String,
    learnt: Learnt,
}

impl OpenAi {
    /// A model behind `…/v1`.
    pub fn new(endpoint: Endpoint, model: String) -> Self {
        Self { endpoint, model, learnt: Learnt::default() }
    }

    fn body(&self, ask: &Ask, dialect: Dialect) -> Value {
        let mut body = json!({
            "model": self.model,
            "messages": [{"role": "system", "content": ask.system}, {"role": "user", "content": ask.user}],
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": ask.name, "strict": true, "schema": ask.schema},
            },
        });
        if dialect.temperature {
            body["temperature"] = json!(0);
        }
        if dialect.max_tokens {
            body["max_tokens"] = json!(ask.most_tokens);
        } else {
            body["max_completion_tokens"] = json!(ask.most_tokens.saturating_mul(ROOM_TO_THINK));
        }
        body
    }
}

#[derive(Deserialize)]
struct Completion {
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Tokens,
}

#[derive(Deserialize)]
struct Choice {
    message: Said,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Said {
    content: Option<String>,
}

#[derive(Deserialize, Default)]
struct Tokens {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
}

#[async_trait]
impl LanguageModel for OpenAi {
    fn model(&self) -> &str {
        &self.model
    }

    async fn ask(&self, ask: &Ask) -> Result<Answer, ModelError> {
        let body = |dialect| self.body(ask, dialect);
        let dress = |request| self.endpoint.with_bearer(request);
        let completion: Completion =
            self.learnt.post(&self.endpoint, "chat/completions", body, dress).await?;
        let usage =
            Usage { input: completion.usage.prompt_tokens, output: completion.usage.completion_tokens };
        let unreadable = |why| ModelError::Unreadable { why, usage };
        let choice = completion.choices.into_iter().next().ok_or_else(|| unreadable("it is empty"))?;
        if choice.finish_reason.as_deref() == Some("length") {
            return Err(unreadable("it was cut off"));
        }
        let text = choice.message.content.ok_or_else(|| unreadable("it holds no structured answer"))?;
        let value: Value = serde_json::from_str(&text).map_err(|_| unreadable("it is not JSON"))?;
        Ok(Answer { value, usage })
    }
}
