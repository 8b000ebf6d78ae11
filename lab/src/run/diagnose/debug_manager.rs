//! Causes that are in Debug Manager's parameters, its name/token pair, and in what reaches its CLIENT port.

use std::net::{SocketAddr, SocketAddrV4};

use evidence::{Event, What};
use sysplex::{Lpar, StartedTask};

use super::{Case, Cause, Rule};
use crate::run::figure4::Handoff;
use crate::scenario::Symptom;

pub(super) const RULES: &[Rule] =
    &[same_client_port, not_distributed, undefined_symbol, no_port, stale_pair, wrong_token, tls_at_one_end];

/// The Debug Manager of the LPAR where the job runs.
pub(super) struct DebugManager<'a> {
    pub(super) lpar: &'a Lpar,
    pub(super) task: &'a str,
    pub(super) host: u16,
    pub(super) client: u16,
    pub(super) hub: Option<SocketAddrV4>,
    tls: bool,
}

impl<'a> DebugManager<'a> {
    pub(super) fn on(lpar: &'a Lpar) -> Option<Self> {
        lpar.tasks.iter().find_map(|task| match task {
            StartedTask::DebugManager { name, client, host, hub, tls, .. } => {
                Some(Self { lpar, task: name, host: *host, client: *client, hub: *hub, tls: *tls })
            }
            StartedTask::Rsed { .. }
            | StartedTask::Server { .. }
            | StartedTask::WrongParm { .. }
            | StartedTask::Command { .. } => None,
        })
    }
}

/// The handoff that failed in this way, and the Debug Manager of its job.
pub(super) fn handoff(case: &Case, symptom: Symptom) -> Option<(&Handoff, DebugManager<'_>)> {
    let handoff = case.failure.handoff.as_deref().filter(|_| case.failure.symptom == symptom)?;
    Some((handoff, DebugManager::on(case.sysplex.lpar_named(&handoff.on)?)?))
}

/// The event, as a line of `events.jsonl` says it.
pub(super) fn line(event: &Event) -> String {
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

/// The client speaks TLS and the CLIENT port does not, or the other way round.
fn tls_at_one_end(case: &Case) -> Option<Cause> {
    let (handoff, manager) =
        handoff(case, Symptom::EngineTurnedAway).or_else(|| handoff(case, Symptom::EngineConnectionRefused))?;
    let is_tls = |event: &&Event| match &event.what {
        What::EngineRefused { refusal, .. } => event.system == handoff.on && refusal.code == "tls",
        _ => false,
    };
    let refusal = case.events.iter().find(is_tls)?;
    let DebugManager { lpar, task, client, tls, .. } = manager;
    let (covers, remedy) = if tls {
        ("an AT-TLS rule covers", "the client debugs without TLS: let the client use TLS, or take the rule away")
    } else {
        let remedy = "the client debugs with TLS: code a rule for the CLIENT port of each system, or one for the range of all of them";
        ("no AT-TLS rule covers", remedy)
    };
    let sentence = format!("{covers} port {client}, the CLIENT port of {task} on {}, and {remedy}.", lpar.name);
    Some(Cause::new("F23", sentence).because(line(refusal)))
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

/// What a started task says why it cannot go on.
fn fatal<'c>(case: &'c Case, lpar: &Lpar, task: &str) -> Option<&'c Event> {
    let is_its =
        |event: &&Event| event.system == lpar.name && event.task == task && matches!(event.what, What::Fatal { .. });
    case.events.iter().find(is_its).filter(|_| case.failure.symptom == Symptom::TaskFailed)
}

/// A Debug Manager that could not understand its PARM, its words, and what it said.
fn wrong_parm(case: &Case) -> Option<(&Lpar, &str, &[String], &Event)> {
    case.sysplex.lpars.iter().find_map(|lpar| {
        lpar.tasks.iter().find_map(|task| match task {
            StartedTask::WrongParm { name, words } => {
                Some((lpar, name.as_str(), words.as_slice(), fatal(case, lpar, name)?))
            }
            _ => None,
        })
    })
}

