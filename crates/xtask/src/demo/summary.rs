//! Compares what arrived with what the simulated Gong says should have.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::programs::Simulator;
use super::visitor::Visitor;
use crate::fault::Fault;
use crate::stop;

/// How long the last transcripts may take after the backfill says that it is done.
const LAST_TRANSCRIPTS: Duration = Duration::from_secs(60);

/// What the simulator and we say about the same calls.
#[derive(Debug, Default, PartialEq, Eq)]
struct Comparison {
    calls: usize,
    transcripts: usize,
    private: usize,
    missing: Vec<String>,
    silent: Vec<String>,
    intruders: Vec<String>,
}

impl Comparison {
    fn is_complete(&self) -> bool {
        self.calls > 0 && self.missing.is_empty() && self.silent.is_empty() && self.intruders.is_empty()
    }
}

/// Prints the summary; whether every expected call arrived, with its transcript where there is one, and no private one.
pub(super) fn print(
    visitor: &mut Visitor,
    simulator: &Simulator,
    connection: &Value,
    time: Option<Duration>,
) -> Result<bool, Fault> {
    let expected = simulator.ask("/expected?company=0")?;
    let backfill = &connection["backfill"];
    let mut outcome = compare(list(&expected["calls"]), &visitor.calls()?, backfill);
    // All calls are listed when a backfill is done; the last transcripts may still be on their way.
    let end = Instant::now() + LAST_TRANSCRIPTS;
    while !(outcome.missing.is_empty() && outcome.silent.is_empty()) && Instant::now() < end {
        stop::sleep(Duration::from_secs(1));
        stop::check()?;
        outcome = compare(list(&expected["calls"]), &visitor.calls()?, backfill);
    }
    let row = |word: &str, value: String| println!("  {word:<12} {value}");
    println!();
    row("calls", format!("{} of {} expected", outcome.calls - outcome.missing.len(), outcome.calls));
    row(
        "transcripts",
        format!("{} of {} expected", outcome.transcripts - outcome.silent.len(), outcome.transcripts),
    );
    row(
        "private",
        format!("{} skipped (Gong has {})", number(&backfill["skipped_private"]), outcome.private),
    );
    row("waiting", format!("{} transcripts", number(&connection["counts"]["waiting"])));
    row("requests", number(&backfill["requests_used"]));
    let memory = simulator.ask("/summary")?;
    let most = memory["max_in_sliding_second"]
        .as_object()
        .and_then(|most| most.values().filter_map(Value::as_u64).max());
    let refused = memory["statuses"]["429"].as_u64().unwrap_or(0);
    row(
        "limit",
        format!("{refused} requests refused by Gong, {} at most within one second", most.unwrap_or(0)),
    );
    if let Some(time) = time {
        row("seconds", format!("{:.1}", time.as_secs_f64()));
    }
    for (what, ids) in [
        ("MISSING      call", &outcome.missing),
        ("MISSING      transcript of call", &outcome.silent),
        ("TOO MUCH     private or unknown call", &outcome.intruders),
    ] {
        ids.iter().take(10).for_each(|id| println!("  {what} {id}"));
    }
    Ok(outcome.is_complete())
}

/// Only public calls that began within the backfill are expected: what is younger comes with the next poll.
fn compare(truth: &[Value], arrived: &[Value], backfill: &Value) -> Comparison {
    let bound = |name: &str| backfill[name].as_str().and_then(seconds);
    let (from, to) = (bound("from").unwrap_or(i64::MIN), bound("to").unwrap_or(i64::MAX));
    let here: BTreeMap<&str, &Value> =
        arrived.iter().filter_map(|call| Some((gong_id(call)?, call))).collect();
    let public: BTreeMap<&str, &Value> = truth
        .iter()
        .filter(|call| call["private"] == false)
        .filter_map(|call| Some((call["id"].as_str()?, call)))
        .collect();
    let mut outcome = Comparison { private: truth.len() - public.len(), ..Comparison::default() };
    for (id, call) in &public {
        let began = call["started"].as_str().and_then(seconds).unwrap_or(from);
        if call["visible_now"] == false || began < from || began > to {
            continue;
        }
        outcome.calls += 1;
        let ours = here.get(id);
        if ours.is_none() {
            outcome.missing.push((*id).to_owned());
        }
        if call["has_transcript_now"] == true {
            outcome.transcripts += 1;
            if !ours.is_some_and(|call| has_transcript(call)) {
                outcome.silent.push((*id).to_owned());
            }
        }
    }
    let strange = here.keys().filter(|id| !public.contains_key(*id));
    outcome.intruders = strange.map(|id| (*id).to_owned()).collect();
    outcome
}

