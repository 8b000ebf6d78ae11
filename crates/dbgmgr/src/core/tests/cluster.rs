//! Several Debug Managers, wired together without a kernel.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use evidence::HubState;

use super::*;

/// The systems of a sysplex, by position; their hub links are queues.
pub(super) struct Cluster {
    pub(super) nodes: Vec<World>,
    /// The system that owns 9.9.9.1, if one does; 9.9.9.2 is the second system's, and so on.
    pub(super) owner: Option<usize>,
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
        let mut cluster = Self { nodes, owner: Some(0), wires: BTreeMap::new(), seen: vec![0; count] };
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

    fn owner_of(&self, hub: SocketAddr) -> Option<usize> {
        let IpAddr::V4(ip) = hub.ip() else { return None };
        match usize::from(ip.octets()[3]) {
            1 => self.owner,
            n => Some(n - 1).filter(|n| *n < self.nodes.len()),
        }
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
                let result = if self.owner_of(hub) == Some(n) { Ok(()) } else { Err("not here".to_owned()) };
                self.nodes[n].feed(Input::HubBound(result));
            }
            Output::ConnectHub(hub) => match self.owner_of(hub).filter(|&o| self.is_primary_at(o, hub)) {
                Some(owner) => {
                    let here = self.nodes[n].next_conn();
                    let there = self.nodes[owner].open(Port::Hub);
                    self.wires.insert((n, here), (owner, there));
                    self.wires.insert((owner, there), (n, here));
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

    /// The links of a system are still there, and nothing goes over them any more.
    pub(super) fn freeze(&mut self, n: usize) {
        self.wires.retain(|from, to| from.0 != n && to.0 != n);
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
