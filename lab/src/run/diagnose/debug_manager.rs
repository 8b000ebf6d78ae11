//! Causes that are in Debug Manager's parameters, in the hub, or in who is registered.

use std::net::SocketAddr;

use evidence::{Event, HubState, What};
use sysplex::{Lpar, StartedTask};

use super::{Case, Cause, Rule};
use crate::run::figure4::Handoff;
use crate::scenario::Symptom;

pub(super) const RULES: &[Rule] = &[same_client_port, not_distributed, user_not_registered, no_hub, hub_not_reached];

/// The Debug Manager of the LPAR where the job runs.
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

/// The handoff that failed in this way, and the Debug Manager of its job.
fn handoff(case: &Case, symptom: Symptom) -> Option<(&Handoff, DebugManager<'_>)> {
    let handoff = case.failure.handoff.as_ref().filter(|_| case.failure.symptom == symptom)?;
    Some((handoff, DebugManager::on(case.sysplex.lpar_named(&handoff.on)?)?))
}

/// The event, as a line of `events.jsonl` says it.
fn line(event: &Event) -> String {
    format!("event: {}", serde_json::to_string(event).unwrap_or_default())
}

/// The engine was turned away by the Debug Manager of another LPAR, which has the same CLIENT port.
fn same_client_port(case: &Case) -> Option<Cause> {
    let (handoff, manager) = handoff(case, Symptom::EngineTurnedAway)?;
    let elsewhere = |event: &&Event| matches!(event.what, What::EngineRefused { .. }) && event.system != handoff.on;
    let refusal = case.events.iter().find(elsewhere)?;
    let other = DebugManager::on(case.sysplex.lpar_named(&refusal.system)?)?;
    let sentence = format!(
        "{} on {} and on {} both have CLIENT={}, so the distributor sent the client's connection for {}'s session on {} to {}, \
         where nobody knows the session: give each Debug Manager a CLIENT port of its own and list each in VIPADISTRIBUTE PORT.",
        manager.task, other.lpar.name, manager.lpar.name, manager.client, handoff.job, handoff.on, refusal.system
    );
    (other.client == manager.client).then(|| Cause::new("F02", sentence).because(line(refusal)))
}

/// The port is in no VIPADISTRIBUTE PORT list, so its owner keeps the connection and nothing listens there.
fn not_distributed(case: &Case) -> Option<Cause> {
    let (handoff, manager) = handoff(case, Symptom::EngineConnectionRefused)?;
    let port = manager.client;
    let dvipa = case.sysplex.dvipas.first()?;
    let listed = dvipa.distribute.iter().any(|statement| statement.lists(port));
    let owner = case.sysplex.lpar(dvipa.owner)?;
    let failed = case.events.iter().find(|event| match &event.what {
        What::ConnectFailed { address, .. } => *address == SocketAddr::new(dvipa.address, port),
        _ => false,
    })?;
    let sentence = format!(
        "port {port}, the CLIENT port of {} on {}, is missing in the VIPADISTRIBUTE PORT list of {}, so {} kept the client's \
         connection for itself and refused it, as nothing listens there on {port}: add {port} to the PORT list.",
        manager.task, handoff.on, dvipa.address, owner.name
    );
    (!listed && owner.name != handoff.on).then(|| Cause::new("F01", sentence).because(line(failed)))
}

/// Where the user is registered, last.
fn registered<'c>(case: &'c Case, user: &str) -> Option<&'c Event> {
    let of_user =
        |event: &&Event| matches!(&event.what, What::UserRegistered { user: registered } if registered == user);
    case.events.iter().find(of_user)
}

fn user_not_registered(case: &Case) -> Option<Cause> {
    let (handoff, _) = handoff(case, Symptom::UserNotNotified)?;
    let user = &handoff.user;
    let sentence = format!(
        "{user} is not registered with any Debug Manager, so {}'s session on {} waited for a register connection: the user must be \
         logged on through RSE, on a system where Debug Manager runs.",
        handoff.job, handoff.on
    );
    registered(case, user).is_none().then(|| Cause::new("F17", sentence))
}

fn no_hub(case: &Case) -> Option<Cause> {
    let (handoff, manager) = handoff(case, Symptom::UserNotNotified)?;
    let registered = registered(case, &handoff.user).filter(|event| event.system != handoff.on)?;
    let sentence = format!(
        "{} on {} has no HUBIP, so it could not tell {}, where {} is logged on, that {} waits: set HUBIP and HUBPORT for every Debug \
         Manager of the sysplex, or keep the job on the user's system (SYSAFF=*).",
        manager.task, handoff.on, registered.system, handoff.user, handoff.job
    );
    (!manager.has_hub).then(|| Cause::new("F03", sentence).because(line(registered)))
}

fn hub_not_reached(case: &Case) -> Option<Cause> {
    let (handoff, manager) = handoff(case, Symptom::UserNotNotified)?;
    let registered = registered(case, &handoff.user).filter(|event| event.system != handoff.on)?;
    let role = case.events.iter().rev().find_map(|event| match &event.what {
        What::Hub { state, hub, .. } if event.system == handoff.on => Some((*state, *hub, event)),
        _ => None,
    });
    let (HubState::Standalone, hub, event) = role? else { return None };
    let sentence = format!(
        "{} on {} cannot reach the hub{} and works stand-alone, so it could not tell {}, where {} is logged on, that {} waits: check \
         HUBIP and HUBPORT and that the primary runs.",
        manager.task,
        handoff.on,
        hub.map_or_else(String::new, |hub| format!(" {hub}")),
        registered.system,
        handoff.user,
        handoff.job
    );
    Some(Cause::new("F04", sentence).because(line(event)).because(line(registered)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::diagnose::diagnose;
    use crate::run::diagnose::sample::{case, event};

    fn not_notified_because(events: &[Event], spoil: impl FnOnce(&mut Case)) -> Option<String> {
        let mut case = case(Symptom::UserNotNotified, events);
        spoil(&mut case);
        diagnose(&case).map(|cause| cause.code)
    }

    #[test]
    fn why_a_user_was_not_notified() {
        let lpars = case(Symptom::UserNotNotified, &[]).sysplex.lpars;
        let registered = |lpar: &Lpar| event(&lpar.name, What::UserRegistered { user: "IBMUSER".into() });
        let hub = |state| event(&lpars[1].name, What::Hub { state, hub: None, reason: String::new() });
        let code = |code: &str| Some(code.to_owned());
        assert_eq!(not_notified_because(&[], |_| ()), code("F17"), "nobody is logged on");
        assert_eq!(not_notified_because(&[registered(&lpars[1])], |_| ()), None, "the user is right there");
        let alone = [registered(&lpars[0]), hub(HubState::Standalone)];
        assert_eq!(not_notified_because(&alone, |_| ()), code("F04"));
        let joined = [registered(&lpars[0]), hub(HubState::Standalone), hub(HubState::Secondary)];
        assert_eq!(not_notified_because(&joined, |_| ()), None, "the hub is there again");
        let no_hub = |case: &mut Case| {
            for task in case.sysplex.lpars.iter_mut().flat_map(|lpar| &mut lpar.tasks) {
                if let StartedTask::DebugManager { hub, .. } = task {
                    *hub = None;
                }
            }
        };
        assert_eq!(not_notified_because(&[registered(&lpars[0])], no_hub), code("F03"));
    }
}
