//! Embeddings as OpenAI made them and Voyage AI speaks them too, but for the word that says what a text is for.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Embedder, Embedding, Endpoint, ModelError, ModelId, Usage, embed::normalized};

/// Texts of one request; providers take at least this many.
const BATCH: usize = 96;

/// An embedding model behind an OpenAI-compatible endpoint.
#[derive(Debug, Clone)]
pub struct OpenAiEmbeddings(Remote);

/// An embedding model of Voyage AI.
#[derive(Debug, Clone)]
pub struct Voyage(Remote);

impl OpenAiEmbeddings {
    /// A model behind `…/v1`.
    pub fn new(endpoint: Endpoint, model: &str) -> Self {
        let extra = json!({"encoding_format": "float"});
        Self(Remote { endpoint, id: ModelId::new("openai", model), model: model.to_owned(), extra })
    }
}

impl Voyage {
    /// A model behind `…/v1`.
    pub fn new(endpoint: Endpoint, model: &str) -> Self {
        let extra = json!({"input_type": "document"});
        Self(Remote { endpoint, id: ModelId::new("voyage", model), model: model.to_owned(), extra })
    }
}

#[derive(Debug, Clone)]
struct Remote {
    endpoint: Endpoint,
    id: ModelId,
    model: String,
    extra: Value,
}

#[derive(Deserialize)]
struct Listed {
    data: Vec<One>,
    #[serde(default)]
    usage: Tokens,
}

#[derive(Deserialize)]
struct One {
    index: usize,
    embedding: Vec<f32>,
}

#[derive(Deserialize, Default)]
struct Tokens {
    #[serde(default)]
    total_tokens: u64,
}

impl Remote {
    async fn embed(&self, texts: &[String]) -> Result<(Vec<Embedding>, Usage), ModelError> {
        let (mut vectors, mut usage) = (Vec::with_capacity(texts.len()), Usage::default());
        for batch in texts.chunks(BATCH) {
            let mut body = json!({"model": self.model, "input": batch});
            if let (Some(body), Some(extra)) = (body.as_object_mut(), self.extra.as_object()) {
                body.extend(extra.clone());
            }
            let listed: Listed =
                self.endpoint.post("embeddings", &body, |request| self.endpoint.with_bearer(request)).await?;
            usage.input += listed.usage.total_tokens;
            vectors.extend(in_order(listed.data, batch.len(), usage)?);
        }
        Ok((vectors, usage))
    }
}

/// The vectors in the order of their texts; each there once, and all of one length.
fn in_order(mut data: Vec<One>, texts: usize, usage: Usage) -> Result<Vec<Embedding>, ModelError> {
    data.sort_by_key(|one| one.index);
    let length = data.first().map_or(0, |one| one.embedding.len());
    let complete = data.len() == texts
        && length > 0
        && data.iter().enumerate().all(|(n, one)| one.index == n && one.embedding.len() == length)
        && data.iter().all(|one| one.embedding.iter().all(|x| x.is_finite()));
    if !complete {
        return Err(ModelError::Unreadable { why: "it does not hold one vector for each text", usage });
    }
    Ok(data.into_iter().map(|one| normalized(one.embedding)).collect())
}

#[async_trait]
impl Embedder for OpenAiEmbeddings {
    fn model(&self) -> &ModelId {
        &self.0.id
    }

    async fn embed(&self, texts: &[String]) -> Result<(Vec<Embedding>, Usage), ModelError> {
        self.0.embed(texts).await
    }
}

#[async_trait]
impl Embedder for Voyage {
    fn model(&self) -> &ModelId {
        &self.0.id
    }

    async fn embed(&self, texts: &[String]) -> Result<(Vec<Embedding>, Usage), ModelError> {
        self.0.embed(texts).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_come_back_in_the_order_of_their_texts() {
        let one = |index, x: f32| One { index, embedding: vec![x, 0.0] };
        let usage = Usage::default();
        let sorted = in_order(vec![one(1, -2.0), one(0, 3.0)], 2, usage).unwrap();
        assert_eq!(sorted, [[1.0, 0.0], [-1.0, 0.0]]);
        assert!(in_order(vec![one(0, 1.0)], 2, usage).is_err(), "one is missing");
        assert!(in_order(vec![one(0, 1.0), one(0, 1.0)], 2, usage).is_err(), "one is there twice");
        assert!(in_order(vec![one(0, f32::NAN)], 1, usage).is_err(), "no number");
    }
}
