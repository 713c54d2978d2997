//! W3C trace context: reads the `traceparent` of a request, or begins a trace. Knows nothing else of a request.

use http::HeaderMap;
use kernel::Ambient;

/// A trace and our own place in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TraceParent {
    trace_id: String,
    span_id: String,
    flags: u8,
}

impl TraceParent {
    /// The trace that the request says it belongs to, when it says so once and validly; else a new one.
    pub(crate) fn of(headers: &HeaderMap, ambient: &dyn Ambient) -> Self {
        let mut all = headers.get_all("traceparent").iter();
        let given = all.next().and_then(|value| value.to_str().ok()).and_then(read);
        let (trace_id, flags) = match (given, all.next()) {
            (Some(given), None) => given,
            _ => (nonzero_hex::<16>(ambient), 0),
        };
        Self { trace_id, span_id: nonzero_hex::<8>(ambient), flags }
    }

    /// 32 hex digits.
    pub(crate) fn trace_id(&self) -> &str {
        &self.trace_id
    }

    /// The header for what follows from this request.
    pub(crate) fn onward(&self) -> String {
        format!("00-{}-{}-{:02x}", self.trace_id, self.span_id, self.flags & 1)
    }
}

fn nonzero_hex<const N: usize>(ambient: &dyn Ambient) -> String {
    loop {
        let bytes: [u8; N] = ambient.random();
        if bytes.iter().any(|b| *b != 0) {
            return hex::encode(bytes);
        }
    }
}

/// The trace id and flags of a valid header. Later versions may append fields; version ff is forbidden.
fn read(text: &str) -> Option<(String, u8)> {
    let mut parts = text.split('-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let lengths = hex(version, 2) && hex(trace, 32) && hex(parent, 16) && hex(flags, 2);
    let nothing_more = parts.next().is_none() || version != "00";
    let zero = |text: &str| text.bytes().all(|b| b == b'0');
    if !lengths || !nothing_more || version == "ff" || zero(trace) || zero(parent) || text.len() > 512 {
        return None;
    }
    Some((trace.to_owned(), u8::from_str_radix(flags, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::SystemAmbient;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn trace(values: &[&str]) -> TraceParent {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("traceparent", value.parse().unwrap());
        }
        TraceParent::of(&headers, &SystemAmbient)
    }

    #[test]
    fn a_valid_trace_goes_on_with_a_span_of_ours() {
        let ours = trace(&[GOOD]);
        assert_eq!(ours.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        let onward = ours.onward();
        assert!(onward.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && onward.ends_with("-01"));
        assert!(!onward.contains("00f067aa0ba902b7"), "the parent is our span, not the client's");
        assert!(read(&onward).is_some());
        let later = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes-later";
        assert_eq!(trace(&[later]).trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
    }

    #[test]
    fn an_invalid_trace_is_replaced_by_a_fresh_one() {
        let bad = [
            "",
            "garbage",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        ];
        for text in bad {
            let fresh = trace(&[text]);
            assert_ne!(fresh.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736", "{text}");
            assert!(read(&fresh.onward()).is_some());
        }
        assert_ne!(trace(&[GOOD, GOOD]).trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736", "said twice");
        assert_ne!(trace(&[]).trace_id(), trace(&[]).trace_id());
    }
}
