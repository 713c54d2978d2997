//! JSON Schema as far as structured answers need it: what a strict provider refuses, and pouring wishes into a shape. Knows no
//! wire format.

use serde_json::{Map, Value, json};

use crate::wish::Wish;

/// Why a strict provider refuses a schema: every object has to name all of its fields as required and allow no others.
pub(crate) fn refusal(schema: &Value, at: &str) -> Option<String> {
    let of_object = is(schema, "object").then(|| {
        let fields: Vec<&String> = schema["properties"].as_object().map(|all| all.keys().collect()).unwrap_or_default();
        let required = schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
        if schema["additionalProperties"] != json!(false) {
            return Some(format!("In context={at}, 'additionalProperties' is required to be supplied and to be false."));
        }
        let missing = fields.iter().find(|name| !required.contains(&json!(name)));
        missing.map(|name| {
            format!("In context={at}, 'required' is required to be supplied and to be an array including every key. Missing '{name}'.")
        })
    });
    if schema["type"].is_null() && schema["enum"].is_null() && schema["anyOf"].is_null() {
        return Some(format!("In context={at}, schema must have a 'type' key."));
    }
    let inner = schema["properties"].as_object().into_iter().flatten();
    let mut inner = inner.map(|(name, field)| (field, format!("{at}.{name}")));
    of_object
        .flatten()
        .or_else(|| inner.find_map(|(field, at)| refusal(field, &at)))
        .or_else(|| schema.get("items").and_then(|items| refusal(items, &format!("{at}[]"))))
}

fn is(schema: &Value, kind: &str) -> bool {
    schema["type"] == kind || schema["type"].as_array().is_some_and(|kinds| kinds.contains(&json!(kind)))
}

/// An answer of the shape that was asked for: a list of objects takes the wishes, each field by its name.
pub(crate) fn fill(schema: &Value, wishes: &[Wish]) -> Value {
    if is(schema, "object") {
        let fields = schema["properties"].as_object().into_iter().flatten();
        return Value::Object(fields.map(|(name, field)| (name.clone(), fill(field, wishes))).collect());
    }
    if is(schema, "array") && is(&schema["items"], "object") {
        return wishes.iter().map(|wish| one(&schema["items"], wish)).collect();
    }
    empty(schema)
}

fn one(schema: &Value, wish: &Wish) -> Value {
    let fields = schema["properties"].as_object().into_iter().flatten();
    let filled: Map<String, Value> = fields
        .map(|(name, field)| {
            let known = known(name, field, wish).filter(|value| fits(field, value));
            (name.clone(), known.unwrap_or_else(|| empty(field)))
        })
        .collect();
    Value::Object(filled)
}

/// What the model would write into a field of that name.
fn known(name: &str, field: &Value, wish: &Wish) -> Option<Value> {
    Some(match name {
        "title" => json!(wish.title),
        "summary" => json!(wish.summary),
        "description" => json!(format!("{} They said so in their own words.", wish.summary)),
        "kind" | "type" => json!(wish.kind),
        "sentiment" => json!(wish.sentiment),
        "priority" => json!(wish.priority),
        "area" | "feature_area" => json!(wish.area),
        "pain_points" if wish.sentiment == "negative" => json!([wish.quotes.first()?]),
        "quotes" => json!(wish.quotes),
        "tags" => json!([wish.area]),
        "category" => category(field, wish)?,
        _ => return None,
    })
}

/// The first category of the list that shares a word with the wish.
fn category(field: &Value, wish: &Wish) -> Option<Value> {
    let said = crate::reader::words(&wish.summary);
    let listed = field["enum"].as_array()?.iter();
    listed
        .into_iter()
        .find(|name| {
            let name = crate::reader::words(name.as_str().unwrap_or_default());
            name.iter().any(|word| said.contains(word))
        })
        .cloned()
}

fn fits(field: &Value, value: &Value) -> bool {
    let kind = match value {
        Value::Null => "null",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::Object(_) => "object",
    };
    is(field, kind) && field["enum"].as_array().is_none_or(|all| all.contains(value))
}

/// The least that a field may hold.
fn empty(field: &Value) -> Value {
    if is(field, "null") {
        return Value::Null;
    }
    if let Some(first) = field["enum"].as_array().and_then(|all| all.first()) {
        return first.clone();
    }
    match field["type"].as_str() {
        Some("string") => json!(""),
        Some("array") => json!([]),
        Some("integer" | "number") => json!(0),
        Some("boolean") => json!(false),
        Some("object") => fill(field, &[]),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strict_provider_refuses_a_loose_schema() {
        let tight = json!({"type": "object", "additionalProperties": false, "required": ["a"],
            "properties": {"a": {"type": "array", "items": {"type": "string"}}}});
        assert_eq!(refusal(&tight, "()"), None);
        let mut loose = tight.clone();
        loose["required"] = json!([]);
        assert!(refusal(&loose, "()").is_some_and(|why| why.contains("Missing 'a'")));
        let mut open = tight;
        open["additionalProperties"] = json!(true);
        assert!(refusal(&open, "()").is_some());
    }

    #[test]
    fn what_is_not_known_is_left_empty() {
        let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}, "mood": {"type": "string", "enum": ["a", "b"]},
            "items": {"type": "array", "items": {"type": "object", "properties": {"title": {"type": "string"}, "x": {"type": ["string", "null"]}}}}}});
        let wish = Wish {
            title: "T".into(),
            summary: "S".into(),
            kind: "bug",
            sentiment: "neutral",
            priority: "low",
            area: "a".into(),
            quotes: Vec::new(),
        };
        assert_eq!(
            fill(&schema, &[wish]),
            json!({"n": 0, "mood": "a", "items": [{"title": "T", "x": null}]})
        );
    }
}
