//! Faults with a time: they come later, or after an event, and go by themselves.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use evidence::{Event, What, monotonic_ns};
use tokio::task::JoinHandle;

use super::{Fault, FaultError, Faults, Seen};
use crate::plex::journal::View;

/// As long as it takes.
const FOREVER: Duration = Duration::from_secs(u32::MAX as u64);

/// A fault that is to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Its name.
    pub name: String,
    /// It.
    pub fault: Fault,
    /// When it comes.
    pub when: When,
    /// It goes by itself after so long.
    pub lasts: Option<Duration>,
}

/// When a fault comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// Now.
    Now,
    /// So much later.
    At(Duration),
    /// As soon as this was seen.
    After(After),
}

/// An event that has not been seen yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct After {
    /// Its name in the vocabulary of events, such as `session_waiting`.
    pub event: String,
    /// Of this system; of any when it is not said.
    pub on: Option<String>,
    /// Of this task.
    pub task: Option<String>,
}

/// What happens by itself.
pub(super) struct Coming {
    name: String,
    task: JoinHandle<()>,
    /// Waits for an event, which may never come.
    waits: Option<After>,
    /// It has come.
    came: Arc<AtomicBool>,
}

impl Faults {
    /// A fault that comes now is there when this is done, and what was seen of it is returned; any other comes by itself, and so does
    /// the end of one that lasts.
    ///
    /// # Errors
    /// Why one that comes now did not come about. What goes wrong later [`Faults::finish`] tells, and the journal.
    pub async fn plan(&self, planned: &Planned) -> Result<Option<Seen>, FaultError> {
        let now = planned.when == When::Now;
        let since = monotonic_ns();
        let seen = if now { Some(self.begin(&planned.name, &planned.fault).await?) } else { None };
        let lasts = planned.lasts.filter(|_| !planned.fault.is_instant());
        if now && lasts.is_none() {
            return Ok(seen);
        }
        let came = Arc::new(AtomicBool::new(now));
        let (faults, own, has_come) = (self.clone(), planned.clone(), Arc::clone(&came));
        let task = tokio::spawn(async move {
            if let Err(e) = faults.come_and_go(&own, lasts, since, &has_come).await {
                faults.went_wrong(&own, e);
            }
        });
        let waits = if let When::After(after) = &planned.when { Some(after.clone()) } else { None };
        let mut coming = self.0.planned.lock().unwrap_or_else(PoisonError::into_inner);
        coming.retain(|other| !other.task.is_finished());
        coming.push(Coming { name: planned.name.clone(), task, waits, came });
        Ok(seen)
    }

    async fn come_and_go(
        &self,
        Planned { name, fault, when, .. }: &Planned,
        lasts: Option<Duration>,
        since: u64,
        came: &AtomicBool,
    ) -> Result<(), FaultError> {
        match when {
            When::Now => {}
            When::At(later) => tokio::time::sleep(*later).await, // that is when it comes
            When::After(after) => {
                self.0.systems.journal.wait_for(FOREVER, after.clone().watch(since)).await;
            }
        }
        if *when != When::Now {
            came.store(true, Ordering::Relaxed);
            self.begin(name, fault).await?;
        }
        let Some(lasts) = lasts else { return Ok(()) };
        tokio::time::sleep(lasts).await; // that is how long it stands
        match self.heal(name).await {
            // It was healed before.
            Err(FaultError::Refused(_)) => Ok(()),
            result => result.map(drop),
        }
    }

    fn went_wrong(&self, planned: &Planned, error: FaultError) {
        let reason = format!("the fault {}: {error}", planned.name);
        self.say(&planned.fault, What::Fatal { reason });
        self.0.failures.lock().unwrap_or_else(PoisonError::into_inner).push(error);
    }

    /// Waits until all that was to come has come and gone, then mends what still stands. What waits for an event waits no longer.
    ///
    /// # Errors
    /// The first that did not come about, or was not seen to be gone; or that waits for an event that was not seen.
    pub async fn finish(&self, within: Duration) -> Result<(), FaultError> {
        let coming = std::mem::take(&mut *self.0.planned.lock().unwrap_or_else(PoisonError::into_inner));
        for Coming { name, mut task, waits, came } in coming {
            let fail = |what: String| FaultError::NotSeen(format!("{name} at the end of the scenario: {what}"));
            if let Some(after) = waits.filter(|_| !came.load(Ordering::Relaxed)) {
                task.abort();
                return Err(fail(format!("the event {} has not come", after.event)));
            }
            if tokio::time::timeout(within, &mut task).await.is_err() {
                task.abort();
                return Err(fail("it is still to come or to go".into()));
            }
        }
        let failed = self.0.failures.lock().unwrap_or_else(PoisonError::into_inner).pop();
        failed.map_or(Ok(()), Err)?;
        self.heal_all().await
    }
}

impl After {
    /// Finds the event among those that come after a time, looking at each once.
    fn watch(self, since_ns: u64) -> impl FnMut(View<'_>) -> Option<()> {
        let mut looked = 0;
        move |view| {
            let new = &view.events[looked.min(view.events.len())..];
            looked = view.events.len();
            new.iter().any(|event| event.t_ns >= since_ns && self.is(event)).then_some(())
        }
    }

    fn is(&self, event: &Event) -> bool {
        let of = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        of(&self.on, &event.system) && of(&self.task, &event.task) && name_of(event) == self.event
    }
}

/// The name of an event in the vocabulary.
fn name_of(event: &Event) -> String {
    let value = serde_json::to_value(&event.what).unwrap_or_default();
    value["event"].as_str().unwrap_or_default().to_owned()
}

/// Is there such an event? Else the names that there are, as the vocabulary says.
///
/// # Errors
/// The names.
pub fn known_event(name: &str) -> Result<(), String> {
    let read = serde_json::from_value::<What>(serde_json::json!({ "event": name }));
    match read {
        Err(e) if e.to_string().starts_with("unknown variant") => {
            let text = e.to_string();
            Err(text.split_once("expected one of ").map_or(text.clone(), |(_, names)| names.replace('`', "")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_known_by_their_names() {
        assert_eq!(known_event("session_waiting"), Ok(()));
        assert_eq!(known_event("ready"), Ok(()));
        let names = known_event("session_waits").expect_err("no such event");
        assert!(names.contains("session_waiting, "), "{names}");
        let what = What::UserGone { user: "U".into() };
        let event = Event { t_ns: 5, system: "LPAR1".into(), task: "DBGMGR".into(), pid: 1, what };
        let after = |on: &str| After { event: "user_gone".into(), on: Some(on.into()), task: None };
        assert!(after("LPAR1").is(&event) && !after("LPAR2").is(&event));
        let (events, exits) = (vec![event], Vec::new());
        let view = View { events: &events, exits: &exits };
        assert_eq!(after("LPAR1").watch(6)(view), None, "it was before");
        assert_eq!(after("LPAR1").watch(5)(view), Some(()));
    }
}
