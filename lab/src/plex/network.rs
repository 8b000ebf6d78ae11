//! From a sysplex to links and configurations: pure.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use distributor::{MarkRoute, Place, Places, Segment, routes_for, routes6_for};
use netns::{Batch, LinkConf, NetConfig, NetNs, Route, Rule, Veth};
use std::os::fd::AsFd;
use sysplex::{Dvipa, Lpar, Sysplex, Workstation};

use super::gre;
use super::own_calls::{self, Ways};

/// Index of the loopback in every host.
pub const LOOPBACK: u32 = 1;
/// Index of the LAN interface in every host.
pub const LAN_LINK: u32 = 2;
/// Index of the XCF interface in every LPAR.
pub const XCF_LINK: u32 = 3;
/// Name of the LAN interface in every host.
pub const LAN: &str = "lan0";
/// Name of the XCF interface in every LPAR.
pub const XCF: &str = "xcf0";

const LAN_BRIDGE: u32 = 10;
const XCF_BRIDGE: u32 = 11;
/// Indexes of the fabric's ends of the links start here, away from those in the hosts.
const LAN_PORTS: u32 = 100;
const XCF_PORTS: u32 = 200;

/// The `local` table and where it is asked by default.
pub(super) const LOCAL_TABLE: u32 = 255;
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
    let (outer, inner) = ((LAN_PORTS + number, lan.as_str()), (LAN_LINK, LAN));
    batch.veth(&Veth { outer, bridge: LAN_BRIDGE, inner, mac: Some(lan_mac(position)), netns });
    if is_lpar {
        let (outer, inner) = ((XCF_PORTS + number, xcf.as_str()), (XCF_LINK, XCF));
        batch.veth(&Veth { outer, bridge: XCF_BRIDGE, inner, mac: None, netns });
    }
    batch
}

/// Takes the links of an LPAR down, at the fabric's end; to be called in the fabric.
pub(super) fn unplug(lpar: &Lpar) -> io::Result<()> {
    let mut batch = Batch::default();
    batch.link_down(LAN_PORTS + lpar.index.get());
    batch.link_down(XCF_PORTS + lpar.index.get());
    batch.commit(&mut Batch::socket()?).map_err(io::Error::other)
}

/// Takes the links of an LPAR away, in the fabric.
pub(super) fn no_links(lpar: &Lpar) -> Batch {
    let mut batch = Batch::default();
    batch.remove_link(LAN_PORTS + lpar.index.get());
    batch.remove_link(XCF_PORTS + lpar.index.get());
    batch
}

/// The port of a host at one of the fabric's bridges, the LAN's or that of XCF: index and name. Workstations have none at XCF.
pub(super) fn fabric_port(sysplex: &Sysplex, host: &str, xcf: bool) -> Option<(u32, String)> {
    let position = sysplex.hosts().position(|name| name == host)?;
    let number = u32::try_from(position).ok()? + 1;
    match xcf {
        true if position < sysplex.lpars.len() => Some((XCF_PORTS + number, format!("xcf{number}"))),
        true => None,
        false => Some((LAN_PORTS + number, format!("lan{number}"))),
    }
}

/// The hardware address of a host on the LAN: known, so that it can be set again, which makes the kernel announce the host's
/// addresses.
pub(crate) fn lan_mac(position: usize) -> [u8; 6] {
    let [high, low] = u16::try_from(position + 1).unwrap_or(u16::MAX).to_be_bytes();
    [2, 0, 0, 1, high, low]
}

/// Gives an LPAR's links their hardware addresses, known ones, and has its kernel announce the addresses that they have.
pub(super) fn announced(lpar: &Lpar) -> Batch {
    let position = lpar.index.get() as usize - 1;
    let [.., high, low] = lan_mac(position);
    let mut batch = Batch::default();
    batch.hardware_address(LAN_LINK, lan_mac(position));
    batch.hardware_address(XCF_LINK, [2, 0, 0, 2, high, low]);
    batch
}

