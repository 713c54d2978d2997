//! What must be true after whatever happened, seen from three sides that must agree: what the simulator remembers, what the
//! database holds, what the API says.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::report::Outcome;
use super::town::Town;
use crate::fault::Fault;

/// What an experiment asks of the calls of its town.
#[derive(Default)]
pub(super) struct Wanted {
    /// Most requests of a company within any second; `None` where the experiment switched the limit off.
    pub(super) a_second: Option<u64>,
    /// Calls that turned private on the way: they may have been asked for while they were public.
    pub(super) flipped: BTreeSet<String>,
}

/// One call as the database and the API have it.
#[derive(Default)]
struct Sides {
    missing: Vec<String>,
    surplus: Vec<String>,
    doubled: Vec<String>,
    api: Vec<String>,
    untold: Vec<String>,
    garbled: Vec<String>,
    asked: Vec<String>,
    crowded: u64,
    refused: u64,
}

/// Calls and transcripts of every company.
pub(super) fn calls(town: &mut Town, wanted: &Wanted, outcome: &mut Outcome) -> Result<(), Fault> {
    let mut sides = Sides::default();
    let (mut eligible, mut transcripts) = (0, 0);
    for company in 0..town.people.len() {
        let truth = town.truth(company)?;
        let public = |call: &&Value| call["visible_now"] == true && call["private"] == false;
        let ids: BTreeSet<String> = truth.iter().filter(public).filter_map(id).collect();
        let texts: BTreeMap<String, String> = truth
            .iter()
            .filter(public)
            .filter(|call| call["has_transcript_now"] == true)
            .filter_map(|call| Some((id(call)?, call["text_sha256"].as_str()?.to_owned())))
            .collect();
        eligible += ids.len();
        transcripts += texts.len();
        in_database(town, company, &ids, &texts, &mut sides)?;
        let told = town.people[company].visitor.calls()?;
        let told: Vec<String> =
            told.iter().filter_map(|call| Some(call["gong_call_id"].as_str()?.to_owned())).collect();
        let distinct: BTreeSet<String> = told.iter().cloned().collect();
        sides.api.extend(distinct.symmetric_difference(&ids).cloned());
        sides.doubled.extend((told.len() > distinct.len()).then(|| format!("API of company {company}")));
        let asked = town.simulator.ask(&format!("/asked?company={company}"))?;
        let hidden = truth.iter().filter(|call| call["private"] != false).filter_map(id);
        sides.asked.extend(hidden.filter(|id| !wanted.flipped.contains(id) && !asked["asked"][id].is_null()));
        sides.crowded = sides.crowded.max(asked["most_in_a_second"].as_u64().unwrap_or(0));
        sides.refused += asked["rate_limited"].as_u64().unwrap_or(0);
    }
    outcome.none(&format!("each of {eligible} eligible calls is in the database"), &sides.missing);
    outcome.none("no call is there twice", &sides.doubled);
    outcome.none("nothing private or foreign is in the database", &sides.surplus);
    outcome.none("the API lists exactly the eligible calls", &sides.api);
    outcome.none(&format!("each of {transcripts} available transcripts is stored"), &sides.untold);
    outcome.none("each stored transcript is word for word what was said", &sides.garbled);
    outcome.none("no transcript of a private call was ever asked for", &sides.asked);
    if let Some(most) = wanted.a_second {
        outcome.at_most("requests to a company in any sliding second", sides.crowded as f64, most as f64, "");
        outcome.at_most("requests refused with 429 by the company's limit", sides.refused as f64, 0.0, "");
    }
    Ok(())
}

fn id(call: &Value) -> Option<String> {
    Some(call["id"].as_str()?.to_owned())
}

fn in_database(
    town: &Town,
    company: usize,
    ids: &BTreeSet<String>,
    texts: &BTreeMap<String, String>,
    sides: &mut Sides,
) -> Result<(), Fault> {
    let organization = &town.people[company].organization;
    let held = town.database.rows(&format!(
        "select gong_call_id, count(*) from gong_calls where organization_id = '{organization}' group by 1"
    ))?;
    let have: BTreeSet<String> = held.iter().map(|row| row[0].clone()).collect();
    sides.missing.extend(ids.difference(&have).cloned());
    sides.surplus.extend(have.difference(ids).cloned());
    sides.doubled.extend(held.iter().filter(|row| row[1] != "1").map(|row| row[0].clone()));
    let stored: BTreeMap<String, String> = town
        .database
        .rows(&format!(
            "select c.gong_call_id, encode(sha256(convert_to(coalesce(string_agg(s.value ->> 'text', e'\\n' order by m.place, s.place), ''), 'UTF8')), 'hex')
             from gong_transcripts t join gong_calls c on c.id = t.call_id,
                jsonb_array_elements(t.body::jsonb) with ordinality m(value, place),
                jsonb_array_elements(m.value -> 'sentences') with ordinality s(value, place)
             where t.organization_id = '{organization}' group by 1"
        ))?
        .into_iter()
        .map(|row| (row[0].clone(), row[1].clone()))
        .collect();
    for (id, text) in texts {
        match stored.get(id) {
            None => sides.untold.push(id.clone()),
            Some(have) if have != text => sides.garbled.push(id.clone()),
            Some(_) => {}
        }
    }
    Ok(())
}

