//! What the kernels show, as the group wants to know it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use distributor::{Affinity, Connection, OwnerPlan, Queues, Seen, Tsr};
use evidence::{SocketView, TcpSocket, TcpState};
use sysplex::{LparIndex, Sysplex};

use netns::{Batch, Reach};

use super::Distributor;
use super::reach::{self, Way};

/// How often TSR is computed. (On z/OS about every minute; a lab is looked at for less long.)
const RESPONSIVE_EVERY: Duration = Duration::from_secs(1);

/// How late the end of the last connection may be seen, while a DVIPA waits for it.
const LATEST: Duration = Duration::from_millis(100);

/// How soon again, while there are connections in a table that had no socket.
const SUSPECTS_AGAIN: Duration = Duration::from_millis(100);

/// Clients with an open connection to a DVIPA's port.
pub(super) type Open = BTreeSet<(IpAddr, SocketAddr)>;

/// Sockets of each LPAR.
pub type Sockets = BTreeMap<LparIndex, Vec<TcpSocket>>;

/// How many connections there were, and whose.
#[derive(Clone, Debug, Default)]
pub(super) struct Counted {
    /// When that was looked at, and how long it took.
    looked: Option<(Instant, Duration)>,
    active: BTreeMap<(LparIndex, SocketAddr), u32>,
    open: Open,
}

impl Counted {
    /// Is it time to look again whether the last one has ended? Where there are few connections it always is; looking at thousands takes
    /// milliseconds, and the lab is not to spend more than a twentieth of its time on that.
    fn is_due(&self) -> bool {
        self.active.is_empty() || self.looked.is_none_or(|(at, took)| at.elapsed() >= (took * 20).min(LATEST))
    }
}

impl Distributor {
    /// Looks at all LPARs that are up. The last, all connections in any state, is for now and then only.
    pub(super) fn observe(&mut self) -> io::Result<(Seen, Open, Option<BTreeSet<Connection>>)> {
        let listeners = self.look(SocketView::listeners)?;
        let every = if self.suspects.is_empty() { RESPONSIVE_EVERY } else { SUSPECTS_AGAIN };
        let responsive = self.responsive.is_none_or(|last| last.elapsed() >= every);
        let wants = self.group.wants_connections();
        let looks = responsive || self.group.wants_connections_at_once() || (wants && self.counted.is_due());
        let began = Instant::now();
        let connections = if looks { self.look(SocketView::connections)? } else { Sockets::new() };
        let (mut tsr, mut all) = (self.group.state().tsr.clone(), None);
        if responsive {
            self.responsive = Some(Instant::now());
            all = Some(of_dvipas(&connections, |socket| self.is_distributed(socket)));
            self.look_for_targets()?;
            tsr = responsiveness(&self.sysplex, &self.group.listed_ports(), &listeners, &connections, |at, target| {
                let owner = self.group.state().owner.get(&at.ip());
                owner.is_none_or(|owner| !self.lost.contains(&(*owner, Way { target, ipv6: at.is_ipv6() })))
            });
        }
        if looks {
            let (active, open) = count(&connections, |socket| self.is_distributed(socket));
            self.counted = Counted { looked: Some((began, began.elapsed())), active, open };
        }
        let Counted { active, open, .. } = if looks || wants { self.counted.clone() } else { Counted::default() };
        let addresses = |sockets: Vec<TcpSocket>| sockets.into_iter().map(|socket| socket.local).collect();
        let listeners = listeners.into_iter().map(|(lpar, sockets)| (lpar, addresses(sockets))).collect();
        Ok((Seen { listeners, active, tsr }, open, all))
    }

    /// The connections to these DVIPAs that the targets have, for a new owner's table.
    pub(super) fn connections_to(&self, dvipas: &BTreeSet<IpAddr>) -> io::Result<Vec<Connection>> {
        // Half-open ones too; those whose client has gone are nobody's any more.
        Ok(one_for_each(self.look(SocketView::connections)?, |socket| {
            dvipas.contains(&socket.local.ip()) && !socket.stays()
        }))
    }

