//! IPv4 or IPv6, and the names of sets.

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
