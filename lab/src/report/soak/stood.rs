//! The faults of a soak: when each began, and when it was gone. Pure.

use serde_json::Value;
use soak::fault::{Fault, Kind};

/// Faults that are read.
const MOST: usize = 50_000;

/// One of them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stood {
    /// Its place in the plan, from 1.
    pub(super) number: u64,
    /// What it is.
    pub(super) fault: Fault,
    /// Since when, in milliseconds from the beginning.
    pub(super) from_ms: u64,
    /// Until when; nothing when it was there to the end.
    pub(super) to_ms: Option<u64>,
    /// Why it did not come about, or was not seen to heal.
    pub(super) failed: Option<String>,
}

/// All of them, as they are told.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults(Vec<Stood>);

impl Faults {
    /// What a line tells.
    pub(super) fn add(&mut self, line: &Value) {
        let Some(number) = line.get("fault").and_then(Value::as_u64).map(|id| id.saturating_add(1)) else { return };
        let Some(at_ms) = line.get("t_ms").and_then(Value::as_u64) else { return };
        if let Some(fault) = line.get("begins").and_then(|fault| serde_json::from_value(fault.clone()).ok()) {
            if self.0.len() < MOST {
                self.0.push(Stood { number, fault, from_ms: at_ms, to_ms: None, failed: None });
            }
            return;
        }
        let standing = |stood: &&mut Stood| stood.number == number && stood.to_ms.is_none();
        if line.get("healed").is_some()
            && let Some(stood) = self.0.iter_mut().rev().find(standing)
        {
            stood.to_ms = Some(at_ms.max(stood.from_ms));
            stood.failed = line.get("failed").and_then(Value::as_str).map(str::to_owned);
        }
    }

    /// In the order in which they began.
    pub(super) fn all(mut self) -> Vec<Stood> {
        self.0.sort_by_key(|stood| stood.from_ms);
        self.0
    }
}

impl Stood {
    /// How long; until the end when it was not healed.
    pub(super) fn lasted_ms(&self, end_ms: f64) -> f64 {
        (self.to_ms.map_or(end_ms, |to| to as f64) - self.from_ms as f64).max(0.0)
    }
}

/// What a line says of a fault; nothing when it is of something else.
pub(super) fn in_words(line: &str) -> Option<String> {
    let value: Value = serde_json::from_str(line).ok()?;
    let number = value.get("fault")?.as_u64()?.saturating_add(1);
    let fault = |key: &str| value.get(key).and_then(|fault| serde_json::from_value::<Fault>(fault.clone()).ok());
    let begins = fault("begins").map(|fault| format!("fault {number} begins: {fault}"));
    begins.or_else(|| fault("healed").map(|fault| format!("fault {number} is over: {fault}")))
}

/// A kind's name for a person.
pub(super) fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Kill => "killed",
        Kind::Freeze => "frozen",
        Kind::FreezeHost => "host frozen",
        Kind::Crash => "crash",
        Kind::Link => "link down",
        Kind::Partition => "partition",
        Kind::Loss => "packet loss",
        Kind::Reset => "reset",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_fault_stands_until_it_is_healed() {
        let kill = json!({"kind": "kill", "task": "RSED", "on": "LPAR1"});
        let mut faults = Faults::default();
        for line in [
            json!({"t_ms": 5000, "fault": 1, "begins": {"kind": "crash", "lpar": "LPAR2"}}),
            json!({"t_ms": 1000, "fault": 0, "begins": kill}),
            json!({"t_ms": 3000, "fault": 0, "healed": kill, "failed": "it was not seen"}),
            json!({"t_ms": 3000, "fault": 7, "healed": kill}),
            json!({"t_ms": 4000, "fault": 9, "begins": {"kind": "earthquake"}}),
            json!({"t_ns": 4000, "fault": 10, "begins": kill}),
        ] {
            faults.add(&line);
        }
        let line = json!({"t_ms": 3000, "fault": 0, "healed": kill});
        assert_eq!(in_words(&line.to_string()).as_deref(), Some("fault 1 is over: RSED on LPAR1 is killed"));
        assert_eq!(in_words(r#"{"event":"ready"}"#), None);
        let all = faults.all();
        let seen: Vec<_> = all.iter().map(|stood| (stood.number, stood.from_ms, stood.to_ms)).collect();
        assert_eq!(seen, [(1, 1000, Some(3000)), (2, 5000, None)]);
        assert_eq!(all[0].failed.as_deref(), Some("it was not seen"));
        assert_eq!((all[0].lasted_ms(9000.0), all[1].lasted_ms(9000.0)), (2000.0, 4000.0));
    }
}
