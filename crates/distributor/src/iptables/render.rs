//! From a plan to scripts: what changed is set anew.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use sysplex::{LparIndex, NoTarget};

use super::family::{Family, chain};
use super::numbers::{CONNECTION, Numbers};
use super::port::{Port, element};
use super::ruleset::{Rules, line};
use super::shared::{
    AFFINE, DAY, LOAD_AFFINITY, NEW, OWNED, PACKET, RANGES, REFUSE, REFUSED, SETTLING, UNAFFINE, affinity, chains,
    create, create_counting, range, sets, turn,
};
use super::{ipset, restore};
use crate::{Affinity, Connection, OwnerPlan, PortPlan, Script, mark};

/// One port of one DVIPA.
type Key = (IpAddr, u16);

pub(super) fn scripts(previous: Option<&OwnerPlan>, next: &OwnerPlan, connections: &[Connection]) -> Vec<Script> {
    let has = |plan: &OwnerPlan, family| plan.dvipas.keys().any(|address| Family::of(*address) == family);
    let mut scripts = Vec::new();
    for family in Family::ALL {
        // Rules of IPv6 come with the first DVIPA of IPv6.
        if family == Family::V4 || has(next, family) || previous.is_some_and(|plan| has(plan, family)) {
            // Nothing of a family was set by a plan without any.
            let previous = previous.filter(|plan| family == Family::V4 || has(plan, family));
            scripts.extend(Renderer { family, previous, next }.scripts(connections));
        }
    }
    scripts
}

struct Renderer<'a> {
    family: Family,
    previous: Option<&'a OwnerPlan>,
    next: &'a OwnerPlan,
}

