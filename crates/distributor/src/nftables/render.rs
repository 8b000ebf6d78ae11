//! From a plan to a ruleset: what changed is set anew, in one transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use sysplex::NoTarget;

use super::ruleset::{AFFINITY, Family, TABLE, VCRT, chains, declarations};
use crate::text::line;
use crate::{Affinity, Connection, OwnerPlan, PortPlan, mark};

/// One port of one DVIPA.
type Key = (IpAddr, u16);

/// What makes the kernel follow `next`; with the affinities of the clients of these connections, which come with
/// [`connections`].
pub(super) fn script(previous: Option<&OwnerPlan>, next: &OwnerPlan, connections: &[Connection]) -> String {
    let has = |plan: &OwnerPlan, family| plan.dvipas.keys().any(|address| Family::of(*address) == family);
    let mut text = String::new();
    for family in Family::ALL {
        // A table of IPv6 comes with the first DVIPA of IPv6.
        if family.name == "ip" || has(next, family) || previous.is_some_and(|plan| has(plan, family)) {
            // Nothing of a family was set by a plan without any.
            let previous = previous.filter(|plan| family.name == "ip" || has(plan, family));
            text.push_str(&Renderer { family, previous, next }.render(connections));
        }
    }
    text
}

struct Renderer<'a> {
    family: Family,
    previous: Option<&'a OwnerPlan>,
    next: &'a OwnerPlan,
}

impl Renderer<'_> {
    fn render(&self, connections: &[Connection]) -> String {
        let (table, next) = (self.table(), self.next);
        let before = self.previous;
        let of_before = |key| before.and_then(|plan| port_of(plan, key));
        let removed: Vec<Key> = before
            .into_iter()
            .flat_map(|plan| self.ports(plan))
            .map(|(key, _)| key)
            .filter(|&key| port_of(next, key).is_none())
            .collect();
        let changed: Vec<(Key, &PortPlan)> =
            self.ports(next).filter(|&(key, plan)| of_before(key).is_none_or(|old| rule(old) != rule(plan))).collect();

        let mut text = if before.is_none() { declarations(self.family) } else { String::new() };
        for &(key, _) in &changed {
            line(&mut text, format_args!("add chain {table} {}", chain_of(key)));
        }
        if before.is_none() {
            for chain in self.family.chains() {
                line(&mut text, format_args!("flush chain {table} {chain}"));
            }
            text.push_str(&chains(self.family));
        }
        for &(key, plan) in &changed {
            let chain = chain_of(key);
            line(&mut text, format_args!("flush chain {table} {chain}"));
            line(&mut text, format_args!("add rule {table} {chain} {}", rule(plan)));
        }
        for (kind, name, elements) in [
            ("set", "owned", Self::owned as fn(&Self, &OwnerPlan) -> Vec<String>),
            ("set", "settling", Self::settling),
            ("set", "ready", Self::ready),
            ("map", "ports", Self::vmap),
            ("map", "sysplexports", Self::sysplexports),
        ] {
            let now = elements(self, next);
            match before.map(|before| elements(self, before)) {
                Some(had) => self.change(&mut text, name, &had, &now),
                None => {
                    line(&mut text, format_args!("flush {kind} {table} {name}"));
                    self.add(&mut text, name, &now);
                }
            }
        }
        self.add(&mut text, AFFINITY, &self.affinities(connections));
        // Last, because a chain can go only when nothing leads to it. Added first, so that one that is gone already is no error.
        for key in removed {
            for command in ["add", "flush", "delete"] {
                line(&mut text, format_args!("{command} chain {table} {}", chain_of(key)));
            }
        }
        text
    }

    /// A client that has a connection has an affinity, too. Of a DVIPA that is just being taken over only: later the kernel knows
    /// better. One for each client.
    fn affinities(&self, connections: &[Connection]) -> Vec<String> {
        let taken =
            connections.iter().filter(|c| self.is_ours(c.dvipa.ip()) && self.next.settling.contains(&c.dvipa.ip()));
        let timed = taken.filter(|c| self.next.has_affinity(c.dvipa));
        let of_client: BTreeMap<_, _> = timed.map(|c| ((c.client.ip(), c.dvipa), mark(c.target))).collect();
        let element = |((client, dvipa), mark): ((IpAddr, SocketAddr), u32)| {
            let key = format!("{client} . {} . {}", dvipa.ip(), dvipa.port());
            self.family.element(&key, "", &mark.to_string())
        };
        of_client.into_iter().map(element).collect()
    }

    fn table(&self) -> String {
        format!("{} {TABLE}", self.family.name)
    }

    fn is_ours(&self, address: IpAddr) -> bool {
        Family::of(address) == self.family
    }

    fn add(&self, text: &mut String, name: &str, elements: &[String]) {
        self.elements(text, "add", name, elements);
    }

    /// Only what differs: a set may have thousands of elements.
    fn change(&self, text: &mut String, name: &str, had: &[String], now: &[String]) {
        let set = |elements: &[String]| elements.iter().cloned().collect::<BTreeSet<String>>();
        let (had, now) = (set(had), set(now));
        self.elements(text, "delete", name, &had.difference(&now).cloned().collect::<Vec<_>>());
        self.elements(text, "add", name, &now.difference(&had).cloned().collect::<Vec<_>>());
    }

    fn elements(&self, text: &mut String, command: &str, name: &str, elements: &[String]) {
        edit_elements(text, self.family, command, name, elements);
    }

    fn ports<'p>(&self, plan: &'p OwnerPlan) -> impl Iterator<Item = (Key, &'p PortPlan)> {
        let family = self.family;
        let ours = plan.dvipas.iter().filter(move |(address, _)| Family::of(**address) == family);
        ours.flat_map(|(&dvipa, plan)| plan.ports.iter().map(move |(&port, plan)| ((dvipa, port), plan)))
    }

    fn owned(&self, plan: &OwnerPlan) -> Vec<String> {
        plan.dvipas.keys().filter(|address| self.is_ours(**address)).map(IpAddr::to_string).collect()
    }

    fn settling(&self, plan: &OwnerPlan) -> Vec<String> {
        plan.settling.iter().filter(|address| self.is_ours(**address)).map(IpAddr::to_string).collect()
    }

    fn ready(&self, plan: &OwnerPlan) -> Vec<String> {
        let targets =
            self.ports(plan).flat_map(|(key, plan)| plan.ready.iter().map(move |target| (key, mark(*target))));
        targets.map(|((dvipa, port), mark)| format!("{dvipa} . {port} . {mark}")).collect()
    }

    fn vmap(&self, plan: &OwnerPlan) -> Vec<String> {
        let chain = |((dvipa, port), _): (Key, _)| format!("{dvipa} . {port} : goto {}", chain_of((dvipa, port)));
        self.ports(plan).map(chain).collect()
    }

    fn sysplexports(&self, plan: &OwnerPlan) -> Vec<String> {
        let ours = plan.dvipas.iter().filter(|(address, _)| self.is_ours(**address));
        let ranges = ours.flat_map(|(dvipa, plan)| plan.sysplexports.iter().map(move |range| (dvipa, range)));
        ranges
            .map(|(dvipa, range)| {
                let (first, last) = (range.ports.start(), range.ports.end());
                let ports = if first == last { first.to_string() } else { format!("{first}-{last}") };
                format!("{dvipa} . {ports} : {}", mark(range.target))
            })
            .collect()
    }
}

