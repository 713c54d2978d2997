//! `GET /v2/calls`, `GET /v2/calls/{id}` and `POST /v2/calls/extensive`: what a call looks like.
//! Knows nothing of tokens.

use super::filter::Filter;
use super::{Found, Query, Trouble, allow, walk};
use crate::clock::write;
use crate::endpoint::last_part;
use crate::model::{Call, Company, Party};
use crate::world::World;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

/// `GET /v2/calls`: the window looks at the scheduled time of web conferences.
pub(super) fn list(world: &mut World, query: &Query<'_>) -> Result<Found, Trouble> {
    let filter = Filter::of_query(world, query)?;
    let now = world.now();
    let company = world.company(query.company).ok_or_else(Trouble::empty)?;
    let page = walk::page(company, &world.switches, &filter, now, (Call::listed_time, Call::visible_at))?;
    let extra = world.switches.extra_fields;
    let calls: Vec<Value> = page.rows.iter().map(|call| meta(call, company, now, extra)).collect();
    Ok(Found::Json(fields([("records", page.records), ("calls", json!(calls))])))
}

/// `GET /v2/calls/{id}`.
pub(super) fn one(world: &mut World, query: &Query<'_>) -> Result<Found, Trouble> {
    let id = last_part(&query.asked.path, "/v2/calls/").unwrap_or("");
    world.memory.note(query.sequence, |request| request.call_ids = vec![id.to_owned()]);
    let now = world.now();
    let extra = world.switches.extra_fields;
    let found = world.company(query.company).and_then(|company| {
        let call = company.calls.get(id).filter(|call| call.visible_at(now))?;
        Some(meta(call, company, now, extra))
    });
    match found {
        Some(call) => Ok(Found::Json(fields([("call", call)]))),
        None => Err(Trouble::new(404, format!("Call ID {id} was not found"))),
    }
}

/// `POST /v2/calls/extensive`.
pub(super) fn extensive(world: &mut World, query: &Query<'_>) -> Result<Found, Trouble> {
    let (filter, body) = Filter::of_body(world, query)?;
    let wanted = Wanted::read(&body);
    if wanted.has("media") {
        allow(world, &query.caller, "api:calls:read:media-url")?;
    }
    let now = world.now();
    let company = world.company(query.company).ok_or_else(Trouble::empty)?;
    let switches = &world.switches;
    let page = walk::page(company, switches, &filter, now, (Call::started, Call::visible_at))?;
    let shown = Shown { company, now, extra: switches.extra_fields, ai: switches.ai_fields };
    let calls: Vec<Value> = page.rows.iter().map(|call| shown.call(call, &wanted)).collect();
    Ok(Found::Json(fields([("records", page.records), ("calls", json!(calls))])))
}

/// Turns names and values into an object.
pub(super) fn fields<const N: usize>(pairs: [(&str, Value); N]) -> Map<String, Value> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What the content selector asks for.
struct Wanted<'a> {
    selector: &'a Value,
}

impl<'a> Wanted<'a> {
    fn read(body: &'a Value) -> Self {
        Self { selector: body.get("contentSelector").unwrap_or(&Value::Null) }
    }

    /// Whether a field, or one of a block (`content.topics`), is asked for.
    fn has(&self, path: &str) -> bool {
        let mut at = self.selector.get("exposedFields");
        for part in path.split('.') {
            at = at.and_then(|value| value.get(part));
        }
        at.and_then(Value::as_bool).unwrap_or(false)
    }

    /// `None`, `Basic` or `Extended`.
    fn context(&self) -> &str {
        self.selector.get("context").and_then(Value::as_str).unwrap_or("None")
    }
}

/// What is needed to show a call.
struct Shown<'a> {
    company: &'a Company,
    now: OffsetDateTime,
    extra: bool,
    ai: bool,
}

impl Shown<'_> {
    fn call(&self, call: &Call, wanted: &Wanted<'_>) -> Value {
        let mut out = fields([("metaData", meta(call, self.company, self.now, self.extra))]);
        if wanted.context() != "None" {
            out.insert("context".to_owned(), context(call, wanted.context() == "Extended"));
        }
        if wanted.has("parties")
            && let Some(parties) = &call.parties
        {
            let parties: Vec<Value> = parties.iter().map(|party| self.party(party)).collect();
            out.insert("parties".to_owned(), json!(parties));
        }
        let content = self.content(call, wanted);
        if !content.is_empty() {
            out.insert("content".to_owned(), Value::Object(content));
        }
        let interaction = interaction(call, wanted);
        if !interaction.is_empty() {
            out.insert("interaction".to_owned(), Value::Object(interaction));
        }
        if wanted.has("collaboration.publicComments") {
            out.insert("collaboration".to_owned(), json!({ "publicComments": [] }));
        }
        if wanted.has("media") {
            let link = format!("https://media.example/{}?sig=short-lived", call.id);
            out.insert("media".to_owned(), json!({ "audioUrl": link, "videoUrl": null }));
        }
        Value::Object(out)
    }

    fn party(&self, party: &Party) -> Value {
        let mut out = fields([
            ("id", json!(party.id)),
            ("name", json!(party.name)),
            ("title", json!(party.title)),
            ("speakerId", json!(party.speaker_id)),
            ("affiliation", json!(party.affiliation)),
            ("methods", json!(party.methods)),
            ("context", json!([])),
        ]);
        // Gong leaves these out where it knows nothing; others it sends as null
        let known =
            [("emailAddress", &party.email), ("phoneNumber", &party.phone), ("userId", &party.user_id)];
        for (name, value) in known {
            if let Some(value) = value {
                out.insert(name.to_owned(), json!(value));
            }
        }
        if self.extra {
            out.insert("simMood".to_owned(), json!("calm"));
        }
        Value::Object(out)
    }

    fn content(&self, call: &Call, wanted: &Wanted<'_>) -> Map<String, Value> {
        let mut out = Map::new();
        if wanted.has("content.structure") {
            out.insert(
                "structure".to_owned(),
                json!([{ "name": "Intro", "duration": call.duration_s / 10 }]),
            );
        }
        if wanted.has("content.topics") {
            out.insert("topics".to_owned(), topics(call));
        }
        if wanted.has("content.trackers") {
            let tracker = json!({ "id": "4000000000000000011", "name": "Objections", "count": 0,
                                  "type": "KEYWORD", "occurrences": [], "phrases": [] });
            out.insert("trackers".to_owned(), json!([tracker]));
        }
        if wanted.has("content.callOutcome") {
            out.insert("callOutcome".to_owned(), Value::Null);
        }
        if self.ai && call.ai_at.is_some_and(|at| at <= self.now) {
            ai_fields(call, wanted, &mut out);
        }
        out
    }
}

