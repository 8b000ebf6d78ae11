//! IPv4 or IPv6, and the names of sets and chains.

use std::net::IpAddr;

/// IPv4 or IPv6; each has tools, tables and sets of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    pub(super) const ALL: [Self; 2] = [Self::V4, Self::V6];

    pub(super) fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    /// The tool that sets rules.
    pub(super) fn restore(self) -> &'static str {
        match self {
            Self::V4 => "iptables-restore",
            Self::V6 => "ip6tables-restore",
        }
    }

    /// The tool that prints rules.
    pub(super) fn save(self) -> &'static str {
        match self {
            Self::V4 => "iptables-save",
            Self::V6 => "ip6tables-save",
        }
    }

    /// As ipset names it.
    pub(super) fn inet(self) -> &'static str {
        match self {
            Self::V4 => "inet",
            Self::V6 => "inet6",
        }
    }

    /// What the names of its sets start with; both families share one namespace of them.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::V4 => "dv4-",
            Self::V6 => "dv6-",
        }
    }

    /// The name of a set.
    pub(super) fn set(self, name: &str) -> String {
        format!("{}{name}", self.prefix())
    }
}

/// The longest DVIPA that stands in the name of a chain as it is, in characters. A name has 28 at most.
const LONGEST: usize = 15;

/// The name of a chain for a DVIPA's port. A long address of IPv6 stands there as a number of 64 bits.
pub(super) fn chain(what: &str, dvipa: IpAddr, port: u16) -> String {
    // A colon is no part of a name.
    let text = dvipa.to_string().replace(':', "_");
    let text = if text.len() <= LONGEST { text } else { format!("{:016x}", fnv(dvipa)) };
    format!("{what}-{port}-{text}")
}

/// FNV-1a: short and the same on every machine.
fn fnv(address: IpAddr) -> u64 {
    let octets = match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    octets.iter().fold(0xcbf2_9ce4_8422_2325, |hash, octet| (hash ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_chains_are_short_enough() {
        let name = |address: &str| chain("turn", address.parse().expect("an address"), 65535);
        assert_eq!(name("10.10.10.1"), "turn-65535-10.10.10.1");
        assert_eq!(name("fd00::1"), "turn-65535-fd00__1");
        assert_eq!(name("255.255.255.255").len(), 26);
        let long = name("fd00:1111:2222:3333:4444:5555:6666:7777");
        assert_eq!(long.len(), 27);
        assert_ne!(long, name("fd00:1111:2222:3333:4444:5555:6666:7778"));
    }
}
