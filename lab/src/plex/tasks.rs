//! Tasks in hosts: started tasks, jobs, clients and the distributor's tools. Their events go to the journal, what they print
//! to a log.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex};

use evidence::{EVENTS_ENV, TASK_ENV};
use netns::{BIN_DIR, Host, HostError, Running, Task};
use sysplex::{Lpar, StartedTask};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::unix::pipe;
use tokio::sync::oneshot;

use super::journal::{Journal, TaskExit, parse_line};
use super::launch::{Launch, Readiness};
use super::log::Log;
use super::logs::{Line, Logs};

/// Lines of output that are kept for the report of a failure.
const LAST_WORDS: usize = 20;
/// Longest line that is read from a task.
const LONGEST_LINE: u64 = 64 * 1024;
/// Where an LPAR keeps its name/token pairs.
pub const RUN_DIR: &str = "/run/zos";

/// The end of a task that went well, in words.
pub const ENDED_WELL: &str = "exit status 0";
/// Where tasks look for programs: those of the machine.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The command line of a started task on this LPAR.
pub fn started_task(lpar: &Lpar, task: &StartedTask) -> Vec<String> {
    let mut argv = Vec::new();
    match task {
        StartedTask::DebugManager { client, host, hub, wait, prm, tls: _, name: _ } => {
            argv.extend([program("dbgmgr"), "--run-dir".into(), RUN_DIR.into(), host.to_string(), client.to_string()]);
            if let Some(hub) = hub {
                argv.extend([format!("HUBIP={}", hub.ip()), format!("HUBPORT={}", hub.port())]);
            }
            argv.extend(lpar.stack.binds.get(client).map(|bind| format!("CLIENTIP={bind}")));
            argv.extend(wait.map(|wait| format!("WAIT={}", wait.as_secs_f64())));
            argv.extend(prm.iter().cloned());
        }
        StartedTask::Rsed { port, port_range, name: _ } => {
            argv.extend([program("rse-stub"), "--run-dir".into(), RUN_DIR.into(), "--port".into(), port.to_string()]);
            if let Some(range) = port_range {
                argv.extend(["--port-range".into(), format!("{}-{}", range.start, range.end)]);
            }
        }
        StartedTask::Server { ports, bind, backlog, port_check, name: _ } => {
            argv.extend([program("traffic-stub"), "serve".into()]);
            argv.extend(ports.iter().flat_map(|port| ["--port".into(), port.to_string()]));
            // PORT ... BIND is for servers that bind any address.
            let bind = bind.as_ref().or_else(|| ports.iter().find_map(|port| lpar.stack.binds.get(port)));
            argv.extend(bind.into_iter().flat_map(|bind| ["--bind".into(), bind.to_string()]));
            argv.extend(backlog.iter().flat_map(|backlog| ["--backlog".into(), backlog.to_string()]));
            argv.extend(port_check.iter().flat_map(|check| ["--port-check".into(), check.as_str().into()]));
        }
        StartedTask::WrongParm { words, name: _ } => {
            argv.extend([program("dbgmgr"), "--run-dir".into(), RUN_DIR.into()]);
            argv.extend(words.iter().cloned());
        }
        StartedTask::Command { command, .. } => argv.clone_from(&command.argv),
    }
    argv
}

/// The command line that gives an operator command to the Debug Manager of the same LPAR.
pub fn operator(command: &str) -> Vec<String> {
    let argv = ["ctl", "--run-dir", RUN_DIR, command];
    [program("dbgmgr")].into_iter().chain(argv.map(str::to_owned)).collect()
}

/// Where a program of the lab is in a host.
pub fn program(name: &str) -> String {
    format!("{BIN_DIR}/{name}")
}

/// A task that runs, or ran.
#[derive(Debug)]
pub struct TaskHandle {
    /// The host.
    pub system: String,
    /// Its name there.
    pub name: String,
    /// When it was started, `CLOCK_MONOTONIC`.
    pub started_ns: u64,
    /// The process.
    pub running: Running,
    /// The writing end of its standard input, for a task that is spoken to.
    pub stdin: Option<io::PipeWriter>,
}

/// How tasks are started.
#[derive(Clone, Debug)]
pub struct Starter {
    /// Where their events go.
    pub journal: Journal,
    /// Where what they print is kept.
    pub logs: Logs,
    /// Where it is written, a file for each task.
    pub out: Option<PathBuf>,
    /// Those that run.
    pub running: Processes,
}

/// The processes of tasks that run, as the realm numbers them, by system and name; shared by all clones.
#[derive(Clone, Debug, Default)]
pub struct Processes(Arc<Mutex<BTreeMap<(String, String), i32>>>);

impl Processes {
    /// That of one task.
    pub fn of(&self, system: &str, task: &str) -> Option<i32> {
        self.with(|all| all.get(&(system.to_owned(), task.to_owned())).copied())
    }

    /// Those of one host: names and processes.
    pub fn on(&self, system: &str) -> Vec<(String, i32)> {
        self.with(|all| {
            let own = all.iter().filter(|((of, _), _)| of == system);
            own.map(|((_, name), process)| (name.clone(), *process)).collect()
        })
    }

    fn began(&self, key: (String, String), process: i32) {
        self.with(|all| all.insert(key, process));
    }

    /// Another one of the same name may run already.
    fn ended(&self, key: &(String, String), process: i32) {
        self.with(|all| {
            if all.get(key) == Some(&process) {
                all.remove(key);
            }
        });
    }

    fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<(String, String), i32>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

impl Starter {
    /// Starts a task; its end will be in the journal.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn start(&self, host: &Host, exits: &Exits, name: &str, launch: Launch) -> Result<TaskHandle, HostError> {
        let Launch { argv, environment, signs } = launch;
        let (events_read, events) = io::pipe()?;
        let (output_read, output) = io::pipe()?;
        let (stdin, stdin_write) = io::pipe()?;
        let mut env =
            vec![("PATH".into(), PATH.into()), (TASK_ENV.into(), name.into()), ("RUST_BACKTRACE".into(), "0".into())];
        env.retain(|(key, _)| !environment.contains_key(key));
        #[cfg(feature = "planted")]
        env.push(("DVIPA_LAB_PLANTED".into(), std::env::var("DVIPA_LAB_PLANTED").unwrap_or_default()));
        env.extend(environment);
        let stderr = output.try_clone()?.into();
        let task = Task {
            argv,
            env,
            stdin: stdin.into(),
            stdout: output.into(),
            stderr,
            events: events.into(),
            events_env: EVENTS_ENV.into(),
        };
        let started_ns = evidence::monotonic_ns();
        let events = lines(events_read)?;
        let output = lines(output_read)?;
        let running = host.spawn(task).await?;
        let file = match &self.out {
            Some(out) => Some(Log::open(out, &host.name, name)?),
            None => None,
        };
        let exit = exits.of(running.pid);
        let (journal, system, task) = (self.journal.clone(), host.name.clone(), name.to_owned());
        let mut to = Output { logs: self.logs.clone(), file, system: system.clone(), task: task.clone() };
        let (key, process, processes) = ((system.clone(), task.clone()), running.realm_pid, self.running.clone());
        processes.began(key.clone(), process);
        tokio::spawn(async move {
            let ready = Readiness { journal: &journal, system: &system, task: &task };
            let said = tokio::join!(
                read_events(events, &journal, &system, &task),
                read_output(output, &mut to, |line| signs.log(line, &ready)),
            );
            let exit = exit.await;
            signs.exit(exit.as_ref().is_ok_and(ExitStatus::success), &ready);
            let how = exit.map_or_else(|_| "its system went down".to_owned(), in_words);
            let (said, t_ns) = (said.1, evidence::monotonic_ns());
            processes.ended(&key, process);
            journal.ended(TaskExit { system, task, how, last_words: said.into(), t_ns });
        });
        Ok(TaskHandle { system: host.name.clone(), name: name.into(), started_ns, running, stdin: Some(stdin_write) })
    }
}

async fn read_events(mut events: Lines, journal: &Journal, system: &str, task: &str) {
    while let Some(line) = next_line(&mut events).await {
        journal.add(parse_line(system, task, &line));
    }
}

/// Where a task's output goes.
struct Output {
    logs: Logs,
    file: Option<Log>,
    system: String,
    task: String,
}

impl Output {
    fn line(&mut self, text: &str) {
        let (system, task) = (self.system.clone(), self.task.clone());
        let line = Line { t_ns: evidence::monotonic_ns(), system, task, text: text.to_owned() };
        if let Some(file) = &mut self.file {
            file.line(&line);
        }
        self.logs.add(line);
    }
}

async fn read_output(mut output: Lines, to: &mut Output, mut look: impl FnMut(&str)) -> VecDeque<String> {
    let mut last = VecDeque::new();
    while let Some(line) = next_line(&mut output).await {
        to.line(&line);
        look(&line);
        if last.len() == LAST_WORDS {
            last.pop_front();
        }
        last.push_back(line);
    }
    last
}

pub(super) type Lines = BufReader<pipe::Receiver>;

pub(super) fn lines(pipe: io::PipeReader) -> io::Result<Lines> {
    let fd: OwnedFd = pipe.into();
    rustix::io::ioctl_fionbio(&fd, true)?;
    Ok(BufReader::new(pipe::Receiver::from_owned_fd(fd)?))
}

async fn next_line(lines: &mut Lines) -> Option<String> {
    let mut bytes = Vec::new();
    match (&mut *lines).take(LONGEST_LINE).read_until(b'\n', &mut bytes).await {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned()),
    }
}

/// Exit status in words.
pub fn in_words(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => format!("{status}"),
    }
}

/// Hands the ends of a host's tasks to whoever waits for them.
#[derive(Clone, Debug, Default)]
pub struct Exits(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    waiting: BTreeMap<i32, oneshot::Sender<ExitStatus>>,
    /// Ended before anybody asked.
    early: BTreeMap<i32, ExitStatus>,
    down: bool,
}

impl Exits {
    /// Takes the ends from the host.
    pub fn follow(host: &mut Host) -> Self {
        let exits = Self::default();
        if let Some(mut receiver) = host.exits() {
            let shared = exits.clone();
            tokio::spawn(async move {
                while let Some(exit) = receiver.recv().await {
                    shared.with(|waiting| match waiting.waiting.remove(&exit.pid) {
                        Some(sender) => drop(sender.send(exit.status)),
                        None => drop(waiting.early.insert(exit.pid, exit.status)),
                    });
                }
                shared.with(|waiting| {
                    waiting.waiting.clear();
                    waiting.down = true;
                });
            });
        }
        exits
    }

    /// The end of this process; an error when the host goes down first.
    pub fn of(&self, pid: i32) -> oneshot::Receiver<ExitStatus> {
        let (sender, receiver) = oneshot::channel();
        self.with(|waiting| match waiting.early.remove(&pid) {
            Some(status) => drop(sender.send(status)),
            None if waiting.down => {}
            None => drop(waiting.waiting.insert(pid, sender)),
        });
        receiver
    }

    fn with(&self, work: impl FnOnce(&mut Waiting)) {
        work(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }
}
