//! What goes wrong in a sysplex, and is mended again: each fault has a name, is seen to bite before it counts as done, and is seen to
//! be gone when it is healed. Both are events in the journal.

mod clock;
mod disk;
mod filter;
pub mod kind;
mod link;
mod netem;
mod packets;
mod process;
mod reset;
mod timed;
mod undo;

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use evidence::{Event, What, monotonic_ns};
use netns::HostError;

use super::{PlexError, Systems};
pub use kind::Fault;
pub use timed::{After, Planned, When, known_event};
use undo::Undo;

/// Why a fault did not come about, or was not healed.
#[derive(Debug, thiserror::Error)]
pub enum FaultError {
    /// It makes no sense now.
    #[error("{0}")]
    Refused(String),
    /// This machine cannot do it.
    #[error("this machine cannot: {0}")]
    NotHere(String),
    /// It was done, and what must come of it was not seen.
    #[error("its effect was not seen: {0}")]
    NotSeen(String),
    /// Something that should not fail.
    #[error(transparent)]
    Lab(#[from] PlexError),
}

impl From<io::Error> for FaultError {
    fn from(error: io::Error) -> Self {
        Self::Lab(error.into())
    }
}

impl From<HostError> for FaultError {
    fn from(error: HostError) -> Self {
        Self::Lab(error.into())
    }
}

/// What this machine lacks for a kind of fault that needs no more than a library, and the remedy.
pub fn lacks(fault: &Fault) -> Option<String> {
    (matches!(fault, Fault::Clock { .. }) && clock::library().is_none()).then(clock::missing)
}

/// What was seen of a fault: of its beginning, or of its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// In a sentence.
    pub what: String,
    /// Where it was looked up, and what was seen there.
    pub shown: String,
}

/// The faults of a sysplex. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Faults(Arc<Inner>);

struct Inner {
    systems: Systems,
    /// Those that are not healed. Held while one begins or ends, so that they come one after the other.
    standing: tokio::sync::Mutex<BTreeMap<String, Standing>>,
    /// What was seen since it was last asked.
    seen: Mutex<Vec<Seen>>,
    planned: Mutex<Vec<timed::Coming>>,
    /// What went wrong with those that come and go by themselves.
    failures: Mutex<Vec<FaultError>>,
    tables: AtomicU32,
}

/// One that is not healed.
struct Standing {
    fault: Fault,
    undo: Undo,
}

impl Faults {
    /// Nothing is wrong.
    pub fn new(systems: Systems) -> Self {
        let (standing, seen, planned, failures, tables) = Default::default();
        Self(Arc::new(Inner { systems, standing, seen, planned, failures, tables }))
    }

    /// The firewalls of the topology, which stay.
    ///
    /// # Errors
    /// When one of them does not come about.
    pub async fn stand_firewalls(&self) -> Result<(), PlexError> {
        for firewall in self.0.systems.sysplex.firewalls.clone() {
            let fault = Fault::Firewall(firewall);
            undo::bring_about(&self.0.systems, &fault, self.next_table())
                .await
                .map_err(|e| io::Error::other(format!("{fault}: {e}")))?;
        }
        Ok(())
    }

    /// Brings a fault about and waits until it is seen to bite.
    ///
    /// # Errors
    /// Why it did not come about; then nothing of it is left.
    pub async fn begin(&self, name: &str, fault: &Fault) -> Result<Seen, FaultError> {
        let mut standing = self.0.standing.lock().await;
        if let Some(other) = standing.get(name) {
            return Err(FaultError::Refused(format!("a fault named {name} stands already: {}", other.fault)));
        }
        let (undo, shown) = undo::bring_about(&self.0.systems, fault, self.next_table()).await?;
        let what = fault.to_string();
        self.say(fault, What::FaultBegan { name: name.to_owned(), what: what.clone() });
        if fault.is_instant() {
            self.say(fault, What::FaultHealed { name: name.to_owned(), what: what.clone() });
        } else {
            standing.insert(name.to_owned(), Standing { fault: fault.clone(), undo });
        }
        Ok(self.saw(what, shown))
    }

    /// Mends a fault and waits until it is seen to be gone.
    ///
    /// # Errors
    /// When none of this name stands, or it is not gone; it is forgotten all the same.
    pub async fn heal(&self, name: &str) -> Result<Seen, FaultError> {
        let mut standing = self.0.standing.lock().await;
        let Some(Standing { fault, undo }) = standing.remove(name) else {
            let names: Vec<&str> = standing.keys().map(String::as_str).collect();
            let names = if names.is_empty() { "none does".to_owned() } else { names.join(", ") };
            return Err(FaultError::Refused(format!("no fault named {name} stands: {names}")));
        };
        let alone = !standing.values().any(|other| other.undo.keeps_apart());
        let shown = undo.heal(&self.0.systems, alone).await?;
        let what = fault.to_string();
        self.say(&fault, What::FaultHealed { name: name.to_owned(), what: what.clone() });
        Ok(self.saw(format!("no more: {what}"), shown))
    }

    /// Mends all that stands, but for what has ended something: that is started again by who wants it.
    ///
    /// # Errors
    /// The first that is not gone.
    pub async fn heal_all(&self) -> Result<(), FaultError> {
        for (name, what) in self.standing().await {
            let ends = self.0.standing.lock().await.get(&name).is_some_and(|one| one.fault.ends_something());
            if !ends {
                self.heal(&name).await.map_err(|e| match e {
                    FaultError::NotSeen(why) => FaultError::NotSeen(format!("the end of \"{what}\": {why}")),
                    other => other,
                })?;
            }
        }
        Ok(())
    }

    /// Those that are not healed: their names, and what they are.
    pub async fn standing(&self) -> Vec<(String, String)> {
        let standing = self.0.standing.lock().await;
        standing.iter().map(|(name, one)| (name.clone(), one.fault.to_string())).collect()
    }

    /// What was seen since this was last asked.
    pub fn take_seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.0.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn saw(&self, what: String, shown: String) -> Seen {
        let seen = Seen { what, shown };
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner).push(seen.clone());
        seen
    }

    fn say(&self, fault: &Fault, what: What) {
        let system = fault.host().unwrap_or("lab").to_owned();
        let event = Event { t_ns: monotonic_ns(), system, task: "fault".into(), pid: 0, what };
        self.0.systems.journal.add(event);
    }

    fn next_table(&self) -> u32 {
        self.0.tables.fetch_add(1, Ordering::Relaxed) + 1
    }
}