    /// Brings up to date which targets each owner's kernel does not reach, and has it ask for them again. A target is lost when
    /// nobody answers for its gateway, and found when somebody does.
    fn look_for_targets(&mut self) -> io::Result<()> {
        let owners: Vec<LparIndex> = self.applied.keys().copied().filter(|&lpar| self.group.is_up(lpar)).collect();
        self.lost.retain(|(owner, way)| owners.contains(owner) && self.group.is_up(way.target));
        for owner in owners {
            let Some(lpar) = self.sysplex.lpar(owner) else { continue };
            let neighbours = self.hosts.inside(&lpar.name, netns::neighbours).map_err(io::Error::other)?;
            let mut again = Batch::default();
            for gateway in reach::gateways(&self.sysplex, owner) {
                let key = (owner, gateway.way);
                match gateway.reach(&neighbours) {
                    Some(Reach::Lost) => drop(self.lost.insert(key)),
                    Some(Reach::Known) => drop(self.lost.remove(&key)),
                    Some(Reach::Asked) | None => {}
                }
                if self.lost.contains(&key) {
                    again.ask_neighbour(gateway.link, gateway.address);
                }
            }
            if !again.is_empty() {
                self.commit(&lpar.name, again).map_err(io::Error::other)?;
            }
        }
        Ok(())
    }

    fn look(&self, look: impl Fn(&SocketView) -> io::Result<Vec<TcpSocket>>) -> io::Result<Sockets> {
        let up = self.views.iter().filter(|(lpar, _)| self.group.is_up(**lpar));
        up.map(|(&lpar, view)| Ok((lpar, look(view)?))).collect()
    }

    /// Not what OPTLOCAL keeps on its LPAR.
    fn is_distributed(&self, socket: &TcpSocket) -> bool {
        self.sysplex.dvipa(socket.local.ip()).is_some() && !socket.stays()
    }
}

/// The connections of these sockets. A client may have used a port again while a target still had what is left of the connection before
/// (TIME_WAIT, or one whose end it did not hear): then the one that is established counts, and of several the latest.
fn one_for_each(sockets: Sockets, wanted: impl Fn(&TcpSocket) -> bool) -> Vec<Connection> {
    let mut found: BTreeMap<(SocketAddr, SocketAddr), ((u8, u32), LparIndex)> = BTreeMap::new();
    for (target, sockets) in sockets {
        for socket in sockets.into_iter().filter(&wanted) {
            let state = match socket.state {
                TcpState::Established => 2,
                TcpState::SynReceived => 1,
                _ => 0,
            };
            // The kernel numbers inodes as they come.
            let this = ((state, socket.inode), target);
            let best = found.entry((socket.peer, socket.local)).or_insert(this);
            *best = this.max(*best);
        }
    }
    found.into_iter().map(|((client, dvipa), (_, target))| Connection { client, dvipa, target }).collect()
}

fn of_dvipas(sockets: &Sockets, is_distributed: impl Fn(&TcpSocket) -> bool) -> BTreeSet<Connection> {
    let of_lpar = |(&target, sockets): (&LparIndex, &Vec<TcpSocket>)| {
        let all = sockets.iter().filter(|socket| is_distributed(socket));
        all.map(|socket| Connection { client: socket.peer, dvipa: socket.local, target }).collect::<Vec<_>>()
    };
    sockets.iter().flat_map(of_lpar).collect()
}

/// Connections per target and port, and per client and port.
fn count(
    sockets: &Sockets,
    is_distributed: impl Fn(&TcpSocket) -> bool,
) -> (BTreeMap<(LparIndex, SocketAddr), u32>, Open) {
    let (mut active, mut open) = (BTreeMap::new(), Open::new());
    for (&lpar, sockets) in sockets {
        let all = sockets.iter().filter(|socket| is_distributed(socket));
        for socket in all.filter(|socket| matches!(socket.state, TcpState::Established | TcpState::SynReceived)) {
            *active.entry((lpar, socket.local)).or_insert(0) += 1;
            open.insert((socket.peer.ip(), socket.local));
        }
    }
    (active, open)
}

/// The responsiveness of each target for each of these ports, from its sockets and whether the owner reaches it; who is not in
/// it is as good as can be.
pub fn responsiveness(
    sysplex: &Sysplex,
    ports: &BTreeSet<SocketAddr>,
    listeners: &Sockets,
    connections: &Sockets,
    is_reached: impl Fn(SocketAddr, LparIndex) -> bool,
) -> BTreeMap<(LparIndex, SocketAddr), Tsr> {
    let mut found = BTreeMap::new();
    for (&lpar, sockets) in listeners {
        let queued = queued(connections.get(&lpar).map(Vec::as_slice).unwrap_or_default());
        for &at in ports {
            let takes = |socket: &&TcpSocket| {
                socket.local.port() == at.port() && (socket.local.ip() == at.ip() || socket.local.ip().is_unspecified())
            };
            let Some(listener) = sockets.iter().find(takes) else { continue };
            let (half_open, established) = queued.get(&at).copied().unwrap_or_default();
            let queues = Queues { waiting: listener.waiting, most: listener.backlog, half_open, established };
            let tsr = Tsr::of(queues, is_reached(at, lpar));
            let too_low = sysplex.lowers_tsr(lpar, at.port());
            found.insert((lpar, at), if too_low { tsr.too_low() } else { tsr });
        }
    }
    found.retain(|_, tsr| *tsr != Tsr::default());
    found
}

