//! A real `dbgmgr` on loopback, and the parties that talk to it.

#![allow(dead_code)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use dbm_protocol::engine::{FromEngine, ToEngine};
use dbm_protocol::handoff::{self, FromClaimant, ToClaimant};
use dbm_protocol::host::{FromDebugger, FromMiner, ToDebugger, ToMiner};
use dbm_protocol::passticket::Key;
use dbm_protocol::{Hello, Notice, Role, SessionId, Token, frame};
use evidence::{EVENTS_ENV, Event, TASK_ENV, What};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Ports that nobody has at the moment.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    let held = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    held.map(|l| l.local_addr().expect("address").port())
}

/// Run directories by HOST port: where the key of a system is.
static SYSTEMS: Mutex<BTreeMap<u16, PathBuf>> = Mutex::new(BTreeMap::new());

/// The PassTicket key of the system with this HOST port.
pub(crate) fn key(host: u16) -> Key {
    let systems = SYSTEMS.lock().expect("no panic");
    let run_dir = systems.get(&host).unwrap_or_else(|| panic!("no Debug Manager was started with HOST port {host}"));
    Key::read(run_dir).expect("key")
}

/// A running Debug Manager. Killed when dropped.
pub(crate) struct Dbgmgr {
    pub(crate) child: Child,
    pub(crate) host: u16,
    pub(crate) client: u16,
    pub(crate) run_dir: PathBuf,
    events: mpsc::Receiver<Event>,
    seen: Vec<Event>,
}

impl Dbgmgr {
    /// Starts one and waits until it is ready.
    pub(crate) fn start(run_dir: &Path, host: u16, client: u16, prm: &[&str]) -> Self {
        let mut it = Self::spawn(run_dir, host, client, prm);
        it.wait_for("ready", |what| matches!(what, What::Ready {}));
        it
    }

    pub(crate) fn spawn(run_dir: &Path, host: u16, client: u16, prm: &[&str]) -> Self {
        let pipe = run_dir.join(format!("events-{host}-{}", std::process::id()));
        let _ = std::fs::remove_file(&pipe);
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("mkfifo");
        // Open for both, so that neither end waits for the other; the reader ends when it is told so.
        let held = std::fs::File::options().read(true).write(true).open(&pipe).expect("fifo");
        let (to, events) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(held).lines().map_while(Result::ok) {
                let event = serde_json::from_str(&line).unwrap_or_else(|e| panic!("event {line}: {e}"));
                if to.send(event).is_err() {
                    return;
                }
            }
        });
        SYSTEMS.lock().expect("no panic").insert(host, run_dir.to_owned());
        let child = Command::new(env!("CARGO_BIN_EXE_dbgmgr"))
            .arg("--run-dir")
            .arg(run_dir)
            .args([host.to_string(), client.to_string()])
            .args(prm)
            .env(EVENTS_ENV, &pipe)
            .env(TASK_ENV, "DBGMGR")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("spawn dbgmgr");
        Self { child, host, client, run_dir: run_dir.to_owned(), events, seen: Vec::new() }
    }

    /// Waits for an event that has not been waited for before this one.
    pub(crate) fn wait_for(&mut self, what: &str, wanted: impl Fn(&What) -> bool) -> What {
        let until = Instant::now() + DEADLINE;
        let from = self.seen.len();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                Ok(event) => {
                    self.seen.push(event.clone());
                    if wanted(&event.what) {
                        return event.what;
                    }
                }
                Err(_) => {
                    let state = self.child.try_wait();
                    panic!("awaited {what} for {DEADLINE:?}; seen since: {:#?}; process: {state:?}", &self.seen[from..])
                }
            }
        }
    }

    /// All events up to now.
    pub(crate) fn seen(&mut self) -> Vec<What> {
        self.seen.extend(self.events.try_iter());
        self.seen.iter().map(|e| e.what.clone()).collect()
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("kill");
    }

    /// Waits for the end; exit status, stdout, stderr.
    pub(crate) fn end(mut self) -> (Option<i32>, String, String) {
        let (mut out, mut err) = (String::new(), String::new());
        self.child.stdout.take().expect("piped").read_to_string(&mut out).expect("stdout");
        self.child.stderr.take().expect("piped").read_to_string(&mut err).expect("stderr");
        self.seen();
        let events = serde_json::to_string(&self.seen).expect("events");
        [&out, &err, &events].into_iter().for_each(|text| no_secret_in(text));
        (self.child.wait().expect("wait").code(), out, err)
    }
}

