//! The API of a company, over HTTP: envelopes, pages, errors, quirks.
#![expect(clippy::unwrap_used, reason = "a test that cannot read an answer has failed")]

use crate::support::{Api, client, error, read, sent_back, sim, text};
use gong_sim::{Endpoint, GeneratorOptions, NewCall, Order, Sim};
use serde_json::{Value, json};
use std::collections::HashSet;
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

fn z(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap()
}

fn ids(page: &Value) -> Vec<String> {
    let rows = page.get("calls").or_else(|| page.get("callTranscripts")).unwrap().as_array().unwrap();
    let id = |row: &Value| {
        let found = row.pointer("/metaData/id").or_else(|| row.get("id")).or_else(|| row.get("callId"));
        found.and_then(Value::as_str).unwrap().to_owned()
    };
    rows.iter().map(id).collect()
}

async fn walk(api: &Api, path: &str) -> Vec<Vec<String>> {
    let mut body = json!({ "filter": {} });
    let mut pages = Vec::new();
    loop {
        let (status, page) = read(api.post(path, &body)).await;
        assert_eq!(status, 200, "{page}");
        pages.push(ids(&page));
        match page.pointer("/records/cursor") {
            Some(cursor) => body["cursor"] = cursor.clone(),
            None => return pages,
        }
    }
}

fn many(sim: &Sim, company: gong_sim::CompanyId, count: i64) {
    for index in 0..count {
        sim.add_call(company, NewCall::new().started(sim.now() - Duration::hours(1 + index)).sentences(3));
    }
}

#[tokio::test]
async fn pages_have_a_hundred_rows_and_a_cursor_only_when_more_follows() {
    let (sim, company) = sim().await;
    many(&sim, company, 250);
    let api = Api::connect(&sim).await;
    for path in ["/v2/calls/extensive", "/v2/calls/transcript"] {
        let pages = walk(&api, path).await;
        assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [100, 100, 50]);
        let oldest_first: Vec<String> = sim.expected(company).into_iter().map(|truth| truth.id).collect();
        assert_eq!(pages.concat(), oldest_first);
    }
    let (_, first) = read(api.get("/v2/calls")).await;
    assert_eq!(first["records"]["totalRecords"], 250);
    assert_eq!(first["records"]["currentPageSize"], 100);
    assert_eq!(first["records"]["currentPageNumber"], 0);
    let cursor = first["records"]["cursor"].as_str().unwrap();
    let (_, second) = read(api.get("/v2/calls").query(&[("cursor", cursor)])).await;
    assert_eq!(second["records"]["currentPageNumber"], 1);
    assert!(ids(&first).iter().all(|id| !ids(&second).contains(id)));
}

#[tokio::test]
async fn the_cursor_of_a_post_counts_only_in_the_body() {
    let (sim, company) = sim().await;
    many(&sim, company, 150);
    let api = Api::connect(&sim).await;
    let body = json!({ "filter": {} });
    let (_, first) = read(api.post("/v2/calls/extensive", &body)).await;
    let cursor = first["records"]["cursor"].as_str().unwrap();
    let ignored = api
        .post("/v2/calls/extensive", &body)
        .query(&[("cursor", cursor), ("fromDateTime", "2999-01-01T00:00:00Z")]);
    let (_, same) = read(ignored).await;
    assert_eq!(ids(&same), ids(&first));
}

#[tokio::test]
async fn walks_can_go_backwards_shuffled_and_repeat_a_row() {
    let (sim, company) = sim().await;
    many(&sim, company, 12);
    sim.adjust(|switches| switches.page_size = 5);
    let api = Api::connect(&sim).await;
    let forth = walk(&api, "/v2/calls/extensive").await.concat();
    sim.adjust(|switches| switches.order = Order::Descending);
    let mut back = walk(&api, "/v2/calls/extensive").await.concat();
    back.reverse();
    assert_eq!(back, forth);
    sim.adjust(|switches| switches.order = Order::Shuffled);
    let shuffled = walk(&api, "/v2/calls/extensive").await.concat();
    assert_ne!(shuffled, forth);
    assert_eq!(shuffled.iter().collect::<HashSet<_>>(), forth.iter().collect());
    sim.adjust(|switches| switches.repeat_row = true);
    let pages = walk(&api, "/v2/calls/extensive").await;
    assert_eq!(pages[0].last(), pages[1].first());
    assert!(pages.concat().len() > 12);
}

