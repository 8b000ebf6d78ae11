//! Who gets a new connection: the chains that are the same for every port and every plan.

use super::family::Family;
use super::numbers::{AFFINITY, Numbers};
use super::plan_sets::{PlanSet, lpars, total};
use super::rounds::to;
use super::ruleset::Rules;
use super::shared::{DAY, LONGEST, create};
use crate::mark;

/// Marks a SYN for the target that gets it; not at all when the port has no round yet.
pub(super) const PICK: &str = "dvipa-pick";
/// Takes the mark of a target that is not ready for the port.
pub(super) const READY: &str = "dvipa-ready";
/// Which round the ports go: what the plan lists.
pub(super) const TURN: &str = "dvipa-turn";
/// Counts the connections that a target is sent.
const COUNT: &str = "dvipa-count";
/// Loads the affinity of a client, or drops it.
const LOAD: &str = "dvipa-affinity";
/// Stores or renews an affinity.
const AFFINE: &str = "dvipa-affine";
/// Drops an affinity, and what is left of one.
const UNAFFINE: &str = "dvipa-unaffine";

/// The set of affinities.
pub(super) fn affinity(family: Family) -> String {
    family.set("affinity")
}

/// The sets of affinities.
pub(super) fn sets(text: &mut String, family: Family) {
    create(text, family, &affinity(family), DAY);
    for set in Numbers::affinities(family).sets() {
        create(text, family, set, LONGEST);
    }
}

/// The chain, which leads to what the plan lists.
pub(super) fn chain(rules: &mut Rules, family: Family) {
    let timed = PlanSet::Timed.name(family);
    rules.whole(
        PICK,
        &[
            format!("-m set --match-set {timed} dst,dst -j {LOAD}"),
            format!("-m mark --mark 0 -j {TURN}"),
            format!("-m set --match-set {timed} dst,dst -j {AFFINE}"),
            format!("-g {COUNT}"),
        ],
    );
}

/// The chains that others lead to.
pub(super) fn helpers(rules: &mut Rules, family: Family) {
    for target in lpars() {
        rules.whole(&to(target), &[format!("-j MARK --set-mark {}", mark(target))]);
    }
    targets(rules, family);
    affinities(rules, family);
}

/// What looks at the mark and asks the set of the target.
fn targets(rules: &mut Rules, family: Family) {
    let ready = |target| {
        let set = PlanSet::Ready(target).name(family);
        format!("-m mark --mark {} -m set --match-set {set} dst,dst -j RETURN", mark(target))
    };
    rules.whole(READY, &lpars().map(ready).chain(["-j MARK --set-mark 0".to_owned()]).collect::<Vec<_>>());
    // The first one makes the element, with 1; to look for it counts, too.
    let count = |target| {
        let (mark, set) = (mark(target), total(family, target));
        format!("-m mark --mark {mark} -m set ! --match-set {set} dst,dst -j SET --add-set {set} dst,dst")
    };
    rules.whole(COUNT, &lpars().map(count).collect::<Vec<_>>());
}

fn affinities(rules: &mut Rules, family: Family) {
    let (set, numbers) = (affinity(family), Numbers::affinities(family));
    // An affinity that has expired leaves its number.
    rules.whole(LOAD, &[format!("-m set ! --match-set {set} {AFFINITY} -g {UNAFFINE}")]);
    numbers.load(rules, LOAD);
    // A client with an affinity goes where it was, while that target is ready; else the affinity is dropped.
    rules.add(LOAD, format_args!("-j {READY}"));
    rules.add(LOAD, format_args!("-m mark --mark 0 -j {UNAFFINE}"));
    rules.chain(AFFINE);
    rules.add(AFFINE, format_args!("-m mark --mark 0 -j RETURN"));
    numbers.store(rules, AFFINE, LONGEST);
    // Last: whoever sees it sees all bits of its number.
    rules.add(AFFINE, format_args!("-j SET --add-set {set} {AFFINITY} --exist --timeout {DAY}"));
    rules.whole(UNAFFINE, &[format!("-j SET --del-set {set} {AFFINITY}")]);
    numbers.clear(rules, UNAFFINE);
}
