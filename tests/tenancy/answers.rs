//! What is answered: as the description says, with the headers that browsers need, on every kind of answer.

use std::{collections::BTreeSet, time::Duration};

use gong_sim::{Consent, NewCall};
use serde_json::{Value, json};
use stories::{Answer, Browser, PASSWORD, World};

use crate::support::{Live, Operation, asked, dead_letter, description, operations};

/// Whether a value is as a schema of the description says: types, required fields, unknown fields, enumerations.
fn check(root: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target =
            root.pointer(reference.trim_start_matches('#')).ok_or(format!("{reference} leads nowhere"))?;
        return check(root, target, value, at);
    }
    if let Some(all) = schema["allOf"].as_array() {
        return all.iter().try_for_each(|part| check(root, part, value, at));
    }
    if let Some(any) = schema["oneOf"].as_array() {
        let tried: Vec<String> = any.iter().filter_map(|part| check(root, part, value, at).err()).collect();
        return if tried.len() < any.len() { Ok(()) } else { Err(tried.join("; or ")) };
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => return Ok(()),
    };
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_i64() || n.is_u64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let fits = types.contains(&is) || (is == "integer" && types.contains(&"number"));
    if !fits {
        return Err(format!("{at} is {is}, not {types:?}"));
    }
    if let Some(allowed) = schema["enum"].as_array().filter(|allowed| !allowed.contains(value)) {
        return Err(format!("{at} is {value}, not one of {allowed:?}"));
    }
    if schema["format"] == "date-time"
        && !value.is_null()
        && !value.as_str().is_some_and(|t| t.ends_with('Z'))
    {
        return Err(format!("{at} is {value}, which is no time in UTC"));
    }
    match value {
        Value::Array(items) => items
            .iter()
            .enumerate()
            .try_for_each(|(n, item)| check(root, &schema["items"], item, &format!("{at}[{n}]"))),
        Value::Object(fields) if schema["properties"].is_object() => {
            let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            if let Some(missing) = required.into_iter().find(|name| !fields.contains_key(*name)) {
                return Err(format!("{at}.{missing} is missing"));
            }
            fields.iter().filter(|(name, _)| schema["properties"].get(name.as_str()).is_some()).try_for_each(
                |(name, field)| check(root, &schema["properties"][name], field, &format!("{at}.{name}")),
            )
        }
        _ => Ok(()),
    }
}

/// Somebody who walks through the whole API and compares every answer with the description.
struct Walk {
    description: Value,
    operations: Vec<Operation>,
    done: BTreeSet<String>,
}

impl Walk {
    async fn new(world: &World) -> Self {
        let description = description(world).await;
        Self { operations: operations(&description), description, done: BTreeSet::new() }
    }

    fn compare(&mut self, id: &str, answer: &Answer) {
        let operation = self.operations.iter().find(|o| o.id == id).expect("it is described");
        let described = &self.description["paths"][&operation.path][operation.method.as_str().to_lowercase()];
        let response = &described["responses"][answer.status.as_str()];
        assert!(
            response.is_object(),
            "{id} answers {}, which is not described: {}",
            answer.status,
            answer.text
        );
        let content = response["content"].as_object();
        let kind = answer.header("content-type").split(';').next().unwrap_or_default().to_owned();
        match content.filter(|content| !content.is_empty()) {
            None => assert!(answer.text.is_empty() || kind == "text/html", "{id} answers {}", answer.text),
            Some(content) => {
                let schema =
                    content.get(&kind).unwrap_or_else(|| panic!("{id} answers {kind}, not {content:?}"));
                if kind == "application/json" || kind.ends_with("+json") {
                    let as_described = check(&self.description, &schema["schema"], &answer.json(), id);
                    assert_eq!(as_described, Ok(()), "{}", answer.text);
                }
            }
        }
        if !answer.status.is_client_error() {
            self.done.insert(id.to_owned());
        }
    }

    async fn go(
        &mut self,
        browser: &Browser,
        id: &str,
        thing: &str,
        body: Option<Value>,
        status: u16,
    ) -> Value {
        let operation = self.operations.iter().find(|o| o.id == id).expect("it is described").clone();
        let headers = operation.headers();
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer =
            browser.api_with(operation.method.clone(), &operation.address(thing), &headers, body).await;
        assert_eq!(answer.status.as_u16(), status, "{id}: {}", answer.text);
        self.compare(id, &answer);
        if answer.text.is_empty() { Value::Null } else { answer.json() }
    }
}

