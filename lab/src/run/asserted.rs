//! Steps that assert something of the events, or keep a value from one.

use std::time::Duration;

use super::assertions::{Assertion, Pattern, Standing, lines, text_of};
use super::diagnose::Failure;
use super::result::Proof;
use super::steps::{Stage, StepError};
use crate::scenario::Symptom;

impl Stage<'_> {
    /// Waits until it holds; what must never be is looked at again at the end.
    pub(super) async fn assert(&mut self, assertion: &Assertion, within: Duration) -> Result<(), StepError> {
        if let Assertion::Never(_) = assertion {
            // What was there before does not count.
            self.never.push((assertion.clone(), self.plex.journal.look(|view| view.events.len())));
            return Ok(());
        }
        let (mut last, mut seen) = (None, Vec::new());
        let standing = self.plex.journal.wait_for(within, |view| {
            seen.extend(lines(&view.events[seen.len()..]));
            let standing = assertion.check(&seen, &self.values);
            last = Some(standing.clone());
            (!matches!(standing, Standing::NotYet(_))).then_some(standing)
        });
        let standing = standing.await.or(last);
        Ok(self.must_all_be_shown(vec![proof(assertion, standing)])?)
    }

    /// At the end of the scenario: what must never have been.
    pub(super) fn never(&mut self) -> Result<(), Failure> {
        for (assertion, from) in std::mem::take(&mut self.never) {
            let later = self.plex.journal.look(|view| lines(&view.events[from..]));
            let standing = assertion.check(&later, &self.values);
            self.must_all_be_shown(vec![proof(&assertion, Some(standing))])?;
        }
        Ok(())
    }

    /// Waits for an event like this and keeps the value of a field.
    pub(super) async fn capture(
        &mut self,
        name: &str,
        field: &str,
        of: &Pattern,
        within: Duration,
    ) -> Result<(), StepError> {
        let mut seen = Vec::new();
        let found = self.plex.journal.wait_for(within, |view| {
            seen.extend(lines(&view.events[seen.len()..]));
            let event = seen.iter().find(|event| of.is(event, &self.values))?;
            Some(text_of(event, field).ok_or_else(|| format!("it has no field `{field}`: {event}")))
        });
        let late = || Err(format!("there is none within {}", humantime::format_duration(within)));
        match found.await.unwrap_or_else(late) {
            Ok(value) => {
                self.values.insert(name.to_owned(), value);
                Ok(())
            }
            Err(why) => {
                let what = format!("${name} could not be had from an event {}: {why}", of.describe());
                Err(Failure::new(Symptom::EvidenceMissing, what).into())
            }
        }
    }
}

fn proof(assertion: &Assertion, standing: Option<Standing>) -> Proof {
    let (ok, shown) = match standing {
        Some(Standing::Holds(shown)) => (true, shown),
        Some(Standing::NotYet(shown) | Standing::Broken(shown)) => (false, shown),
        None => (false, "nothing was looked at".to_owned()),
    };
    Proof { claim: assertion.describe(), ok, source: "events".into(), shown }
}
