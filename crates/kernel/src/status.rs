//! Small enums whose words are the same in the database, the API, metrics and on screens.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A stored word that this version does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is not a known {what}")]
pub struct WordError {
    pub(crate) what: &'static str,
    pub(crate) word: String,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $what:literal, { $($(#[$vdoc:meta])* $variant:ident => $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $word)] $variant),+
        }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = WordError;
            fn from_str(text: &str) -> Result<Self, WordError> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(WordError { what: $what, word: text.chars().take(40).collect() }),
                }
            }
        }
    };
}

pub(crate) use words;

words!(
    /// How a connection stands. Backfilling, rate limited and missing scope are facts beside it.
    ConnectionStatus, "connection status", {
        /// The admin is at Gong, or we are checking what came back.
        Connecting => "connecting",
        /// Calls flow.
        Connected => "connected",
        /// Gong no longer honours the grant; an admin has to connect again.
        ReconnectRequired => "reconnect_required",
        /// Stopped by a person, or by us with a reason.
        Paused => "paused",
        /// Ended by a person; calls and posts stay.
        Disconnected => "disconnected",
    }
);
words!(
    /// Why calls are being listed.
    RunKind, "kind of run", {
        /// The regular look for new calls.
        Poll => "poll",
        /// The one over the chosen lookback.
        Backfill => "backfill",
        /// The daily long re-check.
        Sweep => "sweep",
    }
);
words!(
    /// How far a poll, backfill or sweep is.
    RunState, "state of a run", {
        /// Waiting for its first step, or between steps.
        Running => "running",
        /// Every window was listed to its end.
        Done => "done",
        /// Stopped by a person.
        Cancelled => "cancelled",
        /// Given up, with a reason.
        Failed => "failed",
    }
);
words!(
    /// Where a call's transcript is in the ledger.
    TranscriptState, "transcript state", {
        /// To be asked for.
        Wanted => "wanted",
        /// Asked for; Gong does not have it yet.
        Waiting => "waiting",
        /// Here.
        Stored => "stored",
        /// Not asked for any longer, with a reason.
        GaveUp => "gave_up",
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_parses_back() {
        for status in ConnectionStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(*status));
        }
        assert!("Connected".parse::<ConnectionStatus>().is_err());
    }
}
