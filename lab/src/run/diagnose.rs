//! From what went wrong to why: one sentence that a z/OS person understands. Pure.

use evidence::{Event, HubState, What};
use sysplex::{Lpar, StartedTask, Sysplex};

use super::figure4::Handoff;
use crate::scenario::Symptom;

/// What went wrong in a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What a user or the operator sees.
    pub symptom: Symptom,
    /// What was awaited and what was seen instead.
    pub what: String,
    /// Whose handoff, where it is about one.
    pub handoff: Option<Handoff>,
}

impl Failure {
    /// A failure that is about no handoff in particular.
    pub fn new(symptom: Symptom, what: impl Into<String>) -> Self {
        Self { symptom, what: what.into(), handoff: None }
    }

    /// The same, about this handoff.
    #[must_use]
    pub fn of(mut self, handoff: &Handoff) -> Self {
        self.handoff = Some(handoff.clone());
        self
    }
}

/// Why it went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Entry of the field catalogue.
    pub code: &'static str,
    /// One sentence, with the remedy.
    pub sentence: String,
}

/// Looks for a known cause.
pub fn diagnose(sysplex: &Sysplex, events: &[Event], failure: &Failure) -> Option<Cause> {
    let handoff = failure.handoff.as_ref()?;
    let manager = DebugManager::on(sysplex.lpar_named(&handoff.on)?)?;
    match failure.symptom {
        Symptom::EngineTurnedAway => same_client_port(sysplex, events, handoff, &manager),
        Symptom::EngineConnectionRefused => not_distributed(sysplex, handoff, &manager),
        Symptom::UserNotNotified => not_notified(events, handoff, &manager),
        _ => None,
    }
}

struct DebugManager<'a> {
    lpar: &'a Lpar,
    task: &'a str,
    client: u16,
    has_hub: bool,
}

impl<'a> DebugManager<'a> {
    fn on(lpar: &'a Lpar) -> Option<Self> {
        lpar.tasks.iter().find_map(|task| match task {
            StartedTask::DebugManager { name, client, hub, .. } => {
                Some(Self { lpar, task: name, client: *client, has_hub: hub.is_some() })
            }
            StartedTask::Rsed { .. } | StartedTask::Server { .. } => None,
        })
    }
}

/// F02: the engine was turned away by the Debug Manager of another LPAR, which has the same CLIENT port.
fn same_client_port(
    sysplex: &Sysplex,
    events: &[Event],
    handoff: &Handoff,
    manager: &DebugManager<'_>,
) -> Option<Cause> {
    let by = events.iter().find_map(|event| match &event.what {
        What::EngineRefused { .. } if event.system != handoff.on => Some(event.system.as_str()),
        _ => None,
    })?;
    let other = DebugManager::on(sysplex.lpar_named(by)?)?;
    (other.client == manager.client).then(|| Cause {
        code: "F02",
        sentence: format!(
            "{} on {} and on {} both have CLIENT={}, so the distributor sent the client's connection for {}'s session on {} to {}, \
             where nobody knows the session: give each Debug Manager a CLIENT port of its own and list each in VIPADISTRIBUTE PORT.",
            manager.task, other.lpar.name, manager.lpar.name, manager.client, handoff.job, handoff.on, by
        ),
    })
}

/// F01: the port is in no VIPADISTRIBUTE PORT list, so its owner keeps the connection and nothing listens there.
fn not_distributed(sysplex: &Sysplex, handoff: &Handoff, manager: &DebugManager<'_>) -> Option<Cause> {
    let port = manager.client;
    let dvipa = sysplex.dvipas.first()?;
    let listed = dvipa.distribute.iter().any(|statement| statement.lists(port));
    let owner = sysplex.lpar(dvipa.owner)?;
    (!listed && owner.name != handoff.on).then(|| Cause {
        code: "F01",
        sentence: format!(
            "port {port}, the CLIENT port of {} on {}, is missing in the VIPADISTRIBUTE PORT list of {}, so {} kept the client's \
             connection for itself and refused it, as nothing listens there on {port}: add {port} to the PORT list.",
            manager.task, handoff.on, dvipa.address, owner.name
        ),
    })
}

