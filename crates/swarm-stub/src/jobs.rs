//! Many jobs under the debugger, in one process of an LPAR. Each waits, outlives Debug Manager and takes its socket as the debugger
//! stub does ([`debugger_stub::job::connect`]).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dbm_protocol::host::FromDebugger;
use dbm_protocol::{JobName, UserId};
use debugger_stub::host::Host;
use debugger_stub::job::{Connected, Job, connect};
use evidence::{Emitter, What};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use crate::brief;
use crate::orders::JobOrder;
use crate::talk::{Identity, as_debugger};

/// How a swarm of jobs behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the system keeps its name/token pairs.
    pub run_dir: PathBuf,
    /// How long a job waits for its workstation, and how long it debugs.
    pub patience: Duration,
    /// How long jobs may take to end when the swarm is drained.
    pub drain: Duration,
}

/// How long Debug Manager may take to close when it was told of a session's end.
const GOOD_BYE: Duration = Duration::from_secs(5);

/// Carries orders out until they end, or until it is drained.
pub async fn run(config: Config, emitter: Emitter, mut orders: mpsc::Receiver<JobOrder>) {
    // The events of each job would be too many; this swarm has its own.
    let (config, quiet) = (Arc::new(config), Emitter::silent("JOBS"));
    let mut jobs = JoinSet::new();
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                Some(JobOrder::Job(job, user)) => {
                    drop(jobs.spawn(one(Arc::clone(&config), emitter.clone(), quiet.clone(), job, user)));
                }
                Some(JobOrder::Drain) | None => break,
            },
            Some(_) = jobs.join_next() => {}
        }
    }
    emitter.emit(What::Drained { left: drain(jobs, config.drain).await });
}

/// Waits for what still runs, and says how much of it had to be given up.
pub(crate) async fn drain(mut running: JoinSet<()>, within: Duration) -> u64 {
    let until = Instant::now() + within;
    while let Ok(Some(_)) = timeout_at(until, running.join_next()).await {}
    running.len() as u64
}

async fn one(config: Arc<Config>, emitter: Emitter, quiet: Emitter, name: JobName, user: UserId) {
    let job = Job { name, user, module: "EQATST".to_owned(), run_dir: config.run_dir.clone() };
    let (mut client, mut handoff_us) = (None, 0);
    let ended = match timeout(config.patience, connect(&job, &quiet)).await {
        Err(_) => Err(format!("no workstation within {:?}", config.patience)),
        Ok(Err(outcome)) => Err(outcome.to_string()),
        Ok(Ok(connected)) => debug(&config, &emitter, &job, connected, &mut client, &mut handoff_us).await,
    };
    let (failed, host) = match ended {
        Ok(host) => (None, host),
        Err(why) => (Some(brief(&why)), None),
    };
    emitter.emit(What::JobDone { job: job.name.to_string(), client, failed, handoff_us });
    if let Some(mut host) = host {
        // Debug Manager closes; the job does not, or its last word might be lost.
        let _ = timeout(GOOD_BYE, async { while host.receive().await.is_ok() {} }).await;
    }
}

/// The conversation; returns the connection to Debug Manager, which was told that it is over.
async fn debug(
    config: &Config,
    emitter: &Emitter,
    job: &Job,
    connected: Connected,
    client: &mut Option<String>,
    handoff_us: &mut u64,
) -> Result<Option<Host>, String> {
    let Connected { client: way, host, kept, waited_since } = connected;
    let mut stream = way.into_stream();
    let own = Identity { job: job.name.to_string(), system: emitter.system().to_owned() };
    let mut host = Some(host);
    let first = |user: Option<&str>| {
        *client = user.map(brief);
        *handoff_us = u64::try_from(waited_since.elapsed().as_micros()).unwrap_or(u64::MAX);
    };
    let talk = timeout(config.patience, as_debugger(&mut stream, &own, first));
    let quiet = Emitter::silent("JOBS");
    let ended = tokio::select! {
        talked = talk => talked.unwrap_or_else(|_| Err(format!("the client was silent for {:?}", config.patience))),
        never = kept.keep_known(&mut host, &quiet) => match never {},
    };
    drop(stream);
    if let Some(host) = &mut host {
        let _ = host.send(&FromDebugger::Ended {}).await;
    }
    ended.map(|()| host)
}
