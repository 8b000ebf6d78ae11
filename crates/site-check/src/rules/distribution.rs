//! How logons are distributed: F09, F10, F31; and the statement itself: D02, D05.

use std::ops::Range;

use sysplex::raw::{DistributeTable, Spanned};
use sysplex::{Distribute, Dvipa, Method};

use crate::facts::{At, Facts, Found, is_define, list};

/// PORT takes so many entries (from memory).
const MOST_PORTS: usize = 64;

pub(super) fn check(facts: &Facts<'_>, found: &mut Found) {
    for (dvipa, statement) in facts.statements() {
        of_logons(facts, dvipa, statement, found);
        needs_routing(facts, dvipa, statement, found);
    }
    let tables = facts.topology.iter().flat_map(|topology| &topology.dvipa).flat_map(|dvipa| &dvipa.distribute);
    for ports in tables.filter(|table| is_define(table)).filter_map(|table| table.ports.as_ref()) {
        let entries = ports.get_ref().len();
        if entries > MOST_PORTS {
            let message = format!("PORT has {entries} entries: z/OS takes {MOST_PORTS} in one VIPADISTRIBUTE");
            found.add("D02", Some(At::Topology(ports.span())), message);
        }
    }
}

fn method_span(table: &DistributeTable) -> Option<Range<usize>> {
    table.method.as_ref().map(Spanned::span)
}

fn of_logons(facts: &Facts<'_>, dvipa: &Dvipa, statement: &Distribute, found: &mut Found) {
    let mut daemons = facts.daemons_of(statement);
    let Some(first) = daemons.next() else { return };
    let count = 1 + daemons.count();
    let (port, address) = (first.port, facts.own(dvipa.address));
    let is_bound = !statement.timed_affinity.is_zero();
    match statement.method {
        // An affinity keeps the second try on the system of the first.
        Method::RoundRobin if count.is_multiple_of(2) && !is_bound => {
            let message = format!(
                "DISTMETHOD ROUNDROBIN for RSED's port {port} of {address} with {count} systems, an even number: right only if \
                 clients connect with TLS"
            );
            found.add("F09", facts.at_statement(dvipa, port, method_span), message);
        }
        Method::ServerWlm if count > 1 => {
            let message = format!("DISTMETHOD SERVERWLM for RSED's port {port} of {address}");
            found.add("F10", facts.at_statement(dvipa, port, method_span), message);
        }
        _ => {}
    }
    if is_bound && count > 1 {
        let seconds = statement.timed_affinity.as_secs();
        let message = format!(
            "TIMEDAFFINITY {seconds} for RSED's port {port} of {address}: all users behind one address come to one system"
        );
        let span = |table: &DistributeTable| table.timed_affinity.as_ref().map(Spanned::span);
        found.add("F31", facts.at_statement(dvipa, port, span), message);
    }
}

/// D05.
fn needs_routing(facts: &Facts<'_>, dvipa: &Dvipa, statement: &Distribute, found: &mut Found) {
    if !matches!(statement.method, Method::BaseWlm | Method::ServerWlm) || statement.targets.len() < 2 {
        return;
    }
    let without = facts.profiles().filter(|(lpar, profile, _)| {
        let routing = profile.sysplex_routing.as_ref();
        statement.target(lpar.index).is_some() && !routing.is_some_and(|routing| routing.value)
    });
    let without: Vec<_> = without.collect();
    let Some((_, profile, head)) = without.first() else { return };
    let names: Vec<&str> = without.iter().map(|(lpar, ..)| lpar.name.as_str()).collect();
    let message = format!(
        "{} is distributed by {}, and {} has no IPCONFIG SYSPLEXROUTING",
        facts.own(dvipa.address),
        statement.method.as_str(),
        list(&names)
    );
    let place = profile.sysplex_routing.as_ref().map(|routing| routing.place);
    let place = place.or_else(|| profile.dynamic_xcf.as_ref().map(|xcf| xcf.place));
    found.add("D05", Some(place.map_or_else(|| head.clone(), At::Member)), message);
}
