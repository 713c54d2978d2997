//! One request, one trace: in the answer, in the job, in the audit log, and on the way to Gong.

use std::sync::{Arc, Mutex};

use reqwest::{Method, StatusCode};
use serde_json::json;
use stories::{Answer, Browser};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::support::still_world;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

async fn ask(browser: &Browser, method: Method, path: &str, ids: &[(&str, &str)]) -> Answer {
    let origin = browser.base.origin().ascii_serialization();
    let headers = [ids, &[("origin", origin.as_str()), ("content-type", "application/json")]].concat();
    let body = (method != Method::GET).then(|| json!({ "days": 5 }).to_string());
    browser.send(method, path, &headers, body).await
}

#[tokio::test]
async fn api_09_the_trace_of_a_request_goes_on_into_its_job_and_its_audit_line() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    sqlx::query("delete from apalis.jobs").execute(world.db.pool()).await.unwrap();
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let ids = [("traceparent", parent.as_str()), ("x-request-id", "story-request-1")];

    let done = ask(&acme.browser, Method::POST, "/api/v1/integrations/gong/backfill", &ids).await;
    assert_eq!(done.status, StatusCode::ACCEPTED, "{}", done.text);
    assert_eq!(done.header("x-request-id"), "story-request-1");
    let refused = ask(&acme.browser, Method::POST, "/api/v1/integrations/gong/backfill", &ids).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert_eq!(
        (refused.json()["trace_id"].as_str(), refused.json()["request_id"].as_str()),
        (Some(TRACE), Some("story-request-1"))
    );

    let traces: Vec<Option<String>> =
        sqlx::query_scalar("select convert_from(job, 'UTF8')::jsonb ->> 'trace' from apalis.jobs")
            .fetch_all(world.db.pool())
            .await
            .unwrap();
    assert!(!traces.is_empty());
    for trace in traces {
        let trace = trace.unwrap();
        assert!(trace.starts_with(&format!("00-{TRACE}-")) && !trace.contains("00f067aa0ba902b7"), "{trace}");
    }
    let noted = world.number("select count(*) from audit_log where request_id = 'story-request-1' and action like 'gong.backfill%'").await;
    assert_eq!(noted, 1);
    world.finish().await;
}

#[tokio::test]
async fn api_09_ids_that_make_no_sense_are_replaced() {
    let world = still_world().await;
    let nobody = world.browser();
    let mut seen = Vec::new();
    for parent in [
        "",
        "00",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        "00-'; drop table users; --aaaaaaaaaaaaaa-00f067aa0ba902b7-01",
    ] {
        let ids = [("traceparent", parent), ("x-request-id", "no <good> id")];
        let answer = ask(&nobody, Method::GET, "/api/v1/me", &ids).await;
        let (trace, id) = (answer.json()["trace_id"].clone(), answer.json()["request_id"].clone());
        let trace = trace.as_str().unwrap().to_owned();
        assert!(
            trace.len() == 32 && trace.bytes().all(|b| b.is_ascii_hexdigit()) && trace != TRACE,
            "{parent}: {trace}"
        );
        assert!(
            id.as_str().unwrap().starts_with("req_") && answer.header("x-request-id") == id.as_str().unwrap()
        );
        seen.push(trace);
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 8, "each is a fresh one");
    world.finish().await;
}

#[tokio::test]
async fn api_09_gong_is_asked_with_the_trace_of_who_asked_us() {
    let mut world = still_world().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    sqlx::query("delete from apalis.jobs").execute(world.db.pool()).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let hearing = heard.clone();
    let ear = tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut buffer = vec![0; 16_384];
            let count = socket.read(&mut buffer).await.unwrap_or(0);
            hearing.lock().unwrap().push(String::from_utf8_lossy(&buffer[..count]).to_lowercase());
            let answer = "HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            socket.write_all(answer.as_bytes()).await.ok();
        }
    });
    sqlx::query("update gong_connections set api_base_url = $1")
        .bind(&base)
        .execute(world.db.pool())
        .await
        .unwrap();
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let asked =
        ask(&acme.browser, Method::POST, "/api/v1/integrations/gong/poll", &[("traceparent", &parent)]).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.text);

    world.work();
    for _ in 0..500 {
        if !heard.lock().unwrap().is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let first = heard.lock().unwrap().first().cloned().unwrap_or_default();
    assert!(first.contains(&format!("traceparent: 00-{TRACE}-")), "Gong was asked so: {first}");
    ear.abort();
    world.stop().await;
}
