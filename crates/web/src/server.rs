//! The server loop: accepts connections up to a number, and holds every client to its time. Knows no route.
//!
//! hyper's own header time-out also ends idle connections; here the two are told apart: a request has to arrive quickly,
//! while a browser may keep its connection for its next one.

mod refusal;
mod watch;

use std::{convert::Infallible, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use http::{Request, Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

use crate::context::Peer;
use watch::{Verdict, Watch, WatchedBody, WatchedStream};

/// What clients are held to.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The most connections at once; more wait to be accepted.
    pub connections: usize,
    /// How long the head of a request may take to arrive.
    pub head: Duration,
    /// How long a connection may stay open without a request.
    pub idle: Duration,
    /// How long a client may refuse to take what we send.
    pub stalled: Duration,
    /// How long requests may go on after the stop.
    pub drain: Duration,
    /// The most bytes of the head of a request.
    pub head_bytes: usize,
    /// The most headers of a request.
    pub headers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4_096,
            head: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            stalled: Duration::from_secs(60),
            drain: Duration::from_secs(20),
            head_bytes: 32 * 1024,
            headers: 100,
        }
    }
}

/// Serves until `stop`; then accepts nothing more, lets requests end within the time to drain, and returns.
///
/// # Errors
/// When the address of the listener cannot be read.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    let places = Arc::new(Semaphore::new(limits.connections.max(1)));
    let (connections, cut) = (TaskTracker::new(), CancellationToken::new());
    loop {
        let Some(place) = stop.run_until_cancelled(Arc::clone(&places).acquire_owned()).await else { break };
        let Some(accepted) = stop.run_until_cancelled(listener.accept()).await else { break };
        match accepted {
            Ok((stream, peer)) => {
                let talk = talk(stream, peer, router.clone(), limits, stop.clone(), cut.clone());
                connections.spawn(async move {
                    talk.await;
                    drop(place);
                });
            }
            Err(error) => {
                // Mostly: no file descriptor is free. Waiting gives connections time to end.
                tracing::warn!(error = %error, "A connection could not be accepted.");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    connections.close();
    if timeout(limits.drain, connections.wait()).await.is_err() {
        tracing::warn!(%address, connections = connections.len(), "Requests that did not end in time were cut off.");
        cut.cancel();
        connections.wait().await;
    }
    Ok(())
}

/// Serves one connection to its end.
async fn talk(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
    cut: CancellationToken,
) {
    // Small answers leave at once; where that cannot be set they leave a little later.
    stream.set_nodelay(true).ok();
    let watch = Watch::new();
    let io = TokioIo::new(WatchedStream::new(stream, watch.clone()));
    let answering = watch.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let (router, watch) = (router.clone(), answering.clone());
        async move { Ok::<_, Infallible>(answer(router, request, peer, &watch).await) }
    });
    let mut builder = http1::Builder::new();
    builder.header_read_timeout(None).max_buf_size(limits.head_bytes).max_headers(limits.headers);
    let mut connection = pin!(builder.serve_connection(io, service));
    let mut look = interval(Duration::from_secs(1));
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stopping = false;
    loop {
        tokio::select! {
            // A client that goes away in the middle is nobody's fault.
            _ = connection.as_mut() => return,
            () = cut.cancelled() => return,
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
            _ = look.tick() => match watch.judge(&limits) {
                Verdict::Fine => {}
                Verdict::Idle => connection.as_mut().graceful_shutdown(),
                Verdict::TooSlow => return,
            },
        }
    }
}

