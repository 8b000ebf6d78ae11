//! The sysplex group: who is in it, who owns which DVIPA, and what operators have asked. A state machine without a clock.

#[cfg(feature = "planted")]
mod planted;
mod responsive;
mod unheard;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use sysplex::{Dvipa, LparIndex, Method, Moveable, Ports, StartedTask, Sysplex};

use crate::Tsr;
use crate::plan::{OwnerPlan, State, plan};
use crate::vary::{Vary, What};

/// Where an LPAR has a DVIPA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On the LAN: it owns the DVIPA and answers for it.
    Lan,
    /// Hidden, as a target: NETSTAT HOME shows it with flag I (internal).
    Hidden,
}

/// Where every LPAR has each DVIPA.
pub type Places = BTreeMap<(LparIndex, IpAddr), Place>;

/// What NETSTAT VIPADYN says of a DVIPA on one system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The system owns it.
    Active,
    /// The system would take over.
    Backup,
    /// The system does not own it any more and still has connections to it.
    Quiescing,
    /// The operator has deactivated it there.
    Deactivated,
    /// The system waits until the present owner is idle.
    Moving,
}

/// A line on a system's console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The system.
    pub on: LparIndex,
    /// Number and text.
    pub text: String,
}

/// What the kernels show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The sockets that listen on each LPAR.
    pub listeners: BTreeMap<LparIndex, Vec<SocketAddr>>,
    /// Connections that each LPAR has to a DVIPA's port.
    pub active: BTreeMap<(LparIndex, SocketAddr), u32>,
    /// How responsive each target is.
    pub tsr: BTreeMap<(LparIndex, SocketAddr), Tsr>,
}

/// The group.
#[derive(Clone, Debug)]
pub struct Group {
    sysplex: Sysplex,
    up: BTreeSet<LparIndex>,
    left: BTreeSet<LparIndex>,
    deactivated: BTreeSet<(IpAddr, LparIndex)>,
    /// Former owners keep the address while they have connections; a target has it anyway.
    quiescing: BTreeSet<(IpAddr, LparIndex)>,
    state: State,
}

impl Group {
    /// Everybody is up and in the group, every DVIPA is with its VIPADEFINE, and nothing listens.
    pub fn new(sysplex: &Sysplex) -> Self {
        let mut group = Self {
            sysplex: sysplex.clone(),
            up: sysplex.lpars.iter().map(|lpar| lpar.index).collect(),
            left: BTreeSet::new(),
            deactivated: BTreeSet::new(),
            quiescing: BTreeSet::new(),
            state: State::default(),
        };
        group.settle();
        group
    }

    /// What is the case.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Is this LPAR up?
    pub fn is_up(&self, lpar: LparIndex) -> bool {
        self.up.contains(&lpar)
    }

    /// An LPAR is gone without a word.
    pub fn crash(&mut self, lpar: LparIndex) -> Vec<Message> {
        self.up.remove(&lpar);
        self.state.listeners.remove(&lpar);
        self.state.active.retain(|(of, _), _| *of != lpar);
        self.state.tsr.retain(|(of, _), _| *of != lpar);
        self.settle()
    }

    /// An LPAR comes up again, and joins the group: as after an IPL, whatever operators have asked there before.
    pub fn ipl(&mut self, lpar: LparIndex) -> Vec<Message> {
        self.up.insert(lpar);
        self.left.remove(&lpar);
        self.deactivated.retain(|(_, of)| *of != lpar);
        self.state.quiesced.remove(&lpar);
        self.settle()
    }

