//! The API reference as data: what the description says, arranged for people. Knows no page.

use std::sync::LazyLock;

use serde_json::{Map, Value};

/// The whole reference.
#[derive(Debug, Default)]
pub(crate) struct Reference {
    pub(crate) version: String,
    pub(crate) introduction: String,
    pub(crate) groups: Vec<Group>,
    pub(crate) shapes: Vec<Shape>,
}

/// Operations about one thing.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) operations: Vec<Operation>,
}

/// One method at one address.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) summary: String,
    /// What has to come along to be recognised.
    pub(crate) access: &'static str,
    pub(crate) parameters: Vec<Field>,
    /// The shape of the body.
    pub(crate) body: Option<String>,
    pub(crate) answers: Vec<Answer>,
}

/// A status that may come back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: String,
    pub(crate) description: String,
    /// The shape of its body.
    pub(crate) shape: Option<String>,
}

/// A JSON object.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) fields: Vec<Field>,
}

/// A field or a parameter.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) required: bool,
    pub(crate) description: String,
}

/// The reference of this version.
pub(crate) fn reference() -> &'static Reference {
    static REFERENCE: LazyLock<Reference> = LazyLock::new(|| {
        serde_json::to_value(crate::openapi_document()).map_or_else(|_| Reference::default(), |d| read(&d))
    });
    &REFERENCE
}

fn read(document: &Value) -> Reference {
    let tags = document["tags"].as_array().map(Vec::as_slice).unwrap_or_default();
    Reference {
        version: text(&document["info"]["version"]),
        introduction: text(&document["info"]["description"]),
        groups: tags.iter().map(|tag| group(document, tag)).collect(),
        shapes: entries(&document["components"]["schemas"])
            .map(|(name, schema)| shape(name, schema))
            .collect(),
    }
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn group(document: &Value, tag: &Value) -> Group {
    let all = entries(&document["paths"])
        .flat_map(|(path, item)| entries(item).map(move |(method, operation)| (path, method, operation)));
    let own = all.filter(|(_, _, operation)| operation["tags"][0] == tag["name"]);
    Group {
        name: text(&tag["name"]),
        description: text(&tag["description"]),
        operations: own.map(|(path, method, one)| operation(path, method, one)).collect(),
    }
}

fn operation(path: &str, method: &str, one: &Value) -> Operation {
    let parameters = one["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    Operation {
        id: text(&one["operationId"]),
        method: method.to_uppercase(),
        path: path.to_owned(),
        summary: text(&one["summary"]),
        access: access(&one["security"]),
        parameters: parameters.iter().map(parameter).collect(),
        body: content(&one["requestBody"]),
        answers: entries(&one["responses"])
            .map(|(status, answer)| Answer {
                status: status.clone(),
                description: text(&answer["description"]),
                shape: content(answer),
            })
            .collect(),
    }
}

fn access(security: &Value) -> &'static str {
    match security.as_array().and_then(|all| all.first()).and_then(Value::as_object) {
        None => "Session or API key",
        Some(first) if first.is_empty() => "Nothing",
        Some(_) => "Session",
    }
}

fn parameter(one: &Value) -> Field {
    Field {
        name: text(&one["name"]),
        kind: kind(&one["schema"]),
        required: one["required"] == true,
        description: text(&one["description"]),
    }
}

/// The shape of a body with one content type.
fn content(holder: &Value) -> Option<String> {
    let (_, content) = entries(&holder["content"]).next()?;
    Some(kind(&content["schema"])).filter(|kind| !kind.is_empty())
}

fn shape(name: &str, schema: &Value) -> Shape {
    // A flattened shape stands as the parts that it is made of.
    let parts = schema["allOf"].as_array().map_or_else(|| vec![schema], |parts| parts.iter().collect());
    let mut fields = Vec::new();
    for part in parts {
        if part.get("$ref").is_some() {
            let description = "All fields of this shape as well.".to_owned();
            fields.push(Field { name: "…".to_owned(), kind: kind(part), required: true, description });
        }
        let required = part["required"].as_array().map(Vec::as_slice).unwrap_or_default();
        fields.extend(entries(&part["properties"]).map(|(name, property)| Field {
            name: name.clone(),
            kind: kind(property),
            required: required.iter().any(|one| one == name),
            description: text(&property["description"]),
        }));
    }
    Shape { name: name.to_owned(), description: text(&schema["description"]), fields }
}

/// The type of a value in a few words.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str() {
        return name.rsplit('/').next().unwrap_or_default().to_owned();
    }
    let alternatives = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array());
    if let Some(alternatives) = alternatives {
        return alternatives
            .iter()
            .map(kind)
            .filter(|kind| !kind.is_empty())
            .collect::<Vec<_>>()
            .join(" or ");
    }
    let words: Vec<&str> = match &schema["type"] {
        Value::String(word) => vec![word],
        Value::Array(words) => words.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let mut kind = words.join(" or ");
    if words.contains(&"array") {
        kind = kind.replace("array", &format!("list of {}", self::kind(&schema["items"])));
    }
    let bounds = (schema["minimum"].as_i64(), schema["maximum"].as_i64());
    match bounds {
        (Some(least), Some(most)) => format!("{kind}, {least} to {most}"),
        _ => kind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_holds_every_operation_with_its_shapes() {
        let reference = reference();
        let operations: Vec<&Operation> = reference.groups.iter().flat_map(|g| &g.operations).collect();
        assert_eq!(operations.len(), 69);
        let find = |id: &str| operations.iter().find(|o| o.id == id).unwrap();
        assert_eq!(find("logIn").access, "Nothing");
        assert_eq!(find("connectGong").access, "Session");
        assert_eq!(find("listCalls").access, "Session or API key");
        assert_eq!(find("connectGong").body.as_deref(), Some("ConnectRequest"));
        assert_eq!(find("listCalls").parameters.len(), 4);
        assert!(
            find("getCall")
                .answers
                .iter()
                .any(|a| a.status == "404" && a.shape.as_deref() == Some("Problem"))
        );
        let days = reference.shapes.iter().find(|s| s.name == "ConnectRequest").unwrap();
        assert_eq!(days.fields[0].kind, "integer or null, 1 to 60");
        for shape in operations
            .iter()
            .flat_map(|o| o.body.iter().chain(o.answers.iter().filter_map(|a| a.shape.as_ref())))
        {
            let name = shape.strip_prefix("list of ").unwrap_or(shape);
            assert!(
                name == "string" || reference.shapes.iter().any(|s| s.name == name),
                "{shape} is not described"
            );
        }
    }
}
