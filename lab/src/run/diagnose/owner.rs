//! Causes that are in who owns a DVIPA: nobody does, or its owner has just changed.

use std::net::IpAddr;

use evidence::{Event, What};
use sysplex::{Dvipa, Ports};

use super::debug_manager::line;
use super::distribution::{Dialled, dialled, listeners, row_line};
use super::{Case, Cause, Rule};

pub(super) const RULES: &[Rule] = &[plain_backup, old_path, unknown_listeners];

/// A backup that is up and may own the DVIPA, and nobody owns it: a plain VIPABACKUP does not activate.
fn plain_backup(case: &Case) -> Option<Cause> {
    let Dialled { to, dvipa, event, .. } = dialled(case)?;
    let status = case.group.status.get(&to.ip().to_string()).filter(|_| owner(case, to.ip()).is_none())?;
    let is_plain = !dvipa.backups.is_empty() && dvipa.backups.iter().all(|backup| backup.activates.is_none());
    let waits = dvipa.backups.iter().filter_map(|backup| case.sysplex.lpar(backup.lpar));
    let waiting = waits.map(|lpar| &lpar.name).find(|name| status.get(*name).is_some_and(|is| is == "Backup"))?;
    let sentence = format!(
        "{} is active nowhere: {waiting} is up and backs it up with a plain VIPABACKUP, which takes over an active DVIPA and \
         activates none: code VIPABACKUP ... MOVEABLE IMMEDIATE mask {} there, or start its owner.",
        to.ip(),
        to.ip()
    );
    let shown = format!("VIPADYN on {waiting}: {} is Backup; no system has it on the LAN", to.ip());
    is_plain.then(|| Cause::new("F24", sentence).because(shown).because_of(event))
}

/// The DVIPA has moved, and a client that reached the owner before does not reach the new one.
fn old_path(case: &Case) -> Option<Cause> {
    let Dialled { to, event, how, .. } = dialled(case)?;
    let (event, owner) = (event.filter(|_| how != "refused")?, owner(case, to.ip())?);
    let takeover = taken_over(case, owner, to.ip())?;
    let client: IpAddr = case.sysplex.workstations.iter().find(|one| one.name == event.system)?.address.into();
    // A flow that nobody noted is none only when all were noted.
    let reached = |system: &str| {
        let is_it = |key: &evidence::FlowKey| {
            key.system == *system
                && key.interface == crate::plex::LAN
                && key.direction == evidence::Direction::In
                && (key.source.ip(), key.destination.ip()) == (client, to.ip())
        };
        case.carried.iter().find(|flow| is_it(&flow.key))
    };
    let others = case.sysplex.lpars.iter().filter(|lpar| lpar.name != *owner);
    let before = others.filter_map(|lpar| reached(&lpar.name)).max_by_key(|flow| flow.seen.last_ns)?;
    let is_old = case.capture_is_complete() && reached(owner).is_none();
    let sentence = format!(
        "{} has moved to {owner}, and nothing that {} says to it arrives there: a router on the way still sends to {}, which had \
         it before; wait until its dead interval is over, shorten it, and let nothing filter gratuitous ARP.",
        to.ip(),
        event.system,
        before.key.system
    );
    let shown = format!(
        "capture: from {client} to {}: the last packet in on {} {}; none on {owner}",
        to.ip(),
        before.key.system,
        before.key.interface
    );
    is_old.then(|| Cause::new("F25", sentence).because(line(takeover)).because(shown).because(line(event)))
}

/// A dynamic port that is bound at the DVIPA on a target, and that the new owner does not know.
fn unknown_listeners(case: &Case) -> Option<Cause> {
    let Dialled { to, dvipa, how, event } = dialled(case)?;
    let is_dynamic = dvipa.distribute.iter().any(|statement| statement.ports == Ports::Dynamic);
    let is_listed = dvipa.distribute.iter().any(|statement| statement.lists(to.port()));
    let owner = owner(case, to.ip()).filter(|_| how == "refused" && is_dynamic && !is_listed)?;
    let takeover = taken_over(case, owner, to.ip())?;
    let bound = |name: &&String| listeners(case, name).any(|socket| socket.local == to);
    let quiesced = |name: &String| {
        case.group.quiesced.get(name).is_some_and(|quiesced| quiesced.target || quiesced.ports.contains(&to.port()))
    };
    let target = targets(case, dvipa).find(|name| bound(name) && !quiesced(name))?;
    let rows: Vec<_> = case.distributed.iter().filter(|row| row.dest == to).collect();
    let sentence = format!(
        "{owner} took {} over and does not know that {target} has port {} bound at it (APAR PI08005): V TCPIP,,SYSPLEX,QUIESCE,PORT={} \
         and RESUME on {target}, apply the fix, or list the port in VIPADISTRIBUTE PORT.",
        to.ip(),
        to.port(),
        to.port()
    );
    let mut cause = Cause::new("F26", sentence).because(line(takeover));
    cause = cause.because(format!("socket: {target} listens at {to}"));
    for row in &rows {
        cause = cause.because(row_line(row));
    }
    rows.iter().all(|row| row.rdy == 0).then(|| cause.because_of(event))
}

fn targets<'c>(case: &'c Case, dvipa: &'c Dvipa) -> impl Iterator<Item = &'c String> {
    let is_target = |lpar: &&sysplex::Lpar| dvipa.has_target(lpar.index);
    case.sysplex.lpars.iter().filter(is_target).map(|lpar| &lpar.name)
}

