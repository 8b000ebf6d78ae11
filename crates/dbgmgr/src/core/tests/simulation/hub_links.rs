//! The way to the hub: who can listen at its place, who is reached there, and links that break.

use std::net::{IpAddr, SocketAddr};

use super::super::*;
use super::chance::mix;
use super::wires::{End, Packet, Wire};
use super::world::{Event, World};

/// How long a dial without an answer takes.
const DIAL: u64 = SECOND;
const HUBPORT: u16 = 5337;

/// A system's own address is 9.9.9.1 for the first one, and so on.
pub(super) fn place(n: usize) -> SocketAddr {
    ([9, 9, 9, n as u8 + 1], HUBPORT).into()
}

fn holder(ip: IpAddr) -> usize {
    if let IpAddr::V4(ip) = ip { usize::from(ip.octets()[3]) - 1 } else { usize::MAX }
}

/// What an address is to a system.
pub(super) fn holding(n: usize, ip: IpAddr) -> Holding {
    if holder(ip) == n { Holding::Own } else { Holding::Gone }
}

impl World {
    /// All hub links of a system break, and what is under way on them is lost.
    pub(super) fn break_links(&mut self, n: usize) {
        for (wire, _) in self.wires_of(n).into_values() {
            let ends = self.wires[wire].ends;
            if ends.iter().all(|end| matches!(end, End::Manager(..))) {
                self.break_wire(wire);
            }
        }
    }

    /// A connection is reset: what is under way is lost, and both ends notice it, each in its time.
    pub(super) fn break_wire(&mut self, wire: usize) {
        for end in [0, 1] {
            self.wires[wire].queue[end].clear();
            self.send(wire, end, Packet::End);
        }
    }

    /// Listens at the hub's place, if it is this system's own.
    pub(super) fn bind(&mut self, n: usize, hub: SocketAddr) -> Vec<Input> {
        self.systems[n].attempt += 1;
        let holding = holding(n, hub.ip());
        let result = if holding == Holding::Gone { Err("not here".to_owned()) } else { Ok(()) };
        if result.is_ok() {
            self.systems[n].listens = Some(hub);
        }
        // The last one is told first.
        vec![Input::HubBound(result), Input::HubAddress(holding)]
    }

    pub(super) fn dial_hub(&mut self, n: usize, port: Port, place: SocketAddr) {
        let attempt = self.systems[n].attempt;
        let reached = self.listener(n, place).is_some();
        let takes = if reached { self.takes(n as u64, self.now) } else { DIAL };
        self.later(takes, Event::HubAnswers(n, attempt, port, place));
    }

    /// Who listens there and can be reached from here.
    fn listener(&self, from: usize, place: SocketAddr) -> Option<usize> {
        let there = self.systems.get(holder(place.ip()))?;
        let cut_off = there.cut_off || self.systems[from].cut_off;
        (there.listens == Some(place) && !there.stopping && !cut_off).then_some(there.n)
    }

    pub(super) fn hub_answers(&mut self, n: usize, attempt: u64, port: Port, place: SocketAddr) {
        if self.systems[n].attempt != attempt || self.systems[n].manager.is_none() {
            return;
        }
        let Some(there) = self.listener(n, place) else {
            if port == Port::Upstream {
                self.feed(n, Input::HubUnreachable("no answer".to_owned()));
            }
            return;
        };
        let wire = self.wires.len();
        let here = self.systems[n].next_conn(wire, 0);
        let conn = self.systems[there].next_conn(wire, 1);
        let (ends, key) = ([End::Manager(n, here), End::Manager(there, conn)], mix(n as u64, here.0));
        self.wires.push(Wire::new(ends, Some([n, there]), mix(self.seed, key)));
        let at = |peer| Some(Ends { peer, local: ([9, 9, 9, 99], 1).into() });
        self.send(wire, 1, Packet::Open(Port::Hub, at(([9, 9, 9, 98], 1).into())));
        self.feed(n, Input::Opened { conn: here, port, ends: at(place) });
    }
}
