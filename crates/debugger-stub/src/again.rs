//! After Debug Manager was lost: the session is announced again to the Debug Manager that comes next.
//!
//! The debugger holds the session and Debug Manager is only told of it, so its stop, crash and restart cost nothing but time:
//! a session that waits goes on waiting (what it has waited counts), one that runs does not even notice. What IBM's debugger
//! does is not documented; this is ours.

use std::convert::Infallible;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use dbm_protocol::host::{FromDebugger, Phase, Standing, ToDebugger};
use dbm_protocol::retry::Backoff;
use dbm_protocol::{RefusalCode, Refused};
use evidence::{Emitter, What};
use tokio::time::sleep;

use crate::host::Host;
use crate::outcome::{How, Outcome};

/// How long a session that waits looks for a Debug Manager before the job gives up. As long as each phase of a wait may take
/// by default; ours.
pub const OUTAGE: Duration = Duration::from_secs(300);

/// A session, and what is needed to announce it again.
#[derive(Debug)]
pub struct Kept {
    /// As Debug Manager is told.
    pub standing: Standing,
    /// Path of the handoff socket of the Debug Manager that was told last.
    pub handoff: String,
    /// The phase of the wait.
    pub phase: Phase,
    /// Since when it is in this phase.
    pub since: Instant,
    /// Where the system keeps its name/token pairs.
    pub run_dir: PathBuf,
}

/// Why an announcement did not succeed.
enum Miss {
    /// It may succeed later.
    Later(String),
    /// It will not: so the job ends, if it waits.
    Never(Outcome),
}

impl Kept {
    /// The user was told: the second phase begins, once.
    pub fn user_was_told(&mut self) {
        if self.phase == Phase::Register {
            (self.phase, self.since) = (Phase::Engine, Instant::now());
        }
    }

    /// Finds a Debug Manager for a session that waits, which was lost for this `reason`.
    ///
    /// # Errors
    /// How the job ends when there is none for too long, or when it does not take the session.
    pub async fn wait_again(&mut self, reason: &str, emitter: &Emitter) -> Result<Host, Outcome> {
        let (session, lost) = (self.standing.session.clone(), Instant::now());
        tracing::warn!(%session, "Debug Manager is lost, looking for it: {reason}");
        let mut retry = Backoff::for_debug_manager();
        loop {
            match self.announce_waiting().await {
                Ok(host) => {
                    self.announced(&host, false, emitter);
                    return Ok(host);
                }
                Err(Miss::Never(outcome)) => return Err(outcome),
                Err(Miss::Later(now)) if lost.elapsed() >= OUTAGE => {
                    let text = format!("Debug Manager was lost ({reason}) and not found again in {OUTAGE:?}: {now}");
                    return Err(Outcome::new(How::Lost, text));
                }
                Err(Miss::Later(_)) => sleep(retry.pause()).await,
            }
        }
    }

    async fn announce_waiting(&mut self) -> Result<Host, Miss> {
        let waited_ms = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let again = FromDebugger::WaitAgain { standing: self.standing.clone(), phase: self.phase, waited_ms };
        match self.announce(&again).await? {
            (host, ToDebugger::Waiting { session, handoff, claim }) if session == self.standing.session => {
                self.standing.claim = claim;
                self.handoff = handoff;
                Ok(host)
            }
            (_, other) => Err(self.turned_down(other)),
        }
    }

    /// Keeps Debug Manager informed of a session that runs, for as long as it is polled. `host` is the connection that there
    /// is at the moment. What goes wrong here is nothing to the session.
    pub async fn keep_known(&self, host: &mut Option<Host>, emitter: &Emitter) -> Infallible {
        let mut retry = Backoff::for_debug_manager();
        loop {
            if let Some(there) = host {
                while there.receive().await.is_ok() {}
                *host = None;
                tracing::warn!(session = %self.standing.session, "Debug Manager is lost; the session runs on");
            }
            sleep(retry.pause()).await;
            match self.announce_running().await {
                Ok(found) => {
                    self.announced(&found, true, emitter);
                    *host = Some(found);
                    retry.reset();
                }
                Err(Miss::Later(_)) => {}
                Err(Miss::Never(outcome)) => {
                    tracing::warn!(session = %self.standing.session, "not announced again: {outcome}");
                    std::future::pending::<()>().await;
                }
            }
        }
    }

    async fn announce_running(&self) -> Result<Host, Miss> {
        match self.announce(&FromDebugger::RunsAgain { standing: self.standing.clone() }).await? {
            (host, ToDebugger::Known {}) => Ok(host),
            (_, other) => Err(self.turned_down(other)),
        }
    }

    /// Looks the name and token up anew, says it, and returns the answer.
    async fn announce(&self, again: &FromDebugger) -> Result<(Host, ToDebugger), Miss> {
        let mut host = Host::find(&self.run_dir, &self.standing.user).await.map_err(Miss::Later)?;
        host.send(again).await.map_err(Miss::Later)?;
        let answer = host.answer().await.map_err(Miss::Later)?;
        Ok((host, answer))
    }

    fn turned_down(&self, answer: ToDebugger) -> Miss {
        match answer {
            ToDebugger::Refused(Refused { code: RefusalCode::Busy | RefusalCode::Timeout, reason }) => {
                Miss::Later(reason)
            }
            other => Miss::Never(Outcome::of(&other).unwrap_or_else(|| {
                Outcome::new(How::Lost, format!("an answer about session {} was expected", self.standing.session))
            })),
        }
    }

    fn announced(&self, host: &Host, linked: bool, emitter: &Emitter) {
        let (session, host_port) = (self.standing.session.to_string(), host.port);
        tracing::info!(%session, host_port, "announced again to Debug Manager");
        emitter.emit(What::JobAnnouncedAgain { session, host_port, linked });
    }
}
