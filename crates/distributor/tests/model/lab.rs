//! The code at work without a kernel: the group and its plans are the code's own; sockets, the turns of each port and affinities are
//! kept here, as the kernel of an owner keeps them.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use distributor::{Group, OwnerPlan, Place, Places, Seen, Tsr, Vary};
use sysplex::{LparIndex, Sysplex};

use crate::model::Answer;
use crate::moves::{Bind, Move};
use crate::topology::Plex;

/// A socket of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Socket {
    pub(crate) client: u8,
    pub(crate) dvipa: SocketAddr,
    pub(crate) on: LparIndex,
}

/// The chain of a port: a rule that goes round its turns.
struct Chain {
    turns: Vec<LparIndex>,
    connections: usize,
}

/// An entry of the map of affinities. Its timer runs when it is known when it ends.
struct Affinity {
    on: LparIndex,
    seconds: u64,
    until: Option<u64>,
}

pub(crate) struct Lab {
    plex: Plex,
    pub(crate) sysplex: Sysplex,
    pub(crate) group: Group,
    pub(crate) plans: BTreeMap<LparIndex, OwnerPlan>,
    pub(crate) places: Places,
    pub(crate) sockets: Vec<Socket>,
    listeners: BTreeMap<LparIndex, Vec<(Bind, SocketAddr)>>,
    tsr: BTreeMap<(LparIndex, SocketAddr), Tsr>,
    chains: BTreeMap<(LparIndex, SocketAddr), Chain>,
    affinities: BTreeMap<(u8, SocketAddr), Affinity>,
    owners: BTreeMap<IpAddr, LparIndex>,
    now: u64,
}

pub(crate) fn index(lpar: usize) -> LparIndex {
    LparIndex::new(u32::try_from(lpar).expect("a small number") + 1).expect("an LPAR's number")
}

pub(crate) fn position(lpar: LparIndex) -> usize {
    lpar.get() as usize - 1
}

pub(crate) fn read(plex: &Plex) -> Result<Sysplex, String> {
    Sysplex::from_toml(&plex.toml()).map_err(|problems| {
        let messages: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
        format!("not a topology: {}", messages.join("; "))
    })
}

impl Lab {
    pub(crate) fn new(plex: &Plex) -> Result<Self, String> {
        let sysplex = read(plex)?;
        let group = Group::new(&sysplex);
        let mut lab = Self {
            plex: plex.clone(),
            sysplex,
            group,
            plans: BTreeMap::new(),
            places: Places::new(),
            sockets: Vec::new(),
            listeners: BTreeMap::new(),
            tsr: BTreeMap::new(),
            chains: BTreeMap::new(),
            affinities: BTreeMap::new(),
            owners: BTreeMap::new(),
            now: 0,
        };
        lab.follow(false);
        Ok(lab)
    }

    pub(crate) fn at(&self, dvipa: usize, port: u16) -> SocketAddr {
        SocketAddr::new(self.plex.address(dvipa).parse().expect("an address"), port)
    }

    /// Everything but [`Move::Connect`]. Gives whether an operator's command is accepted.
    pub(crate) fn apply(&mut self, one: Move) -> bool {
        let mut accepted = true;
        match one {
            Move::Listen { on, bind, port } => self.listen(on, bind, port),
            Move::ListenEverywhere { port } => {
                for on in 0..self.plex.lpars.len() {
                    self.listen(on, Bind::Any4, port);
                    self.listen(on, Bind::Any6, port);
                }
            }
            Move::Close { on, port } => {
                self.listeners.entry(index(on)).or_default().retain(|(_, socket)| socket.port() != port);
            }
            Move::Crash(on) => drop(self.group.crash(index(on))),
            Move::Vary(on, vary) => {
                let command = Vary::parse(&format!("TCPIP,,SYSPLEX,{}", vary.operands(&self.plex))).expect("a command");
                accepted = self.group.vary(index(on), &command).is_ok();
            }
            Move::Disconnect(position) if position < self.sockets.len() => drop(self.sockets.remove(position)),
            Move::Respond { on, dvipa, port, percent } => {
                let tsr = Tsr { tcsr: 100, cer: percent, sef: 100 };
                self.tsr.insert((index(on), self.at(dvipa, port)), tsr);
            }
            Move::Wait(seconds) => self.now += seconds,
            Move::Disconnect(_) | Move::Connect { .. } => {}
        }
        self.follow(matches!(one, Move::Wait(_)));
        accepted
    }

    fn listen(&mut self, on: usize, bind: Bind, port: u16) {
        let lpar = self.sysplex.lpar(index(on)).expect("an LPAR");
        let ip: IpAddr = match bind {
            Bind::Any4 => "0.0.0.0".parse().expect("an address"),
            Bind::Any6 => "::".parse().expect("an address"),
            Bind::Dvipa(dvipa) => self.at(dvipa, port).ip(),
            Bind::Home => lpar.home.into(),
        };
        if self.group.is_up(lpar.index) {
            let sockets = self.listeners.entry(lpar.index).or_default();
            sockets.retain(|(_, socket)| *socket != SocketAddr::new(ip, port));
            sockets.push((bind, SocketAddr::new(ip, port)));
        }
    }

