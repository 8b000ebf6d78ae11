//! What went wrong in a step.

use serde::{Deserialize, Serialize};

use crate::run::figure4::Handoff;
use crate::scenario::Symptom;

/// What went wrong in a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What a user or the operator sees.
    pub symptom: Symptom,
    /// What was awaited and what was seen instead.
    pub what: String,
    /// Whose handoff, where it is about one.
    pub handoff: Option<Handoff>,
}

impl Failure {
    /// A failure that is about no handoff in particular.
    pub fn new(symptom: Symptom, what: impl Into<String>) -> Self {
        Self { symptom, what: what.into(), handoff: None }
    }

    /// The same, about this handoff.
    #[must_use]
    pub fn of(mut self, handoff: &Handoff) -> Self {
        self.handoff = Some(handoff.clone());
        self
    }
}
