//! Anthropic's Messages API. A structured answer is the input of a tool that the model has to use.

use async_trait::async_trait;
use reqwest::RequestBuilder;
use serde::Deserialize;
use serde_json::{Value, json};

use super::dialect::{Dialect, Learnt};
use crate::{Answer, Ask, Endpoint, LanguageModel, ModelError, Usage};

/// The version of the API that is spoken here.
const VERSION: &str = "2023-06-01";

/// A model of Anthropic's.
#[derive(Debug, Clone)]
pub struct Anthropic {
    endpoint: Endpoint,
    model: String,
    learnt: Learnt,
}

impl Anthropic {
    /// A model behind `…/v1`.
    pub fn new(endpoint: Endpoint, model: String) -> Self {
        Self { endpoint, model, learnt: Learnt::default() }
    }

    fn body(&self, ask: &Ask, dialect: Dialect) -> Value {
        let mut body = json!({
            "model": self.model,
            "max_tokens": ask.most_tokens,
            "system": ask.system,
            "messages": [{"role": "user", "content": ask.user}],
            "tools": [{"name": ask.name, "description": "Gives the answer.", "input_schema": ask.schema}],
            "tool_choice": {"type": "tool", "name": ask.name},
        });
        if dialect.temperature {
            body["temperature"] = json!(0);
        }
        body
    }
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    content: Vec<Block>,
    stop_reason: Option<String>,
    usage: Tokens,
}

#[derive(Deserialize)]
struct Block {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    input: Value,
}

#[derive(Deserialize)]
struct Tokens {
    #[serde(default)]
    input_tokens: u64,
    #[serde(default)]
    output_tokens: u64,
}

#[async_trait]
impl LanguageModel for Anthropic {
    fn model(&self) -> &str {
        &self.model
    }

    async fn ask(&self, ask: &Ask) -> Result<Answer, ModelError> {
        let body = |dialect| self.body(ask, dialect);
        let dress = |request: RequestBuilder| {
            self.endpoint.with_key(request.header("anthropic-version", VERSION), "x-api-key")
        };
        let message: Message = self.learnt.post(&self.endpoint, "messages", body, dress).await?;
        let usage = Usage { input: message.usage.input_tokens, output: message.usage.output_tokens };
        if message.stop_reason.as_deref() == Some("max_tokens") {
            return Err(ModelError::Unreadable { why: "it was cut off", usage });
        }
        let used = message.content.into_iter().find(|block| block.kind == "tool_use");
        match used {
            Some(block) if block.input.is_object() => Ok(Answer { value: block.input, usage }),
            _ => Err(ModelError::Unreadable { why: "it holds no structured answer", usage }),
        }
    }
}
