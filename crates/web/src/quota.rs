//! How much of the API one key, session or address may use in a minute, and saying so in every answer.
//!
//! Counted in this process, in fixed windows of a minute that begin with the first request: what the headers say is exact for
//! the process that says it. Several processes allow several times as much. Anybody can show a key: one counts for itself only
//! once it was recognised, and until then the request counts for its address. Knows no route.

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
use http::{HeaderMap, HeaderValue, StatusCode};
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use tower_sessions_core::session::Id;

use crate::{
    AppState, Problem, RequestContext,
    auth::{bearer, session},
};

/// The length of a window.
const WINDOW: Duration = Duration::from_secs(60);
/// The most callers, and the most addresses, that are counted apart at a time. Further addresses share one count, further
/// callers that of their address.
const MOST_APART: usize = 50_000;
/// How often it is looked for windows that are over, once there are so many.
const SWEEP: Duration = Duration::from_secs(1);

type Who = [u8; 32];

/// The count of all addresses that are too many to be counted apart.
const EVERYBODY_ELSE: Who = [0; 32];

#[derive(Debug, Clone, Copy)]
struct Window {
    begun: Instant,
    used: u32,
}

impl Window {
    fn is_over(&self, now: Instant) -> bool {
        now.duration_since(self.begun) >= WINDOW
    }
}

/// The windows of one sort.
#[derive(Default)]
struct Windows {
    of: HashMap<Who, Window>,
    swept: Option<Instant>,
}

impl Windows {
    /// Whether there is a window for it, or room for one.
    fn admits(&mut self, who: &Who, now: Instant) -> bool {
        if self.of.contains_key(who) || self.of.len() < MOST_APART {
            return true;
        }
        if self.swept.is_none_or(|at| now.duration_since(at) >= SWEEP) {
            self.swept = Some(now);
            self.of.retain(|_, window| !window.is_over(now));
        }
        self.of.len() < MOST_APART
    }

    fn take(&mut self, who: Who, most: u32, now: Instant) -> Standing {
        let window = self.of.entry(who).or_insert(Window { begun: now, used: 0 });
        if window.is_over(now) {
            *window = Window { begun: now, used: 0 };
        }
        let passes = window.used < most;
        window.used += u32::from(passes);
        let rest = WINDOW.saturating_sub(now.duration_since(window.begun));
        Standing {
            passes,
            left: most - window.used,
            resets: rest.as_secs() + u64::from(rest.subsec_nanos() > 0),
        }
    }
}

#[derive(Default)]
struct Counts {
    /// Keys and sessions that were recognised.
    callers: Windows,
    addresses: Windows,
}

/// The counts of this process.
#[derive(Clone)]
pub(crate) struct Quotas {
    most: u32,
    counts: Arc<Mutex<Counts>>,
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
        Self { most: most.max(1), counts: Arc::default() }
    }

    /// Counts a request for the first of these callers that is known, else for the address; says whether that was it.
    fn take(&self, shown: &[Who], address: Who, now: Instant) -> (Standing, bool) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = shown.iter().find(|who| counts.callers.of.contains_key(*who)) {
            return (counts.callers.take(*known, self.most, now), false);
        }
        let address = if counts.addresses.admits(&address, now) { address } else { EVERYBODY_ELSE };
        (counts.addresses.take(address, self.most, now), true)
    }

    /// Moves a request that was counted for the address to the caller who was recognised by now.
    fn recognise(&self, caller: Who, address: Who, now: Instant) -> Option<Standing> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if !counts.callers.admits(&caller, now) {
            return None;
        }
        for counted in [address, EVERYBODY_ELSE] {
            if let Some(window) = counts.addresses.of.get_mut(&counted) {
                window.used = window.used.saturating_sub(1);
                break;
            }
        }
        Some(counts.callers.take(caller, self.most, now))
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
    let (quotas, address) = (&state.quotas, of_address(context.address()));
    let shown = shown(request.headers(), state.is_https());
    let (mut standing, is_stranger) = quotas.take(&shown, address, Instant::now());
    let mut response = if standing.passes { next.run(request).await } else { refused(standing) };
    if let Some(caller) = context.caller().filter(|_| is_stranger) {
        standing = quotas.recognise(caller, address, Instant::now()).unwrap_or(standing);
    }
    tell(response.headers_mut(), quotas.most, standing);
    response
}

/// Whom a request claims to come from.
fn shown(headers: &HeaderMap, https: bool) -> Vec<Who> {
    let key = bearer::presented(headers).map(of_key);
    key.into_iter().chain(session::shown(headers, https).map(|id| of_session(&id))).collect()
}

