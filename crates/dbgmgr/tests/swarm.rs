//! A swarm of users and one of jobs, against the real Debug Manager and the real RSE daemon on loopback, judged by the soak's model.

mod common;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::mpsc as threads;
use std::time::{Duration, Instant};

use common::*;
use evidence::{Emitter, Event, monotonic_ns};
use rse_stub::daemon;
use rustix::process::Signal;
use soak::explain::Layout;
use soak::fault::Fault;
use soak::model::{Fact, Model};
use soak::plan::{job_name, user_id};
use swarm_stub::orders::{JobOrder, UserOrder};
use swarm_stub::{jobs, users};
use tokio::sync::mpsc;

const USERS: u32 = 20;

/// Everything but Debug Manager.
struct Swarms {
    users: mpsc::Sender<UserOrder>,
    jobs: mpsc::Sender<JobOrder>,
    events: threads::Receiver<Event>,
    model: Model,
    system: String,
    next: u64,
}

impl Swarms {
    fn start(run_dir: &Path) -> Self {
        let [rse] = free_ports();
        let (read, write) = std::io::pipe().expect("pipe");
        let emitter = Emitter::to(File::from(std::os::fd::OwnedFd::from(write)), "SWARM");
        let system = emitter.system().to_owned();
        let (to, events) = threads::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(read).lines().map_while(Result::ok) {
                let event = serde_json::from_str(&line).unwrap_or_else(|e| panic!("event {line}: {e}"));
                if to.send(event).is_err() {
                    return;
                }
            }
        });
        let (users, user_orders) = mpsc::channel(16);
        let (jobs, job_orders) = mpsc::channel(16);
        let (run_dir, own) = (run_dir.to_owned(), system.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
            tokio::task::LocalSet::new().block_on(&runtime, async {
                let daemon = daemon::Config {
                    port: rse,
                    port_range: None,
                    run_dir: run_dir.clone(),
                    second_port_wait: DEADLINE,
                    system: own.parse().expect("the host name is a system name"),
                };
                tokio::task::spawn_local(daemon::run(daemon, Emitter::silent("RSED")));
                let (patience, drain, stays) = (DEADLINE, DEADLINE, Duration::from_millis(30));
                let rse = SocketAddr::from((Ipv4Addr::LOCALHOST, rse));
                let users = users::run(users::Config { rse, patience, stays, drain }, emitter.clone(), user_orders);
                let jobs = jobs::run(jobs::Config { run_dir, patience, drain }, emitter, job_orders);
                tokio::join!(users, jobs);
            });
        });
        let layout = Layout {
            workstation: "WS".into(),
            owner: system.clone(),
            primary: None,
            managers: ["DBGMGR".to_owned()].into(),
            rseds: ["RSED".to_owned()].into(),
        };
        Self { users, jobs, events, model: Model::new(layout), system, next: 0 }
    }

    fn log_on_all(&mut self) {
        for user in 0..USERS {
            self.model.feed(monotonic_ns(), Fact::LogonOrdered(user));
            self.users.blocking_send(UserOrder::Logon(user_id(user).parse().expect("user"))).expect("it runs");
        }
        self.until("all users are logged on", |model| model.users_on() == USERS as usize);
    }

    fn jobs(&mut self, count: u64) {
        for number in self.next..self.next + count {
            let user = u32::try_from(number * 7 % u64::from(USERS)).expect("small");
            let lpar = self.system.clone();
            self.model.feed(monotonic_ns(), Fact::JobOrdered { number, user, lpar });
            let order = JobOrder::Job(job_name(number).parse().expect("job"), user_id(user).parse().expect("user"));
            self.jobs.blocking_send(order).expect("it runs");
        }
        self.next += count;
    }

    /// Hears events until the model is as it is to be.
    fn until(&mut self, awaited: &str, is: impl Fn(&Model) -> bool) {
        let until = Instant::now() + DEADLINE;
        while !is(&self.model) {
            assert!(Instant::now() < until, "awaited that {awaited} for {DEADLINE:?}: {:?}", self.model.counts());
            // The model wants to know that time passes, too.
            self.model.tick(monotonic_ns());
            let Ok(event) = self.events.recv_timeout(Duration::from_millis(100)) else { continue };
            if let Some(fact) = soak::facts::fact(&event) {
                self.model.feed(event.t_ns, fact);
            }
        }
    }

    /// Drains both, and says what the model thinks of it all.
    fn finish(mut self) -> Model {
        self.jobs.blocking_send(JobOrder::Drain).expect("it runs");
        self.users.blocking_send(UserOrder::Drain).expect("it runs");
        let (mut drained, until) = (0, Instant::now() + DEADLINE);
        while drained < 2 {
            let left = until.saturating_duration_since(Instant::now());
            let event = self.events.recv_timeout(left).expect("awaited that both are drained");
            drained += u32::from(matches!(event.what, evidence::What::Drained { .. }));
            if let Some(fact) = soak::facts::fact(&event) {
                self.model.feed(event.t_ns, fact);
            }
        }
        self.model.finish(monotonic_ns());
        self.model
    }
}

#[test]
fn each_of_many_sessions_reaches_its_own_user_and_its_own_job() {
    let run = tempfile::tempdir().expect("temp dir");
    let [host, client] = free_ports();
    let mut manager = Dbgmgr::start(run.path(), host, client, &[]);
    let mut swarms = Swarms::start(run.path());
    swarms.log_on_all();
    swarms.jobs(200);
    swarms.until("all sessions reached", |model| model.open() == 0);
    let model = swarms.finish();
    assert_eq!(model.violations(), []);
    assert_eq!((model.counts().reached, model.handoffs().count()), (200, 200));
    let linked = manager.seen().iter().filter(|what| matches!(what, evidence::What::Linked { .. })).count();
    assert_eq!(linked, 200, "as Debug Manager saw it");
}

#[test]
fn a_debug_manager_that_is_killed_costs_at_most_sessions_with_an_excuse() {
    let run = tempfile::tempdir().expect("temp dir");
    let [host, client] = free_ports();
    let first = Dbgmgr::start(run.path(), host, client, &[]);
    let mut swarms = Swarms::start(run.path());
    swarms.log_on_all();
    swarms.jobs(60);
    swarms.until("some sessions reached", |model| model.counts().reached > 5);
    let kill = Fault::Kill { task: "DBGMGR".into(), on: swarms.system.clone() };
    swarms.model.feed(monotonic_ns(), Fact::FaultBegan(1, kill));
    first.signal(Signal::KILL);
    drop(first.end());
    swarms.jobs(40);
    let _second = Dbgmgr::start(run.path(), host, client, &[]);
    swarms.model.feed(monotonic_ns(), Fact::FaultHealed(1));
    swarms.until("all sessions have ended", |model| model.open() == 0);
    let reached = swarms.model.counts().reached;
    swarms.jobs(50);
    swarms.until("all new sessions reached", |model| model.counts().reached == reached + 50);
    let model = swarms.finish();
    assert_eq!(model.violations(), []);
    assert!(model.counts().reached >= 110, "{:?}", model.counts());
}