#[tokio::test]
async fn a_cursor_dies_one_hour_after_page_one_or_after_some_pages() {
    let (sim, company) = sim().await;
    many(&sim, company, 30);
    sim.adjust(|switches| switches.page_size = 10);
    let api = Api::connect(&sim).await;
    let next = async |body: &Value| read(api.post("/v2/calls/extensive", body)).await;
    let (_, first) = next(&json!({ "filter": {} })).await;
    sim.advance(Duration::minutes(40));
    let (status, second) = next(&json!({ "filter": {}, "cursor": first["records"]["cursor"] })).await;
    assert_eq!(status, 200);
    sim.advance(Duration::minutes(21));
    let (status, dead) = next(&json!({ "filter": {}, "cursor": second["records"]["cursor"] })).await;
    assert_eq!((status, error(&dead).as_str()), (400, "cursor has expired"), "not renewed by page two");
    let (status, body) = next(&json!({ "filter": {}, "cursor": "made-up" })).await;
    assert_eq!((status, error(&body).as_str()), (400, "failed to verify cursor"));
    let (_, first) = next(&json!({ "filter": {} })).await;
    let other =
        json!({ "filter": { "fromDateTime": "2001-01-01T00:00:00Z" }, "cursor": first["records"]["cursor"] });
    assert_eq!(next(&other).await.0, 400, "another filter than on page one");
    sim.adjust(|switches| switches.cursor_pages = Some(1));
    let (status, _) = next(&json!({ "filter": {}, "cursor": first["records"]["cursor"] })).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn windows_include_from_and_exclude_to() {
    let (sim, company) = sim().await;
    let at = sim.now() - Duration::hours(5);
    let id = sim.add_call(company, NewCall::new().started(at));
    let at = sim.expected(company)[0].started;
    let api = Api::connect(&sim).await;
    let ask = async |path: &str, from: OffsetDateTime, to: OffsetDateTime| {
        let body = json!({ "filter": { "fromDateTime": z(from), "toDateTime": z(to) } });
        read(api.post(path, &body)).await
    };
    let minute = Duration::minutes(1);
    for path in ["/v2/calls/extensive", "/v2/calls/transcript"] {
        assert_eq!(ids(&ask(path, at, at + minute).await.1), [id.as_str()]);
        let (status, body) = ask(path, at - minute, at).await;
        assert_eq!(
            (status, error(&body).as_str()),
            (404, "No calls found corresponding to the provided filters")
        );
        assert_eq!(ask(path, at, at).await.0, 400);
    }
    let window = sim.requests().pop().unwrap();
    assert_eq!((window.from, window.to), (Some(z(at)), Some(z(at))));
}

#[tokio::test]
async fn the_plain_list_filters_web_conferences_by_the_scheduled_time() {
    let (sim, company) = sim().await;
    let at = sim.now() - Duration::hours(5);
    sim.add_call(company, NewCall::new().scheduled(at).started(at + Duration::minutes(10)));
    let api = Api::connect(&sim).await;
    let window =
        [("fromDateTime", z(at - Duration::minutes(5))), ("toDateTime", z(at + Duration::minutes(5)))];
    assert_eq!(read(api.get("/v2/calls").query(&window)).await.0, 200);
    let body = json!({ "filter": { "fromDateTime": window[0].1, "toDateTime": window[1].1 } });
    assert_eq!(read(api.post("/v2/calls/extensive", &body)).await.0, 404);
    let plus = format!("{}/v2/calls?fromDateTime=2026-01-01T00:00:00+02:00", api.base);
    assert_eq!(read(api.client.get(plus).bearer_auth(&api.token)).await.0, 400, "a bare + is a blank");
}

#[tokio::test]
async fn bad_requests_are_refused() {
    let (sim, company) = sim().await;
    let id = sim.add_call(company, NewCall::new());
    let api = Api::connect(&sim).await;
    for (body, wanted) in [
        (json!({ "callIds": [id] }), 400),
        (json!({ "filter": { "callIds": [] } }), 400),
        (json!({ "filter": { "callIds": "x" } }), 400),
        (json!({ "filter": { "fromDateTime": "yesterday" } }), 400),
        (json!({ "filter": null }), 400),
        (json!({ "filter": { "callIds": [id] } }), 200),
    ] {
        let (status, answer) = read(api.post("/v2/calls/transcript", &body)).await;
        assert_eq!(status, wanted, "{body}: {answer}");
    }
    sim.adjust(|switches| switches.max_call_ids = Some(1));
    let two = json!({ "filter": { "callIds": [id, "1"] } });
    assert_eq!(read(api.post("/v2/calls/extensive", &two)).await.0, 400);
    assert_eq!(read(api.get("/v2/calls/transcript")).await.0, 405);
    let plain =
        api.client.post(format!("{}/v2/calls/transcript", api.base)).bearer_auth(&api.token).body("x");
    assert_eq!(read(plain).await.0, 415);
}

#[tokio::test]
async fn errors_have_gongs_envelope_and_two_kinds_of_404() {
    let (sim, _) = sim().await;
    let api = Api::connect(&sim).await;
    let answer = api.get("/v2/calls/123").send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 404);
    let trace = answer.headers().get("x-traceid").unwrap().to_str().unwrap().to_owned();
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["requestId"], trace);
    assert_eq!(error(&body), "Call ID 123 was not found");
    let (status, body) = read(api.get("/v2/emails")).await;
    assert_eq!(status, 404);
    assert!(!error(&body).contains("No calls found"));
}

