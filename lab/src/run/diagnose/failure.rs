//! What went wrong in a step.

use std::net::SocketAddr;

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
    pub handoff: Option<Box<Handoff>>,
    /// The address that was dialled, where it is about connections.
    #[serde(default)]
    pub dialled: Option<SocketAddr>,
}

impl Failure {
    /// A failure that is about no handoff in particular.
    pub fn new(symptom: Symptom, what: impl Into<String>) -> Self {
        Self { symptom, what: what.into(), handoff: None, dialled: None }
    }

    /// The same, about connections to this address.
    #[must_use]
    pub fn to(mut self, address: SocketAddr) -> Self {
        self.dialled = Some(address);
        self
    }

    /// The same, about this handoff.
    #[must_use]
    pub fn of(mut self, handoff: &Handoff) -> Self {
        self.handoff = Some(Box::new(handoff.clone()));
        self
    }
}
