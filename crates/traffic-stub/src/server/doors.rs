//! The sockets that a server listens on.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::Poll;

use rustix::io::Errno;
use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::Config;

/// One listening socket per port, or none while they are closed.
#[derive(Debug)]
pub(super) struct Doors {
    bind: Option<IpAddr>,
    backlog: u32,
    /// The ports, with the numbers that the system gave in place of 0.
    ports: Vec<u16>,
    listeners: Vec<TcpListener>,
    /// Which one is asked first next time, so that a busy one does not keep the others waiting.
    next: usize,
}

impl Doors {
    /// Listens on every port.
    pub(super) fn open(config: &Config) -> Result<Self, String> {
        let &Config { ref ports, bind, backlog, port_check: _ } = config;
        let mut doors = Self { bind, backlog, ports: ports.clone(), listeners: Vec::new(), next: 0 };
        doors.open_again()?;
        doors.ports = doors.addresses().map(|address| address.port()).collect();
        Ok(doors)
    }

    /// Listens on every port again; nothing is changed when that cannot be done for all, or while they are open.
    pub(super) fn open_again(&mut self) -> Result<(), String> {
        if self.are_open() {
            return Ok(());
        }
        let listen = |&port: &u16| {
            listen(self.bind, port, self.backlog).map_err(|e| {
                let at = self.bind.map_or_else(|| "any address".to_owned(), |address| address.to_string());
                format!("cannot listen on port {port} of {at}: {e}")
            })
        };
        self.listeners = self.ports.iter().map(listen).collect::<Result<_, _>>()?;
        Ok(())
    }

    /// Listens no more. Who waits to be accepted is reset by the system.
    pub(super) fn close(&mut self) {
        self.listeners.clear();
    }

    pub(super) fn are_open(&self) -> bool {
        !self.listeners.is_empty()
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.listeners.iter().filter_map(|listener| listener.local_addr().ok())
    }

    /// The next connection, and the port it came to; waits for ever while the doors are closed. Cancel safe.
    pub(super) async fn accept(&mut self) -> io::Result<(TcpStream, u16)> {
        poll_fn(|context| {
            let doors = self.listeners.len();
            for number in (0..doors).map(|n| (self.next + n) % doors) {
                if let Poll::Ready(accepted) = self.listeners[number].poll_accept(context) {
                    self.next = number + 1;
                    return Poll::Ready(accepted.map(|(stream, _)| (stream, self.ports[number])));
                }
            }
            Poll::Pending
        })
        .await
    }
}

fn listen(bind: Option<IpAddr>, port: u16, backlog: u32) -> io::Result<TcpListener> {
    let (socket, address) = match bind {
        Some(address) => (socket_for(address)?, address),
        None => any_address()?,
    };
    // Connections of before may still be there when the port is to be opened again.
    socket.set_reuseaddr(true)?;
    socket.bind((address, port).into())?;
    socket.listen(backlog)
}

fn socket_for(address: IpAddr) -> io::Result<TcpSocket> {
    if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }
}

/// One socket for IPv6 and IPv4 alike; for IPv4 alone where the system has no IPv6.
fn any_address() -> io::Result<(TcpSocket, IpAddr)> {
    match TcpSocket::new_v6() {
        Ok(socket) => {
            sockopt::set_ipv6_v6only(&socket, false)?;
            Ok((socket, Ipv6Addr::UNSPECIFIED.into()))
        }
        Err(e) if Errno::from_io_error(&e) == Some(Errno::AFNOSUPPORT) => {
            Ok((TcpSocket::new_v4()?, Ipv4Addr::UNSPECIFIED.into()))
        }
        Err(e) => Err(e),
    }
}