/// The prefix of a DVIPA: it is a host of its own.
pub(crate) fn host_prefix(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The link on which an LPAR has a DVIPA.
pub(super) fn link_of(place: Place) -> u32 {
    match place {
        Place::Lan => LAN_LINK,
        Place::Hidden => LOOPBACK,
    }
}

/// The network of one host: the LPARs come first, then the workstations.
pub(super) fn config(sysplex: &Sysplex, (places, ways): (&Places, &Ways), position: usize, ipv6: bool) -> NetConfig {
    match (sysplex.lpars.get(position), sysplex.workstations.get(position.wrapping_sub(sysplex.lpars.len()))) {
        (Some(lpar), _) => lpar_config(sysplex, (places, ways), lpar, ipv6),
        (None, Some(workstation)) => workstation_config(sysplex, workstation, ipv6),
        (None, None) => NetConfig::default(),
    }
}

/// An LPAR's own network: its addresses, its DVIPAs (on the LAN where it owns them, hidden on the loopback where it is a
/// target), and the routes by which an owner sends packets on over XCF.
fn lpar_config(sysplex: &Sysplex, (places, ways): (&Places, &Ways), lpar: &Lpar, ipv6: bool) -> NetConfig {
    let mut config = NetConfig { up: vec![LOOPBACK, LAN_LINK, XCF_LINK], ..NetConfig::default() };
    config.sysctls = lpar_sysctls(lpar, sysplex.has_ipv6());
    config.links = vec![lpar_link(LAN_LINK, ipv6), lpar_link(XCF_LINK, ipv6)];
    config.addresses = vec![
        (LAN_LINK, lpar.home.into(), sysplex.lan.prefix_len()),
        (XCF_LINK, lpar.xcf.into(), sysplex.xcf.prefix_len()),
    ];
    if sysplex.has_ipv6() {
        config.addresses.push((LAN_LINK, lpar.home6.into(), sysplex.lan6.prefix_len()));
        config.addresses.push((XCF_LINK, lpar.xcf6.into(), sysplex.xcf6.prefix_len()));
        // A link-local address on each link, without which the kernel does not ask for the neighbour of a packet that it forwards.
        // Given, since one that it makes itself may be used only after a second.
        for link in [LAN_LINK, XCF_LINK] {
            let host = u16::try_from(lpar.index.get()).unwrap_or(u16::MAX);
            config.addresses.push((link, Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, host).into(), 64));
        }
    }
    let own = places.iter().filter(|((of, _), _)| *of == lpar.index);
    config.addresses.extend(own.map(|((_, address), place)| (link_of(*place), *address, host_prefix(*address))));
    for ((_, address), way) in ways.iter().filter(|((of, _), _)| *of == lpar.index) {
        let (route, rules) = own_calls::routing(sysplex, lpar, *address, way);
        config.routes.push(route);
        config.rules.extend(rules);
    }
    gre::adjust(&mut config, sysplex, lpar);
    let is_here = |dvipa: &Dvipa| dvipa.may_be_owned_by(lpar.index) || dvipa.has_target(lpar.index);
    if sysplex.dvipas.iter().any(is_here) {
        local_later(&mut config, false);
        if sysplex.has_ipv6() {
            local_later(&mut config, true);
        }
    }
    if sysplex.dvipas.iter().any(|dvipa| dvipa.may_be_owned_by(lpar.index)) {
        forwarding(&mut config, &routes_for(sysplex, lpar.index), Ipv4Addr::UNSPECIFIED.into());
        if sysplex.has_ipv6() {
            forwarding(&mut config, &routes6_for(sysplex, lpar.index), Ipv6Addr::UNSPECIFIED.into());
        }
    }
    config
}

/// The `local` table is asked after the marks and the ways of own calls: a DVIPA is in it.
fn local_later(config: &mut NetConfig, ipv6: bool) {
    config.rules.push(Rule { priority: LOCAL_PRIORITY, table: LOCAL_TABLE, ipv6, ..Rule::default() });
    config.remove_rules.push(Rule { table: LOCAL_TABLE, ipv6, ..Rule::default() });
}

/// A marked packet goes to its target even though the DVIPA is this LPAR's own: marks are asked before `local`.
fn forwarding(config: &mut NetConfig, routes: &[MarkRoute], any: IpAddr) {
    let ipv6 = any.is_ipv6();
    for route in routes {
        let (mark, table) = (route.mark, route.table());
        let link = match route.by {
            Segment::Lan => LAN_LINK,
            Segment::Xcf => XCF_LINK,
        };
        config.rules.push(Rule { priority: mark, mark: Some(mark), table, ipv6, ..Rule::default() });
        let mtu = (route.by == Segment::Lan).then_some(gre::ROOM);
        let (to, via) = ((any, 0), Some(route.gateway));
        config.routes.push(Route { to, via, source: None, link, table, on_link: false, mtu, advmss: None });
    }
}

