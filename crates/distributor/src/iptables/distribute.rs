//! How new connections to a port are distributed: the chains `new` and `turn` of each port of a DVIPA.

use std::collections::BTreeSet;
use std::net::IpAddr;

use sysplex::{LparIndex, NoTarget};

use super::family::{Family, chain};
use super::numbers::CONNECTION;
use super::port::Port;
use super::shared::{AFFINE, LOAD_AFFINITY, REFUSE, UNAFFINE, turn};
use crate::{PortPlan, mark};

/// One port of one DVIPA.
pub(super) type Key = (IpAddr, u16);

/// A long round is looked up in two steps, with so many turns in each chain of the second.
const PAGE: usize = 32;

/// A chain and its rules.
pub(super) type Chain = (String, Vec<String>);

/// The chains of a distributed port of a DVIPA.
#[derive(PartialEq, Eq)]
pub(super) struct PortChains {
    pub(super) key: Key,
    /// Those whose turn it can be.
    pub(super) targets: BTreeSet<LparIndex>,
    /// Those of a long round.
    pub(super) pages: Vec<Chain>,
    /// Who gets a SYN.
    pub(super) turn: Chain,
    /// What happens with a SYN.
    pub(super) new: Chain,
}

impl PortChains {
    pub(super) fn of(key: Key, plan: &PortPlan) -> Self {
        let (dvipa, port) = key;
        let turns = plan.turns();
        let pages = if turns.len() > PAGE { pages(key, &turns) } else { Vec::new() };
        Self {
            key,
            targets: turns.iter().copied().collect(),
            turn: (chain("turn", dvipa, port), turn_rules(key, plan, &turns, &pages)),
            new: (chain("new", dvipa, port), new(key, plan)),
            pages,
        }
    }

    /// Their names.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        [&self.new, &self.turn].into_iter().chain(&self.pages).map(|(name, _)| name.as_str())
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

fn turn_rules(key: Key, plan: &PortPlan, turns: &[LparIndex], pages: &[Chain]) -> Vec<String> {
    let mut rules = Vec::new();
    if !plan.timed_affinity.is_zero() {
        // A client with an affinity goes where it was, while that target is ready; else the affinity is dropped.
        rules.extend(plan.ready.iter().map(|target| format!("-m mark --mark {} -j RETURN", mark(*target))));
        rules.push(format!("-j {UNAFFINE}"));
    }
    if turns.is_empty() {
        rules.push(match plan.no_target {
            NoTarget::Reset => format!("-g {REFUSE}"),
            NoTarget::Drop => "-j DROP".to_owned(),
        });
    }
    if turns.len() > 1 {
        // To look for it counts. After the last turn, and when it is not there, it is 1.
        let (set, above) = (turn(Family::of(key.0)), turns.len() + 1);
        rules.push(format!("-m set --match-set {set} dst,dst"));
        rules.push(format!("{} -j SET --add-set {set} dst,dst --exist", counted(key, "! ", &format!("lt {above}"))));
    }
    match pages.split_last() {
        None => rules.extend(lookup(key, 1, turns)),
        Some(((last, _), others)) => {
            let ends = (1..).map(|page| page * PAGE + 1);
            let page =
                |((page, _), end): (&Chain, usize)| format!("{} -g {page}", counted(key, "", &format!("lt {end}")));
            rules.extend(others.iter().zip(ends).map(page));
            rules.push(format!("-g {last}"));
        }
    }
    rules
}

/// The second step of a long round.
fn pages(key: Key, turns: &[LparIndex]) -> Vec<Chain> {
    let page = |(number, turns): (usize, &[LparIndex])| {
        let name = chain(&format!("t{number}"), key.0, key.1);
        (name, lookup(key, number * PAGE + 1, turns).collect())
    };
    turns.chunks(PAGE).enumerate().map(page).collect()
}

/// Rules for turns from `first` on; the last one needs no comparison.
fn lookup(key: Key, first: usize, turns: &[LparIndex]) -> impl Iterator<Item = String> {
    let last = (first + turns.len()).saturating_sub(1);
    (first..).zip(turns).map(move |(number, target)| match number {
        _ if number == last => format!("-g {}", to(*target)),
        _ => format!("{} -g {}", counted(key, "", &format!("eq {number}")), to(*target)),
    })
}

/// Compares how many turns are taken, and counts nothing.
fn counted(key: Key, not: &str, how: &str) -> String {
    format!("-m set {not}--match-set {} dst,dst ! --update-counters --packets-{how}", turn(Family::of(key.0)))
}

/// The chain that marks for an LPAR.
pub(super) fn to(target: LparIndex) -> String {
    format!("to-{}", target.get())
}

/// The set that counts the connections that an LPAR was ever sent, for each port of a DVIPA.
pub(super) fn total(family: Family, target: LparIndex) -> String {
    family.set(&format!("total-{}", target.get()))
}
