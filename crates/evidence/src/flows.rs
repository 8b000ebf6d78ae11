//! TCP flows as a capture saw them: per interface, direction and pair of addresses.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use serde::{Deserialize, Serialize};

/// Most flows that are kept; a lab that sees more says so ([`Flows::overflowed`]).
const MOST: usize = 65_536;

/// Which way a packet went, as the host sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Arrived, for the host.
    In,
    /// Left.
    Out,
}

/// Where and between whom.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FlowKey {
    /// The host.
    pub system: String,
    /// Its interface.
    pub interface: String,
    /// In or out.
    pub direction: Direction,
    /// Source address, as it stood in the packet.
    pub source: SocketAddr,
    /// Destination address, as it stood in the packet.
    pub destination: SocketAddr,
}

/// What was seen of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowSeen {
    /// Packets.
    pub packets: u64,
    /// Bytes of TCP payload.
    pub payload: u64,
    /// Packets with SYN and without ACK.
    pub syn: u64,
    /// Packets with SYN and ACK.
    pub syn_ack: u64,
    /// Packets with RST.
    pub rst: u64,
    /// Time of the first one, nanoseconds of `CLOCK_MONOTONIC`.
    pub first_ns: u64,
    /// Time of the last one.
    pub last_ns: u64,
}

/// All flows of a run.
#[derive(Clone, Debug, Default)]
pub struct Flows {
    seen: BTreeMap<FlowKey, FlowSeen>,
    /// More flows were there than are kept.
    pub overflowed: bool,
    /// Packets that the kernel could not hand over in time.
    pub dropped: u64,
}

impl Flows {
    /// Takes in one Ethernet frame; what is not TCP is passed over.
    pub fn add(&mut self, system: &str, interface: &str, direction: Direction, t_ns: u64, frame: &[u8]) {
        let Some(tcp) = TcpPacket::of(frame) else { return };
        let (source, destination) = (tcp.source, tcp.destination);
        let key = FlowKey { system: system.into(), interface: interface.into(), direction, source, destination };
        if self.seen.len() >= MOST && !self.seen.contains_key(&key) {
            self.overflowed = true;
            return;
        }
        let new = FlowSeen { packets: 0, payload: 0, syn: 0, syn_ack: 0, rst: 0, first_ns: t_ns, last_ns: t_ns };
        let seen = self.seen.entry(key).or_insert(new);
        seen.packets += 1;
        seen.payload += tcp.payload as u64;
        seen.syn += u64::from(tcp.syn && !tcp.ack);
        seen.syn_ack += u64::from(tcp.syn && tcp.ack);
        seen.rst += u64::from(tcp.rst);
        seen.last_ns = t_ns;
    }

    /// All flows.
    pub fn iter(&self) -> impl Iterator<Item = (&FlowKey, &FlowSeen)> {
        self.seen.iter()
    }

    /// One flow.
    pub fn get(&self, key: &FlowKey) -> Option<&FlowSeen> {
        self.seen.get(key)
    }

    /// May a proof rest on something *not* having been seen?
    pub fn is_complete(&self) -> bool {
        !self.overflowed && self.dropped == 0
    }
}

/// A TCP packet, as far as the lab looks into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpPacket {
    /// Source address.
    pub source: SocketAddr,
    /// Destination address.
    pub destination: SocketAddr,
    /// SYN.
    pub syn: bool,
    /// FIN.
    pub fin: bool,
    /// RST.
    pub rst: bool,
    /// PSH.
    pub psh: bool,
    /// ACK.
    pub ack: bool,
    /// Bytes of payload.
    pub payload: usize,
}

impl TcpPacket {
    /// The packet in an Ethernet frame; nothing when that is no TCP.
    pub fn of(frame: &[u8]) -> Option<Self> {
        let packet = SlicedPacket::from_ethernet(frame).ok()?;
        let Some(TransportSlice::Tcp(tcp)) = &packet.transport else { return None };
        let (from, to): (IpAddr, IpAddr) = match &packet.net {
            Some(NetSlice::Ipv4(ip)) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
            Some(NetSlice::Ipv6(ip)) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
            _ => return None,
        };
        Some(Self {
            source: SocketAddr::new(from, tcp.source_port()),
            destination: SocketAddr::new(to, tcp.destination_port()),
            syn: tcp.syn(),
            fin: tcp.fin(),
            rst: tcp.rst(),
            psh: tcp.psh(),
            ack: tcp.ack(),
            payload: tcp.payload().len(),
        })
    }
}

#[cfg(test)]
mod tests {
    use etherparse::PacketBuilder;

    use super::*;

    fn frame(syn: bool, payload: &[u8]) -> Vec<u8> {
        let mut builder =
            PacketBuilder::ethernet2([1; 6], [2; 6]).ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64).tcp(1000, 4035, 1, 1000);
        if syn {
            builder = builder.syn();
        }
        let mut bytes = Vec::new();
        builder.write(&mut bytes, payload).expect("a packet");
        bytes
    }

    #[test]
    fn packets_of_one_flow_are_counted_together() {
        let mut flows = Flows::default();
        flows.add("LPAR1", "lan0", Direction::In, 5, &frame(true, b""));
        flows.add("LPAR1", "lan0", Direction::In, 9, &frame(false, b"hello"));
        flows.add("LPAR1", "xcf0", Direction::Out, 9, &frame(false, b"hello"));
        flows.add("LPAR1", "lan0", Direction::In, 9, b"no packet");
        assert_eq!(flows.iter().count(), 2);
        let (key, seen) = flows.iter().next().expect("a flow");
        assert_eq!(key.destination, "10.0.0.2:4035".parse().expect("address"));
        assert_eq!((seen.packets, seen.payload, seen.syn, seen.first_ns, seen.last_ns), (2, 5, 1, 5, 9));
    }
}