fn gong_id(call: &Value) -> Option<&str> {
    call["gong_call_id"].as_str().or_else(|| call["gong_id"].as_str())
}

fn has_transcript(call: &Value) -> bool {
    let state = &call["transcript_state"];
    let state = if state.is_object() { &state["state"] } else { state };
    state == "stored" || call["state"] == "stored" || call["transcript"]["state"] == "stored"
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn number(value: &Value) -> String {
    value.as_u64().map_or_else(|| "?".to_owned(), |number| number.to_string())
}

/// Seconds since 1970 of an RFC 3339 time; fractions are cut off.
fn seconds(text: &str) -> Option<i64> {
    let field = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (field(0, 4)?, field(5, 7)?, field(8, 10)?);
    let time = field(11, 13)? * 3600 + field(14, 16)? * 60 + field(17, 19)?;
    let zone = text.get(19..)?.trim_start_matches(|sign: char| sign == '.' || sign.is_ascii_digit());
    let offset = match zone.as_bytes().first()? {
        b'Z' | b'z' => 0,
        sign => {
            let minutes = zone.get(1..3)?.parse::<i64>().ok()? * 60 + zone.get(4..6)?.parse::<i64>().ok()?;
            if *sign == b'-' { -minutes * 60 } else { minutes * 60 }
        }
    };
    // Years begin in March here, so that the leap day is the last of a year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    Some((days - 719_468) * 86_400 + time - offset)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{compare, seconds};

    #[test]
    fn times_become_seconds() {
        assert_eq!(seconds("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(seconds("2024-02-29T12:00:00.123456Z"), Some(1_709_208_000));
        assert_eq!(seconds("2024-02-29T14:00:00+02:00"), Some(1_709_208_000));
        assert_eq!(seconds("2024-02-29T06:30:00.5-05:30"), Some(1_709_208_000));
        assert_eq!(seconds("yesterday"), None);
    }

    fn truth() -> Vec<Value> {
        let call = |id: &str, private: Value, day: u8, has: bool| {
            json!({"id": id, "private": private, "visible_now": true, "has_transcript_now": has,
                "started": format!("2026-01-{day:02}T10:00:00Z")})
        };
        vec![
            call("1", json!(false), 5, true),
            call("2", json!(false), 6, false),
            call("3", json!(true), 7, true),
            call("4", Value::Null, 7, true),
            call("5", json!(false), 1, true),
            call("6", json!(false), 20, true),
        ]
    }

    fn ours(id: &str, state: &str) -> Value {
        json!({"gong_call_id": id, "transcript_state": state})
    }

    #[test]
    fn everything_within_the_window_is_complete() {
        let backfill = json!({"from": "2026-01-03T00:00:00Z", "to": "2026-01-10T00:00:00Z"});
        let outcome = compare(&truth(), &[ours("1", "stored"), ours("2", "waiting")], &backfill);
        assert_eq!((outcome.calls, outcome.transcripts, outcome.private), (2, 1, 2));
        assert!(outcome.is_complete(), "{outcome:?}");
    }

    #[test]
    fn missing_calls_missing_transcripts_and_private_calls_are_told() {
        let outcome = compare(&truth(), &[ours("1", "waiting"), ours("3", "stored")], &json!({}));
        assert_eq!(outcome.missing, ["2", "5", "6"]);
        assert_eq!(outcome.silent, ["1", "5", "6"]);
        assert_eq!(outcome.intruders, ["3"]);
        assert!(!compare(&[], &[], &json!({})).is_complete());
    }
}
