//! Causes that are between a DVIPA's owner and its targets: a target that is not ready, not reached, or weighed wrongly.

use std::net::{IpAddr, SocketAddr};

use evidence::{Direction, Event, TcpSocket, What};
use sysplex::{Dvipa, Lpar};

use super::debug_manager::line;
use super::{Carried, Case, Cause, Distributed, Rule};
use crate::plex::LAN;
use crate::scenario::Symptom;

pub(super) const RULES: &[Rule] =
    &[unreachable, too_long_for_viparoute, quiesced, bound_to_its_own_address, shareport_lowers_tsr];

/// A connection to a DVIPA that did not come about, or not where or how it should.
pub(super) struct Dialled<'c> {
    pub(super) to: SocketAddr,
    pub(super) dvipa: &'c Dvipa,
    /// What the client said of it last; nothing when it was made.
    pub(super) event: Option<&'c Event>,
    /// `refused`, `timed_out`, `other`; empty when it was made.
    pub(super) how: &'c str,
}

/// What was dialled in the failed step.
pub(super) fn dialled(case: &Case) -> Option<Dialled<'_>> {
    let to = case.failure.dialled?;
    let dvipa = case.sysplex.dvipa(to.ip())?;
    let of_event = |event: &'_ Event| match &event.what {
        What::ConnectFailed { address, .. } | What::Dialling { address, .. } => *address == to,
        What::Connected { peer, .. } => *peer == to,
        What::CallFailed { .. } => case.failure.symptom == Symptom::CallsFailed,
        _ => false,
    };
    let event = case.events.iter().rev().find(|event| of_event(event));
    let how = event.map_or("", |event| match &event.what {
        What::ConnectFailed { how, .. } | What::CallFailed { how, .. } => how.as_str(),
        // It still waits.
        What::Dialling { .. } => "timed_out",
        _ => "",
    });
    let event = event.filter(|_| !how.is_empty());
    Some(Dialled { to, dvipa, event, how })
}

/// The sockets that listen on a system.
pub(super) fn listeners<'c>(case: &'c Case, system: &str) -> impl Iterator<Item = &'c TcpSocket> + use<'c> {
    case.listeners.get(system).into_iter().flatten()
}

/// The owner's rows for what was dialled; where it is about a handoff, that of the job's system.
fn rows(case: &Case, to: SocketAddr) -> Vec<&Distributed> {
    let job_on = case.failure.handoff.as_deref().map(|handoff| &handoff.on);
    let is_it = |row: &&Distributed| row.dest == to && job_on.is_none_or(|on| row.target == *on);
    case.distributed.iter().filter(is_it).collect()
}

fn lpar<'c>(case: &'c Case, row: &Distributed) -> Option<&'c Lpar> {
    case.sysplex.lpar_named(&row.target)
}

fn viparoute(case: &Case, row: &Distributed) -> Option<IpAddr> {
    case.sysplex.viparoutes.get(&lpar(case, row)?.xcf).map(|target| (*target).into())
}

/// The row as NETSTAT shows it.
pub(super) fn row_line(row: &Distributed) -> String {
    let Distributed { owner, dest, target, rdy, wlm, tsr, tcsr, total_conn } = row;
    format!("VDPT on {owner}: {dest} at {target}: Rdy {rdy}, WLM {wlm}, TSR {tsr}, TCSR {tcsr}, TotalConn {total_conn}")
}

fn flow_line(Carried { key, seen }: &Carried) -> String {
    let way = if key.direction == Direction::In { "in" } else { "out" };
    format!(
        "capture: {} {} {way}: {} > {}: {} packets, {} SYN, {} bytes",
        key.system, key.interface, key.source, key.destination, seen.packets, seen.syn, seen.payload
    )
}

/// What arrived at a system for this address, on any of its interfaces or on one.
fn arrived<'c>(
    case: &'c Case,
    system: &'c str,
    interface: Option<&'c str>,
    to: SocketAddr,
) -> impl Iterator<Item = &'c Carried> {
    case.carried.iter().filter(move |Carried { key, .. }| {
        key.system == system
            && key.direction == Direction::In
            && key.destination == to
            && interface.is_none_or(|interface| key.interface == interface)
    })
}

/// F27: the target is ready, VIPAROUTE leads to it, and nothing arrives.
fn unreachable(case: &Case) -> Option<Cause> {
    let Dialled { to, event, .. } = dialled(case)?;
    let event = event?;
    for row in rows(case, to).into_iter().filter(|row| row.target != row.owner && row.rdy > 0) {
        let Some(by) = viparoute(case, row) else { continue };
        let is_lost = |flow: &&Carried| {
            let mut there = arrived(case, &row.target, None, to);
            flow.seen.syn > 0 && !there.any(|other| other.key.source == flow.key.source)
        };
        let unanswered = arrived(case, &row.owner, Some(LAN), to).filter(|flow| !is_answered(case, flow)).find(is_lost);
        let shown = match unanswered.filter(|_| case.capture_is_complete()) {
            Some(flow) => format!("{}; nothing of it came to {}", flow_line(flow), row.target),
            None if row.tcsr == 0 => format!("{} does not reach {by}", row.owner),
            None => continue,
        };
        let sentence = format!(
            "{} is ready for {to} and cannot be reached: VIPAROUTE on {} leads to {by}, and what is sent there does not arrive: \
             name a static VIPA or home address of {}, with a route to it on every owner.",
            row.target, row.owner, row.target
        );
        return Some(Cause::new("F27", sentence).because(row_line(row)).because(shown).because(line(event)));
    }
    None
}

/// Did any system answer the SYN of this flow?
fn is_answered(case: &Case, flow: &Carried) -> bool {
    let back = (flow.key.destination, flow.key.source);
    case.carried.iter().any(|other| (other.key.source, other.key.destination) == back && other.seen.packets > 0)
}

