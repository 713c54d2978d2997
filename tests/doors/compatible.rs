//! The description of the API against those of earlier releases: what programs rely on stays.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{description, still_world};

const RELEASES: [(&str, &str); 1] = [("0.1.0", include_str!("../../docs/openapi/0.1.0.json"))];

/// Follows a reference.
fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).unwrap_or(&Value::Null),
        None => schema,
    }
}

/// A schema with what its parts (`allOf`) say together, as one object.
fn whole(root: &Value, schema: &Value) -> Value {
    let schema = resolve(root, schema);
    let Some(parts) = schema["allOf"].as_array() else { return schema.clone() };
    let (mut fields, mut required) = (serde_json::Map::new(), Vec::new());
    for part in parts {
        let part = whole(root, part);
        fields.extend(part["properties"].as_object().cloned().unwrap_or_default());
        required.extend(part["required"].as_array().cloned().unwrap_or_default());
    }
    json!({ "type": "object", "properties": fields, "required": required })
}

fn words(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Array(all) => {
            all.iter().map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)).collect()
        }
        Value::String(one) => BTreeSet::from([one.clone()]),
        _ => BTreeSet::new(),
    }
}

/// What of a schema breaks programs. `sent` is what programs send, else what they read.
struct Compare<'a> {
    old: &'a Value,
    new: &'a Value,
    faults: Vec<String>,
}

impl Compare<'_> {
    fn schema(&mut self, old: &Value, new: &Value, sent: bool, at: &str, depth: usize) {
        let (old, new) = (whole(self.old, old), whole(self.new, new));
        if depth > 12 || old.is_null() {
            return;
        }
        let (before, after) = (words(&old["type"]), words(&new["type"]));
        let narrower = if sent { before.difference(&after).next() } else { after.difference(&before).next() };
        if let Some(kind) = narrower.filter(|_| !before.is_empty()) {
            self.faults.push(format!(
                "{at}: the type {kind} is {}",
                if sent { "no longer accepted" } else { "new" }
            ));
        }
        for word in words(&old["enum"]).difference(&words(&new["enum"])) {
            self.faults.push(format!("{at}: the value {word} is gone"));
        }
        let none = serde_json::Map::new();
        let (fields, now) =
            (old["properties"].as_object().unwrap_or(&none), new["properties"].as_object().unwrap_or(&none));
        for (name, field) in fields {
            match now.get(name) {
                Some(other) => self.schema(field, other, sent, &format!("{at}.{name}"), depth + 1),
                None => self.faults.push(format!("{at}.{name} is gone")),
            }
        }
        let (must, has_to) = (words(&old["required"]), words(&new["required"]));
        if sent {
            has_to
                .difference(&must)
                .for_each(|name| self.faults.push(format!("{at}.{name} is required now")));
        } else {
            must.difference(&has_to)
                .filter(|name| now.contains_key(*name))
                .for_each(|name| self.faults.push(format!("{at}.{name} may be missing now")));
        }
        if old["items"].is_object() {
            self.schema(&old["items"], &new["items"], sent, &format!("{at}[]"), depth + 1);
        }
        for kind in ["oneOf", "anyOf"] {
            let (parts, others) = (old[kind].as_array(), new[kind].as_array());
            for (n, part) in parts.into_iter().flatten().enumerate() {
                match others.and_then(|others| others.get(n)) {
                    Some(other) => self.schema(part, other, sent, at, depth + 1),
                    None => self.faults.push(format!("{at}: a part of {kind} is gone")),
                }
            }
        }
    }

    fn parameters(&mut self, old: &Value, new: &Value, at: &str) {
        let list = |operation: &Value| operation["parameters"].as_array().cloned().unwrap_or_default();
        let (before, after) = (list(old), list(new));
        let find = |all: &[Value], one: &Value| {
            all.iter().find(|p| p["name"] == one["name"] && p["in"] == one["in"]).cloned()
        };
        for one in &before {
            match find(&after, one) {
                Some(other) => {
                    self.schema(&one["schema"], &other["schema"], true, &format!("{at} {}", one["name"]), 0)
                }
                None => self.faults.push(format!("{at}: the parameter {} is gone", one["name"])),
            }
        }
        for one in after.iter().filter(|one| one["required"] == true) {
            if find(&before, one).is_none_or(|old| old["required"] != true) {
                self.faults.push(format!("{at}: the parameter {} is required now", one["name"]));
            }
        }
    }

    fn operation(&mut self, old: &Value, new: &Value, at: &str) {
        self.parameters(old, new, at);
        let json = |of: &Value| of["content"]["application/json"]["schema"].clone();
        let (before, after) = (&old["requestBody"], &new["requestBody"]);
        if after["required"] == true && before["required"] != true {
            self.faults.push(format!("{at}: a body is required now"));
        }
        self.schema(&json(before), &json(after), true, &format!("{at} body"), 0);
        for (status, response) in old["responses"].as_object().into_iter().flatten() {
            if !status.starts_with('2') {
                continue;
            }
            match new["responses"].get(status) {
                Some(other) => {
                    self.schema(&json(response), &json(other), false, &format!("{at} {status}"), 0)
                }
                None => self.faults.push(format!("{at}: the answer {status} is gone")),
            }
        }
        if new["operationId"] != old["operationId"] {
            self.faults.push(format!("{at}: the operation has another name"));
        }
    }
}

