//! The sets with what a plan says of each port, apart from its round: sets of ports of DVIPAs.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::RangeInclusive;

use sysplex::{LARGEST_SYSPLEX, LparIndex};

use super::family::Family;
use crate::text::line;
use crate::{PortPlan, mark};

/// One port of one DVIPA.
pub(super) type Key = (IpAddr, u16);

/// A set of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PlanSet {
    /// All distributed ports.
    Distributed,
    /// Those with TIMEDAFFINITY.
    Timed,
    /// Those that an LPAR is ready for.
    Ready(LparIndex),
}

impl PlanSet {
    fn all() -> impl Iterator<Item = Self> {
        [Self::Distributed, Self::Timed].into_iter().chain(lpars().map(Self::Ready))
    }

    /// Its name.
    pub(super) fn name(self, family: Family) -> String {
        match self {
            Self::Distributed => family.set("distributed"),
            Self::Timed => family.set("timed"),
            Self::Ready(target) => family.set(&format!("ready-{}", mark(target))),
        }
    }
}

/// The set that counts the connections that an LPAR was ever sent, for each port.
pub(super) fn total(family: Family, target: LparIndex) -> String {
    family.set(&format!("total-{}", mark(target)))
}

/// The set that counts turns: how many of a round each port has taken.
pub(super) fn turn(family: Family) -> String {
    family.set("turn")
}

/// Every LPAR that there can be.
pub(super) fn lpars() -> impl Iterator<Item = LparIndex> {
    (1..=LARGEST_SYSPLEX).filter_map(LparIndex::new)
}

/// Each set and its elements.
pub(super) struct PlanSets {
    family: Family,
    elements: BTreeMap<PlanSet, BTreeSet<Key>>,
}

impl PlanSets {
    /// What a plan says of these ports, which are of one family.
    pub(super) fn of<'p>(family: Family, ports: impl Iterator<Item = (Key, &'p PortPlan)>) -> Self {
        let mut elements: BTreeMap<PlanSet, BTreeSet<Key>> = PlanSet::all().map(|set| (set, BTreeSet::new())).collect();
        for (port, plan) in ports {
            let timed = (!plan.timed_affinity.is_zero()).then_some(PlanSet::Timed);
            let ready = plan.ready.iter().map(|target| PlanSet::Ready(*target));
            for set in [PlanSet::Distributed].into_iter().chain(timed).chain(ready) {
                elements.entry(set).or_default().insert(port);
            }
        }
        Self { family, elements }
    }

    /// What makes the sets have these elements and no others.
    pub(super) fn render(&self, text: &mut String, before: Option<&Self>) {
        for (set, now) in &self.elements {
            let name = set.name(self.family);
            match before.and_then(|before| before.elements.get(set)) {
                None => self.anew(text, &name, now),
                Some(before) => {
                    each(text, "del", &name, before.difference(now).copied(), "");
                    each(text, "add", &name, now.difference(before).copied(), "");
                }
            }
        }
    }

    /// Whatever is in it: a full one takes the place of the other at once.
    fn anew(&self, text: &mut String, set: &str, elements: &BTreeSet<Key>) {
        create(text, self.family, set);
        if elements.is_empty() {
            line(text, format_args!("flush {set}"));
            return;
        }
        let full = self.family.set("anew");
        create(text, self.family, &full);
        line(text, format_args!("flush {full}"));
        each(text, "add", &full, elements.iter().copied(), "");
        line(text, format_args!("swap {full} {set}\ndestroy {full}"));
    }
}

/// Makes a set of ports of DVIPAs.
fn create(text: &mut String, family: Family, set: &str) {
    line(text, format_args!("create {set} hash:ip,port family {} hashsize 64 maxelem 65536", family.inet()));
}

/// Makes the sets that count.
pub(super) fn counters(text: &mut String, family: Family) {
    for set in [turn(family)].into_iter().chain(lpars().map(|target| total(family, target))) {
        let inet = family.inet();
        line(text, format_args!("create {set} hash:ip,port family {inet} hashsize 64 maxelem 65536 counters"));
    }
}

/// A round begins for these ports.
pub(super) fn begin(text: &mut String, family: Family, ports: BTreeSet<Key>) {
    each(text, "add", &turn(family), ports.into_iter(), " packets 0 bytes 0");
}

/// One line for ports in a row: the tool takes some 20 microseconds for each.
fn each(text: &mut String, command: &str, set: &str, ports: impl Iterator<Item = Key>, with: &str) {
    for (dvipa, ports) in runs(ports, |_, _| true) {
        let (first, last) = (ports.start(), ports.end());
        let to = if first == last { String::new() } else { format!("-{last}") };
        line(text, format_args!("{command} {set} {dvipa},tcp:{first}{to}{with}"));
    }
}

/// Ports in a row that are alike, of ports in their order.
pub(super) fn runs(
    ports: impl Iterator<Item = Key>,
    alike: impl Fn(Key, Key) -> bool,
) -> Vec<(IpAddr, RangeInclusive<u16>)> {
    let mut runs: Vec<(IpAddr, RangeInclusive<u16>)> = Vec::new();
    for (dvipa, port) in ports {
        match runs.last_mut() {
            Some((of, ports))
                if *of == dvipa
                    && ports.end().checked_add(1) == Some(port)
                    && alike((dvipa, *ports.end()), (dvipa, port)) =>
            {
                *ports = *ports.start()..=port;
            }
            _ => runs.push((dvipa, port..=port)),
        }
    }
    runs
}
