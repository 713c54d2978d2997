//! The words of Soundpost: typed ids, who acts for whom, time and chance, small enums.
//!
//! Knows nothing of the network, of queries or of any other crate of ours.

mod ambient;
mod circuit;
mod feedback;
mod ids;
mod lookback;
mod scope;
mod status;

pub use ambient::{Ambient, ManualAmbient, SharedAmbient, SystemAmbient};
pub use circuit::{Broken, Circuit};
pub use feedback::{
    AnalyzerKind, FeedbackKind, FeedbackMode, PostState, PostStatus, Priority, Sentiment, Side,
};
pub use ids::{
    ApiKeyId, AuditId, BoardId, CallId, ConnectionId, DeadLetterId, ErasureId, EvidenceId, IdError,
    OrganizationId, PostId, RunId, UserId,
};
pub use lookback::{Lookback, LookbackError};
pub use scope::{Actor, Role, RoleError, Scope};
pub use secrecy::{ExposeSecret, SecretString};
pub use status::{ConnectionStatus, RunKind, RunState, TranscriptState, WordError};
