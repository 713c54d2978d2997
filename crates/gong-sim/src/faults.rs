//! Rules that make requests fail, and the choice of the rule that hits a request.
//! Knows endpoints and companies, nothing of sockets: `serve` and `spoil` do the damage.

use crate::chance::Chance;
use crate::{CompanyId, Endpoint};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// One rule. Rules are tried in order of adding; the first that fires wins.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rule {
    /// Only this endpoint; `None` = every one.
    #[serde(default)]
    pub endpoint: Option<Endpoint>,
    /// Only this company; `None` = every one.
    #[serde(default)]
    pub company: Option<CompanyId>,
    /// Which of the matching requests.
    #[serde(default)]
    pub when: When,
    /// What happens.
    pub what: What,
}

impl Rule {
    /// Hits the next matching request.
    pub fn once(endpoint: Endpoint, what: What) -> Self {
        Self { endpoint: Some(endpoint), company: None, when: When::Next(1), what }
    }

    /// Hits every matching request until it is removed.
    pub fn always(endpoint: Endpoint, what: What) -> Self {
        Self { endpoint: Some(endpoint), company: None, when: When::Always, what }
    }

    /// Limits the rule to one company.
    pub fn of(mut self, company: CompanyId) -> Self {
        self.company = Some(company);
        self
    }

    /// Sets which of the matching requests are hit.
    pub fn when(mut self, when: When) -> Self {
        self.when = when;
        self
    }
}

/// Which of the matching requests a rule hits.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// All.
    #[default]
    Always,
    /// The next so many.
    Next(u32),
    /// Each so-many-th (2 = every second one).
    Every(u32),
    /// By chance.
    Probability {
        /// From 0 to 1.
        share: f64,
        /// Seed of the dice.
        seed: u64,
    },
}

/// What happens to a request.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Answer with this status and Gong's error body (the OAuth one on the token URL); nothing changes.
    Status(u16),
    /// Answer with this status and this JSON; nothing changes.
    Json(u16, serde_json::Value),
    /// Answer with this status, this error text and a `Retry-After` as given; nothing changes.
    StatusWith {
        /// Status.
        status: u16,
        /// Error text.
        error: String,
        /// `Retry-After` header.
        retry_after: Option<String>,
    },
    /// Answer with this status and an HTML page, as a proxy would; nothing changes.
    Html(u16),
    /// Drop the connection without an answer; nothing changes.
    Reset,
    /// Do the work, then drop the connection without an answer.
    ResetAfterProcessing,
    /// Wait this many milliseconds of real time, then go on.
    Stall(u64),
    /// Do the work, then wait this many milliseconds of real time before the answer.
    LateAnswer(u64),
    /// Send the body in small pieces with pauses.
    SlowBody {
        /// Bytes of a piece.
        bytes: usize,
        /// Milliseconds between pieces.
        pause_ms: u64,
    },
    /// Send half of the body, then drop the connection.
    TruncatedBody,
    /// Answer 200 with a JSON body of this many megabytes.
    HugeBody(usize),
    /// Answer in JSON with every value of a wrong type.
    WrongTypes,
    /// Hold the request before any work until `Sim::release`.
    Hold,
    /// Do the work, hold the answer until `Sim::release`.
    HoldAnswer,
}

impl What {
    /// One word for the memory.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Status(_) => "status",
            Self::Json(..) => "json",
            Self::StatusWith { .. } => "status_with",
            Self::Html(_) => "html",
            Self::Reset => "reset",
            Self::ResetAfterProcessing => "reset_after_processing",
            Self::Stall(_) => "stall",
            Self::LateAnswer(_) => "late_answer",
            Self::SlowBody { .. } => "slow_body",
            Self::TruncatedBody => "truncated_body",
            Self::HugeBody(_) => "huge_body",
            Self::WrongTypes => "wrong_types",
            Self::Hold => "hold",
            Self::HoldAnswer => "hold_answer",
        }
    }
}

