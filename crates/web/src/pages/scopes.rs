//! The scopes that are asked of Gong, as lines of the page.

use connector::{AuthKind, Connection};

use super::view::gong::ScopeLine;
use crate::sentence::sentence;

/// The five scopes with their reasons, and which of them Gong granted.
pub(super) fn scopes(connection: Option<&Connection>) -> Vec<ScopeLine> {
    let granted = |name: &str| {
        let connection = connection.filter(|c| c.auth_kind == AuthKind::Oauth)?;
        let missing = connection.missing_scopes.iter().any(|scope| scope == name);
        Some(!missing && connection.granted_scopes.iter().any(|scope| scope == name))
    };
    oauth::SCOPES
        .iter()
        .map(|scope| ScopeLine {
            name: scope.name,
            reason: sentence(scope.reason),
            granted: granted(scope.name),
        })
        .collect()
}
