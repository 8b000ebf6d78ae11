//! The documented rules, as simple as they can be said: who is in the group, who owns each DVIPA, what becomes of connections. How
//! ports are distributed is in [`crate::rules`]. Nothing here is made from the code that it is compared with.
//!
//! Where z/OS' documentation is silent, the rule is the lab's own, and the comment says so.

use std::collections::{BTreeMap, BTreeSet};

use crate::moves::{Bind, Move, Vary};
use crate::rules::{Live, Round, live_statements};
use crate::topology::Plex;

/// Where an LPAR has a DVIPA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Has {
    OnTheLan,
    Hidden,
}

/// An open connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) client: u8,
    pub(crate) dvipa: usize,
    pub(crate) port: u16,
    pub(crate) on: usize,
}

/// What a client sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Reached(usize),
    Reset,
    /// Nothing comes back.
    Silence,
    /// Nobody has the address.
    Nobody,
}

/// A client of a DVIPA's port.
pub(crate) type Client = (u8, usize, u16);

/// An affinity to a target; the timer runs when it is known when it ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub(crate) on: usize,
    pub(crate) seconds: u64,
    pub(crate) until: Option<u64>,
}

pub(crate) struct Model {
    pub(crate) plex: Plex,
    /// The statements of each DVIPA that no DELETE took away.
    pub(crate) live: Vec<Live>,
    up: BTreeSet<usize>,
    left: BTreeSet<usize>,
    deactivated: BTreeSet<(usize, usize)>,
    /// Former owners with connections: a DVIPA, and who had it.
    quiescing: BTreeSet<(usize, usize)>,
    pub(crate) quiesced: BTreeSet<usize>,
    pub(crate) quiesced_ports: BTreeSet<(usize, u16)>,
    pub(crate) listening: BTreeSet<(usize, Bind, u16)>,
    pub(crate) responsive: BTreeMap<(usize, usize, u16), u8>,
    pub(crate) owner: Vec<Option<usize>>,
    pub(crate) open: Vec<Open>,
    /// HOTSTANDBY: who takes the connections of a DVIPA's port.
    pub(crate) standby: BTreeMap<(usize, u16), usize>,
    pub(crate) affinities: BTreeMap<Client, Held>,
    pub(crate) rounds: BTreeMap<(usize, u16), Round>,
    pub(crate) now: u64,
    /// How often each rule had a say.
    pub(crate) used: BTreeMap<&'static str, usize>,
}

impl Model {
    /// Everybody is up, every DVIPA is with its VIPADEFINE, nothing listens.
    pub(crate) fn new(plex: &Plex) -> Self {
        let mut model = Self {
            plex: plex.clone(),
            live: plex.dvipas.iter().map(|dvipa| live_statements(plex, dvipa)).collect(),
            up: (0..plex.lpars.len()).collect(),
            left: BTreeSet::new(),
            deactivated: BTreeSet::new(),
            quiescing: BTreeSet::new(),
            quiesced: BTreeSet::new(),
            quiesced_ports: BTreeSet::new(),
            listening: BTreeSet::new(),
            responsive: BTreeMap::new(),
            owner: plex.dvipas.iter().map(|dvipa| Some(dvipa.definer)).collect(),
            open: Vec::new(),
            standby: BTreeMap::new(),
            affinities: BTreeMap::new(),
            rounds: BTreeMap::new(),
            now: 0,
            used: BTreeMap::new(),
        };
        model.settle();
        model
    }

    pub(crate) fn is_up(&self, lpar: usize) -> bool {
        self.up.contains(&lpar)
    }

    /// Up and in the sysplex group.
    pub(crate) fn member(&self, lpar: usize) -> bool {
        self.is_up(lpar) && !self.left.contains(&lpar)
    }

    pub(crate) fn dvipas(&self) -> std::ops::Range<usize> {
        0..self.plex.dvipas.len()
    }

