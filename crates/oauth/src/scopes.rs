//! What we ask Gong for, and why. Knows names and reasons; must never know what a caller does without one of them.

/// One read-only permission and the reason that the admin is shown for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission {
    /// Gong's name of the permission.
    pub name: &'static str,
    /// Why we need it, for the connect page.
    pub reason: &'static str,
}

/// The five permissions that are asked for, in the order in which they are shown.
pub const SCOPES: [Permission; 5] = [
    Permission {
        name: "api:calls:read:basic",
        reason: "to see whether a call still exists and is still public",
    },
    Permission { name: "api:calls:read:extensive", reason: "to list calls with their participants" },
    Permission { name: "api:calls:read:transcript", reason: "to read what was said" },
    Permission { name: "api:users:read", reason: "to tell your colleagues from your customers" },
    Permission { name: OPTIONAL, reason: "to know which Gong company this is" },
];

/// The one permission that we can do without: the company is then learned from the first calls.
pub const OPTIONAL: &str = "api:workspaces:read";

/// Which of [`SCOPES`] are not among `granted`, the optional one included.
pub fn missing(granted: &[String]) -> Vec<&'static str> {
    SCOPES.iter().map(|scope| scope.name).filter(|name| !granted.iter().any(|have| have == name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_without_transcripts_names_what_is_missing() {
        let granted: Vec<String> =
            SCOPES.iter().map(|s| s.name.to_owned()).filter(|n| !n.ends_with("transcript")).collect();
        assert_eq!(missing(&granted), ["api:calls:read:transcript"]);
        assert!(SCOPES.iter().all(|scope| scope.name.contains(":read")));
    }
}