#[tokio::test]
async fn api_02_every_operation_answers_as_it_is_described() {
    let mut world = World::start().await;
    let acme = world.organization("acme").await;
    let mut walk = Walk::new(&world).await;
    let (us, nothing) = (acme.browser.clone(), "7".repeat(32));
    for title in ["One", "Two", "Three"] {
        let started = world.sim.now() - Duration::from_secs(86_400);
        world.sim.add_call(
            acme.company,
            NewCall::new().started(started).title(title).say(0, "Hello.").say(1, "Hi."),
        );
    }
    walk.go(&us, "getGongConnection", "", None, 200).await;
    walk.go(&us, "pollGong", "", None, 409).await;
    walk.go(&us, "logIn", "", Some(json!({ "email": acme.email, "password": PASSWORD })), 200).await;
    walk.go(&us, "logIn", "", Some(json!({ "email": acme.email, "password": "x" })), 401).await;
    walk.go(&us, "getMe", "", None, 200).await;
    let wrong = json!({ "current_password": "x", "new_password": "another battery staple" });
    walk.go(&us, "changePassword", "", Some(wrong), 422).await;
    world.sim.set_consent(Consent::Approve(acme.company));
    walk.go(&us, "connectGong", "", Some(json!({ "history_days": 61 })), 422).await;
    let begun = walk.go(&us, "connectGong", "", Some(json!({ "history_days": 30 })), 200).await;
    let back = us.at_gong(begun["authorize_url"].as_str().unwrap()).await;
    for _ in 0..2 {
        walk.compare("gongCallback", &us.get(back.as_str()).await);
    }
    world.settle().await;
    walk.go(&us, "getGongConnection", "", None, 200).await;
    let settings =
        json!({ "poll_every_seconds": 3600, "overlap_seconds": null, "selected_workspaces": null });
    walk.go(&us, "changeGongConnection", "", Some(settings), 200).await;
    walk.go(&us, "changeGongConnection", "", Some(json!({ "poll_every_seconds": 1 })), 422).await;
    walk.go(&us, "getGongSettings", "", None, 200).await;
    walk.go(&us, "changeGongSettings", "", Some(json!({ "overlap_seconds": 7200 })), 200).await;
    walk.go(&us, "pollGong", "", None, 202).await;
    walk.go(&us, "startGongBackfill", "", Some(json!({ "days": 5 })), 202).await;
    walk.go(&us, "cancelGongBackfill", "", None, 204).await;
    walk.go(&us, "estimateGongBackfill", "", None, 200).await;
    world.settle().await;
    let live = Live::of_session(&us).await;
    let data = live.text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap().to_owned();
    let schema = json!({ "$ref": "#/components/schemas/GongConnection" });
    assert_eq!(check(&walk.description, &schema, &serde_json::from_str(&data).unwrap(), "event"), Ok(()));
    assert!(live.text.contains("content-type: text/event-stream"), "{}", live.text);
    walk.done.insert("watchGongConnection".to_owned());
    let calls = walk.go(&us, "listCalls", "", None, 200).await;
    assert_eq!(calls["items"].as_array().map(Vec::len), Some(3), "{calls}");
    let call = calls["items"][0]["id"].as_str().unwrap().to_owned();
    walk.go(&us, "getCall", &call, None, 200).await;
    walk.go(&us, "getTranscript", &call, None, 200).await;
    walk.go(&us, "getTranscript", &format!("call_{nothing}"), None, 404).await;
    feedback(&mut walk, &world, &acme, &us).await;
    rest_of_the_walk(&mut walk, &world, &acme, &us).await;
    let all: BTreeSet<String> = walk.operations.iter().map(|o| o.id.clone()).collect();
    assert_eq!(walk.done, all, "every operation was done");
    world.stop().await;
}

