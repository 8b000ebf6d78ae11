//! How much each target gets, as turns: the kernel goes round them, one new connection a turn.

use sysplex::{LparIndex, Method};

use crate::PortPlan;

/// Most turns of one port. Weights whose ratio needs more are rounded.
const MOST_TURNS: u32 = 1024;

/// A target that takes new connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The target.
    pub target: LparIndex,
    /// Its weight among the others; 0 means nothing, as long as others have more.
    pub weight: u32,
    /// The connections that it has already, for WEIGHTEDACTIVE; 0 elsewhere.
    pub active: u32,
}

impl Share {
    /// A target like all others.
    pub fn even(target: LparIndex) -> Self {
        Self { target, weight: 1, active: 0 }
    }
}

impl PortPlan {
    /// The shares with the smallest weights of the same ratio. When none has a weight, all are alike: a connection that may
    /// not be accepted is better than one that is refused.
    pub fn reduced(&self) -> Vec<Share> {
        let total: u32 = self.shares.iter().map(|share| share.weight).sum();
        if total == 0 {
            return self.shares.iter().map(|share| Share { weight: 1, ..*share }).collect();
        }
        let divisor = self.shares.iter().fold(0, |divisor, share| gcd(divisor, share.weight)).max(1);
        let shrink = |weight: u32| match total / divisor {
            small if small <= MOST_TURNS => weight / divisor,
            _ if weight == 0 => 0,
            _ => (u64::from(weight) * u64::from(MOST_TURNS) / u64::from(total)).max(1) as u32,
        };
        let shares = self.shares.iter().map(|share| Share { weight: shrink(share.weight), ..*share });
        shares.filter(|share| share.weight > 0).collect()
    }

    /// One round. For a method of weights the turns of each target are spread over it evenly; for WEIGHTEDACTIVE who is
    /// furthest behind goes first.
    pub fn turns(&self) -> Vec<LparIndex> {
        let shares = self.reduced();
        match self.method {
            Method::WeightedActive => by_active(&shares),
            _ => spread(&shares),
        }
    }
}

/// Smooth weighted round robin: everyone gains its weight each turn, the richest takes the turn and pays the total.
fn spread(shares: &[Share]) -> Vec<LparIndex> {
    let total: i64 = shares.iter().map(|share| i64::from(share.weight)).sum();
    let mut wealth = vec![0i64; shares.len()];
    let mut turns = Vec::new();
    for _ in 0..total {
        for (wealth, share) in wealth.iter_mut().zip(shares) {
            *wealth += i64::from(share.weight);
        }
        // The first of the richest, so that equals take turns in their order.
        let richest = (0..shares.len()).rev().max_by_key(|&at| wealth[at]);
        let Some(richest) = richest else { break };
        wealth[richest] -= total;
        turns.push(shares[richest].target);
    }
    turns
}

/// Each turn to whoever has the fewest connections for its weight. A long round: who is behind catches up at its beginning, and
/// the rest is in proportion, so that a burst that comes before the next look goes round it without harm.
fn by_active(shares: &[Share]) -> Vec<LparIndex> {
    /// Turns at least, where there are weights for so many.
    const LONG: u32 = 128;
    let total: u32 = shares.iter().map(|share| share.weight).sum();
    let rounds = LONG.checked_div(total).unwrap_or(0).max(1);
    let mut active: Vec<u64> = shares.iter().map(|share| share.active.into()).collect();
    let mut turns = Vec::new();
    for _ in 0..total * rounds {
        let less = |a: &usize, b: &usize| {
            let (of_a, of_b) = (&shares[*a], &shares[*b]);
            // (active + 1) / weight, without division.
            ((active[*a] + 1) * u64::from(of_b.weight)).cmp(&((active[*b] + 1) * u64::from(of_a.weight)))
        };
        let Some(next) = (0..shares.len()).min_by(less) else { break };
        active[next] += 1;
        turns.push(shares[next].target);
    }
    turns
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sysplex::NoTarget;

    use super::*;

    fn index(number: u32) -> LparIndex {
        LparIndex::new(number).expect("an LPAR's number")
    }

    fn turns(method: Method, shares: &[(u32, u32)]) -> Vec<u32> {
        let share = |(&(weight, active), number)| Share { target: index(number), weight, active };
        let shares = shares.iter().zip(1..).map(share).collect();
        let ready = Vec::new();
        let (timed_affinity, no_target) = (Duration::ZERO, NoTarget::Reset);
        let plan = PortPlan { method, shares, ready, timed_affinity, no_target, optlocal: None };
        plan.turns().into_iter().map(LparIndex::get).collect()
    }

    #[test]
    fn weights_are_spread_over_the_round() {
        assert_eq!(turns(Method::RoundRobin, &[(1, 0), (1, 0), (1, 0)]), [1, 2, 3]);
        assert_eq!(turns(Method::BaseWlm, &[(100, 0), (200, 0), (300, 0)]), [3, 2, 1, 3, 2, 3]);
        assert_eq!(turns(Method::BaseWlm, &[(0, 0), (700, 0)]), [2], "who does not accept gets nothing");
        assert_eq!(turns(Method::BaseWlm, &[(0, 0), (0, 0)]), [1, 2], "nobody accepts: all are alike");
        assert_eq!(turns(Method::BaseWlm, &[]), [0; 0]);
    }

    #[test]
    fn huge_weights_are_rounded_and_nobody_is_lost() {
        let round = turns(Method::BaseWlm, &[(6399, 0), (1, 0), (6400, 0)]);
        assert!(round.len() <= MOST_TURNS as usize + 3 && round.contains(&2), "{}", round.len());
    }

    #[test]
    fn who_is_behind_goes_first() {
        let even = turns(Method::WeightedActive, &[(10, 0), (20, 0)]);
        assert_eq!((even.len(), &even[..6]), (126, [2, 1, 2, 2, 1, 2].as_slice()));
        let behind = turns(Method::WeightedActive, &[(10, 4), (20, 0)]);
        assert_eq!(behind[..10], [2, 2, 2, 2, 2, 2, 2, 2, 2, 1], "two for one, counting what there is");
    }
}
