//! What customers ask for in their calls, as posts on a board with the evidence for each.

pub use kernel::{FeedbackKind, PostStatus, Priority, Sentiment, Side};
