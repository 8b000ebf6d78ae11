//! Faults of a soak as the lab knows them: `lab fault` and a scenario's step bring about the same.

use soak::fault::{self, Kind};

use crate::plex::faults::Fault;
use crate::plex::faults::kind::{Frozen, OfTask, Segment};

/// The kinds that can be brought about here: all of them.
pub(super) const KINDS: [Kind; 8] =
    [Kind::Kill, Kind::Freeze, Kind::FreezeHost, Kind::Crash, Kind::Link, Kind::Partition, Kind::Loss, Kind::Reset];

/// The same fault, for the sysplex.
pub(super) fn of(fault: &fault::Fault) -> Fault {
    let task = |task: &String, on: &String| OfTask { task: task.clone(), on: on.clone() };
    match fault {
        fault::Fault::Kill { task: name, on } => Fault::Kill(task(name, on)),
        fault::Fault::Freeze { task: name, on } => Fault::Freeze(Frozen::Task(task(name, on))),
        fault::Fault::FreezeHost { on } => Fault::Freeze(Frozen::Host(on.clone())),
        fault::Fault::Crash { lpar } => Fault::Crash { lpar: lpar.clone() },
        fault::Fault::Link { on, segment: on_this } => Fault::Link { of: on.clone(), segment: segment(*on_this) },
        fault::Fault::Partition { between, and, segment: on_this } => Fault::Partition {
            between: between.iter().cloned().collect(),
            and: and.iter().cloned().collect(),
            segment: segment(*on_this),
        },
        fault::Fault::Loss { on, segment: on_this, percent } => {
            Fault::Loss { on: vec![on.clone()], segment: segment(*on_this), percent: *percent }
        }
        fault::Fault::Reset { on } => Fault::Reset { on: on.clone(), ports: Vec::new() },
    }
}

fn segment(segment: fault::Segment) -> Segment {
    match segment {
        fault::Segment::Lan => Segment::Lan,
        fault::Segment::Xcf => Segment::Xcf,
        fault::Segment::Both => Segment::Both,
    }
}
