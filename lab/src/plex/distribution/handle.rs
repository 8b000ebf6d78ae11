//! The distributor in the background, and how it is spoken to.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use distributor::group::Status;
use distributor::{Quiesced, Tables, Vary, VcrtEntry};
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
    /// The started tasks are up: what they did to come up is not looked back at.
    Begin,
    /// An operator's command on one system.
    Vary(LparIndex, Vary),
    /// The LPAR is gone.
    Crashed(LparIndex),
    /// The LPAR is up again.
    Ipl(LparIndex),
    /// Who owns a DVIPA, and where that is to go.
    Owner(IpAddr, oneshot::Sender<Option<LparIndex>>),
    /// Who is up, and where that is to go.
    Up(oneshot::Sender<BTreeSet<LparIndex>>),
    /// How one system stands in the group, and where that is to go.
    Status(LparIndex, oneshot::Sender<Standing>),
}

/// How one system stands in the sysplex group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The systems that are up, in the group or not.
    pub up: BTreeSet<LparIndex>,
    /// The systems that are up and in the group.
    pub members: BTreeSet<LparIndex>,
    /// What the group says of each DVIPA on this system; nothing of those that it neither defines nor backs up nor owns.
    pub dvipas: BTreeMap<IpAddr, Status>,
    /// What operators have quiesced on it.
    pub quiesced: Quiesced,
    /// Dynamic ports of all systems that an owner has not heard of.
    pub unheard: BTreeSet<(LparIndex, SocketAddr)>,
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
            Request::Owner(dvipa, answer) => {
                let _ = answer.send(self.group.state().owner.get(&dvipa).copied());
                return Ok(Vec::new());
            }
            Request::Up(answer) => {
                let _ = answer.send(self.up());
                return Ok(Vec::new());
            }
            Request::Begin => {
                self.refresh().await.map_err(kernel)?;
                self.group.begin_standby();
                Vec::new()
            }
            Request::Settle => Vec::new(),
            Request::Status(on, sender) => {
                let _ = sender.send(self.standing(on));
                return Ok(Vec::new()); // looking changes nothing
            }
            Request::Vary(on, command) => self.group.vary(on, &command).map_err(Refused::Command)?,
            Request::Ipl(lpar) => {
                self.prepare(lpar).await.map_err(kernel)?;
                self.group.ipl(lpar)
            }
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
        } else {
            // What is asked first, then a look at what else may have changed.
            self.bring_about().await.map_err(kernel)?;
        }
        self.refresh().await.map_err(kernel)?;
        Ok(said)
    }

    fn up(&self) -> BTreeSet<LparIndex> {
        self.sysplex.lpars.iter().map(|lpar| lpar.index).filter(|&lpar| self.group.is_up(lpar)).collect()
    }

    fn standing(&self, on: LparIndex) -> Standing {
        let dvipas = self.sysplex.dvipas.iter();
        let dvipas = dvipas.filter_map(|dvipa| Some((dvipa.address, self.group.status(dvipa, on)?)));
        let state = self.group.state();
        Standing {
            up: self.up(),
            members: state.members.clone(),
            dvipas: dvipas.collect(),
            quiesced: state.quiesced.get(&on).cloned().unwrap_or_default(),
            unheard: state.unheard.clone(),
        }
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

    /// The started tasks are up; waits until the kernel follows.
    ///
    /// # Errors
    /// When it cannot be made to.
    pub async fn begin(&self) -> Result<(), PlexError> {
        self.ask(Request::Begin).await?.map(drop).map_err(refused)
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

    /// The LPAR is up again and joins the group.
    ///
    /// # Errors
    /// When the kernels cannot be made to follow.
    pub async fn ipl(&self, lpar: LparIndex) -> Result<Vec<String>, PlexError> {
        self.ask(Request::Ipl(lpar)).await?.map_err(refused)
    }

    /// The LPARs that are up.
    ///
    /// # Errors
    /// When there is no distributor any more.
    pub async fn up(&self) -> Result<BTreeSet<LparIndex>, PlexError> {
        let (sender, receiver) = oneshot::channel();
        self.ask(Request::Up(sender)).await?.map_err(refused)?;
        receiver.await.map_err(|_| gone())
    }

    /// Who owns the DVIPA.
    ///
    /// # Errors
    /// When there is no distributor any more.
    pub async fn owner(&self, dvipa: IpAddr) -> Result<Option<LparIndex>, PlexError> {
        let (sender, receiver) = oneshot::channel();
        self.ask(Request::Owner(dvipa, sender)).await?.map_err(refused)?;
        receiver.await.map_err(|_| gone())
    }

    /// How one system stands in the sysplex group.
    ///
    /// # Errors
    /// When there is no distributor any more.
    pub async fn status(&self, on: LparIndex) -> Result<Standing, PlexError> {
        let (sender, receiver) = oneshot::channel();
        self.ask(Request::Status(on, sender)).await?.map_err(refused)?;
        receiver.await.map_err(|_| gone())
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

    /// Is TotalConn what this owner has sent, or more?
    pub fn total_is_exact(&self) -> bool {
        self.backend.total_is_exact()
    }

    async fn ask(&self, request: Request) -> Result<Result<Vec<String>, Refused>, PlexError> {
        let (sender, receiver) = oneshot::channel();
        self.asks.send((request, sender)).await.map_err(|_| gone())?;
        receiver.await.map_err(|_| gone())
    }
}

fn gone() -> PlexError {
    PlexError::Host(HostError::Down { host: "distributor".into() })
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn refused(refused: Refused) -> PlexError {
    PlexError::Host(HostError::Refused { host: "distributor".into(), reason: refused.to_string() })
}
