//! From a plan to scripts: what changed is set anew.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::family::Family;
use super::numbers::Numbers;
use super::pick::{TURN, affinity};
use super::plan_sets::{Key, PlanSets, begin, counters};
use super::port::{Port, element};
use super::rounds::Rounds;
use super::ruleset::Rules;
use super::shared::{OWN, OWNED, PACKET, RANGES, REFUSED, SETTLING, helpers, packets, range, sets};
use super::{ipset, pick, restore};
use crate::text::line;
use crate::{Connection, OwnerPlan, PortPlan, PortRange, Script, mark};

pub(super) fn scripts(previous: Option<&OwnerPlan>, next: &OwnerPlan, connections: &[Connection]) -> Vec<Script> {
    let has = |plan: &OwnerPlan, family| plan.dvipas.keys().any(|address| Family::of(*address) == family);
    let mut scripts = Vec::new();
    for family in Family::ALL {
        // Rules of IPv6 come with the first DVIPA of IPv6.
        if family == Family::V4 || has(next, family) || previous.is_some_and(|plan| has(plan, family)) {
            // Nothing of a family was set by a plan without any.
            let previous = previous.filter(|plan| family == Family::V4 || has(plan, family));
            let rounds = |plan| Rounds::of(family, ports(family, plan));
            let (before, now) = (previous.map(rounds), rounds(next));
            scripts.extend(Renderer { family, previous, next, before, now }.scripts(connections));
        }
    }
    scripts
}

