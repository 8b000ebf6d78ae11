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

/// The chains of a distributed port of a DVIPA.
#[derive(PartialEq, Eq)]
pub(super) struct PortChains {
    pub(super) key: Key,
    /// Those whose turn it can be.
    pub(super) targets: BTreeSet<LparIndex>,
    /// What happens with a SYN.
    pub(super) new: Vec<String>,
    /// Who gets it.
    pub(super) turn: Vec<String>,
}

impl PortChains {
    pub(super) fn of(key: Key, plan: &PortPlan) -> Self {
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
pub(super) fn to(target: LparIndex) -> String {
    format!("to-{}", target.get())
}

/// The set that counts the connections that an LPAR was ever sent, for each port of a DVIPA.
pub(super) fn total(family: Family, target: LparIndex) -> String {
    family.set(&format!("total-{}", target.get()))
}
