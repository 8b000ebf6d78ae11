//! The structure EZBEPORT of the coupling facility, from which SYSPLEXPORTS has its ports, lost and rebuilt.
//!
//! While it is lost, the kernel of no LPAR has an ephemeral port to give: `bind` to port 0 fails with EADDRINUSE and `connect` with
//! EADDRNOTAVAIL. (On z/OS that is so for sockets of the DVIPA alone; here it is all of the LPAR's new sockets. Connections that
//! stand are untouched.)

use std::fs;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, TcpListener};
use std::ops::RangeInclusive;

use super::steps::{Stage, StepError};

const RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";
const RESERVED: &str = "/proc/sys/net/ipv4/ip_local_reserved_ports";

impl Stage<'_> {
    /// Takes the ephemeral ports of every LPAR away, or gives them back, and asks each kernel for one to see that it is so.
    pub(super) fn ezbeport(&mut self, there: bool) -> Result<(), StepError> {
        for lpar in &self.plex.sysplex.lpars {
            let done = self.plex.hosts.inside(&lpar.name, || {
                if there { give(&lpar.ephemeral) } else { take(*lpar.ephemeral.start()) }?;
                match (there, TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))) {
                    (true, Ok(_)) => Ok(()),
                    (false, Err(e)) if e.kind() == ErrorKind::AddrInUse => Ok(()),
                    (true, Err(e)) => Err(e),
                    (false, other) => {
                        Err(io::Error::other(format!("expected no ephemeral port on {}, found {other:?}", lpar.name)))
                    }
                }
            });
            done?;
        }
        Ok(())
    }
}

/// The range is one port, which is reserved.
fn take(port: u16) -> io::Result<()> {
    fs::write(RESERVED, port.to_string())?;
    fs::write(RANGE, format!("{port} {port}"))
}

fn give(range: &RangeInclusive<u16>) -> io::Result<()> {
    fs::write(RANGE, format!("{} {}", range.start(), range.end()))?;
    fs::write(RESERVED, "\n")
}