/// A symbol's name stands where its value must be.
fn undefined_symbol(case: &Case) -> Option<Cause> {
    let (lpar, task, words, event) = wrong_parm(case)?;
    let word = words.iter().find(|word| word.contains('&'))?;
    let sentence = format!(
        "{task} on {} was started with `{word}`: the system symbol was not defined at that time, so it ended; start what defines it \
         (EQADVIPA) before {task}, or define it in IEASYMxx.",
        lpar.name
    );
    Some(Cause::new("F08", sentence).because(line(event)))
}

/// The CLIENT port is no number, or is taken by another port of the same Debug Manager.
fn no_port(case: &Case) -> Option<Cause> {
    let remedy = "give it a port of its own, by a symbol that is numeric, unique, and neither 36 nor 37 behind 53";
    if let Some((lpar, task, words, event)) = wrong_parm(case) {
        let client = words.get(1).filter(|client| !client.contains('&') && client.parse::<u16>().is_err())?;
        let sentence =
            format!("CLIENT of {task} on {} is `{client}`, which is no port, so {task} ended: {remedy}.", lpar.name);
        return Some(Cause::new("F07", sentence).because(line(event)));
    }
    case.sysplex.lpars.iter().find_map(|lpar| {
        let manager = DebugManager::on(lpar)?;
        let event = fatal(case, lpar, manager.task)?;
        let (client, hubport) = (manager.client, manager.hub.map(|hub| hub.port()));
        let other =
            if client == manager.host { "HOST" } else { hubport.filter(|port| *port == client).map(|_| "HUBPORT")? };
        let sentence = format!(
            "CLIENT of {} on {} is {client}, which is its {other} port already, so it ended: {remedy}.",
            manager.task, lpar.name
        );
        Some(Cause::new("F07", sentence).because(line(event)))
    })
}

/// The job's debugger found a name/token pair, and nobody listens on the port in it.
fn stale_pair(case: &Case) -> Option<Cause> {
    let (handoff, manager) = handoff(case, Symptom::JobFailed)?;
    let on = |event: &&Event| event.system == handoff.on;
    let job = case.events.iter().find(|event| {
        let found = |reason: &str| reason.starts_with("HOST port") && reason.contains("of the name/token pair");
        event.task == handoff.job && matches!(&event.what, What::JobEnded { reason, .. } if found(reason))
    })?;
    let pair = case.events.iter().rev().filter(on);
    let pair =
        pair.clone().find(|event| matches!(event.what, What::NameTokenCreated { .. } | What::NameTokenDeleted {}))?;
    let What::NameTokenCreated { host_port } = pair.what else { return None };
    let listens = case.listeners.get(&handoff.on)?.iter().any(|socket| socket.local.port() == host_port);
    let sentence = format!(
        "the name/token pair on {} still has HOST port {host_port} of a {} that has ended, so {} found it and could not connect: start \
         {} again with the same HOST port.",
        handoff.on, manager.task, handoff.job, manager.task
    );
    let nobody = format!("sockets of {}: nobody listens on port {host_port}", handoff.on);
    (!listens).then(|| Cause::new("F20", sentence).because(line(pair)).because(line(job)).because(nobody))
}

