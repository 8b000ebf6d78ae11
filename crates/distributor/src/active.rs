//! WEIGHTEDACTIVE: a round that goes on.
//!
//! A round is planned for the connections that targets have at one moment. While it is gone round, every look finds more of them.
//! As long as they are where the round has put them, the rest of it is what would be planned anew; to set it anew all the same
//! would begin it again, with a look that is old by the time that this takes.

use std::collections::BTreeMap;

use sysplex::{LparIndex, Method};

use crate::{OwnerPlan, PortPlan};

impl OwnerPlan {
    /// The same plan, with the rounds that the kernel is in the middle of as they were planned `before`.
    #[must_use]
    pub fn going_on(mut self, before: &Self) -> Self {
        for (address, dvipa) in &mut self.dvipas {
            let Some(before) = before.dvipas.get(address) else { continue };
            for (port, plan) in &mut dvipa.ports {
                if let Some(before) = before.ports.get(port).filter(|before| goes_on(before, plan)) {
                    plan.shares.clone_from(&before.shares);
                }
            }
        }
        self
    }
}

/// Has each target as many connections now as the round of `before` has given it until now, those that it had among them?
fn goes_on(before: &PortPlan, now: &PortPlan) -> bool {
    let weights = |plan: &PortPlan| plan.shares.iter().map(|share| (share.target, share.weight)).collect::<Vec<_>>();
    if now.method != Method::WeightedActive || before.method != now.method || weights(before) != weights(now) {
        return false;
    }
    let active = |plan: &PortPlan| -> BTreeMap<LparIndex, u64> {
        plan.shares.iter().map(|share| (share.target, share.active.into())).collect()
    };
    let (mut had, has) = (active(before), active(now));
    let Some(more) = has.values().sum::<u64>().checked_sub(had.values().sum()) else { return false };
    let turns = before.turns();
    let Some(taken) = usize::try_from(more).ok().and_then(|more| turns.get(..more)) else { return false };
    for target in taken {
        *had.entry(*target).or_default() += 1;
    }
    had == has
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sysplex::NoTarget;

    use super::*;
    use crate::{DvipaPlan, Share};

    fn plan(method: Method, weights: [u32; 2], active: [u32; 2]) -> OwnerPlan {
        let lpar = |number| LparIndex::new(number).expect("an LPAR");
        let share = |number: u32, at: usize| Share { target: lpar(number), weight: weights[at], active: active[at] };
        let port = PortPlan {
            method,
            shares: vec![share(1, 0), share(2, 1)],
            ready: vec![lpar(1), lpar(2)],
            timed_affinity: Duration::ZERO,
            no_target: NoTarget::Reset,
            optlocal: None,
        };
        let dvipa = DvipaPlan { ports: BTreeMap::from([(8000, port)]), sysplexports: Vec::new() };
        OwnerPlan { dvipas: BTreeMap::from([([10, 10, 10, 1].into(), dvipa)]), ..OwnerPlan::default() }
    }

    #[test]
    fn a_round_goes_on_while_connections_are_where_it_has_put_them() {
        let weighted = |active| plan(Method::WeightedActive, [10, 30], active);
        let next = |before: &OwnerPlan, active| weighted(active).going_on(before);
        let first = weighted([0, 0]);
        // Turns: the second target three times as often as the first.
        for on_the_way in [[0, 1], [1, 3], [5, 15]] {
            assert_eq!(next(&first, on_the_way), first, "{on_the_way:?}");
        }
        for elsewhere in [[1, 0], [0, 9], [20, 20], [1000, 3000]] {
            assert_eq!(next(&first, elsewhere), weighted(elsewhere), "{elsewhere:?}");
        }
        let later = weighted([1, 3]);
        assert_eq!(next(&later, [1, 2]), weighted([1, 2]), "one has ended");
        assert_eq!(next(&later, [2, 6]), later);
    }

    #[test]
    fn other_weights_or_another_method_begin_anew() {
        let before = plan(Method::WeightedActive, [10, 30], [0, 0]);
        let other = plan(Method::WeightedActive, [10, 20], [0, 1]);
        assert_eq!(other.clone().going_on(&before), other);
        let other = plan(Method::BaseWlm, [10, 30], [0, 0]);
        assert_eq!(other.clone().going_on(&before), other);
    }
}
