//! The client from logon to logoff.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use dbm_protocol::{Notice, SessionId, Token, UserId};
use evidence::{Emitter, What};
use tokio::task::JoinSet;

use crate::engine::Engine;
use crate::hold::Hold;
use crate::tls::Tls;
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
    /// TLS for the debug sessions.
    pub tls: Option<Tls>,
    /// Debug sessions after which the client logs off.
    pub sessions: u32,
    /// Line of the breakpoint.
    pub breakpoint: u32,
    /// Holds each session at its first stop.
    pub hold: Hold,
    /// Presents the token of the first session for all later ones too.
    pub keep_token: bool,
    /// Holds the logon between its two connections.
    pub pause_logon: Hold,
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
    let mut logged_on = logon::log_on(&config.user, config.rsed, config.limit, &config.pause_logon, &emitter).await?;
    let engine = Engine {
        user: config.user,
        address: config.rsed.ip(),
        tls: config.tls,
        breakpoint: config.breakpoint,
        limit: config.limit,
        hold: config.hold,
        emitter: emitter.clone(),
    };
    let known = HashMap::new();
    let mut sessions = Sessions {
        engine,
        running: JoinSet::new(),
        known,
        most: config.sessions,
        keep_token: config.keep_token,
        kept: None,
        broken_tasks: 0,
    };
    let mut lost = None;
    while sessions.are_awaited() || !sessions.running.is_empty() {
        tokio::select! {
            // Also when no more sessions are wanted: one that runs may be announced again.
            next = logged_on.next_notice(), if lost.is_none() => match next {
                Ok(notice) => sessions.start(notice, &emitter),
                Err(reason) => lost = Some(reason),
            },
            Some(ended) = sessions.running.join_next() => sessions.ended(ended, &emitter),
            // No session runs, and none can be announced.
            else => break,
        }
    }
    logged_on.log_off(config.limit).await;
    match lost {
        Some(reason) if sessions.are_awaited() => {
            Err(format!("{reason}; {} of {} sessions were announced", sessions.known.len(), config.sessions))
        }
        _ => Ok(sessions.failed()),
    }
}

/// What became of a session.
#[derive(Debug, PartialEq)]
enum Fate {
    /// It runs. With the notice that came meanwhile: after Debug Manager was lost the session has a new token.
    Runs(Option<Notice>),
    Failed,
    Done,
}

struct Sessions {
    engine: Engine,
    running: JoinSet<(SessionId, Result<(), String>)>,
    /// Each with its last token.
    known: HashMap<SessionId, (Token, Fate)>,
    /// How many are wanted.
    most: u32,
    /// Is the token of the first session presented for all?
    keep_token: bool,
    kept: Option<Token>,
    broken_tasks: u32,
}

impl Sessions {
    fn are_awaited(&self) -> bool {
        (self.known.len() as u64) < u64::from(self.most)
    }

    fn failed(&self) -> u32 {
        let failed = self.known.values().filter(|(_, fate)| *fate == Fate::Failed).count();
        u32::try_from(failed).unwrap_or(u32::MAX).saturating_add(self.broken_tasks)
    }

    /// Debugs the session of a notice. One for a session that is known already is the same session once more: it is tried
    /// again with the new token if it has failed, or if it fails.
    fn start(&mut self, notice: Notice, emitter: &Emitter) {
        let (session, awaited) = (notice.session.clone(), self.are_awaited());
        match self.known.get_mut(&session) {
            Some((token, _)) if *token == notice.token => {
                tracing::info!(%session, "told again, with the same token");
            }
            Some((_, Fate::Runs(newer))) => *newer = Some(notice),
            Some((_, Fate::Done)) => {}
            None if !awaited => tracing::info!(%session, "left alone: no more sessions are wanted"),
            None | Some((_, Fate::Failed)) => self.run(notice, emitter),
        }
    }

    fn run(&mut self, mut notice: Notice, emitter: &Emitter) {
        emitter.emit(What::Notified {
            session: notice.session.to_string(),
            port: notice.port,
            job: notice.job.to_string(),
            job_system: notice.system.to_string(),
        });
        tracing::info!(session = %notice.session, job = %notice.job, on = %notice.system, port = notice.port, "notified");
        self.known.insert(notice.session.clone(), (notice.token.clone(), Fate::Runs(None)));
        if self.keep_token {
            notice.token = self.kept.get_or_insert(notice.token).clone();
        }
        let engine = self.engine.clone();
        self.running.spawn(async move {
            let result = engine.debug(&notice).await;
            (notice.session, result)
        });
    }

    fn ended(&mut self, ended: Result<(SessionId, Result<(), String>), tokio::task::JoinError>, emitter: &Emitter) {
        match ended {
            Ok((session, result)) => {
                let Some((_, fate)) = self.known.get_mut(&session) else { return };
                let before = std::mem::replace(fate, if result.is_ok() { Fate::Done } else { Fate::Failed });
                let Err(reason) = result else { return };
                tracing::error!(%session, "the session failed: {reason}");
                if let Fate::Runs(Some(newer)) = before {
                    self.run(newer, emitter);
                }
            }
            Err(e) => {
                tracing::error!("a session's task failed: {e}");
                self.broken_tasks += 1;
            }
        }
    }
}
