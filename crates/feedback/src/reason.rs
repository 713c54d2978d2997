//! Why a call waits, was discarded or given up: a stable word each. What people read about them stands with the doors.

/// Why a call has no posts yet, or never will.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The organization wants no feedback.
    SwitchedOff,
    /// A language model was chosen, and this installation has none.
    NoModel,
    /// There is no board.
    NoBoard,
    /// The month's money is spent.
    MonthlyCap,
    /// The transcript is not here any longer.
    TranscriptGone,
    /// Nobody asked for anything.
    NoFeedback,
    /// Whoever worked on it died, each time.
    WorkerDied,
    /// The code of what went wrong.
    Fault(&'static str),
}

impl Reason {
    /// The stable word.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::SwitchedOff => "switched_off",
            Self::NoModel => "no_model",
            Self::NoBoard => "no_board",
            Self::MonthlyCap => "monthly_cap",
            Self::TranscriptGone => "transcript_gone",
            Self::NoFeedback => "no_feedback",
            Self::WorkerDied => "worker_died",
            Self::Fault(code) => code,
        }
    }
}
