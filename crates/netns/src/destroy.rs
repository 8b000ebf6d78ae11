//! Resetting connections: `SOCK_DESTROY` of sock_diag, which answers what the other end says next, and tells both programs, as if
//! the connection had been reset.

use std::io;
use std::net::SocketAddr;

use netlink_packet_core::{NLM_F_ACK, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP};
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, SocketId, StateFlags};
use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_SOCK_DIAG;

/// Number of the request, which the library does not know (linux/sock_diag.h).
const SOCK_DESTROY: u16 = 21;
/// Any socket of these addresses, rather than one that was seen before (linux/inet_diag.h).
const NO_COOKIE: [u8; 8] = [0xff; 8];

/// Resets the TCP connections with these ends in the calling thread's network namespace: this host's end, the other end. Those
/// that have ended meanwhile are passed over.
///
/// # Errors
/// When the kernel refuses: `Unsupported`, when it was built without `CONFIG_INET_DIAG_DESTROY`.
pub fn reset_connections(connections: &[(SocketAddr, SocketAddr)]) -> io::Result<()> {
    let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
    socket.bind_auto()?;
    socket.connect(&netlink_sys::SocketAddr::new(0, 0))?;
    for &(local, peer) in connections {
        // The kernel finds a connection over IPv4 whether its socket is one of IPv4 or of IPv6.
        match destroy(&socket, local, peer) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            result => result?,
        }
    }
    Ok(())
}

fn destroy(socket: &Socket, local: SocketAddr, peer: SocketAddr) -> io::Result<()> {
    let family = if local.is_ipv4() { AF_INET } else { AF_INET6 };
    let mut socket_id = if local.is_ipv4() { SocketId::new_v4() } else { SocketId::new_v6() };
    (socket_id.source_address, socket_id.source_port) = (local.ip(), local.port());
    (socket_id.destination_address, socket_id.destination_port) = (peer.ip(), peer.port());
    socket_id.cookie = NO_COOKIE;
    let (extensions, states) = (ExtensionFlags::empty(), StateFlags::all());
    let request = InetRequest { family, protocol: IPPROTO_TCP, extensions, states, socket_id };
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_ACK;
    let mut message = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    // The type stands behind the length (struct nlmsghdr).
    bytes[4..6].copy_from_slice(&SOCK_DESTROY.to_ne_bytes());
    socket.send(&bytes, 0)?;
    let (answer, _) = socket.recv_from_full()?;
    let answer = NetlinkMessage::<SockDiagMessage>::deserialize(&answer).map_err(io::Error::other)?;
    match answer.payload {
        NetlinkPayload::Error(error) if error.code.is_some() => Err(error.to_io()),
        _ => Ok(()),
    }
}
