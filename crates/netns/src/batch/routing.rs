//! Routes, policy rules, neighbours.

use std::net::IpAddr;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteMetric, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage, RulePortRange};
use netlink_packet_route::{AddressFamily, IpProtocol, RouteNetlinkMessage};

use super::{Batch, CREATE, family};
use crate::{Route, Rule};

impl Batch {
    /// A route, in place of one to the same destination in the same table.
    pub fn route(&mut self, route: &Route) {
        let what = describe_route(route);
        self.push(what, NLM_F_CREATE | NLM_F_REPLACE, RouteNetlinkMessage::NewRoute(route_message(route)));
    }

    /// Takes a route away.
    pub fn remove_route(&mut self, route: &Route) {
        let what = format!("remove {}", describe_route(route));
        self.push(what, 0, RouteNetlinkMessage::DelRoute(route_message(route)));
    }

    /// Has the kernel ask for a neighbour, as if there were a packet for it.
    pub fn ask_neighbour(&mut self, link: u32, address: IpAddr) {
        let mut message = neighbour(link, address);
        message.header.flags = NeighbourFlags::Use;
        let what = format!("neighbour {address} on link {link}");
        self.push(what, NLM_F_CREATE, RouteNetlinkMessage::NewNeighbour(message));
    }

    /// A neighbour that is never asked for again, as of a router that keeps its path.
    pub fn keep_neighbour(&mut self, link: u32, address: IpAddr, mac: [u8; 6]) {
        let mut message = neighbour(link, address);
        message.header.state = NeighbourState::Permanent;
        message.attributes.push(NeighbourAttribute::LinkLayerAddress(mac.to_vec()));
        let what = format!("neighbour {address} on link {link}, for good");
        self.push(what, NLM_F_CREATE | NLM_F_REPLACE, RouteNetlinkMessage::NewNeighbour(message));
    }

    /// Forgets a neighbour: the next packet for it asks anew.
    pub fn forget_neighbour(&mut self, link: u32, address: IpAddr) {
        let what = format!("forget neighbour {address} on link {link}");
        self.push(what, 0, RouteNetlinkMessage::DelNeighbour(neighbour(link, address)));
    }

    /// A policy rule.
    pub fn rule(&mut self, rule: &Rule) {
        self.push(describe_rule(rule), CREATE, RouteNetlinkMessage::NewRule(rule_message(rule)));
    }

    /// Takes a policy rule away.
    pub fn remove_rule(&mut self, rule: &Rule) {
        let what = format!("remove {}", describe_rule(rule));
        self.push(what, 0, RouteNetlinkMessage::DelRule(rule_message(rule)));
    }

    /// Takes a policy rule away, just as the kernel has said that it is.
    pub(crate) fn remove_rule_as_read(&mut self, message: RuleMessage) {
        self.push("remove a rule".into(), 0, RouteNetlinkMessage::DelRule(message));
    }
}

fn neighbour(link: u32, address: IpAddr) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    (message.header.family, message.header.ifindex) = (family(address), link);
    message.attributes.push(NeighbourAttribute::Destination(match address {
        IpAddr::V4(address) => NeighbourAddress::Inet(address),
        IpAddr::V6(address) => NeighbourAddress::Inet6(address),
    }));
    message
}

fn route_message(route: &Route) -> RouteMessage {
    let (to, prefix) = route.to;
    let (kind, scope) = match route.via {
        Some(_) => (RouteType::Unicast, RouteScope::Universe),
        None if route.on_link => (RouteType::Unicast, RouteScope::Link),
        None => (RouteType::Local, RouteScope::Host),
    };
    let mut message = RouteMessage::default();
    message.header = RouteHeader {
        address_family: family(to),
        destination_prefix_length: prefix,
        protocol: RouteProtocol::Static,
        scope,
        kind,
        ..RouteHeader::default()
    };
    if prefix > 0 {
        message.attributes.push(RouteAttribute::Destination(route_address(to)));
    }
    message.attributes.extend(route.via.map(|via| RouteAttribute::Gateway(route_address(via))));
    message.attributes.extend(route.source.map(|source| RouteAttribute::PrefSource(route_address(source))));
    message.attributes.push(RouteAttribute::Oif(route.link));
    message.attributes.push(RouteAttribute::Table(route.table));
    let metrics = [route.mtu.map(RouteMetric::Mtu), route.advmss.map(RouteMetric::Advmss)];
    let metrics: Vec<RouteMetric> = metrics.into_iter().flatten().collect();
    if !metrics.is_empty() {
        message.attributes.push(RouteAttribute::Metrics(metrics));
    }
    message
}

fn describe_route(Route { to: (to, prefix), via, source, table, .. }: &Route) -> String {
    let via = via.map_or_else(|| "here".to_owned(), |via| format!("via {via}"));
    let source = source.map(|source| format!(" from {source}")).unwrap_or_default();
    format!("route {to}/{prefix} {via}{source} in table {table}")
}

fn route_address(address: IpAddr) -> RouteAddress {
    match address {
        IpAddr::V4(address) => RouteAddress::Inet(address),
        IpAddr::V6(address) => RouteAddress::Inet6(address),
    }
}

fn rule_message(rule: &Rule) -> RuleMessage {
    /// Where the kernel has a packet come from that the host itself says.
    const LOOPBACK: &str = "lo";
    let length = |address: Option<IpAddr>| match address {
        None => 0,
        Some(IpAddr::V4(_)) => 32,
        Some(IpAddr::V6(_)) => 128,
    };
    let mut message = RuleMessage::default();
    message.header.family = if rule.ipv6 { AddressFamily::Inet6 } else { AddressFamily::Inet };
    message.header.action = RuleAction::ToTable;
    (message.header.src_len, message.header.dst_len) = (length(rule.from), length(rule.to));
    let attributes = &mut message.attributes;
    attributes.extend([RuleAttribute::Priority(rule.priority), RuleAttribute::Table(rule.table)]);
    attributes.extend(rule.mark.map(RuleAttribute::FwMark));
    attributes.extend(rule.own.then(|| RuleAttribute::Iifname(LOOPBACK.into())));
    attributes.extend(rule.from.map(RuleAttribute::Source));
    attributes.extend(rule.to.map(RuleAttribute::Destination));
    if let Some((start, end)) = rule.tcp_ports {
        attributes.push(RuleAttribute::IpProtocol(IpProtocol::Tcp));
        attributes.push(RuleAttribute::DestinationPortRange(RulePortRange { start, end }));
    }
    message
}

fn describe_rule(rule: &Rule) -> String {
    let mut which = Vec::new();
    which.extend(rule.mark.map(|mark| format!("mark {mark}")));
    which.extend(rule.own.then(|| "own".to_owned()));
    which.extend(rule.from.map(|from| format!("from {from}")));
    which.extend(rule.to.map(|to| format!("to {to}")));
    which.extend(rule.tcp_ports.map(|(first, last)| format!("tcp ports {first}-{last}")));
    let which = if which.is_empty() { "all".to_owned() } else { which.join(" ") };
    let family = if rule.ipv6 { " of IPv6" } else { "" };
    format!("rule {}{family}: {which} lookup {}", rule.priority, rule.table)
}
