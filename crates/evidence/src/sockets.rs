//! Who holds which TCP socket: sock_diag for the sockets of a network namespace, `/proc` for the processes that hold them.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};

use netlink_packet_core::{
    DefaultNla, NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload, Nla as _,
};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP};
use netlink_packet_sock_diag::inet::nlas::Nla;
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, SocketId, StateFlags};
use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_SOCK_DIAG;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// State of a TCP socket (RFC 9293), as far as the lab tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TcpState {
    /// LISTEN.
    Listen,
    /// SYN-RECEIVED: half open.
    SynReceived,
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
    pub local: SocketAddr,
    /// The other end; port 0 for a listener.
    pub peer: SocketAddr,
    /// The inode by which `/proc/PID/fd` names it; 0 when no process holds it any more.
    pub inode: u32,
    /// Of a listener: connections that wait to be accepted.
    pub waiting: u32,
    /// Of a listener: how many may.
    pub backlog: u32,
}

impl TcpSocket {
    /// Have both ends the same address? Then the connection has never left its host.
    pub fn stays(&self) -> bool {
        self.local.ip() == self.peer.ip()
    }
}

/// A view of the TCP sockets of the network namespace in which it was opened. A connection over IPv4 is shown with IPv4
/// addresses, also when its socket is one of IPv6.
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
        socket.connect(&netlink_sys::SocketAddr::new(0, 0))?;
        Ok(Self(socket))
    }

    /// The listening sockets. One of IPv6 for any address takes IPv4 too, and is shown twice, unless it says that it does not.
    ///
    /// # Errors
    /// When the kernel refuses the question.
    pub fn listeners(&self) -> io::Result<Vec<TcpSocket>> {
        let mut all = self.dump(AF_INET, StateFlags::LISTEN)?;
        for (socket, only_v6) in self.dump_raw(AF_INET6, StateFlags::LISTEN)? {
            if socket.local.ip().is_unspecified() && !only_v6 {
                let local = SocketAddr::from((Ipv4Addr::UNSPECIFIED, socket.local.port()));
                all.push(TcpSocket { local, ..socket });
            }
            all.push(socket);
        }
        Ok(all)
    }

    /// All sockets that are connected, or were until now.
    ///
    /// # Errors
    /// When the kernel refuses the question.
    pub fn connections(&self) -> io::Result<Vec<TcpSocket>> {
        let mut all = self.dump(AF_INET, StateFlags::all() - StateFlags::LISTEN)?;
        all.extend(self.dump(AF_INET6, StateFlags::all() - StateFlags::LISTEN)?);
        Ok(all)
    }

    fn dump(&self, family: u8, states: StateFlags) -> io::Result<Vec<TcpSocket>> {
        Ok(self.dump_raw(family, states)?.into_iter().map(|(socket, _)| socket).collect())
    }

    /// With each socket, whether it is for IPv6 only.
    fn dump_raw(&self, family: u8, states: StateFlags) -> io::Result<Vec<(TcpSocket, bool)>> {
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
                        let only_v6 = answer.nlas.iter().any(|nla| matches!(nla, Nla::Other(nla) if is_v6only(nla)));
                        found.push((tcp_socket(&answer.header), only_v6));
                    }
                    _ => {}
                }
            }
        }
    }
}

/// `INET_DIAG_SKV6ONLY`, which the library does not know.
fn is_v6only(nla: &DefaultNla) -> bool {
    const INET_DIAG_SKV6ONLY: u16 = 11;
    if nla.kind() != INET_DIAG_SKV6ONLY || nla.value_len() != 1 {
        return false;
    }
    let mut value = [0];
    nla.emit_value(&mut value);
    value[0] != 0
}

fn tcp_socket(header: &netlink_packet_sock_diag::inet::InetResponseHeader) -> TcpSocket {
    const ESTABLISHED: u8 = 1;
    const SYN_RECEIVED: u8 = 3;
    const LISTEN: u8 = 10;
    let id = &header.socket_id;
    let state = match header.state {
        ESTABLISHED => TcpState::Established,
        SYN_RECEIVED => TcpState::SynReceived,
        LISTEN => TcpState::Listen,
        _ => TcpState::Other,
    };
    let local = SocketAddr::new(unmapped(id.source_address), id.source_port);
    let peer = SocketAddr::new(unmapped(id.destination_address), id.destination_port);
    let (waiting, backlog) = (header.recv_queue, header.send_queue);
    TcpSocket { state, local, peer, inode: header.inode, waiting, backlog }
}

/// The IPv4 address in place of one that IPv6 has for it.
fn unmapped(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
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

        let is_ours = |socket: &&TcpSocket| socket.local == address;
        let listening = view.listeners().expect("dump");
        assert_eq!(listening.iter().find(is_ours).expect("the listener").state, TcpState::Listen);

        // One for any IPv6 address takes IPv4 too, and is shown for both.
        if let Ok(any) = TcpListener::bind("[::]:0") {
            let port = any.local_addr().expect("bound").port();
            let seen = view.listeners().expect("dump");
            let mut ips: Vec<String> =
                seen.iter().filter(|s| s.local.port() == port).map(|s| s.local.ip().to_string()).collect();
            ips.sort();
            assert_eq!(ips, ["0.0.0.0", "::"]);
        }

        let near = client.local_addr().expect("connected");
        let connections = view.connections().expect("dump");
        let ours = connections.iter().find(|s| s.local == near).expect("the client's end");
        assert_eq!((ours.state, ours.peer), (TcpState::Established, address));

        let me = i32::try_from(std::process::id()).expect("a small number");
        let holders = socket_holders().expect("/proc");
        assert!(holders[&ours.inode].contains(&me));
        drop(client);
        assert!(!socket_holders().expect("/proc").contains_key(&ours.inode), "nobody holds it any more");
    }
}
