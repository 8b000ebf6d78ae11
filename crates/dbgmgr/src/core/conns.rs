//! The connections: what each has proven to be, and how many that have proven nothing are put up with.

use std::collections::{BTreeMap, BTreeSet};

use dbm_protocol::{Role, SessionId, UserId};

use super::{ConnId, Ends, Port};

/// How far a connection has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nothing was said.
    Silent,
    /// A hello with a role that belongs on the port.
    Greeted(Role),
    /// Logged on to the HOST port for this user.
    LoggedOn(Role, UserId),
    /// A Debug Miner that holds the registration of a user.
    Miner(UserId),
    /// A debugger on the HOST port, with its session.
    Debugger(SessionId),
    /// An engine that presented a session's token.
    Engine(SessionId),
    /// A debugger on the handoff socket, waiting for a client's socket.
    Claimant(SessionId),
    /// A secondary.
    Member,
    /// The link to the primary.
    Upstream,
    /// A call at a place where another primary may be.
    Call,
}

#[derive(Clone, Debug)]
pub(crate) struct Conn {
    pub(crate) port: Port,
    pub(crate) stage: Stage,
    pub(crate) ends: Option<Ends>,
}

/// All connections that the core knows.
#[derive(Debug, Default)]
pub(crate) struct Conns {
    all: BTreeMap<ConnId, Conn>,
    /// Those that have not said yet what they want. Numbers ascend, so the first is the oldest.
    unproven: BTreeMap<Port, BTreeSet<ConnId>>,
}

impl Conns {
    pub(crate) fn insert(&mut self, id: ConnId, port: Port, ends: Option<Ends>) {
        self.all.insert(id, Conn { port, stage: Stage::Silent, ends });
        self.unproven.entry(port).or_default().insert(id);
    }

    pub(crate) fn get(&self, id: ConnId) -> Option<&Conn> {
        self.all.get(&id)
    }

    /// Moves a connection on. Every stage but the first three says what it wants.
    pub(crate) fn set_stage(&mut self, id: ConnId, stage: Stage) {
        if let Some(conn) = self.all.get_mut(&id) {
            if !matches!(stage, Stage::Silent | Stage::Greeted(_) | Stage::LoggedOn(..)) {
                self.unproven.entry(conn.port).or_default().remove(&id);
            }
            conn.stage = stage;
        }
    }

    pub(crate) fn remove(&mut self, id: ConnId) -> Option<Conn> {
        let conn = self.all.remove(&id)?;
        self.unproven.entry(conn.port).or_default().remove(&id);
        Some(conn)
    }

    /// How many connections of a port have not said what they want.
    pub(crate) fn unproven(&self, port: Port) -> usize {
        self.unproven.get(&port).map_or(0, BTreeSet::len)
    }

    /// The one of them that has been there for the longest time.
    pub(crate) fn oldest_unproven(&self, port: Port) -> Option<ConnId> {
        self.unproven.get(&port)?.first().copied()
    }

    /// The one of any port that has been there for the longest time.
    pub(crate) fn oldest_unproven_anywhere(&self) -> Option<ConnId> {
        self.unproven.values().filter_map(BTreeSet::first).min().copied()
    }

    /// All connections of a port.
    pub(crate) fn on(&self, port: Port) -> Vec<ConnId> {
        self.all.iter().filter(|(_, conn)| conn.port == port).map(|(id, _)| *id).collect()
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }
}
