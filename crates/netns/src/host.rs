//! The director's side: ordering hosts and starting tasks in them.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::net::RecvFlags;
use rustix::process::{Signal, pidfd_send_signal};
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::{OnceCell, mpsc, oneshot};

use crate::init::{FromInit, ToInit};
use crate::keeper::{Create, FromKeeper, HostSpec};
use crate::{NetNs, sock};

/// What went wrong with a host.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The host's init, or the keeper, refused.
    #[error("{host}: {reason}")]
    Refused {
        /// The host.
        host: String,
        /// What it said.
        reason: String,
    },
    /// The host has crashed: its init is gone.
    #[error("{host}: the host is down")]
    Down {
        /// The host.
        host: String,
    },
    /// A system call failed that should not.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The realm, as the director sees it. The calling process's own network namespace is the fabric.
#[derive(Clone, Debug)]
pub struct Network {
    keeper: Arc<OwnedFd>,
}

impl Network {
    pub(crate) fn new(keeper: OwnedFd) -> Self {
        Self { keeper: Arc::new(keeper) }
    }

    /// Begins to make hosts, all at the same time. Each is there when it has been given its network ([`Making::next`]). Needs a
    /// tokio runtime.
    ///
    /// # Errors
    /// When the keeper cannot be asked.
    pub fn begin(&self, specs: Vec<HostSpec>) -> Result<Making<'_>, HostError> {
        let mut coming = VecDeque::new();
        for spec in specs {
            let (ours, theirs) = sock::pair()?;
            sock::send(&*self.keeper, &Create { spec: spec.clone() }, &[theirs.as_fd()])?;
            coming.push_back((spec.name, ours));
        }
        Ok(Making { keeper: &self.keeper, coming })
    }
}

/// Hosts that are being made.
#[derive(Debug)]
pub struct Making<'a> {
    keeper: &'a OwnedFd,
    coming: VecDeque<(String, OwnedFd)>,
}

impl Making<'_> {
    /// The next host, in the order in which they were asked for, with this network.
    ///
    /// # Errors
    /// Why it cannot be made, or that no more were asked for.
    pub fn next(&mut self, netns: NetNs) -> Result<Host, HostError> {
        let none = || HostError::Refused { host: "keeper".into(), reason: "no more hosts were asked for".into() };
        let (name, control) = self.coming.pop_front().ok_or_else(none)?;
        let answer = sock::receive::<FromKeeper>(self.keeper, RecvFlags::empty())?;
        let (FromKeeper::Created(pid), _) = answer.ok_or_else(|| HostError::Down { host: "keeper".into() })?;
        let pid = pid.map_err(|reason| HostError::Refused { host: name.clone(), reason })?;
        Ok(Host::meet(name, pid, control, netns)?)
    }
}

/// A task to start.
#[derive(Debug)]
pub struct Task {
    /// Program, as the host sees it, and arguments.
    pub argv: Vec<String>,
    /// The whole environment.
    pub env: Vec<(String, String)>,
    /// Standard input.
    pub stdin: OwnedFd,
    /// Standard output.
    pub stdout: OwnedFd,
    /// Standard error.
    pub stderr: OwnedFd,
    /// Where the task writes events.
    pub events: OwnedFd,
    /// Name of the variable by which the task finds `events`.
    pub events_env: String,
}

/// A task that was started.
#[derive(Debug)]
pub struct Running {
    /// As the host numbers it.
    pub pid: i32,
    /// As the realm, and so the director's `/proc`, numbers it; 0 when it has ended already.
    pub realm_pid: i32,
    pidfd: OwnedFd,
}

impl Running {
    /// Sends a signal. A task that has ended gets none, and that is no error.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        match pidfd_send_signal(&self.pidfd, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }
}

/// The end of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// As the host numbers it.
    pub pid: i32,
    /// How.
    pub status: ExitStatus,
}

type Answer = Result<(FromInit, Vec<OwnedFd>), String>;

/// An LPAR or a workstation: namespaces with an init.
#[derive(Debug)]
pub struct Host {
    /// Its host name.
    pub name: String,
    /// Its init, as the realm numbers it.
    pub init: i32,
    netns: NetNs,
    moved_in: OnceCell<()>,
    /// What the environment of every task has beside its own.
    environment: Mutex<Vec<(String, String)>>,
    /// A SEQPACKET socket, of which `UnixStream` only waits for readiness; messages go through [`sock`].
    control: Arc<UnixStream>,
    waiting: Arc<Mutex<VecDeque<oneshot::Sender<Answer>>>>,
    exits: Option<mpsc::UnboundedReceiver<Exit>>,
}