/// Keys, members, dead letters, an access key instead of OAuth, and the end.
async fn rest_of_the_walk(walk: &mut Walk, world: &World, acme: &stories::Org, us: &Browser) {
    let made = walk.go(us, "createApiKey", "", Some(json!({ "name": "k", "role": "viewer" })), 201).await;
    walk.go(us, "listApiKeys", "", None, 200).await;
    walk.go(us, "revokeApiKey", made["id"].as_str().unwrap_or_default(), None, 204).await;
    let bob = json!({ "email": "bob@acme.example", "role": "viewer" });
    let added = walk.go(us, "addMember", "", Some(bob.clone()), 201).await;
    walk.go(us, "addMember", "", Some(bob), 409).await;
    let bob = added["id"].as_str().unwrap_or_default();
    walk.go(us, "getMember", bob, None, 200).await;
    walk.go(us, "changeMember", bob, Some(json!({ "role": "member" })), 204).await;
    walk.go(us, "listMembers", "", None, 200).await;
    walk.go(us, "removeMember", bob, None, 204).await;
    walk.go(us, "removeMember", &acme.owner.to_string(), None, 409).await;
    let (one, two) = (dead_letter(world, acme).await, dead_letter(world, acme).await);
    walk.go(us, "listDeadLetters", "", None, 200).await;
    walk.go(us, "countDeadLetters", "", None, 200).await;
    walk.go(us, "retryDeadLetters", "", Some(json!({ "kind": "none" })), 202).await;
    walk.go(us, "discardDeadLetters", "", Some(json!({ "kind": "none", "reason": "not needed" })), 200).await;
    walk.go(us, "retryDeadLetter", &one, None, 202).await;
    walk.go(us, "retryDeadLetter", &one, None, 409).await;
    walk.go(us, "discardDeadLetter", &two, Some(json!({ "reason": "not needed" })), 204).await;
    privacy(walk, us).await;
    walk.go(us, "disconnectGong", "", None, 204).await;
    let (key, secret) = world.sim.access_key(acme.company).unwrap_or_default();
    let base = world.sim.api_base(acme.company);
    let body =
        json!({ "access_key": key, "access_key_secret": secret, "api_base_url": base, "history_days": 3 });
    walk.go(us, "connectGongWithKey", "", Some(body), 200).await;
    let strange =
        json!({ "access_key": key, "access_key_secret": secret, "api_base_url": "https://evil.example" });
    walk.go(us, "connectGongWithKey", "", Some(strange), 422).await;
    walk.go(us, "listActivity", "", None, 200).await;
    walk.go(us, "switchOrganization", "", Some(json!({ "organization": acme.id })), 204).await;
    walk.go(us, "leaveOrganization", "", None, 409).await;
    walk.done.insert("leaveOrganization".to_owned());
    let change = json!({ "current_password": PASSWORD, "new_password": "another battery staple" });
    walk.go(us, "changePassword", "", Some(change), 204).await;
    walk.go(us, "logOut", "", None, 204).await;
}

