//! What the operator is told of those who speak TLS where it is not spoken, or do not where it is.
//!
//! It is the sign of two ends that were not set up alike: on z/OS, of an AT-TLS rule that covers the port on one system and not
//! on the other. (The messages are ours.) A stranger can make it happen as often as he likes, so it is not said each time.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use dbm_protocol::RefusalCode;
use evidence::{Refusal, What};

use crate::core::Port;

/// From one such message about a port to the next.
const AT_MOST_EVERY: Duration = Duration::from_secs(60);

/// What is wrong with a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// TLS is spoken here, and the peer speaks without it.
    NoTls,
    /// The peer speaks TLS, and there is none here.
    TlsHere,
    /// Both speak TLS and do not come together.
    Handshake(String),
}

impl Trouble {
    /// One sentence about a peer at one of the two ports.
    fn sentence(&self, port: Port, peer: SocketAddr) -> String {
        let (name, switch) = if port == Port::Client { ("CLIENT", "CLIENTTLS") } else { ("HUB", "HUBTLS") };
        let rule = "on z/OS, is there an AT-TLS rule for this port?";
        let ip = peer.ip().to_canonical();
        match self {
            Self::NoTls => format!("{ip} speaks without TLS on the {name} port, and {switch}=ON here; {rule}"),
            Self::TlsHere => format!("{ip} speaks TLS on the {name} port, and {switch}=OFF here; {rule}"),
            Self::Handshake(reason) => format!("no TLS with {ip} on the {name} port: {reason}"),
        }
    }

    /// The same as an event.
    pub(super) fn event(&self, port: Port, peer: SocketAddr) -> What {
        let refusal = Refusal { code: RefusalCode::Tls.as_str().to_owned(), reason: self.sentence(port, peer) };
        match port {
            Port::Client => What::EngineRefused { peer, session: None, refusal },
            _ => What::HubRefused { peer, refusal },
        }
    }
}

/// When the operator was told last.
#[derive(Debug, Default)]
pub(super) struct Told {
    client: Last,
    hub: Last,
}

#[derive(Debug, Default)]
struct Last {
    at: Option<Instant>,
    /// How many he was not told of since.
    since: u64,
}

impl Told {
    /// The message to the operator, if it is time for one.
    pub(super) fn message(&mut self, trouble: &Trouble, port: Port, peer: SocketAddr, now: Instant) -> Option<String> {
        let last = if port == Port::Client { &mut self.client } else { &mut self.hub };
        if last.at.is_some_and(|at| now.duration_since(at) < AT_MOST_EVERY) {
            last.since += 1;
            return None;
        }
        last.at = Some(now);
        let more = match std::mem::take(&mut last.since) {
            0 => String::new(),
            n => format!(" ({n} more of this kind since the last message)"),
        };
        Some(format!("EQACM910W {}{more}", trouble.sentence(port, peer)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operator_is_told_at_once_and_then_once_a_minute_how_many() {
        let (mut told, now) = (Told::default(), Instant::now());
        let peer = "[::ffff:10.10.10.101]:40001".parse().expect("address");
        let mut say = |port, seconds| told.message(&Trouble::TlsHere, port, peer, now + Duration::from_secs(seconds));
        let text = "EQACM910W 10.10.10.101 speaks TLS on the CLIENT port, and CLIENTTLS=OFF here; on z/OS, is there an \
                    AT-TLS rule for this port?";
        assert_eq!(say(Port::Client, 0).as_deref(), Some(text));
        assert_eq!((say(Port::Client, 1), say(Port::Client, 59)), (None, None));
        assert!(say(Port::Hub, 59).is_some_and(|text| text.contains("HUBTLS=OFF")), "the other port has its own");
        let more = format!("{text} (2 more of this kind since the last message)");
        assert_eq!(say(Port::Client, 60), Some(more));
        assert_eq!(say(Port::Client, 120).as_deref(), Some(text));
    }
}
