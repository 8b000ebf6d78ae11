//! What an LPAR itself says to a DVIPA that it has: not to its own stack, which has the address, but to the owner, who
//! distributes it like anybody's; and with OPTLOCAL past the owner. Routing does it, the same under every backend. Pure.
//!
//! An own call has the LPAR's address on the LAN at the client's end, where answers of other targets find it. A call that stays
//! has the DVIPA at both ends. So a connection stays on its way whatever becomes of the rule for new ones.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use distributor::{Place, Places, optlocal::Kept};
use netns::{Batch, Route, Rule};
use sysplex::{Lpar, LparIndex, Sysplex};

use super::network::{LOCAL_TABLE, LOOPBACK, XCF_LINK, host_prefix};

/// The rules stand behind the marks, which the owner gives to its own calls too, and before `local`. First whatever has an
/// end already, then new connections.
const STAYED: u32 = 60;
const LEFT: u32 = 61;
const STAYS: u32 = 62;
const LEAVES: u32 = 63;
/// The way to the first DVIPA's owner is in this table. Away from those of the marks.
const FIRST_TABLE: u32 = 1000;

/// How an LPAR calls a DVIPA that it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Way {
    /// The owner, perhaps the LPAR itself.
    owner: LparIndex,
    /// Some ports of the DVIPA have OPTLOCAL.
    optlocal: bool,
    /// Ports whose calls stay, first and last.
    stays: Vec<(u16, u16)>,
}

/// The ways of all LPARs.
pub(super) type Ways = BTreeMap<(LparIndex, IpAddr), Way>;

/// Who calls which DVIPA how.
pub(super) fn ways(sysplex: &Sysplex, places: &Places, kept: &Kept) -> Ways {
    let mut ways = Ways::new();
    for dvipa in &sysplex.dvipas {
        let owner = places.iter().find(|((_, of), place)| *of == dvipa.address && **place == Place::Lan);
        let Some((&(owner, _), _)) = owner else { continue };
        let optlocal = dvipa.distribute.iter().any(|statement| statement.optlocal.is_some());
        for &(lpar, _) in places.keys().filter(|(_, of)| *of == dvipa.address) {
            let stays = kept.get(&(lpar, dvipa.address)).map(ranges).unwrap_or_default();
            ways.insert((lpar, dvipa.address), Way { owner, optlocal, stays });
        }
    }
    ways
}

/// Ports that follow each other, as one range.
fn ranges(ports: &BTreeSet<u16>) -> Vec<(u16, u16)> {
    let mut ranges: Vec<(u16, u16)> = Vec::new();
    for &port in ports {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(port) => *last = port,
            _ => ranges.push((port, port)),
        }
    }
    ranges
}

/// What leads an LPAR's calls to this DVIPA on their way.
pub(super) fn routing(sysplex: &Sysplex, lpar: &Lpar, address: IpAddr, way: &Way) -> (Route, Vec<Rule>) {
    let position = sysplex.dvipas.iter().position(|dvipa| dvipa.address == address).unwrap_or_default();
    let table = FIRST_TABLE + u32::try_from(position).unwrap_or_default();
    let ipv6 = address.is_ipv6();
    let home: IpAddr = if ipv6 { lpar.home6.into() } else { lpar.home.into() };
    let gateway = sysplex.lpar(way.owner).filter(|owner| owner.index != lpar.index);
    let via = gateway.map(|owner| if ipv6 { owner.xcf6.into() } else { owner.xcf.into() });
    let link = if via.is_some() { XCF_LINK } else { LOOPBACK };
    let route = Route {
        to: (address, host_prefix(address)),
        via,
        source: Some(home),
        link,
        table,
        on_link: false,
        mtu: None,
        advmss: None,
    };

    let rule = |priority, table| Rule { priority, table, own: true, to: Some(address), ipv6, ..Rule::default() };
    let mut rules = vec![rule(LEAVES, table)];
    if way.optlocal {
        rules.push(Rule { from: Some(address), ..rule(STAYED, LOCAL_TABLE) });
        rules.push(Rule { from: Some(home), ..rule(LEFT, table) });
    }
    rules.extend(way.stays.iter().map(|&ports| Rule { tcp_ports: Some(ports), ..rule(STAYS, LOCAL_TABLE) }));
    (route, rules)
}

