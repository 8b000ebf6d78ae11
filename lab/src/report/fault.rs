//! Faults as a report shades them. Pure.
//!
//! A fault is told by two events with the same `name`: `fault_began` when it bites and `fault_healed` when it is over; `what` says it
//! in a sentence. They are read here, and nowhere else in the report, from their JSON alone.

use serde_json::Value;

use super::run_dir::Said;

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// What it is, for a person.
    pub(super) name: String,
    /// Since when, `CLOCK_MONOTONIC`.
    pub(super) from: u64,
    /// Until when; nothing when it was there to the end.
    pub(super) to: Option<u64>,
}

/// The event by which a fault begins.
pub(super) const BEGAN: &str = "fault_began";
const HEALED: &str = "fault_healed";

/// The faults that events tell of, in the order in which they began.
pub(super) fn seen<'a>(events: impl Iterator<Item = &'a Said>) -> Vec<Fault> {
    let mut faults: Vec<(String, Fault)> = Vec::new();
    for said in events.filter(|said| [BEGAN, HEALED].contains(&said.event.as_str())) {
        let value: Value = serde_json::from_str(&said.json).unwrap_or_default();
        let text = |key: &str| value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        let key = text("name").unwrap_or("fault").to_owned();
        if said.event == BEGAN {
            let name = text("what").unwrap_or(&key).to_owned();
            faults.push((key, Fault { name, from: said.t_ns, to: None }));
        } else if let Some((_, fault)) = faults.iter_mut().rev().find(|(other, f)| *other == key && f.to.is_none()) {
            fault.to = Some(said.t_ns);
        }
    }
    faults.into_iter().map(|(_, fault)| fault).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::run_dir::said;

    #[test]
    fn a_fault_lasts_until_it_is_healed() {
        let event = |t_ns: u64, event: &str, name: &str| {
            said(&format!(r#"{{"t_ns":{t_ns},"system":"lab","task":"lab","event":"{event}","name":"{name}"}}"#))
        };
        let events = [
            event(1, "fault_began", "XCF down"),
            event(2, "fault_began", "freeze"),
            event(5, "fault_healed", "XCF down"),
            event(6, "fault_healed", "x"),
        ];
        let fault = |name: &str, from, to| Fault { name: name.into(), from, to };
        assert_eq!(seen(events.iter()), [fault("XCF down", 1, Some(5)), fault("freeze", 2, None)]);
    }
}
