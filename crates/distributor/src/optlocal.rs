//! OPTLOCAL: which calls to a DVIPA stay on the target that makes them, past the distributor.
//!
//! Documented is that a connection which begins on a target stays there with OPTLOCAL 0 or 1 while a healthy server is there.
//! From memory: 0 asks for a ready server only, 1 also that the distributor would send it connections at all, and 2 to 16
//! multiply the weight of the target's own server. What the product is compared with, no page that was read says; here, our
//! choice, the connection stays when no other target has a larger weight.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use sysplex::LparIndex;

use crate::{OwnerPlan, PortPlan};

/// Ports of each DVIPA whose calls stay on an LPAR.
pub type Kept = BTreeMap<(LparIndex, IpAddr), BTreeSet<u16>>;

/// What stays where, by the plans of all owners.
pub fn kept<'a>(plans: impl IntoIterator<Item = &'a OwnerPlan>) -> Kept {
    let mut kept = Kept::new();
    for (&address, dvipa) in plans.into_iter().flat_map(|plan| &plan.dvipas) {
        for (&port, plan) in &dvipa.ports {
            let Some(optlocal) = plan.optlocal else { continue };
            for &lpar in plan.ready.iter().filter(|&&lpar| keeps(optlocal, plan, lpar)) {
                kept.entry((lpar, address)).or_default().insert(port);
            }
        }
    }
    kept
}

/// Does this target, which is ready, keep its own calls?
fn keeps(optlocal: u8, plan: &PortPlan, lpar: LparIndex) -> bool {
    let weight = |of: LparIndex| plan.shares.iter().find(|share| share.target == of).map_or(0, |share| share.weight);
    let heaviest = plan.shares.iter().map(|share| share.weight).max().unwrap_or(0);
    match optlocal {
        0 => true,
        1 => weight(lpar) > 0,
        times => weight(lpar) > 0 && weight(lpar) * u32::from(times) >= heaviest,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sysplex::{Method, NoTarget};

    use super::*;
    use crate::{DvipaPlan, Share};

    /// LPAR1 with weight 1, LPAR2 with weight 3, LPAR3 not responsive, and LPAR4 not ready.
    fn kept_with(optlocal: Option<u8>) -> Vec<u32> {
        let lpar = |number| LparIndex::new(number).expect("an LPAR");
        let share = |number, weight| Share { target: lpar(number), weight, active: 0 };
        let port = PortPlan {
            method: Method::BaseWlm,
            shares: vec![share(1, 1), share(2, 3), share(3, 0)],
            ready: vec![lpar(1), lpar(2), lpar(3)],
            timed_affinity: Duration::ZERO,
            no_target: NoTarget::Reset,
            optlocal,
        };
        let address = IpAddr::from([10, 10, 10, 1]);
        let dvipa = DvipaPlan { ports: BTreeMap::from([(4035, port)]), sysplexports: Vec::new() };
        let plan = OwnerPlan { dvipas: BTreeMap::from([(address, dvipa)]), settling: BTreeSet::new() };
        let kept = kept([&plan]);
        assert!(kept.iter().all(|((_, of), ports)| *of == address && ports.iter().eq([&4035])));
        kept.into_keys().map(|(lpar, _)| lpar.get()).collect()
    }

    #[test]
    fn a_call_stays_with_a_healthy_server() {
        assert_eq!(kept_with(None), [] as [u32; 0], "NOOPTLOCAL");
        assert_eq!(kept_with(Some(0)), [1, 2, 3], "ready is enough");
        assert_eq!(kept_with(Some(1)), [1, 2], "LPAR3 takes no new connection");
        assert_eq!(kept_with(Some(2)), [2], "twice 1 is less than 3");
        assert_eq!(kept_with(Some(3)), [1, 2], "three times 1 is not less than 3");
    }
}
