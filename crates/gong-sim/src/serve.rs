//! Listeners, connections and the way of one request: remember, limit, fault, work, fault, answer.
//! Knows nothing of what Gong answers: that is in `api` and `app`.

use crate::asked::Asked;
use crate::clock;
use crate::faults::{Hit, What};
use crate::grants::Owner;
use crate::memory::Request;
use crate::reply::{Reply, SentBody};
use crate::shared::Shared;
use crate::switches::RetryAfter;
use crate::world::World;
use crate::{CompanyId, Endpoint, api, app, control};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::net::TcpListener as Bound;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Which listener a request came in on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    App,
    Api(CompanyId),
}

/// The connection is dropped on purpose.
#[derive(Debug, thiserror::Error)]
#[error("the simulator dropped the connection on purpose")]
pub(crate) struct Dropped;

/// Accepts connections until the simulator stops.
pub(crate) async fn listen(shared: Arc<Shared>, bound: Bound, side: Side) {
    let listener = match bound.set_nonblocking(true).and_then(|()| TcpListener::from_std(bound)) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(error = %error, "a listener of the simulator could not start");
            return;
        }
    };
    let mut stopped = std::pin::pin!(stopped(shared.stop.subscribe()));
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(tokio::spawn(connection(Arc::clone(&shared), stream, side))),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            },
            () = stopped.as_mut() => return,
        }
    }
}

async fn connection(shared: Arc<Shared>, stream: TcpStream, side: Side) {
    let stopped = stopped(shared.stop.subscribe());
    // a failure only means smaller packets come later
    drop(stream.set_nodelay(true));
    let service = service_fn(move |request| handle(Arc::clone(&shared), side, request));
    let serving = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        done = serving.as_mut() => drop(done),
        () = stopped => {
            serving.as_mut().graceful_shutdown();
            drop(tokio::time::timeout(Duration::from_millis(300), serving).await);
        }
    }
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // an error means that the simulator is gone, which is a stop too
    drop(stop.wait_for(|stopped| *stopped).await);
}

async fn handle(
    shared: Arc<Shared>,
    side: Side,
    request: http::Request<Incoming>,
) -> Result<http::Response<SentBody>, Dropped> {
    const MOST: usize = 8 << 20;
    let at = shared.micros();
    let (parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, MOST).collect().await else { return Err(Dropped) };
    let asked = Asked::new(parts, body.to_bytes(), at);
    if side == Side::App && asked.path.starts_with("/sim/") {
        return Ok(control::answer(&shared, &asked).into_response());
    }
    let visit = Visit::begin(Arc::clone(&shared), side, &asked);
    let reply = match &visit.gate {
        Gate::Refused(text, retry_after) => {
            let id = shared.lock().mint.request_id();
            let reply = Reply::trouble(429, &id, text);
            Some(match retry_after {
                Some(value) => reply.header("retry-after", value.clone()),
                None => reply,
            })
        }
        Gate::Open(hit) => through(&visit, &shared, &asked, hit.as_ref()).await,
    };
    visit.end(reply.as_ref().map(|reply| reply.status));
    reply.map(Reply::into_response).ok_or(Dropped)
}

/// Lets a request through the fault that hits it; `None` = drop the connection.
async fn through(visit: &Visit, shared: &Arc<Shared>, asked: &Asked, hit: Option<&Hit>) -> Option<Reply> {
    let Some(hit) = hit else { return Some(visit.work(shared, asked)) };
    if let Some(instead) = instead(visit, shared, &hit.what) {
        return Some(instead);
    }
    match &hit.what {
        What::Reset => return None,
        What::Stall(ms) => tokio::time::sleep(Duration::from_millis(*ms)).await,
        What::Hold => released(hit).await,
        _ => {}
    }
    let reply = visit.work(shared, asked);
    match &hit.what {
        What::ResetAfterProcessing => return None,
        What::LateAnswer(ms) => tokio::time::sleep(Duration::from_millis(*ms)).await,
        What::HoldAnswer => released(hit).await,
        _ => {}
    }
    Some(match &hit.what {
        What::SlowBody { bytes, pause_ms } => reply.slowly(*bytes, *pause_ms),
        What::TruncatedBody => reply.cut(),
        What::WrongTypes => reply.with_wrong_types(),
        _ => reply,
    })
}

