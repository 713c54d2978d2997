//! What these stories share: how the program is started, a world that stands still, and whether JSON is as a schema says.

use std::process::{Command, Stdio};

use serde_json::Value;
pub(crate) use stories::program;
use stories::{World, WorldOptions};

/// The program with these words and no variables yet.
pub(crate) fn command(words: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.args(words).env_clear().stdin(Stdio::null());
    command
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// A world without workers.
pub(crate) async fn still_world() -> World {
    World::with(WorldOptions { workers: false, ..WorldOptions::default() }).await
}

/// Where a value is not as a schema says: types, words, fields that are missing or too many.
pub(crate) fn differs(schema: &Value, value: &Value, at: &str) -> Option<String> {
    let word = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if schema["type"] != word
        && !schema["type"].as_array().is_some_and(|all| all.iter().any(|one| one == word))
    {
        return Some(format!("{at} is {word}"));
    }
    if schema["enum"].as_array().is_some_and(|all| !all.contains(value)) {
        return Some(format!("{at} is {value}"));
    }
    match value {
        Value::Array(items) => items.iter().find_map(|item| differs(&schema["items"], item, at)),
        Value::Object(fields) => {
            let mut wanted: Vec<&str> =
                schema["required"].as_array()?.iter().filter_map(Value::as_str).collect();
            let mut there: Vec<&str> = fields.keys().map(String::as_str).collect();
            wanted.sort_unstable();
            there.sort_unstable();
            if wanted != there {
                return Some(format!("{at} has {there:?}"));
            }
            fields.iter().find_map(|(name, field)| differs(&schema["properties"][name], field, name))
        }
        _ => None,
    }
}
