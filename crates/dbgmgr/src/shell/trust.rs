//! TRUSTEDTCP=ON: who is of the sysplex, by address.
//!
//! On z/OS a server asks its own stack who a partner of the same sysplex is (trusted TCP connections; SERVAUTH profile
//! EZB.IOCTL.sysname.tcpprocname.PARTNERINFO). That a partner of whom it is not told is refused is read from that, not documented.
//! There is no such question to be asked here, so an address stands for a system: it must be one of HUBPEERS (ours), or,
//! without that, of the network that HUBIP is in, as an interface of this system shows it: in the lab the XCF network.

use std::net::IpAddr;

use ipnet::IpNet;

use super::address;
use crate::config::Config;
use crate::core::HubTrust;

/// The question whether an address is one of the sysplex; `None` when everybody is trusted.
pub(super) fn hub_trust(config: &Config) -> Option<HubTrust> {
    let peers = config.hub_peers.clone();
    config.trusted_tcp.then(|| -> HubTrust {
        Box::new(move |hub, peer| match peers.as_slice() {
            [] => {
                in_network_of(hub, peer, &address::held().map_err(|e| format!("the interfaces cannot be read: {e}"))?)
            }
            listed => in_list(peer, listed),
        })
    })
}

fn in_list(peer: IpAddr, listed: &[IpNet]) -> Result<(), String> {
    if listed.iter().any(|net| net.contains(&peer.to_canonical())) {
        return Ok(());
    }
    Err("it is not one of HUBPEERS".to_owned())
}

/// Looks at the addresses of this system, each with its mask. A mask of one host shows no network.
fn in_network_of(hub: IpAddr, peer: IpAddr, held: &[(IpAddr, IpAddr)]) -> Result<(), String> {
    let networks = held.iter().filter_map(|(address, mask)| IpNet::with_netmask(*address, *mask).ok());
    let around: Vec<_> = networks
        .filter(|net| net.prefix_len() < net.max_prefix_len() && net.contains(&hub))
        .map(|net| net.trunc())
        .collect();
    if around.is_empty() {
        return Err(format!("HUBIP {hub} is in the network of no interface here, so HUBPEERS must name the systems"));
    }
    if around.iter().any(|net| net.contains(&peer.to_canonical())) {
        return Ok(());
    }
    let around: Vec<_> = around.iter().map(ToString::to_string).collect();
    Err(format!("it is not in {}, the network of HUBIP, and HUBPEERS is not given", around.join(" or ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("address")
    }

    #[test]
    fn a_system_of_the_sysplex_is_in_the_network_of_hubip() {
        let held = [
            ("127.0.0.1", "255.0.0.0"),
            ("10.10.10.12", "255.255.255.0"),
            ("9.9.9.2", "255.255.255.0"),
            ("9.9.9.7", "255.255.255.255"),
            ("fd00::1", "ffff:ffff:ffff:ffff::"),
        ]
        .map(|(address, mask)| (ip(address), ip(mask)));
        let judge = |hub: &str, peer: &str| in_network_of(ip(hub), ip(peer), &held);
        assert_eq!(judge("9.9.9.1", "9.9.9.200"), Ok(()));
        assert_eq!(judge("9.9.9.1", "::ffff:9.9.9.200"), Ok(()));
        assert_eq!(judge("fd00::5", "fd00::9"), Ok(()));
        let no = judge("9.9.9.1", "10.10.10.101").expect_err("a workstation");
        assert_eq!(no, "it is not in 9.9.9.0/24, the network of HUBIP, and HUBPEERS is not given");
        assert!(judge("9.9.9.1", "fd00::9").is_err());
        let no = judge("8.8.8.8", "8.8.8.8").expect_err("elsewhere");
        assert!(no.contains("HUBIP 8.8.8.8 is in the network of no interface here"), "{no}");
    }

    #[test]
    fn a_list_goes_before_the_network() {
        let listed = ["9.9.9.2/32", "10.1.0.0/16"].map(|net| net.parse().expect("network"));
        assert_eq!(in_list(ip("9.9.9.2"), &listed), Ok(()));
        assert_eq!(in_list(ip("10.1.200.3"), &listed), Ok(()));
        assert_eq!(in_list(ip("9.9.9.3"), &listed), Err("it is not one of HUBPEERS".to_owned()));
    }
}
