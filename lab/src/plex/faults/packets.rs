//! Faults that are rules for packets, as nftables reads them: a table of its own for each fault, in the fabric between the hosts, so
//! that neither a host's own rules nor the distributor's know of it. Pure.
//!
//! Each rule counts what it takes away, and each has probes: packets that it must take away, by which its effect is shown.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use sysplex::{Denial, Firewall, Sysplex};

use super::kind::{Fault, Frozen, Segment};
use crate::plex::network::fabric_port;

/// The port of probes that nobody is to answer with data: `discard` (RFC 863).
pub(super) const DISCARD: u16 = 9;

/// A table of rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    /// Family and hook: where the fabric's bridges pass packets on, or, to answer them, where its ports take them.
    hook: Hook,
    /// In their order.
    pub(super) rules: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hook {
    /// Between the ports of the bridges.
    Forward,
    /// At these ports.
    Ingress(Vec<String>),
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    text: String,
    /// Packets that it must take away: the first is enough, when its host is up.
    pub(super) probes: Vec<Probe>,
}

/// A packet that shows whether a rule bites.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Probe {
    /// From this host,
    pub(super) from: String,
    /// to this address,
    pub(super) to: SocketAddr,
    /// like this.
    pub(super) how: How,
}

/// How it is probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// Datagrams: so many at a time, of so many bytes.
    Datagrams(u32, usize),
    /// A connection is dialled.
    Dial,
}

/// One datagram, or the question for its neighbour, is enough.
const ONE: How = How::Datagrams(1, 1);

impl Rules {
    /// The rules of a fault; nothing when it is none of packets.
    pub(super) fn of(sysplex: &Sysplex, fault: &Fault) -> Option<Self> {
        let forward = |rules| Some(Self { hook: Hook::Forward, rules });
        match fault {
            Fault::Firewall(firewall) => Some(firewall_rules(sysplex, firewall)),
            Fault::Partition { between, and, segment } => {
                let each =
                    segment.each().flat_map(|one| [cut(sysplex, between, and, one), cut(sysplex, and, between, one)]);
                forward(each.flatten().collect())
            }
            Fault::Loss { on, segment, percent } => {
                // All of a hundred is no comparison that nft knows.
                let chance = if *percent < 100 { format!("numgen random mod 100 < {percent} ") } else { String::new() };
                let what = format!("{chance}counter drop");
                forward(both_ways(sysplex, on, *segment, &what, How::Datagrams(50, 1)))
            }
            Fault::Rate { on, segment, bytes } => {
                // Packets between namespaces may have 64 KiB; a bucket that is smaller would let none of them pass, ever.
                let burst = (bytes / 4).max(128 * 1024);
                let what = format!("limit rate over {bytes} bytes/second burst {burst} bytes counter drop");
                forward(both_ways(sysplex, on, *segment, &what, How::Datagrams(1000, 1400)))
            }
            Fault::Freeze(Frozen::Host(host)) => {
                let on = [host.clone()];
                forward(both_ways(sysplex, &on, Segment::Both, "counter drop", ONE))
            }
            _ => None,
        }
    }

    /// The family and name of the table.
    pub(super) fn table(&self, number: u32) -> String {
        match self.hook {
            Hook::Forward => format!("bridge fault_{number}"),
            Hook::Ingress(_) => format!("netdev fault_{number}"),
        }
    }

    /// What makes the table. Later faults look at packets before earlier ones, so that each of them is seen to bite.
    pub(super) fn script(&self, number: u32) -> String {
        let hook = match &self.hook {
            Hook::Forward => "forward".to_owned(),
            Hook::Ingress(ports) => format!("ingress devices = {}", set(ports)),
        };
        let mut text = format!("table {} {{\n    chain packets {{\n", self.table(number));
        let _ = writeln!(text, "        type filter hook {hook} priority -{number}; policy accept;");
        for rule in &self.rules {
            let _ = writeln!(text, "        {}", rule.text);
        }
        text + "    }\n}\n"
    }
}

