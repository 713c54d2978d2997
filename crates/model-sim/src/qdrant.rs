//! A double of the part of Qdrant's REST API that stores and finds vectors, after its documentation: no real server was at hand.
//! Unkind where the real one may be: a write that is not waited for is seen late, a search that is not exact misses the best.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{reply::Reply, serve, world::Request};

/// All collections.
#[derive(Debug, Default)]
pub(crate) struct Collections(BTreeMap<String, Collection>);

#[derive(Debug, Default)]
struct Collection {
    size: usize,
    /// Vectors are brought to length one, and scores are cosines.
    is_cosine: bool,
    points: BTreeMap<String, Point>,
    /// Writes that nobody waited for.
    late: Vec<Write>,
    operations: u64,
}

#[derive(Debug, Clone)]
struct Point {
    vector: Vec<f32>,
    payload: Value,
}

#[derive(Debug)]
enum Write {
    Put(Vec<(String, Point)>),
    Delete(Vec<String>),
}

impl Collections {
    pub(crate) fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    pub(crate) fn points(&self, collection: &str) -> Vec<(String, Value)> {
        let points = self.0.get(collection).map(|collection| collection.points.iter());
        points.into_iter().flatten().map(|(id, point)| (id.clone(), point.payload.clone())).collect()
    }

    pub(crate) fn remove(&mut self, collection: &str) {
        self.0.remove(collection);
    }
}

/// An error in Qdrant's form.
pub(crate) fn failure(status: u16, text: &str) -> Reply {
    Reply::json(status, &json!({"status": {"error": text}, "time": 0.000_1}))
}

fn done(result: &Value) -> Reply {
    Reply::json(200, &json!({"result": result, "status": "ok", "time": 0.000_1}))
}

pub(crate) fn answer(all: &mut Collections, request: &Request) -> Reply {
    let path = request.path.trim_start_matches("/qdrant").trim_matches('/');
    let parts: Vec<&str> = path.split('/').collect();
    let method = request.method.as_str();
    match (method, parts.as_slice()) {
        ("GET", ["collections"]) => {
            let names: Vec<Value> = all.0.keys().map(|name| json!({"name": name})).collect();
            done(&json!({"collections": names}))
        }
        ("GET", ["collections", name, "exists"]) => done(&json!({"exists": all.0.contains_key(*name)})),
        ("PUT", ["collections", name]) => create(all, name, &request.body),
        ("DELETE", ["collections", name]) => done(&json!(all.0.remove(*name).is_some())),
        (_, ["collections", name, rest @ ..]) => match all.0.get_mut(*name) {
            Some(collection) => within(collection, method, rest, request),
            None => failure(404, &format!("Not found: Collection `{name}` doesn't exist!")),
        },
        _ => serve::failure(request, 404, "Not Found"),
    }
}

fn create(all: &mut Collections, name: &str, body: &Value) -> Reply {
    if all.0.contains_key(name) {
        return failure(409, &format!("Wrong input: Collection `{name}` already exists!"));
    }
    let vectors = &body["vectors"];
    let size = vectors["size"]
        .as_u64()
        .and_then(|size| usize::try_from(size).ok())
        .filter(|size| (1..=65_536).contains(size));
    let (Some(size), Some(distance)) = (size, vectors["distance"].as_str()) else {
        return failure(400, "Format error in JSON body: missing field `vectors`");
    };
    if !["Cosine", "Dot"].contains(&distance) {
        return failure(400, "Format error in JSON body: unknown variant of distance");
    }
    all.0.insert(
        name.to_owned(),
        Collection { size, is_cosine: distance == "Cosine", ..Collection::default() },
    );
    done(&json!(true))
}

fn within(collection: &mut Collection, method: &str, rest: &[&str], request: &Request) -> Reply {
    let body = &request.body;
    match (method, rest) {
        ("GET", []) => done(&json!({"status": "green", "points_count": collection.points.len(),
            "config": {"params": {"vectors": {"size": collection.size}}}})),
        ("PUT", ["index"]) if body["field_name"].is_string() => collection.operated(true),
        ("PUT", ["points"]) => match collection.read_points(&body["points"]) {
            Ok(points) => collection.write(Write::Put(points), request),
            Err(why) => failure(400, &why),
        },
        ("POST", ["points", "delete"]) => {
            let ids = match body["points"].as_array() {
                Some(ids) => ids.iter().filter_map(id).collect(),
                None if body["filter"].is_object() => {
                    collection.those(&body["filter"]).map(|(id, _)| id.clone()).collect()
                }
                None => return failure(400, "Format error in JSON body: points or filter is wanted"),
            };
            collection.write(Write::Delete(ids), request)
        }
        ("POST", ["points", "query"]) => collection.query(body),
        ("POST", ["points", "scroll"]) => collection.scroll(body),
        ("POST", ["points", "count"]) => {
            let count = collection.those(&body["filter"]).count();
            collection.catch_up();
            done(&json!({"count": count}))
        }
        _ => serve::failure(request, 404, "Not Found"),
    }
}

/// An id as it is kept: a number, or a UUID with hyphens.
fn id(value: &Value) -> Option<String> {
    if let Some(number) = value.as_u64() {
        return Some(number.to_string());
    }
    let plain: String = value.as_str()?.chars().filter(|c| *c != '-').collect::<String>().to_lowercase();
    let is_uuid = plain.len() == 32 && plain.chars().all(|c| c.is_ascii_hexdigit());
    is_uuid.then(|| [&plain[..8], &plain[8..12], &plain[12..16], &plain[16..20], &plain[20..]].join("-"))
}