    pub(crate) fn use_rule(&mut self, rule: &'static str) {
        *self.used.entry(rule).or_insert(0) += 1;
    }

    /// Where an LPAR has a DVIPA. The owner: on the LAN. Hidden: targets, as long as someone owns it; and former owners until
    /// their last connection ends.
    pub(crate) fn has(&self, lpar: usize, dvipa: usize) -> Option<Has> {
        let owner = self.owner[dvipa];
        let as_target = owner.is_some() && self.live[dvipa].has_target(lpar) && self.member(lpar);
        match () {
            () if owner == Some(lpar) => Some(Has::OnTheLan),
            () if as_target || self.quiescing.contains(&(dvipa, lpar)) => Some(Has::Hidden),
            () => None,
        }
    }

    /// Everything but [`Move::Connect`]. Gives whether an operator's command is accepted.
    pub(crate) fn apply(&mut self, one: Move) -> bool {
        let mut accepted = true;
        match one {
            Move::Listen { on, bind, port } if self.is_up(on) => drop(self.listening.insert((on, bind, port))),
            Move::ListenEverywhere { port } => {
                for &lpar in &self.up {
                    self.listening.extend([(lpar, Bind::Any4, port), (lpar, Bind::Any6, port)]);
                }
            }
            Move::Close { on, port } => self.listening.retain(|&(lpar, _, at)| (lpar, at) != (on, port)),
            Move::Crash(on) => {
                self.up.remove(&on);
                self.listening.retain(|&(lpar, ..)| lpar != on);
                self.responsive.retain(|&(lpar, ..), _| lpar != on);
            }
            Move::Vary(on, vary) => accepted = self.is_up(on) && self.vary(on, vary),
            Move::Disconnect(position) if position < self.open.len() => drop(self.open.remove(position)),
            Move::Respond { on, dvipa, port, percent } if self.is_up(on) => {
                self.responsive.insert((on, dvipa, port), percent);
            }
            Move::Wait(seconds) => self.now += seconds,
            Move::Listen { .. } | Move::Respond { .. } | Move::Disconnect(_) | Move::Connect { .. } => {}
        }
        self.settle();
        accepted
    }

    /// A command that changes nothing is refused (our choice).
    fn vary(&mut self, on: usize, vary: Vary) -> bool {
        let defined = |dvipa: usize| {
            let dvipa = &self.plex.dvipas[dvipa];
            dvipa.definer == on || dvipa.backups.iter().any(|backup| backup.lpar == on)
        };
        let mut set_port = |port, stop| match stop {
            true => self.quiesced_ports.insert((on, port)),
            false => self.quiesced_ports.remove(&(on, port)),
        };
        match vary {
            Vary::LeaveGroup => self.left.insert(on),
            Vary::JoinGroup => self.left.remove(&on),
            Vary::Deactivate(dvipa) => defined(dvipa) && self.deactivated.insert((dvipa, on)),
            Vary::Reactivate(dvipa) => defined(dvipa) && self.deactivated.remove(&(dvipa, on)),
            Vary::Target(true) => self.quiesced.insert(on),
            Vary::Target(false) => self.quiesced.remove(&on),
            Vary::Port(port, stop) => set_port(port, stop),
            Vary::Rsed(stop) => set_port(4035, stop),
        }
    }

    /// What follows from what has happened.
    pub(crate) fn settle(&mut self) {
        self.lose_connections();
        for dvipa in self.dvipas() {
            let (before, next) = (self.owner[dvipa], self.next_owner(dvipa));
            if before == next {
                continue;
            }
            self.use_rule(if next.is_some() { "takeover" } else { "active nowhere" });
            self.owner[dvipa] = next;
            // The former owner keeps what it has, QUIESCING, unless it is gone.
            let kept = before.filter(|&old| self.member(old));
            self.quiescing.extend(kept.map(|old| (dvipa, old)));
            self.quiescing.retain(|&(of, lpar)| of != dvipa || Some(lpar) != next);
            // What becomes of affinities is not documented.
            self.affinities.retain(|&(_, of, _), _| of != dvipa);
        }
        self.lose_connections();
        let busy = |dvipa, lpar| self.open.iter().any(|open| (open.dvipa, open.on) == (dvipa, lpar));
        self.quiescing = self.quiescing.iter().copied().filter(|&(dvipa, lpar)| busy(dvipa, lpar)).collect();
        self.settle_distribution();
        self.time_affinities();
    }

