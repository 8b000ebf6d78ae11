//! Serving requests: one per connection, many connections at once.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sysplex::Sysplex;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use super::execute::{self, Command};
use super::fault;
use super::name::own_uid;
use super::protocol::{Answer, LONGEST_REQUEST, Request, Status, TaskStatus};
use super::wire::Wire;
use super::{graph, logs, ps};
use crate::exit;
use crate::operator::{self, Refusal};
use crate::plex::journal::View;
use crate::plex::{Plex, Refused};

/// Most connections at once.
const MOST: usize = 128;
/// How long a caller may take to ask.
const ASK_WITHIN: Duration = Duration::from_secs(2);
/// How long a caller may take to hear the answer.
const HEAR_WITHIN: Duration = Duration::from_secs(10);
/// How long to wait after a connection could not be accepted, for want of descriptors.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// A sysplex that is up.
pub(super) struct Up {
    /// It.
    pub plex: Plex,
    /// Since when, in seconds since 1970.
    pub since: u64,
}

/// What is served.
pub(super) struct Served {
    sysplex: Sysplex,
    backend: &'static str,
    up: OnceLock<Up>,
    down: watch::Sender<bool>,
}

impl Served {
    /// Nothing is up yet.
    pub(super) fn new(sysplex: &Sysplex, backend: &'static str) -> Self {
        Self { sysplex: sysplex.clone(), backend, up: OnceLock::new(), down: watch::Sender::new(false) }
    }

    /// From now on it is.
    pub(super) fn is_up(&self, up: Up) {
        let _ = self.up.set(up);
    }

    /// Waits until somebody asks for its end.
    pub(super) async fn going_down(&self) {
        let _ = self.down.subscribe().wait_for(|down| *down).await;
    }

    fn status(&self) -> Status {
        let up = self.up.get();
        Status {
            lpars: self.sysplex.lpars.iter().map(|lpar| lpar.name.clone()).collect(),
            workstations: self.sysplex.workstations.iter().map(|workstation| workstation.name.clone()).collect(),
            tasks: up.map(|up| tasks(&up.plex)).unwrap_or_default(),
            backend: self.backend.to_owned(),
            since: up.map(|up| up.since),
        }
    }

    fn plex(&self) -> Result<&Plex, Refusal> {
        self.up.get().map(|up| &up.plex).ok_or_else(|| Refusal::failed("it is still coming up".into()))
    }

    async fn answer(&self, wire: &mut Wire, request: Request, fds: Vec<OwnedFd>) -> Result<Answer, Refusal> {
        match request {
            Request::Status => Ok(Answer::Status(self.status())),
            Request::Exec { system, command, term } => {
                let plex = self.plex()?;
                let system = operator::host(&plex.sysplex, &system)?.to_owned();
                execute::run(wire, plex, Command { system, argv: command, term }, fds).await
            }
            Request::Modify { system, command } => {
                let plex = self.plex()?;
                let (system, argv) = operator::modify(&plex.sysplex, &system, &command)?;
                execute::run(wire, plex, Command { system, argv, term: None }, fds).await
            }
            Request::Vary { system, command } => vary(self.plex()?, &system, &command).await,
            Request::Netstat { system, report } => netstat(self.plex()?, &system, &report).await,
            Request::Logs { of, follow } => logs::send(wire, self.plex()?, &of, follow).await,
            Request::Ps { system } => ps::answer(self.plex()?, system.as_deref()),
            Request::Graph => graph::answer(self.plex()?).await,
            Request::Fault { words } => fault::serve(self.plex()?, &words).await,
            Request::Down => Ok(Answer::GoingDown),
        }
    }
}

fn tasks(plex: &Plex) -> Vec<TaskStatus> {
    let of = |system: &str, task: &str| {
        // Of one that was started again the latest end does not count.
        let runs = plex.systems.process(system, task).is_some();
        let last = |view: View<'_>| {
            view.exits.iter().rfind(|exit| exit.system == system && exit.task == task).map(|exit| exit.how.clone())
        };
        let ended = if runs { None } else { plex.journal.look(last) };
        TaskStatus { system: system.to_owned(), task: task.to_owned(), ended }
    };
    plex.started.names().iter().map(|(system, name)| of(system, name)).collect()
}

async fn vary(plex: &Plex, system: &str, command: &str) -> Result<Answer, Refusal> {
    let (on, command) = operator::vary(&plex.sysplex, system, command)?;
    match plex.distribution.vary(on, command).await {
        Ok(Ok(messages)) => Ok(Answer::Console(messages)),
        Ok(Err(refused @ (Refused::Command(_) | Refused::Kernel(_)))) => Err(Refusal::failed(refused.to_string())),
        Err(e) => Err(Refusal::failed(e.to_string())),
    }
}

async fn netstat(plex: &Plex, system: &str, report: &crate::netstat::Request) -> Result<Answer, Refusal> {
    let on = operator::lpar(&plex.sysplex, system)?.index;
    let facts = crate::netstat::gather(plex, on).await.map_err(|e| Refusal::failed(e.to_string()))?;
    Ok(Answer::Printed(crate::netstat::render(report, &plex.sysplex, &facts)))
}

/// Serves until the runtime ends.
pub(super) async fn serve(listener: UnixListener, served: Arc<Served>) {
    let room = Arc::new(Semaphore::new(MOST));
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (served, place) = (Arc::clone(&served), Arc::clone(&room).try_acquire_owned());
                tokio::spawn(async move {
                    match place {
                        // A caller that is gone, or talks nonsense, is nobody's concern.
                        Ok(_place) => drop(converse(stream, &served).await),
                        Err(_) => drop(turn_away(stream).await),
                    }
                });
            }
            Err(_) => tokio::time::sleep(ACCEPT_AGAIN).await,
        }
    }
}

async fn turn_away(stream: UnixStream) -> io::Result<()> {
    let reason = format!("{MOST} commands are at it already, and more are not served at the same time");
    let refused = Answer::Refused { status: exit::FAILED, reason };
    timeout(ASK_WITHIN, Wire::new(stream).send(&refused, &[])).await?
}

async fn converse(stream: UnixStream, served: &Served) -> io::Result<()> {
    let mut wire = Wire::new(stream);
    // In a realm with its own user namespace both numbers are as that has it: its only user is the one who made it, and any
    // other is shown as one who is nobody there.
    if wire.peer()?.0 != own_uid() {
        return Ok(());
    }
    let asked = timeout(ASK_WITHIN, wire.receive::<Request>(LONGEST_REQUEST)).await?;
    let answer = match asked {
        Ok(Some((request, fds))) => served.answer(&mut wire, request, fds).await,
        Ok(None) => return Ok(()),
        Err(e) => Err(Refusal::bad(format!("no request: {e}"))),
    };
    let answer = answer.unwrap_or_else(|Refusal { status, reason }| Answer::Refused { status, reason });
    let heard = timeout(HEAR_WITHIN, wire.send(&answer, &[])).await;
    if answer == Answer::GoingDown {
        served.down.send_replace(true);
    }
    heard?
}
