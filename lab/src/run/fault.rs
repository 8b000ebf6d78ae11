//! Steps that break something, and mend it.

use std::time::Duration;

use super::diagnose::Failure;
use super::result::Proof;
use super::steps::{Stage, StepError};
use crate::plex::faults::{FaultError, Planned, Seen};
use crate::scenario::Symptom;
use crate::scenario::fault::describe;

/// How long what comes by itself may still take when all steps are done.
const FINISH_WITHIN: Duration = Duration::from_secs(30);

impl Stage<'_> {
    pub(super) async fn fault(&mut self, planned: &Planned) -> Result<(), StepError> {
        let done = self.plex.faults.plan(planned).await;
        self.keep_what_was_seen();
        done.map(drop).map_err(|e| failed(&describe(planned), e))
    }

    pub(super) async fn heal(&mut self, name: &str) -> Result<(), StepError> {
        let done = self.plex.faults.heal(name).await;
        self.keep_what_was_seen();
        done.map(drop).map_err(|e| failed(&format!("{name} is healed"), e))
    }

    /// Whatever was to come has come, and whatever stands is mended.
    pub(super) async fn end_of_faults(&mut self) -> Result<(), StepError> {
        let done = self.plex.faults.finish(FINISH_WITHIN).await;
        self.keep_what_was_seen();
        done.map_err(|e| failed("the faults at the end of the scenario", e))
    }

    fn keep_what_was_seen(&mut self) {
        let proof = |Seen { what, shown }: Seen| Proof {
            claim: format!("fault: {what}"),
            ok: true,
            source: "the lab".into(),
            shown,
        };
        self.proofs.extend(self.plex.faults.take_seen().into_iter().map(proof));
    }
}

fn failed(what: &str, error: FaultError) -> StepError {
    match error {
        FaultError::NotHere(why) => StepError::NotHere(why),
        FaultError::Lab(e) => StepError::Lab(e),
        FaultError::Refused(_) | FaultError::NotSeen(_) => {
            Failure::new(Symptom::EvidenceMissing, format!("{what}: {error}")).into()
        }
    }
}
