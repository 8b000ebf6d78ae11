//! How a call fails.

use std::io::{self, ErrorKind};

/// Why a call was not answered, or broke off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// In one word.
    pub(super) how: How,
    /// In one sentence, for a person.
    pub(super) reason: String,
}

/// The words that `CallFailed` has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    Refused,
    TimedOut,
    Reset,
    Closed,
    WrongBytes,
    Other,
}

impl How {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::TimedOut => "timed_out",
            Self::Reset => "reset",
            Self::Closed => "closed",
            Self::WrongBytes => "wrong_bytes",
            Self::Other => "other",
        }
    }
}

impl Failure {
    pub(super) fn new(how: How, reason: impl Into<String>) -> Self {
        Self { how, reason: reason.into() }
    }

    /// What the system says of a connection; `during` says when.
    pub(super) fn system(during: &str, e: &io::Error) -> Self {
        let how = match e.kind() {
            ErrorKind::ConnectionRefused => How::Refused,
            ErrorKind::TimedOut => How::TimedOut,
            // The system says that only once; who asks again hears the others.
            ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::NotConnected => How::Reset,
            _ => How::Other,
        };
        Self::new(how, format!("{during}: {e}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_have_their_names() {
        for (kind, name) in [
            (ErrorKind::ConnectionRefused, "refused"),
            (ErrorKind::TimedOut, "timed_out"),
            (ErrorKind::ConnectionReset, "reset"),
            (ErrorKind::BrokenPipe, "reset"),
            (ErrorKind::NotConnected, "reset"),
            (ErrorKind::HostUnreachable, "other"),
        ] {
            let failure = Failure::system("when it was dialled", &kind.into());
            assert_eq!(failure.how.as_str(), name);
            assert!(failure.reason.starts_with("when it was dialled: "));
        }
    }
}