impl Renderer<'_> {
    /// Sets first, which the rules name.
    fn scripts(&self, connections: &[Connection]) -> Vec<Script> {
        let family = self.family;
        let ours: Vec<&Connection> = connections.iter().filter(|c| Family::of(c.dvipa.ip()) == family).collect();
        let new_ports = self.new_ports(&ours);
        let mut scripts = Vec::new();
        let sets = self.sets(&new_ports, &ours);
        if !sets.is_empty() {
            scripts.push(ipset(sets));
        }
        if self.previous.is_none() {
            let mut filter = Rules::default();
            let refused = format!("-p tcp -m mark --mark {REFUSED} -j REJECT --reject-with tcp-reset");
            filter.add("INPUT", format_args!("{refused}"));
            scripts.extend(filter.script("filter").map(|text| restore(family, text)));
        }
        scripts.extend(self.rules(&new_ports).script("mangle").map(|text| restore(family, text)));
        scripts
    }

    fn sets(&self, new_ports: &[Port], connections: &[&Connection]) -> String {
        let (family, mut text) = (self.family, String::new());
        if self.previous.is_none() {
            sets(&mut text, family);
        }
        let before = self.previous.map(|plan| self.ready(plan)).unwrap_or_default();
        for target in self.ready(self.next).difference(&before) {
            create_counting(&mut text, family, &total(family, *target));
        }
        for port in new_ports {
            port.sets(&mut text);
        }
        for ((dvipa, port), plan) in self.ports(self.next) {
            let before = self.before((dvipa, port)).map(PortPlan::turns);
            if plan.turns().len() > 1 && before.as_ref() != Some(&plan.turns()) {
                line(&mut text, format_args!("add {} {dvipa},tcp:{port} packets 0 bytes 0", turn(family)));
            }
        }
        for connection in connections {
            self.write(&mut text, connection);
        }
        text
    }

    fn write(&self, text: &mut String, connection: &Connection) {
        if self.by_range(connection) {
            let element = element(connection);
            for number in Numbers::ports(self.family).write(&element, connection.dvipa.port().into()) {
                line(text, format_args!("{number}"));
            }
            line(text, format_args!("add {} {element}", range(self.family)));
        } else {
            Port::of(connection).write(text, connection);
        }
    }

    /// Does the connection get to its target because of its port?
    fn by_range(&self, connection: &Connection) -> bool {
        let (dvipa, port) = (connection.dvipa.ip(), connection.dvipa.port());
        let takes = |range: &crate::PortRange| range.ports.contains(&port) && range.target == connection.target;
        let plan = self.next.dvipas.get(&dvipa);
        plan.is_some_and(|plan| !plan.ports.contains_key(&port) && plan.sysplexports.iter().any(takes))
    }

    fn rules(&self, new_ports: &[Port]) -> Rules {
        let (family, next) = (self.family, self.next);
        let mut rules = Rules::default();
        if self.previous.is_none() {
            chains(&mut rules, family);
        }
        for port in new_ports {
            port.chains(&mut rules);
        }
        let changed: Vec<PortChains> = self
            .ports(next)
            .map(|(key, plan)| PortChains::of(key, plan))
            .filter(|now| self.before(now.key).is_none_or(|before| PortChains::of(now.key, before) != *now))
            .collect();
        for target in changed.iter().flat_map(|chains| &chains.targets).collect::<BTreeSet<_>>() {
            rules.whole(&to(*target), &[format!("-j MARK --set-mark {}", mark(*target))]);
        }
        for chains in &changed {
            rules.whole(&chain("turn", chains.key.0, chains.key.1), &chains.turn);
            rules.whole(&chain("new", chains.key.0, chains.key.1), &chains.new);
        }
        for (chain, content) in [
            (OWNED, Self::owned as fn(&Self, &OwnerPlan) -> Vec<String>),
            (SETTLING, Self::settling),
            (NEW, Self::dispatch),
            (RANGES, Self::sysplexports),
        ] {
            let now = content(self, next);
            if self.previous.is_none_or(|before| content(self, before) != now) {
                rules.whole(chain, &now);
            }
        }
        // Last, because a chain can go only when nothing leads to it.
        for ((dvipa, port), _) in self.previous.into_iter().flat_map(|plan| self.ports(plan)) {
            if port_of(next, (dvipa, port)).is_none() {
                rules.remove(&chain("new", dvipa, port));
                rules.remove(&chain("turn", dvipa, port));
            }
        }
        rules
    }

    fn before(&self, key: Key) -> Option<&PortPlan> {
        port_of(self.previous?, key)
    }

    fn ours(&self, address: IpAddr) -> bool {
        Family::of(address) == self.family
    }

    fn ports<'p>(&self, plan: &'p OwnerPlan) -> impl Iterator<Item = (Key, &'p PortPlan)> {
        let family = self.family;
        let ours = plan.dvipas.iter().filter(move |(address, _)| Family::of(**address) == family);
        ours.flat_map(|(&dvipa, plan)| plan.ports.iter().map(move |(&port, plan)| ((dvipa, port), plan)))
    }

    /// Ports that need a table of connections and have none yet.
    fn new_ports(&self, connections: &[&Connection]) -> Vec<Port> {
        let numbers = |plan| self.ports(plan).map(|((_, port), _)| port).collect::<BTreeSet<u16>>();
        let dialled = connections.iter().filter(|c| !self.by_range(c)).map(|c| c.dvipa.port());
        let needed: BTreeSet<u16> = numbers(self.next).into_iter().chain(dialled).collect();
        let had = self.previous.map(numbers).unwrap_or_default();
        needed.difference(&had).map(|&port| Port { family: self.family, port }).collect()
    }

    fn ready(&self, plan: &OwnerPlan) -> BTreeSet<LparIndex> {
        self.ports(plan).flat_map(|(_, plan)| plan.ready.iter().copied()).collect()
    }

    fn owned(&self, plan: &OwnerPlan) -> Vec<String> {
        // What the owner says to itself is routed already.
        let lo = "-i lo -j RETURN".to_owned();
        let owned = plan.dvipas.keys().filter(|address| self.ours(**address));
        [lo].into_iter().chain(owned.map(|dvipa| format!("-p tcp -d {dvipa} -g {PACKET}"))).collect()
    }

    fn settling(&self, plan: &OwnerPlan) -> Vec<String> {
        let settling = plan.settling.iter().filter(|address| self.ours(**address));
        settling.map(|dvipa| format!("-d {dvipa} -j DROP")).collect()
    }

    fn dispatch(&self, plan: &OwnerPlan) -> Vec<String> {
        let to_chain =
            |((dvipa, port), _)| format!("-p tcp -d {dvipa} --dport {port} -g {}", chain("new", dvipa, port));
        self.ports(plan).map(to_chain).collect()
    }

    fn sysplexports(&self, plan: &OwnerPlan) -> Vec<String> {
        let ours = plan.dvipas.iter().filter(|(address, _)| self.ours(**address));
        let ranges = ours.flat_map(|(dvipa, plan)| plan.sysplexports.iter().map(move |range| (dvipa, range)));
        ranges
            .map(|(dvipa, range)| {
                let (first, last, mark) = (range.ports.start(), range.ports.end(), mark(range.target));
                format!("-p tcp -d {dvipa} --dport {first}:{last} -j MARK --set-mark {mark}")
            })
            .collect()
    }
}

/// The chains of a distributed port of a DVIPA.
#[derive(PartialEq, Eq)]
struct PortChains {
    key: Key,
    /// Those whose turn it can be.
    targets: BTreeSet<LparIndex>,
    /// What happens with a SYN.
    new: Vec<String>,
    /// Who gets it.
    turn: Vec<String>,
}

