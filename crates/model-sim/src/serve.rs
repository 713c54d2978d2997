//! The listener, connections and the way of one request: remember, trouble, work, answer. Knows nothing of what is answered.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use http_body_util::{BodyExt, Limited};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::{
    chat, control, embed, qdrant,
    reply::{Reply, SentBody},
    sim::Shared,
    world::{Endpoint, Request, Trouble},
};

/// The largest request that is read, as the providers bound it.
const LARGEST: usize = 32 << 20;

/// The connection is dropped on purpose.
#[derive(Debug, thiserror::Error)]
#[error("the simulator dropped the connection on purpose")]
struct Dropped;

/// Accepts connections until the simulator stops.
pub(crate) async fn listen(shared: Arc<Shared>, listener: TcpListener) {
    let mut stopped = std::pin::pin!(stopped(shared.stop.subscribe()));
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(tokio::spawn(connection(Arc::clone(&shared), stream))),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            },
            () = stopped.as_mut() => return,
        }
    }
}

async fn connection(shared: Arc<Shared>, stream: TcpStream) {
    let stopped = stopped(shared.stop.subscribe());
    // a failure only means smaller packets come later
    drop(stream.set_nodelay(true));
    let service = service_fn(move |request| handle(Arc::clone(&shared), request));
    let serving = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        done = serving => drop(done),
        () = stopped => {}
    }
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // an error means that the simulator is gone, which is a stop too
    drop(stop.wait_for(|stopped| *stopped).await);
}

async fn handle(
    shared: Arc<Shared>,
    request: http::Request<Incoming>,
) -> Result<http::Response<SentBody>, Dropped> {
    let (parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, LARGEST).collect().await else { return Err(Dropped) };
    let body: Value = serde_json::from_slice(&body.to_bytes()).unwrap_or_default();
    let path = parts.uri.path().to_owned();
    let endpoint = Endpoint::of(&path);
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers: BTreeMap<_, _> =
        parts.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    let mut request = Request {
        sequence: 0,
        endpoint,
        method: parts.method.as_str().to_owned(),
        path,
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers,
        body,
        status: None,
        trouble: None,
    };
    if request.path.starts_with("/sim/") {
        return Ok(control::answer(&mut shared.lock(), &request).into_response());
    }
    let delay = {
        let mut world = shared.lock();
        request.trouble = world.strike(endpoint);
        request.sequence = world.remember(request.clone());
        world.switches.delay_ms
    };
    tokio::time::sleep(Duration::from_millis(delay)).await;
    if let Some(Trouble::Stall(ms)) = request.trouble {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
    let reply = answer(&shared, &request);
    shared.lock().answered(request.sequence, reply.as_ref().map(|reply| reply.status));
    reply.map(Reply::into_response).ok_or(Dropped)
}

/// The answer; `None` = drop the connection.
fn answer(shared: &Shared, request: &Request) -> Option<Reply> {
    let mut world = shared.lock();
    if !may_enter(world.switches.key.as_deref(), request) {
        return Some(failure(request, 401, "invalid x-api-key"));
    }
    let instead = match &request.trouble {
        Some(Trouble::Cut) => return None,
        Some(Trouble::RateLimited { retry_after }) => {
            let reply = failure(request, 429, "Number of requests has exceeded your limit");
            Some(match retry_after {
                Some(seconds) => reply.header("retry-after", seconds.clone()),
                None => reply,
            })
        }
        Some(Trouble::Overloaded) if request.endpoint == Endpoint::Messages => {
            Some(failure(request, 529, "Overloaded"))
        }
        Some(Trouble::Overloaded) => Some(failure(request, 503, "The engine is currently overloaded")),
        // Real servers quote what they were sent, with keys and all.
        Some(Trouble::Status(status)) => {
            Some(failure(request, *status, &format!("{:?} {}", request.headers, request.body)))
        }
        Some(Trouble::Html) => Some(Reply::html()),
        Some(Trouble::Huge(megabytes)) => Some(Reply::huge(*megabytes)),
        _ => None,
    };
    let switches = world.switches.clone();
    let reply = instead.unwrap_or_else(|| match request.endpoint {
        Endpoint::Messages => chat::messages(&switches, request),
        Endpoint::Chat => chat::completions(&switches, request),
        Endpoint::Embeddings => embed::answer(&switches, request),
        Endpoint::Qdrant => qdrant::answer(&mut world.collections, request),
        Endpoint::Other => failure(request, 404, "Not Found"),
    });
    Some(if request.trouble == Some(Trouble::CutInBody) { reply.cut() } else { reply })
}

fn may_enter(key: Option<&str>, request: &Request) -> bool {
    let Some(key) = key else { return true };
    let header = match request.endpoint {
        Endpoint::Messages => "x-api-key",
        Endpoint::Qdrant => "api-key",
        _ => "authorization",
    };
    let sent = request.headers.get(header).map(String::as_str);
    sent.map(|sent| sent.strip_prefix("Bearer ").unwrap_or(sent)) == Some(key)
}

/// A failure in the form of whoever is imitated.
pub(crate) fn failure(request: &Request, status: u16, text: &str) -> Reply {
    match request.endpoint {
        Endpoint::Messages => chat::messages_failure(status, text),
        Endpoint::Qdrant => qdrant::failure(status, text),
        _ => chat::completions_failure(status, text),
    }
}
