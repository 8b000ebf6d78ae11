//! What VIPAROUTE's GRE takes away from packets: 24 bytes (APAR PI39519). The lab has no GRE: the packet goes to the target as it is,
//! by a route whose MTU is smaller by as much, so that what would not fit into GRE does not fit here either, and the owner says so
//! to the client (ICMP type 3, code 4).
//!
//! With ADJUSTDVIPAMSS a target tells clients of a DVIPA a maximum segment size with room for the header. It is the target that
//! does, because it answers the client's SYN directly. Pure.

use std::net::IpAddr;

use netns::{NetConfig, Route, Rule};
use sysplex::{Lpar, Sysplex};

use super::LAN_LINK;

/// Ethernet's, as all links of the lab have it.
const MTU: u32 = 1500;
/// The new IP header and that of GRE.
const HEADER: u32 = 24;
/// Headers of IP and TCP without options.
const HEADERS_OF_SEGMENT: u32 = 40;
/// Longest packet that goes by VIPAROUTE.
pub(super) const ROOM: u32 = MTU - HEADER;
/// Where what a target says as a DVIPA finds its way; behind the tables of own calls.
const TABLE: u32 = 900;
/// Behind the `local` table, before the main one.
const PRIORITY: u32 = 200;

/// ADJUSTDVIPAMSS, on a target of a VIPAROUTE.
pub(super) fn adjust(config: &mut NetConfig, sysplex: &Sysplex, lpar: &Lpar) {
    if !lpar.stack.adjusts_dvipa_mss || !sysplex.viparoutes.contains_key(&lpar.xcf) {
        return;
    }
    let lan = (IpAddr::from(sysplex.lan.network()), sysplex.lan.prefix_len());
    let advmss = Some(ROOM - HEADERS_OF_SEGMENT);
    let (via, source, mtu) = (None, None, None);
    config.routes.push(Route { to: lan, via, source, link: LAN_LINK, table: TABLE, on_link: true, mtu, advmss });
    let dvipas = sysplex.dvipas.iter().filter(|dvipa| dvipa.address.is_ipv4() && dvipa.has_target(lpar.index));
    config.rules.extend(dvipas.map(|dvipa| Rule {
        priority: PRIORITY,
        from: Some(dvipa.address),
        table: TABLE,
        ..Rule::default()
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_of_a_viparoute_leave_room_unless_they_are_told_not_to() {
        let mut sysplex = Sysplex::uniform(2);
        let rules = |sysplex: &Sysplex, position: usize| {
            let mut config = NetConfig::default();
            adjust(&mut config, sysplex, &sysplex.lpars[position]);
            (config.rules.len(), config.routes.first().and_then(|route| route.advmss))
        };
        assert_eq!(rules(&sysplex, 1), (0, None), "no VIPAROUTE");
        sysplex.viparoutes.insert(sysplex.lpars[1].xcf, sysplex.lpars[1].home);
        assert_eq!((rules(&sysplex, 0), rules(&sysplex, 1)), ((0, None), (1, Some(1436))));
        sysplex.lpars[1].stack.adjusts_dvipa_mss = false;
        assert_eq!(rules(&sysplex, 1), (0, None));
    }
}