/// Boards, posts, evidence, what happened to a call, settings.
async fn feedback(walk: &mut Walk, world: &World, acme: &stories::Org, us: &Browser) {
    let board = json!({ "name": "Product", "description": "All of it.", "categories": ["Reporting"] });
    let board =
        walk.go(us, "createBoard", "", Some(board), 201).await["id"].as_str().unwrap_or_default().to_owned();
    walk.go(us, "createBoard", "", Some(json!({ "name": "product" })), 422).await;
    walk.go(us, "changeBoard", &board, Some(json!({ "name": "Products" })), 200).await;
    walk.go(us, "listBoards", "", None, 200).await;
    walk.go(us, "replaceTags", "", Some(json!({ "tags": ["Export", "mobile"] })), 200).await;
    walk.go(us, "getTags", "", None, 200).await;
    let one = asked(world, acme, "export the report", "published", &["a.example", "b.example"]).await;
    let other = asked(world, acme, "print the report", "review", &["c.example"]).await;
    walk.go(us, "listPosts", "", None, 200).await;
    walk.go(us, "getPost", &one.post, None, 200).await;
    walk.go(us, "getPost", &format!("post_{}", "7".repeat(32)), None, 404).await;
    walk.go(us, "listEvidence", &one.post, None, 200).await;
    walk.go(us, "getPostTrend", &one.post, None, 200).await;
    walk.go(us, "changePost", &one.post, Some(json!({ "status": "planned", "category": null })), 200).await;
    walk.go(us, "changePost", &one.post, Some(json!({ "status": "soon" })), 422).await;
    walk.go(us, "reviewPost", &other.post, Some(json!({ "decision": "approve" })), 200).await;
    walk.go(us, "reviewPost", &other.post, Some(json!({ "decision": "reject" })), 409).await;
    walk.go(us, "mergePost", &other.post, Some(json!({ "into": one.post })), 200).await;
    walk.go(us, "mergePost", &other.post, Some(json!({ "into": one.post })), 409).await;
    walk.go(us, "splitEvidence", &other.evidence[0], None, 201).await;
    walk.go(us, "splitEvidence", &other.evidence[0], None, 422).await;
    let export = us.get("/api/v1/posts/export?format=json").await;
    assert_eq!(export.status, 200);
    walk.compare("exportPosts", &export);
    walk.go(us, "getCallFeedback", &one.calls[0], None, 200).await;
    walk.go(us, "retryCallFeedback", &one.calls[0], None, 409).await;
    sqlx::query("update feedback_calls set state = 'failed', reason = 'model_answer_unreadable'")
        .execute(world.db.pool())
        .await
        .expect("it can be set");
    walk.go(us, "retryCallFeedback", &one.calls[0], None, 202).await;
    walk.go(us, "lookAtCallsAgain", "", Some(json!({ "days": 30 })), 202).await;
    walk.go(us, "lookAtCallsAgain", "", Some(json!({ "days": 0 })), 422).await;
    walk.go(us, "getFeedbackSettings", "", None, 200).await;
    let settings = json!({ "mode": "approval", "join_at": 0.9, "vocabulary": { "products": ["Soundpost"] } });
    walk.go(us, "changeFeedbackSettings", "", Some(settings), 200).await;
    walk.go(us, "changeFeedbackSettings", "", Some(json!({ "analyzer": "model" })), 422).await;
    walk.go(us, "previewFeedbackSettings", "", None, 200).await;
    walk.go(us, "getFeedbackStatus", "", None, 200).await;
    walk.go(us, "archiveBoard", &board, None, 204).await;
    walk.done.insert("watchFeedback".to_owned());
}

/// Retention, vanished calls, erasures, the export; the organization is erased in a story of its own.
async fn privacy(walk: &mut Walk, us: &Browser) {
    walk.go(us, "getPrivacy", "", None, 200).await;
    walk.go(us, "changePrivacy", "", Some(json!({ "retention_days": 400 })), 200).await;
    walk.go(us, "changePrivacy", "", Some(json!({ "retention_days": 0 })), 422).await;
    walk.go(us, "renameOrganization", "", Some(json!({ "name": "Acme & Sons" })), 200).await;
    walk.go(us, "renameOrganization", "", Some(json!({ "name": " " })), 422).await;
    walk.go(us, "decideVanishedCalls", "", Some(json!({ "decision": "keep" })), 409).await;
    walk.done.insert("decideVanishedCalls".to_owned());
    let whom = json!({ "email": "nobody@nowhere.example" });
    let receipt = walk.go(us, "erasePerson", "", Some(whom), 202).await;
    walk.go(us, "erasePerson", "", Some(json!({ "email": "nobody" })), 422).await;
    walk.go(us, "listErasures", "", None, 200).await;
    walk.go(us, "getErasure", receipt["id"].as_str().unwrap_or_default(), None, 200).await;
    walk.go(us, "eraseOrganization", "", Some(json!({ "name": "not its name" })), 422).await;
    walk.done.insert("eraseOrganization".to_owned());
    let export = us.get("/api/v1/export").await;
    assert_eq!(export.status, 200);
    walk.compare("exportOrganization", &export);
}

#[test]
fn api_02_the_comparison_finds_what_differs() {
    let schema = json!({
        "type": "object", "required": ["a"],
        "properties": { "a": { "type": ["integer", "null"] }, "b": { "type": "array", "items": { "$ref": "#/word" } } },
    });
    let root = json!({ "word": { "type": "string", "enum": ["x"] } });
    let judge = |value: Value| check(&root, &schema, &value, "it").is_ok();
    assert!(judge(json!({ "a": 1, "b": ["x"] })) && judge(json!({ "a": null })));
    for wrong in [
        json!({}),
        json!([]),
        json!({ "a": "1" }),
        json!({ "a": 1, "b": ["y"] }),
        json!({ "a": 1, "b": [1] }),
    ] {
        assert!(!judge(wrong.clone()), "{wrong}");
    }
}
