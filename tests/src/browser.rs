//! A person's browser, or a program with an API key: real HTTP, its own cookies, no redirects followed by itself.

use std::sync::{Arc, Mutex};

use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use url::Url;

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as text.
    pub text: String,
    /// Where it was asked for.
    pub url: Url,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {} {}", self.status, self.text))
    }

    /// The stable code of a problem.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// Where a redirect leads.
    ///
    /// # Panics
    /// When this is not a redirect.
    pub fn location(&self) -> Url {
        let location = self.headers.get("location").and_then(|v| v.to_str().ok());
        let location = location.unwrap_or_else(|| panic!("no redirect: {} {}", self.status, self.text));
        self.url.join(location).expect("a Location is a URL")
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }
}

/// Somebody who talks to the product over HTTP.
#[derive(Debug, Clone)]
pub struct Browser {
    client: reqwest::Client,
    /// The product's public URL.
    pub base: Url,
    bearer: Option<String>,
    cookies: Arc<Mutex<Vec<(String, String)>>>,
}

impl Browser {
    /// A browser without any cookie.
    ///
    /// # Panics
    /// When no HTTP client can be had.
    #[expect(
        clippy::disallowed_methods,
        reason = "the browser of a story is not one of the product's clients"
    )]
    pub fn new(base: Url) -> Self {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(std::time::Duration::from_secs(60))
            .no_proxy()
            .build()
            .expect("an HTTP client can be built");
        Self { client, base, bearer: None, cookies: Arc::default() }
    }

    /// The same without cookies, but with an API key.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        Self { bearer: Some(key.to_owned()), cookies: Arc::default(), ..self.clone() }
    }

    /// The API key that it shows.
    pub fn bearer(&self) -> Option<&str> {
        self.bearer.as_deref()
    }

    /// A copy that has the same cookies now and goes its own way from here.
    #[must_use]
    pub fn split(&self) -> Self {
        let cookies = self.cookies.lock().map(|c| c.clone()).unwrap_or_default();
        Self { cookies: Arc::new(Mutex::new(cookies)), ..self.clone() }
    }

    /// The value of a cookie.
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.lock().ok()?.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone())
    }

    /// Sets a cookie by hand.
    pub fn set_cookie(&self, name: &str, value: &str) {
        if let Ok(mut cookies) = self.cookies.lock() {
            cookies.retain(|(n, _)| n != name);
            if !value.is_empty() {
                cookies.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    /// One request with these headers and this body; `path` may be a whole URL.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Answer {
        let url = self.base.join(path).expect("a path or URL");
        let mut request = self.client.request(method, url.clone());
        let cookies = self.cookies.lock().map(|c| c.clone()).unwrap_or_default();
        if !cookies.is_empty() && url.host_str() == self.base.host_str() {
            let line: Vec<String> = cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
            request = request.header("cookie", line.join("; "));
        }
        if let Some(key) = &self.bearer {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let response = request.send().await.unwrap_or_else(|error| panic!("no answer from {url}: {error:?}"));
        if url.host_str() == self.base.host_str() {
            for set in response.headers().get_all("set-cookie") {
                let pair = set.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
                if let Some((name, value)) = pair.split_once('=') {
                    self.set_cookie(name, value);
                }
            }
        }
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, text: response.text().await.unwrap_or_default(), url }
    }

    fn origin(&self) -> String {
        self.base.origin().ascii_serialization()
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None).await
    }

    /// A JSON request from our own pages.
    pub async fn api(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.api_with(method, path, &[], body).await
    }

    /// A JSON request from our own pages, with more headers.
    pub async fn api_with(
        &self,
        method: Method,
        path: &str,
        more: &[(&str, &str)],
        body: Option<Value>,
    ) -> Answer {
        let origin = self.origin();
        let mut headers = vec![("origin", origin.as_str())];
        headers.extend_from_slice(more);
        if body.is_some() {
            headers.push(("content-type", "application/json"));
        }
        self.send(method, path, &headers, body.map(|b| b.to_string())).await
    }

    /// POST of JSON.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.api(Method::POST, path, Some(body)).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        self.api(Method::DELETE, path, None).await
    }

    /// POST of a form from our own pages.
    pub async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        let origin = self.origin();
        let headers = [("origin", origin.as_str()), ("content-type", "application/x-www-form-urlencoded")];
        self.send(Method::POST, path, &headers, Some(body.finish())).await
    }

    /// Logs in.
    pub async fn log_in(&self, email: &str, password: &str) -> Answer {
        self.post("/api/v1/session", json!({ "email": email, "password": password })).await
    }

    /// Clicks *Connect Gong*: the answer of our API, with the authorize URL.
    pub async fn begin_connect(&self, history_days: Option<i64>) -> Answer {
        self.post("/api/v1/integrations/gong/connect", json!({ "history_days": history_days })).await
    }

    /// Goes through Gong's consent page, which the simulator answers at once: the callback URL with code or error.
    pub async fn at_gong(&self, authorize_url: &str) -> Url {
        self.get(authorize_url).await.location()
    }

    /// The whole way: begin, approve, come back. The answer of our callback.
    pub async fn connect(&self, history_days: Option<i64>) -> Answer {
        let begun = self.begin_connect(history_days).await;
        assert_eq!(begun.status, 200, "{}", begun.text);
        let authorize_url = begun.json()["authorize_url"].as_str().unwrap_or_default().to_owned();
        let callback = self.at_gong(&authorize_url).await;
        self.get(callback.as_str()).await
    }

    /// `GET /api/v1/integrations/gong`.
    pub async fn gong(&self) -> Value {
        let answer = self.get("/api/v1/integrations/gong").await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    /// Every call of the organization, over all pages.
    pub async fn all_calls(&self) -> Vec<Value> {
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.get(&format!("/api/v1/calls?limit=200{cursor}")).await.json();
            all.extend(page["items"].as_array().cloned().unwrap_or_default());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return all,
            }
        }
    }
}
