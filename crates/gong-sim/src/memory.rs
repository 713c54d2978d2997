//! What the simulator remembers of the requests it got, and exact counters beside it.
//! Knows nothing of how a request is answered. It keeps no token and no body.

use crate::{CompanyId, Endpoint};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, VecDeque};
use time::OffsetDateTime;

/// One remembered request.
#[derive(Clone, Debug, Serialize)]
pub struct Request {
    /// Number in order of arrival, from 1.
    pub sequence: u64,
    /// Arrival in microseconds of real, monotonic time since the simulator started.
    pub at_micros: u64,
    /// When the answer was handed over, or the client gave up; `None` while open.
    pub ended_at_micros: Option<u64>,
    /// Arrival by the simulator's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub sim_time: OffsetDateTime,
    /// Whose host was asked, or to whom a token request belongs.
    pub company: Option<CompanyId>,
    /// Which endpoint.
    pub endpoint: Endpoint,
    /// HTTP method.
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// Status answered; `None` while open, or when the connection was dropped.
    pub status: Option<u16>,
    /// `grant_type` of a token request.
    pub grant_type: Option<String>,
    /// Token family of a token request or bearer token; one family per authorization.
    pub family: Option<u64>,
    /// Which refresh token of its family came, from 1.
    pub refresh_ordinal: Option<u32>,
    /// `fromDateTime` as sent.
    pub from: Option<String>,
    /// `toDateTime` as sent.
    pub to: Option<String>,
    /// `callIds` as sent (or the id in the path).
    pub call_ids: Vec<String>,
    /// Whether a cursor was sent.
    pub cursor: bool,
    /// Who asked: `family:3`, `key:...`, `client:...` or nothing valid.
    pub subject: Option<String>,
    /// The fault that hit it.
    pub fault: Option<String>,
}

/// Counters that never lose anything until `clear_memory`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// Requests per endpoint word.
    pub requests: BTreeMap<String, u64>,
    /// Answers per status.
    pub statuses: BTreeMap<u16, u64>,
    /// 429s per company name.
    pub rate_limited: BTreeMap<String, u64>,
    /// Most API requests that arrived within any 1,000 ms, per company name (refused ones too).
    pub max_in_sliding_second: BTreeMap<String, usize>,
    /// Access tokens given out.
    pub tokens_issued: u64,
    /// Refresh tokens that came a second time, outside of the grace time.
    pub refresh_reuses: u64,
    /// Requests remembered one by one.
    pub remembered: usize,
    /// Requests that were dropped from the memory because of its cap.
    pub forgotten: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Memory {
    cap: usize,
    requests: VecDeque<Request>,
    next: u64,
    pub(crate) counts: HashMap<(Endpoint, Option<CompanyId>), u64>,
    pub(crate) statuses: BTreeMap<u16, u64>,
    pub(crate) companies: HashMap<CompanyId, CompanyMemory>,
    pub(crate) families: HashMap<u64, Open>,
    pub(crate) tokens_issued: u64,
    pub(crate) refresh_reuses: u64,
    pub(crate) forgotten: u64,
}

/// What is counted per company.
#[derive(Debug, Default)]
pub(crate) struct CompanyMemory {
    recent: VecDeque<u64>,
    pub(crate) max_in_second: usize,
    pub(crate) rate_limited: u64,
    pub(crate) asked_order: Vec<String>,
    pub(crate) asked: HashMap<String, u64>,
    pub(crate) served: HashMap<String, u64>,
    pub(crate) open: Open,
}

/// Requests open now and the most that ever were.
#[derive(Debug, Default)]
pub(crate) struct Open {
    now: usize,
    pub(crate) most: usize,
}

impl Open {
    fn enter(&mut self) {
        self.now += 1;
        self.most = self.most.max(self.now);
    }

    fn leave(&mut self) {
        self.now = self.now.saturating_sub(1);
    }
}

impl Memory {
    pub(crate) fn new(cap: usize) -> Self {
        Self { cap, next: 1, ..Self::default() }
    }

