//! How much of the API one key, session or address may use in a minute, and saying so in every answer.
//!
//! Counted in this process, in fixed windows of a minute that begin with the first request: what the headers say is exact for
//! the process that says it. Several processes allow several times as much. Knows no route.

use std::{
    collections::HashMap,
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::{AppState, Problem, RequestContext, auth::cookies};

/// The length of a window.
const WINDOW: Duration = Duration::from_secs(60);
/// The most callers that are counted apart at a time; beyond them all share one count.
const MOST_CALLERS: usize = 50_000;

type Who = [u8; 32];

struct Window {
    begun: Instant,
    used: u32,
}

/// The counts of this process.
#[derive(Clone)]
pub(crate) struct Quotas {
    most: u32,
    windows: Arc<Mutex<HashMap<Who, Window>>>,
}

impl fmt::Debug for Quotas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quotas").field("most", &self.most).finish_non_exhaustive()
    }
}

/// How a caller stands after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    /// Whether this request may be done.
    passes: bool,
    /// How many more may follow in this window.
    left: u32,
    /// Seconds until all may be used again.
    resets: u64,
}

impl Quotas {
    /// At most so many requests of one caller in a minute.
    pub(crate) fn new(most: u32) -> Self {
        Self { most: most.max(1), windows: Arc::default() }
    }

    fn take(&self, who: Who, now: Instant) -> Standing {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let over = |window: &Window| now.duration_since(window.begun) >= WINDOW;
        if windows.len() >= MOST_CALLERS && !windows.contains_key(&who) {
            windows.retain(|_, window| !over(window));
        }
        let who = if windows.len() >= MOST_CALLERS && !windows.contains_key(&who) { [0; 32] } else { who };
        let window = windows.entry(who).or_insert(Window { begun: now, used: 0 });
        if over(window) {
            *window = Window { begun: now, used: 0 };
        }
        let passes = window.used < self.most;
        window.used += u32::from(passes);
        let rest = WINDOW.saturating_sub(now.duration_since(window.begun));
        Standing {
            passes,
            left: self.most - window.used,
            resets: rest.as_secs() + u64::from(rest.subsec_nanos() > 0),
        }
    }
}

/// Counts a request of the API, refuses it when there were too many, and says how the caller stands.
pub(crate) async fn keep(
    State(state): State<AppState>,
    context: RequestContext,
    request: Request,
    next: Next,
) -> Response {
    if !request.uri().path().starts_with("/api/v1/") {
        return next.run(request).await;
    }
    let who = who(request.headers(), context.address(), state.is_https());
    let standing = state.quotas.take(who, Instant::now());
    let mut response = if standing.passes { next.run(request).await } else { refused(standing) };
    tell(response.headers_mut(), state.quotas.most, standing);
    response
}

/// A caller as it shows itself; whether the key or session counts is judged later.
fn who(headers: &HeaderMap, address: IpAddr, https: bool) -> Who {
    let mut hash = Sha256::new();
    match (headers.get(header::AUTHORIZATION), cookies::read(headers, cookies::session_name(https))) {
        (Some(key), _) => hash.update([b"key ", key.as_bytes()].concat()),
        (None, Some(session)) => hash.update([b"session ", session.as_bytes()].concat()),
        (None, None) => hash.update(format!("address {address}")),
    }
    hash.finalize().into()
}

fn refused(standing: Standing) -> Response {
    let detail = format!("Too many requests within a minute. Wait {} seconds.", standing.resets);
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail)
        .after(Duration::from_secs(standing.resets))
        .into_response()
}

fn tell(headers: &mut HeaderMap, most: u32, standing: Standing) {
    let policy = format!("\"minute\";q={most};w={}", WINDOW.as_secs());
    let now = format!("\"minute\";r={};t={}", standing.left, standing.resets);
    for (name, value) in [("ratelimit-policy", policy), ("ratelimit", now)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_counted_down_and_a_new_window_has_all_of_it() {
        let (quotas, now) = (Quotas::new(3), Instant::now());
        let take = |after: u64| quotas.take([1; 32], now + Duration::from_millis(after));
        assert_eq!(take(0), Standing { passes: true, left: 2, resets: 60 });
        assert_eq!(take(1), Standing { passes: true, left: 1, resets: 60 });
        assert_eq!(take(30_000), Standing { passes: true, left: 0, resets: 30 });
        assert_eq!(take(59_999), Standing { passes: false, left: 0, resets: 1 });
        assert!(quotas.take([2; 32], now).passes, "others have counts of their own");
        assert_eq!(take(60_000), Standing { passes: true, left: 2, resets: 60 });
    }

    #[test]
    fn strangers_without_end_share_a_count_and_memory_stays_bounded() {
        let (quotas, now) = (Quotas::new(5), Instant::now());
        for stranger in 0..u32::try_from(MOST_CALLERS + 100).unwrap() {
            let mut who = [7; 32];
            who[..4].copy_from_slice(&stranger.to_le_bytes());
            quotas.take(who, now);
        }
        assert!(quotas.windows.lock().unwrap().len() <= MOST_CALLERS + 1);
        assert!(!quotas.take([9; 32], now).passes);
        assert!(quotas.take([9; 32], now + WINDOW).passes, "what is over makes room");
    }

    #[test]
    fn keys_sessions_and_addresses_are_told_apart() {
        let of = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            who(&headers, [127, 0, 0, 1].into(), false)
        };
        let all = [
            of("authorization", "Bearer a"),
            of("authorization", "Bearer b"),
            of("cookie", "soundpost=a"),
            of("x-nothing", "a"),
        ];
        assert!(all.iter().enumerate().all(|(at, one)| !all[at + 1..].contains(one)));
        assert_eq!(of("x-nothing", "b"), all[3]);
    }
}
