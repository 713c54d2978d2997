//! The control surface, for tests in other processes and for people. Knows the world, nothing of wire formats.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    reply::Reply,
    world::{Endpoint, Request, Trouble, World},
};

#[derive(Deserialize)]
struct Planned {
    endpoint: Endpoint,
    #[serde(default = "once")]
    times: u32,
    what: Trouble,
}

const fn once() -> u32 {
    1
}

pub(crate) fn answer(world: &mut World, request: &Request) -> Reply {
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/sim/summary") => Reply::json(200, &summary(world)),
        ("GET", "/sim/requests") => Reply::json(200, &json!(world.requests().collect::<Vec<_>>())),
        ("POST", "/sim/clear") => {
            world.clear();
            Reply::json(200, &json!({}))
        }
        ("POST", "/sim/trouble") => match serde_json::from_value::<Planned>(request.body.clone()) {
            Ok(planned) => {
                world.plan(planned.endpoint, planned.times, planned.what);
                Reply::json(200, &json!({}))
            }
            Err(error) => Reply::json(400, &json!({ "error": error.to_string() })),
        },
        ("POST", "/sim/switches") => switch(world, &request.body),
        _ => Reply::json(404, &json!({ "error": "no such control" })),
    }
}

/// Fields that are not named stay as they are.
fn switch(world: &mut World, change: &Value) -> Reply {
    let mut all = serde_json::to_value(&world.switches).unwrap_or_default();
    if let (Some(all), Some(change)) = (all.as_object_mut(), change.as_object()) {
        all.extend(change.clone());
    }
    match serde_json::from_value(all.clone()) {
        Ok(switches) => {
            world.switches = switches;
            Reply::json(200, &all)
        }
        Err(error) => Reply::json(400, &json!({ "error": error.to_string() })),
    }
}

fn summary(world: &World) -> Value {
    let (mut endpoints, mut statuses) = (BTreeMap::new(), BTreeMap::new());
    for request in world.requests() {
        let word = serde_json::to_value(request.endpoint).unwrap_or_default();
        *endpoints.entry(word.as_str().unwrap_or_default().to_owned()).or_insert(0) += 1;
        *statuses.entry(request.status.unwrap_or_default().to_string()).or_insert(0) += 1;
    }
    json!({ "requests": endpoints, "statuses": statuses, "collections": world.collections.names() })
}
