//! Options of TCP sockets on which one side may be silent for hours.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::net::sockopt;

/// TCP keepalive: after which silence, and how, a peer that vanished without a word is given up: `idle + probes * interval`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepAlive {
    /// Silence before the first probe; whole seconds.
    pub idle: Duration,
    /// From one probe to the next; whole seconds.
    pub interval: Duration,
    /// Probes without an answer after which the connection is lost.
    pub probes: u32,
}

impl KeepAlive {
    /// Sets these figures on a socket, and that short messages go out at once (`TCP_NODELAY`).
    ///
    /// # Errors
    /// When the socket does not take one of them; those before it are set.
    pub fn set_on(self, socket: &impl AsFd) -> io::Result<()> {
        sockopt::set_tcp_nodelay(socket, true)?;
        sockopt::set_socket_keepalive(socket, true)?;
        sockopt::set_tcp_keepidle(socket, self.idle)?;
        sockopt::set_tcp_keepintvl(socket, self.interval)?;
        Ok(sockopt::set_tcp_keepcnt(socket, self.probes)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_has_the_figures() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
        let figures = KeepAlive { idle: Duration::from_secs(15), interval: Duration::from_secs(5), probes: 3 };
        figures.set_on(&socket).expect("set");
        assert!(sockopt::tcp_nodelay(&socket).expect("nodelay"));
        assert!(sockopt::socket_keepalive(&socket).expect("keepalive"));
        let set = KeepAlive {
            idle: sockopt::tcp_keepidle(&socket).expect("idle"),
            interval: sockopt::tcp_keepintvl(&socket).expect("interval"),
            probes: sockopt::tcp_keepcnt(&socket).expect("probes"),
        };
        assert_eq!(set, figures);
    }

    #[test]
    fn a_socket_of_another_kind_refuses() {
        let figures = KeepAlive { idle: Duration::from_secs(1), interval: Duration::from_secs(1), probes: 1 };
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("bind");
        assert!(figures.set_on(&socket).is_err());
    }
}
