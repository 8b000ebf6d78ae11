//! The steps as they happen, for a person, on standard error.

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::figure4::{self, Handoff, ms_since};
use super::result::StepSeen;
use crate::plex::Plex;
use crate::plex::journal::Journal;
use crate::scenario::{Action, Scenario};

/// Whether to say something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    /// Nothing is said when false.
    pub shown: bool,
}

impl Progress {
    /// The sysplex is up.
    pub(super) fn up(self, plex: &Plex, network_ms: f64, up_ms: f64) {
        if self.shown {
            let (lpars, tasks) = (plex.sysplex.lpars.len(), plex.started.names().len());
            crate::note!(
                "  network of {lpars} LPARs up in {network_ms:.0} ms, {tasks} started tasks ready after {up_ms:.0} ms"
            );
            for warning in crate::check::warnings(&plex.sysplex) {
                crate::note!("  {} {}: {}", warning.severity.as_str(), warning.code, warning.message);
            }
        }
    }

    /// A step of the scenario that is none of the nine, done or not.
    pub(super) fn act(self, n: u8, name: String, ok: bool, at_ms: f64) -> StepSeen {
        if self.shown {
            let mark = if ok { "" } else { "   NOT DONE" };
            crate::note!("  {n:>2} {at_ms:>7.1} ms  {name}{mark}");
        }
        StepSeen { n, name, at_ms: Some(at_ms), ok, job: String::new() }
    }

    /// Says each of the nine steps when it is seen.
    pub(super) fn follow(self, journal: &Journal, scenario: &Scenario, start_ns: u64) -> Watcher {
        let handoffs = scenario.steps.iter().filter_map(|step| match &step.action {
            Action::Submit(submit) => {
                Some(Handoff { job: submit.job.clone(), on: submit.on.clone(), user: submit.wanted.clone() })
            }
            _ => None,
        });
        let handoffs: Vec<_> = handoffs.collect();
        let (stop, mut stopped) = oneshot::channel();
        let journal = journal.clone();
        let shown = self.shown;
        let task = tokio::spawn(async move {
            let mut said = vec![[false; 9]; handoffs.len()];
            let mut changes = journal.changes();
            loop {
                if shown {
                    say(&journal, &handoffs, &mut said, start_ns);
                }
                tokio::select! {
                    _ = &mut stopped => break,
                    _ = changes.changed() => {}
                }
            }
            if shown {
                say(&journal, &handoffs, &mut said, start_ns);
            }
        });
        Watcher { stop, task }
    }
}

fn say(journal: &Journal, handoffs: &[Handoff], said: &mut [[bool; 9]], start_ns: u64) {
    let events = journal.events();
    let mut lines = Vec::new();
    for (handoff, said) in handoffs.iter().zip(said) {
        for (step, said) in figure4::seen(&events, handoff).into_iter().zip(said) {
            let Some(step) = step.filter(|_| !*said) else { continue };
            *said = true;
            lines.push((step.t_ns.unwrap_or(0), step));
        }
    }
    lines.sort_by_key(|(t_ns, step)| (*t_ns, step.n));
    for (_, step) in lines {
        match step.t_ns {
            Some(t_ns) => crate::note!("  {} {:>8.1} ms  {}", step.n, ms_since(start_ns, t_ns), step.name),
            None => crate::note!("  {}          -   {}", step.n, step.name),
        }
    }
}

/// Says steps until it is told to finish.
pub(super) struct Watcher {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Watcher {
    /// Says what is left and ends.
    pub(super) async fn finish(self) {
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}