/// What a key is counted as.
pub(crate) fn of_key(key: &str) -> Who {
    Sha256::new().chain_update(b"key ").chain_update(key).finalize().into()
}

/// What a session is counted as.
pub(crate) fn of_session(id: &Id) -> Who {
    Sha256::new().chain_update(b"session ").chain_update(id.0.to_le_bytes()).finalize().into()
}

/// What an address is counted as; of IPv6 the half that one household has.
fn of_address(address: IpAddr) -> Who {
    let hash = Sha256::new().chain_update(b"address ");
    match address.to_canonical() {
        IpAddr::V4(address) => hash.chain_update(address.octets()),
        IpAddr::V6(address) => hash.chain_update(&address.octets()[..8]),
    }
    .finalize()
    .into()
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

    const ADDRESS: Who = [1; 32];

    #[test]
    fn what_is_left_is_counted_down_and_a_new_window_has_all_of_it() {
        let (quotas, now) = (Quotas::new(3), Instant::now());
        let take = |after: u64| quotas.take(&[], ADDRESS, now + Duration::from_millis(after)).0;
        assert_eq!(take(0), Standing { passes: true, left: 2, resets: 60 });
        assert_eq!(take(1), Standing { passes: true, left: 1, resets: 60 });
        assert_eq!(take(30_000), Standing { passes: true, left: 0, resets: 30 });
        assert_eq!(take(59_999), Standing { passes: false, left: 0, resets: 1 });
        assert!(quotas.take(&[], [2; 32], now).0.passes, "others have counts of their own");
        assert_eq!(take(60_000), Standing { passes: true, left: 2, resets: 60 });
    }

    #[test]
    fn who_is_recognised_has_a_count_of_its_own_whatever_strangers_at_the_address_do() {
        let (quotas, now) = (Quotas::new(3), Instant::now());
        let (friend, session) = ([8; 32], [9; 32]);
        assert!(quotas.take(&[friend], ADDRESS, now).1, "nobody knows it yet");
        assert_eq!(quotas.recognise(friend, ADDRESS, now).map(|s| s.left), Some(2));
        for stranger in 10..13 {
            assert!(quotas.take(&[[stranger; 32]], ADDRESS, now).0.passes);
        }
        for stranger in 20..30 {
            assert!(
                !quotas.take(&[[stranger; 32]], ADDRESS, now).0.passes,
                "another key is no other stranger"
            );
        }
        let (standing, is_stranger) = quotas.take(&[friend], ADDRESS, now);
        assert_eq!((standing.passes, standing.left, is_stranger), (true, 1, false));
        quotas.recognise(session, ADDRESS, now);
        assert!(!quotas.take(&[[40; 32], session], ADDRESS, now).1, "a made-up key hides no session");
    }

    #[test]
    fn strangers_without_end_share_a_count_and_memory_stays_bounded() {
        let (quotas, now) = (Quotas::new(5), Instant::now());
        quotas.recognise([3; 32], ADDRESS, now);
        for stranger in 0..u32::try_from(MOST_APART + 100).unwrap() {
            let mut address = [7; 32];
            address[..4].copy_from_slice(&stranger.to_le_bytes());
            quotas.take(&[], address, now);
        }
        assert!(quotas.counts.lock().unwrap().addresses.of.len() <= MOST_APART + 1);
        assert!(!quotas.take(&[], [9; 32], now).0.passes);
        assert!(quotas.take(&[[3; 32]], [9; 32], now).0.passes, "a friend is not one of them");
        assert!(quotas.take(&[], [9; 32], now + WINDOW).0.passes, "what is over makes room");
    }

    #[test]
    fn keys_sessions_and_addresses_are_told_apart() {
        let of = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            shown(&headers, false)
        };
        let all = [
            of("authorization", "Bearer spk_a"),
            of("authorization", "Bearer spk_b"),
            of("cookie", "soundpost=AAAAAAAAAAAAAAAAAAAAAA"),
            of("cookie", "soundpost=AQAAAAAAAAAAAAAAAAAAAA"),
        ];
        assert!(all.iter().enumerate().all(|(at, one)| one.len() == 1 && !all[at + 1..].contains(one)));
        assert!(of("authorization", "Bearer anything").is_empty() && of("x-nothing", "a").is_empty());
        let at = |text: &str| of_address(text.parse().unwrap());
        assert_eq!(at("2001:db8::1"), at("2001:db8::2"), "one household");
        assert_ne!(at("2001:db8::1"), at("2001:db8:0:1::1"));
        assert_eq!(at("::ffff:192.0.2.1"), at("192.0.2.1"));
        assert_ne!(at("192.0.2.1"), at("192.0.2.2"));
    }
}