#[tokio::test]
async fn a_good_token_on_the_wrong_host_and_a_missing_scope_are_401() {
    let (sim, _) = sim().await;
    let globex = sim.add_company("globex");
    let api = Api::connect(&sim).await;
    let foreign = Api { base: sim.api_base(globex), ..Api::connect(&sim).await };
    assert_ne!(api.base, foreign.base);
    assert_eq!(read(foreign.get("/v2/workspaces")).await.0, 401);
    let client = client();
    let scope = "api:users:read";
    let back = sent_back(&crate::support::authorize(&sim, &client, scope).send().await.unwrap());
    let (_, tokens) = crate::support::exchange(&sim, &client, &back["code"]).await;
    let narrow = Api { client, base: api.base.clone(), token: text(&tokens, "access_token") };
    assert_eq!(read(narrow.get("/v2/users")).await.0, 200);
    for (path, scope) in [
        ("/v2/workspaces", "api:workspaces:read"),
        ("/v2/calls", "api:calls:read:basic"),
        ("/v2/calls/1", "api:calls:read:basic"),
    ] {
        let (status, body) = read(narrow.get(path)).await;
        let sentence = format!("You don't have permission to use '{scope}' in your app.");
        assert_eq!((status, error(&body)), (401, sentence));
    }
    let media = json!({ "filter": {}, "contentSelector": { "exposedFields": { "media": true } } });
    let (_, body) = read(api.post("/v2/calls/extensive", &media)).await;
    assert!(error(&body).contains("api:calls:read:media-url"));
}

#[tokio::test]
async fn an_access_key_may_do_everything_unless_its_address_is_blocked() {
    let (sim, company) = sim().await;
    let (key, secret) = sim.access_key(company).unwrap();
    let client = client();
    let ask = || client.get(format!("{}/v2/users", sim.api_base(company))).basic_auth(&key, Some(&secret));
    assert_eq!(read(ask()).await.0, 200);
    let wrong = client.get(format!("{}/v2/users", sim.api_base(company))).basic_auth(&key, Some("no"));
    assert_eq!(read(wrong).await.0, 401);
    sim.block_ip(company, true);
    assert_eq!(read(ask()).await.0, 403);
    assert_eq!(sim.requests().pop().unwrap().subject, Some(format!("key:{key}")));
}

#[tokio::test]
async fn parties_come_only_when_asked_for_and_may_be_missing() {
    let (sim, company) = sim().await;
    let with = sim.add_call(company, NewCall::new());
    let without = sim.add_call(company, NewCall::new().no_parties());
    let api = Api::connect(&sim).await;
    let ask = async |id: &str, parties: bool| {
        let selector = json!({ "exposedFields": { "parties": parties } });
        let body = json!({ "filter": { "callIds": [id] }, "contentSelector": selector });
        read(api.post("/v2/calls/extensive", &body)).await.1["calls"][0].clone()
    };
    assert!(ask(&with, false).await.get("parties").is_none());
    assert_eq!(ask(&with, true).await["parties"].as_array().unwrap().len(), 2);
    assert!(ask(&without, true).await.get("parties").is_none());
}

