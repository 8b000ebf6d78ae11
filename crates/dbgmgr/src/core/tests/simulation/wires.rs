//! Connections: two directions, each a queue that keeps its order; between connections there is no order.

use std::collections::VecDeque;

use dbm_protocol::handoff::Linked;

use super::super::*;
use super::chance::mix;

/// Who is at one end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// A system's Debug Manager, which calls the connection by this number.
    Manager(usize, ConnId),
    Miner(usize),
    /// A job, on the HOST port.
    Host(usize),
    /// A job, on the handoff socket.
    Handoff(usize),
    Engine(usize),
    /// On its way to a job, or at the job.
    Passed,
}

/// What goes over a connection.
#[derive(Clone, Debug)]
pub(super) enum Packet {
    /// The connection is there.
    Open(Port, Option<Ends>),
    /// To a Debug Manager, from whoever is none.
    Message(Message),
    /// From a Debug Manager.
    Reply(Reply),
    /// An engine's connection, with the message that comes with it.
    Socket(usize, Linked),
    /// The other end has closed.
    End,
}

/// A connection. Its ends are 0, who dialled, and 1.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) ends: [End; 2],
    pub(super) open: [bool; 2],
    /// What is under way to each end.
    pub(super) queue: [VecDeque<Packet>; 2],
    /// The systems at both ends, if it goes over the network. With a workstation at one end it is the same system twice: who is
    /// cut off is cut off from workstations, too.
    pub(super) between: Option<[usize; 2]>,
    /// What its delays are made from.
    key: u64,
    count: [u64; 2],
    /// When the last packet to each end arrives.
    last: [u64; 2],
}

pub(super) const MS: u64 = 1_000_000;
/// The longest delay of one message.
pub(super) const LONGEST_DELAY: u64 = 3 * SECOND;

impl Wire {
    pub(super) fn new(ends: [End; 2], between: Option<[usize; 2]>, key: u64) -> Self {
        let queue = [VecDeque::new(), VecDeque::new()];
        Self { ends, open: [true; 2], queue, between, key, count: [0; 2], last: [0; 2] }
    }

    /// When the next packet to this end arrives.
    pub(super) fn arrival(&mut self, to: usize, now: u64, delays: bool) -> u64 {
        self.count[to] += 1;
        let delay = if delays { delay(mix(self.key, self.count[to] * 2 + to as u64)) } else { MS };
        self.last[to] = self.last[to].max(now + delay);
        self.last[to]
    }
}

/// Mostly short, sometimes long.
pub(super) fn delay(number: u64) -> u64 {
    let (kind, size) = (number % 32, number / 32);
    match kind {
        0..20 => size % (2 * MS),
        20..30 => size % (80 * MS),
        _ => size % LONGEST_DELAY,
    }
}
