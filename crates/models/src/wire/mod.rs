//! The providers' wire formats.

mod anthropic;
mod embeddings;
mod openai;

pub use anthropic::Anthropic;
pub use embeddings::{OpenAiEmbeddings, Voyage};
pub use openai::OpenAi;
