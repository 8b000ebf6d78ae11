//! The benchmarks run, on a small scale: nothing is said of their figures.

mod common;
#[path = "common/harness.rs"]
mod harness;

use common::lab;
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;

fn main() {
    let trial = Trial::test("handoff_measures_all_that_is_asked", handoff_measures_all_that_is_asked);
    harness::run(&Arguments::from_args(), vec![trial]);
}

fn handoff_measures_all_that_is_asked() -> Result<(), Failed> {
    let small = ["bench", "handoff", "--runs", "1", "--for", "50ms", "--in-flight", "1,5", "--dormant", "40", "--json"];
    let output = lab().args(small).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let figures: Value = serde_json::from_slice(&output.stdout).map_err(|e| format!("no figures ({e})\n{said}"))?;
    let positive = |pointer: &str| {
        let found = figures.pointer(pointer).and_then(Value::as_f64);
        assert!(found.is_some_and(|number| number > 0.0), "{pointer} in {figures:#}");
    };
    for way in ["/to_client", "/to_server"] {
        positive(&format!("{way}/handed_over/base"));
        positive(&format!("{way}/handed_over/found"));
    }
    for (at, in_flight) in [(0, 1), (1, 5)] {
        assert_eq!(figures["handoffs"][at]["in_flight"], in_flight, "{figures:#}");
        positive(&format!("/handoffs/{at}/handoffs/per_s"));
        positive(&format!("/handoffs/{at}/handoffs/p99_ms"));
        positive(&format!("/handoffs/{at}/processor_us/jobs_manager"));
    }
    assert_eq!(figures["dormant"]["sessions"], 40, "{figures:#}");
    positive("/dormant/with_them_mib/0");
    positive("/dormant/p50_ms");
    Ok(())
}