impl PortChains {
    fn of(key: Key, plan: &PortPlan) -> Self {
        let turns = plan.turns();
        Self {
            key,
            targets: turns.iter().copied().collect(),
            new: new(key, plan),
            turn: turn_rules(key.0, plan, &turns),
        }
    }
}

fn new((dvipa, number): Key, plan: &PortPlan) -> Vec<String> {
    let family = Family::of(dvipa);
    let port = Port { family, port: number };
    let affine = !plan.timed_affinity.is_zero();
    let ready = plan.ready.iter().map(|target| (mark(*target), total(family, *target)));
    // A retransmission keeps its target while that one is ready.
    let mut rules = vec![format!("-m set --match-set {} {} -j {}", port.vcrt(), CONNECTION, port.load())];
    rules.extend(ready.clone().map(|(mark, _)| format!("-m mark --mark {mark} -g {}", port.store())));
    // A new connection leaves nothing of an old one.
    rules.push(format!("-j {}", port.clear()));
    rules.extend(affine.then(|| format!("-j {LOAD_AFFINITY}")));
    rules.push(format!("-j {}", chain("turn", dvipa, number)));
    rules.extend(affine.then(|| format!("-j {AFFINE}")));
    // The first one makes the element, with 1; to look for it counts, too.
    rules.extend(ready.map(|(mark, total)| {
        format!("-m mark --mark {mark} -m set ! --match-set {total} dst,dst -j SET --add-set {total} dst,dst")
    }));
    rules.push(format!("-g {}", port.store()));
    rules
}

fn turn_rules(dvipa: IpAddr, plan: &PortPlan, turns: &[LparIndex]) -> Vec<String> {
    let mut rules = Vec::new();
    if !plan.timed_affinity.is_zero() {
        // A client with an affinity goes where it was, while that target is ready; else the affinity is dropped.
        rules.extend(plan.ready.iter().map(|target| format!("-m mark --mark {} -j RETURN", mark(*target))));
        rules.push(format!("-j {UNAFFINE}"));
    }
    let Some((last, others)) = turns.split_last() else {
        rules.push(match plan.no_target {
            NoTarget::Reset => format!("-g {REFUSE}"),
            NoTarget::Drop => "-j DROP".to_owned(),
        });
        return rules;
    };
    if !others.is_empty() {
        let (set, above) = (turn(Family::of(dvipa)), turns.len() + 1);
        let look = format!("{set} dst,dst ! --update-counters");
        // To look for it counts. After the last turn, and when it is not there, it is 1.
        rules.push(format!("-m set --match-set {set} dst,dst"));
        rules.push(format!("-m set ! --match-set {look} --packets-lt {above} -j SET --add-set {set} dst,dst --exist"));
        let numbered = (1..).zip(others);
        rules.extend(
            numbered.map(|(n, target)| format!("-m set --match-set {look} --packets-eq {n} -g {}", to(*target))),
        );
    }
    rules.push(format!("-g {}", to(*last)));
    rules
}

/// The chain that marks for an LPAR.
fn to(target: LparIndex) -> String {
    format!("to-{}", target.get())
}

/// The set that counts the connections that an LPAR was ever sent, for each port of a DVIPA.
fn total(family: Family, target: LparIndex) -> String {
    family.set(&format!("total-{}", target.get()))
}

/// Takes connections out of the VCRT, those that are in it.
pub(super) fn forget(connections: &[Connection]) -> String {
    let mut text = String::new();
    // Which table a connection is in, only a plan says; a set has to be there to be looked into.
    for port in connections.iter().map(Port::of).collect::<BTreeSet<_>>() {
        create(&mut text, port.family, &port.vcrt(), DAY);
        create(&mut text, port.family, &range(port.family), DAY);
    }
    for connection in connections {
        let port = Port::of(connection);
        let element = element(connection);
        line(&mut text, format_args!("del {} {element}", port.vcrt()));
        line(&mut text, format_args!("del {} {element}", range(port.family)));
    }
    text
}

/// Gives affinities this much time, rounded up to a second. Their targets stay.
pub(super) fn affinity_timers(timers: &[(Affinity, Duration)]) -> String {
    let mut text = String::new();
    for (Affinity { client, dvipa, .. }, time) in timers {
        // No time at all would mean forever.
        let seconds = time.as_millis().div_ceil(1000).max(1);
        let set = affinity(Family::of(dvipa.ip()));
        line(&mut text, format_args!("add {set} {client},tcp:{},{} timeout {seconds}", dvipa.port(), dvipa.ip()));
    }
    text
}
