//! The director of a sysplex that stays up: builds it, reports, serves until it is to go down.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use evidence::monotonic_ns;
use netns::Network;
use sysplex::Sysplex;
use tokio::net::UnixListener;

use super::protocol::Outcome;
use super::serve::{Served, Up, serve};
use crate::exit;
use crate::plex::{Plex, PlexError, SharedBackend};
use crate::run::figure4::ms_since;

/// How long started tasks may take to come up.
const TASKS_WITHIN: Duration = Duration::from_secs(10);
/// How long what runs on threads may still take at the end.
const THREADS_WITHIN: Duration = Duration::from_millis(500);

/// What is to be brought up.
pub(super) struct Orders {
    /// The name by which it is spoken to.
    pub name: String,
    /// What it is.
    pub sysplex: Sysplex,
    /// The distributor's backend.
    pub backend: SharedBackend,
    /// Where the lab's programs are.
    pub bin_dir: PathBuf,
    /// Where the evidence goes.
    pub out: Option<PathBuf>,
}

/// Builds, reports an [`Outcome`], serves; an exit status.
pub(super) fn direct(realm: &Network, orders: &Orders, socket: OwnedFd, mut report: File) -> u8 {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            crate::note!("error: no runtime: {e}");
            return exit::CANNOT_RUN;
        }
    };
    let served = Arc::new(Served::new(&orders.sysplex, orders.backend.name()));
    let status = runtime.block_on(async {
        let outcome = come_up(realm, orders, socket, &served).await;
        let bytes = serde_json::to_vec(&outcome).unwrap_or_default();
        if let Err(e) = report.write_all(&bytes) {
            crate::note!("error: cannot report: {e}");
        }
        drop(report);
        match outcome {
            Outcome::Up { .. } => {
                served.going_down().await;
                exit::PASSED
            }
            Outcome::Failed { status, .. } => status,
        }
    });
    // Everything that runs, and with it the sysplex: what was captured is written to its files.
    runtime.shutdown_timeout(THREADS_WITHIN);
    drop(served);
    status
}

async fn come_up(realm: &Network, orders: &Orders, socket: OwnedFd, served: &Arc<Served>) -> Outcome {
    let begin = monotonic_ns();
    let listener = match listener(socket) {
        Ok(listener) => listener,
        Err(e) => return Outcome::Failed { status: exit::CANNOT_RUN, reason: e.to_string() },
    };
    tokio::spawn(serve(listener, Arc::clone(served)));
    let built = tokio::select! {
        built = build(realm, orders) => built,
        () = served.going_down() => {
            return Outcome::Failed { status: exit::FAILED, reason: "it was taken down before it was up".into() };
        }
    };
    match built {
        Ok(plex) => {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            served.is_up(Up { plex, since });
            Outcome::Up { ms: ms_since(begin, monotonic_ns()) }
        }
        Err(e) => {
            let status = if matches!(e, PlexError::Task(_)) { exit::FAILED } else { exit::CANNOT_RUN };
            Outcome::Failed { status, reason: e.to_string() }
        }
    }
}

fn listener(socket: OwnedFd) -> io::Result<UnixListener> {
    rustix::io::ioctl_fionbio(&socket, true)?;
    UnixListener::from_std(socket.into())
}

async fn build(realm: &Network, orders: &Orders) -> Result<Plex, PlexError> {
    let (bin_dir, out) = (orders.bin_dir.clone(), orders.out.clone());
    let plex = Plex::build(realm, &orders.sysplex, Arc::clone(&orders.backend), bin_dir, out).await?;
    plex.start_tasks(TASKS_WITHIN).await?;
    Ok(plex)
}