/// Every difference that breaks a program which was written for `old`.
fn breaks(old: &Value, new: &Value) -> Vec<String> {
    let mut compare = Compare { old, new, faults: Vec::new() };
    for (path, item) in old["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let at = format!("{} {path}", method.to_uppercase());
            match new["paths"].get(path).and_then(|item| item.get(method)) {
                Some(other) => compare.operation(operation, other, &at),
                None => compare.faults.push(format!("{at} is gone")),
            }
        }
    }
    compare.faults
}

/// The part of a version that may not change without breaking programs.
fn line(version: &str) -> String {
    let mut parts = version.split('.');
    match (parts.next(), parts.next()) {
        (Some("0"), Some(minor)) => format!("0.{minor}"),
        (major, _) => major.unwrap_or_default().to_owned(),
    }
}

#[tokio::test]
async fn api_03_programs_written_for_an_earlier_release_of_this_version_go_on() {
    let world = still_world().await;
    let now = description(&world).await;
    let version = now["info"]["version"].as_str().unwrap();
    let mut compared = 0;
    for (release, text) in RELEASES.into_iter().filter(|(release, _)| line(release) == line(version)) {
        let old: Value = serde_json::from_str(text).unwrap();
        assert_eq!(old["info"]["version"], release);
        let faults = breaks(&old, &now);
        assert!(faults.is_empty(), "since {release}, without another version:\n{}", faults.join("\n"));
        compared += old["paths"].as_object().unwrap().len();
    }
    assert!(compared > 15, "{compared} paths were compared");
    world.finish().await;
}

#[test]
fn api_03_the_comparison_finds_every_kind_of_break() {
    let old: Value = serde_json::from_str(RELEASES[0].1).unwrap();
    assert!(breaks(&old, &old).is_empty());
    let calls = "/paths/~1api~1v1~1calls/get";
    let broken = |edit: &dyn Fn(&mut Value)| {
        let mut new = old.clone();
        edit(&mut new);
        assert_ne!(new, old, "the edit found its place");
        breaks(&old, &new).len()
    };
    let remove = |pointer: &'static str, name: &'static str| {
        move |new: &mut Value| {
            new.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(name);
        }
    };
    assert_eq!(broken(&remove("/paths", "/api/v1/calls/{id}")), 1, "a path");
    assert_eq!(broken(&remove("/paths/~1api~1v1~1members~1{id}", "patch")), 1, "an operation");
    assert!(broken(&remove("/components/schemas/Member/properties", "email")) >= 1, "a field of an answer");
    assert!(broken(&remove("/components/schemas/NewMember/properties", "role")) >= 1, "a field of a request");
    assert_eq!(broken(&|new| new.pointer_mut(calls).unwrap()["parameters"][0] = json!({})), 1, "a parameter");
    let required =
        json!({ "name": "since", "in": "query", "required": true, "schema": { "type": "string" } });
    assert_eq!(
        broken(&|new| {
            new.pointer_mut(calls).unwrap()["parameters"].as_array_mut().unwrap().push(required.clone());
        }),
        1,
        "a required parameter"
    );
    let body = "/components/schemas/ConnectRequest";
    assert_eq!(broken(&|new| new.pointer_mut(body).unwrap()["required"] = json!(["history_days"])), 1);
    assert!(
        broken(&|new| new.pointer_mut("/components/schemas/Member/properties/email").unwrap()["type"] =
            json!("integer"))
            >= 1,
        "a type"
    );
    assert_eq!(broken(&|new| new.pointer_mut(calls).unwrap()["operationId"] = json!("calls")), 1, "a name");
    let small = |values: Value| {
        let schema = json!({ "type": "string", "enum": values });
        json!({ "paths": { "/x": { "get": { "responses": { "200": { "content": { "application/json": { "schema": schema } } } } } } } })
    };
    assert_eq!(breaks(&small(json!(["a", "b"])), &small(json!(["a"]))).len(), 1, "a value of an enumeration");
    assert_eq!(breaks(&small(json!(["a"])), &small(json!(["a", "b"]))).len(), 0, "a new value is fine");
    assert_eq!((line("0.1.7"), line("0.2.0"), line("1.4.2")), ("0.1".into(), "0.2".into(), "1".into()));
}
