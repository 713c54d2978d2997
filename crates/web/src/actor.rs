//! Who did something, in words. Knows lines of the audit log, and no page.

use accounts::AuditLine;

/// Who wrote a line: the address, the key, or what it was else.
pub(crate) fn who(line: &AuditLine) -> String {
    match (line.actor_kind.as_str(), &line.actor_label) {
        ("api_key", Some(prefix)) => format!("The API key {prefix}\u{2026}"),
        (_, Some(label)) => label.clone(),
        ("job", None) => "Soundpost itself".into(),
        ("operator", None) => "An operator".into(),
        ("api_key", None) => "An API key".into(),
        (_, None) => "Somebody who left".into(),
    }
}
