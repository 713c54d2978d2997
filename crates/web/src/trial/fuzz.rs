//! Strange requests by the thousand: every one is refused in words, none makes the server fail.

use axum::body::Body;
use http::{Method, Request};
use proptest::{
    collection::vec,
    prelude::*,
    sample::select,
    test_runner::{Config, TestRunner},
};

use super::{ORIGIN, ask, state};

fn any_request() -> impl Strategy<Value = (String, String, Vec<u8>, Vec<(String, String)>)> {
    let document = serde_json::to_value(crate::openapi_document()).unwrap();
    let mut paths: Vec<String> = document["paths"].as_object().unwrap().keys().cloned().collect();
    paths.extend(
        ["/api", "/api/", "/api/v2/calls", "/api/v1/calls/x/y", "/api/v1/calls/%ff", "/api/v1/calls/%00"]
            .map(str::to_owned),
    );
    let method = select(vec!["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO"]);
    let id = prop_oneof![
        Just("call_".to_owned()),
        "[a-z0-9_]{0,40}",
        Just("call_0190b0f2a6c37f6e8f3f0d6a8f1b2c3d".to_owned())
    ];
    let query = prop_oneof![
        Just(String::new()),
        "\\?(limit|cursor|state|days|search|x)=[a-z0-9%_.-]{0,20}",
        Just("?limit=%00".to_owned()),
        Just("?&&==&limit=5&limit=6".to_owned()),
    ];
    let body = prop_oneof![
        vec(any::<u8>(), 0..200),
        Just(b"{}".to_vec()),
        Just(b"[]".to_vec()),
        Just(b"{\"history_days\": 1e999}".to_vec()),
        "\\{\"(email|password|history_days|days|role|name|paused)\": (1|\"x\"|null|-1|1.5|\\[\\]|\\{\\}|true)\\}".prop_map(String::into_bytes),
    ];
    let kinds = select(vec![
        "application/json",
        "application/json; charset=utf-8",
        "text/plain",
        "multipart/form-data",
        "",
    ]);
    let credentials =
        select(vec!["", "Bearer spk_live_x", "Bearer", "Basic Zm9vOmJhcg==", "Bearer spk_\u{a0}"]);
    (select(paths), id, query, method, body, kinds, credentials).prop_map(
        |(path, id, query, method, body, kind, credential)| {
            let mut headers =
                vec![("content-type".to_owned(), kind.to_owned()), ("origin".to_owned(), ORIGIN.to_owned())];
            if !credential.is_empty() {
                headers.push(("authorization".to_owned(), credential.to_owned()));
            }
            (method.to_owned(), format!("{}{query}", path.replace("{id}", &id)), body, headers)
        },
    )
}

/// A twentieth of what the guarantee asks for; the story tests send the rest with a database behind.
#[test]
fn api_01_a_thousand_strange_requests_get_a_problem_and_never_a_failure() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let router = runtime.block_on(async { crate::router(state()) });
    let mut runner = TestRunner::new(Config { cases: 1_000, failure_persistence: None, ..Config::default() });
    let strategy = any_request();
    let outcome = runner.run(&strategy, |(method, path, body, headers)| {
        let mut request =
            Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(&path);
        for (name, value) in &headers {
            request = request.header(name, value);
        }
        let Ok(request) = request.body(Body::from(body)) else { return Ok(()) };
        let head = method == "HEAD";
        let answer = runtime.block_on(ask(&router, request));
        let status = answer.status.as_u16();
        // Only a log-in that could be right asks the database, and it says so.
        prop_assert!(
            status < 500 || answer.json()["code"] == "database_failure",
            "{status} {}",
            String::from_utf8_lossy(&answer.body)
        );
        if (400..500).contains(&status) && path.starts_with("/api/v1/") && !head {
            prop_assert_eq!(answer.kind(), "application/problem+json");
            let json = answer.json();
            prop_assert!(json["request_id"].is_string() && json["status"] == status, "{}", json);
        }
        Ok(())
    });
    outcome.unwrap();
}
