//! Who holds which TCP socket: sock_diag for the sockets of a network namespace, `/proc` for the processes that hold them.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP};
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, SocketId, StateFlags};
use netlink_sys::protocols::NETLINK_SOCK_DIAG;
use netlink_sys::{Socket, SocketAddr};
use serde::{Deserialize, Serialize};

/// State of a TCP socket (RFC 9293), as far as the lab tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TcpState {
    /// LISTEN.
    Listen,
    /// ESTABLISHED.
    Established,
    /// Any other.
    Other,
}

/// One TCP socket, as the kernel shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TcpSocket {
    /// Its state.
    pub state: TcpState,
    /// The address that it is bound to.
    pub local: SocketAddrV4,
    /// The other end; `0.0.0.0:0` for a listener.
    pub peer: SocketAddrV4,
    /// The inode by which `/proc/PID/fd` names it; 0 when no process holds it any more.
    pub inode: u32,
}

/// A view of the TCP sockets of the network namespace in which it was opened. It sees IPv4, and IPv6 sockets bound to any
/// address, which take IPv4 connections too.
#[derive(Debug)]
pub struct SocketView(Socket);

impl SocketView {
    /// Opens the view for the calling thread's namespace.
    ///
    /// # Errors
    /// When the kernel has no sock_diag.
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self(socket))
    }

    /// The listening sockets.
    ///
    /// # Errors
    /// When the kernel refuses the question.
    pub fn listeners(&self) -> io::Result<Vec<TcpSocket>> {
        let mut all = self.dump(AF_INET, StateFlags::LISTEN)?;
        all.extend(self.dump(AF_INET6, StateFlags::LISTEN)?);
        Ok(all)
    }

    /// All sockets that are connected, or were until now.
    ///
    /// # Errors
    /// When the kernel refuses the question.
    pub fn connections(&self) -> io::Result<Vec<TcpSocket>> {
        self.dump(AF_INET, StateFlags::all() - StateFlags::LISTEN)
    }

    fn dump(&self, family: u8, states: StateFlags) -> io::Result<Vec<TcpSocket>> {
        let socket_id = if family == AF_INET { SocketId::new_v4() } else { SocketId::new_v6() };
        let extensions = ExtensionFlags::empty();
        let request = InetRequest { family, protocol: IPPROTO_TCP, extensions, states, socket_id };
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | NLM_F_DUMP;
        let mut message = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.0.send(&bytes, 0)?;

        let mut found = Vec::new();
        loop {
            let (bytes, _) = self.0.recv_from_full()?;
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let message = NetlinkMessage::<SockDiagMessage>::deserialize(rest).map_err(io::Error::other)?;
                let length = (message.header.length as usize).next_multiple_of(4).min(rest.len());
                rest = &rest[length.max(1)..];
                match message.payload {
                    NetlinkPayload::Done(_) => return Ok(found),
                    NetlinkPayload::Error(e) => return Err(e.to_io()),
                    NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(answer)) => {
                        found.extend(tcp_socket(&answer.header));
                    }
                    _ => {}
                }
            }
        }
    }
}

fn tcp_socket(header: &netlink_packet_sock_diag::inet::InetResponseHeader) -> Option<TcpSocket> {
    const ESTABLISHED: u8 = 1;
    const LISTEN: u8 = 10;
    let id = &header.socket_id;
    let state = match header.state {
        ESTABLISHED => TcpState::Established,
        LISTEN => TcpState::Listen,
        _ => TcpState::Other,
    };
    let local = SocketAddrV4::new(ipv4(id.source_address)?, id.source_port);
    let peer = SocketAddrV4::new(ipv4(id.destination_address)?, id.destination_port);
    Some(TcpSocket { state, local, peer, inode: header.inode })
}

/// The IPv4 address, also of an IPv6 socket for any address or a mapped one.
fn ipv4(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(v4) => Some(v4),
        IpAddr::V6(v6) if v6.is_unspecified() => Some(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(v6) => v6.to_ipv4_mapped(),
    }
}

/// Every process that `/proc` shows, with the inodes of the sockets that it holds.
///
/// # Errors
/// When `/proc` cannot be read. Processes that end meanwhile are left out.
pub fn socket_holders() -> io::Result<BTreeMap<u32, Vec<i32>>> {
    let mut holders: BTreeMap<u32, Vec<i32>> = BTreeMap::new();
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let Ok(fds) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { continue };
        for fd in fds.flatten() {
            let Ok(target) = std::fs::read_link(fd.path()) else { continue };
            let inode = target.to_str().and_then(|t| t.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok());
            if let Some(inode) = inode {
                let pids = holders.entry(inode).or_default();
                if !pids.contains(&pid) {
                    pids.push(pid);
                }
            }
        }
    }
    Ok(holders)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_kernel_shows_a_connection_and_who_holds_it() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("listens");
        let address = listener.local_addr().expect("bound");
        let client = TcpStream::connect(address).expect("connects");
        let view = SocketView::open().expect("sock_diag");

        let is_ours = |socket: &&TcpSocket| std::net::SocketAddr::V4(socket.local) == address;
        let listening = view.listeners().expect("dump");
        assert_eq!(listening.iter().find(is_ours).expect("the listener").state, TcpState::Listen);

        let near = client.local_addr().expect("connected");
        let connections = view.connections().expect("dump");
        let ours = connections.iter().find(|s| std::net::SocketAddr::V4(s.local) == near).expect("the client's end");
        assert_eq!((ours.state, std::net::SocketAddr::V4(ours.peer)), (TcpState::Established, address));

        let me = i32::try_from(std::process::id()).expect("a small number");
        let holders = socket_holders().expect("/proc");
        assert!(holders[&ours.inode].contains(&me));
        drop(client);
        assert!(!socket_holders().expect("/proc").contains_key(&ours.inode), "nobody holds it any more");
    }
}