fn edit_elements(text: &mut String, family: Family, command: &str, name: &str, elements: &[String]) {
    if !elements.is_empty() {
        let (family, elements) = (family.name, elements.join(",\n    "));
        line(text, format_args!("{command} element {family} {TABLE} {name} {{\n    {elements},\n}}"));
    }
}

/// Are the tables there, after this plan, that these connections belong in?
pub(super) fn has_tables(plan: &OwnerPlan, connections: &[Connection]) -> bool {
    let ipv6 = plan.dvipas.keys().any(IpAddr::is_ipv6);
    ipv6 || connections.iter().all(|connection| connection.dvipa.is_ipv4())
}

/// Puts connections into the VCRT, whose table is there.
pub(super) fn connections(connections: &[Connection]) -> String {
    let mut text = String::new();
    for family in Family::ALL {
        let ours = connections.iter().filter(|c| Family::of(c.dvipa.ip()) == family);
        let element = |c| family.element(&key_of(c), "", &mark(c.target).to_string());
        edit_elements(&mut text, family, "add", VCRT, &ours.map(element).collect::<Vec<_>>());
    }
    text
}

/// Takes connections out of the VCRT, those that are in it; all or none.
pub(super) fn forget(connections: &[Connection]) -> String {
    delete(VCRT, connections.iter().map(|c| (c.dvipa.ip(), key_of(c), mark(c.target))))
}

/// Sets affinities anew with this much time.
pub(super) fn affinity_timers(timers: &[(Affinity, Duration)]) -> String {
    let key = |a: &Affinity| format!("{} . {} . {}", a.client, a.dvipa.ip(), a.dvipa.port());
    let keys = timers.iter().map(|(affinity, _)| (affinity.dvipa.ip(), key(affinity), mark(affinity.target)));
    let mut text = delete(AFFINITY, keys);
    for (affinity, time) in timers {
        let (family, mark) = (Family::of(affinity.dvipa.ip()), mark(affinity.target).to_string());
        let element = family.element(&key(affinity), &format!(" timeout {}ms", time.as_millis()), &mark);
        line(&mut text, format_args!("add element {} {TABLE} {AFFINITY} {{ {element} }}", family.name));
    }
    text
}

fn delete(name: &str, keys: impl Iterator<Item = (IpAddr, String, u32)>) -> String {
    let mut text = String::new();
    for (dvipa, key, mark) in keys {
        let family = Family::of(dvipa);
        let key = family.element_key(&key, mark);
        line(&mut text, format_args!("delete element {} {TABLE} {name} {{ {key} }}", family.name));
    }
    text
}

fn key_of(connection: &Connection) -> String {
    let Connection { client, dvipa, .. } = connection;
    format!("{} . {} . {} . {}", client.ip(), client.port(), dvipa.ip(), dvipa.port())
}

fn port_of(plan: &OwnerPlan, (dvipa, port): Key) -> Option<&PortPlan> {
    plan.dvipas.get(&dvipa)?.ports.get(&port)
}

pub(super) fn chain_of((dvipa, port): Key) -> String {
    // A colon is no part of a name.
    format!("port-{}-{port}", dvipa.to_string().replace(':', "_"))
}

/// The one rule of a port's chain.
fn rule(plan: &PortPlan) -> String {
    let then = if plan.timed_affinity.is_zero() { "picked" } else { "affine" };
    match plan.turns().as_slice() {
        [] => match plan.no_target {
            NoTarget::Reset => "reject with tcp reset".to_owned(),
            NoTarget::Drop => "drop".to_owned(),
        },
        [only] => format!("meta mark set {} goto {then}", mark(*only)),
        turns => {
            let marks = turns.iter().enumerate().map(|(turn, &target)| format!("{turn} : {}", mark(target)));
            let marks = marks.collect::<Vec<_>>().join(", ");
            format!("meta mark set numgen inc mod {} map {{ {marks} }} goto {then}", turns.len())
        }
    }
}
