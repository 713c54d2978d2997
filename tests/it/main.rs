//! Stories: what people and programs do with Soundpost, told over HTTP against a real PostgreSQL and a Gong with memory.
//! The ids in their names are those of docs/GUARANTEES.md.

mod core;
