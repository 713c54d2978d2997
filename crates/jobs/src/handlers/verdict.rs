//! What a failure means for a job: later, again, never again; and what of it is noted of the connection.
//!
//! Knows the words of Gong's refusals. Must never know what the job was about to do.

use std::time::Duration;

use accounts::{Entry, RequestInfo, actions};
use connector::{SessionError, reason};
use feedback::FeedbackError;
use gong::{GongError, HeldReason};
use ingest::IngestError;
use kernel::RunKind;
use queue::Verdict;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{Deed, Errand, Rooms};
use crate::feedback::AILING;

/// Why a job did not end well.
#[derive(Debug)]
pub(crate) enum Failure {
    Session(SessionError),
    Ingest(IngestError),
    Accounts(accounts::AccountsError),
    Feedback(FeedbackError),
    /// Gong refuses even a fresh credential.
    Refused,
}

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        Self::Session(error)
    }
}

impl From<IngestError> for Failure {
    fn from(error: IngestError) -> Self {
        Self::Ingest(error)
    }
}

impl From<accounts::AccountsError> for Failure {
    fn from(error: accounts::AccountsError) -> Self {
        Self::Accounts(error)
    }
}

impl From<FeedbackError> for Failure {
    fn from(error: FeedbackError) -> Self {
        Self::Feedback(error)
    }
}

impl From<connector::ConnectorError> for Failure {
    fn from(error: connector::ConnectorError) -> Self {
        Self::Session(error.into())
    }
}

impl From<db::DbError> for Failure {
    fn from(error: db::DbError) -> Self {
        Self::Ingest(error.into())
    }
}

impl Rooms {
    pub(super) async fn judge(&self, errand: &Errand<'_>, failure: Failure) -> Verdict {
        let now = self.ambient.now();
        match failure {
            Failure::Refused | Failure::Session(SessionError::Inactive | SessionError::ReconnectRequired) => {
                Verdict::Done
            }
            Failure::Session(SessionError::Flood) => {
                self.suspect(errand, reason::CREDENTIAL_FLOOD, json!({})).await
            }
            Failure::Session(SessionError::Later { at }) => Verdict::Later { at, why: "token_not_yet" },
            Failure::Session(SessionError::Connector(error)) => self.failed_here(&error, error.code()),
            Failure::Accounts(error) => self.failed_here(&error, error.code()),
            // Vectors for posts that have none: they can wait.
            Failure::Feedback(FeedbackError::Model(_) | FeedbackError::Index(_)) => {
                Verdict::Later { at: now + AILING, why: "model_does_not_help" }
            }
            Failure::Feedback(error) => self.failed_here(&error, error.code()),
            Failure::Ingest(IngestError::Gong(error)) => self.judge_gong(errand, error, now).await,
            Failure::Ingest(IngestError::ErasuresChanged) => Verdict::Next,
            Failure::Ingest(IngestError::Flood { this_hour, usual }) => {
                let detail = json!({ "transcripts_this_hour": this_hour, "usual_in_an_hour": usual });
                self.suspect(errand, reason::TRANSCRIPT_FLOOD, detail).await
            }
            Failure::Ingest(error) => self.failed_here(&error, error.code()),
        }
    }

