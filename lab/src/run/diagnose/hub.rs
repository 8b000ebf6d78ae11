//! Causes that are in the hub: the job's Debug Manager could not ask where the user is.

use std::net::{IpAddr, SocketAddr};

use evidence::{Event, HubState, What};
use sysplex::Lpar;

use super::debug_manager::{DebugManager, handoff, line};
use super::registration::registered;
use super::{Case, Cause, Rule};
use crate::run::figure4::Handoff;
use crate::scenario::Symptom;

pub(super) const RULES: &[Rule] = &[no_hub, several_primaries, partner_refused, hub_not_reached];

/// A session whose user is registered with the Debug Manager of another system, which was not asked.
struct Unheard<'c> {
    handoff: &'c Handoff,
    manager: DebugManager<'c>,
    registered: &'c Event,
}

impl<'c> Unheard<'c> {
    fn of(case: &'c Case) -> Option<Self> {
        let (handoff, manager) = handoff(case, Symptom::UserNotNotified)?;
        let registered = registered(case, &handoff.user).filter(|event| event.system != handoff.on)?;
        Some(Self { handoff, manager, registered })
    }

    /// The end of each sentence.
    fn not_told(&self) -> String {
        let Handoff { user, job, .. } = self.handoff;
        format!("so it could not tell {}, where {user} is logged on, that {job} waits", self.registered.system)
    }

    /// What the job's Debug Manager does, and where.
    fn who(&self) -> String {
        format!("{} on {}", self.manager.task, self.handoff.on)
    }
}

/// The role that the system's Debug Manager said last.
fn role<'c>(case: &'c Case, system: &str) -> Option<(HubState, Option<SocketAddr>, &'c Event)> {
    case.events.iter().rev().find_map(|event| match &event.what {
        What::Hub { state, hub, .. } if event.system == system => Some((*state, *hub, event)),
        _ => None,
    })
}

fn no_hub(case: &Case) -> Option<Cause> {
    let unheard = Unheard::of(case)?;
    let sentence = format!(
        "{} has no HUBIP, {}: set HUBIP and HUBPORT for every Debug Manager of the sysplex, or keep the job on the user's system \
         (SYSAFF=*).",
        unheard.who(),
        unheard.not_told()
    );
    unheard.manager.hub.is_none().then(|| Cause::new("F03", sentence).because(line(unheard.registered)))
}

/// Both are primary, at the same place.
fn several_primaries(case: &Case) -> Option<Cause> {
    let unheard = Unheard::of(case)?;
    let (HubState::Primary, Some(hub), here) = role(case, &unheard.handoff.on)? else { return None };
    let (HubState::Primary, Some(other), there) = role(case, &unheard.registered.system)? else { return None };
    let sentence = format!(
        "{} is primary at {hub}, and so is the one on {}, {}: HUBIP must be an address that one system alone has.",
        unheard.who(),
        unheard.registered.system,
        unheard.not_told()
    );
    let cause = || Cause::new("F05", sentence).because(line(here)).because(line(there));
    (hub == other).then(|| cause().because(line(unheard.registered)))
}

/// One of the two systems was turned away by the primary.
fn partner_refused(case: &Case) -> Option<Cause> {
    let unheard = Unheard::of(case)?;
    let ends = [&unheard.handoff.on, &unheard.registered.system];
    let (lpar, refusal) = ends.into_iter().find_map(|system| {
        let lpar = case.sysplex.lpar_named(system)?;
        Some((lpar, refused(case, lpar)?))
    })?;
    let (HubState::Standalone, _, role) = role(case, &lpar.name)? else { return None };
    let sentence = format!(
        "the primary on {} does not take the Debug Manager on {} for one of the sysplex, {}: TRUSTEDTCP=ON for all or for none, and \
         the permission for EZB.IOCTL.*.PARTNERINFO on every system.",
        refusal.system,
        lpar.name,
        unheard.not_told()
    );
    Some(Cause::new("F06", sentence).because(line(refusal)).because(line(role)).because(line(unheard.registered)))
}

/// The last refusal of a partner from this LPAR for want of trust.
fn refused<'c>(case: &'c Case, lpar: &Lpar) -> Option<&'c Event> {
    let is_of = |address: IpAddr| [lpar.xcf, lpar.home].map(IpAddr::from).contains(&address.to_canonical());
    case.events.iter().rev().find(|event| match &event.what {
        What::HubRefused { peer, refusal } => refusal.code == "not_authorized" && is_of(peer.ip()),
        _ => false,
    })
}

