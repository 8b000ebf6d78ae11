//! How a marked packet gets to its target.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sysplex::{LparIndex, Sysplex};

use crate::mark;

/// Routing tables start here: mark n looks up table 100 + n. Away from the kernel's own tables, 253 to 255.
const FIRST_TABLE: u32 = 100;

/// Packets with this mark go to this address: `ip rule fwmark MARK lookup TABLE`, and in that table `default via GATEWAY`. The
/// rule stands before the one of the `local` table, which knows the DVIPA as the owner's own address and would keep every
/// packet; that one is moved down from preference 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkRoute {
    /// The packet mark.
    pub mark: u32,
    /// The dynamic XCF address of the target, or what VIPAROUTE has in its place.
    pub gateway: IpAddr,
    /// By which interface.
    pub by: Segment,
}

/// The two segments that an LPAR is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment {
    /// The LAN, for VIPAROUTE. (z/OS then puts the packet into another, GRE; here it goes as it is, to the target's MAC
    /// address.)
    Lan,
    /// XCF.
    Xcf,
}

impl MarkRoute {
    /// The routing table for this mark.
    pub fn table(&self) -> u32 {
        FIRST_TABLE + self.mark
    }
}

/// The routes that `lpar` needs to distribute: one to every other LPAR. None to itself, so that its own mark falls through
/// to the `local` table.
pub fn routes_for(sysplex: &Sysplex, lpar: LparIndex) -> Vec<MarkRoute> {
    let others = sysplex.lpars.iter().filter(|other| other.index != lpar);
    others
        .map(|other| {
            let instead: Option<Ipv4Addr> = sysplex.viparoutes.get(&other.xcf).copied();
            let by = if instead.is_some() { Segment::Lan } else { Segment::Xcf };
            MarkRoute { mark: mark(other.index), gateway: instead.unwrap_or(other.xcf).into(), by }
        })
        .collect()
}

/// The same for packets of IPv6.
pub fn routes6_for(sysplex: &Sysplex, lpar: LparIndex) -> Vec<MarkRoute> {
    let others = sysplex.lpars.iter().filter(|other| other.index != lpar);
    let route = |gateway: Ipv6Addr, index| MarkRoute { mark: mark(index), gateway: gateway.into(), by: Segment::Xcf };
    others.map(|other| route(other.xcf6, other.index)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_other_lpar_has_a_route() {
        let mut sysplex = Sysplex::uniform(3);
        let routes = |sysplex: &Sysplex| {
            let routes = routes_for(sysplex, LparIndex::new(2).expect("an LPAR"));
            routes
                .iter()
                .map(|route| (route.mark, route.table(), route.gateway.to_string(), route.by))
                .collect::<Vec<_>>()
        };
        let by_xcf = [(1, 101, "9.9.9.1".to_owned(), Segment::Xcf), (3, 103, "9.9.9.3".to_owned(), Segment::Xcf)];
        assert_eq!(routes(&sysplex), by_xcf);
        sysplex.viparoutes.insert(Ipv4Addr::new(9, 9, 9, 3), Ipv4Addr::new(10, 10, 10, 13));
        assert_eq!(routes(&sysplex)[1], (3, 103, "10.10.10.13".to_owned(), Segment::Lan));
    }
}
