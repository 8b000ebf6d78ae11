//! Forgetting what a namespace knows of the way of packets.

use std::io;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::rule::RuleMessage;

use crate::read::dump;
use crate::{Batch, Rule, addresses};

/// The loopback, in every namespace.
const LOOPBACK: u32 = 1;
/// The rules that a new namespace has: priority and table. The last is for IPv4 only.
const FIRST_RULES: [(u32, u32); 3] = [(0, 255), (32766, 254), (32767, 253)];

/// In the calling thread's namespace, which has no links but the loopback: takes that down, and with it all routes, takes all
/// addresses away but its own, and has only the rules that a new namespace has.
///
/// # Errors
/// The first request that the kernel refused.
pub fn forget_routing() -> io::Result<()> {
    let mut batch = Batch::default();
    batch.link_down(LOOPBACK);
    for known in addresses()?.iter().filter(|known| !known.address.is_loopback()) {
        batch.remove_address(known.link, known.address, known.prefix);
    }
    for message in rules()? {
        batch.remove_rule_as_read(message);
    }
    let families: &[bool] = if std::path::Path::new("/proc/sys/net/ipv6").exists() { &[false, true] } else { &[false] };
    for &ipv6 in families {
        for (priority, table) in FIRST_RULES.into_iter().take(if ipv6 { 2 } else { 3 }) {
            batch.rule(&Rule { priority, table, ipv6, ..Rule::default() });
        }
    }
    batch.commit(&mut Batch::socket()?).map_err(io::Error::other)
}

fn rules() -> io::Result<Vec<RuleMessage>> {
    dump(&RouteNetlinkMessage::GetRule(RuleMessage::default()), |message| match message {
        RouteNetlinkMessage::NewRule(message) => Some(message),
        _ => None,
    })
}
