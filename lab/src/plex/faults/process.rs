//! Faults of processes: stopped, slowed, killed, short of descriptors. A task leads a process group, and all of that is meant.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process_group, prlimit};

use super::FaultError;

/// How long the kernel may take to stop a process, or let it go on.
const WITHIN: Duration = Duration::from_secs(10);
/// A process's state gives no event.
const LOOK_AGAIN: Duration = Duration::from_millis(1);
/// A slow task runs and stands still once in this time.
const SLOW_PERIOD: Duration = Duration::from_millis(100);

/// Process groups, by the number of their leader in the realm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Groups(pub(super) Vec<i32>);

impl Groups {
    /// Stops all their processes and waits until they stand still.
    pub(super) async fn stop(&self) -> Result<String, FaultError> {
        self.signal(Signal::STOP)?;
        let states = self.wait_for("stopped", |state| state == 'T').await?;
        Ok(format!("{} processes in state T (stopped)", states.len()))
    }

    /// Lets them go on.
    pub(super) async fn go_on(&self) -> Result<String, FaultError> {
        self.signal(Signal::CONT)?;
        let states = self.wait_for("going on", |state| state != 'T').await?;
        Ok(format!("{} processes, none in state T", states.len()))
    }

    /// Does not wait for what comes of it. Those that have ended get nothing.
    fn signal(&self, signal: Signal) -> io::Result<()> {
        for group in self.0.iter().filter_map(|&group| Pid::from_raw(group)) {
            match kill_process_group(group, signal) {
                Ok(()) | Err(rustix::io::Errno::SRCH) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }

    async fn wait_for(&self, what: &str, is_so: impl Fn(char) -> bool) -> Result<Vec<(i32, char)>, FaultError> {
        let deadline = Instant::now() + WITHIN;
        loop {
            let states = self.states()?;
            let other = states.iter().find(|(_, state)| !is_so(*state));
            match other {
                None => return Ok(states),
                Some((pid, state)) if Instant::now() > deadline => {
                    let within = humantime::format_duration(WITHIN);
                    let what = format!("process {pid} is in state {state}, expected it {what} within {within}");
                    return Err(FaultError::NotSeen(what));
                }
                Some(_) => tokio::time::sleep(LOOK_AGAIN).await,
            }
        }
    }

    /// Their processes and states, but for those that have ended.
    fn states(&self) -> io::Result<Vec<(i32, char)>> {
        let groups: BTreeSet<i32> = self.0.iter().copied().collect();
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let of_group =
                state_and_group(&stat).filter(|(state, group)| groups.contains(group) && !"ZX".contains(*state));
            found.extend(of_group.map(|(state, _)| (pid, state)));
        }
        Ok(found)
    }
}

/// From `/proc/PID/stat`. The name stands in brackets, and may have brackets and blanks in it.
fn state_and_group(stat: &str) -> Option<(char, i32)> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(1)?.parse().ok()?))
}

/// A task that runs for a part of the time only.
#[derive(Debug)]
pub(super) struct Slowed {
    groups: Groups,
    over: Arc<AtomicBool>,
    pace: tokio::task::JoinHandle<()>,
}

impl Slowed {
    /// From now on the task runs so many of a hundred milliseconds.
    pub(super) async fn begin(group: i32, percent: u32) -> Result<(Self, String), FaultError> {
        let groups = Groups(vec![group]);
        let shown = groups.stop().await?;
        let over = Arc::new(AtomicBool::new(false));
        let (paced, ending) = (groups.clone(), Arc::clone(&over));
        let runs = SLOW_PERIOD * percent / 100;
        let pace = tokio::spawn(async move {
            while !ending.load(Ordering::Relaxed) {
                let _ = paced.signal(Signal::CONT);
                tokio::time::sleep(runs).await; // that is how it is slow
                let _ = paced.signal(Signal::STOP);
                tokio::time::sleep(SLOW_PERIOD.saturating_sub(runs)).await;
            }
        });
        Ok((Self { groups, over, pace }, shown))
    }

    /// It runs all the time again.
    pub(super) async fn end(&self) -> Result<String, FaultError> {
        self.over.store(true, Ordering::Relaxed);
        self.pace.abort();
        self.groups.go_on().await
    }
}

/// Limits a process's descriptors; what its limit was, and what is shown.
pub(super) fn limit_descriptors(pid: i32, most: Option<u64>) -> Result<(Rlimit, String), FaultError> {
    let process = Pid::from_raw(pid).ok_or_else(|| FaultError::Refused("it has ended".into()))?;
    let has = std::fs::read_dir(format!("/proc/{pid}/fd"))?.count() as u64;
    let before = prlimit_now(pid)?;
    let current = Some(most.unwrap_or(has));
    let wanted = Rlimit { current, maximum: before.maximum };
    prlimit(Some(process), Resource::Nofile, wanted).map_err(io::Error::from)?;
    let now = prlimit_now(pid)?;
    if now.current != current {
        return Err(FaultError::NotSeen(format!("its limit is {:?}, expected {current:?}", now.current)));
    }
    Ok((before, format!("/proc shows a limit of {}; it has {has}", most.unwrap_or(has))))
}

/// The limit is as it was; a task that has ended needs none.
pub(super) fn restore_descriptors(pid: i32, before: Rlimit) -> Result<String, FaultError> {
    let Some(process) = Pid::from_raw(pid) else { return Ok("the task has ended".into()) };
    match prlimit(Some(process), Resource::Nofile, before) {
        Ok(_) => {}
        Err(rustix::io::Errno::SRCH) => return Ok("the task has ended".into()),
        Err(e) => return Err(io::Error::from(e).into()),
    }
    let now = prlimit_now(pid)?.current;
    if now != before.current {
        return Err(FaultError::NotSeen(format!("its limit is {now:?}, expected {:?}", before.current)));
    }
    Ok(format!("/proc shows a limit of {}", now.map_or_else(|| "none".to_owned(), |now| now.to_string())))
}

/// A process's limit of descriptors, as `/proc` shows it.
fn prlimit_now(pid: i32) -> io::Result<Rlimit> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/limits"))?;
    Ok(descriptors(&text).unwrap_or_else(|| getrlimit(Resource::Nofile)))
}

fn descriptors(limits: &str) -> Option<Rlimit> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let mut words = line.split_whitespace();
    let (current, maximum) = (words.next()?, words.next()?);
    Some(Rlimit { current: current.parse().ok(), maximum: maximum.parse().ok() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_proc_says_of_a_process() {
        assert_eq!(state_and_group("12 (a) b) T 1 12 12 0 -1"), Some(('T', 12)));
        assert_eq!(state_and_group("12 (x"), None);
        let limits =
            "Limit   Soft  Hard Units\nMax open files            1024                 524288               files\n";
        let read = descriptors(limits).expect("a limit");
        assert_eq!((read.current, read.maximum), (Some(1024), Some(524_288)));
    }
}
