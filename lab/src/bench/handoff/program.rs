//! Programs that run in an LPAR as its operator would start them, and what the kernel says of them.

use std::fs::File;
use std::io::{self, PipeReader};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use evidence::SocketView;
use netns::{NetNs, Running, Task, inside};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::unix::pipe;
use tokio::time::timeout;

use crate::bench::distribution::Distribution;

/// How long a program may take to say that it is up.
const UP_WITHIN: Duration = Duration::from_secs(10);

/// A program that runs; the end of the realm is its end.
#[derive(Debug)]
pub(super) struct Program {
    /// As `/proc` numbers it here.
    pub(super) pid: i32,
    _running: Running,
}

/// Starts a program and waits until a line that it prints has these words in it. It writes no events: nobody reads them at a site.
pub(super) async fn start(
    distribution: &Distribution,
    system: &str,
    argv: Vec<String>,
    until: Option<&str>,
) -> Result<Program, String> {
    let name = argv.first().cloned().unwrap_or_default();
    let failed = |e: io::Error| format!("{name} on {system}: {e}");
    let (output_read, output) = io::pipe().map_err(failed)?;
    let null = || File::options().read(true).write(true).open("/dev/null").map(OwnedFd::from).map_err(failed);
    let env = [("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), ("RUST_LOG", "warn,rse_stub::daemon=info")];
    let task = Task {
        argv,
        env: env.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        stdin: null()?,
        stdout: output.try_clone().map_err(failed)?.into(),
        stderr: output.into(),
        events: null()?,
        // A name that no program looks for.
        events_env: "DVIPA_LAB_NO_EVENTS".to_owned(),
    };
    let mut output = lines(output_read).map_err(failed)?;
    let (host, _) = distribution.host(system)?;
    let running = host.spawn(task).await.map_err(|e| e.to_string())?;
    if let Some(until) = until {
        let mut last = "nothing".to_owned();
        let said = timeout(UP_WITHIN, async {
            while let Ok(Some(line)) = output.next_line().await {
                last = line;
                if last.contains(until) {
                    return true;
                }
            }
            false
        });
        if !said.await.unwrap_or(false) {
            return Err(format!("{name} on {system}: awaited `{until}` for {UP_WITHIN:?}, seen last: {last}"));
        }
    }
    let (name, system) = (name.clone(), system.to_owned());
    tokio::spawn(async move {
        while let Ok(Some(line)) = output.next_line().await {
            // What it complains of is worth knowing; that it does its work is not.
            if ["WARN", "ERROR", "EQACM9"].iter().any(|word| line.contains(word)) {
                crate::note!("{name} on {system}: {line}");
            }
        }
    });
    Ok(Program { pid: running.realm_pid, _running: running })
}

fn lines(pipe: PipeReader) -> io::Result<Lines<BufReader<pipe::Receiver>>> {
    Ok(BufReader::new(pipe::Receiver::from_owned_fd(pipe.into())?).lines())
}

/// Waits until somebody listens on a port of this network.
pub(super) async fn listens(netns: &NetNs, port: u16) -> Result<(), String> {
    let view = inside(netns, SocketView::open).map_err(|e| e.to_string())?;
    let begin = Instant::now();
    while begin.elapsed() < UP_WITHIN {
        let listeners = view.listeners().map_err(|e| e.to_string())?;
        if listeners.iter().any(|socket| socket.local.port() == port) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(2)).await; // the kernel does not say when
    }
    Err(format!("awaited a listener on port {port} for {UP_WITHIN:?}, there is none"))
}

/// How long the processor has worked for a process, in nanoseconds; of its first thread only, and all daemons here have one.
pub(super) fn processor_ns(pid: i32) -> u64 {
    let path = format!("/proc/{pid}/schedstat");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().next().and_then(|ns| ns.parse().ok()).unwrap_or(0)
}

/// Resident and proportional set size of a process, in bytes.
pub(super) fn memory(pid: i32) -> Result<[u64; 2], String> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{path}: {e}"))?;
    let kib = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key));
        line.and_then(|rest| rest.split_whitespace().next()).and_then(|n| n.parse::<u64>().ok())
    };
    let both = kib("Rss:").zip(kib("Pss:")).ok_or_else(|| format!("{path}: no Rss and Pss"))?;
    Ok([both.0 * 1024, both.1 * 1024])
}
