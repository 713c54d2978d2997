//! The control surface, the conversation file, the load shape and the end of a simulator.

use crate::support::{Api, client, read, sim};
use gong_sim::{CompanyId, Sim};
use serde_json::{Value, json};

struct Control<'a> {
    sim: &'a Sim,
    client: reqwest::Client,
}

impl Control<'_> {
    async fn get(&self, path: &str) -> (u16, Value) {
        read(self.client.get(format!("{}{path}", self.sim.control_url()))).await
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        read(self.client.post(format!("{}{path}", self.sim.control_url())).json(&body)).await
    }
}

#[tokio::test]
async fn another_process_can_steer_the_simulator() {
    let (sim, company) = sim().await;
    let control = Control { sim: &sim, client: client() };
    let (_, added) = control.post("/calls", json!({ "company": "acme", "count": 3 })).await;
    let id = added["ids"][0].as_str().unwrap().to_owned();
    assert_eq!(added["ids"].as_array().unwrap().len(), 3);
    assert_eq!(control.post("/private", json!({ "id": id, "private": true })).await.0, 200);
    assert_eq!(control.post("/delete", json!({ "id": added["ids"][1] })).await.0, 200);
    assert_eq!(control.post("/delete", json!({ "id": "1" })).await.0, 404);
    let (_, expected) = control.get("/expected?company=acme&text=1").await;
    let rows = expected["calls"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    let row = rows.iter().find(|row| row["id"] == id.as_str()).unwrap();
    assert_eq!(row["private"], true);
    assert_eq!(row["texts"].as_array().unwrap().len() as u64, row["sentences"].as_u64().unwrap());
    assert_eq!(row["text_sha256"].as_str().unwrap().len(), 64);
    let before = sim.now();
    control.post("/advance", json!({ "seconds": 3_600 })).await;
    assert!(sim.now() - before >= time::Duration::hours(1));
    let (_, switches) = control.post("/config", json!({ "page_size": 7, "limit": null })).await;
    assert_eq!(switches["page_size"], 7);
    assert_eq!(control.post("/config", json!({ "page_sise": 7 })).await.0, 400);
    let api = Api::connect(&sim).await;
    control
        .post("/fault", json!({ "endpoint": "users", "when": { "next": 1 }, "what": { "status": 500 } }))
        .await;
    assert_eq!(read(api.get("/v2/users")).await.0, 500);
    let (_, summary) = control.get("/summary").await;
    assert_eq!(
        (summary["requests"]["users"].as_u64(), summary["statuses"]["500"].as_u64()),
        (Some(1), Some(1))
    );
    let (_, requests) = control.get("/requests?since=1&limit=2").await;
    assert_eq!(requests["requests"].as_array().unwrap().len(), 2);
    control.post("/revoke", json!({ "company": company.0 })).await;
    assert_eq!(read(api.get("/v2/users")).await.0, 401);
    let (_, state) = control.get("/state").await;
    assert_eq!(state["companies"][0]["api_base"], sim.api_base(company));
    let (_, consent) = control.post("/consent", json!({ "consent": { "error": "server_error" } })).await;
    assert_eq!(consent["consent"]["error"], "server_error");
}

#[tokio::test]
async fn a_file_of_conversations_is_served_byte_for_byte() {
    let (sim, company) = sim().await;
    let path = std::env::temp_dir().join(format!("gong-sim-lines-{}.jsonl", std::process::id()));
    let said = |who: &str, at: i64, text: &str| json!({ "speaker_id": who, "start_ms": at, "end_ms": at + 400, "text": text, "turn": 0 });
    let line = json!({ "id": "one", "title": "First", "started": null, "duration_s": 12.5,
        "parties": [{ "speaker_id": "a", "name": "Ann", "affiliation": null }, { "speaker_id": "b", "name": "", "affiliation": null },
                    { "speaker_id": "mute", "name": "Max", "affiliation": null }],
        "sentences": [said("a", 0, "Hello  there."), said("a", 500, "naïve \"quotes\""), said("b", 1_000, "Yes.")] });
    std::fs::write(&path, format!("{line}\n\n{}\n", line.to_string().replace("\"one\"", "\"two\""))).unwrap();
    let ids = sim.load_conversations(company, &path, 10).unwrap();
    std::fs::write(&path, "{").unwrap();
    assert_eq!(sim.load_conversations(company, &path, 10).unwrap_err().code(), "sim_line_not_understood");
    std::fs::remove_file(&path).unwrap();
    assert_eq!(ids.len(), 2);
    assert_eq!(sim.transcript_text(company, &ids[0]).unwrap(), "Hello  there.\nnaïve \"quotes\"\nYes.");
    let monologues = sim.transcript(company, &ids[0]).unwrap();
    assert_eq!(monologues.len(), 2);
    let api = Api::connect(&sim).await;
    let body = json!({ "filter": { "callIds": [ids[0]] }, "contentSelector": { "exposedFields": { "parties": true } } });
    let (_, page) = read(api.post("/v2/calls/extensive", &body)).await;
    let parties = page["calls"][0]["parties"].as_array().unwrap();
    assert_eq!(parties[0]["affiliation"], "Internal");
    assert_eq!(parties[0]["speakerId"].as_str(), monologues[0].speaker_id.as_deref());
    assert_eq!(parties[2]["speakerId"], Value::Null, "who never spoke has no voice");
    assert_eq!(page["calls"][0]["metaData"]["duration"], 13);
}

#[tokio::test]
async fn the_load_shape_serves_many_calls_from_a_pool() {
    let (sim, company) = sim().await;
    let ids = sim.uniform_load(company, 250, 300);
    assert_eq!(ids.len(), 250);
    let api = Api::connect(&sim).await;
    let mut body = json!({ "filter": {} });
    let (mut rows, mut bytes) = (0, 0);
    loop {
        let all = api.post("/v2/calls/transcript", &body).send().await.unwrap().bytes().await.unwrap();
        bytes += all.len();
        let page: Value = serde_json::from_slice(&all).unwrap();
        for row in page["callTranscripts"].as_array().unwrap() {
            let sentences = row["transcript"]
                .as_array()
                .unwrap()
                .iter()
                .map(|m| m["sentences"].as_array().unwrap().len());
            assert_eq!(sentences.sum::<usize>(), 300);
            rows += 1;
        }
        match page.pointer("/records/cursor") {
            Some(cursor) => body["cursor"] = cursor.clone(),
            None => break,
        }
    }
    assert_eq!(rows, 250);
    assert!((20_000..60_000).contains(&(bytes / rows)), "{} bytes a call", bytes / rows);
}

#[tokio::test]
async fn all_listeners_end_with_the_simulator() {
    let (sim, company) = sim().await;
    let (token_url, api_base) = (sim.token_url(), sim.api_base(company));
    assert_eq!(sim.api_base(CompanyId(9)), "");
    sim.stop().await;
    for url in [token_url, api_base] {
        assert!(client().get(url).send().await.unwrap_err().is_connect());
    }
}
