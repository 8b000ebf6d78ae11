//! What a host's own network looks like, as data.

use std::io;
use std::net::IpAddr;

use crate::Batch;

/// One route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Destination; `0.0.0.0/0` or `::/0` is the default route.
    pub to: (IpAddr, u8),
    /// Gateway; without one, the destination is the host itself, or who is on the link.
    pub via: Option<IpAddr>,
    /// The address that connections have which are made by this route and are not bound to one.
    pub source: Option<IpAddr>,
    /// Index of the interface.
    pub link: u32,
    /// Routing table; 254 is the main one.
    pub table: u32,
    /// Without a gateway: the destination is whoever is on the link, not the host itself.
    pub on_link: bool,
    /// Longest packet that goes this way, in bytes; by default the link's.
    pub mtu: Option<u32>,
    /// The maximum segment size that connections by this route tell the other side; by default what fits the MTU.
    pub advmss: Option<u32>,
}

/// One policy rule. The default is for all packets of IPv4.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// Its place; lower is asked first.
    pub priority: u32,
    /// Only packets with this mark; all when `None`.
    pub mark: Option<u32>,
    /// Only what the host itself says.
    pub own: bool,
    /// Only packets from this address.
    pub from: Option<IpAddr>,
    /// Only packets to this address.
    pub to: Option<IpAddr>,
    /// Only packets of TCP to these ports, first and last.
    pub tcp_ports: Option<(u16, u16)>,
    /// The table to look in; 255 is the `local` one.
    pub table: u32,
    /// For packets of IPv6; else of IPv4.
    pub ipv6: bool,
}

/// Settings of one link, by netlink rather than by `/proc/sys`: the kernel takes a lock for links and lets a write to
/// `/proc/sys` that needs it spin until it is free, which costs more than all the rest while other hosts are being made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkConf {
    /// Index of the link.
    pub link: u32,
    /// IPv4 settings: numbers of `linux/ip.h` (`IPV4_DEVCONF_...`) and values.
    pub ipv4: Vec<(u16, u32)>,
    /// No IPv6 link-local address, and so none of its neighbour and multicast chatter in captures. For kernels with IPv6.
    pub no_ipv6_address: bool,
}

/// The network of one host. Applied in the order of the fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetConfig {
    /// Below `/proc/sys/net/`, for instance `("ipv4/ip_forward", "1")`.
    pub sysctls: Vec<(String, String)>,
    /// Settings of links, before they are brought up.
    pub links: Vec<LinkConf>,
    /// Indexes of links to bring up (1 is the loopback).
    pub up: Vec<u32>,
    /// Index of the link, address, prefix length in bits.
    pub addresses: Vec<(u32, IpAddr, u8)>,
    /// Routes.
    pub routes: Vec<Route>,
    /// Rules to add.
    pub rules: Vec<Rule>,
    /// Rules to take away.
    pub remove_rules: Vec<Rule>,
}

impl NetConfig {
    /// Writes the settings that need no link, in the calling thread's namespace.
    pub(crate) fn apply_sysctls(&self) -> io::Result<()> {
        for (name, value) in &self.sysctls {
            let path = format!("/proc/sys/net/{name}");
            std::fs::write(&path, value).map_err(|e| io::Error::new(e.kind(), format!("{path} = {value}: {e}")))?;
        }
        Ok(())
    }

    /// Does all the rest in the calling thread's namespace.
    ///
    /// # Errors
    /// The first request that the kernel refused.
    pub fn commit(&self) -> io::Result<()> {
        self.requests().commit(&mut Batch::socket()?).map_err(io::Error::other)
    }

    /// All the rest, to be committed to a socket of the host's namespace.
    pub(crate) fn requests(&self) -> Batch {
        let mut batch = Batch::default();
        for conf in &self.links {
            batch.link_conf(conf);
        }
        for &link in &self.up {
            batch.link_up(link);
        }
        for &(link, address, prefix) in &self.addresses {
            batch.address(link, address, prefix);
        }
        for route in &self.routes {
            batch.route(route);
        }
        for rule in &self.rules {
            batch.rule(rule);
        }
        for rule in &self.remove_rules {
            batch.remove_rule(rule);
        }
        batch
    }
}
