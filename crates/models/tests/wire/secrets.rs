//! A key is seen by the provider, and by nobody else.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use kernel::SecretString;
use model_sim::Trouble;
use models::{Embedder, Endpoint, LanguageModel, OpenAi, OpenAiEmbeddings};
use tracing_subscriber::fmt::MakeWriter;

use crate::{KEY, Steady, ask, both, endpoint, sim};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn keys_stand_in_no_error_and_no_log() {
    let log = Log::default();
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(log.clone())
        .init();
    let sim = sim().await;
    let mut seen = String::new();
    for trouble in
        [Trouble::Status(400), Trouble::Status(401), Trouble::Status(500), Trouble::Html, Trouble::Cut]
    {
        for (model, endpoint) in both(&sim) {
            sim.clear();
            sim.trouble(endpoint, 4, trouble.clone());
            let error = model.ask(&ask("The secret word is rhubarb.")).await.unwrap_err();
            seen += &format!("{error} {error:?} {model:?}");
        }
        let embedder = OpenAiEmbeddings::new(endpoint(&sim, KEY), "m");
        sim.trouble(model_sim::Endpoint::Embeddings, 4, trouble);
        let error = embedder.embed(&["rhubarb".into()]).await.unwrap_err();
        seen += &format!("{error} {error:?} {embedder:?}");
    }
    let logged = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(logged.contains("hyper") || logged.contains("reqwest"), "the log is on: {logged}");
    for (what, text) in [("errors", seen), ("log", logged)] {
        assert!(!text.contains(KEY), "the key in {what}: {text}");
        assert!(!text.contains("rhubarb"), "what was said in {what}: {text}");
    }
}

#[tokio::test]
async fn a_wrong_key_is_refused_and_a_damaged_one_is_noticed_at_once() {
    let sim = sim().await;
    let model = OpenAi::new(endpoint(&sim, "sk-other"), "gpt-4.1".into());
    assert_eq!(model.ask(&ask("Hello.")).await.unwrap_err().code(), "model_refused");
    let two_lines = SecretString::from("sk-one\nsk-two".to_owned());
    let error =
        Endpoint::new(sim.base().parse().unwrap(), Some(two_lines), "test", Arc::new(Steady)).unwrap_err();
    assert!(error.to_string().contains("key") && !error.to_string().contains("sk-"), "{error}");
}
