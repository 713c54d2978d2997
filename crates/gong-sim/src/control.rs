//! The control surface for other processes: JSON under `/sim/` on the app listener. Not remembered, not
//! limited, never hit by a fault.
//!
//! `GET /sim/asked?company=` tells which transcripts were asked for and how crowded a company was, `GET /sim/families`
//! which authorizations are honoured.
//!
//! `POST` bodies: `/sim/advance {"seconds": n}` · `/sim/fault` a `Rule` · `/sim/release {"fault": n}` ·
//! `/sim/calls {"company": c, "count": n, "private": bool|null, "transcript_after_seconds": n}` ·
//! `/sim/private {"company": c, "id": s, "private": bool|null}` · `/sim/title {"company", "id", "title"}` ·
//! `/sim/delete {"company", "id"}` · `/sim/revoke {"company"}` (`"only_access": true` spares the refresh tokens) ·
//! `/sim/config` some fields of `Switches` · `/sim/consent {"consent": "ask" | "deny" | {"approve": n} | {"error": s}}` ·
//! `/sim/clear {}`. A company is its name or number.

use crate::CompanyId;
use crate::asked::Asked;
use crate::faults::{FaultId, Rule};
use crate::reply::Reply;
use crate::shared::Shared;
use crate::world::{Edit, World};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// A request that cannot be carried out: status and words.
type Refused = (u16, String);

/// Answers a control request.
pub(crate) fn answer(shared: &Shared, asked: &Asked) -> Reply {
    let mut world = shared.lock();
    let outcome = match asked.method.as_str() {
        "GET" => look(&world, shared, asked),
        "POST" => {
            let done = act(&mut world, asked);
            shared.keep(&world);
            done
        }
        _ => Err((405, "use GET or POST".to_owned())),
    };
    match outcome {
        Ok(value) => Reply::json(200, &value),
        Err((status, words)) => Reply::json(status, &json!({ "error": words })),
    }
}

fn look(world: &World, shared: &Shared, asked: &Asked) -> Result<Value, Refused> {
    match asked.path.as_str() {
        "/sim/state" => Ok(state(world, shared)),
        "/sim/summary" => Ok(json!(world.summary())),
        "/sim/expected" => {
            let company = named(world, asked.query("company").unwrap_or("0"))?;
            Ok(expected(world, company, asked.query("text").is_some()))
        }
        "/sim/transcript" => {
            let company = named(world, asked.query("company").unwrap_or("0"))?;
            let id = asked.query("id").unwrap_or("");
            let call = world.call(company, id).ok_or((404, "no such call".to_owned()))?;
            let text: Vec<String> = sentences(call);
            Ok(json!({ "id": id, "sentences": text }))
        }
        "/sim/asked" => {
            let company = named(world, asked.query("company").unwrap_or("0"))?;
            Ok(asked_of(world, company))
        }
        "/sim/families" => Ok(families(world)),
        "/sim/requests" => {
            let number = |name: &str| asked.query(name).and_then(|text| text.parse::<u64>().ok());
            let limit = usize::try_from(number("limit").unwrap_or(1_000)).unwrap_or(1_000);
            let rows: Vec<Value> =
                world.memory.since(number("since").unwrap_or(0)).take(limit).map(|row| json!(row)).collect();
            Ok(json!({ "requests": rows }))
        }
        _ => Err((404, "no such control path".to_owned())),
    }
}

fn state(world: &World, shared: &Shared) -> Value {
    let companies: Vec<Value> = world
        .companies
        .iter()
        .map(|company| {
            let workspaces: Vec<&String> = company.workspaces.iter().map(|(id, _)| id).collect();
            json!({
                "company": company.id,
                "name": company.name,
                "api_base": format!("http://{}", company.address),
                "workspaces": workspaces,
                "calls": company.calls.len(),
                "users": company.users.len(),
            })
        })
        .collect();
    json!({
        "app": format!("http://{}", shared.app),
        "now": crate::clock::write(world.now(), time::UtcOffset::UTC),
        "epoch": crate::clock::write(world.epoch, time::UtcOffset::UTC),
        "consent": world.consent,
        "companies": companies,
        "switches": world.switches,
    })
}

/// Which transcripts of a company were ever asked for and given out, how often, and how crowded it was.
fn asked_of(world: &World, company: CompanyId) -> Value {
    let counts: std::collections::BTreeMap<&str, u64> = world
        .memory
        .counts
        .iter()
        .filter(|((_, of), _)| *of == Some(company))
        .map(|((endpoint, _), count)| (endpoint.word(), *count))
        .collect();
    let Some(memory) = world.memory.companies.get(&company) else {
        return json!({ "asked": {}, "served": {}, "requests": counts, "rate_limited": 0,
            "most_in_a_second": 0, "most_open_token_requests": 0 });
    };
    json!({
        "asked": memory.asked,
        "served": memory.served,
        "requests": counts,
        "rate_limited": memory.rate_limited,
        "most_in_a_second": memory.max_in_second,
        "most_open_token_requests": memory.open.most,
    })
}

