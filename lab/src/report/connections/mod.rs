//! Every connection to a DVIPA from three vantage points: the client, the distributor and the target. They must agree on where it
//! is, and on how many packets went there. Pure.
//!
//! The client's word is what the other end told it; the distributor's is its connection routing table, or, when the entry was gone
//! before anybody looked, whether its packets were forwarded; the target's is its kernel's socket, or its SYN-ACK.

mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use evidence::{Direction, What};

use super::record::Flow;
use super::run_dir::Run;
use crate::plex::{LAN, XCF};
pub(super) use table::{section, tally};

/// Both ends: the client's and the DVIPA's.
type Ends = (SocketAddr, SocketAddr);

/// What the three say of one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Views {
    /// What it is for: `rsed`, `engine`, or the name of the calls.
    pub(super) what: String,
    /// When it was first heard of, `CLOCK_MONOTONIC`.
    pub(super) t_ns: u64,
    /// The systems that answered, as the client was told.
    pub(super) client: BTreeSet<String>,
    /// The client says that it has the connection.
    pub(super) connected: bool,
    /// The systems that the distributor's table names.
    pub(super) table: BTreeSet<String>,
    /// Systems with the DVIPA at whose LAN interface its packets came in.
    pub(super) arrived: BTreeSet<String>,
    /// Systems that forwarded its packets.
    pub(super) forwarded: BTreeSet<String>,
    /// The systems that hold its socket, or answered its SYN.
    pub(super) target: BTreeSet<String>,
    /// Who holds the socket.
    pub(super) holders: BTreeSet<String>,
    /// Packets from the client that were sent on over XCF, and those that came out of it.
    pub(super) sent: u64,
    pub(super) received: u64,
}