fn numbers(value: &Value) -> Option<Vec<f32>> {
    #[expect(clippy::cast_possible_truncation, reason = "vectors are of 32 bits")]
    value.as_array()?.iter().map(|x| Some(x.as_f64()? as f32)).collect()
}

impl Collection {
    fn read_points(&self, points: &Value) -> Result<Vec<(String, Point)>, String> {
        let Some(points) = points.as_array() else {
            return Err("Format error in JSON body: missing field `points`".into());
        };
        let one = |point: &Value| {
            let id =
                id(&point["id"]).ok_or("Format error in JSON body: an id is an unsigned number or a UUID")?;
            let vector =
                numbers(&point["vector"]).ok_or("Format error in JSON body: missing field `vector`")?;
            self.right_size(&vector)?;
            Ok((id, Point { vector: self.measured(vector), payload: point["payload"].clone() }))
        };
        points.iter().map(one).collect()
    }

    fn right_size(&self, vector: &[f32]) -> Result<(), String> {
        if vector.len() == self.size {
            return Ok(());
        }
        Err(format!("Wrong input: Vector dimension error: expected dim: {}, got {}", self.size, vector.len()))
    }

    fn measured(&self, mut vector: Vec<f32>) -> Vec<f32> {
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        if self.is_cosine && length > 0.0 {
            vector.iter_mut().for_each(|x| *x /= length);
        }
        vector
    }

    fn write(&mut self, write: Write, request: &Request) -> Reply {
        let is_waited_for = request.query.split('&').any(|part| part == "wait=true");
        self.late.push(write);
        if is_waited_for {
            self.catch_up();
        }
        self.operated(is_waited_for)
    }

    fn operated(&mut self, is_done: bool) -> Reply {
        self.operations += 1;
        let status = if is_done { "completed" } else { "acknowledged" };
        done(&json!({"operation_id": self.operations, "status": status}))
    }

    fn catch_up(&mut self) {
        for write in std::mem::take(&mut self.late) {
            match write {
                Write::Put(points) => self.points.extend(points),
                Write::Delete(ids) => ids.iter().for_each(|id| drop(self.points.remove(id))),
            }
        }
    }

    fn those<'a>(&'a self, filter: &'a Value) -> impl Iterator<Item = (&'a String, &'a Point)> {
        self.points.iter().filter(move |(id, point)| passes(filter, id, point))
    }

    fn query(&mut self, body: &Value) -> Reply {
        let Some(vector) = numbers(&body["query"]) else {
            return failure(400, "Format error in JSON body: a vector is wanted");
        };
        if let Err(why) = self.right_size(&vector) {
            return failure(400, &why);
        }
        let vector = self.measured(vector);
        let score = |point: &Point| point.vector.iter().zip(&vector).map(|(x, y)| x * y).sum::<f32>();
        let least = body["score_threshold"].as_f64().unwrap_or(f64::NEG_INFINITY);
        let mut found: Vec<(&String, &Point, f32)> =
            self.those(&body["filter"]).map(|(id, point)| (id, point, score(point))).collect();
        found.retain(|(.., score)| f64::from(*score) >= least);
        found.sort_by(|a, b| b.2.total_cmp(&a.2));
        if body["params"]["exact"] != json!(true) && found.len() > 1 {
            found.remove(0);
        }
        found.truncate(body["limit"].as_u64().and_then(|most| usize::try_from(most).ok()).unwrap_or(10));
        let with_payload = body["with_payload"] == json!(true);
        let points: Vec<Value> = found
            .iter()
            .map(|(id, point, score)| {
                let payload = if with_payload { point.payload.clone() } else { Value::Null };
                json!({"id": id, "version": 1, "score": score, "payload": payload})
            })
            .collect();
        self.catch_up();
        done(&json!({"points": points}))
    }

    fn scroll(&mut self, body: &Value) -> Reply {
        let most = body["limit"].as_u64().and_then(|most| usize::try_from(most).ok()).unwrap_or(10).max(1);
        let from = id(&body["offset"]);
        let mut found: Vec<(String, Value)> = self
            .those(&body["filter"])
            .filter(|(id, _)| from.as_ref().is_none_or(|from| *id >= from))
            .take(most + 1)
            .map(|(id, point)| (id.clone(), point.payload.clone()))
            .collect();
        let next = if found.len() > most { found.pop().map(|(id, _)| id) } else { None };
        let with_payload = body["with_payload"] != json!(false);
        let points: Vec<Value> = found
            .into_iter()
            .map(|(id, payload)| json!({"id": id, "payload": if with_payload { payload } else { Value::Null }}))
            .collect();
        self.catch_up();
        done(&json!({"points": points, "next_page_offset": next}))
    }
}

/// Whether a point passes a filter of `must` and `must_not` with matches of values and lists of ids.
fn passes(filter: &Value, id: &str, point: &Point) -> bool {
    let holds = |condition: &Value| match (&condition["key"], &condition["has_id"]) {
        (Value::String(key), _) => point.payload[key.as_str()] == condition["match"]["value"],
        (_, Value::Array(ids)) => ids.iter().filter_map(self::id).any(|one| one == id),
        _ => false,
    };
    let list = |name: &str| filter[name].as_array().map(Vec::as_slice).unwrap_or_default();
    list("must").iter().all(holds) && !list("must_not").iter().any(holds)
}
