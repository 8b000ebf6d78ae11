//! The real debugger and the real Debug Miner, many of them in one process, and an engine that asks without a pause.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use dbm_protocol::dap::{self, Builder, Message};
use dbm_protocol::engine::{FromEngine, ToEngine};
use dbm_protocol::{Hello, Notice, Role, UserId, frame};
use debugger_stub::job::{self, Job};
use debugger_stub::outcome::{How, Outcome};
use evidence::Emitter;
use rse_stub::miner::{self, News};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use super::common::DEADLINE;

/// From one question of an engine to the next.
const BETWEEN: Duration = Duration::from_millis(10);
/// What the built-in program has in TOTAL when it stops at line 18.
const TOTAL: &str = "260425";

/// What happens to the sessions.
#[derive(Clone, Debug)]
pub(crate) enum Seen {
    /// Debug Manager has accepted an engine.
    Accepted,
    /// The program stands at its breakpoint.
    Stopped { session: String, at: Instant },
    /// An engine was not linked; there may be another notice.
    NotLinked(String),
    /// An engine that was linked was lost.
    Lost(String),
    /// A job has ended.
    Ended(Outcome),
}

/// Everybody but the Debug Managers.
pub(crate) struct Stubs {
    runtime: Runtime,
    shared: Arc<Shared>,
    seen: mpsc::Receiver<Seen>,
    tell: mpsc::Sender<Seen>,
}

#[derive(Default)]
struct Shared {
    /// The programs are to run to their end.
    go_on: AtomicBool,
    asked: AtomicU64,
    answered: AtomicU64,
}

impl Stubs {
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let (tell, seen) = mpsc::channel();
        Self { runtime: runtime.expect("runtime"), shared: Arc::default(), seen, tell }
    }

    /// A user logs on: a Debug Miner, and an engine for each notice that comes.
    pub(crate) fn logon(&self, user: &str, run_dir: &Path) {
        let user: UserId = user.parse().expect("user");
        let (news, mut heard) = tokio::sync::mpsc::channel(32);
        let run_dir = run_dir.to_owned();
        self.runtime.spawn(async move { miner::run(&user, &run_dir, &Emitter::silent("RSED"), news).await });
        let (shared, tell) = (self.shared.clone(), self.tell.clone());
        self.runtime.spawn(async move {
            while let Some(news) = heard.recv().await {
                if let News::SessionWaiting(notice) = news {
                    tokio::spawn(engine(notice, shared.clone(), tell.clone()));
                }
            }
        });
    }

    pub(crate) fn submit(&self, job: &str, user: &str, run_dir: &Path) {
        let job = Job {
            name: job.parse().expect("job"),
            user: user.parse().expect("user"),
            module: "EQATST".to_owned(),
            run_dir: run_dir.to_owned(),
        };
        let tell = self.tell.clone();
        self.runtime.spawn(async move {
            let outcome = job::run(&job, &Emitter::silent(job.name.as_str())).await;
            let _ = tell.send(Seen::Ended(outcome));
        });
    }

    /// Waits for something.
    pub(crate) fn until<T>(&self, awaited: &str, mut pick: impl FnMut(Seen) -> Option<T>) -> T {
        let (until, mut last, mut not_linked) = (Instant::now() + DEADLINE, None, Vec::new());
        loop {
            match self.seen.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Seen::Lost(reason)) => panic!("a linked session was lost: {reason}"),
                Ok(Seen::NotLinked(reason)) => not_linked.push(reason),
                Ok(seen) => {
                    last = Some(seen.clone());
                    if let Some(found) = pick(seen) {
                        return found;
                    }
                }
                Err(_) => panic!("awaited {awaited} for {DEADLINE:?}; seen last: {last:?}; not linked: {not_linked:?}"),
            }
        }
    }

    /// Waits until so many questions more were answered.
    pub(crate) fn answers(&self, more: u64) {
        let (until, from) = (Instant::now() + DEADLINE, self.shared.answered.load(Ordering::Relaxed));
        while self.shared.answered.load(Ordering::Relaxed) < from + more {
            assert!(Instant::now() < until, "awaited {more} answers for {DEADLINE:?}");
            std::thread::yield_now();
        }
    }

    /// All programs run to their end; so many jobs must end as debugged. Questions asked, and answered.
    pub(crate) fn finish(&self, jobs: usize) -> (u64, u64) {
        self.shared.go_on.store(true, Ordering::Relaxed);
        for n in 0..jobs {
            let ended = self.until(&format!("the end of job {n} of {jobs}"), |seen| match seen {
                Seen::Ended(outcome) => Some(outcome),
                _ => None,
            });
            assert_eq!(ended.how, How::Debugged, "{ended}");
        }
        (self.shared.asked.load(Ordering::Relaxed), self.shared.answered.load(Ordering::Relaxed))
    }
}

