//! One attempt in its realm: orders go out when they are due, events come in, the model judges, all on one thread.

mod coming;
mod figures;
mod metrics;
mod pulse;
mod state;

use std::fs::File;
use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use evidence::{Event, monotonic_ns};
use netns::Network;
use serde::{Deserialize, Serialize};
use soak::summary::Summary;
use soak::{MS, facts};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::interrupt::Interrupt;
use super::plan::Plan;
use super::swarms::Swarms;
use crate::exit;
use crate::plex::journal::Journal;
use crate::plex::{Evidence, Plex, SharedBackend};
use state::State;

/// How long started tasks may take to come up.
const TASKS_WITHIN: Duration = Duration::from_secs(60);
/// How long sessions may go on when no more begin, and how long swarms may take to be drained: longer than their own patience.
const END_WITHIN: Duration = Duration::from_secs(100);
/// How often orders are looked at when none is due: it is also how late one may be.
const LOOK: Duration = Duration::from_millis(10);
/// Events that are taken at once.
const AT_ONCE: usize = 256;

/// What is to be done.
pub(super) struct Orders<'a> {
    pub plan: Plan,
    /// What was done of it before, when it is resumed.
    pub before: Option<&'a Summary>,
    pub backend: SharedBackend,
    pub bin_dir: PathBuf,
    pub out: PathBuf,
    /// Say how it goes.
    pub progress: bool,
    /// It ends at the first invariant that is broken.
    pub stop_when_broken: bool,
    /// It may be told to end early.
    pub interrupt: &'a Interrupt,
    /// Whoever asks here is told how it goes.
    pub metrics: Option<&'a TcpListener>,
}

/// What the director reports.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Report {
    /// It took place.
    Done(Box<Summary>),
    /// It did not.
    Failed(String),
}

/// Runs an attempt; its exit status.
pub(super) fn direct(realm: &Network, orders: &Orders<'_>, mut report: File) -> u8 {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            crate::note!("error: no runtime: {e}");
            return exit::CANNOT_RUN;
        }
    };
    let done = runtime.block_on(run(realm, orders));
    let done = done.map_or_else(Report::Failed, |summary| Report::Done(Box::new(summary)));
    let written = report.write_all(&serde_json::to_vec(&done).unwrap_or_default());
    runtime.shutdown_timeout(Duration::from_millis(200));
    if written.is_ok() { exit::PASSED } else { exit::FAILED }
}

async fn run(realm: &Network, orders: &Orders<'_>) -> Result<Summary, String> {
    let (pass, mut events) = mpsc::unbounded_channel();
    let (plex, swarms) = up(realm, orders, Journal::passing_on(pass)).await?;
    let mut state = State::new(plex, swarms, orders)?;
    let mut interrupt = pin!(orders.interrupt.wait());
    let mut batch = Vec::with_capacity(AT_ONCE);
    while !state.is_over() {
        let until = Instant::now() + state.due_in().min(LOOK);
        tokio::select! {
            count = events.recv_many(&mut batch, AT_ONCE) => {
                if count == 0 {
                    return Err("the journal has ended".to_owned());
                }
                state.hear(batch.drain(..))?;
            }
            done = state.coming.next() => state.fault_done(done).await,
            asked = state.askers.next() => drop(asked.send(state.metrics())),
            came = &mut interrupt => {
                came.map_err(|e| format!("signals: {e}"))?;
                state.interrupt();
                break;
            }
            () = sleep_until(until) => {}
        }
        state.go_on().await?;
    }
    end(&mut state, &mut events).await?;
    state.finish().await
}

/// The sysplex, its started tasks and the swarms.
async fn up(realm: &Network, orders: &Orders<'_>, journal: Journal) -> Result<(Plex, Swarms), String> {
    let Orders { plan, backend, bin_dir, .. } = orders;
    let failed = |e: crate::plex::PlexError| e.to_string();
    let evidence = Evidence { journal, out: None, captures: false };
    let built = Plex::build_with(realm, &plan.sysplex, Arc::clone(backend), bin_dir.clone(), evidence).await;
    let plex = built.map_err(failed)?;
    plex.start_tasks(TASKS_WITHIN).await.map_err(failed)?;
    let mut swarms = Swarms::default();
    let layout = plan.layout()?;
    for lpar in &plan.settings.lpars {
        swarms.start_jobs(&plex, lpar, plan.patience_ms).await.map_err(failed)?;
    }
    swarms.start_users(&plex, &layout.workstation, plan.rse()?, plan.stays_ms).await.map_err(failed)?;
    Ok((plex, swarms))
}

/// No more begins: faults heal, what runs comes to its end, swarms are drained.
async fn end(state: &mut State, events: &mut mpsc::UnboundedReceiver<Event>) -> Result<(), String> {
    state.begin_to_end();
    let until = Instant::now() + END_WITHIN;
    while !state.is_quiet() && Instant::now() < until && !state.is_broken() {
        step(state, events).await?;
    }
    if state.is_broken() {
        return Ok(()); // what is left is no news
    }
    let mut left = state.drain();
    let until = Instant::now() + END_WITHIN;
    while left > 0 && Instant::now() < until {
        left = left.saturating_sub(step(state, events).await?);
    }
    if left > 0 {
        state.failed(format!("{left} swarms were not drained within {END_WITHIN:?}"));
    }
    Ok(())
}

/// Hears what comes next; returns how many swarms are drained with that.
async fn step(state: &mut State, events: &mut mpsc::UnboundedReceiver<Event>) -> Result<usize, String> {
    let mut batch = Vec::new();
    tokio::select! {
        _ = events.recv_many(&mut batch, AT_ONCE) => {}
        done = state.coming.next() => state.fault_done(done).await,
        asked = state.askers.next() => drop(asked.send(state.metrics())),
        () = tokio::time::sleep(LOOK) => {}
    }
    let drained = batch.iter().filter(|event| matches!(event.what, evidence::What::Drained { .. })).count();
    state.hear(batch.drain(..))?;
    state.look().await?;
    Ok(drained)
}

/// Nanoseconds since the beginning, as milliseconds.
fn ms_since(begin_ns: u64) -> u64 {
    monotonic_ns().saturating_sub(begin_ns) / MS
}

/// What an event tells the model.
fn fact(event: &Event) -> Option<soak::model::Fact> {
    facts::fact(event)
}
