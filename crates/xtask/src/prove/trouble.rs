//! The schedule of faults: drawn as a whole from the seed before anything starts, so that a seed replays it.
//! Knows which faults there are; `chaos` brings them about.

use std::time::Duration;

use serde_json::{Value, json};

use super::chance::Chance;
use super::proxy::Wire;

/// Which wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Database,
    Token,
    /// The one before a company.
    Company(usize),
}

/// One thing that goes wrong, or that people do meanwhile.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Trouble {
    /// Kill -9 of a worker; another starts after this time.
    Kill(usize, Duration),
    /// SIGSTOP of a worker, SIGCONT after this time.
    Freeze(usize, Duration),
    /// One of PostgreSQL's processes dies: it ends all connections and recovers.
    DatabaseCrash,
    /// A wire is bad for this time.
    Wire(Which, Wire, Duration),
    /// A rule of the simulator.
    Gong(Value),
    /// New calls at a company: how many, and whether they are private.
    Calls(usize, usize, bool),
    /// A call of a company turns private, chosen by this number.
    TurnPrivate(usize, usize),
}

impl Trouble {
    /// How it is counted in the table.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Kill(..) => "kill -9",
            Self::Freeze(..) => "SIGSTOP",
            Self::DatabaseCrash => "database crash",
            Self::Wire(Which::Database, ..) => "bad wire to the database",
            Self::Wire(..) => "bad wire to Gong",
            Self::Gong(_) => "fault of Gong",
            Self::Calls(..) => "new calls",
            Self::TurnPrivate(..) => "call turned private",
        }
    }
}

/// Trouble for so many seconds, some every three seconds.
pub(super) fn draw(seed: u64, seconds: u64, workers: usize, companies: usize) -> Vec<(Duration, Trouble)> {
    let mut chance = Chance::of(seed, "trouble");
    let (mut at, mut plan) = (Duration::from_secs(3), Vec::new());
    while at < Duration::from_secs(seconds) {
        plan.push((at, one(&mut chance, workers, companies)));
        at += chance.millis(400, 3_200);
    }
    plan
}

fn one(chance: &mut Chance, workers: usize, companies: usize) -> Trouble {
    match chance.below(20) {
        0..4 => Trouble::Kill(chance.below(workers), chance.millis(0, 3_000)),
        4 => Trouble::Freeze(chance.below(workers), chance.millis(31_000, 36_000)),
        5 => Trouble::DatabaseCrash,
        6..8 => Trouble::Wire(Which::Database, wire(chance), chance.millis(300, 4_000)),
        8..10 => Trouble::Wire(Which::Token, wire(chance), chance.millis(300, 6_000)),
        10..12 => {
            Trouble::Wire(Which::Company(chance.below(companies)), wire(chance), chance.millis(300, 6_000))
        }
        12..16 => Trouble::Gong(rule(chance)),
        16..19 => Trouble::Calls(chance.below(companies), 1 + chance.below(4), chance.below(4) == 0),
        _ => Trouble::TurnPrivate(chance.below(companies), chance.below(1_000)),
    }
}

fn wire(chance: &mut Chance) -> Wire {
    match chance.below(6) {
        0 => Wire::Latency(chance.millis(20, 300)),
        1 => Wire::Stall,
        2 => Wire::Swallow,
        3 => Wire::CutAfter(chance.next() % 20_000),
        4 => Wire::Down,
        _ => Wire::Bandwidth(2_000 + chance.next() % 50_000),
    }
}

fn rule(chance: &mut Chance) -> Value {
    let endpoint =
        ["calls_extensive", "transcript", "token", "calls_extensive", "transcript"][chance.below(5)];
    let what = match chance.below(9) {
        0 => json!({ "status": 500 }),
        1 => json!({ "html": 502 }),
        2 => json!({ "status_with": { "status": 503, "error": "Busy", "retry_after": "1" } }),
        3 if endpoint != "token" => {
            json!({ "status_with": { "status": 429, "error": "Slow down", "retry_after": "2" } })
        }
        4 => json!("reset"),
        5 => json!({ "stall": 1_000 + chance.next() % 4_000 }),
        6 => json!("truncated_body"),
        7 => json!({ "late_answer": 500 + chance.next() % 3_000 }),
        _ => json!("reset_after_processing"),
    };
    json!({ "endpoint": endpoint, "when": { "next": 1 + chance.below(3) }, "what": what })
}

#[cfg(test)]
mod tests {
    use super::{Trouble, draw};

    #[test]
    fn a_seed_replays_its_schedule() {
        assert_eq!(draw(5, 120, 3, 2), draw(5, 120, 3, 2));
        assert_ne!(draw(5, 120, 3, 2), draw(6, 120, 3, 2));
    }

    #[test]
    fn a_long_schedule_holds_every_kind_of_trouble() {
        let mut words: Vec<&str> = draw(1, 900, 3, 2).iter().map(|(_, trouble)| trouble.word()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), 8, "{words:?}");
        let company = |trouble: &Trouble| matches!(trouble, Trouble::Calls(company, ..) if *company > 1);
        assert!(!draw(1, 900, 3, 2).iter().any(|(_, trouble)| company(trouble)));
    }
}
