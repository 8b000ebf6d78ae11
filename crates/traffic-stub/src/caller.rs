//! A caller: places a series of calls and says with events how each went.

mod call;
mod failure;
mod line;
mod source;
mod tally;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use evidence::{Emitter, What};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use crate::orders::CallerOrder;
use call::{Signals, Slot};
pub use source::PortRange;
use tally::Tally;

/// What a caller is told at its start.
#[derive(Clone, Debug)]
pub struct Config {
    /// Name of the series, as it stands in the events.
    pub name: String,
    /// Where to: the first call goes to the first address, the next to the next, and round again.
    pub to: Vec<SocketAddr>,
    /// How many calls.
    pub count: u32,
    /// How many may be on their way at a time: dialled and not yet greeted; those that leave then, not yet closed.
    pub parallel: u32,
    /// How long each awaited answer may take: the connection, the greeting, the close.
    pub limit: Duration,
    /// The address that calls come from; by default the system chooses.
    pub from: Option<IpAddr>,
    /// The ports that calls come from, the first call from the first, and round again; by default the system chooses.
    pub source_ports: Option<PortRange>,
    /// What a call does when it was greeted.
    pub then: Then,
}

/// What a call does when it was greeted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Says `bye` and closes, before the next call is placed.
    Leave,
    /// Stays open for so long.
    Keep(Duration),
    /// Stays open until the order `finish`, and shows then that it is alive.
    Hold,
    /// Receives bytes.
    Get {
        /// How many.
        bytes: u64,
        /// How many in a second; 0: as fast as they come.
        rate: u64,
        /// Stays open until every call of the series has received its bytes.
        hold: bool,
    },
    /// Sends bytes.
    Put {
        /// How many.
        bytes: u64,
    },
}

/// Most calls that can be placed in one series.
pub const MAX_CALLS: u32 = 60_000;

/// How many held calls are checked at a time: a crowd at once would wait for each other, and not for the network.
const CHECKS: usize = 256;

/// What all calls of a series share.
struct Series {
    config: Config,
    emitter: Emitter,
    tally: Tally,
    /// A permit is the turn to be checked.
    checks: Semaphore,
}

/// Places the calls and waits for their end. Emits `Answered` and `CallFailed` for the calls as it happens, `CallsPlaced` when
/// each was tried, and `CallsEnded` when each has ended. Of orders only [`Then::Hold`] takes notice; when no more can come
/// without one to finish, it returns without `CallsEnded`.
pub async fn run(config: Config, emitter: &Emitter, mut orders: mpsc::Receiver<CallerOrder>) {
    let (tally, checks) = (Tally::default(), Semaphore::new(CHECKS));
    let series = Arc::new(Series { config, emitter: emitter.clone(), tally, checks });
    let Config { count, parallel, then, .. } = series.config;
    // Every call that has bytes to receive holds a sender.
    let (busy, mut all_received) = mpsc::channel::<()>(1);
    let (finish, finished) = watch::channel(false);

    let slots = Arc::new(Semaphore::new(parallel as usize));
    let mut calls = JoinSet::new();
    for number in 1..=count {
        let Some(slot) = a_slot(&slots).await else { return };
        let signals = Signals { busy: busy.clone(), finished: finished.clone() };
        calls.spawn(call::place(Arc::clone(&series), number, slot, signals));
        while calls.try_join_next().is_some() {}
    }
    drop(busy);
    // When all slots are free again, all calls were tried.
    let _all = slots.acquire_many(parallel).await;
    series.placed();

    match then {
        Then::Hold => {
            let Some(CallerOrder::Finish) = orders.recv().await else { return };
        }
        Then::Get { .. } | Then::Put { .. } => while all_received.recv().await.is_some() {},
        Then::Leave | Then::Keep(_) => {}
    }
    let _ = finish.send(true);
    while calls.join_next().await.is_some() {}
    series.ended();
}

async fn a_slot(slots: &Arc<Semaphore>) -> Option<Slot> {
    Arc::clone(slots).acquire_owned().await.ok()
}

impl Series {
    fn placed(&self) {
        let answered = self.tally.answered();
        let failed = self.config.count.saturating_sub(answered);
        tracing::info!(answered, failed, "every call was tried");
        self.emitter.emit(What::CallsPlaced { call: self.config.name.clone(), answered, failed });
    }

    fn ended(&self) {
        let complete = self.tally.complete();
        let failed = self.config.count.saturating_sub(complete);
        let (bytes, longest_silence_us) = (self.tally.bytes(), self.tally.longest_silence_us());
        tracing::info!(complete, failed, bytes, longest_silence_us, "every call has ended");
        let call = self.config.name.clone();
        self.emitter.emit(What::CallsEnded { call, complete, failed, bytes, longest_silence_us });
    }
}
