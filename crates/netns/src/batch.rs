//! Netlink in batches: many requests in one system call, one acknowledgement for all of them.
//!
//! (`rtnetlink` sends one request at a time and waits for each; here 32 LPARs take as many system calls as one.)

mod routing;

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_core::{
    DefaultNla, NLA_F_NESTED, NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage, AddressScope};
use netlink_packet_route::link::{
    InfoBridge, InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};

use crate::LinkConf;

/// Requests in one system call. An error message takes about a kilobyte of the socket's buffer while the call lasts.
const CHUNK: usize = 100;

/// A request that the kernel refused.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {error}")]
pub struct NetlinkError {
    /// What was asked.
    pub what: String,
    /// What the kernel said.
    pub error: io::Error,
}

/// A veth pair between a bridge of the fabric and a host.
#[derive(Clone, Copy, Debug)]
pub struct Veth<'a> {
    /// Index and name of the end at the bridge.
    pub outer: (u32, &'a str),
    /// Index of the bridge.
    pub bridge: u32,
    /// Index and name of the end in the host. Not the same number as the outer index: the kernel would take the pair for a
    /// link without a lower one and let up to a second pass before it notices the carrier.
    pub inner: (u32, &'a str),
    /// Hardware address of the end in the host; the kernel chooses one when there is none.
    pub mac: Option<[u8; 6]>,
    /// The host's namespace.
    pub netns: BorrowedFd<'a>,
}

/// Requests that are sent together, in order.
#[derive(Default)]
pub struct Batch {
    requests: Vec<(String, u16, RouteNetlinkMessage)>,
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.requests.iter().map(|(what, ..)| what)).finish()
    }
}

impl Batch {
    /// A netlink socket in the calling thread's namespace.
    ///
    /// # Errors
    /// When the kernel gives none.
    pub fn socket() -> io::Result<Socket> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        socket.set_cap_ack(true)?; // errors do not repeat the request
        Ok(socket)
    }

    /// Is nothing asked?
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// A bridge, up.
    pub fn bridge(&mut self, index: u32, name: &str) {
        let data = InfoData::Bridge(vec![InfoBridge::MulticastSnooping(false)]);
        let info = vec![LinkInfo::Kind(InfoKind::Bridge), LinkInfo::Data(data)];
        let message = link(index, true, vec![LinkAttribute::IfName(name.into()), LinkAttribute::LinkInfo(info)]);
        self.push(format!("bridge {name}"), CREATE, RouteNetlinkMessage::NewLink(message));
    }

    /// A veth pair: the outer end up and at the bridge, the inner end in the host's namespace, down.
    pub fn veth(&mut self, veth: &Veth<'_>) {
        self.pair(veth, true, vec![LinkAttribute::Controller(veth.bridge)], &ONE_QUEUE);
    }

    /// A bare veth pair: at no bridge (`bridge` is not used), both ends down, and as many queues as the kernel likes.
    pub fn plain_veth(&mut self, veth: &Veth<'_>) {
        self.pair(veth, false, vec![], &[]);
    }

    fn pair(&mut self, veth: &Veth<'_>, up: bool, mut attributes: Vec<LinkAttribute>, of_both: &[LinkAttribute]) {
        let (inner, inner_name) = veth.inner;
        let (outer, outer_name) = veth.outer;
        let mut peer = vec![LinkAttribute::IfName(inner_name.into()), LinkAttribute::NetNsFd(veth.netns.as_raw_fd())];
        peer.extend(veth.mac.map(|mac| LinkAttribute::Address(mac.to_vec())));
        peer.extend_from_slice(of_both);
        let data = InfoData::Veth(InfoVeth::Peer(link(inner, false, peer)));
        let info = vec![LinkInfo::Kind(InfoKind::Veth), LinkInfo::Data(data)];
        attributes.extend([LinkAttribute::IfName(outer_name.into()), LinkAttribute::LinkInfo(info)]);
        attributes.extend_from_slice(of_both);
        let message = RouteNetlinkMessage::NewLink(link(outer, up, attributes));
        self.push(format!("veth {outer_name} - {inner_name}"), CREATE, message);
    }

    /// Brings a link up.
    pub fn link_up(&mut self, index: u32) {
        self.push(format!("link {index} up"), 0, RouteNetlinkMessage::SetLink(link(index, true, vec![])));
    }

    /// Takes a link down.
    pub fn link_down(&mut self, index: u32) {
        let mut message = link(index, true, vec![]);
        message.header.flags -= LinkFlags::Up; // of those that change
        self.push(format!("link {index} down"), 0, RouteNetlinkMessage::SetLink(message));
    }

    /// Takes a link away, and with it the other end of its pair.
    pub fn remove_link(&mut self, index: u32) {
        self.push(format!("remove link {index}"), 0, RouteNetlinkMessage::DelLink(link(index, false, vec![])));
    }

    /// Settings of a link.
    pub fn link_conf(&mut self, conf: &LinkConf) {
        const IFLA_AF_SPEC: u16 = 26;
        let spec = LinkAttribute::Other(DefaultNla::new(IFLA_AF_SPEC | NLA_F_NESTED, af_spec(conf)));
        let message = RouteNetlinkMessage::SetLink(link(conf.link, false, vec![spec]));
        self.push(format!("settings of link {}", conf.link), 0, message);
    }

    /// Sets the hardware address of a link, also to what it is already: with `arp_notify` (`ndisc_notify`) on, the kernel then
    /// announces all addresses of the link to its neighbours.
    pub fn hardware_address(&mut self, index: u32, mac: [u8; 6]) {
        let message = link(index, false, vec![LinkAttribute::Address(mac.to_vec())]);
        self.push(format!("hardware address of link {index}"), 0, RouteNetlinkMessage::SetLink(message));
    }

    /// An address on a link.
    pub fn address(&mut self, link: u32, address: IpAddr, prefix: u8) {
        let message = RouteNetlinkMessage::NewAddress(address_message(link, address, prefix));
        self.push(format!("address {address}/{prefix} on link {link}"), CREATE, message);
    }

    /// Takes an address from a link.
    pub fn remove_address(&mut self, link: u32, address: IpAddr, prefix: u8) {
        let message = RouteNetlinkMessage::DelAddress(address_message(link, address, prefix));
        self.push(format!("remove address {address}/{prefix} from link {link}"), 0, message);
    }

    fn push(&mut self, what: String, flags: u16, message: RouteNetlinkMessage) {
        self.requests.push((what, flags, message));
    }

    /// Sends all requests and waits until the kernel has done them.
    ///
    /// # Errors
    /// The first request that was refused. Those after it were tried all the same.
    pub fn commit(self, socket: &mut Socket) -> Result<(), NetlinkError> {
        let mut refused = None;
        let requests: Vec<_> = self.requests;
        let mut rest = requests.as_slice();
        while !rest.is_empty() {
            let (chunk, later) = rest.split_at(rest.len().min(CHUNK));
            rest = later;
            let result = commit_chunk(socket, chunk);
            let result = result.map_err(|error| NetlinkError { what: "netlink".into(), error })?;
            if let Some((index, error)) = result {
                refused.get_or_insert(NetlinkError { what: chunk[index].0.clone(), error });
            }
        }
        refused.map_or(Ok(()), Err)
    }
}

