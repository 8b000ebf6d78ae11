//! The nftables table beside IPVS, for what IPVS cannot do:
//!
//! - A port without a ready target: IPVS answers a SYN with ICMP "port unreachable", which a client takes for a refused
//!   connection, but which a firewall on the way may not let through. Here it is a reset, or nothing.
//! - Ranges of ports (SYSPLEXPORTS) have no service; a mark makes one.
//! - A DVIPA that is just being taken over: what IPVS does not know goes on to the owner's own stack, which would reset it.
//! - OPTLOCAL: what the owner keeps of its own calls has the DVIPA at both ends. IPVS would distribute that too; a mark leads it
//!   to the owner's own stack.
//!
//! The table has no state, so it is replaced as a whole.

use std::net::IpAddr;

use sysplex::NoTarget;

use super::services::{OWN, mark_of_ranges};
use crate::{DvipaPlan, OwnerPlan, PortPlan};

/// The commands that lead from one plan to the next; none when nothing changes.
pub(super) fn script(previous: Option<&OwnerPlan>, next: &OwnerPlan) -> String {
    let mut text = String::new();
    for ipv6 in [false, true] {
        let table = table(next, ipv6);
        let before = previous.map(|plan| self::table(plan, ipv6));
        // Nothing is there of a family without a DVIPA.
        if before.as_ref() == Some(&table) || (ipv6 && before.is_none() && table.is_none()) {
            continue;
        }
        let family = if ipv6 { "ip6" } else { "ip" };
        // A table must be there to be deleted.
        text.push_str(&format!("add table {family} dvipa_ipvs\ndelete table {family} dvipa_ipvs\n"));
        text.push_str(&table.unwrap_or_default());
    }
    text
}

/// The table for IPv4 or IPv6; none without a DVIPA.
fn table(plan: &OwnerPlan, ipv6: bool) -> Option<String> {
    let (name, address) = if ipv6 { ("ip6", "ipv6_addr") } else { ("ip", "ipv4_addr") };
    let dvipas: Vec<(IpAddr, &DvipaPlan)> =
        plan.dvipas.iter().filter(|(dvipa, _)| dvipa.is_ipv6() == ipv6).map(|(dvipa, plan)| (*dvipa, plan)).collect();
    if dvipas.is_empty() {
        return None;
    }
    let ports = |wanted: &dyn Fn(&PortPlan) -> bool| {
        let ports =
            dvipas.iter().flat_map(|(dvipa, plan)| plan.ports.iter().map(move |(port, plan)| (dvipa, port, plan)));
        let wanted = ports.filter(|(_, _, plan)| wanted(plan)).map(|(dvipa, port, _)| format!("{dvipa} . {port}"));
        elements(&wanted.collect::<Vec<_>>())
    };
    let owned = elements(&dvipas.iter().map(|(dvipa, _)| dvipa.to_string()).collect::<Vec<_>>());
    let settling = plan.settling.iter().filter(|dvipa| dvipa.is_ipv6() == ipv6);
    let settling = elements(&settling.map(IpAddr::to_string).collect::<Vec<_>>());
    let listed = ports(&|_| true);
    let refused = ports(&|plan| plan.shares.is_empty() && plan.no_target == NoTarget::Reset);
    let dropped = ports(&|plan| plan.shares.is_empty() && plan.no_target == NoTarget::Drop);
    let ranges = dvipas.iter().flat_map(|(dvipa, plan)| plan.sysplexports.iter().map(move |range| (dvipa, range)));
    let ranges = ranges.map(|(dvipa, range)| {
        let (first, last) = (range.ports.start(), range.ports.end());
        let ports = if first == last { first.to_string() } else { format!("{first}-{last}") };
        format!("{dvipa} . {ports} : {}", mark_of_ranges(range.target))
    });
    let ranges = elements(&ranges.collect::<Vec<_>>());
    let syn = "tcp flags & (fin | syn | rst | ack)";
    Some(format!(
        "\
table {name} dvipa_ipvs {{
    # DVIPAs that this LPAR owns.
    set owned {{ type {address};{owned} }}
    # DVIPAs whose connections are not all known yet.
    set settling {{ type {address};{settling} }}
    # Distributed ports, and those of them without a ready target.
    set listed {{ type {address} . inet_service;{listed} }}
    set refused {{ type {address} . inet_service;{refused} }}
    set dropped {{ type {address} . inet_service;{dropped} }}
    # Ports that belong to one LPAR.
    map sysplexports {{ type {address} . inet_service : mark; flags interval;{ranges} }}
    chain prerouting {{
        type filter hook prerouting priority mangle; policy accept;
        iifname \"lo\" accept
        {syn} == syn goto new
    }}
    # Before IPVS.
    chain output {{
        type filter hook output priority mangle; policy accept;
        {name} saddr @owned {name} daddr @owned {syn} == syn meta mark set {OWN} accept
        {syn} == syn goto new
    }}
    chain new {{
        {name} daddr . tcp dport @refused reject with tcp reset
        {name} daddr . tcp dport @dropped drop
        {name} daddr . tcp dport @listed accept
        meta mark set {name} daddr . tcp dport map @sysplexports
    }}
    # Behind IPVS.
    chain input {{
        type filter hook input priority 110; policy accept;
        {name} daddr @settling {syn} != syn drop
    }}
}}
"
    ))
}

/// The elements of a set, where it has any.
fn elements(elements: &[String]) -> String {
    if elements.is_empty() { String::new() } else { format!(" elements = {{ {} }};", elements.join(", ")) }
}
