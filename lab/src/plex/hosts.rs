//! The hosts of a sysplex. One may go down and come up again, so each is looked up when it is needed.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use netns::{Host, HostError, inside};

use super::tasks::Exits;

/// All hosts, by name.
#[derive(Debug, Default)]
pub struct Hosts(RwLock<BTreeMap<String, (Arc<Host>, Exits)>>);

impl Hosts {
    /// One host as it is now, and where the ends of its tasks arrive.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn get(&self, name: &str) -> Result<(Arc<Host>, Exits), HostError> {
        let hosts = self.0.read().unwrap_or_else(PoisonError::into_inner);
        hosts.get(name).cloned().ok_or_else(|| HostError::Down { host: name.into() })
    }

    /// All of them.
    pub fn all(&self) -> Vec<Arc<Host>> {
        let hosts = self.0.read().unwrap_or_else(PoisonError::into_inner);
        hosts.values().map(|(host, _)| Arc::clone(host)).collect()
    }

    /// A host is up, in place of one of the same name that was.
    pub(super) fn put(&self, host: Arc<Host>, exits: Exits) {
        let mut hosts = self.0.write().unwrap_or_else(PoisonError::into_inner);
        hosts.insert(host.name.clone(), (host, exits));
    }

    /// Does something in a host's network.
    ///
    /// # Errors
    /// When there is no such host, or what the work reports.
    pub fn inside<T: Send>(&self, name: &str, work: impl FnOnce() -> io::Result<T> + Send) -> Result<T, HostError> {
        Ok(inside(self.get(name)?.0.netns(), work)?)
    }
}
