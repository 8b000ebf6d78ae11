//! What tasks print: each has a log of its own, as it would have on any machine, and all share one in which every line has its time.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::logs::Line;

/// The log of all tasks, one [`LogLine`] per line.
pub(crate) const LOGS: &str = "logs.jsonl";

/// A line that a task printed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LogLine {
    /// When it arrived, `CLOCK_MONOTONIC`.
    pub(crate) t_ns: u64,
    /// The host.
    pub(crate) system: String,
    /// The task.
    pub(crate) task: String,
    /// The line.
    pub(crate) line: String,
}

/// Both logs of one task.
pub(super) struct Log {
    own: File,
    all: File,
}

impl Log {
    /// Begins the log of all tasks anew.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn begin(out: &Path) -> io::Result<()> {
        File::create(out.join(LOGS)).map(drop)
    }

    /// The logs of a task; one that is started again goes on with them.
    ///
    /// # Errors
    /// When they cannot be opened.
    pub(super) fn open(out: &Path, system: &str, task: &str) -> io::Result<Self> {
        let open = |name: &str| File::options().append(true).create(true).open(out.join(name));
        let own = open(&format!("{system}-{task}.log"))?;
        Ok(Self { own, all: open(LOGS)? })
    }

    /// One more line. A disk that is full is no reason to end a run.
    pub(super) fn line(&mut self, line: &Line) {
        let _ = writeln!(self.own, "{}", line.text);
        let Line { t_ns, system, task, text } = line.clone();
        if let Ok(mut text) = serde_json::to_vec(&LogLine { t_ns, system, task, line: text }) {
            text.push(b'\n');
            let _ = self.all.write_all(&text); // one write: lines of several tasks do not mix
        }
    }
}
