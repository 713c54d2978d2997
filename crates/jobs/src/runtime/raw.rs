//! apalis' storage with the payload left as it lies in the row.
//!
//! apalis decodes payloads while it fetches, and one that does not decode ends the worker with all it holds. Left alone, a
//! bad row is one bad job.

use std::task::{Context, Poll};

use apalis::prelude::WorkerContext;
use apalis_core::backend::{Backend, BackendConfig, ext::poll_strategy::PollWith, finalize::Ephemeral};
use apalis_postgres::{Config, Error, PgTask, PostgresStorage};
use sqlx::PgPool;

use super::bell::Bell;

type Storage = PostgresStorage<Vec<u8>>;

/// The jobs of one queue, fetched when the bell rings.
pub(super) struct Raw {
    inner: PollWith<Storage, Bell>,
}

impl Raw {
    pub(super) fn new(pool: &PgPool, config: Config, bell: Bell) -> Self {
        Self { inner: PollWith::new(Storage::new(pool).with_config(config), bell) }
    }
}

impl Backend for Raw {
    type Task = PgTask;
    type Error = Error;

    fn poll_ready(&mut self, cx: &mut Context<'_>, worker: &WorkerContext) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx, worker)
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        worker: &WorkerContext,
    ) -> Poll<Option<Result<PgTask, Error>>> {
        self.inner.poll_next(cx, worker)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>, worker: &WorkerContext) -> Poll<Result<(), Error>> {
        self.inner.poll_close(cx, worker)
    }
}

impl BackendConfig for Raw {
    type Args = Vec<u8>;
    type Id = <Storage as BackendConfig>::Id;
    // Not `Durable`: that is what decodes.
    type Kind = Ephemeral;
    type Config = Config;
    type Layer = <Storage as BackendConfig>::Layer;

    fn config(&self) -> &Config {
        BackendConfig::config(&self.inner)
    }

    fn middleware(&mut self, worker: &mut WorkerContext) -> Self::Layer {
        self.inner.middleware(worker)
    }
}
