//! The logon: the RSE daemon's port, then the RSE server's second port **at the same address** (which is a DVIPA).

use std::net::SocketAddr;
use std::time::Duration;

use dbm_protocol::rse::{FromDaemon, FromServer, ToDaemon, ToServer};
use dbm_protocol::{Hello, Notice, Refused, Role, UserId, frame};
use evidence::{Emitter, What};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::dial::{self, Line};
use crate::hold::Hold;

/// A user who is logged on.
#[derive(Debug)]
pub struct LoggedOn {
    notices: mpsc::Receiver<Result<Notice, Lost>>,
    writing: OwnedWriteHalf,
    address: SocketAddr,
    emitter: Emitter,
}

/// How the RSE server was lost: the word for the event, where the connection itself is to blame, and the reason.
#[derive(Debug)]
struct Lost {
    how: Option<&'static str>,
    reason: String,
}

/// Logs on. Between its two connections it waits for `pause`.
///
/// # Errors
/// One sentence that says what did not work.
pub async fn log_on(
    user: &UserId,
    rsed: SocketAddr,
    limit: Duration,
    pause: &Hold,
    emitter: &Emitter,
) -> Result<LoggedOn, String> {
    let mut daemon = Line::dial("rsed", rsed, limit, emitter).await?;
    daemon.say(&Hello::new(Role::Client)).await?;
    daemon.say(&ToDaemon::Logon { user: user.clone() }).await?;
    let (port, ticket) = match daemon.answer("the RSE server's port").await? {
        FromDaemon::Server { port, ticket } => (port, ticket),
        FromDaemon::Refused(no) => return Err(turned_away("the RSE daemon", &no)),
    };
    drop(daemon);
    pause.released().await;

    let address = SocketAddr::new(rsed.ip(), port);
    let mut server = Line::dial("rse_server", address, limit, emitter).await?;
    server.say(&Hello::new(Role::Client)).await?;
    server.say(&ToServer::Open { ticket }).await?;
    match server.answer("`opened`").await? {
        FromServer::Opened { user, system, registered } => {
            emitter.emit(What::LoggedOn { user: user.to_string(), on: system.to_string() });
            tracing::info!(%user, %system, registered, "logged on");
            if !registered {
                tracing::warn!(
                    "the Debug Miner has not reached Debug Manager on {system}: no session can be announced yet"
                );
            }
        }
        FromServer::Refused(no) => return Err(turned_away("the RSE server", &no)),
        FromServer::SessionWaiting { .. } => {
            return Err("the RSE server said `session_waiting`, awaited `opened`".to_owned());
        }
    }
    let (reading, writing) = server.stream.into_split();
    let (sender, notices) = mpsc::channel(32);
    // Reading a frame is not cancel safe, so a task of its own reads; it ends with the connection.
    tokio::spawn(listen(reading, sender));
    Ok(LoggedOn { notices, writing, address, emitter: emitter.clone() })
}

fn turned_away(who: &str, no: &Refused) -> String {
    format!("{who} refused: {}: {}", no.code.as_str(), no.reason)
}

async fn listen(mut reading: OwnedReadHalf, sender: mpsc::Sender<Result<Notice, Lost>>) {
    loop {
        let next = match frame::read(&mut reading).await {
            Ok(Some(FromServer::SessionWaiting { notice })) => Ok(notice),
            Ok(Some(FromServer::Opened { .. })) => continue,
            Ok(Some(FromServer::Refused(no))) => Err(Lost { how: None, reason: turned_away("the RSE server", &no) }),
            Ok(None) => Err(Lost { how: Some("closed"), reason: "the RSE server closed the connection".to_owned() }),
            Err(frame::FrameError::Io(e)) => Err(Lost { how: Some(dial::how(&e)), reason: e.to_string() }),
            Err(e) => Err(Lost { how: None, reason: format!("the RSE server: {e}") }),
        };
        let over = next.is_err();
        if sender.send(next).await.is_err() || over {
            return;
        }
    }
}

impl LoggedOn {
    /// The next debug session that waits for the user. Cancel safe.
    ///
    /// # Errors
    /// One sentence that says how the RSE server was lost; the events say it too. Then nothing more comes.
    pub async fn next_notice(&mut self) -> Result<Notice, String> {
        match self.notices.recv().await {
            Some(Ok(notice)) => Ok(notice),
            Some(Err(Lost { how: Some(how), reason })) => {
                Err(dial::failed(&self.emitter, "rse_server", self.address, how, &reason))
            }
            Some(Err(Lost { how: None, reason })) => Err(reason),
            None => Err("the connection to the RSE server has ended".to_owned()),
        }
    }

    /// Says good bye; a server that is gone already does not mind.
    pub async fn log_off(mut self, limit: Duration) {
        let _ = timeout(limit, frame::write(&mut self.writing, &ToServer::Logoff {})).await;
    }
}
