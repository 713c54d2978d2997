//! An answer before it is sent, and its body as a stream.
//! Knows nothing of what is answered.

use crate::talk::Talk;
use bytes::Bytes;
use futures::stream;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use serde_json::{Value, json};
use std::time::Duration;

/// The body that hyper sends.
pub(crate) type SentBody = UnsyncBoxBody<Bytes, std::io::Error>;

/// An answer before it is sent.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<Piece>,
    manner: Manner,
}

/// A part of a body.
#[derive(Debug)]
pub(crate) enum Piece {
    Ready(Vec<u8>),
    Talk(Talk),
}

/// How the body is sent.
#[derive(Clone, Copy, Debug)]
enum Manner {
    Plain,
    Slow { bytes: usize, pause_ms: u64 },
    Cut,
    Huge { megabytes: usize },
}

impl Reply {
    /// A JSON answer.
    pub(crate) fn json(status: u16, value: &Value) -> Self {
        let bytes = serde_json::to_vec(value).unwrap_or_default();
        Self::new(status, "application/json;charset=UTF-8", vec![Piece::Ready(bytes)])
    }

    /// A JSON answer in parts.
    pub(crate) fn pieces(body: Vec<Piece>) -> Self {
        Self::new(200, "application/json;charset=UTF-8", body)
    }

    /// An HTML page.
    pub(crate) fn html(status: u16, page: String) -> Self {
        Self::new(status, "text/html;charset=UTF-8", vec![Piece::Ready(page.into_bytes())])
    }

    /// Sends the browser elsewhere.
    pub(crate) fn redirect(to: String) -> Self {
        Self::new(302, "text/plain", Vec::new()).header("location", to)
    }

    /// Gong's error body.
    pub(crate) fn trouble(status: u16, request_id: &str, text: &str) -> Self {
        Self::json(status, &json!({ "requestId": request_id, "errors": [text] })).traced(request_id)
    }

    /// The error body of the token URL.
    pub(crate) fn oauth_error(status: u16, error: &str, words: &str) -> Self {
        Self::json(status, &json!({ "error": error, "error_description": words }))
    }

    fn new(status: u16, content_type: &str, body: Vec<Piece>) -> Self {
        let headers = vec![("content-type", content_type.to_owned())];
        Self { status, headers, body, manner: Manner::Plain }
    }

    /// Adds a header.
    pub(crate) fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Adds the headers that Gong's own server sends.
    pub(crate) fn traced(self, request_id: &str) -> Self {
        self.header("x-traceid", request_id.to_owned())
            .header("x-gong-service-version", "PublicApiServer:sim".to_owned())
    }

    /// Sends the body in small pieces.
    pub(crate) fn slowly(mut self, bytes: usize, pause_ms: u64) -> Self {
        self.manner = Manner::Slow { bytes: bytes.max(1), pause_ms };
        self
    }

    /// Sends half of the body and breaks off.
    pub(crate) fn cut(mut self) -> Self {
        self.manner = Manner::Cut;
        self
    }

    /// Sends so many megabytes of JSON.
    pub(crate) fn huge(megabytes: usize) -> Self {
        let mut reply = Self::pieces(Vec::new());
        reply.manner = Manner::Huge { megabytes };
        reply
    }

    /// Puts a wrong type in place of every value.
    pub(crate) fn with_wrong_types(mut self) -> Self {
        if let Ok(value) = serde_json::from_slice(&self.flat()) {
            let spoilt = serde_json::to_vec(&wrong(value)).unwrap_or_default();
            self.body = vec![Piece::Ready(spoilt)];
        }
        self
    }

    fn flat(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for piece in &self.body {
            match piece {
                Piece::Ready(bytes) => all.extend_from_slice(bytes),
                Piece::Talk(talk) => talk.write_json(&mut all),
            }
        }
        all
    }

    /// Turns it into what hyper sends.
    pub(crate) fn into_response(self) -> Response<SentBody> {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = self.headers.clone();
        let mut response = Response::new(self.into_body());
        *response.status_mut() = status;
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().append(HeaderName::from_static(name), value);
            }
        }
        response
    }

    fn into_body(mut self) -> SentBody {
        match self.manner {
            Manner::Plain => match self.body.pop() {
                None => full(Vec::new()),
                Some(Piece::Ready(bytes)) if self.body.is_empty() => full(bytes),
                Some(last) => {
                    self.body.push(last);
                    streamed(Batches { pieces: self.body.into_iter() }.map(Ok))
                }
            },
            Manner::Slow { bytes, pause_ms } => slow(self.flat(), bytes, pause_ms),
            Manner::Cut => {
                let mut all = self.flat();
                all.truncate(all.len() / 2);
                cut_off(all)
            }
            Manner::Huge { megabytes } => {
                let head = Bytes::from_static(b"{\"requestId\":\"huge\",\"filler\":\"");
                let filler = Bytes::from(vec![b'x'; 1 << 20]);
                let tail = Bytes::from_static(b"\"}");
                let middle = std::iter::repeat_n(filler, megabytes);
                streamed([head].into_iter().chain(middle).chain([tail]).map(Ok))
            }
        }
    }
}

fn full(bytes: Vec<u8>) -> SentBody {
    Full::new(Bytes::from(bytes)).map_err(|never| match never {}).boxed_unsync()
}

fn streamed(parts: impl Iterator<Item = Result<Bytes, std::io::Error>> + Send + 'static) -> SentBody {
    StreamBody::new(stream::iter(parts.map(|part| part.map(Frame::data)))).boxed_unsync()
}

fn slow(all: Vec<u8>, bytes: usize, pause_ms: u64) -> SentBody {
    let parts = stream::unfold(Bytes::from(all), move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        let part = rest.split_to(bytes.min(rest.len()));
        Some((Ok(Frame::data(part)), rest))
    });
    StreamBody::new(parts).boxed_unsync()
}

/// Sends what there is; breaks off a moment later, so that it really leaves before the end comes.
fn cut_off(all: Vec<u8>) -> SentBody {
    let parts = stream::unfold(Some(Bytes::from(all)), |rest| async move {
        let Some(rest) = rest.filter(|rest| !rest.is_empty()) else {
            tokio::time::sleep(Duration::from_millis(30)).await;
            let broken = std::io::Error::other("the simulator broke off on purpose");
            return Some((Err(broken), None));
        };
        Some((Ok(Frame::data(rest)), None))
    });
    StreamBody::new(parts).boxed_unsync()
}

/// Writes pieces in batches, only when the client is ready for more.
struct Batches {
    pieces: std::vec::IntoIter<Piece>,
}

impl Iterator for Batches {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        const BATCH: usize = 192 * 1024;
        let mut batch = Vec::with_capacity(BATCH + 64 * 1024);
        while batch.len() < BATCH {
            match self.pieces.next() {
                Some(Piece::Ready(bytes)) => batch.extend_from_slice(&bytes),
                Some(Piece::Talk(talk)) => talk.write_json(&mut batch),
                None => break,
            }
        }
        (!batch.is_empty()).then(|| Bytes::from(batch))
    }
}

/// The same JSON with a wrong type in place of every value.
fn wrong(value: Value) -> Value {
    match value {
        Value::Null => json!({}),
        Value::Bool(_) => json!("perhaps"),
        Value::Number(number) => json!({ "number": number.to_string() }),
        Value::String(text) => json!([text.len()]),
        Value::Array(items) => {
            let numbered = items.into_iter().enumerate().map(|(at, item)| (at.to_string(), wrong(item)));
            Value::Object(numbered.collect())
        }
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(name, field)| (name, wrong(field))).collect())
        }
    }
}
