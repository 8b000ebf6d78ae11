//! Which port an RSE server binds for its client's second connection.
//!
//! Source: "Defining the PORTRANGE available for RSE server", "Control server port usage in rse.env". `_RSE_PORTRANGE=min-max`
//! excludes max; most logons get the first port, and the rest is a buffer for logons at the same time, because a port is held
//! only between the server's bind and the client's connect.

use std::io::{self, ErrorKind};
use std::net::Ipv4Addr;
use std::ops::Range;
use std::str::FromStr;

use tokio::net::TcpListener;

/// `_RSE_PORTRANGE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortRange(Range<u16>);

/// Not a port range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("found `{0}`, expected MIN-MAX with 1 <= MIN < MAX <= 65535; MAX is excluded: 8108-8118 is 8108 to 8117")]
pub struct BadRange(String);

impl FromStr for PortRange {
    type Err = BadRange;

    fn from_str(text: &str) -> Result<Self, BadRange> {
        let port = |digits: &str| Some(digits).filter(|d| !d.starts_with('+')).and_then(|d| d.parse::<u16>().ok());
        let ends = text.split_once('-').and_then(|(min, max)| Some((port(min.trim())?, port(max.trim())?)));
        match ends {
            Some((min, max)) if 0 < min && min < max => Ok(Self(min..max)),
            _ => Err(BadRange(text.chars().take(40).collect())),
        }
    }
}

/// Binds the first free port of the range, on any address; without a range, one that the system chooses.
///
/// # Errors
/// When no port of the range is free, or the system has none to give.
pub async fn bind(range: Option<&PortRange>) -> io::Result<TcpListener> {
    let Some(PortRange(range)) = range else { return ephemeral().await };
    for port in range.clone() {
        match TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await {
            Err(e) if e.kind() == ErrorKind::AddrInUse => {}
            bound_or_failed => return bound_or_failed,
        }
    }
    let reason = format!("all ports of _RSE_PORTRANGE {}-{} are in use", range.start, range.end);
    Err(io::Error::new(ErrorKind::AddrInUse, reason))
}

async fn ephemeral() -> io::Result<TcpListener> {
    let bound = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await;
    bound.map_err(|e| match e.kind() {
        ErrorKind::AddrInUse => io::Error::new(e.kind(), "the system has no ephemeral port to give"),
        _ => e,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_upper_end_is_excluded() {
        assert_eq!("8108-8118".parse(), Ok(PortRange(8108..8118)));
        assert_eq!("1 - 65535".parse(), Ok(PortRange(1..65535)));
        for bad in ["", "8108", "8118-8108", "8108-8108", "0-5", "1-65536", "+1-5", "a-b", "1-2-3"] {
            assert!(bad.parse::<PortRange>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_port_is_free_again_once_the_listener_is_closed_though_a_connection_lives_on_it() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        runtime.block_on(async {
            let listener = bind(None).await.expect("bind");
            let port = listener.local_addr().expect("address").port();
            let range = PortRange(port..port + 1);
            let error = bind(Some(&range)).await.expect_err("it is held");
            assert!(error.to_string().contains(&format!("{port}-{}", port + 1)), "{error}");
            let client = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.expect("connect");
            let server = listener.accept().await.expect("accept");
            drop(listener);
            bind(Some(&range)).await.expect("free again");
            drop((client, server));
        });
    }
}