/// The texts that Gong's own AI writes, some time after the transcript.
fn ai_fields(call: &Call, wanted: &Wanted<'_>, out: &mut Map<String, Value>) {
    let title = call.title.as_deref().unwrap_or("this call");
    if wanted.has("content.brief") {
        out.insert(
            "brief".to_owned(),
            json!(format!("The participants of {title} talked about open points.")),
        );
    }
    if wanted.has("content.keyPoints") {
        out.insert("keyPoints".to_owned(), json!([{ "text": "Next steps were agreed." }]));
    }
    if wanted.has("content.outline") {
        let item = json!({ "text": "Greetings", "startTime": 1.5 });
        let section = json!({ "section": "Opening", "startTime": 0.4, "duration": 42.25, "items": [item] });
        out.insert("outline".to_owned(), json!([section]));
    }
    if wanted.has("content.highlights") {
        let item = json!({ "text": "A follow-up was promised.", "startTimes": [12.75] });
        out.insert("highlights".to_owned(), json!([{ "title": "Next steps", "items": [item] }]));
    }
}

fn topics(call: &Call) -> Value {
    let mut lengths: Vec<(String, i64)> = Vec::new();
    for monologue in call.talk.monologues().iter() {
        let Some(name) = &monologue.topic else { continue };
        let spoken: i64 = monologue.sentences.iter().map(|said| said.end_ms - said.start_ms).sum();
        match lengths.iter_mut().find(|(known, _)| known == name) {
            Some((_, length)) => *length += spoken / 1_000,
            None => lengths.push((name.clone(), spoken / 1_000)),
        }
    }
    lengths.push(("Wrap-up".to_owned(), 0));
    lengths.iter().map(|(name, length)| json!({ "name": name, "duration": length })).collect()
}

fn interaction(call: &Call, wanted: &Wanted<'_>) -> Map<String, Value> {
    let mut out = Map::new();
    if wanted.has("interaction.speakers") {
        let parties = call.parties.iter().flatten().filter(|party| party.speaker_id.is_some());
        let speakers: Vec<Value> = parties
            .map(|party| json!({ "id": party.speaker_id, "userId": party.user_id, "talkTime": 61.5 }))
            .collect();
        out.insert("speakers".to_owned(), json!(speakers));
    }
    if wanted.has("interaction.personInteractionStats") {
        out.insert("interactionStats".to_owned(), json!([{ "name": "Talk Ratio", "value": 0.43 }]));
    }
    if wanted.has("interaction.video") {
        out.insert("video".to_owned(), json!([]));
    }
    if wanted.has("interaction.questions") {
        out.insert("questions".to_owned(), json!({ "companyCount": 4, "nonCompanyCount": 7 }));
    }
    out
}

fn context(call: &Call, extended: bool) -> Value {
    let name = call.title.clone().unwrap_or_default();
    let mut object = fields([("objectType", json!("Account")), ("objectId", json!("001A00000SIM"))]);
    if extended {
        object.insert("fields".to_owned(), json!([{ "name": "Name", "value": name }]));
        object.insert("timing".to_owned(), json!("Now"));
    }
    json!([{ "system": "Salesforce", "objects": [object] }])
}

/// The block that is called `metaData` here and is the whole row there.
fn meta(call: &Call, company: &Company, now: OffsetDateTime, extra: bool) -> Value {
    let offset = company.offset;
    let mut out = fields([
        ("id", json!(call.id)),
        ("url", json!(format!("https://{}.app.gong.io/call?id={}", company.cell, call.id))),
        ("title", json!(call.title)),
        ("scheduled", json!(call.scheduled.map(|at| write(at, offset)))),
        ("started", json!(write(call.started, offset))),
        ("duration", json!(call.duration_s)),
        ("primaryUserId", json!(call.primary_user)),
        ("direction", json!(call.direction)),
        ("system", json!(call.system)),
        ("scope", json!(call.scope)),
        ("media", json!(call.media)),
        ("language", json!(call.language)),
        ("workspaceId", json!(call.workspace_id)),
        ("sdrDisposition", Value::Null),
        ("clientUniqueId", Value::Null),
        ("customData", Value::Null),
        ("purpose", Value::Null),
        ("meetingUrl", json!(format!("https://conf.example/{}?pwd=keep-out-of-logs", call.number % 99_991))),
        ("calendarEventId", Value::Null),
    ]);
    if let Some(private) = call.private_at(now) {
        out.insert("isPrivate".to_owned(), json!(private));
    }
    if extra {
        out.insert("simExtra".to_owned(), json!({ "nested": [1, null, "x"] }));
    }
    for (name, value) in &call.extra {
        out.insert(name.clone(), value.clone());
    }
    Value::Object(out)
}
