//! Compares what arrived with what the simulated Gong says should have.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use super::programs::Simulator;
use super::visitor::Visitor;
use crate::fault::Fault;
use crate::http::Client;

/// Prints the summary; whether every expected call arrived, with its transcript where there is one.
pub(super) fn print(
    visitor: &mut Visitor,
    simulator: &Simulator,
    connection: &Value,
    time: Option<Duration>,
) -> Result<bool, Fault> {
    let expected = Client::default()
        .get(&format!("{}/sim/expected?company=0", simulator.control))?
        .good("asking the simulated Gong what to expect")?
        .json();
    let arrived = visitor.calls()?;
    let ids: BTreeSet<&str> = arrived.iter().filter_map(gong_id).collect();
    let told: BTreeSet<&str> =
        arrived.iter().filter(|call| has_transcript(call)).filter_map(gong_id).collect();
    let public = texts(&expected, &["calls", "public", "public_calls"]);
    let spoken = texts(&expected, &["transcripts", "with_transcript"]);
    let missing: Vec<&&str> = public.iter().filter(|id| !ids.contains(**id)).collect();
    let silent: Vec<&&str> = spoken.iter().filter(|id| !told.contains(**id)).collect();

    let counts = &connection["counts"];
    println!("\n  calls        {} of {} expected", public.len() - missing.len(), public.len());
    println!("  transcripts  {} of {} expected", spoken.len() - silent.len(), spoken.len());
    for (word, names) in
        [("private", ["private", "skipped_private"]), ("waiting", ["waiting", "transcripts_waiting"])]
    {
        if let Some(value) = names.iter().find_map(|name| counts[*name].as_u64()) {
            println!("  {word:<11}  {value}");
        }
    }
    if let Some(requests) = connection["backfill"]["requests_used"].as_u64() {
        println!("  requests     {requests}");
    }
    if let Some(time) = time {
        println!("  seconds      {:.1}", time.as_secs_f64());
    }
    for id in missing.iter().take(10) {
        println!("  MISSING      call {id}");
    }
    for id in silent.iter().take(10) {
        println!("  MISSING      transcript of call {id}");
    }
    Ok(missing.is_empty() && silent.is_empty() && !public.is_empty())
}

fn gong_id(call: &Value) -> Option<&str> {
    call["gong_id"].as_str().or_else(|| call["gong_call_id"].as_str())
}

fn has_transcript(call: &Value) -> bool {
    call["state"] == "stored" || call["transcript_state"] == "stored"
}

/// The first of these lists of ids that is there.
fn texts<'a>(value: &'a Value, names: &[&str]) -> Vec<&'a str> {
    let list = names.iter().find_map(|name| value[*name].as_array());
    list.into_iter().flatten().filter_map(|id| id.as_str().or_else(|| id["id"].as_str())).collect()
}
