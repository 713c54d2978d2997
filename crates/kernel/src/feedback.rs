//! Small enums of feedback: one spelling in tables, the API, prompts and on screens.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::status::{WordError, words};

words!(
    /// What sort of feedback it is.
    FeedbackKind, "kind of feedback", {
        /// Build us this.
        FeatureRequest => "feature_request",
        /// It cannot do this; they do it by hand or with another tool.
        MissingCapability => "missing_capability",
        /// It does this, but only up to here.
        Limitation => "limitation",
        /// Hard to find, slow, confusing, too many clicks.
        UxComplaint => "ux_complaint",
        /// Broken, wrong, loses things.
        Bug => "bug",
    }
);

words!(
    /// How they feel about it.
    Sentiment, "sentiment", {
        /// Glad.
        Positive => "positive",
        /// Neither.
        Neutral => "neutral",
        /// Annoyed.
        Negative => "negative",
    }
);

words!(
    /// How much it matters to who asks, the least first.
    Priority, "priority", {
        /// Nice to have.
        Low => "low",
        /// Worth doing.
        Medium => "medium",
        /// Costs them time or money now.
        High => "high",
        /// They leave, cannot buy or cannot work without it.
        Critical => "critical",
    }
);

words!(
    /// On whose side a speaker stands.
    Side, "side", {
        /// The organization's customer, prospect or partner.
        Customer => "customer",
        /// The organization itself.
        Us => "us",
        /// Nobody knows.
        Unknown => "unknown",
    }
);

words!(
    /// How far a post has come.
    PostStatus, "post status", {
        /// Nobody decided yet.
        Open => "open",
        /// It will be done.
        Planned => "planned",
        /// It is being done.
        InProgress => "in_progress",
        /// It is there.
        Done => "done",
        /// It will not be done.
        Declined => "declined",
    }
);

words!(
    /// Whether posts appear by themselves.
    FeedbackMode, "feedback mode", {
        /// Published at once; what was done can be looked up and undone.
        Automatic => "automatic",
        /// Nothing is published before somebody said yes.
        Approval => "approval",
    }
);

words!(
    /// Who looks for feedback in calls.
    AnalyzerKind, "analyzer", {
        /// Nobody.
        Off => "off",
        /// The simple one, in this process: no key, nothing leaves the house.
        Basic => "basic",
        /// A language model.
        Model => "model",
    }
);

words!(
    /// Whether a post can be seen.
    PostState, "post state", {
        /// Nobody said yes yet.
        Review => "review",
        /// It hangs on its board.
        Published => "published",
        /// Its last evidence is gone, and every word with it.
        Withdrawn => "withdrawn",
        /// Somebody said no.
        Rejected => "rejected",
    }
);
