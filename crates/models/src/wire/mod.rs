//! The providers' wire formats.

mod anthropic;
mod dialect;
mod embeddings;
mod openai;

pub use anthropic::Anthropic;
pub use embeddings::{OpenAiEmbeddings, Voyage};
pub use openai::OpenAi;
