//! What each kind of job does: opens a session with Gong, lets a room work, and turns the outcome into a verdict.
//!
//! Knows which room does what. Must never know how a room does it, nor touch its tables.

mod verdict;

use std::sync::Arc;

use ::feedback::Engine;
use async_trait::async_trait;
use connector::{Connector, Event, Session, SessionError, Witness};
use db::Db;
use gong::{GongError, Purpose};
use ingest::{Defaults, Fetched, Fetching, Gates, IngestError, Shroud, Walked, Work, task};
use kernel::{ConnectionId, RunKind, Scope, SharedAmbient};
use queue::{Job, Verdict};
use tokio_util::sync::CancellationToken;

use crate::{Chronicle, feedback, privacy, runtime::Handler};
pub(crate) use verdict::Failure;

/// The kind of the job that replaces a token; its subject is a connection.
pub const REFRESH: &str = "refresh";

/// Everything that jobs work with.
#[derive(Debug, Clone)]
pub struct Rooms {
    /// The database.
    pub db: Db,
    /// Connections and sessions.
    pub connector: Connector,
    /// The API budgets.
    pub gates: Gates,
    /// The settings of ingestion.
    pub defaults: Defaults,
    /// Clock and randomness.
    pub ambient: SharedAmbient,
    /// What makes feedback of calls; `None` where this installation has no model for it.
    pub feedback: Option<Arc<Engine>>,
}

/// What a job does with a session.
#[derive(Debug, Clone, Copy)]
enum Deed {
    List(RunKind),
    Fetch(Purpose),
    Confirm,
    Recheck,
}

impl Deed {
    fn of(kind: &str) -> Option<Self> {
        Some(match kind {
            task::POLL => Self::List(RunKind::Poll),
            task::BACKFILL => Self::List(RunKind::Backfill),
            task::SWEEP => Self::List(RunKind::Sweep),
            task::TRANSCRIPTS => Self::Fetch(Purpose::Fresh),
            task::BACKFILL_TRANSCRIPTS => Self::Fetch(Purpose::Backfill),
            task::CONFIRM => Self::Confirm,
            task::RECHECK => Self::Recheck,
            _ => return None,
        })
    }
}

/// What came of a deed that went well.
struct Done {
    verdict: Verdict,
    /// Gong gave transcripts, or said that it has none yet.
    transcripts_came: bool,
}

/// One attempt of a job: for whom, and who tells it to stop.
struct Errand<'a> {
    scope: Scope,
    connection: ConnectionId,
    job: &'a Job,
    stop: &'a CancellationToken,
}

#[async_trait]
impl Handler for Rooms {
    async fn handle(&self, job: Job, stop: &CancellationToken) -> Verdict {
        let scope = Scope::job(job.organization);
        let errand = Errand { scope, connection: ConnectionId::from_uuid(job.subject), job: &job, stop };
        let outcome = match Deed::of(&job.kind) {
            Some(deed) => self.with_gong(&errand, deed).await,
            None if job.kind == REFRESH => self.refresh(&errand).await,
            None if privacy::knows(&job.kind) => privacy::work(self, &scope, &job.kind, stop).await,
            None if job.kind == ::feedback::JOB => feedback::work(self, &scope, stop).await,
            None => return Verdict::Dead { code: "unknown_kind" },
        };
        match outcome {
            Ok(verdict) => verdict,
            Err(failure) => self.judge(&errand, failure).await,
        }
    }
}

impl Rooms {
    async fn deed(
        &self,
        errand: &Errand<'_>,
        deed: Deed,
        session: &Session,
        shroud: &Shroud,
    ) -> Result<Done, IngestError> {
        let work = self.work(errand, session, shroud);
        let verdict = match deed {
            Deed::List(kind) => match ingest::walk(&work, kind).await? {
                Walked::More => Verdict::Next,
                Walked::Finished => {
                    if kind == RunKind::Poll {
                        ingest::doubt(&work).await?;
                    }
                    Verdict::Done
                }
            },
            Deed::Fetch(purpose) => {
                let Fetching { asked, ended } = ingest::fetch_transcripts(&work, purpose).await?;
                return Ok(Done { verdict: self.after_fetch(ended), transcripts_came: asked });
            }
            Deed::Confirm => self.after_fetch(ingest::confirm(&work).await?),
            Deed::Recheck => self.after_fetch(ingest::recheck(&work).await?),
        };
        Ok(Done { verdict, transcripts_came: false })
    }

