//! `lab ps`: the processes of each host, as the kernel shows them.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::client::{self, Caller, on_runtime, which};
use super::protocol::{Answer, Request};
use crate::exit;
use crate::operator::{self, Refusal};
use crate::plex::Plex;
use crate::plex::tasks::TaskHandle;

/// Longest command line that is shown, in characters.
const LONGEST_COMMAND: usize = 200;

/// A process of a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Process {
    /// The host.
    pub system: String,
    /// The started task that it is, if it is one.
    pub task: Option<String>,
    /// Its number in the host.
    pub pid: i32,
    /// State, as `ps` has it: `R`, `S`, `D`, `T`, `Z`, ...
    pub state: char,
    /// Threads.
    pub threads: u32,
    /// Memory that is its own and in use (VmRSS), in KiB.
    pub rss_kib: u64,
    /// Time on processors, in milliseconds.
    pub cpu_ms: u64,
    /// Its command line.
    pub command: String,
}

/// All processes, or those of one host.
///
/// # Errors
/// When there is no such host.
pub(super) fn answer(plex: &Plex, system: Option<&str>) -> Result<Answer, Refusal> {
    let only = system.map(|system| operator::host(&plex.sysplex, system)).transpose()?;
    let namespace = |pid: i32| std::fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let mut hosts = BTreeMap::new();
    for host in plex.hosts.all().into_iter().filter(|host| only.is_none_or(|only| host.name == only)) {
        hosts.extend(namespace(host.init).map(|namespace| (namespace, host.name.clone())));
    }
    let of_task = |task: &TaskHandle| (task.running.realm_pid, task.name.clone());
    let tasks: BTreeMap<i32, String> = plex.started.with(|started| started.iter().map(of_task).collect());
    let entries = std::fs::read_dir("/proc").map_err(|e| Refusal::failed(format!("/proc: {e}")))?;
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let mut found: Vec<Process> = pids
        .filter_map(|pid| {
            let system = hosts.get(&namespace(pid)?)?.clone();
            let task = tasks.get(&pid).cloned();
            // It may have ended meanwhile.
            read(Path::new(&format!("/proc/{pid}")), system, task)
        })
        .collect();
    found.sort_by(|a, b| (&a.system, a.pid).cmp(&(&b.system, b.pid)));
    Ok(Answer::Processes(found))
}

fn read(directory: &Path, system: String, task: Option<String>) -> Option<Process> {
    let text = |file: &str| std::fs::read(directory.join(file)).ok();
    let status = String::from_utf8_lossy(&text("status")?).into_owned();
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let number = |name: &str| field(name)?.split_whitespace().next()?.parse::<u64>().ok();
    let stat = String::from_utf8_lossy(&text("stat")?).into_owned();
    let command = String::from_utf8_lossy(&text("cmdline")?).replace('\0', " ");
    let command = if command.trim().is_empty() { format!("[{}]", field("Name")?.trim()) } else { command };
    Some(Process {
        system,
        task,
        // The last of the numbers is the innermost.
        pid: field("NSpid")?.split_whitespace().next_back()?.parse().ok()?,
        state: field("State")?.trim().chars().next()?,
        threads: u32::try_from(number("Threads")?).ok()?,
        rss_kib: number("VmRSS").unwrap_or(0),
        cpu_ms: cpu_ms(&stat)?,
        command: command.trim().chars().take(LONGEST_COMMAND).collect(),
    })
}

/// utime and stime of proc(5), which the kernel gives in hundredths of a second, whatever its own tick is.
fn cpu_ms(stat: &str) -> Option<u64> {
    // The name, in parentheses, may have anything in it.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let user: u64 = fields.nth(11)?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) * 10)
}

/// `lab ps`.
pub(super) fn main(name: Option<String>, system: Option<String>, json: bool) -> u8 {
    on_runtime(async {
        let mut caller = Caller::of(&which(name, &client::all()?)?)?;
        caller.ask(&Request::Ps { system }, &[]).await?;
        match caller.answer().await? {
            Answer::Processes(found) if json => {
                found.iter().for_each(|one| crate::say!("{}", serde_json::to_string(one).unwrap_or_default()));
            }
            Answer::Processes(found) => crate::say!("{}", table(&found)),
            answer => return Err(caller.strange(&answer)),
        }
        Ok(exit::PASSED)
    })
}

fn table(found: &[Process]) -> String {
    let head =
        format!("{:<8} {:<8} {:>6} S {:>4} {:>9} {:>9} COMMAND", "SYSTEM", "TASK", "PID", "THR", "RSS KiB", "CPU ms");
    let row = |process: &Process| {
        let Process { system, task, pid, state, threads, rss_kib, cpu_ms, command } = process;
        let task = task.as_deref().unwrap_or("-");
        // What a command line has in it is not to move the cursor.
        let command: String = command.chars().flat_map(|c| if c.is_control() { None } else { Some(c) }).collect();
        format!("{system:<8} {task:<8} {pid:>6} {state} {threads:>4} {rss_kib:>9} {cpu_ms:>9} {command}")
    };
    [head].into_iter().chain(found.iter().map(row)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_stands_behind_any_name() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 12 30 0 0 20 0 1 0 5 1 2";
        assert_eq!(cpu_ms(stat), Some(420));
        assert_eq!(cpu_ms("7 (x"), None);
    }

    #[test]
    fn this_process_can_be_read() {
        let own = read(Path::new("/proc/self"), "LPAR1".into(), Some("T".into())).expect("this process");
        assert!(own.threads >= 1 && own.rss_kib > 0 && "RS".contains(own.state), "{own:?}");
        let table = table(&[own]);
        assert!(table.lines().count() == 2 && table.contains("LPAR1    T  "), "{table}");
    }
}
