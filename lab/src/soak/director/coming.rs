//! Faults that are to come, stand, and are to go. They are brought about and healed one after the other, beside everything else.

use std::collections::VecDeque;

use soak::fault::{Fault, Planned};
use tokio::sync::mpsc;

use crate::plex::faults::Faults;
use crate::soak::faults::of;

/// What is to be done to the sysplex.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Apply,
    Heal,
}

/// What was done.
#[derive(Debug)]
pub(in crate::soak) struct Done {
    pub id: u32,
    pub fault: Fault,
    pub act: Act,
    pub result: Result<(), String>,
}

/// One that stands, or is about to.
#[derive(Debug)]
pub(super) struct Standing {
    pub id: u32,
    pub fault: Fault,
    /// When it is to be healed.
    pub until_ms: u64,
    pub heals: bool,
}

/// All of them.
pub(in crate::soak) struct Coming {
    planned: VecDeque<(u32, Planned)>,
    pub(super) standing: Vec<Standing>,
    acts: mpsc::UnboundedSender<(u32, Fault, Act)>,
    done: mpsc::UnboundedReceiver<Done>,
    /// Acts that are not done.
    under_way: usize,
}

impl Coming {
    /// Those that come from this time on, in milliseconds of the plan.
    pub(super) fn new(planned: &[Planned], from_ms: u64, faults: Faults) -> Self {
        let (acts, mut to_do) = mpsc::unbounded_channel::<(u32, Fault, Act)>();
        let (say, done) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some((id, fault, act)) = to_do.recv().await {
                let name = id.to_string();
                let result = match act {
                    Act::Apply => faults.begin(&name, &of(&fault)).await,
                    Act::Heal => faults.heal(&name).await,
                };
                let result = result.map(drop).map_err(|e| e.to_string());
                if say.send(Done { id, fault, act, result }).is_err() {
                    return;
                }
            }
        });
        let planned = (0..).zip(planned.iter().cloned()).filter(|(_, planned)| planned.at_ms >= from_ms).collect();
        Self { planned, standing: Vec::new(), acts, done, under_way: 0 }
    }

    /// Is one brought about or healed just now?
    pub(super) fn is_under_way(&self) -> bool {
        self.under_way > 0
    }

    /// What was done; waits for it.
    pub(in crate::soak) async fn next(&mut self) -> Done {
        match self.done.recv().await {
            Some(done) => {
                self.under_way -= 1;
                done
            }
            None => std::future::pending().await,
        }
    }

    /// The faults that begin now.
    pub(super) fn begin(&mut self, now_ms: u64) -> Vec<(u32, Fault)> {
        let mut begun = Vec::new();
        while let Some((id, planned)) = due(&mut self.planned, now_ms) {
            let until_ms = now_ms + planned.for_ms;
            // What is over at once has nothing to heal.
            let heals = of(&planned.fault).is_instant();
            self.standing.push(Standing { id, fault: planned.fault.clone(), until_ms, heals });
            begun.push((id, planned.fault));
        }
        begun
    }

    /// Has this one brought about.
    pub(super) fn apply(&mut self, id: u32, fault: Fault) {
        self.under_way += 1;
        let _ = self.acts.send((id, fault, Act::Apply));
    }

    /// Has those healed whose time is over.
    pub(super) fn heal(&mut self, now_ms: u64) {
        for standing in self.standing.iter_mut().filter(|it| !it.heals && it.until_ms <= now_ms) {
            standing.heals = true;
            self.under_way += 1;
            let _ = self.acts.send((standing.id, standing.fault.clone(), Act::Heal));
        }
    }

    /// No more come, and all that stand are to be healed.
    pub(super) fn end(&mut self) {
        self.planned.clear();
        self.heal(u64::MAX);
    }

    /// This one is over.
    pub(super) fn over(&mut self, id: u32) {
        self.standing.retain(|standing| standing.id != id);
    }

    /// When the next one comes or goes.
    pub(super) fn due_ms(&self) -> u64 {
        let next = self.planned.front().map(|(_, planned)| planned.at_ms);
        let heal = self.standing.iter().filter(|it| !it.heals).map(|it| it.until_ms);
        heal.chain(next).min().unwrap_or(u64::MAX)
    }
}

/// The next one, when its time has come.
fn due(planned: &mut VecDeque<(u32, Planned)>, now_ms: u64) -> Option<(u32, Planned)> {
    let due = planned.front().is_some_and(|(_, planned)| planned.at_ms <= now_ms);
    if due { planned.pop_front() } else { None }
}
