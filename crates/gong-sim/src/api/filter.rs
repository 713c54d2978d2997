//! Reads what a client asks for: the filter of the call endpoints, from a query or a body.
//! Knows nothing of the data. Query parameters of a POST are ignored, as Gong does.

use super::{Query, Trouble};
use crate::clock;
use crate::world::World;
use serde_json::Value;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

/// Which calls are asked for.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    pub(crate) from: Option<OffsetDateTime>,
    pub(crate) to: Option<OffsetDateTime>,
    pub(crate) workspace: Option<String>,
    pub(crate) ids: Option<Vec<String>>,
    pub(crate) hosts: Option<Vec<String>>,
    pub(crate) cursor: Option<String>,
    /// A hash of all but the cursor.
    pub(crate) mark: String,
}

impl Filter {
    /// From the query of a GET.
    pub(crate) fn of_query(world: &mut World, query: &Query<'_>) -> Result<Self, Trouble> {
        let text = |name: &str| query.asked.query(name).filter(|value| !value.is_empty()).map(str::to_owned);
        let raw = (text("fromDateTime"), text("toDateTime"));
        let mut filter = Self { workspace: text("workspaceId"), cursor: text("cursor"), ..Self::default() };
        filter.note(world, query, &raw);
        filter.window(&raw, "")?;
        filter.mark = mark(&format!("{:?}{:?}", raw, filter.workspace), &query.asked.path);
        Ok(filter)
    }

    /// From the body of a POST; gives the whole body back for the selector.
    pub(crate) fn of_body(world: &mut World, query: &Query<'_>) -> Result<(Self, Value), Trouble> {
        let body =
            query.asked.json().ok_or_else(|| Trouble::new(400, "The request body is not valid JSON"))?;
        let given = body.get("filter").filter(|filter| filter.is_object());
        let given = given.ok_or_else(|| Trouble::new(400, "filter: must not be null"))?;
        let raw = (text(given, "fromDateTime")?, text(given, "toDateTime")?);
        let mut filter = Self {
            workspace: text(given, "workspaceId")?,
            ids: list(given, "callIds")?,
            hosts: list(given, "primaryUserIds")?,
            cursor: text(&body, "cursor")?,
            ..Self::default()
        };
        filter.note(world, query, &raw);
        if filter.ids.as_ref().is_some_and(Vec::is_empty) {
            return Err(Trouble::new(400, "filter.callIds: must not be empty"));
        }
        let most = world.switches.max_call_ids.unwrap_or(usize::MAX);
        if filter.ids.as_ref().is_some_and(|ids| ids.len() > most) {
            return Err(Trouble::new(400, format!("filter.callIds: size must be between 1 and {most}")));
        }
        filter.window(&raw, "filter.")?;
        filter.mark = mark(&given.to_string(), &query.asked.path);
        Ok((filter, body))
    }

    fn note(&self, world: &mut World, query: &Query<'_>, raw: &(Option<String>, Option<String>)) {
        world.memory.note(query.sequence, |request| {
            (request.from, request.to) = raw.clone();
            request.cursor = self.cursor.is_some();
            request.call_ids = self.ids.clone().unwrap_or_default();
        });
    }

    fn window(&mut self, raw: &(Option<String>, Option<String>), prefix: &str) -> Result<(), Trouble> {
        let read = |text: &Option<String>, name: &str| match text {
            None => Ok(None),
            Some(text) => clock::read(text)
                .map(Some)
                .ok_or_else(|| Trouble::new(400, format!("{prefix}{name}: must be an ISO-8601 date-time"))),
        };
        self.from = read(&raw.0, "fromDateTime")?;
        self.to = read(&raw.1, "toDateTime")?;
        match (self.from, self.to) {
            (Some(from), Some(to)) if from >= to => {
                Err(Trouble::new(400, format!("{prefix}fromDateTime: must be before toDateTime")))
            }
            _ => Ok(()),
        }
    }

    /// Whether a time lies in the window: from inclusive, to exclusive.
    pub(crate) fn covers(&self, at: OffsetDateTime) -> bool {
        self.from.is_none_or(|from| from <= at) && self.to.is_none_or(|to| at < to)
    }
}

fn mark(text: &str, path: &str) -> String {
    let digest = Sha256::digest(format!("{path}\n{text}"));
    hex::encode(digest.get(..8).unwrap_or_default())
}

/// A text or id field; numbers are taken as ids, null as absent.
pub(crate) fn text(object: &Value, name: &str) -> Result<Option<String>, Trouble> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Number(number)) if !number.is_f64() => Ok(Some(number.to_string())),
        Some(_) => Err(Trouble::new(400, format!("{name}: wrong type"))),
    }
}

/// A list of ids.
pub(crate) fn list(object: &Value, name: &str) -> Result<Option<Vec<String>>, Trouble> {
    let wrong = || Trouble::new(400, format!("filter.{name}: must be a list of ids"));
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(items)) => {
            let ids = items.iter().map(|item| match item {
                Value::String(text) => Ok(text.clone()),
                Value::Number(number) if !number.is_f64() => Ok(number.to_string()),
                _ => Err(wrong()),
            });
            ids.collect::<Result<Vec<_>, _>>().map(Some)
        }
        Some(_) => Err(wrong()),
    }
}
