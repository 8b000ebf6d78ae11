//! The distributor in the background, and how it is spoken to.

use std::net::IpAddr;
use std::sync::Arc;

use distributor::{Tables, Vary, VcrtEntry};
use evidence::{Event, What, monotonic_ns};
use netns::HostError;
use sysplex::{LparIndex, Sysplex};
use tokio::sync::{mpsc, oneshot, watch};

use super::{Distributor, Hosts, LOOK_AGAIN, PlexError, SharedBackend, read_tables};
use crate::plex::journal::Journal;

/// What is asked, and where the answer goes.
type Ask = (Request, oneshot::Sender<Result<Vec<String>, Refused>>);

enum Request {
    /// Follow what is the case now.
    Settle,
    /// An operator's command on one system.
    Vary(LparIndex, Vary),
    /// The LPAR is gone.
    Crashed(LparIndex),
    /// Who owns a DVIPA; the answer is the LPAR's number, or nothing.
    Owner(IpAddr),
}

/// Why a request was not done.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refused {
    /// The operator's command makes no sense there.
    #[error("{0}")]
    Command(String),
    /// The kernel cannot be made to follow.
    #[error("the distribution cannot be changed: {0}")]
    Kernel(String),
}

impl Distributor {
    /// Goes on in the background: refreshes when the journal changes, now and then, and when asked.
    pub fn run_in_background(self) -> Handle {
        let (asks, asked) = mpsc::channel(8);
        let (hosts, backend, sysplex) = (Arc::clone(&self.hosts), Arc::clone(&self.backend), self.sysplex.clone());
        let changes = self.journal.changes();
        tokio::spawn(follow(self, changes, asked));
        Handle { asks, hosts, backend, sysplex }
    }

    async fn answer(&mut self, request: Request) -> Result<Vec<String>, Refused> {
        let kernel = |e: PlexError| Refused::Kernel(e.to_string());
        let mut crashed = None;
        let messages = match request {
            Request::Owner(dvipa) => {
                let owner = self.group.state().owner.get(&dvipa);
                return Ok(owner.map(ToString::to_string).into_iter().collect());
            }
            Request::Settle => Vec::new(),
            Request::Vary(on, command) => self.group.vary(on, &command).map_err(Refused::Command)?,
            Request::Crashed(lpar) => {
                let messages = self.group.crash(lpar);
                self.places.retain(|(of, _), _| *of != lpar);
                self.applied.remove(&lpar);
                crashed = Some(lpar);
                messages
            }
        };
        let said = messages.iter().map(|message| message.text.clone()).collect();
        self.say(messages);
        if let Some(lpar) = crashed {
            // The address first: new connections wait for it.
            self.bring_about().await.map_err(kernel)?;
            self.forget_target(lpar).await.map_err(kernel)?;
        }
        self.refresh().await.map_err(kernel)?;
        Ok(said)
    }
}

async fn follow(mut distributor: Distributor, mut changes: watch::Receiver<usize>, mut asked: mpsc::Receiver<Ask>) {
    let mut complained = false;
    loop {
        let ask = tokio::select! {
            ask = asked.recv() => match ask {
                Some(ask) => Some(ask),
                None => return,
            },
            _ = changes.changed() => None,
            () = tokio::time::sleep(LOOK_AGAIN) => None,
        };
        match ask {
            Some((request, sender)) => drop(sender.send(distributor.answer(request).await)),
            None => {
                if let (Err(e), false) = (distributor.refresh().await, complained) {
                    complained = true;
                    complain(&distributor.journal, &e);
                }
            }
        }
    }
}

fn complain(journal: &Journal, error: &PlexError) {
    let what = What::Fatal { reason: format!("the distribution cannot be changed: {error}") };
    let (system, task) = ("lab".to_owned(), "distributor".to_owned());
    journal.add(Event { t_ns: monotonic_ns(), system, task, pid: 0, what });
}

/// The distributor in the background.
#[derive(Clone)]
pub struct Handle {
    asks: mpsc::Sender<Ask>,
    hosts: Arc<Hosts>,
    backend: SharedBackend,
    sysplex: Sysplex,
}

impl Handle {
    /// Waits until the kernel follows what is the case now.
    ///
    /// # Errors
    /// When it cannot be made to.
    pub async fn settle(&self) -> Result<(), PlexError> {
        self.ask(Request::Settle).await?.map(drop).map_err(refused)
    }

    /// An operator's command on one system; what the consoles say of it.
    ///
    /// # Errors
    /// The outer one when there is no distributor any more; the inner one when it was not done.
    pub async fn vary(&self, on: LparIndex, command: Vary) -> Result<Result<Vec<String>, Refused>, PlexError> {
        self.ask(Request::Vary(on, command)).await
    }

    /// The LPAR is gone; others take over.
    ///
    /// # Errors
    /// When their kernels cannot be made to.
    pub async fn crashed(&self, lpar: LparIndex) -> Result<Vec<String>, PlexError> {
        self.ask(Request::Crashed(lpar)).await?.map_err(refused)
    }

    /// Who owns the DVIPA.
    ///
    /// # Errors
    /// When there is no distributor any more.
    pub async fn owner(&self, dvipa: IpAddr) -> Result<Option<LparIndex>, PlexError> {
        let owner = self.ask(Request::Owner(dvipa)).await?.map_err(refused)?;
        Ok(owner.first().and_then(|number| LparIndex::new(number.parse().ok()?)))
    }

    /// The connection routing table of an LPAR, from its kernel.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn vcrt(&self, lpar: LparIndex) -> Result<Vec<VcrtEntry>, PlexError> {
        Ok(self.tables(lpar).await?.vcrt)
    }

    /// All that an LPAR's kernel holds of the distribution.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn tables(&self, lpar: LparIndex) -> Result<Tables, PlexError> {
        read_tables(&self.sysplex, &self.hosts, &self.backend, lpar).await
    }

    async fn ask(&self, request: Request) -> Result<Result<Vec<String>, Refused>, PlexError> {
        let gone = || PlexError::Host(HostError::Down { host: "distributor".into() });
        let (sender, receiver) = oneshot::channel();
        self.asks.send((request, sender)).await.map_err(|_| gone())?;
        receiver.await.map_err(|_| gone())
    }
}

fn refused(refused: Refused) -> PlexError {
    PlexError::Host(HostError::Refused { host: "distributor".into(), reason: refused.to_string() })
}
