//! Measuring in realms of their own.

use std::io::Write;

use evidence::monotonic_ns;
use netns::{Network, realm};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::floor;
use crate::run::figure4::ms_since;

/// What a realm reports.
#[derive(Serialize, Deserialize)]
struct Report<T> {
    measured: Result<T, String>,
    done_ns: u64,
}

/// Measures in a realm of its own, once the kernel has nothing else to take down; also says how long it took to take the realm
/// down.
pub(super) fn in_realm<T: Serialize + DeserializeOwned>(
    work: impl FnOnce(&Network) -> Result<T, String>,
) -> Result<(T, f64), String> {
    let ended = realm::run(
        |realm, mut report| {
            let measured = floor::settle().map_err(|e| e.to_string()).and_then(|()| work(&realm));
            let measured = Report { measured, done_ns: monotonic_ns() };
            let _ = report.write_all(&serde_json::to_vec(&measured).unwrap_or_default());
            0
        },
        |_, _| (),
    );
    let ended = ended.map_err(|e| e.to_string())?;
    let ended_ns = monotonic_ns();
    let report: Report<T> = serde_json::from_slice(&ended.report).map_err(|e| format!("no report: {e}"))?;
    let down = ms_since(report.done_ns, ended_ns);
    report.measured.map(|measured| (measured, down))
}

pub(super) fn on_runtime<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    runtime.block_on(work)
}

pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