    fn work<'a>(&'a self, errand: &'a Errand<'_>, session: &'a Session, shroud: &'a Shroud) -> Work<'a> {
        Work {
            db: &self.db,
            scope: &errand.scope,
            connection: errand.connection,
            gong: session.gong(),
            defaults: &self.defaults,
            ambient: &*self.ambient,
            trace: errand.job.trace.as_deref(),
            shroud,
            stop: errand.stop,
        }
    }

    fn after_fetch(&self, fetched: Fetched) -> Verdict {
        match fetched {
            Fetched::More => Verdict::Next,
            Fetched::Idle(Some(at)) if at > self.ambient.now() => {
                Verdict::Later { at, why: "waiting_for_gong" }
            }
            Fetched::Idle(_) => Verdict::Done,
        }
    }

    async fn refresh(&self, errand: &Errand<'_>) -> Result<Verdict, Failure> {
        let gate = self.gates.of(&errand.scope, errand.connection);
        self.connector.refresh_if_due(&errand.scope, errand.connection, gate).await?;
        Ok(Verdict::Done)
    }

    /// Whether transcripts may be asked for: the scope is there, or its hour of rest is over.
    async fn may_read_transcripts(&self, scope: &Scope) -> Result<bool, Failure> {
        let mut tx = self.db.begin(scope).await?;
        let Some(connection) = connector::current(&mut tx).await? else { return Ok(false) };
        let may =
            connector::may_try_scope(&mut tx, &connection, TRANSCRIPT_SCOPE, self.ambient.now()).await?;
        tx.commit().await?;
        Ok(may)
    }

    /// Works with a session; once more with a newer token when Gong refuses the first.
    async fn with_gong(&self, errand: &Errand<'_>, deed: Deed) -> Result<Verdict, Failure> {
        let (scope, trace) = (&errand.scope, errand.job.trace.clone());
        if matches!(deed, Deed::Fetch(_)) && !self.may_read_transcripts(scope).await? {
            return Ok(Verdict::Done);
        }
        let gate = self.gates.of(scope, errand.connection);
        let session = self.connector.session(scope, gate.clone(), trace.clone()).await?;
        if session.connection().id != errand.connection {
            // The job is about a connection of another time.
            return Ok(Verdict::Done);
        }
        let shroud = privacy::shroud(self, scope).await?;
        let first = self.deed(errand, deed, &session, &shroud).await;
        if !matches!(first, Err(IngestError::Gong(GongError::Unauthorized { .. }))) {
            return self.worked(errand, deed, &session, first?).await;
        }
        let session = self.connector.session_after_refusal(scope, session, gate, trace).await?;
        match self.deed(errand, deed, &session, &shroud).await {
            Err(IngestError::Gong(GongError::Unauthorized { .. })) => {
                if !self.connector.was_in_force(scope, &session).await? {
                    return Err(SessionError::Later { at: self.ambient.now() }.into());
                }
                self.connector.refused(scope, errand.connection).await?;
                Err(Failure::Refused)
            }
            second => self.worked(errand, deed, &session, second?).await,
        }
    }

    /// After work that went well: what was wrong is mended, and an unknown company is learned from its calls.
    async fn worked(
        &self,
        errand: &Errand<'_>,
        deed: Deed,
        session: &Session,
        done: Done,
    ) -> Result<Verdict, Failure> {
        let (scope, connection) = (&errand.scope, session.connection());
        if done.transcripts_came {
            feedback::wake(self, scope).await?;
        }
        if matches!(deed, Deed::Recheck) {
            privacy::judge_losses(self, scope, errand.connection).await?;
        }
        let regained =
            done.transcripts_came && connection.missing_scopes.iter().any(|s| s == TRANSCRIPT_SCOPE);
        if connection.last_error.is_none() && !connection.workspaces.is_empty() && !regained {
            return Ok(done.verdict);
        }
        let now = self.ambient.now();
        let mut tx = self.db.begin(scope).await?;
        if regained {
            connector::scope_regained(&mut tx, connection.id, TRANSCRIPT_SCOPE).await?;
        }
        let code = connection.last_error.as_ref().map(|error| error.code.as_str());
        if let Some(code) = code.filter(|code| passes(code) || (regained && *code == "missing_scope")) {
            connector::clear_error(&mut tx, connection.id, code, now).await?;
        }
        if connection.workspaces.is_empty() {
            let ids = ingest::workspace_ids(&mut tx, connection.id).await?;
            if !self.connector.learn_company(&mut tx, connection, &ids).await? {
                let why = connector::reason::COMPANY_LINKED_ELSEWHERE;
                if connector::pause_working(&mut tx, why, now).await? {
                    let chronicle = Chronicle::new(self.ambient.clone());
                    chronicle.saw(&mut tx, connection.id, Event::Stopped, Some(why)).await?;
                    ingest::set_active(&mut tx, connection.id, false, &*self.ambient).await?;
                }
            }
        }
        tx.commit().await?;
        Ok(done.verdict)
    }
}

/// The scope without which transcripts cannot be read.
const TRANSCRIPT_SCOPE: &str = "api:calls:read:transcript";

/// Whether an error is mended by the next request that goes well. A missing scope is mended by reconnecting.
fn passes(code: &str) -> bool {
    !matches!(code, "missing_scope" | "authorization_revoked" | "access_refused")
}
