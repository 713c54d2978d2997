//! The words of Soundpost: typed ids, who acts for whom, time and chance, small enums.
//!
//! Knows nothing of the network, of queries or of any other crate of ours.

mod ambient;
mod circuit;
mod ids;
mod lookback;
mod scope;
mod status;

pub use ambient::{Ambient, ManualAmbient, SharedAmbient, SystemAmbient};
pub use circuit::{Broken, Circuit};
pub use ids::{
    ApiKeyId, AuditId, CallId, ConnectionId, DeadLetterId, ErasureId, IdError, OrganizationId, RunId, UserId,
};
pub use lookback::{Lookback, LookbackError};
pub use scope::{Actor, Role, RoleError, Scope};
pub use secrecy::{ExposeSecret, SecretString};
pub use status::{ConnectionStatus, RunKind, RunState, TranscriptState, WordError};
