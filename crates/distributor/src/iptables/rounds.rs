//! Whose turn it is: each round that a plan has stands in chains of its own, and a list says which ports go round it.
//!
//! A chain of a round is named after its rules. So ports with the same round share it, rules of a chain never change, and a new
//! round can be there before anything leads to it. What changes at once is the list.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::RangeInclusive;

use sysplex::{LparIndex, NoTarget};

use super::family::Family;
use super::plan_sets::{Key, runs, turn};
use super::shared::REFUSE;
use crate::{PortPlan, mark};

/// A long round is looked up in two steps, with so many turns in each chain of the second.
const PAGE: usize = 32;

/// What the name of every chain of a round starts with.
pub(super) const ROUND: &str = "turn-";

/// The rounds of a plan.
#[derive(Default)]
pub(super) struct Rounds {
    rounds: Vec<Round>,
    /// Which of them each port has.
    of_port: BTreeMap<Key, usize>,
}

/// One round.
struct Round {
    turns: Vec<LparIndex>,
    /// The chain that a SYN goes to.
    chain: String,
    /// All chains, by name.
    chains: BTreeMap<String, Vec<String>>,
}

impl Rounds {
    /// The rounds of these ports, which are of one family.
    pub(super) fn of<'p>(family: Family, ports: impl Iterator<Item = (Key, &'p PortPlan)>) -> Self {
        let mut found = Self::default();
        // To work out a round takes long where there are weights, and most ports have the same.
        let mut known: Vec<&PortPlan> = Vec::new();
        for (key, plan) in ports {
            let number = known.iter().position(|other| same(other, plan)).unwrap_or_else(|| {
                known.push(plan);
                found.rounds.push(Round::of(family, plan));
                known.len() - 1
            });
            found.of_port.insert(key, number);
        }
        found
    }

    /// The turns of a port.
    pub(super) fn turns(&self, port: Key) -> Option<&[LparIndex]> {
        self.round(port).map(|round| round.turns.as_slice())
    }

    fn round(&self, port: Key) -> Option<&Round> {
        self.rounds.get(*self.of_port.get(&port)?)
    }

    /// The ports that go round, but not as before: for them it begins.
    pub(super) fn begin(&self, before: Option<&Self>) -> BTreeSet<Key> {
        let ports = self.of_port.keys().copied();
        let is_new = |port: &Key| before.and_then(|before| before.turns(*port)) != self.turns(*port);
        ports.filter(|port| self.turns(*port).is_some_and(|turns| turns.len() > 1)).filter(is_new).collect()
    }

    /// All chains, by name.
    pub(super) fn chains(&self) -> BTreeMap<&str, &[String]> {
        let chains = self.rounds.iter().flat_map(|round| &round.chains);
        chains.map(|(name, rules)| (name.as_str(), rules.as_slice())).collect()
    }

    /// The list of ports.
    pub(super) fn list(&self) -> Vec<String> {
        let of = |port| self.round(port).map(|round| round.chain.as_str());
        let runs = runs(self.of_port.keys().copied(), |a, b| of(a) == of(b));
        let rule = |(dvipa, ports): (IpAddr, RangeInclusive<u16>)| {
            let chain = of((dvipa, *ports.start())).unwrap_or(REFUSE);
            let (first, last) = (ports.start(), ports.end());
            let to = if first == last { String::new() } else { format!(":{last}") };
            format!("-p tcp -d {dvipa} --dport {first}{to} -g {chain}")
        };
        runs.into_iter().map(rule).collect()
    }
}

/// Do both ports have the same round?
fn same(one: &PortPlan, other: &PortPlan) -> bool {
    one.method == other.method && one.shares == other.shares && one.no_target == other.no_target
}

impl Round {
    fn of(family: Family, plan: &PortPlan) -> Self {
        let (set, turns) = (turn(family), plan.turns());
        let mut chains = BTreeMap::new();
        let mut rules = Vec::new();
        if turns.is_empty() {
            rules.push(match plan.no_target {
                NoTarget::Reset => format!("-g {REFUSE}"),
                NoTarget::Drop => "-j DROP".to_owned(),
            });
        }
        if turns.len() > 1 {
            // To look for it counts. After the last turn, and when it is not there, it is 1.
            rules.push(format!("-m set --match-set {set} dst,dst"));
            let above = format!("lt {}", turns.len() + 1);
            rules.push(format!("{} -j SET --add-set {set} dst,dst --exist", counted(&set, "! ", &above)));
        }
        if turns.len() > PAGE {
            let pages = (0..).step_by(PAGE).zip(turns.chunks(PAGE));
            let pages: Vec<(usize, String)> = pages
                .map(|(before, page)| (before + page.len(), add(&mut chains, &set, lookup(&set, before + 1, page))))
                .collect();
            rules.extend(choices(&set, "lt", pages.into_iter().map(|(last, page)| (last + 1, page)).collect()));
        } else {
            rules.extend(lookup(&set, 1, &turns));
        }
        let chain = add(&mut chains, &set, rules);
        Self { turns, chain, chains }
    }
}

/// Adds a chain; returns its name, which is another one for each family: whoever reads the rules reads those of both.
fn add(chains: &mut BTreeMap<String, Vec<String>>, set: &str, rules: Vec<String>) -> String {
    let name = format!("{ROUND}{:016x}", fnv(&format!("{set}\n{}", rules.join("\n"))));
    chains.insert(name.clone(), rules);
    name
}

/// Rules for turns from `first` on.
fn lookup(set: &str, first: usize, turns: &[LparIndex]) -> Vec<String> {
    choices(set, "eq", (first..).zip(turns.iter().map(|target| to(*target))).collect())
}

/// A chain for each number of turns taken; the last one needs no comparison.
fn choices(set: &str, how: &str, chains: Vec<(usize, String)>) -> Vec<String> {
    let last = chains.len().saturating_sub(1);
    let rule = |(at, (number, chain)): (usize, (usize, String))| match at {
        _ if at == last => format!("-g {chain}"),
        _ => format!("{} -g {chain}", counted(set, "", &format!("{how} {number}"))),
    };
    chains.into_iter().enumerate().map(rule).collect()
}

/// Compares how many turns are taken, and counts nothing.
fn counted(set: &str, not: &str, how: &str) -> String {
    format!("-m set {not}--match-set {set} dst,dst ! --update-counters --packets-{how}")
}

/// The chain that marks for an LPAR.
pub(super) fn to(target: LparIndex) -> String {
    format!("to-{}", mark(target))
}

/// FNV-1a: short and the same on every machine.
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
