//! Whether an owner's kernel reaches its targets: by what it knows of their gateways as neighbours. Pure.

use std::net::IpAddr;

use distributor::{MarkRoute, Segment, mark, routes_for, routes6_for};
use netns::{Neighbour, Reach};
use sysplex::{LparIndex, Sysplex};

use crate::plex::{LAN_LINK, XCF_LINK};

/// The way to a target, for packets of IPv4 or IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Way {
    /// The target.
    pub target: LparIndex,
    /// For packets of IPv6.
    pub ipv6: bool,
}

/// By whom an owner sends packets on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gateway {
    /// To whom.
    pub way: Way,
    /// The dynamic XCF address, or what VIPAROUTE has in its place.
    pub address: IpAddr,
    /// Index of the link.
    pub link: u32,
}

impl Gateway {
    /// What the kernel knows of it; nothing when it was never asked for.
    pub fn reach(&self, neighbours: &[Neighbour]) -> Option<Reach> {
        let found = neighbours.iter().find(|known| known.link == self.link && known.address == self.address);
        found.map(|known| known.reach)
    }
}

/// The gateways of an owner.
pub fn gateways(sysplex: &Sysplex, owner: LparIndex) -> Vec<Gateway> {
    let routes = routes_for(sysplex, owner).into_iter().chain(routes6_for(sysplex, owner));
    let gateway = |MarkRoute { mark: number, gateway, by }: MarkRoute| {
        let target = sysplex.lpars.iter().map(|lpar| lpar.index).find(|&lpar| mark(lpar) == number)?;
        let link = match by {
            Segment::Lan => LAN_LINK,
            Segment::Xcf => XCF_LINK,
        };
        Some(Gateway { way: Way { target, ipv6: gateway.is_ipv6() }, address: gateway, link })
    };
    routes.filter_map(gateway).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_is_reached_on_its_own_link() {
        let mut sysplex = Sysplex::uniform(3);
        let (xcf, other) = (sysplex.lpars[1].xcf, [10, 10, 10, 99].into());
        sysplex.viparoutes.insert(xcf, other);
        let gateways = gateways(&sysplex, sysplex.lpars[0].index);
        let to = |number: usize| *gateways.iter().find(|g| g.way.target == sysplex.lpars[number].index).expect("a way");
        assert_eq!((to(1).address, to(1).link), (other.into(), LAN_LINK));
        assert_eq!((to(2).address, to(2).link), (sysplex.lpars[2].xcf.into(), XCF_LINK));
        let neighbour = |link| Neighbour { link, address: other.into(), reach: Reach::Lost };
        assert_eq!(to(1).reach(&[neighbour(XCF_LINK)]), None);
        assert_eq!(to(1).reach(&[neighbour(LAN_LINK)]), Some(Reach::Lost));
    }
}
