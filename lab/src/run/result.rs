//! What is said of a run: the object that `--json` prints.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::scenario::Symptom;

/// The file of a run's directory that holds its result.
pub const FILE: &str = "result.json";

/// The outcome of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// What had to be seen was seen; for a broken twin: it failed in the expected way.
    Passed,
    /// It was not.
    Failed,
    /// The evidence is not good enough to say.
    Inconclusive,
    /// It was not run.
    Skipped,
}

impl Verdict {
    /// The word in the results.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Inconclusive => "inconclusive",
            Self::Skipped => "skipped",
        }
    }
}

/// A place in a scenario's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The file, as it was named.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: u32,
}

/// One of the nine steps of Figure 4, or a step of a scenario about the distributor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepSeen {
    /// Its number in the figure.
    pub n: u8,
    /// What happened, or what was to happen.
    pub name: String,
    /// When, in milliseconds from the start of the scenario's first step; nothing when it did not happen.
    pub at_ms: Option<f64>,
    /// It happened, and after everything that it follows from.
    pub ok: bool,
    /// The job whose handoff it belongs to; empty for a step that belongs to none.
    pub job: String,
}

/// One thing that the kernel shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// What is to be shown.
    pub claim: String,
    /// Does the kernel show it?
    pub ok: bool,
    /// Where it was looked up: `sock_diag and /proc`, `capture`, `VCRT`.
    pub source: String,
    /// What was seen there.
    pub shown: String,
}

/// What is said of one scenario on one backend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScenarioResult {
    /// The scenario's name.
    pub scenario: String,
    /// The distributor's backend.
    pub backend: String,
    /// The outcome.
    pub verdict: Verdict,
    /// The nine steps, for each job; then what else the scenario did.
    pub steps: Vec<StepSeen>,
    /// What the kernel shows.
    pub evidence: Vec<Proof>,
    /// Until the sysplex was up and its started tasks were ready, in milliseconds.
    pub up_ms: f64,
    /// The scenario's steps, in milliseconds.
    pub run_ms: f64,
    /// Until nothing was left, in milliseconds.
    pub down_ms: f64,
    /// Why it did not pass; for a broken twin, how it failed as expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What a user or the operator saw go wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symptom: Option<Symptom>,
    /// Why: an entry of the field catalogue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// The step of the scenario's file that was not done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Place>,
    /// Where the evidence was kept, as it was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out: Option<PathBuf>,
}

impl ScenarioResult {
    /// The sysplex could not even be built.
    pub fn was_never_up(&self) -> bool {
        self.verdict == Verdict::Inconclusive && self.up_ms == 0.0
    }

    /// A result for a run that is not made, and why.
    pub fn skipped(scenario: &str, backend: &str, why: &str) -> Self {
        let reason = Some(why.to_owned());
        Self { verdict: Verdict::Skipped, reason, ..Self::new(scenario, backend) }
    }

    /// A result for a run that has only begun.
    pub fn new(scenario: &str, backend: &str) -> Self {
        Self {
            scenario: scenario.into(),
            backend: backend.into(),
            verdict: Verdict::Inconclusive,
            steps: Vec::new(),
            evidence: Vec::new(),
            up_ms: 0.0,
            run_ms: 0.0,
            down_ms: 0.0,
            reason: None,
            symptom: None,
            cause: None,
            at: None,
            out: None,
        }
    }
}