/// A veth that is not told how many queues it is to have gets one for each processor, puts all but one to rest, and waits for
/// the kernel to notice (two RCU grace periods, about a millisecond): most of the time that a pair takes.
const ONE_QUEUE: [LinkAttribute; 2] = [LinkAttribute::NumTxQueues(1), LinkAttribute::NumRxQueues(1)];

const CREATE: u16 = NLM_F_CREATE | NLM_F_EXCL;

/// Sends one chunk; returns the first request that was refused.
fn commit_chunk(
    socket: &mut Socket,
    chunk: &[(String, u16, RouteNetlinkMessage)],
) -> io::Result<Option<(usize, io::Error)>> {
    let mut bytes = Vec::new();
    for (index, (_, flags, message)) in chunk.iter().enumerate() {
        let mut message = NetlinkMessage::from(message.clone());
        message.header.sequence_number = u32::try_from(index).unwrap_or(u32::MAX);
        message.header.flags = NLM_F_REQUEST | flags;
        if index + 1 == chunk.len() {
            message.header.flags |= NLM_F_ACK; // errors are reported anyway; the last answer says that all are done
        }
        message.finalize();
        let start = bytes.len();
        bytes.resize(start + message.buffer_len(), 0);
        message.serialize(&mut bytes[start..]);
    }
    socket.send(&bytes, 0)?;
    let mut refused = None;
    loop {
        let (answer, _) = socket.recv_from_full()?;
        let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&answer).map_err(io::Error::other)?;
        if let NetlinkPayload::Error(error) = answer.payload {
            let index = answer.header.sequence_number as usize;
            if error.code.is_some() && refused.is_none() {
                refused = Some((index, error.to_io()));
            }
            if index + 1 == chunk.len() {
                return Ok(refused);
            }
        }
    }
}

fn link(index: u32, up: bool, attributes: Vec<LinkAttribute>) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    if up {
        message.header.flags = LinkFlags::Up;
        message.header.change_mask = LinkFlags::Up;
    }
    message.attributes = attributes;
    message
}

/// `IFLA_AF_SPEC` as the kernel reads it. (The library knows only what the kernel writes, which is laid out otherwise.)
fn af_spec(conf: &LinkConf) -> Vec<u8> {
    const AF_INET: u16 = 2;
    const AF_INET6: u16 = 10;
    const IFLA_INET_CONF: u16 = 1;
    const IFLA_INET6_ADDR_GEN_MODE: u16 = 8;
    const ADDR_GEN_MODE_NONE: u8 = 1;
    let values =
        conf.ipv4.iter().flat_map(|&(number, value)| attribute(number, &value.to_ne_bytes())).collect::<Vec<_>>();
    let mut spec = attribute(AF_INET | NLA_F_NESTED, &attribute(IFLA_INET_CONF | NLA_F_NESTED, &values));
    if conf.no_ipv6_address {
        let mode = attribute(IFLA_INET6_ADDR_GEN_MODE, &[ADDR_GEN_MODE_NONE]);
        spec.extend(attribute(AF_INET6 | NLA_F_NESTED, &mode));
    }
    spec
}

/// One netlink attribute, padded to four bytes.
fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 4).unwrap_or(u16::MAX);
    let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

fn address_message(link: u32, address: IpAddr, prefix: u8) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = family(address);
    message.header.prefix_len = prefix;
    message.header.scope = AddressScope::Universe;
    message.header.index = link;
    message.attributes = vec![AddressAttribute::Local(address), AddressAttribute::Address(address)];
    if address.is_ipv6() {
        // Nobody else has it: no waiting for duplicates (RFC 4862, 5.4).
        message.header.flags = AddressHeaderFlags::Nodad;
    }
    message
}
