//! The client from logon to logoff.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

use dbm_protocol::{Notice, SessionId, UserId};
use evidence::{Emitter, What};
use tokio::task::JoinSet;

use crate::engine::Engine;
use crate::hold::Hold;
use crate::{encrypted, logon};

/// What the client is told when it starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// The user.
    pub user: UserId,
    /// The RSE daemon.
    pub rsed: SocketAddr,
    /// Dials the RSE daemon with TLS first, as Eclipse does.
    pub encrypted_first: bool,
    /// Debug sessions after which the client logs off.
    pub sessions: u32,
    /// Line of the breakpoint.
    pub breakpoint: u32,
    /// Holds each session at its first stop.
    pub hold: Hold,
    /// How long each answer may take.
    pub limit: Duration,
}

/// Logs on, debugs as many sessions as it is told, several at the same time where several wait, and logs off. Waits for
/// notices as long as the connection to the RSE server stands. Returns the number of sessions that failed.
///
/// # Errors
/// One sentence: the logon failed, or the RSE server was lost before all sessions were announced.
pub async fn run(config: Config, emitter: Emitter) -> Result<u32, String> {
    if config.encrypted_first {
        encrypted::is_turned_away(config.rsed, config.limit, &emitter).await?;
    }
    let mut logged_on = logon::log_on(&config.user, config.rsed, config.limit, &emitter).await?;
    let engine = Engine {
        user: config.user,
        address: config.rsed.ip(),
        breakpoint: config.breakpoint,
        limit: config.limit,
        hold: config.hold,
        emitter: emitter.clone(),
    };
    let mut sessions = Sessions { engine, running: JoinSet::new(), open: HashSet::new(), started: 0, failed: 0 };
    let mut lost = None;
    while sessions.started < config.sessions || !sessions.running.is_empty() {
        tokio::select! {
            next = logged_on.next_notice(), if lost.is_none() && sessions.started < config.sessions => match next {
                Ok(notice) => sessions.start(notice, &emitter),
                Err(reason) => lost = Some(reason),
            },
            Some(ended) = sessions.running.join_next() => sessions.ended(ended),
            // No session runs, and none can be announced.
            else => break,
        }
    }
    logged_on.log_off(config.limit).await;
    match lost {
        Some(reason) if sessions.started < config.sessions => {
            Err(format!("{reason}; {} of {} sessions were announced", sessions.started, config.sessions))
        }
        _ => Ok(sessions.failed),
    }
}

struct Sessions {
    engine: Engine,
    running: JoinSet<(SessionId, Result<(), String>)>,
    open: HashSet<SessionId>,
    started: u32,
    failed: u32,
}

impl Sessions {
    /// Debugs the session of a notice. A notice for a session that is being debugged is the same one once more.
    fn start(&mut self, notice: Notice, emitter: &Emitter) {
        if !self.open.insert(notice.session.clone()) {
            tracing::info!(session = %notice.session, "told again of a session that runs");
            return;
        }
        emitter.emit(What::Notified {
            session: notice.session.to_string(),
            port: notice.port,
            job: notice.job.to_string(),
            job_system: notice.system.to_string(),
        });
        tracing::info!(session = %notice.session, job = %notice.job, on = %notice.system, port = notice.port, "notified");
        self.started += 1;
        let engine = self.engine.clone();
        self.running.spawn(async move {
            let result = engine.debug(&notice).await;
            (notice.session, result)
        });
    }

    fn ended(&mut self, ended: Result<(SessionId, Result<(), String>), tokio::task::JoinError>) {
        match ended {
            Ok((session, result)) => {
                self.open.remove(&session);
                if let Err(reason) = result {
                    tracing::error!(%session, "the session failed: {reason}");
                    self.failed += 1;
                }
            }
            Err(e) => {
                tracing::error!("a session's task failed: {e}");
                self.failed += 1;
            }
        }
    }
}
