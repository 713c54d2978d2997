//! A simulated server of language models, embeddings and vectors: real HTTP on a real port, strict where the real ones are
//! strict. It knows none of the other crates, so that it can contradict them.
//!
//! # Start
//!
//! ```no_run
//! # async fn start() -> Result<(), model_sim::SimError> {
//! use model_sim::{Config, Endpoint, Sim, Trouble};
//! let sim = Sim::start(Config::default()).await?;
//! sim.adjust(|switches| switches.key = Some("sk-sim".into()));
//! sim.trouble(Endpoint::Messages, 2, Trouble::Overloaded);
//! println!("{} {}", sim.base(), sim.qdrant());
//! # Ok(()) }
//! ```
//!
//! # What is imitated
//!
//! * Anthropic: `POST /v1/messages` with one tool that has to be used; `x-api-key`, `anthropic-version`.
//! * OpenAI and its likes: `POST /v1/chat/completions` with a strict JSON Schema, `POST /v1/embeddings`.
//! * Voyage AI: `POST /v1/embeddings` for models whose name begins with `voyage`, with fields of its own.
//! * Qdrant: collections, points, exact queries with filters, under `/qdrant`.
//!
//! The language model is a few honest rules: sentences of lines that begin with `CUSTOMER` or `UNKNOWN` and hold words of wishing
//! or complaint become items; quotes are copied letter by letter. Its answer is poured into the schema that was asked for.
//! Vectors are made of hashed words, so texts with the same words are alike. Nothing depends on time or chance.
//!
//! # Switches
//!
//! Everything that stays is a field of [`Switches`]; what goes wrong for a number of requests is a [`Trouble`] given to
//! [`Sim::trouble`]. [`Sim::requests`] gives back every request, and what was answered.
//!
//! # Control surface
//!
//! JSON: `GET /sim/summary`, `GET /sim/requests`; `POST /sim/trouble` `{"endpoint": "messages", "times": 2, "what": "overloaded"}`,
//! `POST /sim/switches` with the fields to change, `POST /sim/clear`.

mod chat;
mod control;
mod embed;
mod qdrant;
mod reader;
mod reply;
mod schema;
mod serve;
mod sim;
mod wish;
mod world;

pub use sim::{Config, Sim, SimError};
pub use world::{Endpoint, Request, Switches, Trouble};
