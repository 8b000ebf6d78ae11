//! Faults of a soak are brought about in the sysplex, and healed. The only place that knows how: until the lab has all kinds of faults as
//! commands, the two that need nothing but signals.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use soak::fault::{Fault, Kind};
use sysplex::{Lpar, StartedTask};

use crate::plex::Plex;

/// How long a started task may take to come up again.
const UP_WITHIN: Duration = Duration::from_secs(20);

/// The kinds that can be brought about here.
pub(super) const KINDS: [Kind; 2] = [Kind::Kill, Kind::Freeze];

/// Brings a fault about; its number is its name until it is healed.
///
/// # Errors
/// Why it did not come about.
pub(super) async fn apply(plex: &Plex, _id: u32, fault: &Fault) -> Result<(), String> {
    match fault {
        Fault::Kill { task, on } => signal(plex, on, task, Signal::KILL),
        Fault::Freeze { task, on } => signal(plex, on, task, Signal::STOP),
        other => Err(format!("cannot be brought about: {other}")),
    }
}

/// Heals a fault.
///
/// # Errors
/// Why it is not gone.
pub(super) async fn heal(plex: &mut Plex, _id: u32, fault: &Fault) -> Result<(), String> {
    match fault {
        Fault::Kill { task, on } => {
            let (lpar, task) = started(plex, on, task)?;
            plex.start_again(&lpar, &task, UP_WITHIN).await.map_err(|e| e.to_string())
        }
        Fault::Freeze { task, on } => signal(plex, on, task, Signal::CONT),
        other => Err(format!("cannot be healed: {other}")),
    }
}

fn signal(plex: &Plex, on: &str, task: &str, signal: Signal) -> Result<(), String> {
    let handle = plex.started.iter().find(|handle| handle.system == on && handle.name == task);
    let pid = handle.and_then(|handle| Pid::from_raw(handle.running.realm_pid));
    let pid = pid.ok_or_else(|| format!("{task} on {on} was never started"))?;
    kill_process(pid, signal).map_err(|e| format!("{task} on {on}: {e}"))
}

fn started(plex: &Plex, on: &str, name: &str) -> Result<(Lpar, StartedTask), String> {
    let lpar = plex.sysplex.lpar_named(on).ok_or_else(|| format!("there is no LPAR {on}"))?;
    let task = lpar.tasks.iter().find(|task| task.name() == name);
    Ok((lpar.clone(), task.ok_or_else(|| format!("{on} has no started task {name}"))?.clone()))
}
