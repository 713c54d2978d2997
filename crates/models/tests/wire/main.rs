//! The wire formats against a simulated server that is strict where the providers are.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails at once")]

mod answers;
mod embeddings;
mod qdrant;
mod secrets;
mod troubles;

use std::sync::Arc;

use kernel::{Ambient, SecretString, SystemAmbient};
use model_sim::{Config, Sim};
use models::{Anthropic, Ask, Endpoint, LanguageModel, OpenAi};
use serde_json::{Value, json};
use time::OffsetDateTime;

/// The key that the simulator wants.
const KEY: &str = "sk-sim-0123456789";

/// A machine whose dice always show nothing: pauses between tries are as short as they may be.
#[derive(Debug)]
struct Steady;

impl Ambient for Steady {
    fn now(&self) -> OffsetDateTime {
        SystemAmbient.now()
    }
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

async fn sim() -> Sim {
    let sim = Sim::start(Config::default()).await.unwrap();
    sim.adjust(|switches| switches.key = Some(KEY.into()));
    sim
}

fn endpoint(sim: &Sim, key: &str) -> Endpoint {
    let key = SecretString::from(key.to_owned());
    Endpoint::new(sim.base().parse().unwrap(), Some(key), "test", Arc::new(Steady)).unwrap()
}

/// The same model behind each of the two wire formats, with the endpoint that it asks.
fn both(sim: &Sim) -> [(Box<dyn LanguageModel>, model_sim::Endpoint); 2] {
    [
        (
            Box::new(Anthropic::new(endpoint(sim, KEY), "claude-sonnet-4".into())),
            model_sim::Endpoint::Messages,
        ),
        (Box::new(OpenAi::new(endpoint(sim, KEY), "gpt-4.1-mini".into())), model_sim::Endpoint::Chat),
    ]
}

fn schema() -> Value {
    let texts = json!({"type": "array", "items": {"type": "string"}});
    let fields = json!({"title": {"type": "string"}, "quotes": texts});
    json!({"type": "object", "additionalProperties": false, "required": ["items"], "properties": {"items": {"type": "array",
        "items": {"type": "object", "additionalProperties": false, "required": ["title", "quotes"], "properties": fields}}}})
}

fn ask(said: &str) -> Ask {
    Ask {
        system: "Read it.".into(),
        user: format!("<transcript>\nCUSTOMER 1: {said}\n</transcript>"),
        name: "feedback",
        schema: schema(),
        most_tokens: 1_000,
    }
}
