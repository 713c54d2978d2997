//! `GET /v2/users`, `GET /v2/users/{id}`, `POST /v2/users/extensive` and `GET /v2/workspaces`.
//! Knows nothing of calls.

use super::calls::fields;
use super::filter::{Filter, list, text};
use super::walk::open;
use super::{Found, Query, Trouble};
use crate::clock::{read, write};
use crate::cursor::Cursor;
use crate::endpoint::last_part;
use crate::model::{Company, User};
use crate::world::World;
use serde_json::{Value, json};
use time::UtcOffset;

/// `GET /v2/workspaces`; not paged.
pub(super) fn workspaces(world: &World, query: &Query<'_>) -> Result<Found, Trouble> {
    let all = world.company(query.company).map(|company| company.workspaces.as_slice()).unwrap_or_default();
    let shown: Vec<Value> = all
        .iter()
        .map(|(id, name)| {
            let built_in = name == "Initial workspace";
            json!({ "id": id, "name": name, "description": built_in.then_some("The built-in workspace") })
        })
        .collect();
    Ok(Found::Json(fields([("workspaces", json!(shown))])))
}

/// `GET /v2/users`.
pub(super) fn users(world: &mut World, query: &Query<'_>) -> Result<Found, Trouble> {
    let cursor = query.asked.query("cursor").map(str::to_owned);
    page(world, query, cursor, &|_| true)
}

/// `POST /v2/users/extensive`.
pub(super) fn users_extensive(world: &mut World, query: &Query<'_>) -> Result<Found, Trouble> {
    let body = query.asked.json().ok_or_else(|| Trouble::new(400, "The request body is not valid JSON"))?;
    let filter = body.get("filter").filter(|filter| filter.is_object());
    let filter = filter.ok_or_else(|| Trouble::new(400, "filter: must not be null"))?;
    let ids = list(filter, "userIds")?;
    let from = text(filter, "createdFromDateTime")?.and_then(|text| read(&text));
    let to = text(filter, "createdToDateTime")?.and_then(|text| read(&text));
    let fits = |user: &User| {
        ids.as_ref().is_none_or(|ids| ids.contains(&user.id))
            && from.is_none_or(|from| from <= user.created)
            && to.is_none_or(|to| user.created < to)
    };
    page(world, query, text(&body, "cursor")?, &fits)
}

/// `GET /v2/users/{id}`.
pub(super) fn user(world: &World, query: &Query<'_>) -> Result<Found, Trouble> {
    let id = last_part(&query.asked.path, "/v2/users/").unwrap_or("");
    let found = world.company(query.company).and_then(|company| {
        let user = company.users.iter().find(|user| user.id == id)?;
        Some(shown(user, company.offset, world.switches.extra_fields))
    });
    match found {
        Some(user) => Ok(Found::Json(fields([("user", user)]))),
        None => Err(Trouble::new(404, format!("User ID {id} was not found"))),
    }
}

fn page(
    world: &mut World,
    query: &Query<'_>,
    cursor: Option<String>,
    fits: &dyn Fn(&User) -> bool,
) -> Result<Found, Trouble> {
    world.memory.note(query.sequence, |request| request.cursor = cursor.is_some());
    let now = world.now();
    let switches = &world.switches;
    let company = world.company(query.company).ok_or_else(|| Trouble::new(404, "Not found"))?;
    let filter = Filter { mark: query.asked.path.clone(), ..Filter::default() };
    let cursor = match &cursor {
        Some(text) => Some(open(text, company, switches, &filter, now)?),
        None => None,
    };
    let rows: Vec<&User> = company.users.iter().filter(|user| fits(user)).collect();
    let start =
        cursor.as_ref().and_then(Cursor::place).map_or(0, |place| usize::try_from(place.1).unwrap_or(0));
    let end = rows.len().min(start.saturating_add(switches.page_size.max(1)));
    let users = rows.get(start..end).unwrap_or_default();
    let number = cursor.as_ref().map_or(0, |cursor| cursor.page);
    let mut records = fields([
        ("totalRecords", json!(rows.len())),
        ("currentPageSize", json!(users.len())),
        ("currentPageNumber", json!(number)),
    ]);
    if end < rows.len() {
        let first_exp = now.unix_timestamp() + switches.cursor_life_seconds;
        let exp = cursor.as_ref().map_or(first_exp, |cursor| cursor.exp);
        let next = Cursor::new((0, end as u64), number + 1, exp, filter.mark);
        records.insert("cursor".to_owned(), json!(next.seal(&company.cursor_key)));
    }
    let extra = switches.extra_fields;
    let users = list_of(company, users, extra);
    Ok(Found::Json(fields([("records", Value::Object(records)), ("users", users)])))
}

fn list_of(company: &Company, users: &[&User], extra: bool) -> Value {
    users.iter().map(|user| shown(user, company.offset, extra)).collect()
}

fn shown(user: &User, offset: UtcOffset, extra: bool) -> Value {
    let mut out = json!({
        "id": user.id,
        "emailAddress": user.email,
        "created": write(user.created, offset),
        "active": user.active,
        "emailAliases": [],
        "trustedEmailAddress": null,
        "firstName": user.first,
        "lastName": user.last,
        "title": user.title,
        "phoneNumber": null,
        "extension": null,
        "personalMeetingUrls": [],
        "settings": {
            "webConferencesRecorded": true,
            "preventWebConferenceRecording": false,
            "telephonyCallsImported": true,
            "emailsImported": false,
            "preventEmailImport": false,
            "nonRecordedMeetingsImported": false,
            "gongConnectEnabled": false
        },
        "managerId": null,
        "meetingConsentPageUrl": null,
        "spokenLanguages": [{ "language": "en-US", "primary": true }]
    });
    if let (true, Some(fields)) = (extra, out.as_object_mut()) {
        fields.insert("conferencingProviders".to_owned(), Value::Null);
    }
    out
}