impl Drop for Dbgmgr {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Tokens, claims, tickets and keys are 32 hexadecimal digits, or more, in a row wherever they are written.
pub(crate) fn no_secret_in(text: &str) {
    let runs = text.split(|c: char| !c.is_ascii_hexdigit());
    assert_eq!(runs.filter(|run| run.len() >= 32).count(), 0, "what looks like a secret was written: {text}");
}

/// `dbgmgr ctl`: exit status, stdout, stderr.
pub(crate) fn ctl(run_dir: &Path, command: &[&str]) -> (Option<i32>, String, String) {
    let mut ctl = Command::new(env!("CARGO_BIN_EXE_dbgmgr"));
    let out = ctl.args(["ctl", "--run-dir"]).arg(run_dir).args(command).output().expect("run dbgmgr ctl");
    let text = |bytes| String::from_utf8(bytes).expect("utf-8");
    (out.status.code(), text(out.stdout), text(out.stderr))
}

/// One end of a connection with frames.
pub(crate) struct Peer<S = TcpStream>(pub(crate) S);

impl Peer {
    pub(crate) fn connect(port: u16, role: Role) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("connect");
        stream.set_read_timeout(Some(DEADLINE)).expect("timeout");
        let mut peer = Self(stream);
        peer.tell(&Hello::new(role));
        peer
    }

    /// On the HOST port, for this user.
    pub(crate) fn log_on(host: u16, role: Role, user: &str) -> Self {
        let mut peer = Self::connect(host, role);
        peer.tell(&key(host).logon(role, &user.parse().expect("user")).expect("random numbers"));
        peer
    }
}

impl<S: Read + Write> Peer<S> {
    pub(crate) fn tell(&mut self, message: &impl Serialize) {
        self.0.write_all(&frame::encode(message).expect("fits")).expect("write");
    }

    /// The next message, read exactly.
    pub(crate) fn hear<T: DeserializeOwned>(&mut self) -> T {
        let mut header = [0; 4];
        self.0.read_exact(&mut header).unwrap_or_else(|e| panic!("awaited a message: {e}"));
        let mut body = vec![0; u32::from_be_bytes(header) as usize];
        self.0.read_exact(&mut body).expect("a whole frame");
        serde_json::from_slice(&body).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&body)))
    }
}

/// A registered user; dropping it logs off.
pub(crate) fn miner(port: u16, user: &str) -> Peer {
    let mut peer = Peer::log_on(port, Role::Miner, user);
    peer.tell(&FromMiner::Register { user: user.parse().expect("user") });
    let answer: ToMiner = peer.hear();
    assert!(matches!(answer, ToMiner::Registered { .. }), "{answer:?}");
    peer
}

pub(crate) fn notice(miner: &mut Peer) -> Notice {
    match miner.hear() {
        ToMiner::SessionWaiting { notice } => notice,
        other => panic!("awaited a notice, found {other:?}"),
    }
}

pub(crate) struct Debugger {
    pub(crate) host: Peer,
    pub(crate) session: SessionId,
    pub(crate) claim: Token,
    pub(crate) path: String,
}

impl Debugger {
    pub(crate) fn wait(port: u16, user: &str) -> Self {
        let mut host = Peer::log_on(port, Role::Debugger, user);
        let job = "EQATST".parse().expect("job");
        host.tell(&FromDebugger::Wait { user: user.parse().expect("user"), job, module: "EQATST".to_owned() });
        match host.hear() {
            ToDebugger::Waiting { session, handoff, claim } => Self { host, session, claim, path: handoff },
            other => panic!("awaited `waiting`, found {other:?}"),
        }
    }

