//! Those who have connected and have not said yet what they want.
//!
//! Whoever means it speaks at once, so when there are too many of them the oldest goes: silent strangers, however many, do not
//! keep a client out. (What the real RSE daemon does about them is not documented.)

use std::collections::VecDeque;

use tokio::task::AbortHandle;

/// The tasks that listen to them, oldest first. A task that has ended has heard, and is not counted any more.
#[derive(Debug)]
pub(crate) struct Unheard {
    most: usize,
    tasks: VecDeque<AbortHandle>,
}

impl Unheard {
    /// Nobody; at most `most`.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, tasks: VecDeque::new() }
    }

    /// One more; if that is one too many, the oldest goes.
    pub(crate) fn add(&mut self, task: AbortHandle) {
        self.tasks.retain(|task| !task.is_finished());
        if self.tasks.len() >= self.most {
            self.drop_oldest();
        }
        self.tasks.push_back(task);
    }

    /// Drops the oldest, if there is one.
    pub(crate) fn drop_oldest(&mut self) {
        self.tasks.retain(|task| !task.is_finished());
        if let Some(oldest) = self.tasks.pop_front() {
            oldest.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_oldest_goes_and_who_was_heard_is_not_counted() {
        let mut unheard = Unheard::new(2);
        let heard = tokio::spawn(async {});
        unheard.add(heard.abort_handle());
        heard.await.expect("heard");
        let silent: Vec<_> = (0..3).map(|_| tokio::spawn(std::future::pending::<()>())).collect();
        for task in &silent[..2] {
            unheard.add(task.abort_handle());
        }
        tokio::task::yield_now().await;
        assert!(!silent[0].is_finished(), "there is room for two");
        unheard.add(silent[2].abort_handle());
        tokio::task::yield_now().await;
        assert_eq!(silent.iter().map(tokio::task::JoinHandle::is_finished).collect::<Vec<_>>(), [true, false, false]);
    }
}