/// Every authorization: whose it is, whether its tokens are honoured, how often it rotated.
fn families(world: &World) -> Value {
    let rows = world.grants.families.iter().map(|(id, family)| {
        let open = world.memory.families.get(id).map_or(0, |open| open.most);
        json!({ "family": id, "company": family.company, "dead": family.dead, "rotations": family.rotations(),
            "most_open_token_requests": open })
    });
    json!({ "families": rows.collect::<Vec<Value>>() })
}

fn expected(world: &World, company: CompanyId, with_text: bool) -> Value {
    let rows = world.expected(company).into_iter().map(|truth| {
        let mut row = json!(truth);
        if let (Some(call), Some(fields)) = (world.call(company, &truth.id), row.as_object_mut()) {
            let sentences = sentences(call);
            let digest = Sha256::digest(sentences.join("\n").as_bytes());
            fields.insert("text_sha256".to_owned(), json!(hex::encode(digest)));
            if with_text {
                fields.insert("texts".to_owned(), json!(sentences));
            }
        }
        row
    });
    json!({ "calls": rows.collect::<Vec<Value>>() })
}

fn sentences(call: &crate::model::Call) -> Vec<String> {
    let monologues = call.talk.monologues();
    monologues.iter().flat_map(|monologue| &monologue.sentences).map(|said| said.text.clone()).collect()
}

fn act(world: &mut World, asked: &Asked) -> Result<Value, Refused> {
    let body = if asked.has_body() { asked.json() } else { Some(json!({})) };
    let body = body.ok_or((400, "the body is not JSON".to_owned()))?;
    match asked.path.as_str() {
        "/sim/advance" => {
            let seconds = body.get("seconds").and_then(Value::as_f64).ok_or((400, "seconds".to_owned()))?;
            world.clock.advance(time::Duration::seconds_f64(seconds));
            Ok(json!({ "now": crate::clock::write(world.now(), time::UtcOffset::UTC) }))
        }
        "/sim/fault" => {
            let rule: Rule = serde_json::from_value(body).map_err(|error| (400, error.to_string()))?;
            Ok(json!({ "fault": world.faults.add(rule) }))
        }
        "/sim/release" => {
            let fault = body.get("fault").and_then(Value::as_u64).ok_or((400, "fault".to_owned()))?;
            world.faults.release(FaultId(fault));
            Ok(json!({}))
        }
        "/sim/clear" => {
            world.faults.clear();
            world.memory.clear();
            Ok(json!({}))
        }
        "/sim/config" => configure(world, body),
        "/sim/consent" => {
            let wished = body.get("consent").cloned().unwrap_or_default();
            world.consent = serde_json::from_value(wished).map_err(|error| (400, error.to_string()))?;
            Ok(json!({ "consent": world.consent }))
        }
        _ => act_on_company(world, &asked.path, &body),
    }
}

fn act_on_company(world: &mut World, path: &str, body: &Value) -> Result<Value, Refused> {
    let word = match body.get("company") {
        Some(Value::String(name)) => name.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => "0".to_owned(),
    };
    let company = named(world, &word)?;
    let id = body.get("id").and_then(Value::as_str).unwrap_or("").to_owned();
    let flag = body.get("private").and_then(Value::as_bool);
    let edit = match path {
        "/sim/calls" => {
            let number = |name: &str, default: i64| body.get(name).and_then(Value::as_i64).unwrap_or(default);
            let count = usize::try_from(number("count", 1)).unwrap_or(1).min(10_000);
            let private = if body.get("private").is_some() { flag } else { Some(false) };
            let ids = world.add_fresh_now(company, count, number("transcript_after_seconds", 0), private);
            return Ok(json!({ "ids": ids }));
        }
        "/sim/revoke" => {
            if body.get("only_access").and_then(Value::as_bool).unwrap_or(false) {
                world.grants.end_access(company);
            } else {
                world.grants.end_company(company);
            }
            return Ok(json!({}));
        }
        "/sim/private" => Edit::Private { company, id, flag },
        "/sim/delete" => Edit::Delete { company, id },
        "/sim/title" => {
            let title = body.get("title").and_then(Value::as_str).unwrap_or("").to_owned();
            Edit::Title { company, id, title }
        }
        _ => return Err((404, "no such control path".to_owned())),
    };
    if world.edit(edit) { Ok(json!({})) } else { Err((404, "no such call".to_owned())) }
}

/// Puts the given fields over the switches.
fn configure(world: &mut World, body: Value) -> Result<Value, Refused> {
    let mut merged = json!(world.switches);
    if let (Some(fields), Value::Object(wished)) = (merged.as_object_mut(), body) {
        fields.extend(wished);
    }
    world.switches = serde_json::from_value(merged).map_err(|error| (400, error.to_string()))?;
    Ok(json!(world.switches))
}

fn named(world: &World, word: &str) -> Result<CompanyId, Refused> {
    world.find_company(word).ok_or((404, "no such company".to_owned()))
}