/// Do the three agree?
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Agreement {
    /// They contradict each other, in words.
    No(String),
    /// They do not contradict each other, but not all three say something.
    Partly(&'static str),
    /// All three say the same.
    Yes,
}

impl Views {
    /// The systems that the distributor sends it to, as far as its evidence says.
    pub(super) fn distributor(&self) -> BTreeSet<String> {
        // A switch that does not know an address yet sends to all: who only heard of it is not known to have it.
        let kept = self.table.is_empty() && self.forwarded.is_empty() && self.arrived.len() == 1;
        if kept { self.arrived.clone() } else { self.table.clone() }
    }

    /// Compares the three.
    pub(super) fn agreement(&self) -> Agreement {
        let distributor = self.distributor();
        let said = [("client", &self.client), ("distributor", &distributor), ("target", &self.target)];
        let spoken: Vec<_> = said.iter().filter(|(_, systems)| !systems.is_empty()).collect();
        for pair in spoken.windows(2) {
            if pair[0].1 != pair[1].1 {
                let list = |systems: &BTreeSet<String>| systems.iter().cloned().collect::<Vec<_>>().join(" and ");
                let [(a, of_a), (b, of_b)] = [pair[0], pair[1]];
                return Agreement::No(format!("the {a} says {}, the {b} {}", list(of_a), list(of_b)));
            }
        }
        let stayed = self.table.is_empty() && !self.forwarded.is_empty() && self.forwarded == self.target;
        if stayed {
            return Agreement::No("it was forwarded, and answered by the one that forwarded it".to_owned());
        }
        if self.sent != self.received {
            return Agreement::No(format!("{} packets were sent over XCF, {} came", self.sent, self.received));
        }
        match () {
            () if self.client.is_empty() && !self.connected => Agreement::Partly("the client says nothing of it"),
            () if distributor.is_empty() && self.forwarded.is_empty() => {
                Agreement::Partly("the distributor was not asked in time")
            }
            () if self.target.is_empty() => Agreement::Partly("no target shows it"),
            () => Agreement::Yes,
        }
    }
}

/// All connections to a DVIPA, by their ends.
pub(super) fn of(run: &Run) -> BTreeMap<Ends, Views> {
    let mut all: BTreeMap<Ends, Views> = BTreeMap::new();
    by_events(run, &mut all);
    for picture in &run.record.pictures {
        for socket in &picture.sockets {
            let views = all.entry((socket.peer, socket.local)).or_default();
            views.target.insert(socket.system.clone());
            views.holders.extend(socket.holders.iter().cloned());
        }
        for entry in &picture.vcrt {
            all.entry((entry.client, entry.dvipa)).or_default().table.insert(entry.target.clone());
        }
    }
    // The last picture has all that was captured.
    if let Some(picture) = run.record.pictures.last() {
        by_flows(run, &picture.flows, &mut all);
    }
    // A connection that OPTLOCAL keeps has one address at both ends, and no distributor.
    all.retain(|(client, dvipa), _| client.ip() != dvipa.ip() && is_dvipa(run, dvipa));
    all
}

fn is_dvipa(run: &Run, end: &SocketAddr) -> bool {
    let ip = end.ip().to_string();
    run.record.plan.dvipas.iter().any(|dvipa| dvipa.address == ip)
}

fn by_events(run: &Run, all: &mut BTreeMap<Ends, Views>) {
    // Which connection a session has, and which is a user's logon.
    let mut sessions: BTreeMap<&str, Ends> = BTreeMap::new();
    for event in run.known() {
        if let What::SocketTaken { session, peer, local } = &event.what {
            sessions.insert(session, (*peer, *local));
        }
    }
    let mut logons: BTreeMap<&str, Vec<Ends>> = BTreeMap::new();
    for event in run.known() {
        let (ends, what, on) = match &event.what {
            What::Connected { what, local, peer } => {
                // A try with TLS before it is no part of the logon.
                if matches!(what.as_str(), "rsed" | "rse_server") {
                    logons.entry(&event.task).or_default().push((*local, *peer));
                }
                ((*local, *peer), what.as_str(), None)
            }
            What::Answered { call, local, peer, on, .. } => ((*local, *peer), call.as_str(), Some(on)),
            What::LoggedOn { on, .. } => {
                for ends in logons.remove(event.task.as_str()).unwrap_or_default() {
                    all.entry(ends).or_default().client.insert(on.clone());
                }
                continue;
            }
            What::DebuggerAnswered { session, job_system, .. } => match sessions.get(session.as_str()) {
                Some(&ends) => (ends, "engine", Some(job_system)),
                None => continue,
            },
            _ => continue,
        };
        let views = all.entry(ends).or_default();
        views.connected = true;
        if views.what.is_empty() {
            (views.what, views.t_ns) = (what.to_owned(), event.t_ns);
        }
        views.client.extend(on.cloned());
    }
}

fn by_flows(run: &Run, flows: &[Flow], all: &mut BTreeMap<Ends, Views>) {
    // An LPAR may be the client itself: what it sends on XCF to the owner cannot be told from what is forwarded.
    let is_own = |end: &SocketAddr| {
        let ip = end.ip().to_string();
        run.record.plan.lpars.iter().any(|lpar| lpar.home == ip || lpar.xcf == ip)
    };
    for Flow { key, seen } in flows {
        if seen.syn_ack > 0 && key.direction == Direction::Out {
            let views = all.entry((key.destination, key.source)).or_default();
            views.target.insert(key.system.clone());
        }
        if !is_dvipa(run, &key.destination) || is_own(&key.source) {
            continue;
        }
        let views = all.entry((key.source, key.destination)).or_default();
        if views.t_ns == 0 {
            views.t_ns = seen.first_ns;
        }
        match key.direction {
            Direction::Out => {
                views.forwarded.insert(key.system.clone());
                views.sent += if key.interface == XCF { seen.packets } else { 0 };
            }
            Direction::In if key.interface == LAN => drop(views.arrived.insert(key.system.clone())),
            Direction::In => views.received += if key.interface == XCF { seen.packets } else { 0 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn views(client: &[&str], table: &[&str], target: &[&str]) -> Views {
        let set = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Views { client: set(client), table: set(table), target: set(target), connected: true, ..Views::default() }
    }

    #[test]
    fn three_who_say_the_same_agree() {
        assert_eq!(views(&["B"], &["B"], &["B"]).agreement(), Agreement::Yes);
    }

    #[test]
    fn any_two_who_differ_do_not() {
        for differ in [views(&["A"], &["B"], &["B"]), views(&["B"], &["A"], &["B"]), views(&["B"], &["B"], &["A"])] {
            assert!(matches!(differ.agreement(), Agreement::No(_)), "{differ:?}");
        }
        let Agreement::No(why) = views(&["B"], &[], &["A"]).agreement() else { panic!("they differ") };
        assert_eq!(why, "the client says B, the target A");
    }

    #[test]
    fn packets_that_were_lost_on_the_way_are_a_disagreement() {
        let mut lost = views(&["B"], &["B"], &["B"]);
        (lost.sent, lost.received) = (16, 15);
        assert_eq!(lost.agreement(), Agreement::No("16 packets were sent over XCF, 15 came".into()));
        lost.received = 16;
        assert_eq!(lost.agreement(), Agreement::Yes);
    }

    #[test]
    fn who_says_nothing_is_named() {
        assert_eq!(views(&["B"], &[], &["B"]).agreement(), Agreement::Partly("the distributor was not asked in time"));
        assert_eq!(views(&["B"], &["B"], &[]).agreement(), Agreement::Partly("no target shows it"));
    }

    #[test]
    fn without_an_entry_the_owner_that_forwarded_nothing_kept_it() {
        let mut kept = views(&["A"], &[], &["A"]);
        kept.arrived.insert("A".into());
        assert_eq!(kept.agreement(), Agreement::Yes);
        let mut forwarded = views(&[], &[], &["A"]);
        forwarded.forwarded.insert("A".into());
        assert!(matches!(forwarded.agreement(), Agreement::No(_)));
    }
}