/// Half-open and established connections of each port.
fn queued(connections: &[TcpSocket]) -> BTreeMap<SocketAddr, (u32, u32)> {
    let mut queued: BTreeMap<SocketAddr, (u32, u32)> = BTreeMap::new();
    for socket in connections {
        let (half_open, established) = queued.entry(socket.local).or_default();
        match socket.state {
            TcpState::SynReceived => *half_open += 1,
            TcpState::Established => *established += 1,
            _ => {}
        }
    }
    queued
}

/// Ports with TIMEDAFFINITY, and its time.
pub(super) fn timed_ports<'a>(plans: impl Iterator<Item = &'a OwnerPlan>) -> BTreeMap<(IpAddr, u16), Duration> {
    let ports = plans.flat_map(|plan| &plan.dvipas).flat_map(|(&address, dvipa)| {
        dvipa.ports.iter().map(move |(&port, plan)| ((address, port), plan.timed_affinity))
    });
    ports.filter(|(_, time)| !time.is_zero()).collect()
}

/// The time that an affinity is to have from now on; nothing when what it has is right. Its timer runs when it has less than it
/// has while a connection is open, and it starts when the last one has closed.
pub(super) fn timer(affinity: &Affinity, time: Duration, open: &Open) -> Option<Duration> {
    /// As long as no timer runs, an affinity has a day, less what has passed since the last connection was made.
    const HELD: Duration = Duration::from_secs(24 * 3600);
    let runs = affinity.expires <= time;
    match (open.contains(&(affinity.client, affinity.dvipa)), runs) {
        (true, true) => Some(HELD),
        (false, false) => Some(time),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_was_used_again_belongs_to_one_target() {
        let socket = |port: u16, state, inode| TcpSocket {
            state,
            local: "10.10.10.1:4035".parse().expect("an address"),
            peer: ("10.10.10.101".parse::<IpAddr>().expect("an address"), port).into(),
            inode,
            waiting: 0,
            backlog: 0,
        };
        let lpar = |number| LparIndex::new(number).expect("an index");
        let sockets = Sockets::from([
            (
                lpar(1),
                vec![socket(1, TcpState::Other, 0), socket(2, TcpState::Established, 7), socket(3, TcpState::Other, 0)],
            ),
            (lpar(2), vec![socket(1, TcpState::Established, 5), socket(2, TcpState::Established, 6)]),
            (lpar(3), vec![socket(1, TcpState::SynReceived, 0)]),
        ]);
        let found: Vec<(u16, LparIndex)> =
            one_for_each(sockets, |_| true).into_iter().map(|found| (found.client.port(), found.target)).collect();
        assert_eq!(found, [(1, lpar(2)), (2, lpar(1)), (3, lpar(1))]);
    }

    #[test]
    fn what_takes_long_is_looked_at_less_often() {
        let took = |ms| {
            let looked =
                Instant::now().checked_sub(Duration::from_millis(40)).map(|at| (at, Duration::from_millis(ms)));
            let at = "10.10.10.1:4035".parse().expect("an address");
            Counted { looked, active: [((LparIndex::new(1).expect("an index"), at), 1)].into(), open: Open::new() }
        };
        assert!(Counted::default().is_due() && took(0).is_due() && took(1).is_due());
        assert!(!took(4).is_due() && !took(9000).is_due(), "the more of them, the later; but not too late");
        assert!(Counted { active: BTreeMap::new(), ..took(4) }.is_due(), "nobody is sure that none has come");
    }

    #[test]
    fn the_timer_starts_after_the_last_close_and_a_new_connection_stops_it() {
        let dvipa = "10.10.10.1:4035".parse().expect("an address");
        let client = "10.10.10.101".parse().expect("an address");
        let target = LparIndex::new(1).expect("an LPAR");
        let affinity = |seconds| Affinity { client, dvipa, target, expires: Duration::from_secs(seconds) };
        let (time, open) = (Duration::from_secs(30), Open::from([(client, dvipa)]));
        assert_eq!(timer(&affinity(86_399), time, &open), None, "held");
        assert_eq!(timer(&affinity(86_399), time, &Open::new()), Some(time), "the last one has closed");
        assert_eq!(timer(&affinity(29), time, &Open::new()), None, "it runs");
        assert_eq!(timer(&affinity(3), time, &open), Some(Duration::from_secs(86_400)), "a new one within it");
    }
}