/// One of the two works stand-alone.
fn hub_not_reached(case: &Case) -> Option<Cause> {
    let unheard = Unheard::of(case)?;
    let ends = [&unheard.handoff.on, &unheard.registered.system];
    let (system, hub, event) = ends.into_iter().find_map(|system| match role(case, system)? {
        (HubState::Standalone, hub, event) => Some((system, hub, event)),
        _ => None,
    })?;
    let sentence = format!(
        "the Debug Manager on {system} cannot reach the hub{} and works stand-alone: {} did not hear of {}, where {} is logged on; \
         check HUBIP and HUBPORT and that the primary runs.",
        hub.map_or_else(String::new, |hub| format!(" {hub}")),
        unheard.who(),
        unheard.registered.system,
        unheard.handoff.user
    );
    Some(Cause::new("F04", sentence).because(line(event)).because(line(unheard.registered)))
}

#[cfg(test)]
mod tests {
    use evidence::Refusal;
    use sysplex::StartedTask;

    use super::*;
    use crate::run::diagnose::diagnose;
    use crate::run::diagnose::sample::{case, event};

    const HUB: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(9, 9, 9, 1)), 5337);

    fn code(events: &[Event]) -> Option<String> {
        diagnose(&case(Symptom::UserNotNotified, events)).map(|cause| cause.code)
    }

    fn registered_on(system: &str) -> Event {
        event(system, What::UserRegistered { user: "IBMUSER".into() })
    }

    fn is(system: &str, state: HubState) -> Event {
        event(system, What::Hub { state, hub: Some(HUB), reason: String::new() })
    }

    #[test]
    fn a_hub_that_is_not_reached_or_not_there() {
        let (here, there) = ("LPAR2", "LPAR1");
        assert_eq!(code(&[registered_on(here)]), None, "the user is right there");
        let alone = is(here, HubState::Standalone);
        assert_eq!(code(&[registered_on(there), alone.clone()]).as_deref(), Some("F04"));
        assert_eq!(code(&[registered_on(there), is(there, HubState::Standalone)]).as_deref(), Some("F04"));
        let joined = [registered_on(there), alone, is(here, HubState::Secondary)];
        assert_eq!(code(&joined), None, "the hub is there again");
        let mut without = case(Symptom::UserNotNotified, &[registered_on(there)]);
        for task in without.sysplex.lpars.iter_mut().flat_map(|lpar| &mut lpar.tasks) {
            if let StartedTask::DebugManager { hub, .. } = task {
                *hub = None;
            }
        }
        assert_eq!(diagnose(&without).map(|cause| cause.code).as_deref(), Some("F03"));
    }

    #[test]
    fn two_primaries_at_one_place() {
        let (one, two) = (is("LPAR1", HubState::Primary), is("LPAR2", HubState::Primary));
        assert_eq!(code(&[one.clone(), two.clone(), registered_on("LPAR1")]).as_deref(), Some("F05"));
        let elsewhere = event(
            "LPAR2",
            What::Hub { state: HubState::Primary, hub: Some(([9, 9, 9, 2], 5337).into()), reason: String::new() },
        );
        assert_eq!(code(&[one.clone(), elsewhere, registered_on("LPAR1")]), None, "they name different hubs");
        assert_eq!(code(&[one, two, is("LPAR2", HubState::Secondary), registered_on("LPAR1")]), None);
    }

    #[test]
    fn a_partner_that_is_refused() {
        let refused = |peer: [u8; 4], code: &str| {
            let refusal = Refusal { code: code.into(), reason: "x".into() };
            event("LPAR1", What::HubRefused { peer: (peer, 4000).into(), refusal })
        };
        let with = |refusal: Event| code(&[registered_on("LPAR1"), refusal, is("LPAR2", HubState::Standalone)]);
        assert_eq!(with(refused([9, 9, 9, 2], "not_authorized")).as_deref(), Some("F06"));
        assert_eq!(with(refused([9, 9, 9, 7], "not_authorized")).as_deref(), Some("F04"), "that was somebody else");
        let later = [registered_on("LPAR1"), refused([9, 9, 9, 2], "not_authorized"), is("LPAR2", HubState::Secondary)];
        assert_eq!(code(&later), None, "it was taken later");
    }
}
