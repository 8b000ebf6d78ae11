//! The writing end: one JSON line per event, into the file that the environment names.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::{Event, What, monotonic_ns};

/// Environment variable with the path that events are appended to; the lab sets it to a pipe. Without it no event is written.
pub const EVENTS_ENV: &str = "DVIPA_LAB_EVENTS";
/// Environment variable with the name of the started task, job or client; by default the name of the program.
pub const TASK_ENV: &str = "DVIPA_LAB_TASK";

/// Where a process writes its events. Cheap to clone; a process makes one at its start.
///
/// Writing never fails loudly: evidence must not bring down the daemon it is about. An event that could not be written is
/// missing from the journal, and whoever needed it there reports that.
#[derive(Clone, Debug)]
pub struct Emitter {
    system: Arc<str>,
    task: Arc<str>,
    sink: Option<Arc<Mutex<File>>>,
}

impl Emitter {
    /// The emitter that the environment asks for ([`EVENTS_ENV`], [`TASK_ENV`]); `program` names the task when nothing else does.
    pub fn from_env(program: &str) -> Self {
        let task = std::env::var(TASK_ENV).unwrap_or_else(|_| program.to_owned());
        let sink = std::env::var_os(EVENTS_ENV).and_then(|path| open(Path::new(&path)));
        Self { system: hostname().into(), task: task.into(), sink: sink.map(|f| Arc::new(Mutex::new(f))) }
    }

    /// An emitter that writes nothing.
    pub fn silent(program: &str) -> Self {
        Self { system: hostname().into(), task: program.into(), sink: None }
    }

    /// An emitter that writes to this file, for several tasks in one process.
    pub fn to(file: File, task: &str) -> Self {
        Self { system: hostname().into(), task: task.into(), sink: Some(Arc::new(Mutex::new(file))) }
    }

    /// The system's name: the host name of the UTS namespace, which in an LPAR is the name of the LPAR.
    pub fn system(&self) -> &str {
        &self.system
    }

    /// Writes one event, stamped now.
    pub fn emit(&self, what: What) {
        let Some(sink) = &self.sink else { return };
        let event = Event {
            t_ns: monotonic_ns(),
            system: self.system.to_string(),
            task: self.task.to_string(),
            pid: std::process::id(),
            what,
        };
        if let Ok(mut line) = serde_json::to_vec(&event) {
            line.push(b'\n');
            if let Ok(mut file) = sink.lock() {
                // One write per line, and lines are shorter than PIPE_BUF, so lines of several processes do not mix.
                let _ = file.write_all(&line);
            }
        }
    }
}

fn open(path: &Path) -> Option<File> {
    std::fs::OpenOptions::new().append(true).create(true).open(path).ok()
}

fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
