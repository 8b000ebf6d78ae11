//! How a job ended.

use std::fmt;

/// How, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// The workstation came, and the program ran to its end.
    Debugged,
    /// The user did not log on in time.
    TimedOutRegister,
    /// The workstation did not connect in time.
    TimedOutEngine,
    /// No Debug Manager on this system.
    NoDebugManager,
    /// Debug Manager did not take the session.
    Refused,
    /// Debug Manager or the workstation was lost on the way.
    Lost,
    /// The operator cancelled the job.
    Cancelled,
}

impl How {
    /// The word as it stands in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debugged => "debugged",
            Self::TimedOutRegister => "timed_out_register",
            Self::TimedOutEngine => "timed_out_engine",
            Self::NoDebugManager => "no_debug_manager",
            Self::Refused => "refused",
            Self::Lost => "lost",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Longest reason, in characters: parts of it may be a peer's, and an event has to fit in one write to a pipe.
const MAX_REASON: usize = 500;

/// How, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// In one word.
    pub how: How,
    /// One sentence for a person.
    pub reason: String,
}

impl Outcome {
    /// An outcome.
    pub fn new(how: How, reason: impl Into<String>) -> Self {
        Self { how, reason: reason.into().chars().take(MAX_REASON).collect() }
    }

    /// The condition code: 0 when the program was debugged, else 8. (Ours; on z/OS the program runs on without its debugger,
    /// and the code is the program's.)
    pub fn condition_code(&self) -> u8 {
        if self.how == How::Debugged { 0 } else { 8 }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.how.as_str(), self.reason)
    }
}
