//! The restart policy of programs: one that fails is started again, so many times.

use std::time::Duration;

use evidence::{Event, What, monotonic_ns};
use sysplex::{Lpar, StartedTask};

use super::Systems;
use super::journal::View;
use super::tasks::ENDED_WELL;

/// As long as it takes.
const FOREVER: Duration = Duration::from_secs(u32::MAX as u64);

impl Systems {
    /// From `since` on a program that fails is started again, as its policy says, until somebody ends it.
    pub(super) fn supervise(&self, lpar: &Lpar, task: &StartedTask, mut since: u64) {
        let StartedTask::Command { command, .. } = task else { return };
        if command.restarts == 0 {
            return;
        }
        let key = (lpar.name.clone(), task.name().to_owned());
        self.supervised.with(|all| all.insert(key.clone()));
        let (systems, lpar, task, restarts) = (self.clone(), lpar.clone(), task.clone(), command.restarts);
        tokio::spawn(async move {
            let (system, name) = &key;
            for left in (0..=restarts).rev() {
                let ended = |view: View<'_>| view.exit_since(system, name, since).map(|exit| exit.how.clone());
                let how = systems.journal.wait_for(FOREVER, ended).await.unwrap_or_default();
                // Ended by somebody, or well, or with its LPAR.
                if !systems.supervised.with(|all| all.contains(&key)) {
                    return;
                }
                since = monotonic_ns();
                let again = left > 0 && how != ENDED_WELL && systems.launch(&lpar, &task).await.is_ok();
                if !again {
                    systems.supervised.with(|all| all.remove(&key));
                    if how != ENDED_WELL {
                        systems.give_up(system, name, &how, restarts);
                    }
                    return;
                }
            }
        });
    }

    fn give_up(&self, system: &str, task: &str, how: &str, restarts: u32) {
        let reason = format!("{task} on {system} is not started again, after {restarts} times: {how}");
        let (system, task) = (system.to_owned(), task.to_owned());
        self.journal.add(Event { t_ns: monotonic_ns(), system, task, pid: 0, what: What::Fatal { reason } });
    }
}