async fn engine(notice: Notice, shared: Arc<Shared>, tell: mpsc::Sender<Seen>) {
    let session = notice.session.to_string();
    let linked = match begin(&notice, &tell).await {
        Ok(talk) => talk,
        Err(reason) => return drop(tell.send(Seen::NotLinked(format!("{session}: {reason}")))),
    };
    let _ = tell.send(Seen::Stopped { session: session.clone(), at: Instant::now() });
    if let Err(reason) = ask_on(linked, &shared).await {
        let _ = tell.send(Seen::Lost(format!("{session}: {reason}")));
    }
}

struct Talk {
    reader: dap::Reader<tokio::net::tcp::OwnedReadHalf>,
    writer: tokio::net::tcp::OwnedWriteHalf,
    builder: Builder,
}

/// Links, and takes the program to line 18.
async fn begin(notice: &Notice, tell: &mpsc::Sender<Seen>) -> Result<Talk, String> {
    let mut stream = TcpStream::connect(("127.0.0.1", notice.port)).await.map_err(|e| e.to_string())?;
    let (user, session, token) = (notice.user.clone(), notice.session.clone(), notice.token.clone());
    let failed = |e: frame::FrameError| e.to_string();
    frame::write(&mut stream, &Hello::new(Role::Engine)).await.map_err(failed)?;
    frame::write(&mut stream, &FromEngine::Attach { user, session, token }).await.map_err(failed)?;
    match frame::read(&mut stream).await.map_err(failed)? {
        Some(ToEngine::Accepted { .. }) => drop(tell.send(Seen::Accepted)),
        other => return Err(format!("{other:?}")),
    }
    let (reading, writer) = stream.into_split();
    let mut talk = Talk { reader: dap::Reader::new(reading), writer, builder: Builder::default() };
    talk.ask("initialize", json!({"adapterID": "test"})).await?;
    talk.ask("launch", json!({})).await?;
    talk.ask("setBreakpoints", json!({"breakpoints": [{"line": 18}]})).await?;
    talk.ask("configurationDone", Value::Null).await?;
    Ok(talk)
}

/// Asks again and again, and checks every answer; when told, lets the program run to its end.
async fn ask_on(mut talk: Talk, shared: &Shared) -> Result<(), String> {
    while !shared.go_on.load(Ordering::Relaxed) {
        shared.asked.fetch_add(1, Ordering::Relaxed);
        let answer = talk.ask("evaluate", json!({"expression": "TOTAL"})).await?;
        if answer["result"] != TOTAL {
            return Err(format!("TOTAL is {answer}"));
        }
        shared.answered.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(BETWEEN).await;
    }
    talk.ask("continue", json!({"threadId": 1})).await?;
    talk.ask("disconnect", Value::Null).await.map(drop)
}

impl Talk {
    /// The body of the answer, which must be the one to this very question.
    async fn ask(&mut self, command: &str, arguments: Value) -> Result<Value, String> {
        let request = self.builder.request(command, arguments);
        let seq = request.seq;
        dap::write(&mut self.writer, &Message::Request(request)).await.map_err(|e| e.to_string())?;
        loop {
            match self.reader.read().await.map_err(|e| e.to_string())? {
                Some(Message::Response(r)) if r.request_seq == seq && r.success => return Ok(r.body),
                Some(Message::Event(_)) => {}
                other => return Err(format!("{command}: {other:?}")),
            }
        }
    }
}
