//! The person in front of the workstation: a stopped session, or a logon between its two connections, may be held until a line
//! `continue` arrives on standard input.

use std::io::BufRead;
use std::sync::Arc;

use tokio::sync::Semaphore;

/// Each line `continue` lets one held session go, the one that waits longest; the end of the input lets all go.
#[derive(Clone, Debug)]
pub struct Hold {
    lines: Arc<Semaphore>,
}

impl Hold {
    /// Holds sessions, and reads standard input for them.
    pub fn from_stdin() -> Self {
        let hold = Self { lines: Arc::new(Semaphore::new(0)) };
        let reader = hold.clone();
        // A thread, because a read from standard input cannot be given up: it must not keep the process from ending.
        std::thread::spawn(move || reader.read(std::io::stdin().lock()));
        hold
    }

    /// Holds nothing.
    pub fn none() -> Self {
        let lines = Arc::new(Semaphore::new(0));
        lines.close();
        Self { lines }
    }

    /// Is anything to be waited for?
    pub fn is_on(&self) -> bool {
        !self.lines.is_closed()
    }

    /// Waits for a line. Cancel safe.
    pub async fn released(&self) {
        if let Ok(line) = self.lines.acquire().await {
            line.forget();
        }
    }

    fn read(&self, input: impl BufRead) {
        for line in input.lines() {
            match line.as_deref().map(str::trim) {
                Ok("continue") => self.lines.add_permits(1),
                Ok("") => {}
                Ok(other) => tracing::warn!("found `{other}` on standard input, expected `continue`"),
                Err(_) => break,
            }
        }
        self.lines.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_line_lets_one_go_and_the_end_lets_all_go() {
        let hold = Hold { lines: Arc::new(Semaphore::new(0)) };
        assert!(hold.is_on());
        hold.lines.add_permits(1);
        hold.released().await;
        assert_eq!(hold.lines.available_permits(), 0, "the line is used up");
        hold.read(&b"what\n\n"[..]);
        hold.released().await;
        hold.released().await;
        assert!(!hold.is_on());
        Hold::none().released().await;
    }
}
