//! An access key of Gong's as somebody typed or sent it: what is plainly not one is refused before Gong is asked.

use connector::AccessKey;

/// The longest key, secret and base URL, in bytes.
const MOST: [usize; 3] = [1000, 4000, 300];

/// A part that cannot be right: the name of its field, and the end of a sentence that begins with it.
pub(crate) type Fault = (&'static str, &'static str);

/// Reads the three parts.
///
/// # Errors
/// Every part that cannot be right.
pub(crate) fn read(key: &str, secret: &str, base_url: &str) -> Result<AccessKey, Vec<Fault>> {
    let (key, secret, base_url) = (key.trim(), secret.trim(), base_url.trim());
    let parts = [
        (key, "access_key", "must be the access key as Gong shows it"),
        (secret, "access_key_secret", "must be the secret as Gong shows it"),
        (base_url, "api_base_url", "must be an address like https://us-12345.api.gong.io"),
    ];
    let plain = |text: &str, most: usize| {
        !text.is_empty() && text.len() <= most && text.bytes().all(|b| b.is_ascii_graphic())
    };
    let wrong = parts.into_iter().zip(MOST).filter(|((text, ..), most)| !plain(text, *most));
    let faults: Vec<Fault> = wrong.map(|((_, field, fix), _)| (field, fix)).collect();
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(AccessKey { key: key.to_owned(), secret: secret.into(), base_url: base_url.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(key: &str, secret: &str, base_url: &str) -> Vec<&'static str> {
        let faults = read(key, secret, base_url).err().unwrap_or_default();
        faults.into_iter().map(|(field, _)| field).collect()
    }

    #[test]
    fn each_part_that_cannot_be_right_is_named() {
        let url = "https://us-1.api.gong.io";
        assert!(fields(" key ", " secret\n", url).is_empty());
        assert_eq!(fields("a b", "", "no address"), ["access_key", "access_key_secret", "api_base_url"]);
        assert!(fields(&"k".repeat(1000), &"s".repeat(4000), url).is_empty());
        assert_eq!(fields(&"k".repeat(1001), &"s".repeat(4001), url), ["access_key", "access_key_secret"]);
    }
}