impl Host {
    fn meet(name: String, init: i32, control: OwnedFd, netns: NetNs) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&control, true)?;
        let control = Arc::new(UnixStream::from_std(control.into())?);
        let waiting = Arc::default();
        let (exit_sender, exits) = mpsc::unbounded_channel();
        tokio::spawn(listen(Arc::clone(&control), Arc::clone(&waiting), exit_sender));
        Ok(Self {
            name,
            init,
            netns,
            moved_in: OnceCell::new(),
            environment: Mutex::default(),
            control,
            waiting,
            exits: Some(exits),
        })
    }

    /// The host's network namespace.
    pub fn netns(&self) -> &NetNs {
        &self.netns
    }

    /// The ends of tasks, in their order; once only.
    pub fn exits(&mut self) -> Option<mpsc::UnboundedReceiver<Exit>> {
        self.exits.take()
    }

    /// Waits until the host has its own `/run` and `/tmp`, which it has from its first task on at the latest.
    ///
    /// # Errors
    /// When they cannot be made, or the host is down.
    pub async fn move_in(&self) -> Result<(), HostError> {
        let move_in = || async { self.ask(&ToInit::MoveIn, &[self.netns.as_fd()]).await.map(drop) };
        self.moved_in.get_or_try_init(move_in).await.map(|_| ())
    }

    /// What the environment of every task that is started from now on has beside its own.
    pub fn set_environment(&self, environment: Vec<(String, String)>) {
        *self.environment.lock().unwrap_or_else(PoisonError::into_inner) = environment;
    }

    /// Where the caller sees a file of the host.
    pub fn path(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{file}", self.init))
    }

    /// Starts a task.
    ///
    /// # Errors
    /// When the program cannot be started, or the host is down.
    pub async fn spawn(&self, task: Task) -> Result<Running, HostError> {
        self.move_in().await?;
        let mut env = task.env;
        env.extend(self.environment.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
        let request = ToInit::Spawn { argv: task.argv, env, events_env: task.events_env };
        let fds = [task.stdin.as_fd(), task.stdout.as_fd(), task.stderr.as_fd(), task.events.as_fd()];
        let (answer, fds) = self.ask(&request, &fds).await?;
        match (answer, fds.into_iter().next()) {
            (FromInit::Spawned { pid }, Some(pidfd)) => {
                let realm_pid = realm_pid(pidfd.as_fd())?;
                Ok(Running { pid, realm_pid, pidfd })
            }
            _ => Err(HostError::Refused { host: self.name.clone(), reason: "an answer to another question".into() }),
        }
    }

    async fn ask(&self, request: &ToInit, fds: &[BorrowedFd<'_>]) -> Result<(FromInit, Vec<OwnedFd>), HostError> {
        let (sender, receiver) = oneshot::channel();
        // Queue first, then send: the answer finds its place. The socket's buffer holds many requests, so this does not block.
        // What was not sent has no answer, and so no place.
        let sent = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.push_back(sender);
            let sent = sock::send(&*self.control, request, fds);
            if sent.is_err() {
                waiting.pop_back();
            }
            sent
        };
        match sent {
            // A reset, when the init was killed with requests that it had not read.
            Err(e) if matches!(e.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => {
                Err(HostError::Down { host: self.name.clone() })
            }
            Err(e) => Err(e.into()),
            Ok(()) => outcome(&self.name, receiver.await),
        }
    }
}

fn outcome(
    host: &str,
    answer: Result<Answer, oneshot::error::RecvError>,
) -> Result<(FromInit, Vec<OwnedFd>), HostError> {
    match answer {
        Ok(Ok((FromInit::Refused(reason), _)) | Err(reason)) => Err(HostError::Refused { host: host.into(), reason }),
        Ok(Ok(answer)) => Ok(answer),
        Err(_) => Err(HostError::Down { host: host.into() }),
    }
}

/// Reads what a host's init says until the host is gone; then whoever still waits for an answer learns that.
async fn listen(
    control: Arc<UnixStream>,
    waiting: Arc<Mutex<VecDeque<oneshot::Sender<Answer>>>>,
    exits: mpsc::UnboundedSender<Exit>,
) {
    loop {
        let receive = || sock::receive::<FromInit>(&*control, RecvFlags::DONTWAIT);
        match control.async_io(Interest::READABLE, receive).await {
            Ok(Some((FromInit::Exited { pid, status }, _))) => {
                let _ = exits.send(Exit { pid, status: ExitStatus::from_raw(status) });
            }
            Ok(Some(answer)) => {
                let next = waiting.lock().ok().and_then(|mut waiting| waiting.pop_front());
                if let Some(next) = next {
                    let _ = next.send(Ok(answer));
                }
            }
            Ok(None) | Err(_) => break,
        }
    }
    if let Ok(mut waiting) = waiting.lock() {
        waiting.clear();
    }
}

/// The number of a process in the director's PID namespace, by its pidfd.
fn realm_pid(pidfd: BorrowedFd<'_>) -> io::Result<i32> {
    use std::os::fd::AsRawFd;
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd()))?;
    let pid = info.lines().find_map(|line| line.strip_prefix("Pid:"));
    // Of one that has been reaped the kernel says -1.
    Ok(pid.and_then(|pid| pid.trim().parse().ok()).filter(|&pid| pid > 0).unwrap_or(0))
}