    /// Claims on the handoff socket, in a thread of its own, which ends with the socket.
    pub(crate) fn claim(&self) -> std::thread::JoinHandle<(handoff::Linked, OwnedFd)> {
        let claim = FromClaimant::Claim { session: self.session.clone(), claim: self.claim.clone() };
        let path = self.path.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
            runtime.block_on(async {
                let mut stream = tokio::net::UnixStream::connect(path).await.expect("connect");
                frame::write(&mut stream, &Hello::new(Role::Debugger)).await.expect("hello");
                frame::write(&mut stream, &claim).await.expect("claim");
                let answer: Option<ToClaimant> = frame::read(&mut stream).await.expect("answer");
                assert_eq!(answer, Some(ToClaimant::Claimed {}));
                let socket = tokio::time::timeout(DEADLINE, handoff::receive_socket(&stream)).await;
                socket.expect("awaited the client's socket, nothing came").expect("socket")
            })
        })
    }
}

/// An engine that presents what a notice says, and the answer.
pub(crate) fn attach(notice: &Notice) -> (Peer, ToEngine) {
    let mut engine = Peer::connect(notice.port, Role::Engine);
    let (user, session, token) = (notice.user.clone(), notice.session.clone(), notice.token.clone());
    engine.tell(&FromEngine::Attach { user, session, token });
    let answer = engine.hear();
    (engine, answer)
}

/// Bytes go from end to end, both ways.
pub(crate) fn echo(engine: &mut TcpStream, debugger: &mut TcpStream) {
    for (from, to) in [(0, 1), (1, 0)] {
        let ends = [&mut *engine, &mut *debugger];
        let [a, b] = ends;
        let (a, b) = if (from, to) == (0, 1) { (a, b) } else { (b, a) };
        a.write_all(b"EQATST").expect("write");
        let mut bytes = [0; 6];
        b.read_exact(&mut bytes).expect("read");
        assert_eq!(&bytes, b"EQATST");
    }
}

/// The whole way from a waiting job to bytes that flow.
pub(crate) fn link(host: u16, miner: &mut Peer, user: &str) -> (TcpStream, TcpStream, Debugger) {
    let debugger = Debugger::wait(host, user);
    let taking = debugger.claim();
    let notice = notice(miner);
    assert_eq!(notice.session, debugger.session);
    let (engine, answer) = attach(&notice);
    assert!(matches!(answer, ToEngine::Accepted { .. }), "{answer:?}");
    let (linked, fd) = taking.join().expect("claimant");
    let taken = blocking(fd);
    assert_eq!(linked.peer, engine.0.local_addr().expect("address"));
    assert_eq!(taken.local_addr().expect("address"), SocketAddr::from(([127, 0, 0, 1], notice.port)));
    let mut ends = (engine.0, taken);
    echo(&mut ends.0, &mut ends.1);
    (ends.0, ends.1, debugger)
}

fn blocking(fd: OwnedFd) -> TcpStream {
    let stream = TcpStream::from(fd);
    stream.set_nonblocking(false).expect("blocking");
    stream.set_read_timeout(Some(DEADLINE)).expect("timeout");
    stream
}

/// How many file descriptors a process has.
pub(crate) fn descriptors(child: &Child) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", child.id())).expect("proc").count()
}

/// The most memory that a process ever had resident, in KiB.
pub(crate) fn peak_kib(child: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    line.trim().trim_end_matches("kB").trim().parse().expect("a number")
}

/// A token that differs from the right one in one bit.
pub(crate) fn almost(token: &Token, bit: usize) -> Token {
    let mut bytes: [u8; 16] = token.as_ref().try_into().expect("16 bytes");
    bytes[bit / 8 % 16] ^= 1 << (bit % 8);
    Token::from_bytes(bytes)
}

/// The socket that was passed to a debugger, when it is there.
pub(crate) fn taken(claim: std::thread::JoinHandle<(handoff::Linked, OwnedFd)>) -> TcpStream {
    blocking(claim.join().expect("claimant").1)
}
