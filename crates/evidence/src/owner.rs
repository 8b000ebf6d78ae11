//! Whose a TCP connection is: the question of a server who is at the other end of a connection from its own system.

use std::io;
use std::net::SocketAddr;

use netlink_packet_core::{NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP};
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, SocketId, StateFlags};
use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_SOCK_DIAG;

/// An answer is about one socket, with no more than its header and a few attributes that were not asked for. One that is cut off would
/// not be understood, and would not be taken for an answer.
const LONGEST_ANSWER: usize = 1024;

/// Asks the kernel whose connections are. It holds one socket, so it can be asked when no more descriptors are to be had.
#[derive(Debug)]
pub struct ConnectionOwners {
    socket: Socket,
    asked: u32,
}

impl ConnectionOwners {
    /// For connections in the calling thread's network namespace.
    ///
    /// # Errors
    /// When the kernel has no sock_diag.
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
        socket.bind_auto()?;
        socket.connect(&netlink_sys::SocketAddr::new(0, 0))?;
        // The answer is there when the question is sent.
        socket.set_non_blocking(true)?;
        Ok(Self { socket, asked: 0 })
    }

    /// The user id of the process that made the connected TCP socket with these two ends. One question to the kernel's table,
    /// however many connections there are.
    ///
    /// # Errors
    /// When there is no such socket, or one that is not connected any more: the kernel keeps what is left of a closed connection
    /// as root's, and that must not be taken for an answer.
    pub fn owner(&mut self, local: SocketAddr, peer: SocketAddr) -> io::Result<u32> {
        const ESTABLISHED: u8 = 1;
        self.asked = self.asked.wrapping_add(1);
        self.socket.send(&question(local, peer, self.asked), 0)?;
        let answer = match self.answer()? {
            NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(answer)) => answer,
            NetlinkPayload::Error(e) => return Err(e.to_io()),
            _ => return Err(io::Error::other("the kernel's answer is not about a socket")),
        };
        // A listener answers, too, where there is no connection.
        let id = &answer.header.socket_id;
        let ends = (id.source_address, id.source_port, id.destination_address, id.destination_port);
        if ends == (local.ip(), local.port(), peer.ip(), peer.port()) && answer.header.state == ESTABLISHED {
            return Ok(answer.header.uid);
        }
        Err(io::Error::new(io::ErrorKind::NotConnected, "the other end has been closed already"))
    }

    /// The answer to the last question; one to an earlier question that failed half-way is not it.
    fn answer(&self) -> io::Result<NetlinkPayload<SockDiagMessage>> {
        let mut space = [0; LONGEST_ANSWER];
        loop {
            let length = self.socket.recv(&mut &mut space[..], 0)?;
            let bytes = &space[..length];
            let message = NetlinkMessage::<SockDiagMessage>::deserialize(bytes).map_err(io::Error::other)?;
            if message.header.sequence_number == self.asked {
                return Ok(message.payload);
            }
        }
    }
}

fn question(local: SocketAddr, peer: SocketAddr, number: u32) -> Vec<u8> {
    let (family, id) = if local.is_ipv4() { (AF_INET, SocketId::new_v4()) } else { (AF_INET6, SocketId::new_v6()) };
    let socket_id = SocketId {
        source_address: local.ip(),
        source_port: local.port(),
        destination_address: peer.ip(),
        destination_port: peer.port(),
        // INET_DIAG_NOCOOKIE: whatever socket it is.
        cookie: [0xff; 8],
        ..id
    };
    let (extensions, states) = (ExtensionFlags::empty(), StateFlags::all());
    let request = InetRequest { family, protocol: IPPROTO_TCP, extensions, states, socket_id };
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST;
    header.sequence_number = number;
    let mut message = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_other_end_has_an_owner_while_it_is_connected() {
        let mut owners = ConnectionOwners::open().expect("sock_diag");
        for any in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(any) else { continue };
            let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("connects");
            let (server, _) = listener.accept().expect("accepts");
            let (near, far) = (client.local_addr().expect("connected"), client.peer_addr().expect("connected"));
            assert_eq!(owners.owner(near, far).expect("an owner"), rustix::process::geteuid().as_raw());
            // The listener has this local end as well.
            let nobody = SocketAddr::new(near.ip(), 1);
            assert!(owners.owner(far, nobody).is_err());
            drop(client);
            let gone = owners.owner(near, far).expect_err("closed");
            assert!(!format!("{gone}").is_empty());
            drop(server);
        }
        assert!(owners.owner(([127, 0, 0, 1], 1).into(), ([127, 0, 0, 1], 2).into()).is_err(), "there is none");
    }
}