    /// An operator's command on one system.
    ///
    /// # Errors
    /// Why it was refused.
    pub fn vary(&mut self, on: LparIndex, command: &Vary) -> Result<Vec<Message>, String> {
        if !self.up.contains(&on) {
            return Err(format!("{} is down", self.name(on)));
        }
        match command {
            // EZZ8269I is documented for DISPLAY; that VARY says the same is our choice.
            Vary::LeaveGroup if !self.left.insert(on) => return Err(self.not_a_member(on)),
            Vary::JoinGroup if !self.left.remove(&on) => {
                return Err(format!("{} is a member of the sysplex group already", self.name(on)));
            }
            Vary::Deactivate(address) => {
                self.defined(on, *address)?;
                if !self.deactivated.insert((*address, on)) {
                    return Err(format!("DVIPA {address} is deactivated on {} already", self.name(on)));
                }
            }
            Vary::Reactivate(address) => {
                self.defined(on, *address)?;
                if !self.deactivated.remove(&(*address, on)) {
                    return Err(format!("DVIPA {address} is not deactivated on {}", self.name(on)));
                }
            }
            Vary::Quiesce(what) => self.quiesce(on, what, true)?,
            Vary::Resume(what) => self.quiesce(on, what, false)?,
            Vary::LeaveGroup | Vary::JoinGroup => {}
        }
        Ok(self.settle())
    }

    /// Takes in what the kernels show.
    pub fn observe(&mut self, seen: Seen) -> Vec<Message> {
        let Seen { mut listeners, active, tsr } = seen;
        listeners.retain(|lpar, _| self.up.contains(lpar));
        #[cfg(feature = "planted")]
        planted::never_ready_again(&mut listeners);
        let before = std::mem::replace(&mut self.state.tsr, tsr);
        (self.state.listeners, self.state.active) = (listeners, active);
        self.forget_closed();
        let mut messages = responsive::messages(&before, &self.state, |lpar| self.name(lpar));
        messages.extend(self.settle());
        // Only here: elsewhere it is not known who has connections, because nobody may have wanted to know.
        let done: Vec<_> =
            self.quiescing.iter().copied().filter(|&(at, lpar)| !self.has_connections(at, lpar)).collect();
        for key in done {
            self.quiescing.remove(&key);
        }
        messages
    }

    /// HOTSTANDBY begins now: while started tasks come up, the first that listens has not taken over from anybody.
    pub fn begin_standby(&mut self) {
        self.state.standby.clear();
    }

    /// What every owner is to do now.
    pub fn plans(&mut self) -> BTreeMap<LparIndex, OwnerPlan> {
        let plans = plan(&self.sysplex, &self.state);
        for (&address, dvipa) in plans.values().flat_map(|plan| &plan.dvipas) {
            for (&port, plan) in &dvipa.ports {
                if let (Method::HotStandby { .. }, [share]) = (plan.method, plan.shares.as_slice()) {
                    self.state.standby.insert(SocketAddr::new(address, port), share.target);
                }
            }
        }
        plans
    }

    /// Where every LPAR that is up is to have each DVIPA.
    pub fn places(&self) -> Places {
        let mut places = Places::new();
        for dvipa in &self.sysplex.dvipas {
            let owner = self.state.owner.get(&dvipa.address);
            for &lpar in &self.state.members {
                let is_target = owner.is_some() && dvipa.has_target(lpar);
                let place = if Some(&lpar) == owner {
                    Place::Lan
                } else if is_target || self.quiescing.contains(&(dvipa.address, lpar)) {
                    Place::Hidden
                } else {
                    continue;
                };
                places.insert((lpar, dvipa.address), place);
            }
        }
        places
    }

    /// What NETSTAT VIPADYN says; nothing when the system neither defines nor backs up nor owns it.
    pub fn status(&self, dvipa: &Dvipa, on: LparIndex) -> Option<Status> {
        let key = (dvipa.address, on);
        if self.state.owner.get(&dvipa.address) == Some(&on) {
            return Some(Status::Active);
        }
        if self.quiescing.contains(&key) && self.has_connections(dvipa.address, on) {
            return Some(Status::Quiescing);
        }
        if !dvipa.may_be_owned_by(on) {
            return None;
        }
        Some(match () {
            () if self.deactivated.contains(&key) => Status::Deactivated,
            () if dvipa.owner == on && self.eligible(dvipa, on) => Status::Moving,
            () => Status::Backup,
        })
    }

