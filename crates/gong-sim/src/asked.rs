//! One request, read whole: what every answer is made from. Knows nothing of answers.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, header};
use serde_json::Value;
use url::form_urlencoded;

/// One request, read whole.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
    pub(crate) at_micros: u64,
}

impl Asked {
    pub(crate) fn new(parts: Parts, body: Bytes, at_micros: u64) -> Self {
        Self {
            method: parts.method.as_str().to_owned(),
            path: parts.uri.path().to_owned(),
            query: pairs(parts.uri.query().unwrap_or("").as_bytes()),
            headers: parts.headers,
            body,
            at_micros,
        }
    }

    /// A query parameter.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        find(&self.query, name)
    }

    /// All parameters of the query and of a form body, the form first.
    pub(crate) fn parameters(&self) -> Parameters {
        let mut all = if self.content_type().starts_with("application/x-www-form-urlencoded") {
            pairs(&self.body)
        } else {
            Vec::new()
        };
        all.extend(self.query.iter().cloned());
        Parameters(all)
    }

    /// The content type in lower case, empty when there is none.
    pub(crate) fn content_type(&self) -> String {
        self.header(header::CONTENT_TYPE.as_str()).unwrap_or("").to_ascii_lowercase()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// Whether there is a body.
    pub(crate) fn has_body(&self) -> bool {
        !self.body.is_empty()
    }

    /// The pair of a Basic header, as written.
    pub(crate) fn basic(&self) -> Option<(String, String)> {
        let encoded = self.credentials("basic")?;
        let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
        let (name, secret) = decoded.split_once(':')?;
        Some((name.to_owned(), secret.to_owned()))
    }

    /// The token of a Bearer header.
    pub(crate) fn bearer(&self) -> Option<&str> {
        self.credentials("bearer").map(str::trim)
    }

    fn credentials(&self, scheme: &str) -> Option<&str> {
        let (word, rest) = self.header(header::AUTHORIZATION.as_str())?.split_once(' ')?;
        word.eq_ignore_ascii_case(scheme).then_some(rest)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Named parameters; the first of a name counts.
#[derive(Debug)]
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// A parameter, `None` when absent or empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        find(&self.0, name).filter(|value| !value.is_empty())
    }

    /// All of them.
    pub(crate) fn all(&self) -> &[(String, String)] {
        &self.0
    }
}

/// Decodes one `application/x-www-form-urlencoded` value.
pub(crate) fn form_decode(text: &str) -> String {
    let bytes = format!("v={text}");
    form_urlencoded::parse(bytes.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

fn pairs(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).into_owned().collect()
}

fn find<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}