    /// A connection lives as long as its LPAR has the DVIPA: LEAVEGROUP deletes all DVIPAs.
    fn lose_connections(&mut self) {
        self.quiescing = self.quiescing.iter().copied().filter(|&(_, lpar)| self.member(lpar)).collect();
        let before = self.open.len();
        let lives = |open: &Open| {
            let owned = self.owner[open.dvipa].is_some() || self.quiescing.contains(&(open.dvipa, open.on));
            self.member(open.on) && owned
        };
        self.open = self.open.iter().copied().filter(lives).collect();
        if self.open.len() < before {
            self.use_rule("connections lost");
        }
        if self.open.iter().any(|open| self.quiescing.contains(&(open.dvipa, open.on))) {
            self.use_rule("quiescing");
        }
    }

    fn next_owner(&mut self, dvipa: usize) -> Option<usize> {
        let may = |lpar: usize| self.member(lpar) && !self.deactivated.contains(&(dvipa, lpar));
        let vipa = &self.plex.dvipas[dvipa];
        let (definer, present) = (vipa.definer, self.owner[dvipa]);
        match present {
            // Moved back at once, or when there is no connection any more. A backup takes nothing from another.
            Some(present) if may(present) => {
                let idle = !self.open.iter().any(|open| open.dvipa == dvipa);
                let waits = vipa.when_idle && !idle;
                if waits && may(definer) && present != definer {
                    self.use_rule("WHENIDLE waits");
                    return Some(present);
                }
                Some(if may(definer) { definer } else { present })
            }
            _ if may(definer) => Some(definer),
            // The highest rank; the first among equals (our choice). The plain form takes over only what was active.
            _ => {
                let able = |backup: &&crate::topology::Backup| {
                    may(backup.lpar) && (present.is_some() || backup.moveable.is_some())
                };
                let rank = |backup: &&crate::topology::Backup| backup.rank.unwrap_or(1);
                let highest = vipa.backups.iter().filter(able).map(|backup| rank(&backup)).max()?;
                vipa.backups.iter().filter(able).find(|backup| rank(backup) == highest).map(|backup| backup.lpar)
            }
        }
    }

    /// What NETSTAT VIPADYN says.
    pub(crate) fn status(&self, lpar: usize, dvipa: usize) -> Option<&'static str> {
        let vipa = &self.plex.dvipas[dvipa];
        let mine = vipa.definer == lpar || vipa.backups.iter().any(|backup| backup.lpar == lpar);
        match () {
            () if self.owner[dvipa] == Some(lpar) => Some("Active"),
            () if self.quiescing.contains(&(dvipa, lpar)) => Some("Quiescing"),
            () if !mine => None,
            () if self.deactivated.contains(&(dvipa, lpar)) => Some("Deactivated"),
            () if vipa.definer == lpar && self.member(lpar) => Some("Moving"),
            () => Some("Backup"),
        }
    }

    /// The timer starts when the last connection ends, and a new one stops it.
    fn time_affinities(&mut self) {
        let (open, now) = (&self.open, self.now);
        self.affinities.retain(|&(client, dvipa, port), held| {
            let busy = open.iter().any(|open| (open.client, open.dvipa, open.port) == (client, dvipa, port));
            held.until = if busy { None } else { held.until.or(Some(now + held.seconds)) };
            held.until.is_none_or(|until| now < until)
        });
    }
}