#[tokio::test]
async fn privacy_is_true_false_or_absent_and_can_flip() {
    let (sim, company) = sim().await;
    let api = Api::connect(&sim).await;
    let flag = async |id: &str| {
        let (_, body) = read(api.get(&format!("/v2/calls/{id}"))).await;
        body["call"].get("isPrivate").and_then(Value::as_bool)
    };
    let soon = sim.now() + Duration::hours(1);
    let id = sim.add_call(company, NewCall::new().private(None).private_from(soon, Some(true)));
    assert_eq!(flag(&id).await, None);
    sim.advance(Duration::hours(2));
    assert_eq!(flag(&id).await, Some(true));
    assert!(sim.set_private(company, &id, Some(false)));
    assert_eq!(flag(&id).await, Some(false));
    assert!(!sim.set_private(company, "1", None));
}

#[tokio::test]
async fn calls_and_transcripts_come_late_and_vanish() {
    let (sim, company) = sim().await;
    let now = sim.now();
    let hour = Duration::hours(1);
    let call =
        NewCall::new().started(now - hour * 6).visible_after(now + hour).transcript_after(now + hour * 2);
    let id = sim.add_call(company, call.vanish_at(now + hour * 3));
    let early = sim.add_call(company, NewCall::new().visible_after(now + hour).transcript_after(now - hour));
    let api = Api::connect(&sim).await;
    let body = json!({ "filter": { "callIds": [id] } });
    let both = async || {
        let call = read(api.post("/v2/calls/extensive", &body)).await.0;
        (call, read(api.post("/v2/calls/transcript", &body)).await.0)
    };
    assert_eq!(both().await, (404, 404));
    let (status, _) =
        read(api.post("/v2/calls/transcript", &json!({ "filter": { "callIds": [early] } }))).await;
    assert_eq!(status, 200, "a transcript may be there before the call");
    sim.advance(hour * 3 / 2);
    assert_eq!(both().await, (200, 404));
    sim.advance(hour);
    assert_eq!(both().await, (200, 200));
    sim.advance(hour);
    assert_eq!(both().await, (404, 404));
    assert!(sim.delete_call(company, &early));
    assert_eq!(read(api.get(&format!("/v2/calls/{early}"))).await.0, 404);
    assert_eq!(sim.transcripts_asked(company), [id, early]);
}

#[tokio::test]
async fn transcripts_are_monologues_and_byte_exact() {
    let (sim, company) = sim().await;
    let odd = "Zoë said: \"naïve\"\t\u{1F600} \u{202e}<b>&amp;</b> \\ end";
    let call = NewCall::new().say(0, "Hello.").say(0, "Ready?").say(1, odd).say_unknown("Hm.");
    let id = sim.add_call(company, call);
    let api = Api::connect(&sim).await;
    let filter = json!({ "filter": { "callIds": [id, "42"] } });
    let (_, body) = read(api.post("/v2/calls/transcript", &filter)).await;
    assert_eq!(ids(&body), [id.as_str()], "an unknown id is simply not in the list");
    let monologues = body["callTranscripts"][0]["transcript"].as_array().unwrap();
    assert_eq!(monologues.len(), 3);
    assert_eq!(monologues[0]["sentences"].as_array().unwrap().len(), 2);
    assert_eq!(monologues[1]["sentences"][0]["text"], odd);
    assert_eq!(monologues[2]["speakerId"], Value::Null);
    assert!(monologues[0]["sentences"][0]["end"].as_i64().unwrap() > 300, "milliseconds");
    let said: Vec<&str> = monologues
        .iter()
        .flat_map(|m| m["sentences"].as_array().unwrap())
        .map(|s| s["text"].as_str().unwrap())
        .collect();
    assert_eq!(said.join("\n"), sim.transcript_text(company, &id).unwrap());
    assert_eq!(sim.transcripts_served(company).get(&id), Some(&1));
}

