//! Cases for the tests of the rules.

use std::collections::BTreeMap;

use evidence::{Event, What};
use sysplex::Sysplex;

use super::{Case, Failure};
use crate::run::figure4::Handoff;
use crate::scenario::Symptom;

/// Two LPARs; the user IBMUSER of EQATST, a job on the second one, sees this.
pub(super) fn case(symptom: Symptom, events: &[Event]) -> Case {
    let sysplex = Sysplex::uniform(2);
    let handoff = Handoff { job: "EQATST".into(), on: sysplex.lpars[1].name.clone(), user: "IBMUSER".into() };
    Case {
        sysplex,
        failure: Failure::new(symptom, "x").of(&handoff),
        done: Vec::new(),
        exits: Vec::new(),
        listeners: BTreeMap::new(),
        connections: BTreeMap::new(),
        distributed: Vec::new(),
        owners: BTreeMap::new(),
        carried: Vec::new(),
        missing: Vec::new(),
        events: events.to_vec(),
    }
}

/// What the Debug Manager of a system says.
pub(super) fn event(system: &str, what: What) -> Event {
    Event { t_ns: 1, system: system.into(), task: "DBGMGR".into(), pid: 1, what }
}