fn owner(case: &Case, dvipa: IpAddr) -> Option<&String> {
    case.owners.get(&dvipa.to_string())
}

/// The message on the new owner's console.
fn taken_over<'c>(case: &'c Case, owner: &str, dvipa: IpAddr) -> Option<&'c Event> {
    let begin = format!("EZZ8301I VIPA {dvipa} ");
    case.events.iter().rev().find(|event| match &event.what {
        What::Console { text } => event.system == owner && text.starts_with(&begin),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use evidence::{TcpSocket, TcpState};
    use sysplex::Sysplex;

    use super::*;
    use crate::run::diagnose::diagnose;
    use crate::run::diagnose::distribution::tests::{carry, failed};
    use crate::run::diagnose::sample::{case, event};
    use crate::scenario::Symptom;

    const RSED: &str = "10.10.10.1:4035";

    /// LPAR2 backs up the DVIPA of LPAR1, which is gone; the logon failed in this way.
    fn gone(how: &str, backup: &str) -> Case {
        let mut case = case(Symptom::LogonFailed, &[failed("rsed", RSED, how)]);
        let more = format!(
            "[[lpar]]\nname = \"LPAR1\"\n[[lpar]]\nname = \"LPAR2\"\n[[dvipa]]\naddress = \"10.10.10.1\"\nowner = \"LPAR1\"\n\
             [[dvipa.backup]]\nlpar = \"LPAR2\"\n{backup}[[dvipa.distribute]]\nports = [4035]\ntargets = [\"ALL\"]\n\
             [[workstation]]\nname = \"WS1\"\n"
        );
        case.sysplex = Sysplex::from_toml(&more).expect("a sysplex");
        case.failure.handoff = None;
        case.failure.dialled = RSED.parse().ok();
        let status = [("LPAR2".to_owned(), "Backup".to_owned())].into();
        case.group.status = [("10.10.10.1".to_owned(), status)].into();
        case
    }

    fn code(case: &Case) -> Option<String> {
        diagnose(case).map(|cause| cause.code)
    }

    #[test]
    fn a_plain_backup_activates_nothing() {
        let f24 = Some("F24".to_owned());
        assert_eq!(code(&gone("other", "")), f24);
        assert_eq!(code(&gone("other", "moveable = \"IMMEDIATE\"\n")), None, "it does not, for another reason");
        let mut deactivated = gone("other", "");
        deactivated.group.status.clear();
        assert_eq!(code(&deactivated), None, "nobody is there who could");
        let mut owned = gone("other", "");
        owned.owners.insert("10.10.10.1".into(), "LPAR2".into());
        assert_eq!(code(&owned), None);
    }

    #[test]
    fn a_router_keeps_its_path() {
        let mut moved = gone("timed_out", "");
        moved.owners.insert("10.10.10.1".into(), "LPAR2".into());
        let text = "EZZ8301I VIPA 10.10.10.1 TAKEN OVER FROM TCPIP ON LPAR1".to_owned();
        moved.events.push(event("LPAR2", What::Console { text }));
        assert_eq!(code(&moved), None, "the client never reached the old owner either: a firewall, say");
        carry(&mut moved, ("LPAR1", crate::plex::LAN), RSED, 900);
        assert_eq!(code(&moved), Some("F25".to_owned()));
        let mut arrives = moved.clone();
        carry(&mut arrives, ("LPAR2", crate::plex::LAN), RSED, 0);
        assert_eq!(code(&arrives), None, "it arrives, and is not answered for another reason");
        let mut lossy = moved.clone();
        lossy.missing.push("the capture is not complete: 3 packets were not handed over in time".into());
        assert_eq!(code(&lossy), None, "what was not seen may have been there");
        moved.events.retain(|event| !matches!(event.what, What::Console { .. }));
        assert_eq!(code(&moved), None, "no takeover");
    }

    #[test]
    fn a_new_owner_does_not_know_a_dynamic_port() {
        let to: SocketAddr = "10.10.10.1:8000".parse().expect("an address");
        let mut unknown = gone("refused", "");
        unknown.failure.symptom = Symptom::CallsFailed;
        unknown.failure.dialled = Some(to);
        unknown.events = vec![event(
            "WS1",
            What::CallFailed { call: "A".into(), number: 1, how: "refused".into(), reason: String::new() },
        )];
        unknown.sysplex.dvipas[0].distribute[0].ports = Ports::Dynamic;
        unknown.owners.insert("10.10.10.1".into(), "LPAR2".into());
        let text = "EZZ8301I VIPA 10.10.10.1 TAKEN OVER FROM TCPIP ON LPAR1".to_owned();
        unknown.events.push(event("LPAR2", What::Console { text }));
        assert_eq!(code(&unknown), None, "no server");
        let peer = "0.0.0.0:0".parse().expect("an address");
        let state = TcpState::Listen;
        let socket = TcpSocket { state, local: to, peer, inode: 1, waiting: 0, backlog: 128 };
        unknown.listeners.insert("LPAR2".into(), vec![socket]);
        assert_eq!(code(&unknown), Some("F26".to_owned()));
        let mut listed = unknown.clone();
        listed.sysplex.dvipas[0].distribute[0].ports = Ports::Listed(vec![8000]);
        assert_eq!(code(&listed), None);
        unknown.events.pop();
        assert_eq!(code(&unknown), None, "no takeover");
    }
}