/// F28: a conversation over VIPAROUTE of which small packets arrive and full ones do not.
fn too_long_for_viparoute(case: &Case) -> Option<Cause> {
    /// More than is ever under way in small messages: a full segment.
    const FULL: u64 = 1400;
    let broken = [Symptom::CallsFailed, Symptom::StepTimedOut, Symptom::SessionBroken].contains(&case.failure.symptom);
    let Dialled { to, .. } = dialled(case).filter(|_| broken && case.capture_is_complete())?;
    for row in rows(case, to).into_iter().filter(|row| row.target != row.owner) {
        let is_long = lpar(case, row).is_some_and(|lpar| !lpar.stack.adjusts_dvipa_mss);
        if viparoute(case, row).is_none() || !is_long {
            continue;
        }
        let stuck = arrived(case, &row.owner, Some(LAN), to).find_map(|sent| {
            let mut there = arrived(case, &row.target, None, to);
            let got = there.find(|got| got.key.source == sent.key.source)?;
            (got.seen.packets > 0 && got.seen.payload + FULL < sent.seen.payload).then_some((sent, got))
        });
        let Some((sent, got)) = stuck else { continue };
        let sentence = format!(
            "full segments from {} do not get from {} to {} over VIPAROUTE, which takes 24 bytes of each packet, while small ones \
             do, and the client is not told (ICMP type 3 code 4): GLOBALCONFIG ADJUSTDVIPAMSS AUTO or ALL on {}, or let that \
             message pass.",
            sent.key.source.ip(),
            row.owner,
            row.target,
            row.target
        );
        return Some(Cause::new("F28", sentence).because(flow_line(sent)).because(flow_line(got)));
    }
    None
}

/// F29: the servers listen, and an operator has quiesced them.
fn quiesced(case: &Case) -> Option<Cause> {
    let Dialled { to, event, how, .. } = dialled(case)?;
    let rows = rows(case, to);
    let is_quiesced = |row: &&&Distributed| {
        let found = case.group.quiesced.get(&row.target);
        found.is_some_and(|quiesced| quiesced.target || quiesced.ports.contains(&to.port()))
    };
    let ready: Vec<_> = rows.iter().filter(|row| row.rdy > 0).collect();
    let first = ready.first().filter(|_| how == "refused" && ready.iter().copied().all(|row| is_quiesced(&row)))?;
    let what =
        if case.group.quiesced.get(&first.target)?.target { "TARGET".into() } else { format!("PORT={}", to.port()) };
    let sentence = format!(
        "{} is quiesced: its server listens on {}, and new connections are kept from it: V TCPIP,,SYSPLEX,RESUME,{what} there.",
        first.target,
        to.port()
    );
    let shown = format!("operator: QUIESCE,{what} on {}, and no RESUME since", first.target);
    Some(Cause::new("F29", sentence).because(shown).because(row_line(first)).because_of(event))
}

/// F30: the server runs, and listens at another address than the DVIPA alone.
fn bound_to_its_own_address(case: &Case) -> Option<Cause> {
    let Dialled { to, event, how, .. } = dialled(case)?;
    let rows = rows(case, to);
    let nobody_is_ready = how == "refused" && rows.iter().all(|row| row.rdy == 0);
    let elsewhere = |row: &&Distributed| {
        let at_port = |socket: &&TcpSocket| socket.local.port() == to.port() && !socket.local.ip().is_unspecified();
        let socket = listeners(case, &row.target).find(at_port)?;
        Some((row.target.clone(), socket.local, row_line(row)))
    };
    let (target, at, row) = rows.iter().filter(|_| nobody_is_ready).find_map(elsewhere)?;
    let sentence = format!(
        "the server for {to} on {target} runs, and listens at {at} alone, so {target} is no ready target: bind any address or \
         the DVIPA; take BIND off the PORT statement there, or name the DVIPA in it."
    );
    let shown = format!("socket: {target} listens at {at}");
    (at.ip() != to.ip()).then(|| Cause::new("F30", sentence).because(shown).because(row).because_of(event))
}

/// F34: a target that is all right has a low TSR, and SHAREPORT for the port.
fn shareport_lowers_tsr(case: &Case) -> Option<Cause> {
    let elsewhere = [Symptom::CallsElsewhere, Symptom::LogonElsewhere].contains(&case.failure.symptom);
    let Dialled { to, .. } = dialled(case).filter(|_| elsewhere)?;
    let rows = rows(case, to);
    let is_shared = |row: &Distributed| lpar(case, row).is_some_and(|lpar| lpar.stack.shareports.contains(&to.port()));
    // A server that does not keep up has connections that wait.
    let keeps_up = |row: &Distributed| {
        let mut of_port = listeners(case, &row.target).filter(|socket| socket.local.port() == to.port());
        row.rdy > 0 && row.tcsr == 100 && of_port.all(|socket| socket.waiting == 0)
    };
    let low: Vec<&&Distributed> = rows.iter().filter(|row| row.tsr < 100).collect();
    let first = low.first().filter(|_| low.iter().all(|row| is_shared(row) && keeps_up(row)))?;
    let sentence = format!(
        "{} answers well and has TSR {} for {to}, so it gets fewer connections than its weight says: PORT {} there has SHAREPORT, \
         which lowers TSR for no reason: take SHAREPORT off a port that one server has, or apply the fix.",
        first.target,
        first.tsr,
        to.port()
    );
    let mut cause = Cause::new("F34", sentence);
    for row in &rows {
        cause = cause.because(row_line(row));
    }
    Some(cause.because(format!("socket: no connection waits to be accepted on {}", first.target)))
}

#[cfg(test)]
#[path = "distribution_tests.rs"]
pub(super) mod tests;