/// The engine was turned away by the right Debug Manager, because of its token.
fn wrong_token(case: &Case) -> Option<Cause> {
    let (handoff, manager) = handoff(case, Symptom::EngineTurnedAway)?;
    // The last refusal: sessions before this one may have had their own.
    let refusal = case.events.iter().rev().find(|event| matches!(event.what, What::EngineRefused { .. }))?;
    let What::EngineRefused { refusal: why, .. } = &refusal.what else { return None };
    let sentence = format!(
        "the client of {} reached {} on {}, where {} waits, and presented a token that is not, or not any more, that of the session: \
         start the session anew; if it happens always, look for what repeats connections on the way.",
        handoff.user, manager.task, handoff.on, handoff.job
    );
    let is_so = refusal.system == handoff.on && why.code == "bad_token";
    is_so.then(|| Cause::new("F22", sentence).because(line(refusal)))
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use evidence::{Refusal, TcpSocket, TcpState};

    use super::*;
    use crate::run::diagnose::diagnose;
    use crate::run::diagnose::sample::{case, event};

    fn code(case: &Case) -> Option<String> {
        diagnose(case).map(|cause| cause.code)
    }

    fn parm(case: &mut Case, words: [&str; 2]) {
        let words = words.map(str::to_owned).to_vec();
        case.sysplex.lpars[1].tasks[0] = StartedTask::WrongParm { name: "DBGMGR".into(), words };
    }

    #[test]
    fn a_debug_manager_that_ends_at_its_start() {
        let said = event("LPAR2", What::Fatal { reason: "CLIENT".into() });
        let failed = |words: [&str; 2]| {
            let mut case = case(Symptom::TaskFailed, std::slice::from_ref(&said));
            parm(&mut case, words);
            code(&case)
        };
        assert_eq!(failed(["5336", "533B"]).as_deref(), Some("F07"));
        assert_eq!(failed(["5336", "&EQADBM"]).as_deref(), Some("F08"));
        let mut silent = case(Symptom::TaskFailed, &[]);
        parm(&mut silent, ["5336", "533B"]);
        assert_eq!(code(&silent), None, "it said nothing");
        let of_ports = |changed: u16| {
            let mut case = case(Symptom::TaskFailed, std::slice::from_ref(&said));
            if let StartedTask::DebugManager { client, .. } = &mut case.sysplex.lpars[1].tasks[0] {
                *client = changed;
            }
            code(&case)
        };
        assert_eq!(of_ports(5336).as_deref(), Some("F07"), "HOST");
        assert_eq!(of_ports(5337).as_deref(), Some("F07"), "HUBPORT");
        assert_eq!(of_ports(5335), None, "it failed of something else");
    }

    #[test]
    fn a_pair_that_outlives_its_debug_manager() {
        let ended = |reason: &str| {
            let what = What::JobEnded { how: "no_debug_manager".into(), reason: reason.into() };
            Event { task: "EQATST".into(), ..event("LPAR2", what) }
        };
        let refused = "HOST port 5336 of the name/token pair: Connection refused (os error 111)";
        let created = || event("LPAR2", What::NameTokenCreated { host_port: 5336 });
        let with = |events: &[Event], listening: u16| {
            let mut case = case(Symptom::JobFailed, events);
            let at = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
            let (local, peer, state) = (at(listening), at(0), TcpState::Listen);
            let socket = TcpSocket { state, local, peer, inode: 1, waiting: 0, backlog: 1 };
            case.listeners.insert("LPAR2".into(), vec![socket]);
            code(&case)
        };
        assert_eq!(with(&[created(), ended(refused)], 5335).as_deref(), Some("F20"));
        assert_eq!(with(&[created(), ended(refused)], 5336), None, "somebody listens");
        let deleted = event("LPAR2", What::NameTokenDeleted {});
        assert_eq!(with(&[created(), deleted, ended(refused)], 5335), None, "the pair went with it");
        let none = "there is no name/token pair EQADBMGRPORTPAIR on this system (IEANTRT return code 4)";
        assert_eq!(with(&[created(), ended(none)], 5335), None, "Debug Manager does not run");
    }

    #[test]
    fn an_engine_with_a_wrong_token() {
        let refused = |system: &str, code: &str| {
            let refusal = Refusal { code: code.into(), reason: "x".into() };
            let peer = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 10, 10, 101)), 4000);
            event(system, What::EngineRefused { peer, session: None, refusal })
        };
        let of = |event: Event| code(&case(Symptom::EngineTurnedAway, &[event]));
        assert_eq!(of(refused("LPAR2", "bad_token")).as_deref(), Some("F22"));
        assert_eq!(of(refused("LPAR2", "unknown_session")), None);
        assert_eq!(of(refused("LPAR1", "unknown_session")), None, "the ports differ, so it is not F02 either");
        assert_eq!(of(refused("LPAR1", "bad_token")), None);
    }
}
