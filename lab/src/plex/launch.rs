//! What a task is started with, and how it is known that a program is ready which does not say so in events: the lab says it in its
//! stead, when it has seen the sign.

use std::collections::BTreeMap;
use std::io;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use evidence::{Event, SocketView, What, monotonic_ns};
use netns::{Host, HostError, inside};
use sysplex::{Command, Ready};
use tokio::net::UnixDatagram;

use super::journal::Journal;

/// How often it is looked whether a port listens: a program says nothing of it.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// The variable by which services find the socket (`sd_notify(3)`).
const NOTIFY_SOCKET: &str = "NOTIFY_SOCKET";
/// As long as it takes.
const FOREVER: Duration = Duration::from_secs(u32::MAX as u64);
/// Longest message of a service that is read.
const LONGEST_MESSAGE: usize = 4096;

/// What a task is started with.
#[derive(Debug, Default)]
pub struct Launch {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Its environment, beside what every task has.
    pub environment: BTreeMap<String, String>,
    /// By what it is known to be ready, when it does not say.
    pub signs: Signs,
}

impl From<Vec<String>> for Launch {
    fn from(argv: Vec<String>) -> Self {
        Self { argv, ..Self::default() }
    }
}

/// The sign to look for in what a task prints, or in its end. Each is seen once.
#[derive(Debug, Default)]
pub struct Signs {
    log: Mutex<Option<String>>,
    exit: bool,
}

impl Signs {
    /// A line was printed.
    pub(super) fn log(&self, line: &str, ready: &Readiness<'_>) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.as_ref().is_some_and(|text| line.contains(text)) {
            *log = None;
            ready.say();
        }
    }

    /// The task has ended, well or not.
    pub(super) fn exit(&self, well: bool, ready: &Readiness<'_>) {
        if self.exit && well {
            ready.say();
        }
    }
}

/// Whose readiness is to be said where.
pub(super) struct Readiness<'a> {
    pub(super) journal: &'a Journal,
    pub(super) system: &'a str,
    pub(super) task: &'a str,
}

impl Readiness<'_> {
    /// Says it.
    pub(super) fn say(&self) {
        let (system, task) = (self.system.to_owned(), self.task.to_owned());
        self.journal.add(Event { t_ns: monotonic_ns(), system, task, pid: 0, what: What::Ready {} });
    }
}

/// Makes ready what a program needs, and looks for the sign by which it is ready. To be called when it is about to be started.
///
/// # Errors
/// When its files or its socket cannot be made.
pub(super) async fn prepare(
    host: &Host,
    name: &str,
    command: &Command,
    journal: &Journal,
) -> Result<Launch, HostError> {
    host.move_in().await?;
    for (path, text) in &command.files {
        write(host, path, text).map_err(|e| io::Error::new(e.kind(), format!("{path} on {}: {e}", host.name)))?;
    }
    let mut environment = command.environment.clone();
    let mut signs = Signs::default();
    let (journal, system, task) = (journal.clone(), host.name.clone(), name.to_owned());
    match &command.ready {
        Ready::Started => Readiness { journal: &journal, system: &system, task: &task }.say(),
        Ready::Log(text) => signs.log = Mutex::new(Some(text.clone())),
        Ready::Exit => signs.exit = true,
        Ready::Port(port) => {
            let (view, port) = (inside(host.netns(), SocketView::open)?, *port);
            tokio::spawn(async move {
                let listens = async {
                    while !view.listeners().is_ok_and(|all| all.iter().any(|socket| socket.local.port() == port)) {
                        tokio::time::sleep(LOOK_AGAIN).await;
                    }
                };
                unless_it_ends(listens, &Readiness { journal: &journal, system: &system, task: &task }).await;
            });
        }
        Ready::Notify => {
            let path = format!("/run/lab/notify-{name}");
            let seen = host.path(&path);
            let _ = std::fs::remove_file(&seen); // of an earlier start
            let socket = UnixDatagram::bind(&seen)?;
            environment.insert(NOTIFY_SOCKET.to_owned(), path);
            tokio::spawn(async move {
                let ready = Readiness { journal: &journal, system: &system, task: &task };
                unless_it_ends(says_ready(&socket), &ready).await;
            });
        }
    }
    Ok(Launch { argv: command.argv.clone(), environment, signs })
}

fn write(host: &Host, path: &str, text: &str) -> io::Result<()> {
    let file = host.path(path);
    if let Some(directory) = file.parent() {
        std::fs::create_dir_all(directory)?;
    }
    std::fs::write(file, text)
}

/// Says that a task is ready once it is so, if that comes before its end.
async fn unless_it_ends(is_so: impl Future<Output = ()>, ready: &Readiness<'_>) {
    let since = monotonic_ns();
    let ended = ready.journal.wait_for(FOREVER, |view| view.exit_since(ready.system, ready.task, since).map(drop));
    tokio::select! {
        () = is_so => ready.say(),
        _ = ended => {}
    }
}

async fn says_ready(socket: &UnixDatagram) {
    let mut message = vec![0; LONGEST_MESSAGE];
    loop {
        match socket.recv(&mut message).await {
            Ok(length) if is_ready(&message[..length]) => return,
            Ok(_) => {}
            Err(_) => std::future::pending().await,
        }
    }
}

/// One assignment a line, as `sd_notify(3)` has it.
fn is_ready(message: &[u8]) -> bool {
    message.split(|&byte| byte == b'\n').any(|line| line == b"READY=1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_says_that_it_is_ready() {
        assert!(is_ready(b"READY=1") && is_ready(b"STATUS=up\nREADY=1\n"));
        assert!(!is_ready(b"READY=10") && !is_ready(b"STATUS=READY=1") && !is_ready(b""));
    }

    #[test]
    fn a_sign_is_seen_once() {
        let journal = Journal::new(None);
        let ready = Readiness { journal: &journal, system: "SYS1", task: "WEB" };
        let signs = Signs { log: Mutex::new(Some("listening".into())), exit: false };
        signs.log("starting", &ready);
        assert!(journal.events().is_empty());
        signs.log("now listening on 80", &ready);
        signs.log("now listening on 81", &ready);
        signs.exit(true, &ready);
        assert_eq!(journal.events().len(), 1);
    }
}