/// What the one say to the others on one segment.
fn cut(sysplex: &Sysplex, from: &[String], to: &[String], segment: Segment) -> Option<Rule> {
    let (ins, outs) = (ports(sysplex, from, segment), ports(sysplex, to, segment));
    let text = format!("iifname {} oifname {} counter drop", set(&ins), set(&outs));
    let probe = |from: &String, to: &String| {
        let to = SocketAddr::new(address(sysplex, to, segment)?, DISCARD);
        Some(Probe { from: from.clone(), to, how: ONE })
    };
    let probes = from.iter().flat_map(|from| to.iter().filter_map(move |to| probe(from, to))).collect();
    (!ins.is_empty() && !outs.is_empty()).then_some(Rule { text, probes })
}

/// What these hosts send, and what they are sent.
fn both_ways(sysplex: &Sysplex, on: &[String], segment: Segment, what: &str, how: How) -> Vec<Rule> {
    let mut rules = Vec::new();
    for segment in segment.each() {
        let ports = ports(sysplex, on, segment);
        if ports.is_empty() {
            continue;
        }
        let probe = |from: &str, to: &str| {
            let to = SocketAddr::new(address(sysplex, to, segment)?, DISCARD);
            Some(Probe { from: from.to_owned(), to, how })
        };
        let pairs = || {
            on.iter().flat_map(|one| {
                sysplex.hosts().filter(move |other| *other != one.as_str()).map(move |other| (one.as_str(), other))
            })
        };
        let sent = pairs().filter_map(|(own, other)| probe(own, other)).collect();
        let got = pairs()
            .filter_map(|(own, other)| address(sysplex, other, segment).and_then(|_| probe(other, own)))
            .collect();
        rules.push(Rule { text: format!("iifname {} {what}", set(&ports)), probes: sent });
        rules.push(Rule { text: format!("oifname {} {what}", set(&ports)), probes: got });
    }
    rules
}

fn firewall_rules(sysplex: &Sysplex, firewall: &Firewall) -> Rules {
    let own = ports(sysplex, &firewall.from, Segment::Lan);
    let (hook, from) = match firewall.denial {
        Denial::Drop => (Hook::Forward, format!("iifname {} ", set(&own))),
        Denial::Reset | Denial::Prohibited => (Hook::Ingress(own), String::new()),
    };
    let list: Vec<String> = firewall.ports.iter().map(|range| format!("{}-{}", range.start(), range.end())).collect();
    let ports = format!("tcp dport {}{}", if firewall.allows { "!= " } else { "" }, set_of(&list));
    let mut rules = Vec::new();
    for ipv6 in [false, true] {
        let to: Vec<IpAddr> = firewall.to.iter().copied().filter(|to| to.is_ipv6() == ipv6).collect();
        if to.is_empty() && (!firewall.to.is_empty() || (ipv6 && !sysplex.has_ipv6())) {
            continue;
        }
        let (protocol, of) = if ipv6 { ("ip6", "ipv6") } else { ("ip", "ipv4") };
        let to_words: Vec<String> = to.iter().map(IpAddr::to_string).collect();
        let to_text = if to.is_empty() {
            format!("meta protocol {protocol}")
        } else {
            format!("{protocol} daddr {}", set_of(&to_words))
        };
        let verdict = match firewall.denial {
            Denial::Drop => "drop".to_owned(),
            Denial::Reset => "reject with tcp reset".to_owned(),
            Denial::Prohibited if of == "ipv6" => "reject with icmpv6 type admin-prohibited".to_owned(),
            Denial::Prohibited => "reject with icmp type admin-prohibited".to_owned(),
        };
        let target = to.first().copied().or_else(|| any_lpar(sysplex, firewall, ipv6));
        let dial = target.zip(firewall.denied_port()).map(|(ip, port)| SocketAddr::new(ip, port));
        let probes = firewall.from.iter().zip(dial.into_iter().cycle());
        let probes = probes.map(|(from, to)| Probe { from: from.clone(), to, how: How::Dial }).collect();
        rules.push(Rule { text: format!("{from}{to_text} {ports} counter {verdict}"), probes });
    }
    Rules { hook, rules }
}