/// F03, F04 or F17: the session waited for a register connection.
fn not_notified(events: &[Event], handoff: &Handoff, manager: &DebugManager<'_>) -> Option<Cause> {
    let user = &handoff.user;
    let registered_on = events.iter().find_map(|event| match &event.what {
        What::UserRegistered { user: registered } if registered == user => Some(event.system.as_str()),
        _ => None,
    });
    let Some(registered_on) = registered_on else {
        let sentence = format!(
            "{user} is not registered with any Debug Manager, so {}'s session on {} waited for a register connection: the user must \
             be logged on through RSE, on a system where Debug Manager runs.",
            handoff.job, handoff.on
        );
        return Some(Cause { code: "F17", sentence });
    };
    if registered_on == handoff.on {
        return None;
    }
    if !manager.has_hub {
        let sentence = format!(
            "{} on {} has no HUBIP, so it could not tell {registered_on}, where {user} is logged on, that {} waits: set HUBIP and \
             HUBPORT for every Debug Manager of the sysplex, or keep the job on the user's system (SYSAFF=*).",
            manager.task, handoff.on, handoff.job
        );
        return Some(Cause { code: "F03", sentence });
    }
    let alone = events.iter().rev().find_map(|event| match &event.what {
        What::Hub { state, hub, .. } if event.system == handoff.on => Some((*state, *hub)),
        _ => None,
    });
    matches!(alone, Some((HubState::Standalone, _))).then(|| Cause {
        code: "F04",
        sentence: format!(
            "{} on {} cannot reach the hub{} and works stand-alone, so it could not tell {registered_on}, where {user} is logged on, \
             that {} waits: check HUBIP and HUBPORT and that the primary runs.",
            manager.task,
            handoff.on,
            alone.and_then(|(_, hub)| hub).map_or_else(String::new, |hub| format!(" {hub}")),
            handoff.job
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(system: &str, what: What) -> Event {
        Event { t_ns: 1, system: system.into(), task: "DBGMGR".into(), pid: 1, what }
    }

    fn not_notified_because(events: &[Event], spoil: impl FnOnce(&mut Sysplex)) -> Option<&'static str> {
        let mut sysplex = Sysplex::uniform(2);
        spoil(&mut sysplex);
        let handoff = Handoff { job: "EQATST".into(), on: sysplex.lpars[1].name.clone(), user: "IBMUSER".into() };
        let failure = Failure::new(Symptom::UserNotNotified, "x").of(&handoff);
        diagnose(&sysplex, events, &failure).map(|cause| cause.code)
    }

    #[test]
    fn why_a_user_was_not_notified() {
        let lpars = Sysplex::uniform(2).lpars;
        let registered = |lpar: &Lpar| event(&lpar.name, What::UserRegistered { user: "IBMUSER".into() });
        let hub = |state| event(&lpars[1].name, What::Hub { state, hub: None, reason: String::new() });
        assert_eq!(not_notified_because(&[], |_| ()), Some("F17"), "nobody is logged on");
        assert_eq!(not_notified_because(&[registered(&lpars[1])], |_| ()), None, "the user is right there");
        let alone = [registered(&lpars[0]), hub(HubState::Standalone)];
        assert_eq!(not_notified_because(&alone, |_| ()), Some("F04"));
        let joined = [registered(&lpars[0]), hub(HubState::Standalone), hub(HubState::Secondary)];
        assert_eq!(not_notified_because(&joined, |_| ()), None, "the hub is there again");
        let no_hub = |sysplex: &mut Sysplex| {
            for task in sysplex.lpars.iter_mut().flat_map(|lpar| &mut lpar.tasks) {
                if let StartedTask::DebugManager { hub, .. } = task {
                    *hub = None;
                }
            }
        };
        assert_eq!(not_notified_because(&[registered(&lpars[0])], no_hub), Some("F03"));
    }
}