/// Names a rule, to release or remove it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultId(pub u64);

/// A rule that hit a request.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    pub(crate) what: What,
    pub(crate) gate: watch::Receiver<bool>,
}

#[derive(Debug, Default)]
pub(crate) struct Faults {
    rules: Vec<Armed>,
    next: u64,
}

#[derive(Debug)]
struct Armed {
    id: u64,
    rule: Rule,
    seen: u32,
    spent: bool,
    hits: u64,
    dice: Chance,
    gate: watch::Sender<bool>,
}

impl Faults {
    /// Adds a rule.
    pub(crate) fn add(&mut self, rule: Rule) -> FaultId {
        self.next += 1;
        let seed = match rule.when {
            When::Probability { seed, .. } => seed,
            _ => 0,
        };
        let gate = watch::Sender::new(false);
        let (id, dice) = (self.next, Chance::new(seed));
        self.rules.push(Armed { id, rule, seen: 0, spent: false, hits: 0, dice, gate });
        FaultId(id)
    }

    /// Lets the requests go that a rule holds, and disarms it.
    pub(crate) fn release(&mut self, id: FaultId) {
        for armed in self.rules.iter_mut().filter(|armed| armed.id == id.0) {
            armed.spent = true;
            armed.gate.send_replace(true);
        }
    }

    /// Removes all rules; held requests go on.
    pub(crate) fn clear(&mut self) {
        for armed in self.rules.drain(..) {
            armed.gate.send_replace(true);
        }
    }

    /// How many requests a rule has hit.
    pub(crate) fn hits(&self, id: FaultId) -> u64 {
        self.rules.iter().find(|armed| armed.id == id.0).map_or(0, |armed| armed.hits)
    }

    /// The rule that hits a request.
    pub(crate) fn strike(&mut self, endpoint: Endpoint, company: Option<CompanyId>) -> Option<Hit> {
        self.rules.iter_mut().find_map(|armed| armed.strike(endpoint, company))
    }
}

impl Armed {
    fn strike(&mut self, endpoint: Endpoint, company: Option<CompanyId>) -> Option<Hit> {
        let fits = self.rule.endpoint.is_none_or(|wanted| wanted == endpoint)
            && (self.rule.company.is_none() || self.rule.company == company);
        if self.spent || !fits {
            return None;
        }
        self.seen = self.seen.saturating_add(1);
        let fires = match self.rule.when {
            When::Always => true,
            When::Next(count) => {
                self.spent = self.seen >= count;
                self.seen <= count
            }
            When::Every(step) => self.seen.is_multiple_of(step.max(1)),
            When::Probability { share, .. } => self.dice.hit(share),
        };
        fires.then(|| {
            self.hits += 1;
            Hit { what: self.rule.what.clone(), gate: self.gate.subscribe() }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Faults, Rule, What, When};
    use crate::Endpoint;

    #[test]
    fn rules_hit_the_next_every_or_some_requests() {
        let mut faults = Faults::default();
        faults.add(Rule::once(Endpoint::Token, What::Reset));
        assert!(faults.strike(Endpoint::Calls, None).is_none());
        assert!(faults.strike(Endpoint::Token, None).is_some());
        assert!(faults.strike(Endpoint::Token, None).is_none());
        faults.add(Rule::always(Endpoint::Calls, What::Html(502)).when(When::Every(3)));
        let hits: Vec<bool> = (0..6).map(|_| faults.strike(Endpoint::Calls, None).is_some()).collect();
        assert_eq!(hits, [false, false, true, false, false, true]);
        let some = When::Probability { share: 0.5, seed: 3 };
        let id = faults.add(Rule::always(Endpoint::User, What::Reset).when(some));
        for _ in 0..1_000 {
            faults.strike(Endpoint::User, None);
        }
        assert!((400..600).contains(&faults.hits(id)));
    }
}
