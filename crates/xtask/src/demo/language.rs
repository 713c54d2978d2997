//! The simulated server of language models: started, handed to soundpost as its provider, and asked what it was asked.
//! Knows model-sim's command line, nothing of what a language model is asked.

use std::path::Path;

use serde_json::{Value, json};

use super::keep::Keep;
use super::programs::simulator;
use super::say;
use super::visitor::Visitor;
use crate::fault::Fault;
use crate::guard::Guarded;
use crate::http::Client;
use crate::secret;

/// The model's name; posts carry it, so that nobody takes them for the work of a real one.
pub(super) const MODEL: &str = "simulated";
/// Dollars for a million tokens read and written, so that the demo shows costs; about what a small model costs.
const PRICE: &str = "1/5";

/// The running server.
pub(super) struct LanguageServer {
    process: Guarded,
    base: String,
    control: String,
    key: String,
}

impl LanguageServer {
    /// Starts it on a free port of this machine and reads the one line that it prints when it is ready.
    pub(super) fn start(folder: &Path, keep: &Keep) -> Result<Self, Fault> {
        let key = secret::random_word(16)?;
        let words = ["--listen", "127.0.0.1:0", "--print-json"].map(Into::into).into();
        let environment = vec![("MODEL_SIM_KEY".to_owned(), key.clone())];
        let (process, ready) = simulator("model-sim", folder, keep, words, environment)?;
        let text = |name: &str| ready[name].as_str().unwrap_or_default().to_owned();
        let (base, control) = (text("base_url"), text("control_url"));
        say(&format!("the simulated server of language models is up: {base}"));
        Ok(Self { process, base, control, key })
    }

    /// What tells soundpost to ask it, in Anthropic's wire format. Likeness stays with the local model: the vectors of the
    /// simulator know nothing but words.
    pub(super) fn settings(&self) -> [(&'static str, String); 4] {
        [
            ("SOUNDPOST_LANGUAGE_MODEL", format!("anthropic/{MODEL}")),
            ("SOUNDPOST_LANGUAGE_URL", self.base.clone()),
            ("SOUNDPOST_LANGUAGE_KEY", self.key.clone()),
            ("SOUNDPOST_LANGUAGE_PRICE", PRICE.to_owned()),
        ]
    }

    /// How often it was asked as a language model since it was started.
    pub(super) fn asked(&self) -> Result<u64, Fault> {
        let answer = Client::default().get(&format!("{}/summary", self.control))?;
        let summary = answer.good("asking the simulated server of language models")?.json();
        Ok(summary["requests"]["messages"].as_u64().unwrap_or(0))
    }

    /// Fails when it has ended by itself.
    pub(super) fn check(&mut self) -> Result<(), Fault> {
        match self.process.ended() {
            Some(status) => Err(Fault::new(format!("model-sim ended by itself ({status})"))),
            None => Ok(()),
        }
    }
}

/// Has the organization's calls read by the language model.
pub(super) fn choose(visitor: &mut Visitor) -> Result<(), Fault> {
    visitor.send("PATCH", "/api/v1/feedback/settings", Some(&json!({ "analyzer": "model" })))?;
    Ok(())
}

/// What the language model used and cost, in words; `None` when it was never asked.
pub(super) fn used(status: &Value) -> Option<String> {
    let lines = status["usage"].as_array().into_iter().flatten();
    let sum = |field: &str| lines.clone().filter_map(|line| line[field].as_u64()).sum::<u64>();
    let (asks, read, written, cost) =
        (sum("asks"), sum("input_tokens"), sum("output_tokens"), sum("cost_micros"));
    #[expect(clippy::cast_precision_loss, reason = "a demo costs cents")]
    let dollars = cost as f64 / 1e6;
    let price = PRICE.replace('/', " and $");
    (asks > 0).then(|| {
        format!("{asks} answers, {read} tokens read, {written} written: ${dollars:.4} at ${price} a million")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::used;

    #[test]
    fn tokens_and_cost_are_added_up_over_months() {
        let month = |asks: u64| json!({"asks": asks, "input_tokens": 1_000, "output_tokens": 200, "cost_micros": 2_000});
        assert_eq!(
            used(&json!({"usage": [month(3), month(1)]})).as_deref(),
            Some("4 answers, 2000 tokens read, 400 written: $0.0040 at $1 and $5 a million")
        );
        assert_eq!(used(&json!({"usage": []})), None);
    }
}