/// The answer of a fault that does no work.
fn instead(visit: &Visit, shared: &Shared, what: &What) -> Option<Reply> {
    let id = shared.lock().mint.request_id();
    let failure = |status: u16, text: &str| match visit.endpoint {
        Endpoint::Token => {
            Reply::oauth_error(status, if status < 500 { "invalid_request" } else { "server_error" }, text)
        }
        _ => Reply::trouble(status, &id, text),
    };
    Some(match what {
        What::Status(status) => failure(*status, "Unexpected failure"),
        What::Json(status, body) => Reply::json(*status, body),
        What::StatusWith { status, error, retry_after } => match retry_after {
            Some(value) => failure(*status, error).header("retry-after", value.clone()),
            None => failure(*status, error),
        },
        What::Html(status) => Reply::html(
            *status,
            format!(
                "<html><head><title>{status}</title></head><body><h1>{status} Bad Gateway</h1></body></html>"
            ),
        ),
        What::HugeBody(megabytes) => Reply::huge(*megabytes),
        _ => return None,
    })
}

async fn released(hit: &Hit) {
    // an error means that the simulator is gone, which ends the wait too
    drop(hit.gate.clone().wait_for(|open| *open).await);
}

/// One request from its arrival to its answer; ends the count of open token requests when dropped.
struct Visit {
    shared: Arc<Shared>,
    side: Side,
    endpoint: Endpoint,
    sequence: u64,
    owner: Owner,
    gate: Gate,
}

enum Gate {
    Open(Option<Hit>),
    Refused(&'static str, Option<String>),
}

impl Visit {
    fn begin(shared: Arc<Shared>, side: Side, asked: &Asked) -> Self {
        let (endpoint, owner) = {
            let world = shared.lock();
            match side {
                Side::App => (Endpoint::of_app(&asked.path), app::owner(&world, asked)),
                Side::Api(company) => {
                    (Endpoint::of_api(&asked.path), Owner { company: Some(company), ..Owner::default() })
                }
            }
        };
        let mut world = shared.lock();
        let sequence = remember(&mut world, endpoint, owner, asked);
        if endpoint == Endpoint::Token {
            world.memory.enter_token(owner.company, owner.family);
        }
        let refused = match side {
            Side::Api(company) => refuse(&mut world, company, asked.at_micros),
            Side::App => None,
        };
        let gate = match refused {
            Some(gate) => gate,
            None => Gate::Open(world.faults.strike(endpoint, owner.company)),
        };
        if let Gate::Open(Some(hit)) = &gate {
            let word = hit.what.word().to_owned();
            world.memory.note(sequence, |request| request.fault = Some(word));
        }
        drop(world);
        Self { shared, side, endpoint, sequence, owner, gate }
    }

    fn work(&self, shared: &Shared, asked: &Asked) -> Reply {
        let mut world = shared.lock();
        let reply = match self.side {
            Side::Api(company) => api::answer(&mut world, company, self.endpoint, asked, self.sequence),
            Side::App => app::answer(&mut world, self.endpoint, asked, self.sequence),
        };
        if self.side == Side::App {
            shared.keep(&world);
        }
        reply
    }

    fn end(&self, status: Option<u16>) {
        self.shared.lock().memory.answered(self.sequence, status);
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let at = self.shared.micros();
        let mut world = self.shared.lock();
        world.memory.note(self.sequence, |request| request.ended_at_micros = Some(at));
        if self.endpoint == Endpoint::Token {
            world.memory.leave_token(self.owner.company, self.owner.family);
        }
    }
}

fn remember(world: &mut World, endpoint: Endpoint, owner: Owner, asked: &Asked) -> u64 {
    let sim_time = world.now();
    world.memory.arrive(Request {
        sequence: 0,
        at_micros: asked.at_micros,
        ended_at_micros: None,
        sim_time,
        company: owner.company,
        endpoint,
        method: asked.method.clone(),
        path: asked.path.clone(),
        status: None,
        grant_type: None,
        family: owner.family,
        refresh_ordinal: owner.ordinal,
        from: None,
        to: None,
        call_ids: Vec::new(),
        cursor: false,
        subject: None,
        fault: None,
    })
}

/// Refuses a request that is over the company's limit.
fn refuse(world: &mut World, id: CompanyId, at_micros: u64) -> Option<Gate> {
    let now = world.now();
    let default = world.switches.limit;
    let company = world.company_mut(id)?;
    let limit = company.limit.unwrap_or(default)?;
    let real = i64::try_from(at_micros).unwrap_or(i64::MAX);
    let sim = i64::try_from(now.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX);
    let seconds = company.limiter.admit(limit, real, sim).err()?;
    world.memory.companies.entry(id).or_default().rate_limited += 1;
    let value = match &world.switches.retry_after {
        RetryAfter::Integer => Some(seconds.to_string()),
        RetryAfter::HttpDate => {
            Some(clock::http_date(now + time::Duration::seconds(i64::try_from(seconds).unwrap_or(1))))
        }
        RetryAfter::Absent => None,
        RetryAfter::Text(text) => Some(text.clone()),
    };
    Some(Gate::Refused("API rate limit exceeded for this company", value))
}