#[tokio::test]
async fn generated_calls_are_the_same_again_and_odd_enough() {
    let (sim, company) = sim().await;
    let options = GeneratorOptions {
        calls: 400,
        late_share: 0.3,
        transcript_minutes: 30,
        unknown_privacy_share: 0.1,
        no_transcript_share: 0.1,
        sentences: (5, 20),
        ..GeneratorOptions::default()
    };
    let first = sim.generate(company, &options);
    let before = sim.expected(company);
    assert_eq!(sim.generate(company, &options), first);
    assert_eq!(sim.expected(company), before);
    assert_eq!(before.len(), 400);
    let flags: HashSet<Option<bool>> = before.iter().map(|truth| truth.private).collect();
    assert_eq!(flags.len(), 3);
    assert!(before.iter().any(|truth| !truth.has_transcript_now));
    assert!(before.iter().all(|truth| truth.started < sim.now()));
    assert!(before.iter().any(|truth| truth.id.parse::<u64>().unwrap() > i64::MAX as u64));
    sim.adjust(|switches| switches.page_size = 500);
    let api = Api::connect(&sim).await;
    let body = json!({ "filter": {}, "contentSelector": { "exposedFields": {
        "parties": true, "content": { "topics": true, "brief": true, "keyPoints": true } } } });
    let (_, page) = read(api.post("/v2/calls/extensive", &body)).await;
    let rows = page["calls"].as_array().unwrap();
    assert!(rows.iter().any(|row| row.get("parties").is_none()));
    assert!(rows.iter().any(|row| row["metaData"]["direction"] == "Relayed"));
    assert!(rows.iter().any(|row| row["metaData"]["title"] == Value::Null));
    let started: Vec<&str> = rows.iter().map(|row| row["metaData"]["started"].as_str().unwrap()).collect();
    assert!(started.iter().all(|text| text.ends_with("+02:00")));
    let widths: HashSet<usize> = started.iter().map(|text| text.len()).collect();
    assert_eq!(widths, HashSet::from([25, 29, 32]), "0, 3 and 6 fraction digits");
    let external = rows.iter().flat_map(|row| row["parties"].as_array().into_iter().flatten());
    let parties: Vec<&Value> = external.collect();
    assert!(
        parties.iter().any(|party| party["affiliation"] == "Unknown" && party.get("emailAddress").is_none())
    );
    assert!(parties.iter().any(|party| party["speakerId"] == Value::Null));
}

#[tokio::test]
async fn users_and_workspaces_have_their_own_shapes() {
    let (sim, company) = sim().await;
    sim.adjust(|switches| switches.page_size = 5);
    let api = Api::connect(&sim).await;
    let (_, body) = read(api.get("/v2/workspaces")).await;
    let shown: Vec<String> = body["workspaces"].as_array().unwrap().iter().map(|w| text(w, "id")).collect();
    assert_eq!(shown, sim.workspaces(company));
    assert!(shown.iter().all(|id| id.len() == 20));
    assert_eq!(body["workspaces"][0]["name"], "Initial workspace");
    let (_, first) = read(api.get("/v2/users")).await;
    let cursor = first["records"]["cursor"].as_str().unwrap();
    let (_, second) = read(api.get("/v2/users").query(&[("cursor", cursor)])).await;
    assert_eq!(second["users"].as_array().unwrap().len(), 3);
    let id = text(&first["users"][2], "id");
    assert_eq!(read(api.get(&format!("/v2/users/{id}"))).await.1["user"]["id"], id.as_str());
    let (_, found) = read(api.post("/v2/users/extensive", &json!({ "filter": { "userIds": [id] } }))).await;
    assert_eq!(found["records"]["totalRecords"], 1);
    let (status, none) =
        read(api.post("/v2/users/extensive", &json!({ "filter": { "userIds": ["1"] } }))).await;
    assert_eq!((status, none["users"].as_array().unwrap().len()), (200, 0));
    assert_eq!(read(api.get("/v2/users/1")).await.0, 404);
    assert_eq!(sim.count(Endpoint::Users), 2);
}

#[tokio::test]
async fn a_workspace_filter_holds() {
    let (sim, company) = sim().await;
    let id = sim.add_call(company, NewCall::new().workspace(1));
    sim.add_call(company, NewCall::new().workspace(0));
    let api = Api::connect(&sim).await;
    let second = sim.workspaces(company)[1].clone();
    let (_, page) =
        read(api.post("/v2/calls/extensive", &json!({ "filter": { "workspaceId": second } }))).await;
    assert_eq!(ids(&page), [id]);
}
