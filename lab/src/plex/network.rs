//! From a sysplex to links and configurations: pure.

use std::net::Ipv4Addr;

use distributor::routes_for;
use netns::{Batch, LinkConf, NetConfig, NetNs, Route, Rule, Veth};
use std::os::fd::AsFd;
use sysplex::{Lpar, Sysplex, Workstation};

/// Index of the LAN interface in every host.
pub const LAN_LINK: u32 = 2;
/// Index of the XCF interface in every LPAR.
pub const XCF_LINK: u32 = 3;
/// Name of the LAN interface in every host.
pub const LAN: &str = "lan0";
/// Name of the XCF interface in every LPAR.
pub const XCF: &str = "xcf0";

const LOOPBACK: u32 = 1;
const LAN_BRIDGE: u32 = 10;
const XCF_BRIDGE: u32 = 11;
/// Indexes of the fabric's ends of the links start here, away from those in the hosts.
const LAN_PORTS: u32 = 100;
const XCF_PORTS: u32 = 200;

/// The `local` table and where it is asked by default.
const LOCAL_TABLE: u32 = 255;
/// Where it is asked in an LPAR: after the marks.
const LOCAL_PRIORITY: u32 = 100;

/// The two segments of the fabric.
pub(super) fn segments() -> Batch {
    let mut batch = Batch::default();
    batch.bridge(LAN_BRIDGE, "lan");
    batch.bridge(XCF_BRIDGE, "xcf");
    batch
}

/// The links of one host: always to the LAN, for an LPAR to XCF too. `position` counts the hosts from 0.
pub(super) fn links(position: usize, netns: &NetNs, is_lpar: bool) -> Batch {
    let mut batch = Batch::default();
    let number = u32::try_from(position).unwrap_or(u32::MAX / 2) + 1;
    let (lan, xcf) = (format!("lan{number}"), format!("xcf{number}"));
    let netns = netns.as_fd();
    batch.veth(&Veth { outer: (LAN_PORTS + number, &lan), bridge: LAN_BRIDGE, inner: (LAN_LINK, LAN), netns });
    if is_lpar {
        batch.veth(&Veth { outer: (XCF_PORTS + number, &xcf), bridge: XCF_BRIDGE, inner: (XCF_LINK, XCF), netns });
    }
    batch
}

/// The network of one host: the LPARs come first, then the workstations.
pub(super) fn config(sysplex: &Sysplex, position: usize, ipv6: bool) -> NetConfig {
    match (sysplex.lpars.get(position), sysplex.workstations.get(position.wrapping_sub(sysplex.lpars.len()))) {
        (Some(lpar), _) => lpar_config(sysplex, lpar, ipv6),
        (None, Some(workstation)) => workstation_config(sysplex, workstation, ipv6),
        (None, None) => NetConfig::default(),
    }
}

/// An LPAR's own network: its addresses, its DVIPAs (on the LAN where it owns them, hidden on the loopback where it is a
/// target), and the routes by which an owner sends packets on over XCF.
fn lpar_config(sysplex: &Sysplex, lpar: &Lpar, ipv6: bool) -> NetConfig {
    let mut config = NetConfig { up: vec![LOOPBACK, LAN_LINK, XCF_LINK], ..NetConfig::default() };
    config.sysctls = lpar_sysctls(lpar);
    config.links = vec![lpar_link(LAN_LINK, ipv6), lpar_link(XCF_LINK, ipv6)];
    config.addresses =
        vec![(LAN_LINK, lpar.home, sysplex.lan.prefix_len()), (XCF_LINK, lpar.xcf, sysplex.xcf.prefix_len())];
    for dvipa in &sysplex.dvipas {
        let is_target = dvipa.distribute.iter().any(|statement| statement.targets.contains(&lpar.index));
        if dvipa.owner == lpar.index {
            config.addresses.push((LAN_LINK, dvipa.address, 32));
        } else if is_target {
            config.addresses.push((LOOPBACK, dvipa.address, 32));
        }
    }
    let may_own = sysplex.dvipas.iter().any(|dvipa| dvipa.owner == lpar.index || dvipa.backups.contains(&lpar.index));
    if may_own {
        // A marked packet goes to its target even though the DVIPA is this LPAR's own: marks are asked before `local`.
        config.rules.push(Rule { priority: LOCAL_PRIORITY, mark: None, table: LOCAL_TABLE });
        for route in routes_for(sysplex, lpar.index) {
            let table = route.table();
            config.rules.push(Rule { priority: route.mark, mark: Some(route.mark), table });
            config.routes.push(Route { to: (Ipv4Addr::UNSPECIFIED, 0), via: route.gateway, link: XCF_LINK, table });
        }
        config.remove_rules.push(Rule { priority: 0, mark: None, table: LOCAL_TABLE });
    }
    config
}

