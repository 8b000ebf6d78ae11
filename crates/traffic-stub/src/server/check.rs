//! What the procedure of a server does on z/OS before it starts the server: it looks in NETSTAT whether the port is in use.

use std::net::SocketAddr;

use clap::ValueEnum;
use evidence::SocketView;

use super::Config;

/// How a port is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PortCheck {
    /// By its number alone. A server at another address of the same system has it too, and this one does not start.
    Port,
    /// By address and port.
    Socket,
}

impl PortCheck {
    /// Is no port in use?
    pub(super) fn all_free(self, config: &Config) -> Result<(), String> {
        let listening = SocketView::open().and_then(|view| view.listeners());
        let listening = listening.map_err(|e| format!("cannot look for listening sockets: {e}"))?;
        let found = listening.into_iter().map(|socket| socket.local).find(|found| self.is_in_the_way(*found, config));
        found.map_or(Ok(()), |found| Err(format!("port {} is in use: {found} listens", found.port())))
    }

    fn is_in_the_way(self, found: SocketAddr, config: &Config) -> bool {
        let own = config.bind.filter(|bind| !bind.is_unspecified());
        let same_address = found.ip().is_unspecified() || own.is_none_or(|own| own == found.ip());
        config.ports.contains(&found.port()) && (self == Self::Port || same_address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_address_is_in_the_way_of_the_port_alone() {
        let bind = Some("10.10.10.2".parse().expect("an address"));
        let config = Config { ports: vec![7554], bind, backlog: 1, port_check: None };
        for (found, by_port, by_socket) in [
            ("10.10.10.1:7554", true, false),
            ("10.10.10.2:7554", true, true),
            ("0.0.0.0:7554", true, true),
            ("10.10.10.2:7555", false, false),
        ] {
            let found = found.parse().expect("an address");
            let seen = [PortCheck::Port, PortCheck::Socket].map(|check| check.is_in_the_way(found, &config));
            assert_eq!(seen, [by_port, by_socket], "{found}");
        }
        let any = Config { bind: None, ..config };
        assert!(PortCheck::Socket.is_in_the_way("10.10.10.1:7554".parse().expect("an address"), &any));
    }
}
