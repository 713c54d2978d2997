//! Language models and embeddings behind two traits: asking for structured answers, and texts as vectors.
//!
//! Knows wire formats, time-outs, retries, tokens and list prices. Must never know a prompt, a post or an organization.

mod ask;
mod embed;
mod error;
mod http;
#[cfg(feature = "local")]
mod local;
mod price;
mod qdrant;
mod wire;

pub use ask::{Answer, Ask, LanguageModel, Usage};
pub use embed::{Embedder, Embedding, ModelId, cosine};
pub use error::ModelError;
pub use http::Endpoint;
#[cfg(feature = "local")]
pub use local::MiniLm;
pub use price::{Price, list_price};
pub use qdrant::{Point, Qdrant};
pub use wire::{Anthropic, OpenAi, OpenAiEmbeddings, Voyage};
