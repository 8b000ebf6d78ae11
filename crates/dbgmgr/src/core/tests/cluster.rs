//! Several Debug Managers, wired together without a kernel.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};

use evidence::HubState;

use super::*;

/// The systems of a sysplex, by position; their hub links are queues.
pub(super) struct Cluster {
    pub(super) nodes: Vec<World>,
    /// The system that owns 9.9.9.1, if one does; 9.9.9.2 is the second system's, and so on.
    pub(super) owner: Option<usize>,
    /// Others who hold 9.9.9.1 as well; who dials it gets one after the other.
    pub(super) also: BTreeSet<usize>,
    /// Systems that reach nobody, and nobody reaches them.
    cut_off: BTreeSet<usize>,
    turn: usize,
    wires: BTreeMap<(usize, ConnId), (usize, ConnId)>,
    seen: Vec<usize>,
}

fn node(n: usize) -> World {
    let mut settings = settings(&format!("LPAR{}", n + 1));
    settings.hub = Some(([9, 9, 9, 1], 5337).into());
    settings.client_port = 5334 + n as u16;
    World::new(settings)
}

impl Cluster {
    /// `count` systems LPAR1, LPAR2, ...; the first owns HUBIP.
    pub(super) fn new(count: usize) -> Self {
        let nodes = (0..count).map(node).collect();
        let mut cluster = Self::none_started(nodes, count);
        for n in 0..count {
            cluster.nodes[n].feed(Input::Start);
            cluster.settle();
        }
        cluster
    }

    fn none_started(nodes: Vec<World>, count: usize) -> Self {
        let (also, cut_off, wires) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
        Self { nodes, owner: Some(0), also, cut_off, turn: 0, wires, seen: vec![0; count] }
    }

    /// As `new`, but all systems hold 9.9.9.1 that `also` names.
    pub(super) fn with_holders(count: usize, also: &[usize]) -> Self {
        let mut cluster = Self::none_started((0..count).map(node).collect(), count);
        cluster.also = also.iter().copied().collect();
        for n in 0..count {
            cluster.nodes[n].feed(Input::Start);
            cluster.settle();
        }
        cluster
    }

    pub(super) fn roles(&self) -> Vec<HubState> {
        self.nodes.iter().map(|w| w.manager.hub.state).collect()
    }

    /// Carries out what was said on the hub links until nothing more is said.
    pub(super) fn settle(&mut self) {
        loop {
            let mut todo = VecDeque::new();
            for (n, world) in self.nodes.iter().enumerate() {
                todo.extend(world.log[self.seen[n]..].iter().cloned().map(|o| (n, o)));
                self.seen[n] = world.log.len();
            }
            if todo.is_empty() {
                return;
            }
            for (n, output) in todo {
                self.carry_out(n, output);
            }
        }
    }

    /// Who holds an address.
    fn holders(&self, ip: IpAddr) -> Vec<usize> {
        let IpAddr::V4(ip) = ip else { return Vec::new() };
        match usize::from(ip.octets()[3]) {
            1 => self.owner.into_iter().chain(self.also.iter().copied()).collect(),
            n => Some(n - 1).filter(|n| *n < self.nodes.len()).into_iter().collect(),
        }
    }

    fn holding(&self, n: usize, ip: IpAddr) -> Holding {
        match self.holders(ip).contains(&n) {
            true if self.also.is_empty() => Holding::Own,
            true => Holding::Virtual,
            false => Holding::Gone,
        }
    }

    /// Whom system `n` gets when it dials a place, and its own number of the connection.
    fn dial(&mut self, n: usize, hub: SocketAddr) -> Option<ConnId> {
        let holders = self.holders(hub.ip());
        self.turn += 1;
        let owner = *holders.get(self.turn % holders.len().max(1))?;
        let cut_off = self.cut_off.contains(&n) || self.cut_off.contains(&owner);
        if cut_off || holders.contains(&n) || !self.is_primary_at(owner, hub) {
            return None;
        }
        let here = self.nodes[n].next_conn();
        let there = self.nodes[owner].open(Port::Hub);
        self.wires.insert((n, here), (owner, there));
        self.wires.insert((owner, there), (n, here));
        Some(here)
    }

    fn is_primary_at(&self, n: usize, hub: SocketAddr) -> bool {
        let manager = &self.nodes[n].manager;
        manager.hub.state == HubState::Primary && manager.settings.hub == Some(hub)
    }