    /// Does anything depend on who has how many connections?
    pub fn wants_connections(&self) -> bool {
        self.waits_for_idle() || self.wants_connections_at_once()
    }

    /// Does a DVIPA wait for its last connection to end, so that it can go home? It need not know at once.
    fn waits_for_idle(&self) -> bool {
        self.sysplex.dvipas.iter().any(|dvipa| {
            dvipa.moveable == Moveable::WhenIdle && self.state.owner.get(&dvipa.address) != Some(&dvipa.owner)
        })
    }

    /// Does anything depend on who has how many connections at this moment?
    pub fn wants_connections_at_once(&self) -> bool {
        let dvipas = &self.sysplex.dvipas;
        let by_method = dvipas
            .iter()
            .flat_map(|dvipa| &dvipa.distribute)
            .any(|statement| statement.method == Method::WeightedActive || !statement.timed_affinity.is_zero());
        by_method || !self.quiescing.is_empty() || !self.deactivated.is_empty()
    }

    fn quiesce(&mut self, on: LparIndex, what: &What, stop: bool) -> Result<(), String> {
        let ports = match what {
            What::Target => BTreeSet::new(),
            What::Port(port) => BTreeSet::from([*port]),
            What::JobName(job) => self.ports_of(on, job)?,
        };
        let quiesced = self.state.quiesced.entry(on).or_default();
        let changed = match (what, stop) {
            (What::Target, _) => std::mem::replace(&mut quiesced.target, stop) != stop,
            (_, true) => ports.iter().filter(|port| quiesced.ports.insert(**port)).count() > 0,
            (_, false) => ports.iter().filter(|port| quiesced.ports.remove(port)).count() > 0,
        };
        if !stop {
            self.hear_of(on, &ports);
        }
        let (done, name) = (if stop { "quiesced" } else { "active" }, self.name(on));
        if changed { Ok(()) } else { Err(format!("it is {done} on {name} already")) }
    }

    /// The ports of a started task, as the topology has them.
    fn ports_of(&self, on: LparIndex, job: &str) -> Result<BTreeSet<u16>, String> {
        let tasks = self.sysplex.lpar(on).map(|lpar| lpar.tasks.as_slice()).unwrap_or_default();
        let task = tasks.iter().find(|task| task.name() == job);
        let task = task.ok_or_else(|| format!("no started task {job} on {}", self.name(on)))?;
        Ok(match task {
            StartedTask::DebugManager { client, .. } => BTreeSet::from([*client]),
            StartedTask::Rsed { port, .. } => BTreeSet::from([*port]),
            StartedTask::Server { ports, .. } => ports.iter().copied().collect(),
            StartedTask::WrongParm { .. } => BTreeSet::new(),
            // What it is known by; other ports that it may have are not in the topology.
            StartedTask::Command { command, .. } => match command.ready {
                sysplex::Ready::Port(port) => BTreeSet::from([port]),
                _ => BTreeSet::new(),
            },
        })
    }

    fn defined(&self, on: LparIndex, address: IpAddr) -> Result<(), String> {
        let dvipa = self.sysplex.dvipa(address).filter(|dvipa| dvipa.may_be_owned_by(on));
        let expected = || format!("DVIPA {address} has no VIPADEFINE or VIPABACKUP on {}", self.name(on));
        dvipa.map(|_| ()).ok_or_else(expected)
    }

    fn not_a_member(&self, on: LparIndex) -> String {
        format!("EZZ8269I {} IS NOT A MEMBER OF A SYSPLEX GROUP", self.name(on))
    }

    fn name(&self, lpar: LparIndex) -> &str {
        self.sysplex.lpar(lpar).map_or("?", |lpar| lpar.name.as_str())
    }

