//! What HUBIP is to this system, as its interfaces show it.

use std::io;
use std::net::IpAddr;

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::SockaddrStorage;

use crate::core::Holding;

/// What an address is to this system. When the interfaces cannot be read, it is taken as its own: nothing is done then.
pub(super) fn holding(ip: IpAddr) -> Holding {
    match held() {
        Ok(held) => judge(ip, &held),
        Err(e) => {
            tracing::warn!("the interfaces of this system cannot be read: {e}");
            Holding::Own
        }
    }
}

/// The addresses of this system, each with its mask.
///
/// # Errors
/// When the kernel does not show them.
pub(super) fn held() -> io::Result<Vec<(IpAddr, IpAddr)>> {
    let address = |it: &SockaddrStorage| {
        it.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip())).or_else(|| it.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
    };
    let pair = |it: nix::ifaddrs::InterfaceAddress| Some((address(&it.address?)?, address(&it.netmask?)?));
    Ok(getifaddrs()?.filter_map(pair).collect())
}

/// Looks at the addresses of a system, each with its mask. A VIPA has no network around it: its mask is that of one host. (So
/// it is set up on Linux, hidden on `lo` of a target or on the LAN of its owner. z/OS' own mark, `VIPADYNAMIC`, is not there.)
/// A system all of whose addresses are of this kind, as in some clouds, does not show what its address is.
fn judge(ip: IpAddr, held: &[(IpAddr, IpAddr)]) -> Holding {
    let is_one_host = |mask: &IpAddr| match mask {
        IpAddr::V4(mask) => mask.to_bits() == u32::MAX,
        IpAddr::V6(mask) => mask.to_bits() == u128::MAX,
    };
    // All of 127/8 is held, though one address is shown.
    if ip.is_loopback() {
        return Holding::Own;
    }
    let Some((_, mask)) = held.iter().find(|(address, _)| *address == ip) else { return Holding::Gone };
    let is_home =
        |address: &IpAddr| !address.is_loopback() && address.is_ipv4() == ip.is_ipv4() && !is_link_local(address);
    let has_home = held.iter().any(|(address, mask)| is_home(address) && !is_one_host(mask));
    if is_one_host(mask) && has_home { Holding::Virtual } else { Holding::Own }
}

fn is_link_local(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(list: &[(&str, &str)]) -> Vec<(IpAddr, IpAddr)> {
        list.iter().map(|(a, m)| (a.parse().expect("address"), m.parse().expect("mask"))).collect()
    }

    #[test]
    fn a_vipa_is_told_from_a_home_address() {
        let host = "255.255.255.255";
        let net = "255.255.255.0";
        let system = held(&[("127.0.0.1", "255.0.0.0"), ("10.10.10.1", host), ("10.10.10.12", net), ("9.9.9.2", net)]);
        let look = |ip: &str| judge(ip.parse().expect("address"), &system);
        assert_eq!(look("9.9.9.2"), Holding::Own);
        assert_eq!(look("10.10.10.1"), Holding::Virtual);
        assert_eq!(look("9.9.9.1"), Holding::Gone);
        assert_eq!(look("127.0.0.9"), Holding::Own);
        let cloud = held(&[("127.0.0.1", "255.0.0.0"), ("10.128.0.2", host)]);
        assert_eq!(judge("10.128.0.2".parse().expect("address"), &cloud), Holding::Own);
        let all = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        let six =
            held(&[("fd00::1", all), ("fd00::12", "ffff:ffff:ffff:ffff::"), ("fe80::1", "ffff:ffff:ffff:ffff::")]);
        assert_eq!(judge("fd00::1".parse().expect("address"), &six), Holding::Virtual);
    }

    #[test]
    fn this_very_system_can_be_looked_at() {
        assert_eq!(holding([127, 0, 0, 1].into()), Holding::Own);
        assert_eq!(holding([192, 0, 2, 1].into()), Holding::Gone, "an address for documentation");
    }
}