    /// It failed on our side. A database that is away is no failure of the job: it waits and no attempt is counted.
    fn failed_here(&self, error: &(dyn std::error::Error + 'static), code: &'static str) -> Verdict {
        tracing::error!(code, error, "A job failed on our side.");
        if db::is_outage(error) {
            return Verdict::Later { at: self.ambient.now() + self.spread(10), why: code };
        }
        Verdict::Retry { code, after: None }
    }

    /// Something points at misuse: it is told, and the connection is paused unless the operator wants it otherwise.
    async fn suspect(&self, errand: &Errand<'_>, why: &'static str, detail: Value) -> Verdict {
        let (now, connection) = (self.ambient.now(), errand.connection);
        let told = async {
            let mut tx = self.db.begin(&errand.scope).await?;
            ingest::flood_told(&mut tx, connection, now).await?;
            let pause = self.defaults.pause_on_misuse && connector::pause_working(&mut tx, why, now).await?;
            if pause {
                ingest::set_active(&mut tx, connection, false, &*self.ambient).await?;
            }
            let mut detail = detail;
            (detail["reason"], detail["paused"], detail["security"]) =
                (json!(why), json!(pause), json!(true));
            let entry = Entry::new(actions::GONG_MISUSE_SUSPECTED, &RequestInfo::default());
            accounts::audit(&mut tx, entry.target(connection).detail(detail), &*self.ambient).await?;
            tx.commit().await?;
            Ok::<_, Failure>(pause)
        };
        let paused = match told.await {
            Ok(paused) => paused,
            Err(failure) => {
                tracing::error!(failure = ?failure, "What points at misuse could not be written down.");
                return Verdict::Retry { code: why, after: None };
            }
        };
        metrics::counter!("soundpost_security_events_total", "event" => why).increment(1);
        tracing::error!(security = true, code = why, paused, connection.id = %connection,
            "A connection is used in a way that points at misuse.");
        if paused { Verdict::Done } else { Verdict::Next }
    }

    async fn judge_gong(&self, errand: &Errand<'_>, error: GongError, now: OffsetDateTime) -> Verdict {
        tracing::warn!(
            code = error.code(),
            gong.request_id = error.request_id().unwrap_or(""),
            "Gong did not give what was asked for."
        );
        match &error {
            GongError::Held(held) => {
                let at = held.until + self.spread(2);
                if held.why == HeldReason::Outage {
                    self.note(errand, Fact::Outage("gong_unavailable", at), now).await;
                }
                Verdict::Later { at, why: error.code() }
            }
            GongError::RateLimited { retry_after, .. } => {
                let wait = retry_after.unwrap_or(Duration::from_secs(30));
                Verdict::Later { at: now + wait + self.spread(2), why: error.code() }
            }
            GongError::MissingScope { scope: missing, .. } => {
                self.note(errand, Fact::MissingScope(missing), now).await;
                Verdict::Done
            }
            GongError::Forbidden { .. } => {
                self.note(errand, Fact::Error("ip_not_allowed"), now).await;
                Verdict::Later { at: now + Duration::from_secs(3600), why: error.code() }
            }
            GongError::BadRequest { .. } | GongError::InvalidRequest { .. } => {
                self.note(errand, Fact::Error(error.code()), now).await;
                if let Some(Deed::List(kind)) = Deed::of(&errand.job.kind) {
                    self.give_up(errand, kind, error.code()).await;
                }
                Verdict::Dead { code: error.code() }
            }
            _ => {
                let code = if matches!(error, GongError::Malformed { .. } | GongError::TooLarge { .. }) {
                    "gong_malformed"
                } else {
                    "gong_unavailable"
                };
                let failing_for = self.note(errand, Fact::Error(code), now).await;
                let at = now + self.outage_gap(failing_for);
                self.note(errand, Fact::Outage(code, at), now).await;
                Verdict::Later { at, why: error.code() }
            }
        }
    }

    async fn give_up(&self, errand: &Errand<'_>, kind: RunKind, code: &str) {
        let given = async {
            let mut tx = self.db.begin(&errand.scope).await?;
            ingest::give_up(&mut tx, errand.connection, kind, code, &*self.ambient).await?;
            tx.commit().await.map_err(IngestError::from)
        };
        if let Err(error) = given.await {
            tracing::error!(error = &error as &dyn std::error::Error, "A failure could not be recorded.");
        }
    }

    /// Notes what is wrong with a connection, and says since when it has been.
    async fn note(&self, errand: &Errand<'_>, fact: Fact<'_>, now: OffsetDateTime) -> Duration {
        let noted = async {
            let mut tx = self.db.begin(&errand.scope).await?;
            match fact {
                Fact::MissingScope(scope) => {
                    connector::note_missing_scope(&mut tx, errand.connection, scope, now).await?;
                }
                Fact::Error(code) => connector::note_error(&mut tx, errand.connection, code, now).await?,
                Fact::Outage(code, next) => {
                    connector::note_outage(&mut tx, errand.connection, code, next, now).await?;
                }
            }
            let current = connector::current(&mut tx).await?;
            tx.commit().await?;
            Ok::<_, connector::ConnectorError>(current.and_then(|c| c.last_error).map(|e| now - e.at))
        };
        match noted.await {
            Ok(since) => since.unwrap_or_default().try_into().unwrap_or_default(),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "A failure could not be recorded.");
                Duration::ZERO
            }
        }
    }

    /// An outage is no failure of the job: it is tried again ever less often, from seconds to ten minutes, in random
    /// order, and nothing becomes a dead letter because somebody else is down.
    fn outage_gap(&self, failing_for: Duration) -> Duration {
        let gap = (failing_for / 4).clamp(Duration::from_secs(4), Duration::from_secs(600));
        gap / 2 + self.ambient.jitter(gap / 2)
    }

    fn spread(&self, seconds: u64) -> Duration {
        self.ambient.jitter(Duration::from_secs(seconds))
    }
}

/// What is noted of a connection.
#[derive(Debug, Clone, Copy)]
enum Fact<'a> {
    MissingScope(&'a str),
    Error(&'static str),
    /// Gong does not answer, and is asked again at this moment.
    Outage(&'static str, OffsetDateTime),
}
