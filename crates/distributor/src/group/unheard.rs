//! APAR PI08005: after a takeover the new owner does not know the dynamic ports that are bound already. QUIESCE and RESUME of the
//! port on the target tell it, as does a server that binds again.

use std::collections::BTreeSet;

use sysplex::{Defect, Dvipa, LparIndex, Ports};

use super::Group;

impl Group {
    /// The DVIPA has a new owner: with the defect it has heard of none of the dynamic ports.
    pub(super) fn lose_ports(&mut self, dvipa: &Dvipa) {
        let is_dynamic = dvipa.distribute.iter().any(|statement| statement.ports == Ports::Dynamic);
        if !is_dynamic || !self.sysplex.defects.contains(&Defect::UnheardPorts) {
            return;
        }
        let is_dynamic_port = |port| !dvipa.distribute.iter().any(|statement| statement.lists(port));
        for (&lpar, sockets) in &self.state.listeners {
            let bound = sockets.iter().filter(|at| at.ip() == dvipa.address && is_dynamic_port(at.port()));
            self.state.unheard.extend(bound.map(|&at| (lpar, at)));
        }
    }

    /// RESUME on a target; no port means all of them.
    pub(super) fn hear_of(&mut self, on: LparIndex, ports: &BTreeSet<u16>) {
        self.state.unheard.retain(|(lpar, at)| *lpar != on || !(ports.is_empty() || ports.contains(&at.port())));
    }

    /// What is bound no more is heard of when it is bound again.
    pub(super) fn forget_closed(&mut self) {
        let listeners = &self.state.listeners;
        self.state.unheard.retain(|(lpar, at)| listeners.get(lpar).is_some_and(|sockets| sockets.contains(at)));
    }
}
