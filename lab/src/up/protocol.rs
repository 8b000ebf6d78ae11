//! What is asked and answered: a JSON object per line. A connection is for one request.

use serde::{Deserialize, Serialize};

use super::ps::Process;
use crate::plex::logs::Line;
use crate::report::Plan;

/// Longest line of a request, in bytes: a command line fits.
pub(super) const LONGEST_REQUEST: usize = 64 * 1024;
/// Longest line of an answer, in bytes: a report of many connections fits.
pub(super) const LONGEST_ANSWER: usize = 64 * 1024 * 1024;

/// From a caller.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Request {
    /// What is up? Answered by [`Answer::Status`].
    Status,
    /// Run a command. Descriptors: its standard input, output, error. [`Follow`] lines may come after it. Answered by
    /// [`Answer::Exited`].
    Exec {
        /// The LPAR or workstation.
        system: String,
        /// Program and arguments.
        command: Vec<String>,
        /// The caller's `TERM`.
        term: Option<String>,
    },
    /// The operator command MODIFY; else like `Exec`.
    Modify {
        /// The LPAR.
        system: String,
        /// `task,operands`.
        command: String,
    },
    /// The operator command VARY TCPIP,,SYSPLEX. Answered by [`Answer::Console`].
    Vary {
        /// The LPAR.
        system: String,
        /// `TCPIP,,SYSPLEX,operands`.
        command: String,
    },
    /// A report of the stack. Answered by [`Answer::Printed`].
    Netstat {
        /// The LPAR.
        system: String,
        /// Which report, and how.
        report: crate::netstat::Request,
    },
    /// What the tasks print. Answered by [`Answer::Lines`], again and again while it is followed, then [`Answer::NoMore`].
    Logs {
        /// Of which tasks.
        of: Wanted,
        /// Go on with what is printed from now on.
        follow: bool,
    },
    /// The processes of the hosts. Answered by [`Answer::Processes`].
    Ps {
        /// Of one host only.
        system: Option<String>,
    },
    /// Something is to go wrong, or to be mended. Answered by [`Answer::Printed`].
    Fault {
        /// The words of `lab fault`.
        words: Vec<String>,
    },
    /// The topology as it is now. Answered by [`Answer::Graph`].
    Graph,
    /// Go down. Answered by [`Answer::GoingDown`], then everything ends.
    Down,
}

/// Which tasks' lines: those of all, where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Wanted {
    /// The host.
    pub system: Option<String>,
    /// The task.
    pub task: Option<String>,
}

/// From a caller, while its command runs. When the caller goes, the command is hung up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Follow {
    /// SIGHUP.
    Hangup,
    /// SIGINT.
    Interrupt,
    /// SIGQUIT.
    Quit,
    /// SIGTERM.
    Terminate,
}

/// To a caller.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    /// What is up.
    Status(Status),
    /// What the consoles say, a message each.
    Console(Vec<String>),
    /// A text to print as it is.
    Printed(String),
    /// Lines that tasks printed, in the order of time.
    Lines(Vec<Line>),
    /// There are no more of them.
    NoMore,
    /// Processes.
    Processes(Vec<Process>),
    /// The topology.
    Graph(Plan),
    /// The command has ended.
    Exited {
        /// Its exit status; 128 + n when signal n ended it.
        status: u8,
    },
    /// It was not done.
    Refused {
        /// The exit status that it deserves.
        status: u8,
        /// Why, in a sentence.
        reason: String,
    },
    /// It will be down in a moment.
    GoingDown,
}

/// A sysplex that is up, or comes up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Status {
    /// Its LPARs.
    pub lpars: Vec<String>,
    /// Its workstations.
    pub workstations: Vec<String>,
    /// Its started tasks, as far as they were started.
    pub tasks: Vec<TaskStatus>,
    /// The distributor's backend.
    pub backend: String,
    /// Since when all tasks are ready, in seconds since 1970; nothing while it comes up.
    pub since: Option<u64>,
}

/// A started task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TaskStatus {
    /// Its LPAR.
    pub system: String,
    /// Its name.
    pub task: String,
    /// How it ended, when it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
}

/// From the director by the background to the process that waits: is it up?
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// It is, and serves.
    Up {
        /// How long that took, in milliseconds.
        ms: f64,
    },
    /// It is not, and nothing of it is left.
    Failed {
        /// The exit status that it deserves.
        status: u8,
        /// Why, in a sentence.
        reason: String,
    },
}
