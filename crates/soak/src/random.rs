//! Faults by chance: each of a kind that is allowed, somewhere, for some seconds, one after the other and now and then two at once.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::chance::Chance;
use crate::fault::{Fault, Kind, Planned, Segment};

/// Nothing goes wrong in so many milliseconds at the beginning and at the end.
const QUIET: (u64, u64) = (8_000, 25_000);
/// How long a fault stands, in milliseconds.
const LASTS: (u64, u64) = (500, 6_000);
/// How long a host that was crashed stays away, in milliseconds.
const IS_AWAY: (u64, u64) = (3_000, 8_000);

/// Where faults may happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ground {
    /// The LPARs.
    pub lpars: Vec<String>,
    /// The workstation.
    pub workstation: String,
    /// The started tasks that each LPAR has.
    pub tasks: Vec<String>,
    /// What may happen.
    pub kinds: Vec<Kind>,
}

/// The faults of a seed, in order of time. `every_ms` is the mean time from one to the next.
pub fn faults(seed: u64, duration_ms: u64, every_ms: u64, ground: &Ground) -> Vec<Planned> {
    let mut chance = Chance::new(seed, 3);
    let mut faults: Vec<Planned> = Vec::new();
    let mut at_ms = QUIET.0;
    loop {
        at_ms += chance.pause(every_ms as f64) as u64;
        let Some(fault) = one(&mut chance, ground) else { return faults };
        let lasts = if fault.kind() == Kind::Crash { IS_AWAY } else { LASTS };
        let for_ms = chance.from_to(lasts.0, lasts.1);
        if at_ms + for_ms + QUIET.1 > duration_ms {
            return faults;
        }
        let planned = Planned { at_ms, for_ms, fault };
        // The same host is not broken twice at once: what is killed cannot be frozen.
        if !faults.iter().rev().take(8).any(|other| clash(other, &planned)) {
            faults.push(planned);
        }
    }
}

/// Do they stand at the same time and concern the same host?
fn clash(one: &Planned, other: &Planned) -> bool {
    /// What was healed needs a moment before it can break again.
    const MOMENT: u64 = 3_000;
    let meet = other.at_ms < one.at_ms + one.for_ms + MOMENT && one.at_ms < other.at_ms + other.for_ms + MOMENT;
    let crash = [one, other].iter().any(|it| it.fault.kind() == Kind::Crash);
    let same = match (one.fault.host(), other.fault.host()) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    };
    meet && (same || crash)
}

fn one(chance: &mut Chance, ground: &Ground) -> Option<Fault> {
    let kind = *chance.pick(&ground.kinds)?;
    let on = chance.pick(&ground.lpars)?.clone();
    let segment = *chance.pick(&[Segment::Lan, Segment::Xcf, Segment::Both])?;
    Some(match kind {
        Kind::Kill => Fault::Kill { task: chance.pick(&ground.tasks)?.clone(), on },
        Kind::Freeze => Fault::Freeze { task: chance.pick(&ground.tasks)?.clone(), on },
        Kind::FreezeHost => Fault::FreezeHost { on },
        Kind::Crash => Fault::Crash { lpar: on },
        Kind::Link => Fault::Link { on, segment: if segment == Segment::Both { Segment::Lan } else { segment } },
        Kind::Loss => Fault::Loss { on, segment, percent: u32::try_from(chance.from_to(5, 30)).unwrap_or(5) },
        Kind::Reset => Fault::Reset { on },
        Kind::Partition => {
            let between: BTreeSet<String> = [on].into();
            let mut and: BTreeSet<String> =
                ground.lpars.iter().filter(|lpar| !between.contains(*lpar)).cloned().collect();
            // The LAN may be parted for the workstation alone.
            if segment != Segment::Xcf && chance.below(2) == 0 {
                and = [ground.workstation.clone()].into();
            }
            if and.is_empty() {
                and.insert(ground.workstation.clone());
            }
            Fault::Partition { between, and, segment }
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ground() -> Ground {
        use Kind::{Crash, Freeze, FreezeHost, Kill, Link, Loss, Partition, Reset};
        Ground {
            lpars: (1..=4).map(|n| format!("LPAR{n}")).collect(),
            workstation: "WS1".to_owned(),
            tasks: vec!["DBGMGR".to_owned(), "RSED".to_owned()],
            kinds: vec![Kill, Freeze, FreezeHost, Crash, Link, Loss, Partition, Reset],
        }
    }

    #[test]
    fn every_kind_comes_sooner_or_later_and_a_file_keeps_them() {
        let all = faults(7, 3_600_000, 10_000, &ground());
        let kinds: BTreeSet<Kind> = all.iter().map(|planned| planned.fault.kind()).collect();
        assert_eq!(kinds.len(), 8, "{kinds:?}");
        let text = serde_json::to_string(&all).expect("json");
        assert_eq!(serde_json::from_str::<Vec<Planned>>(&text).expect("json"), all);
    }

    proptest! {
        #[test]
        fn they_are_in_order_within_the_time_and_do_not_clash(seed: u64) {
            let all = faults(seed, 600_000, 8_000, &ground());
            prop_assert_eq!(&all, &faults(seed, 600_000, 8_000, &ground()));
            prop_assert!(!all.is_empty());
            for (at, planned) in all.iter().enumerate() {
                prop_assert!(planned.at_ms >= QUIET.0 && planned.at_ms + planned.for_ms + QUIET.1 <= 600_000);
                for later in &all[at + 1..] {
                    prop_assert!(later.at_ms >= planned.at_ms);
                    prop_assert!(!clash(planned, later), "{planned} and {later}");
                }
            }
        }
    }
}
