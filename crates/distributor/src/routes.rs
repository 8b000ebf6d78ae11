//! How a marked packet gets to its target.

use std::net::Ipv4Addr;

use sysplex::{LparIndex, Sysplex};

use crate::mark;

/// Routing tables start here: mark n looks up table 100 + n. Away from the kernel's own tables, 253 to 255.
const FIRST_TABLE: u32 = 100;

/// Packets with this mark go to this XCF address: `ip rule fwmark MARK lookup TABLE`, and in that table
/// `default via GATEWAY` on the XCF interface. The rule stands before the one of the `local` table, which knows the DVIPA as
/// the owner's own address and would keep every packet; that one is moved down from preference 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkRoute {
    /// The packet mark.
    pub mark: u32,
    /// The dynamic XCF address of the target.
    pub gateway: Ipv4Addr,
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
    others.map(|other| MarkRoute { mark: mark(other.index), gateway: other.xcf }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_other_lpar_has_a_route() {
        let sysplex = Sysplex::uniform(3);
        let routes = routes_for(&sysplex, LparIndex::new(2).expect("an LPAR"));
        let found: Vec<_> = routes.iter().map(|route| (route.mark, route.table(), route.gateway)).collect();
        assert_eq!(found, [(1, 101, Ipv4Addr::new(9, 9, 9, 1)), (3, 103, Ipv4Addr::new(9, 9, 9, 3))]);
    }
}
