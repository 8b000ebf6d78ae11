//! How a job ended.

use std::fmt;

use dbm_protocol::host::{Canceller, Phase, ToDebugger};

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
    /// The job was cancelled, or the user or the operator did not want the session.
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

    /// The outcome that a message of Debug Manager means, if it ends the wait.
    pub fn of(message: &ToDebugger) -> Option<Self> {
        Some(match message {
            ToDebugger::TimedOut { phase: Phase::Register } => {
                Self::new(How::TimedOutRegister, "the user did not log on anywhere in time")
            }
            ToDebugger::TimedOut { phase: Phase::Engine } => {
                Self::new(How::TimedOutEngine, "the user was told, but the workstation did not connect in time")
            }
            ToDebugger::Cancelled { by: Canceller::User } => {
                Self::new(How::Cancelled, "the user cancelled the session at the workstation")
            }
            ToDebugger::Cancelled { by: Canceller::Operator } => {
                Self::new(How::Cancelled, "the operator cancelled the session")
            }
            ToDebugger::Refused(no) => Self::new(How::Refused, format!("{}: {}", no.code.as_str(), no.reason)),
            ToDebugger::Waiting { .. } => Self::new(How::Lost, "Debug Manager said `waiting` twice"),
            ToDebugger::Known {} => Self::new(How::Lost, "Debug Manager said `known` of a session that waits"),
            ToDebugger::UserNotified {} => return None,
        })
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
