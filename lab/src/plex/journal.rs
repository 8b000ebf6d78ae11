//! The journal: all events of all processes, in the order in which they arrived, and the way to wait for one.

use std::fs::File;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use evidence::{Event, What};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// Cheap to clone; all clones are one journal.
#[derive(Clone, Debug)]
pub struct Journal {
    inner: Arc<Mutex<Inner>>,
    changed: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Inner {
    events: Vec<Event>,
    exits: Vec<TaskExit>,
    file: Option<File>,
    /// Where events go that are not kept; nothing when all are.
    passes: Option<mpsc::UnboundedSender<Event>>,
}

/// Does it say how the sysplex is, and not what becomes of one user or session?
fn is_of_the_sysplex(what: &What) -> bool {
    matches!(
        what,
        What::Ready {}
            | What::Fatal { .. }
            | What::Stopped {}
            | What::NameTokenCreated { .. }
            | What::NameTokenDeleted {}
            | What::Hub { .. }
            | What::HubRival { .. }
            | What::Console { .. }
            | What::FaultBegan { .. }
            | What::FaultHealed { .. }
    )
}

/// A task ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskExit {
    /// The host.
    pub system: String,
    /// The task.
    pub task: String,
    /// How, in words.
    pub how: String,
    /// The last lines that it printed.
    pub last_words: Vec<String>,
    /// When, `CLOCK_MONOTONIC`.
    pub t_ns: u64,
}

/// What the journal holds at one moment.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Events, in the order of arrival.
    pub events: &'a [Event],
    /// Tasks that have ended.
    pub exits: &'a [TaskExit],
}

impl<'a> View<'a> {
    /// The first event of this kind.
    pub fn find<T>(self, pick: impl FnMut(&'a Event) -> Option<T>) -> Option<T> {
        self.events.iter().find_map(pick)
    }

    /// The end of a task.
    pub fn exit_of(self, system: &str, task: &str) -> Option<&'a TaskExit> {
        self.exit_since(system, task, 0)
    }

    /// The first end of a task since then.
    pub fn exit_since(self, system: &str, task: &str, t_ns: u64) -> Option<&'a TaskExit> {
        self.exits.iter().find(|exit| exit.system == system && exit.task == task && exit.t_ns >= t_ns)
    }
}

impl Journal {
    /// An empty journal; with a file, every event is also written there as a JSON line.
    pub fn new(file: Option<File>) -> Self {
        let inner = Inner { file, ..Inner::default() };
        Self { inner: Arc::new(Mutex::new(inner)), changed: watch::Sender::new(0) }
    }

    /// A journal for a long time: it keeps, and wakes others for, what says how the sysplex is, which is little. What is said of a single
    /// user or session is passed on when a swarm says it, and else forgotten.
    pub fn passing_on(to: mpsc::UnboundedSender<Event>) -> Self {
        let inner = Inner { passes: Some(to), ..Inner::default() };
        Self { inner: Arc::new(Mutex::new(inner)), changed: watch::Sender::new(0) }
    }

    /// Adds an event.
    pub fn add(&self, event: Event) {
        let mut inner = self.lock();
        if let Some(to) = inner.passes.as_ref().filter(|_| !is_of_the_sysplex(&event.what)) {
            if soak::facts::is_of_a_swarm(&event.what) {
                let _ = to.send(event);
            }
            return;
        }
        if let Some(file) = &mut inner.file
            && let Ok(mut line) = serde_json::to_vec(&event)
        {
            line.push(b'\n');
            let _ = file.write_all(&line);
        }
        inner.events.push(event);
        drop(inner);
        self.changed.send_modify(|version| *version += 1);
    }

    /// Adds the end of a task.
    pub fn ended(&self, exit: TaskExit) {
        self.lock().exits.push(exit);
        self.changed.send_modify(|version| *version += 1);
    }

    /// Looks at the journal as it is now.
    pub fn look<T>(&self, look: impl FnOnce(View<'_>) -> T) -> T {
        let inner = self.lock();
        look(View { events: &inner.events, exits: &inner.exits })
    }

    /// Everything of one kind, copied.
    pub fn events(&self) -> Vec<Event> {
        self.lock().events.clone()
    }

    /// Waits until `find` finds what it looks for; `None` when it has not by the end of `within`.
    pub async fn wait_for<T>(&self, within: Duration, mut find: impl FnMut(View<'_>) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + within;
        let mut changed = self.changed.subscribe();
        loop {
            changed.mark_unchanged();
            if let Some(found) = self.look(&mut find) {
                return Some(found);
            }
            if tokio::time::timeout_at(deadline, changed.changed()).await.is_err() {
                return self.look(&mut find);
            }
        }
    }

    /// A receiver that is woken at every change.
    pub fn changes(&self) -> watch::Receiver<usize> {
        self.changed.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One line of a task's events; what is no event is kept as what the task said wrongly.
pub fn parse_line(system: &str, task: &str, line: &str) -> Event {
    match serde_json::from_str::<Event>(line) {
        // The pipe says whose event it is, whatever stands in it.
        Ok(event) => Event { system: system.into(), task: task.into(), ..event },
        Err(e) => {
            let start: String = line.chars().take(80).collect();
            let reason = format!("a line that is no event ({e}): {start}");
            let t_ns = evidence::monotonic_ns();
            Event { t_ns, system: system.into(), task: task.into(), pid: 0, what: What::Fatal { reason } }
        }
    }
}
