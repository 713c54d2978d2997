//! API keys in the `Authorization` header. Knows the header, not what a key may do.

use http::{HeaderMap, header};

/// The key that came along: the text after `Bearer `, where it looks like one of ours at its start.
pub(crate) fn presented(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (all.next(), all.next()) else { return None };
    let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && key.starts_with("spk_")).then_some(key.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_single_bearer_header_with_our_prefix_is_a_key() {
        let with = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, value.parse().unwrap());
            }
            presented(&headers).map(str::to_owned)
        };
        assert_eq!(with(&["Bearer spk_live_abc"]).as_deref(), Some("spk_live_abc"));
        assert_eq!(with(&["bearer spk_live_abc"]).as_deref(), Some("spk_live_abc"));
        for bad in [
            &["Basic spk_live_abc"][..],
            &["Bearer abc"],
            &["spk_live_abc"],
            &["Bearer spk_a", "Bearer spk_b"],
            &[],
        ] {
            assert_eq!(with(bad), None, "{bad:?}");
        }
    }
}