/// What brings an LPAR from one way to another.
pub(super) fn change(before: Option<(Route, Vec<Rule>)>, after: Option<(Route, Vec<Rule>)>) -> Batch {
    let mut batch = Batch::default();
    let (route_before, rules_before) = before.unzip();
    let (route_after, rules_after) = after.unzip();
    let set = |rules: Option<Vec<Rule>>| rules.into_iter().flatten().collect::<BTreeSet<Rule>>();
    let (had, now) = (set(rules_before), set(rules_after));
    if route_before != route_after {
        // One by one: IPv6 does not replace a route by one of another kind.
        route_before.iter().for_each(|route| batch.remove_route(route));
        route_after.iter().for_each(|route| batch.route(route));
    }
    now.difference(&had).for_each(|rule| batch.rule(rule));
    had.difference(&now).for_each(|rule| batch.remove_rule(rule));
    batch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_leaves_for_the_owner_unless_optlocal_keeps_it() {
        let mut sysplex = Sysplex::uniform(2);
        let places = distributor::Group::new(&sysplex).places();
        let (dvipa, lpar2) = (sysplex.dvipas[0].address, sysplex.lpars[1].clone());
        let of_lpar2 = |sysplex: &Sysplex, kept: &Kept| {
            routing(sysplex, &lpar2, dvipa, &ways(sysplex, &places, kept)[&(lpar2.index, dvipa)])
        };
        let (route, rules) = of_lpar2(&sysplex, &Kept::new());
        assert_eq!((route.via, route.source), (Some(sysplex.lpars[0].xcf.into()), Some(lpar2.home.into())));
        assert_eq!(rules.iter().map(|rule| (rule.priority, rule.table)).collect::<Vec<_>>(), [(LEAVES, 1000)]);

        sysplex.dvipas[0].distribute[0].optlocal = Some(1);
        let kept = Kept::from([((lpar2.index, dvipa), BTreeSet::from([5334, 5335, 4035]))]);
        let (_, rules) = of_lpar2(&sysplex, &kept);
        let stays: Vec<_> = rules.iter().filter_map(|rule| Some((rule.tcp_ports?, rule.table))).collect();
        assert_eq!(stays, [((4035, 4035), LOCAL_TABLE), ((5334, 5335), LOCAL_TABLE)]);
        let ended = |rule: &&Rule| rule.from.is_some();
        let ends: Vec<_> = rules.iter().filter(ended).map(|rule| (rule.priority, rule.from, rule.table)).collect();
        assert_eq!(ends, [(STAYED, Some(dvipa), LOCAL_TABLE), (LEFT, Some(lpar2.home.into()), 1000)]);
    }

    #[test]
    fn the_owner_goes_by_its_own_marks() {
        let sysplex = Sysplex::uniform(2);
        let places = distributor::Group::new(&sysplex).places();
        let (dvipa, owner) = (sysplex.dvipas[0].address, &sysplex.lpars[0]);
        let way = &ways(&sysplex, &places, &Kept::new())[&(owner.index, dvipa)];
        let (route, _) = routing(&sysplex, owner, dvipa, way);
        assert_eq!((route.via, route.source, route.link), (None, Some(owner.home.into()), LOOPBACK));
    }

    #[test]
    fn only_what_differs_is_changed() {
        let mut sysplex = Sysplex::uniform(2);
        let places = distributor::Group::new(&sysplex).places();
        let (dvipa, owner) = (sysplex.dvipas[0].address, sysplex.lpars[0].clone());
        let way = |sysplex: &Sysplex| ways(sysplex, &places, &Kept::new())[&(owner.index, dvipa)].clone();
        let before = Some(routing(&sysplex, &owner, dvipa, &way(&sysplex)));
        assert!(change(before.clone(), before.clone()).is_empty());
        sysplex.dvipas[0].distribute[0].optlocal = Some(0);
        let after = Some(routing(&sysplex, &owner, dvipa, &way(&sysplex)));
        let text = format!("{:?}", change(before.clone(), after));
        assert!(!text.contains("remove") && !text.contains("route"), "{text}");
        let text = format!("{:?}", change(before, None));
        assert!(
            text.contains("remove route 10.10.10.1/32 here from 10.10.10.11") && text.contains("remove rule 63"),
            "{text}"
        );
    }
}
