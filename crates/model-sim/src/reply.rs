//! An answer before it is sent. Knows nothing of what is answered.

use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use serde_json::Value;

/// The body that hyper sends.
pub(crate) type SentBody = UnsyncBoxBody<Bytes, std::io::Error>;

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    is_cut: bool,
}

impl Reply {
    pub(crate) fn json(status: u16, value: &Value) -> Self {
        let body = serde_json::to_vec(value).unwrap_or_default();
        Self { status, headers: vec![("content-type", "application/json".into())], body, is_cut: false }
    }

    pub(crate) fn html() -> Self {
        let body =
            b"<html><head><title>Welcome</title></head><body>Sign in to the network</body></html>".to_vec();
        Self { status: 200, headers: vec![("content-type", "text/html".into())], body, is_cut: false }
    }

    pub(crate) fn huge(megabytes: usize) -> Self {
        let mut body = b"{\"filler\":\"".to_vec();
        body.resize(body.len() + (megabytes << 20), b'x');
        body.extend_from_slice(b"\"}");
        Self { status: 200, headers: vec![("content-type", "application/json".into())], body, is_cut: false }
    }

    pub(crate) fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Half of the body is sent, then the connection breaks.
    pub(crate) fn cut(mut self) -> Self {
        self.is_cut = true;
        self
    }

    pub(crate) fn into_response(self) -> Response<SentBody> {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = if self.is_cut { broken(self.body) } else { full(self.body) };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().append(HeaderName::from_static(name), value);
            }
        }
        response
    }
}

fn full(bytes: Vec<u8>) -> SentBody {
    Full::new(Bytes::from(bytes)).map_err(|never| match never {}).boxed_unsync()
}

/// Sends half of what there is and breaks off a moment later, so that it really leaves before the end comes.
fn broken(mut bytes: Vec<u8>) -> SentBody {
    bytes.truncate(bytes.len() / 2);
    let parts = stream::unfold(Some(Bytes::from(bytes)), |rest| async move {
        let Some(rest) = rest.filter(|rest| !rest.is_empty()) else {
            tokio::time::sleep(Duration::from_millis(30)).await;
            return Some((Err(std::io::Error::other("the simulator broke off on purpose")), None));
        };
        Some((Ok(Frame::data(rest)), Some(Bytes::new())))
    });
    StreamBody::new(parts).boxed_unsync()
}
