//! The way to Debug Manager: the name/token pair, the HOST port, the logon and the conversation there.
//!
//! The debugger is a part of the system, not of the program under it: it makes the PassTicket for the user whose workstation the
//! job wants. (Whether a job's own user may want that workstation is a matter of SAF, which is not here.)

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use dbm_protocol::host::{FromDebugger, ToDebugger};
use dbm_protocol::nametoken::{self, DbmToken, NameTokenError};
use dbm_protocol::passticket::Key;
use dbm_protocol::{Hello, Role, UserId, frame};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How long Debug Manager may take to accept a connection or to read a message.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection to Debug Manager's HOST port.
#[derive(Debug)]
pub struct Host {
    /// The port, as the name/token pair gave it.
    pub port: u16,
    writing: OwnedWriteHalf,
    incoming: mpsc::Receiver<Result<ToDebugger, String>>,
}

/// Reads the HOST port from the name/token pair of this system.
fn find(run_dir: &Path) -> Result<u16, NameTokenError> {
    let token = nametoken::retrieve(run_dir, nametoken::DBM_NAME)?;
    Ok(DbmToken::from_bytes(token)?.host_port)
}

impl Host {
    /// Finds Debug Manager by the name/token pair of this system, connects to its HOST port, says hello and logs on for
    /// this user.
    ///
    /// # Errors
    /// One sentence that says what did not work.
    pub async fn find(run_dir: &Path, user: &UserId) -> Result<Self, String> {
        let mut host = Self::connect(find(run_dir).map_err(|e| e.to_string())?).await?;
        let key = Key::read(run_dir).map_err(|e| e.to_string())?;
        let logon = key.logon(Role::Debugger, user).map_err(|e| format!("no PassTicket: {e}"))?;
        host.write(&logon).await?;
        Ok(host)
    }

    async fn connect(port: u16) -> Result<Self, String> {
        let dialled = timeout(PATIENCE, TcpStream::connect((Ipv4Addr::LOCALHOST, port))).await;
        let dialled = dialled.map_err(|_| format!("HOST port {port} did not answer within {PATIENCE:?}"))?;
        let stream = dialled.map_err(|e| format!("HOST port {port} of the name/token pair: {e}"))?;
        let (mut reading, writing) = stream.into_split();
        let (sender, incoming) = mpsc::channel(8);
        // Reading a frame is not cancel safe, so a task of its own reads; it ends with the connection.
        tokio::spawn(async move {
            loop {
                let next = match frame::read(&mut reading).await {
                    Ok(Some(message)) => Ok(message),
                    Ok(None) => Err("Debug Manager closed the connection".to_owned()),
                    Err(e) => Err(format!("the connection to Debug Manager failed: {e}")),
                };
                let over = next.is_err();
                if sender.send(next).await.is_err() || over {
                    return;
                }
            }
        });
        let mut host = Self { port, writing, incoming };
        host.write(&Hello::new(Role::Debugger)).await?;
        Ok(host)
    }

    /// Sends one message.
    ///
    /// # Errors
    /// One sentence that says what did not work.
    pub async fn send(&mut self, message: &FromDebugger) -> Result<(), String> {
        self.write(message).await
    }

    /// The answer to the first message after the hello, which must come soon.
    ///
    /// # Errors
    /// One sentence that says what came instead.
    pub async fn answer(&mut self) -> Result<ToDebugger, String> {
        let answer = timeout(PATIENCE, self.receive()).await;
        answer.map_err(|_| format!("Debug Manager did not answer within {PATIENCE:?}"))?
    }

    /// The next message. Cancel safe.
    ///
    /// # Errors
    /// One sentence that says how the connection ended.
    pub async fn receive(&mut self) -> Result<ToDebugger, String> {
        self.incoming.recv().await.unwrap_or_else(|| Err("the connection to Debug Manager has ended".to_owned()))
    }

    async fn write(&mut self, message: &impl serde::Serialize) -> Result<(), String> {
        match timeout(PATIENCE, frame::write(&mut self.writing, message)).await {
            Ok(done) => done.map_err(|e| format!("the connection to Debug Manager failed: {e}")),
            Err(_) => Err(format!("Debug Manager did not read for {PATIENCE:?}")),
        }
    }
}
