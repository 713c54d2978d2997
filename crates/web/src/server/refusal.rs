//! What is not a readable request gets words too: hyper answers it with a bare head before any route is known, and here that
//! head is told apart from our answers and becomes a problem document.

use http::StatusCode;
use kernel::{Ambient, SystemAmbient};

use crate::Problem;

/// A bare head is shorter.
const LONGEST: usize = 256;

/// The whole answer for what hyper is about to send, if that is a refusal of its own and nothing else: a status that it
/// gives to unreadable requests, and no header but those it makes. Every answer of ours has more.
pub(super) fn worded(written: &[u8]) -> Option<Vec<u8>> {
    if written.len() > LONGEST {
        return None;
    }
    let head = std::str::from_utf8(written).ok()?.strip_suffix("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.splitn(3, ' ');
    if !first.next()?.starts_with("HTTP/1.") {
        return None;
    }
    let problem = problem(first.next()?)?;
    let bare = |line: &str| {
        let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
        matches!(name.as_str(), "connection" | "content-length" | "date")
    };
    if !lines.all(bare) || !head.to_ascii_lowercase().contains("content-length: 0") {
        return None;
    }
    Some(answer(&problem, &SystemAmbient))
}

fn problem(status: &str) -> Option<Problem> {
    let (status, detail) = match status {
        "400" => (StatusCode::BAD_REQUEST, "The request line or a header is not HTTP/1.1; nothing was done."),
        "414" => (StatusCode::URI_TOO_LONG, "The address is too long; send long values in the body."),
        "431" => (
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "The head of the request is longer than 32 KiB or has more than 100 headers; send fewer or shorter ones.",
        ),
        _ => return None,
    };
    Some(Problem::new(status, "request_refused", detail))
}

fn answer(problem: &Problem, ambient: &dyn Ambient) -> Vec<u8> {
    let (request, trace) = (format!("req_{}", ambient.uuid().simple()), ambient.uuid().simple().to_string());
    let status = problem.status;
    tracing::debug!(request.id = %request, http.status = status.as_u16(), "A request could not be read.");
    let body = serde_json::to_string(&problem.body(&request, &trace)).unwrap_or_default();
    let reason = status.canonical_reason().unwrap_or("Error");
    format!(
        "HTTP/1.1 {} {reason}\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\ncache-control: no-store\r\n\
         x-content-type-options: nosniff\r\nx-request-id: {request}\r\nconnection: close\r\n\r\n{body}",
        status.as_u16(),
        body.len()
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bare_refusal_becomes_a_document() {
        let bare = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\ndate: Sat, 21 Nov 2026 09:00:00 GMT\r\n\r\n";
        let text = String::from_utf8(worded(bare.as_bytes()).unwrap()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!((body["status"].as_u64(), body["code"].as_str()), (Some(400), Some("request_refused")));
        for ours in [
            bare.replace("400 Bad Request", "404 Not Found"),
            bare.replace("400 Bad Request", "200 OK"),
            bare.replace("date", "x-request-id"),
            bare.replace("length: 0", "length: 2"),
            format!("{bare}x"),
            format!("x{bare}"),
            bare[..40].to_owned(),
        ] {
            assert!(worded(ours.as_bytes()).is_none(), "{ours}");
        }
    }
}