fn any_lpar(sysplex: &Sysplex, firewall: &Firewall, ipv6: bool) -> Option<IpAddr> {
    let lpar = sysplex.lpars.iter().find(|lpar| !firewall.from.contains(&lpar.name))?;
    Some(if ipv6 { lpar.home6.into() } else { lpar.home.into() })
}

/// The ports of these hosts at the fabric.
fn ports(sysplex: &Sysplex, hosts: &[String], segment: Segment) -> Vec<String> {
    hosts.iter().filter_map(|host| fabric_port(sysplex, host, segment == Segment::Xcf)).map(|(_, name)| name).collect()
}

/// A host's own address on one segment.
pub(super) fn address(sysplex: &Sysplex, host: &str, segment: Segment) -> Option<IpAddr> {
    let lpar = sysplex.lpar_named(host);
    if segment == Segment::Xcf {
        return lpar.map(|lpar| lpar.xcf.into());
    }
    let workstation = || sysplex.workstations.iter().find(|workstation| workstation.name == host);
    lpar.map(|lpar| lpar.home.into()).or_else(|| workstation().map(|workstation| workstation.address.into()))
}

fn set(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    set_of(&quoted)
}

fn set_of(elements: &[String]) -> String {
    format!("{{ {} }}", elements.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(fault: &Fault) -> String {
        Rules::of(&Sysplex::uniform(3), fault).expect("rules").script(7)
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn a_partition_cuts_both_ways_where_both_have_a_link() {
        let (between, and) = (names(&["LPAR1", "WS1"]), names(&["LPAR2", "LPAR3"]));
        let text = script(&Fault::Partition { between, and, segment: Segment::Both });
        for rule in [
            "iifname { \"lan1\", \"lan4\" } oifname { \"lan2\", \"lan3\" } counter drop",
            "iifname { \"lan2\", \"lan3\" } oifname { \"lan1\", \"lan4\" } counter drop",
            "iifname { \"xcf1\" } oifname { \"xcf2\", \"xcf3\" } counter drop",
        ] {
            assert!(text.contains(rule), "no {rule} in {text}");
        }
        assert!(text.starts_with("table bridge fault_7 {") && text.contains("priority -7;"));
    }

    #[test]
    fn a_firewall_that_answers_stands_at_the_port() {
        let firewall = |denial, allows| {
            Fault::Firewall(Firewall {
                from: names(&["WS1"]),
                to: Vec::new(),
                ports: vec![4035..=4035],
                allows,
                denial,
            })
        };
        let drops = script(&firewall(Denial::Drop, true));
        assert!(
            drops.contains("iifname { \"lan4\" } meta protocol ip tcp dport != { 4035-4035 } counter drop"),
            "{drops}"
        );
        let resets = script(&firewall(Denial::Reset, false));
        assert!(resets.contains("hook ingress devices = { \"lan4\" }"), "{resets}");
        assert!(resets.contains("tcp dport { 4035-4035 } counter reject with tcp reset"), "{resets}");
    }

    #[test]
    fn each_rule_can_be_probed() {
        let on = names(&["LPAR2"]);
        let rules =
            Rules::of(&Sysplex::uniform(3), &Fault::Loss { on, segment: Segment::Xcf, percent: 30 }).expect("rules");
        let probes: Vec<(&str, String)> =
            rules.rules.iter().map(|rule| (rule.probes[0].from.as_str(), rule.probes[0].to.to_string())).collect();
        let all = Fault::Loss { on: names(&["LPAR2"]), segment: Segment::Lan, percent: 100 };
        assert!(script(&all).contains("iifname { \"lan2\" } counter drop"), "{}", script(&all));
        assert_eq!(probes, [("LPAR2", "9.9.9.1:9".to_owned()), ("LPAR1", "9.9.9.2:9".to_owned())]);
    }
}