    fn eligible(&self, dvipa: &Dvipa, lpar: LparIndex) -> bool {
        self.state.members.contains(&lpar) && !self.deactivated.contains(&(dvipa.address, lpar))
    }

    fn connections(&self, dvipa: &Dvipa, on: Option<LparIndex>) -> u32 {
        let of_dvipa = self.state.active.iter().filter(|((_, at), _)| at.ip() == dvipa.address);
        of_dvipa.filter(|((lpar, _), _)| on.is_none_or(|on| on == *lpar)).map(|(_, count)| count).sum()
    }

    /// Who is to own each DVIPA now.
    fn settle(&mut self) -> Vec<Message> {
        self.state.members = self.up.difference(&self.left).copied().collect();
        let mut messages = Vec::new();
        for dvipa in self.sysplex.dvipas.clone() {
            let before = self.state.owner.get(&dvipa.address).copied();
            let next = self.next_owner(&dvipa, before);
            if before == next {
                continue;
            }
            self.moved(&dvipa, before, next, &mut messages);
        }
        self.quiescing.retain(|(_, lpar)| self.state.members.contains(lpar));
        messages
    }

    fn next_owner(&self, dvipa: &Dvipa, before: Option<LparIndex>) -> Option<LparIndex> {
        let definer = Some(dvipa.owner).filter(|&lpar| self.eligible(dvipa, lpar));
        match before.filter(|&lpar| self.eligible(dvipa, lpar)) {
            Some(present) => {
                let waits = dvipa.moveable == Moveable::WhenIdle && self.connections(dvipa, None) > 0;
                definer.filter(|_| !waits).or(Some(present))
            }
            None => definer.or_else(|| {
                let mut backups = dvipa.backups.iter().filter(|backup| self.eligible(dvipa, backup.lpar));
                // The plain form takes over what was active until now; the form with MOVEABLE also activates.
                backups.find(|backup| before.is_some() || backup.activates.is_some()).map(|backup| backup.lpar)
            }),
        }
    }

    fn moved(
        &mut self,
        dvipa: &Dvipa,
        before: Option<LparIndex>,
        next: Option<LparIndex>,
        messages: &mut Vec<Message>,
    ) {
        let address = dvipa.address;
        if let Some(old) = before.filter(|old| self.state.members.contains(old)) {
            self.quiescing.insert((address, old));
            if let Some(new) = next {
                // The wording as far as it is documented (APAR PM78817).
                let text = format!("EZZ8303I VIPA {address} GIVEN TO TCPIP ON {}", self.name(new));
                messages.push(Message { on: old, text });
            }
        }
        match next {
            Some(new) => {
                self.quiescing.remove(&(address, new));
                if let Some(old) = before {
                    self.lose_ports(dvipa);
                    let text = format!("EZZ8301I VIPA {address} TAKEN OVER FROM TCPIP ON {}", self.name(old));
                    messages.push(Message { on: new, text });
                }
                self.state.owner.insert(address, new);
            }
            None => drop(self.state.owner.remove(&address)),
        }
    }

    fn has_connections(&self, address: IpAddr, lpar: LparIndex) -> bool {
        self.sysplex.dvipa(address).is_some_and(|dvipa| self.connections(dvipa, Some(lpar)) > 0)
    }

    /// The ports of the DVIPAs that have listed ports, for whoever counts connections.
    pub fn listed_ports(&self) -> BTreeSet<SocketAddr> {
        let of = |dvipa: &Dvipa| {
            let listed = dvipa.distribute.iter().filter_map(|statement| match &statement.ports {
                Ports::Listed(ports) => Some(ports.clone()),
                Ports::Dynamic => None,
            });
            let address = dvipa.address;
            listed.flatten().map(move |port| SocketAddr::new(address, port)).collect::<Vec<_>>()
        };
        self.sysplex.dvipas.iter().flat_map(of).collect()
    }
}

#[cfg(test)]
mod tests;