/// Refresh tokens and connections. Gong's side must honour what we hold, and the API must say so.
pub(super) fn tokens(town: &mut Town, outcome: &mut Outcome) -> Result<u64, Fault> {
    let families = town.simulator.ask("/families")?;
    let families = families["families"].as_array().cloned().unwrap_or_default();
    let of = |name: &str| families.iter().filter_map(|family| family[name].as_u64()).collect::<Vec<_>>();
    let dead = families.iter().filter(|family| family["dead"] == true).count();
    let reuses = town.simulator.ask("/summary")?["refresh_reuses"].as_u64().unwrap_or(0);
    let open = of("most_open_token_requests").into_iter().max().unwrap_or(0);
    outcome.at_most("refresh tokens that were used twice", reuses as f64, 0.0, "");
    outcome.at_most("token requests of one connection open at once", open as f64, 1.0, "");
    outcome.at_most("authorizations that Gong ended", dead as f64, 0.0, "");
    let lost = town
        .database
        .rows("select status, count(*) from gong_connections where status <> 'connected' group by 1")?;
    let lost: Vec<String> = lost.iter().map(|row| row.join(": ")).collect();
    outcome.none(&format!("each of {} connections is connected", town.people.len()), &lost);
    let mut otherwise = Vec::new();
    for person in &mut town.people {
        let status = person.visitor.connection()?["status"].as_str().unwrap_or("nothing").to_owned();
        if status != "connected" {
            otherwise.push(status);
        }
    }
    outcome.none("the API says the same", &otherwise);
    Ok(of("rotations").into_iter().sum())
}

/// The newest token of every connection works: each is replaced once more, which Gong allows to the newest only.
pub(super) fn newest_wins(town: &Town, outcome: &mut Outcome) -> Result<(), Fault> {
    newest_wins_of(town, "is not null", outcome)
}

/// The same for connections whose id fulfils a condition in SQL.
pub(super) fn newest_wins_of(town: &Town, which: &str, outcome: &mut Outcome) -> Result<(), Fault> {
    town.simulator.tell("/config", &serde_json::json!({ "token_life_seconds": 86_400 }))?;
    // What began before is over after this; it may bring a token of a short life once more.
    crate::stop::sleep(Duration::from_secs(2));
    town.database.ask(&format!(
        "drop table if exists seen; create table seen as select connection_id, generation from gong_credentials where connection_id {which};
         update gong_credentials set refresh_due_at = now(), retry_at = null where connection_id {which}",
    ))?;
    let done = "select bool_and(c.generation > s.generation) from gong_credentials c join seen s using (connection_id)";
    let last = town.database.wait_for("the last rotation of each", done, Duration::from_secs(90));
    let open = town.database.rows(
        "select c.connection_id from gong_credentials c join seen s using (connection_id) where c.generation = s.generation",
    )?;
    let open: Vec<String> = open.into_iter().map(|row| row.join(" ")).collect();
    outcome.none("the stored token of each connection is the newest", &open);
    drop(last);
    Ok(())
}

/// Jobs: none given up, none stuck, none left over.
pub(super) fn jobs(town: &Town, outcome: &mut Outcome) -> Result<(), Fault> {
    let listed = |sql: &str| -> Result<Vec<String>, Fault> {
        Ok(town.database.rows(sql)?.into_iter().map(|row| row.join(" ")).collect())
    };
    let dead = listed("select kind, code from dead_letters where state = 'dead'")?;
    outcome.none("no job was given up", &dead);
    let stuck = listed(
        "select metadata -> 'sp.kind', status, run_at from apalis.jobs
         where (status in ('Queued', 'Running') and lock_at < now() - interval '15 minutes')
            or (status = 'Pending' and run_at < now() - interval '90 seconds')",
    )?;
    outcome.none("no job is stuck", &stuck);
    let open =
        listed("select kind, state, created_at from gong_runs where state not in ('done', 'running')")?;
    outcome.none("no run failed", &open);
    Ok(())
}
