//! What tasks print, kept in memory for whoever comes to look: the newest lines, bounded.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// Bytes of memory that lines may take, over all tasks. When they take more, the oldest go.
const MOST_BYTES: usize = 4 << 20;

/// One line that a task printed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// When it was read, `CLOCK_MONOTONIC`, nanoseconds.
    pub t_ns: u64,
    /// The host.
    pub system: String,
    /// The task.
    pub task: String,
    /// The line, without its end.
    pub text: String,
}

/// Cheap to clone; all clones are one log.
#[derive(Clone, Debug)]
pub struct Logs {
    inner: Arc<Mutex<Inner>>,
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Inner {
    lines: VecDeque<Line>,
    /// How many lines were there before the first that is kept.
    gone: usize,
    bytes: usize,
}

impl Default for Logs {
    fn default() -> Self {
        Self { inner: Arc::default(), changed: watch::Sender::new(()) }
    }
}

impl Logs {
    /// Adds a line.
    pub fn add(&self, line: Line) {
        let mut inner = self.lock();
        inner.bytes += weight(&line);
        inner.lines.push_back(line);
        while inner.bytes > MOST_BYTES
            && let Some(oldest) = inner.lines.pop_front()
        {
            inner.bytes -= weight(&oldest);
            inner.gone += 1;
        }
        drop(inner);
        self.changed.send_replace(());
    }

    /// The lines from number `from` on, as far as they are kept, and the number of the next one.
    pub fn since(&self, from: usize) -> (Vec<Line>, usize) {
        let inner = self.lock();
        let skipped = from.saturating_sub(inner.gone);
        (inner.lines.iter().skip(skipped).cloned().collect(), inner.gone + inner.lines.len())
    }

    /// A receiver that is woken at every line.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a line takes, about: most are short, and then it is not their text that counts.
fn weight(line: &Line) -> usize {
    size_of::<Line>() + line.system.len() + line.task.len() + line.text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(n: usize, length: usize) -> Line {
        Line { t_ns: n as u64, system: "SYS1".into(), task: "T".into(), text: "x".repeat(length) }
    }

    #[test]
    fn lines_are_numbered_from_the_first() {
        let logs = Logs::default();
        assert_eq!(logs.since(0), (vec![], 0));
        logs.add(line(1, 1));
        let (lines, next) = logs.since(0);
        assert_eq!((lines.len(), next), (1, 1));
        logs.add(line(2, 1));
        assert_eq!(logs.since(next), (vec![line(2, 1)], 2));
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let logs = Logs::default();
        let length = MOST_BYTES / 4 - weight(&line(0, 0));
        (0..10).for_each(|n| logs.add(line(n, length)));
        let (lines, next) = logs.since(0);
        assert_eq!((lines.len(), lines[0].t_ns, next), (4, 6, 10));
        assert_eq!(logs.since(3).0.len(), 4, "from a line that is gone: from the first that is kept");
        assert_eq!(logs.since(9).0.len(), 1);
    }
}
