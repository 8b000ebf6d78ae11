//! Reading a network namespace: its addresses.

use std::io;
use std::net::IpAddr;

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};

use crate::Batch;

/// An address on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkAddress {
    /// Index of the link.
    pub link: u32,
    /// The address.
    pub address: IpAddr,
    /// Its prefix length in bits.
    pub prefix: u8,
}

/// The addresses of the calling thread's namespace, of both families.
///
/// # Errors
/// When the kernel cannot be asked.
pub fn addresses() -> io::Result<Vec<LinkAddress>> {
    let socket = Batch::socket()?;
    let mut message = NetlinkMessage::from(RouteNetlinkMessage::GetAddress(AddressMessage::default()));
    message.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    socket.send(&bytes, 0)?;
    let mut found = Vec::new();
    loop {
        let (bytes, _) = socket.recv_from_full()?;
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest).map_err(io::Error::other)?;
            let length = (message.header.length as usize).next_multiple_of(4).min(rest.len());
            rest = &rest[length.max(1)..];
            match message.payload {
                NetlinkPayload::Done(_) => return Ok(found),
                NetlinkPayload::Error(e) => return Err(e.to_io()),
                NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewAddress(message)) => found.extend(read(&message)),
                _ => {}
            }
        }
    }
}

fn read(message: &AddressMessage) -> Option<LinkAddress> {
    // LOCAL is the link's own end; for a point-to-point link ADDRESS is the other one. IPv6 has ADDRESS only.
    let pick = |local: bool| {
        message.attributes.iter().find_map(|attribute| match attribute {
            AddressAttribute::Local(address) if local => Some(*address),
            AddressAttribute::Address(address) if !local => Some(*address),
            _ => None,
        })
    };
    let address = pick(true).or_else(|| pick(false))?;
    Some(LinkAddress { link: message.header.index, address, prefix: message.header.prefix_len })
}