struct Renderer<'a> {
    family: Family,
    previous: Option<&'a OwnerPlan>,
    next: &'a OwnerPlan,
    /// The rounds of the plans.
    before: Option<Rounds>,
    now: Rounds,
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
            scripts.extend(filter.scripts("filter").map(|text| restore(family, text)));
        }
        scripts.extend(self.rules(&new_ports).scripts("mangle").map(|text| restore(family, text)));
        scripts
    }

    fn sets(&self, new_ports: &[Port], connections: &[&Connection]) -> String {
        let (family, mut text) = (self.family, String::new());
        if self.previous.is_none() {
            counters(&mut text, family);
            sets(&mut text, family);
            pick::sets(&mut text, family);
        }
        for port in new_ports {
            port.sets(&mut text);
        }
        let plan_sets = |plan| PlanSets::of(family, ports(family, plan));
        plan_sets(self.next).render(&mut text, self.previous.map(plan_sets).as_ref());
        begin(&mut text, family, self.now.begin(self.before.as_ref()));
        for connection in connections {
            self.write(&mut text, connection);
            if self.next.has_affinity(connection.dvipa) {
                self.write_affinity(&mut text, connection);
            }
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

    /// A client that has a connection has an affinity, too.
    fn write_affinity(&self, text: &mut String, Connection { client, dvipa, target }: &Connection) {
        let element = format!("{},tcp:{},{}", client.ip(), dvipa.port(), dvipa.ip());
        for number in Numbers::affinities(self.family).write(&element, mark(*target)) {
            line(text, format_args!("{number}"));
        }
        line(text, format_args!("add {} {element}", affinity(self.family)));
    }

    /// Does the connection get to its target because of its port?
    fn by_range(&self, connection: &Connection) -> bool {
        let (dvipa, port) = (connection.dvipa.ip(), connection.dvipa.port());
        let takes = |range: &PortRange| range.ports.contains(&port) && range.target == connection.target;
        let plan = self.next.dvipas.get(&dvipa);
        plan.is_some_and(|plan| !plan.ports.contains_key(&port) && plan.sysplexports.iter().any(takes))
    }

    fn rules(&self, new_ports: &[Port]) -> Rules {
        let family = self.family;
        let mut rules = Rules::default();
        if self.previous.is_none() {
            helpers(&mut rules, family);
            pick::helpers(&mut rules, family);
        }
        self.rounds(&mut rules);
        for port in new_ports {
            rules.may_pause();
            port.chains(&mut rules);
        }
        // From here on it is followed.
        rules.may_pause();
        if self.previous.is_none() {
            packets(&mut rules, family);
        }
        for port in new_ports {
            port.follow(&mut rules);
        }
        self.listed(&mut rules);
        // Last, because a chain can go only when nothing leads to it.
        let (before, now) = (self.chains_before(), self.now.chains());
        before.keys().filter(|chain| !now.contains_key(*chain)).for_each(|chain| rules.remove(chain));
        rules
    }

    /// New rounds, and who goes which.
    fn rounds(&self, rules: &mut Rules) {
        let before = self.chains_before();
        for (chain, content) in self.now.chains().iter().filter(|(chain, _)| !before.contains_key(*chain)) {
            rules.may_pause();
            rules.whole(chain, content);
        }
        rules.may_pause();
        let list = self.now.list();
        if self.before.as_ref().is_none_or(|before| before.list() != list) {
            rules.whole(TURN, &list);
        }
        if self.previous.is_none() {
            pick::chain(rules, self.family);
        }
    }

    fn chains_before(&self) -> BTreeMap<&str, &[String]> {
        self.before.as_ref().map(Rounds::chains).unwrap_or_default()
    }

    /// The chains with what the plan lists.
    fn listed(&self, rules: &mut Rules) {
        for (chain, content) in [
            (OWNED, Self::owned as fn(&Self, &OwnerPlan) -> Vec<String>),
            (OWN, Self::own),
            (SETTLING, Self::settling),
            (RANGES, Self::sysplexports),
        ] {
            let now = content(self, self.next);
            if self.previous.is_none_or(|before| content(self, before) != now) {
                rules.whole(chain, &now);
            }
        }
    }

    fn ours(&self, address: IpAddr) -> bool {
        Family::of(address) == self.family
    }

    /// Ports that need a table of connections and have none yet.
    fn new_ports(&self, connections: &[&Connection]) -> Vec<Port> {
        let numbers = |plan| ports(self.family, plan).map(|((_, port), _)| port).collect::<BTreeSet<u16>>();
        let dialled = connections.iter().filter(|c| !self.by_range(c)).map(|c| c.dvipa.port());
        let needed: BTreeSet<u16> = numbers(self.next).into_iter().chain(dialled).collect();
        let had = self.previous.map(numbers).unwrap_or_default();
        needed.difference(&had).map(|&port| Port { family: self.family, port }).collect()
    }

    fn owned(&self, plan: &OwnerPlan) -> Vec<String> {
        // What the owner says to itself has been through OUTPUT.
        [vec!["-i lo -j RETURN".to_owned()], self.to_dvipas(plan)].concat()
    }

    /// The owner's own calls, but for those that OPTLOCAL keeps: they have a DVIPA at both ends.
    fn own(&self, plan: &OwnerPlan) -> Vec<String> {
        let kept = plan.dvipas.keys().filter(|address| self.ours(**address));
        [kept.map(|dvipa| format!("-s {dvipa} -j RETURN")).collect(), self.to_dvipas(plan)].concat()
    }

    fn to_dvipas(&self, plan: &OwnerPlan) -> Vec<String> {
        let owned = plan.dvipas.keys().filter(|address| self.ours(**address));
        owned.map(|dvipa| format!("-p tcp -d {dvipa} -g {PACKET}")).collect()
    }

    fn settling(&self, plan: &OwnerPlan) -> Vec<String> {
        let settling = plan.settling.iter().filter(|address| self.ours(**address));
        settling.map(|dvipa| format!("-d {dvipa} -j DROP")).collect()
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

/// The distributed ports of a plan, in their order.
fn ports(family: Family, plan: &OwnerPlan) -> impl Iterator<Item = (Key, &PortPlan)> {
    let ours = plan.dvipas.iter().filter(move |(address, _)| Family::of(**address) == family);
    ours.flat_map(|(&dvipa, plan)| plan.ports.iter().map(move |(&port, plan)| ((dvipa, port), plan)))
}
