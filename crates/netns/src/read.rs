//! Reading what a network namespace has: its addresses, the routes in its tables, its neighbours.

use std::io;
use std::net::IpAddr;

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkMessage};
use netlink_packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage};
use netlink_sys::Socket;

use crate::Batch;

/// Most times that a dump is begun again because the kernel's list changed meanwhile.
const READINGS: u32 = 10;

/// An address of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// Index of the link.
    pub link: u32,
    /// The address.
    pub address: IpAddr,
    /// Length of its prefix, in bits.
    pub prefix: u8,
}

/// A route by a gateway to any destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gateway {
    /// The routing table.
    pub table: u32,
    /// The gateway.
    pub via: IpAddr,
    /// Index of the link.
    pub link: u32,
}

/// All addresses in the calling thread's network namespace, of IPv4 and IPv6, by link; see [`crate::inside`].
///
/// # Errors
/// When the kernel refuses the question, or its list changes so often that it cannot be read.
pub fn addresses() -> io::Result<Vec<Address>> {
    let mut found = dump(&RouteNetlinkMessage::GetAddress(AddressMessage::default()), |message| match message {
        RouteNetlinkMessage::NewAddress(message) => address(&message),
        _ => None,
    })?;
    found.sort();
    Ok(found)
}

/// The indexes of the links in the calling thread's network namespace whose other end is there.
///
/// # Errors
/// When the kernel refuses the question, or its list changes so often that it cannot be read.
pub fn carriers() -> io::Result<Vec<u32>> {
    dump(&RouteNetlinkMessage::GetLink(LinkMessage::default()), |message| match message {
        RouteNetlinkMessage::NewLink(message) => {
            let has = message.attributes.iter().any(|attribute| matches!(attribute, LinkAttribute::Carrier(1)));
            has.then_some(message.header.index)
        }
        _ => None,
    })
}

/// All routes to any destination by a gateway in the calling thread's network namespace, of IPv4 and IPv6, by table.
///
/// # Errors
/// When the kernel refuses the question, or its list changes so often that it cannot be read.
pub fn gateways() -> io::Result<Vec<Gateway>> {
    let mut found = dump(&RouteNetlinkMessage::GetRoute(RouteMessage::default()), |message| match message {
        RouteNetlinkMessage::NewRoute(message) => gateway(&message),
        _ => None,
    })?;
    found.sort();
    Ok(found)
}

/// What is known of the way to a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Its hardware address.
    Known,
    /// It is being asked.
    Asked,
    /// It was asked and did not answer.
    Lost,
}

/// A neighbour on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Neighbour {
    /// Index of the link.
    pub link: u32,
    /// Its address.
    pub address: IpAddr,
    /// What is known of it.
    pub reach: Reach,
}

/// All neighbours that were ever asked for in the calling thread's network namespace, of IPv4 and IPv6.
///
/// # Errors
/// When the kernel refuses the question, or its list changes so often that it cannot be read.
pub fn neighbours() -> io::Result<Vec<Neighbour>> {
    let mut found = dump(&RouteNetlinkMessage::GetNeighbour(NeighbourMessage::default()), |message| match message {
        RouteNetlinkMessage::NewNeighbour(message) => neighbour(&message),
        _ => None,
    })?;
    found.sort();
    Ok(found)
}

fn neighbour(message: &NeighbourMessage) -> Option<Neighbour> {
    let address = message.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::Destination(NeighbourAddress::Inet(address)) => Some(IpAddr::V4(*address)),
        NeighbourAttribute::Destination(NeighbourAddress::Inet6(address)) => Some(IpAddr::V6(*address)),
        _ => None,
    })?;
    let reach = match message.header.state {
        NeighbourState::Failed => Reach::Lost,
        NeighbourState::Incomplete | NeighbourState::None => Reach::Asked,
        _ => Reach::Known,
    };
    Some(Neighbour { link: message.header.ifindex, address, reach })
}

fn address(message: &AddressMessage) -> Option<Address> {
    let (mut own, mut other) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            // Of a link with a peer, `Address` is the peer's. IPv6 has `Local` only there.
            AddressAttribute::Local(address) => own = Some(*address),
            AddressAttribute::Address(address) => other = Some(*address),
            _ => {}
        }
    }
    let (link, prefix) = (message.header.index, message.header.prefix_len);
    own.or(other).map(|address| Address { link, address, prefix })
}