async fn answer(
    router: Router,
    request: Request<Incoming>,
    peer: SocketAddr,
    watch: &Watch,
) -> Response<WatchedBody> {
    let busy = watch.busy();
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(Peer(peer));
    let response = match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    response.map(|body| WatchedBody::new(body, busy))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::{get, post};
    use std::time::Instant;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn quick() -> Limits {
        Limits {
            connections: 4,
            head: Duration::from_secs(1),
            idle: Duration::from_secs(2),
            drain: Duration::from_secs(2),
            ..Limits::default()
        }
    }

    async fn start(
        limits: Limits,
    ) -> (SocketAddr, CancellationToken, tokio::task::JoinHandle<io::Result<()>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let router = Router::new()
            .route("/", get(|| async { "hello" }))
            .route("/echo", post(|body: String| async { body }))
            .route(
                "/slow",
                get(|| async {
                    sleep(Duration::from_millis(500)).await;
                    "late"
                }),
            );
        let served = tokio::spawn(serve(listener, router, limits, stop.clone()));
        (address, stop, served)
    }

    async fn ask(stream: &mut TcpStream, text: &str) -> String {
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).await.unwrap();
        String::from_utf8_lossy(&buffer[..read]).into_owned()
    }

    /// How long the server keeps a connection open from now on.
    async fn life(stream: &mut TcpStream) -> Duration {
        let begun = Instant::now();
        let mut rest = Vec::new();
        timeout(Duration::from_secs(10), stream.read_to_end(&mut rest)).await.unwrap().ok();
        begun.elapsed()
    }

    const GET: &str = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";

    #[tokio::test]
    async fn half_a_head_is_cut_off_and_an_idle_connection_lives_longer() {
        let (address, _stop, _) = start(quick()).await;
        let mut half = TcpStream::connect(address).await.unwrap();
        half.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
        let mut silent = TcpStream::connect(address).await.unwrap();
        let mut idle = TcpStream::connect(address).await.unwrap();
        assert!(ask(&mut idle, GET).await.ends_with("hello"));
        assert!(ask(&mut idle, GET).await.ends_with("hello"), "the connection is kept");
        let (half, silent, idle) = tokio::join!(life(&mut half), life(&mut silent), life(&mut idle));
        assert!(half < Duration::from_millis(2500), "{half:?}");
        assert!(silent < Duration::from_millis(2500), "{silent:?}");
        assert!(idle > Duration::from_millis(1500) && idle < Duration::from_millis(4500), "{idle:?}");
    }

    #[tokio::test]
    async fn more_connections_than_places_wait_their_turn() {
        let (address, _stop, _) = start(Limits { connections: 1, ..quick() }).await;
        let mut first = TcpStream::connect(address).await.unwrap();
        assert!(ask(&mut first, GET).await.ends_with("hello"));
        let mut second = TcpStream::connect(address).await.unwrap();
        let waiting = timeout(Duration::from_millis(300), ask(&mut second, GET)).await;
        assert!(waiting.is_err(), "there is no place yet");
        drop(first);
        let mut buffer = [0; 512];
        let read = timeout(Duration::from_secs(3), second.read(&mut buffer)).await.unwrap().unwrap();
        assert!(String::from_utf8_lossy(&buffer[..read]).starts_with("HTTP/1.1 200"));
    }

    #[tokio::test]
    async fn a_stop_lets_requests_end_and_closes_the_rest() {
        let (address, stop, served) = start(quick()).await;
        let mut idle = TcpStream::connect(address).await.unwrap();
        assert!(ask(&mut idle, GET).await.ends_with("hello"));
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        sleep(Duration::from_millis(100)).await;
        stop.cancel();
        let mut answer = String::new();
        slow.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("late"), "{answer}");
        assert!(life(&mut idle).await < Duration::from_secs(1));
        timeout(Duration::from_secs(3), served).await.unwrap().unwrap().unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test]
    async fn a_head_that_is_too_large_is_refused() {
        let (address, _stop, _) = start(Limits { head_bytes: 8192, ..quick() }).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "a".repeat(20_000));
        let answer = ask(&mut stream, &head).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    }

    #[tokio::test]
    async fn api_01_what_cannot_be_read_is_refused_with_a_problem_document() {
        let (address, _stop, _) = start(Limits { head_bytes: 80_000, headers: 3, ..quick() }).await;
        let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(70_000));
        for (request, status) in [
            ("nonsense\r\n\r\n", 400),
            ("G@T / HTTP/1.1\r\nhost: x\r\n\r\n", 400),
            ("GET / HTTP/9.9\r\nhost: x\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nhost: x\r\nno colon\r\n\r\n", 400),
            ("POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: many\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nhost: x\r\na: 1\r\nb: 2\r\nc: 3\r\n\r\n", 431),
            (&long, 414),
        ] {
            let shown = &request[..request.len().min(60)];
            for answers_before in 0..2 {
                let mut stream = TcpStream::connect(address).await.unwrap();
                for _ in 0..answers_before {
                    assert!(ask(&mut stream, GET).await.ends_with("hello"));
                }
                stream.write_all(request.as_bytes()).await.unwrap();
                let mut answer = String::new();
                stream.read_to_string(&mut answer).await.unwrap();
                let (head, body) = answer.split_once("\r\n\r\n").unwrap();
                assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{shown}: {head}");
                assert!(head.contains("content-type: application/problem+json"), "{shown}: {head}");
                let body: serde_json::Value = serde_json::from_str(body).unwrap();
                assert_eq!(body["status"], status, "{shown}: {body}");
                assert_eq!(body["code"], "request_refused");
                assert!(body["request_id"].as_str().unwrap().starts_with("req_"));
            }
        }
        let mut other = TcpStream::connect(address).await.unwrap();
        other.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        assert_eq!(other.read(&mut [0; 64]).await.unwrap_or(0), 0, "another protocol is only hung up on");
    }
}
