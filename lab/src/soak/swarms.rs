//! The processes that play users and jobs: one at the workstation, one on each LPAR.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use evidence::{What, monotonic_ns};

use crate::plex::tasks::{RUN_DIR, TaskHandle, program};
use crate::plex::{Plex, PlexError};

/// The task that plays the users.
pub(super) const USERS: &str = "USERS";
/// The task that plays the jobs of an LPAR.
pub(super) const JOBS: &str = "JOBS";

/// How long a swarm may take to come up.
const UP_WITHIN: Duration = Duration::from_secs(20);

/// All of them, by host.
#[derive(Debug, Default)]
pub(super) struct Swarms(BTreeMap<String, TaskHandle>);

impl Swarms {
    /// The users, at this workstation.
    ///
    /// # Errors
    /// When they do not come up.
    pub(super) async fn start_users(
        &mut self,
        plex: &Plex,
        on: &str,
        rse: SocketAddr,
        stays_ms: u64,
    ) -> Result<(), PlexError> {
        let argv =
            [&program("swarm-stub"), "users", "--connect", &rse.to_string(), "--stays", &format!("{stays_ms}ms")];
        self.start(plex, on, USERS, &argv).await
    }

    /// The jobs of an LPAR; also when it was down and is up again.
    ///
    /// # Errors
    /// When they do not come up.
    pub(super) async fn start_jobs(&mut self, plex: &Plex, on: &str, patience_ms: u64) -> Result<(), PlexError> {
        let patience = format!("{patience_ms}ms");
        let argv = [&program("swarm-stub"), "jobs", "--run-dir", RUN_DIR, "--patience", &patience];
        self.start(plex, on, JOBS, &argv).await
    }

    async fn start(&mut self, plex: &Plex, on: &str, name: &str, argv: &[&str]) -> Result<(), PlexError> {
        let since = monotonic_ns();
        let handle = plex.start(on, name, argv.iter().map(|word| (*word).to_owned()).collect()).await?;
        if let Some(stdin) = &handle.stdin {
            // A swarm that stands still must not make the lab stand still.
            rustix::io::ioctl_fionbio(stdin, true).map_err(io::Error::from)?;
        }
        let up = plex.journal.wait_for(UP_WITHIN, |view| {
            let own = |event: &&evidence::Event| event.system == on && event.task == name && event.t_ns >= since;
            view.events.iter().filter(own).any(|event| matches!(event.what, What::Ready {})).then_some(())
        });
        up.await.ok_or_else(|| io::Error::other(format!("awaited that {name} on {on} is up for {UP_WITHIN:?}")))?;
        self.0.insert(on.to_owned(), handle);
        Ok(())
    }

    /// The host is down, and what ran there.
    pub(super) fn gone(&mut self, host: &str) {
        self.0.remove(host);
    }

    /// Hosts that have one.
    pub(super) fn hosts(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The processes: names, hosts and numbers in the realm.
    pub(super) fn processes(&self) -> impl Iterator<Item = (&str, &str, i32)> {
        self.0.values().map(|handle| (handle.name.as_str(), handle.system.as_str(), handle.running.realm_pid))
    }

    /// Gives an order; false when it could not be given.
    pub(super) fn order(&mut self, host: &str, order: &str) -> bool {
        let stdin = self.0.get_mut(host).and_then(|handle| handle.stdin.as_mut());
        // A line is shorter than PIPE_BUF: it is written as a whole or not at all.
        stdin.is_some_and(|stdin| stdin.write_all(format!("{order}\n").as_bytes()).is_ok())
    }
}