/// What needs no link. (A stack's `all` settings are the stricter or the looser of both, depending on the setting, so the
/// machine's own defaults must not stand there.)
fn lpar_sysctls(lpar: &Lpar) -> Vec<(String, String)> {
    let ports = format!("{} {}", lpar.ephemeral.start(), lpar.ephemeral.end());
    let sysctls = [
        ("ip_local_port_range", ports.as_str()),
        // Else the kernel looks for a socket before it routes, finds what is left of an earlier connection from the same port
        // (TIME_WAIT), and drops the SYN of a new one instead of forwarding it to its target: a client that uses a port again
        // within a minute would get no answer.
        ("ip_early_demux", "0"),
        ("conf/all/rp_filter", "0"),
        ("conf/all/send_redirects", "0"),
    ];
    sysctls.map(|(name, value)| (format!("ipv4/{name}"), value.to_owned())).to_vec()
}

fn lpar_link(link: u32, ipv6: bool) -> LinkConf {
    // Numbers of linux/ip.h.
    const FORWARDING: u16 = 1;
    const SEND_REDIRECTS: u16 = 6;
    const RP_FILTER: u16 = 8;
    const ARP_ANNOUNCE: u16 = 18;
    const ARP_IGNORE: u16 = 19;
    let ipv4 = vec![
        (FORWARDING, 1),
        // The client's packets come over XCF, the answers leave by the LAN; and nobody is told a shorter way.
        (RP_FILTER, 0),
        (SEND_REDIRECTS, 0),
        // Only the owner answers ARP for a DVIPA; a target never names it as its own when it asks for others.
        (ARP_IGNORE, 1),
        (ARP_ANNOUNCE, 2),
    ];
    LinkConf { link, ipv4, no_ipv6_address: ipv6 }
}

/// A workstation's network.
fn workstation_config(sysplex: &Sysplex, workstation: &Workstation, ipv6: bool) -> NetConfig {
    NetConfig {
        links: vec![LinkConf { link: LAN_LINK, ipv4: Vec::new(), no_ipv6_address: ipv6 }],
        up: vec![LOOPBACK, LAN_LINK],
        addresses: vec![(LAN_LINK, workstation.address, sysplex.lan.prefix_len())],
        ..NetConfig::default()
    }
}

/// No IPv6 in the fabric, whose bridges and ports would chatter too; to be called in the fabric before it has links.
pub(super) fn quiet_fabric() -> std::io::Result<()> {
    if kernel_has_ipv6() {
        std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1")?;
    }
    Ok(())
}

/// Has this kernel IPv6?
pub(super) fn kernel_has_ipv6() -> bool {
    std::path::Path::new("/proc/sys/net/ipv6").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_shows_the_dvipa_on_the_lan_and_targets_hide_it() {
        let sysplex = Sysplex::uniform(3);
        let dvipa = sysplex.dvipas[0].address;
        let owner = lpar_config(&sysplex, &sysplex.lpars[0], true);
        assert!(owner.addresses.contains(&(LAN_LINK, dvipa, 32)));
        assert_eq!(owner.remove_rules, [Rule { priority: 0, mark: None, table: LOCAL_TABLE }]);
        assert_eq!(owner.routes.len(), 2, "one to each of the others");
        let target = lpar_config(&sysplex, &sysplex.lpars[2], true);
        assert!(target.addresses.contains(&(LOOPBACK, dvipa, 32)));
        assert_eq!(target.rules, [], "it may not own the DVIPA");
    }
}