    /// Remembers an arrival and gives it its number.
    pub(crate) fn arrive(&mut self, mut request: Request) -> u64 {
        let sequence = self.next;
        self.next += 1;
        request.sequence = sequence;
        *self.counts.entry((request.endpoint, request.company)).or_default() += 1;
        let is_api = !matches!(request.endpoint, Endpoint::Token | Endpoint::Authorize);
        if let Some(company) = request.company.filter(|_| is_api) {
            self.companies.entry(company).or_default().tick(request.at_micros);
        }
        self.requests.push_back(request);
        while self.requests.len() > self.cap {
            self.requests.pop_front();
            self.forgotten += 1;
        }
        sequence
    }

    /// Completes a remembered request, when it is still there.
    pub(crate) fn note(&mut self, sequence: u64, change: impl FnOnce(&mut Request)) {
        let Some(first) = self.requests.front().map(|request| request.sequence) else { return };
        let index = sequence.checked_sub(first).and_then(|index| usize::try_from(index).ok());
        if let Some(request) = index.and_then(|index| self.requests.get_mut(index)) {
            change(request);
        }
    }

    /// Notes the status that was answered.
    pub(crate) fn answered(&mut self, sequence: u64, status: Option<u16>) {
        if let Some(status) = status {
            *self.statuses.entry(status).or_default() += 1;
        }
        self.note(sequence, |request| request.status = status);
    }

    /// Notes which transcripts were asked for by id.
    pub(crate) fn asked(&mut self, company: CompanyId, ids: &[String]) {
        let memory = self.companies.entry(company).or_default();
        for id in ids {
            memory.ask(id);
        }
    }

    /// Notes which transcripts were given out.
    pub(crate) fn served(&mut self, company: CompanyId, ids: impl Iterator<Item = String>, by_id: bool) {
        let memory = self.companies.entry(company).or_default();
        for id in ids {
            if !by_id {
                memory.ask(&id);
            }
            *memory.served.entry(id).or_default() += 1;
        }
    }

    /// A token request of a company or family begins.
    pub(crate) fn enter_token(&mut self, company: Option<CompanyId>, family: Option<u64>) {
        if let Some(company) = company {
            self.companies.entry(company).or_default().open.enter();
        }
        if let Some(family) = family {
            self.families.entry(family).or_default().enter();
        }
    }

    /// A token request of a company or family ends.
    pub(crate) fn leave_token(&mut self, company: Option<CompanyId>, family: Option<u64>) {
        if let Some(memory) = company.and_then(|company| self.companies.get_mut(&company)) {
            memory.open.leave();
        }
        if let Some(open) = family.and_then(|family| self.families.get_mut(&family)) {
            open.leave();
        }
    }

    /// Remembered requests from a number on.
    pub(crate) fn since(&self, sequence: u64) -> impl Iterator<Item = &Request> {
        let start = self.requests.partition_point(|request| request.sequence < sequence);
        self.requests.range(start..)
    }

    /// How many are remembered one by one.
    pub(crate) fn remembered(&self) -> usize {
        self.requests.len()
    }

    /// Forgets all requests and counters; numbers go on.
    pub(crate) fn clear(&mut self) {
        let next = self.next;
        *self = Self { next, ..Self::new(self.cap) };
    }
}

impl CompanyMemory {
    fn tick(&mut self, at: u64) {
        let at = at.max(self.recent.back().copied().unwrap_or(0));
        while self.recent.front().is_some_and(|first| at - first >= 1_000_000) {
            self.recent.pop_front();
        }
        self.recent.push_back(at);
        self.max_in_second = self.max_in_second.max(self.recent.len());
    }

    fn ask(&mut self, id: &str) {
        match self.asked.get_mut(id) {
            Some(times) => *times += 1,
            None => {
                self.asked.insert(id.to_owned(), 1);
                self.asked_order.push(id.to_owned());
            }
        }
    }
}
