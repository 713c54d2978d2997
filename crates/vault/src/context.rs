//! What a sealed secret belongs to.

use std::fmt::Write as _;

use kernel::{ConnectionId, OrganizationId};

/// The place where a secret is at home. It opens nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// The organization that owns the secret.
    pub organization: OrganizationId,
    /// The connection that uses it.
    pub connection: ConnectionId,
    /// Which of the connection's secrets it is.
    pub field: &'static str,
    /// Which issue of that secret it is.
    pub generation: i64,
}

impl Context {
    /// The line that stands before the secret in the plaintext.
    pub(crate) fn header(&self) -> String {
        let mut line = String::with_capacity(120);
        // Writing into a String cannot fail.
        let _ = writeln!(
            line,
            "soundpost1 {} {} {} {}",
            self.organization, self.connection, self.field, self.generation
        );
        line
    }
}