    fn carry_out(&mut self, n: usize, output: Output) {
        match output {
            // As the shell does, nothing is reported of an attempt that was given up.
            Output::BindHub(hub) | Output::ConnectHub(hub) if self.nodes[n].manager.settings.hub != Some(hub) => {}
            Output::BindHub(hub) => {
                let holding = self.holding(n, hub.ip());
                self.nodes[n].feed(Input::HubAddress(holding));
                let result = if holding == Holding::Gone { Err("not here".to_owned()) } else { Ok(()) };
                self.nodes[n].feed(Input::HubBound(result));
            }
            Output::LookAtHub(ip) => {
                let holding = self.holding(n, ip);
                self.nodes[n].feed(Input::HubAddress(holding));
            }
            Output::CallHub(place) => {
                if let Some(conn) = self.dial(n, place) {
                    let ends = Some(Ends { peer: place, local: ([9, 9, 9, 99], 1).into() });
                    self.nodes[n].feed(Input::Opened { conn, port: Port::Call, ends });
                }
            }
            Output::ConnectHub(hub) => match self.dial(n, hub) {
                Some(here) => {
                    self.nodes[n].feed(Input::Opened { conn: here, port: Port::Upstream, ends: None });
                }
                None => {
                    self.nodes[n].feed(Input::HubUnreachable("no answer".to_owned()));
                }
            },
            Output::Send { conn, reply } => {
                if let Some(&(to, conn)) = self.wires.get(&(n, conn)) {
                    let message = match reply {
                        Reply::Hello(hello) => Message::Hello(hello),
                        Reply::Hub(message) => Message::Hub(message),
                        reply => panic!("{reply:?} on a hub link"),
                    };
                    self.nodes[to].tell(conn, message);
                }
            }
            Output::Close(conn) => self.cut(n, conn),
            _ => {}
        }
    }

    /// A hub link ends.
    fn cut(&mut self, n: usize, conn: ConnId) {
        if let Some((to, there)) = self.wires.remove(&(n, conn)) {
            self.wires.remove(&(to, there));
            self.nodes[to].hang_up(there);
            self.nodes[n].hang_up(conn);
        }
    }

    /// All hub links of a system end.
    pub(super) fn isolate(&mut self, n: usize) {
        let links: Vec<_> = self.wires.keys().filter(|(node, _)| *node == n).copied().collect();
        for (n, conn) in links {
            self.cut(n, conn);
        }
        self.settle();
    }

    /// A system goes down without a word and comes up again, knowing nothing.
    pub(super) fn restart(&mut self, n: usize) {
        let now = self.nodes[n].now;
        self.isolate(n);
        self.nodes[n] = node(n);
        self.nodes[n].now = now;
        self.seen[n] = 0;
        self.nodes[n].feed(Input::Start);
        self.settle();
    }

    /// A system is cut off: its links are still there at both ends, and nothing goes over them any more.
    pub(super) fn cut_off(&mut self, n: usize) {
        self.wires.retain(|from, to| from.0 != n && to.0 != n);
        self.unreachable(n);
    }

    /// What a system dials from now on does not answer, and nobody reaches it.
    pub(super) fn unreachable(&mut self, n: usize) {
        self.cut_off.insert(n);
    }

    /// Nobody is cut off any more.
    pub(super) fn heal(&mut self) {
        self.cut_off.clear();
    }

    /// A session crosses the hub from system to system.
    pub(super) fn crosses(&mut self, from: usize, to: usize) {
        let name = format!("U{from}{to}");
        let miner = self.nodes[to].miner(&name);
        self.settle();
        self.nodes[from].job(&name);
        self.settle();
        assert_eq!(self.nodes[to].notices(miner).len(), 1, "from {from} to {to}");
    }

    pub(super) fn pass(&mut self, ns: u64) {
        let end = self.nodes[0].now + ns;
        loop {
            let next = self.nodes.iter().filter_map(|w| w.manager.deadline()).min().filter(|at| *at <= end);
            let now = next.unwrap_or(end);
            for world in &mut self.nodes {
                world.now = now.max(world.now);
                world.feed(Input::Tick);
            }
            self.settle();
            if next.is_none() {
                return;
            }
        }
    }
}