fn gateway(message: &RouteMessage) -> Option<Gateway> {
    if message.header.destination_prefix_length != 0 {
        return None;
    }
    let (mut via, mut link, mut table) = (None, None, u32::from(message.header.table));
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Gateway(RouteAddress::Inet(address)) => via = Some(IpAddr::V4(*address)),
            RouteAttribute::Gateway(RouteAddress::Inet6(address)) => via = Some(IpAddr::V6(*address)),
            RouteAttribute::Oif(index) => link = Some(*index),
            // The header has room for numbers up to 255 only.
            RouteAttribute::Table(number) => table = *number,
            _ => {}
        }
    }
    Some(Gateway { table, via: via?, link: link? })
}

/// One whole dump.
pub(crate) fn dump<T>(
    question: &RouteNetlinkMessage,
    pick: impl Fn(RouteNetlinkMessage) -> Option<T>,
) -> io::Result<Vec<T>> {
    for _ in 0..READINGS {
        // A new socket each time: what is left of an interrupted dump goes with the old one.
        let socket = Batch::socket()?;
        if let Some(found) = dump_once(&socket, question, &pick)? {
            return Ok(found);
        }
    }
    Err(io::Error::other(format!("the kernel's list changed during each of {READINGS} readings")))
}

/// One dump; nothing when the list changed meanwhile, so that entries may be missing.
fn dump_once<T>(
    socket: &Socket,
    question: &RouteNetlinkMessage,
    pick: impl Fn(RouteNetlinkMessage) -> Option<T>,
) -> io::Result<Option<Vec<T>>> {
    const NLM_F_DUMP_INTR: u16 = 0x10;
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(question.clone()));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    socket.send(&bytes, 0)?;

    let (mut found, mut whole) = (Vec::new(), true);
    loop {
        let (bytes, _) = socket.recv_from_full()?;
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest).map_err(io::Error::other)?;
            let length = (message.header.length as usize).next_multiple_of(4).clamp(1, rest.len());
            rest = &rest[length..];
            whole &= message.header.flags & NLM_F_DUMP_INTR == 0;
            match message.payload {
                NetlinkPayload::Done(_) => return Ok(whole.then_some(found)),
                NetlinkPayload::Error(e) => return Err(e.to_io()),
                NetlinkPayload::InnerMessage(message) => found.extend(pick(message)),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use netlink_packet_route::route::RouteHeader;

    use super::*;

    #[test]
    fn what_the_kernel_says_of_an_address() {
        let (own, peer) = (Ipv4Addr::new(10, 10, 10, 1).into(), Ipv4Addr::new(10, 10, 10, 2).into());
        let mut message = AddressMessage::default();
        (message.header.index, message.header.prefix_len) = (2, 32);
        message.attributes = vec![AddressAttribute::Address(peer), AddressAttribute::Local(own)];
        assert_eq!(address(&message), Some(Address { link: 2, address: own, prefix: 32 }), "not the peer's");
        let ipv6 = Ipv6Addr::LOCALHOST.into();
        message.attributes = vec![AddressAttribute::Address(ipv6)];
        assert_eq!(address(&message), Some(Address { link: 2, address: ipv6, prefix: 32 }), "IPv6 has no other");
        message.attributes.clear();
        assert_eq!(address(&message), None);
    }

    #[test]
    fn a_gateway_is_known_by_its_table() {
        let via = Ipv4Addr::new(9, 9, 9, 2);
        let mut message = RouteMessage::default();
        message.header = RouteHeader { table: 102, ..RouteHeader::default() };
        message.attributes = vec![RouteAttribute::Gateway(RouteAddress::Inet(via)), RouteAttribute::Oif(3)];
        assert_eq!(gateway(&message), Some(Gateway { table: 102, via: via.into(), link: 3 }));
        message.attributes.push(RouteAttribute::Table(1002));
        assert_eq!(gateway(&message).map(|route| route.table), Some(1002));
        message.header.destination_prefix_length = 24;
        assert_eq!(gateway(&message), None, "only those to any destination");
    }

    #[test]
    fn the_kernel_answers() {
        // Whatever this namespace has: the loopback has an address once it is up.
        let addresses = addresses().expect("a dump");
        assert!(addresses.iter().all(|address| address.link > 0), "{addresses:?}");
        gateways().expect("a dump");
    }
}
