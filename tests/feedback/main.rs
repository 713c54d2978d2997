//! Stories of calls that become feedback.

mod going;
mod hostile;
mod lab;
mod making;
mod models;
mod qdrant;
mod support;