    /// Looks and plans, until nothing changes; then the kernels follow. Connections are looked at only when the group wants them or
    /// when everything is looked at, as the lab does it.
    pub(crate) fn follow(&mut self, everything: bool) {
        loop {
            self.observe(everything);
            self.plans = self.group.plans();
            self.places = self.group.places();
            let before = self.sockets.len();
            let (group, places) = (&self.group, &self.places);
            self.sockets
                .retain(|socket| group.is_up(socket.on) && places.contains_key(&(socket.on, socket.dvipa.ip())));
            if self.sockets.len() == before {
                break;
            }
        }
        self.set_chains();
        self.time_affinities();
    }

    pub(crate) fn observe(&mut self, everything: bool) {
        let mut seen = Seen { tsr: self.tsr.clone(), ..Seen::default() };
        for (&lpar, sockets) in &self.listeners {
            seen.listeners.insert(lpar, sockets.iter().map(|(_, socket)| *socket).collect());
        }
        if everything || self.group.wants_connections() {
            for socket in self.sockets.iter().filter(|socket| self.group.is_up(socket.on)) {
                *seen.active.entry((socket.on, socket.dvipa)).or_insert(0) += 1;
            }
        }
        self.group.observe(seen);
    }

    /// A chain whose rule is the same goes on where it stands.
    fn set_chains(&mut self) {
        let mut chains = BTreeMap::new();
        for (&owner, plan) in &self.plans {
            for (&address, dvipa) in &plan.dvipas {
                for (&port, plan) in &dvipa.ports {
                    let (key, turns) = ((owner, SocketAddr::new(address, port)), plan.turns());
                    let old = self.chains.remove(&key).filter(|old| old.turns == turns);
                    chains.insert(key, old.unwrap_or(Chain { turns, connections: 0 }));
                }
            }
        }
        self.chains = chains;
    }

    /// What becomes of affinities when a DVIPA moves is not documented; here they go.
    fn time_affinities(&mut self) {
        let owners = self.group.state().owner.clone();
        let moved = |ip: IpAddr| self.owners.get(&ip) != owners.get(&ip);
        let (sockets, now) = (&self.sockets, self.now);
        self.affinities.retain(|&(client, at), affinity| {
            let busy = sockets.iter().any(|socket| (socket.client, socket.dvipa) == (client, at));
            affinity.until = if busy { None } else { affinity.until.or(Some(now + affinity.seconds)) };
            !moved(at.ip()) && affinity.until.is_none_or(|until| now < until)
        });
        self.owners = owners;
    }

    /// A client's SYN, as the owner's ruleset treats it.
    pub(crate) fn connect(&mut self, client: u8, dvipa: usize, port: u16) -> Answer {
        let at = self.at(dvipa, port);
        let Some(&owner) = self.group.state().owner.get(&at.ip()) else { return Answer::Nobody };
        let Some(plan) = self.plans.get(&owner).and_then(|plan| plan.dvipas.get(&at.ip())) else {
            return Answer::Silence;
        };
        let range = plan.sysplexports.iter().find(|range| range.ports.contains(&port)).map(|range| range.target);
        let held = self.affinities.remove(&(client, at)).map(|affinity| affinity.on);
        let Some(plan) = plan.ports.get(&port) else { return self.deliver(client, at, range.unwrap_or(owner)) };
        let target = match held.filter(|on| plan.ready.contains(on)) {
            Some(on) => on,
            None => {
                let chain = self.chains.get_mut(&(owner, at)).expect("a chain for each port");
                if chain.turns.is_empty() {
                    let resets = plan.no_target == sysplex::NoTarget::Reset;
                    return if resets { Answer::Reset } else { Answer::Silence };
                }
                chain.connections += 1;
                chain.turns[(chain.connections - 1) % chain.turns.len()]
            }
        };
        if !plan.timed_affinity.is_zero() {
            let affinity = Affinity { on: target, seconds: plan.timed_affinity.as_secs(), until: None };
            self.affinities.insert((client, at), affinity);
        }
        self.deliver(client, at, target)
    }

    /// The target's stack answers.
    fn deliver(&mut self, client: u8, at: SocketAddr, on: LparIndex) -> Answer {
        if !self.group.is_up(on) || !self.places.contains_key(&(on, at.ip())) {
            return Answer::Silence;
        }
        let any = if at.is_ipv6() { Bind::Any6 } else { Bind::Any4 };
        let sockets = self.listeners.get(&on).map(Vec::as_slice).unwrap_or_default();
        let takes = |(bind, socket): &(Bind, SocketAddr)| socket.port() == at.port() && (*bind == any || *socket == at);
        if !sockets.iter().any(takes) {
            return Answer::Reset;
        }
        self.sockets.push(Socket { client, dvipa: at, on });
        Answer::Reached(position(on))
    }

    /// Where it has a DVIPA on the LAN.
    pub(crate) fn on_the_lan(&self, ip: IpAddr) -> Vec<LparIndex> {
        let all = self.places.iter().filter(|((_, at), place)| *at == ip && **place == Place::Lan);
        all.map(|((lpar, _), _)| *lpar).collect()
    }
}
