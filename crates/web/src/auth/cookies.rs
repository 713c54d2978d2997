//! Our four cookies, written and read. Over https their names carry the `__Host-` prefix, so that no other host or path
//! can set them.

use http::{HeaderMap, HeaderValue, header};

/// The cookie that holds the id of the session.
pub(crate) const fn session_name(https: bool) -> &'static str {
    if https { "__Host-soundpost" } else { "soundpost" }
}

/// The cookie that holds the browser's half of a connect request, for the way through Gong.
pub(crate) const fn flow_name(https: bool) -> &'static str {
    if https { "__Host-soundpost_flow" } else { "soundpost_flow" }
}

/// The cookie by which a browser that logged in before is known.
pub(crate) const fn device_name(https: bool) -> &'static str {
    if https { "__Host-soundpost_device" } else { "soundpost_device" }
}

/// The cookie that remembers the colour scheme.
pub(crate) const fn theme_name(https: bool) -> &'static str {
    if https { "__Host-soundpost_theme" } else { "soundpost_theme" }
}

/// From where a cookie is sent along.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SameSite {
    /// From our own pages only.
    Strict,
    /// Also when another site leads the browser here.
    Lax,
}

/// A `Set-Cookie` value that lives for `seconds`; 0 deletes the cookie.
pub(crate) fn set(
    name: &str,
    value: &str,
    same_site: SameSite,
    seconds: u32,
    https: bool,
) -> Option<HeaderValue> {
    let same_site = match same_site {
        SameSite::Strict => "Strict",
        SameSite::Lax => "Lax",
    };
    let secure = if https { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite={same_site}{secure}");
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The value of the first cookie with this name.
pub(crate) fn read<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(given, value)| {
            (given == name && !value.is_empty() && value.len() <= 256).then_some(value)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_closed_to_scripts_and_other_sites() {
        let strict = set(session_name(true), "abc", SameSite::Strict, 43_200, true).unwrap();
        let want = "__Host-soundpost=abc; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure";
        assert_eq!(strict.to_str().unwrap(), want);
        assert!(strict.is_sensitive(), "never in a debug line");
        let plain = set(flow_name(false), "abc", SameSite::Lax, 600, false).unwrap();
        assert_eq!(
            plain.to_str().unwrap(),
            "soundpost_flow=abc; Path=/; Max-Age=600; HttpOnly; SameSite=Lax"
        );
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "xsoundpost=1; soundpost_flow=2".parse().unwrap());
        headers.append(header::COOKIE, "soundpost=3; soundpost=4".parse().unwrap());
        assert_eq!(read(&headers, "soundpost"), Some("3"));
        assert_eq!(read(&headers, "soundpost_flow"), Some("2"));
        assert_eq!(read(&headers, "soundpost_device"), None);
    }
}