/// What needs no link. (A stack's `all` settings are the stricter or the looser of both, depending on the setting, so the
/// machine's own defaults must not stand there.)
fn lpar_sysctls(lpar: &Lpar, has_ipv6: bool) -> Vec<(String, String)> {
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
    let mut sysctls = sysctls.map(|(name, value)| (format!("ipv4/{name}"), value.to_owned())).to_vec();
    if has_ipv6 {
        // Only where it is needed: it takes the lock for links. Announcements of new addresses, as `arp_notify` is for IPv4.
        sysctls.push(("ipv6/conf/all/forwarding".into(), "1".into()));
        sysctls.push(("ipv6/conf/default/ndisc_notify".into(), "1".into()));
    }
    sysctls
}

fn lpar_link(link: u32, ipv6: bool) -> LinkConf {
    // Numbers of linux/ip.h.
    const FORWARDING: u16 = 1;
    const SEND_REDIRECTS: u16 = 6;
    const RP_FILTER: u16 = 8;
    const ARP_ANNOUNCE: u16 = 18;
    const ARP_IGNORE: u16 = 19;
    const ARP_NOTIFY: u16 = 22;
    const ACCEPT_LOCAL: u16 = 23;
    let ipv4 = vec![
        (FORWARDING, 1),
        // The client's packets come over XCF, the answers leave by the LAN; and nobody is told a shorter way.
        (RP_FILTER, 0),
        (SEND_REDIRECTS, 0),
        // Only the owner answers ARP for a DVIPA; a target never names it as its own when it asks for others.
        (ARP_IGNORE, 1),
        (ARP_ANNOUNCE, 2),
        // A new owner announces the DVIPA.
        (ARP_NOTIFY, 1),
        // The answer to an own call comes from another target, and so from an address that this LPAR has too.
        (ACCEPT_LOCAL, 1),
    ];
    LinkConf { link, ipv4, no_ipv6_address: ipv6 }
}

/// A workstation's network.
fn workstation_config(sysplex: &Sysplex, workstation: &Workstation, ipv6: bool) -> NetConfig {
    let mut addresses = vec![(LAN_LINK, workstation.address.into(), sysplex.lan.prefix_len())];
    if sysplex.has_ipv6() {
        addresses.push((LAN_LINK, workstation.address6.into(), sysplex.lan6.prefix_len()));
    }
    NetConfig {
        links: vec![LinkConf { link: LAN_LINK, ipv4: Vec::new(), no_ipv6_address: ipv6 }],
        up: vec![LOOPBACK, LAN_LINK],
        addresses,
        ..NetConfig::default()
    }
}

/// No IPv6 in the fabric, whose bridges and ports would chatter too; and its bridges show no packet to iptables, which has no
/// rules there and would cost a tenth of all that is done for a packet, where the kernel has that (`br_netfilter`, as on a
/// machine with containers). To be called in the fabric before it has links.
pub(super) fn quiet_fabric() -> io::Result<()> {
    if kernel_has_ipv6() {
        std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1")?;
    }
    for shown_to in ["iptables", "ip6tables", "arptables"] {
        match std::fs::write(format!("/proc/sys/net/bridge/bridge-nf-call-{shown_to}"), "0") {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    Ok(())
}

/// Has this kernel IPv6?
pub(super) fn kernel_has_ipv6() -> bool {
    std::path::Path::new("/proc/sys/net/ipv6").exists()
}

#[cfg(test)]
mod tests {
    use distributor::optlocal;

    use super::*;

    #[test]
    fn the_owner_shows_the_dvipa_on_the_lan_and_targets_hide_it() {
        let sysplex = Sysplex::uniform(3);
        let dvipa = sysplex.dvipas[0].address;
        let places = distributor::Group::new(&sysplex).places();
        let ways = own_calls::ways(&sysplex, &places, &optlocal::Kept::new());
        let owner = lpar_config(&sysplex, (&places, &ways), &sysplex.lpars[0], true);
        assert!(owner.addresses.contains(&(LAN_LINK, dvipa, 32)));
        assert_eq!(owner.remove_rules, [Rule { table: LOCAL_TABLE, ..Rule::default() }]);
        assert_eq!(owner.routes.len(), 3, "one to each of the others, and one for what it says itself");
        let target = lpar_config(&sysplex, (&places, &ways), &sysplex.lpars[2], true);
        assert!(target.addresses.contains(&(LOOPBACK, dvipa, 32)));
        assert!(target.rules.iter().all(|rule| rule.mark.is_none()), "it may not own the DVIPA");
    }
}
