//! Users who are logged on: a Debug Miner that keeps them registered, and a workstation that dials what it is told.

use dbm_protocol::host::{FromMiner, ToMiner};

use super::super::*;
use super::chance::mix;
use super::schedule::{system_name, user_name};
use super::wires::{End, MS, Packet};
use super::world::{Event, World};

/// One logon.
pub(super) struct Miner {
    key: u64,
    pub(super) user: usize,
    pub(super) system: usize,
    pub(super) logged_on: bool,
    pub(super) registered: bool,
    pub(super) wire: Option<usize>,
    tries: u64,
    /// What the workstation was told, the last at the end.
    pub(super) told: Vec<Notice>,
}

/// Pause before Debug Manager is looked for again.
pub(super) const LOOK_AGAIN: u64 = 300 * MS;

impl World {
    pub(super) fn log_on(&mut self, id: u32, user: usize, system: usize) {
        let (logged_on, registered, wire, told) = (true, false, None, Vec::new());
        let key = mix(1, u64::from(id));
        self.miners.push(Miner { key, user, system, logged_on, registered, wire, tries: 0, told });
        self.miner_dials(self.miners.len() - 1);
    }

    pub(super) fn log_off(&mut self, user: usize, system: usize) {
        let there = |m: &Miner| m.logged_on && m.user == user && m.system == system;
        if let Some(at) = self.miners.iter().rposition(there) {
            self.miner_leaves(at);
        }
    }

    pub(super) fn miner_leaves(&mut self, at: usize) {
        self.miners[at].logged_on = false;
        self.miners[at].registered = false;
        if let Some(wire) = self.miners[at].wire.take() {
            self.hang_up(wire, 0);
        }
    }

    pub(super) fn miner_dials(&mut self, at: usize) {
        let miner = &mut self.miners[at];
        if !miner.logged_on || miner.wire.is_some() {
            return;
        }
        miner.tries += 1;
        let (key, system, user) = (mix(miner.key, miner.tries), miner.system, user(user_name(miner.user)));
        // When there is no Debug Manager its start will be noticed.
        let Some(wire) = self.dial(End::Miner(at), key, system, Port::Host) else { return };
        self.miners[at].wire = Some(wire);
        self.greet(wire, Role::Miner, Message::Miner(FromMiner::Register { user }));
    }

    pub(super) fn miner_hears(&mut self, at: usize, packet: Packet) {
        match packet {
            Packet::Reply(Reply::Miner(ToMiner::Registered { system })) => {
                self.miners[at].registered = true;
                if system.as_str() != system_name(self.miners[at].system) {
                    self.accuse(|| format!("a Debug Miner was registered by {system}, which is not its system"));
                }
            }
            Packet::Reply(Reply::Miner(ToMiner::SessionWaiting { notice })) => self.user_is_told(at, notice),
            Packet::End => {
                self.miners[at].wire = None;
                self.miners[at].registered = false;
                self.later(LOOK_AGAIN, Event::MinerDials(at));
            }
            other => self.accuse(|| format!("a Debug Miner was sent {other:?}")),
        }
    }

    fn user_is_told(&mut self, at: usize, notice: Notice) {
        let name = user_name(self.miners[at].user);
        self.tell(|| format!("{name} hears that {} waits", notice.session));
        self.judge_notice(at, &notice);
        let miner = &mut self.miners[at];
        let doing = mix(miner.key, mix(miner.told.len() as u64, 7));
        miner.told.push(notice.clone());
        // Most workstations dial soon; some do not.
        if !doing.is_multiple_of(4) {
            let takes = self.takes(doing, 3);
            self.later(takes, Event::WorkstationDials(at, Box::new(notice)));
        }
    }

    pub(super) fn workstation_dials(&mut self, at: usize, notice: &Notice) {
        let (user, key) = (self.miners[at].user, mix(self.miners[at].key, mix(self.engines.len() as u64, 11)));
        self.engine_dials(user, key, notice, false);
    }

    /// What a user was told last, by whomever, and his logon.
    pub(super) fn last_told(&self, user: usize) -> Option<Notice> {
        let of_user = self.miners.iter().filter(|miner| miner.user == user);
        of_user.filter_map(|miner| miner.told.last()).max_by_key(|notice| self.truth.told_at(&notice.token)).cloned()
    }
}
