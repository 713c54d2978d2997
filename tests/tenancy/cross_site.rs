//! What other sites make a browser send changes nothing.

use reqwest::{Method, StatusCode};

use crate::support::{dead_letter, description, fingerprint, key, operations, person, still_world};

/// Every address of a page that is posted to, read from where the routes stand.
fn posted_pages() -> Vec<String> {
    let source = include_str!("../../crates/web/src/pages.rs");
    let posted = source.lines().filter(|line| line.contains(".route(") && line.contains("post("));
    posted
        .map(|line| {
            let path = line.split('"').nth(1).unwrap_or_default();
            if line.contains("at(\"") {
                format!("/settings/integrations/gong{path}")
            } else {
                path.to_owned()
            }
        })
        .collect()
}

#[tokio::test]
async fn uix_12_no_write_from_another_site_is_done() {
    let mut world = still_world().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, Some(10)).await;
    let things = [
        person(&world, &acme, "member").await.id,
        key(&acme.browser, "viewer").await.0,
        dead_letter(&world, &acme).await,
    ];
    let thing_of = |path: &str| {
        let kind = if path.contains("members") { 0 } else { usize::from(!path.contains("api-keys")) + 1 };
        things[kind].as_str()
    };
    let ours = acme.browser.base.origin().ascii_serialization();
    let own = [("origin", ours.as_str())];
    let own_site = acme.browser.send(Method::POST, "/theme", &own, None).await;
    assert_ne!(own_site.status, StatusCode::FORBIDDEN, "our own pages may");
    let before = fingerprint(&world, None).await;
    let sites: [&[(&str, &str)]; 7] = [
        &[],
        &[("origin", "null")],
        &[("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")],
        &[("origin", "http://localhost.evil.example")],
        &[("origin", "http://localhost")],
        &[("referer", ours.as_str())],
        &[("sec-fetch-site", "same-site")],
    ];
    let mut sent = 0;
    for site in sites {
        for operation in operations(&description(&world).await).iter().filter(|o| o.writes()) {
            for kind in ["application/json", "text/plain", "application/x-www-form-urlencoded"] {
                let headers = [site, &[("content-type", kind)]].concat();
                let address = operation.address(thing_of(&operation.path));
                let body = operation.body().map(|body| body.to_string());
                let answer = acme.browser.send(operation.method.clone(), &address, &headers, body).await;
                assert_eq!(
                    (answer.status, answer.code().as_str()),
                    (StatusCode::FORBIDDEN, "cross_site_request"),
                    "{}",
                    operation.id
                );
                sent += 1;
            }
        }
        for page in posted_pages() {
            let headers = [site, &[("content-type", "application/x-www-form-urlencoded")]].concat();
            let body =
                "role=viewer&email=a%40b.example&name=x&days=5&paused=true&confirm=disconnect&theme=dark";
            let address = page.replace("{id}", thing_of(&page));
            let answer = acme.browser.send(Method::POST, &address, &headers, Some(body.to_owned())).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{page}: {}", answer.text);
            sent += 1;
        }
    }
    assert!(sent >= 7 * (3 * 14 + 15), "{sent}");
    assert_eq!(fingerprint(&world, None).await, before);
    assert_eq!(acme.browser.get("/api/v1/me").await.status, StatusCode::OK, "nobody was logged out");
    // The dead letter that was planted is no fault.
    world.stop().await;
}

#[tokio::test]
async fn uix_12_an_image_or_a_link_changes_nothing() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, Some(10)).await;
    let before = fingerprint(&world, None).await;
    let written = operations(&description(&world).await).into_iter().filter(|o| o.writes());
    let mut addresses: Vec<String> = written.map(|o| o.address("x")).collect();
    addresses.extend(posted_pages().into_iter().map(|page| page.replace("{id}", &acme.owner.to_string())));
    let headers = [("sec-fetch-site", "cross-site"), ("sec-fetch-dest", "image")];
    for address in addresses {
        for method in [Method::GET, Method::HEAD] {
            acme.browser.send(method, &address, &headers, None).await;
        }
        for name in ["x-http-method-override", "x-method-override", "x-http-method"] {
            acme.browser
                .send(Method::GET, &format!("{address}?_method=DELETE"), &[(name, "DELETE")], None)
                .await;
        }
    }
    assert_eq!(fingerprint(&world, None).await, before);
    world.finish().await;
}

#[tokio::test]
async fn api_10_no_other_site_may_read_an_answer() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    for operation in operations(&description(&world).await).iter().filter(|o| !o.path.ends_with("/events")) {
        let headers = [("origin", "https://evil.example"), ("access-control-request-method", "POST")];
        for method in [Method::OPTIONS, Method::GET] {
            let answer = acme.browser.send(method, &operation.address("x"), &headers, None).await;
            let allowed: Vec<_> =
                answer.headers.keys().filter(|name| name.as_str().starts_with("access-control-")).collect();
            assert!(allowed.is_empty(), "{}: {allowed:?}", operation.id);
            assert_eq!(answer.header("cache-control"), "no-store", "{}", operation.id);
        }
    }
    world.finish().await;
}
