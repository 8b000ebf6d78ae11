//! What a started task takes of memory, and that it is the one that was started. Pure: from `/proc/PID/status` to a proof.

use super::result::Proof;
use crate::scenario::size;

/// A started task, as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It runs.
    Up {
        /// Most memory that it ever had, in bytes: `VmHWM`, the peak of its resident set.
        peak: u64,
    },
    /// It ended in the meantime; how, in words.
    Ended(String),
}

/// Reads the status of a process: the process that the host numbers `pid`, or none.
pub fn peak(status: &str, pid: i32) -> Option<u64> {
    let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    // From the reader's PID namespace to the innermost, the host's.
    let innermost = line("NSpid")?.split_whitespace().last()?;
    if innermost.parse() != Ok(pid) {
        return None; // the number was given to another process
    }
    // A process that has ended and was not reaped yet has no such line.
    let kib: u64 = line("VmHWM")?.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// The proof that the task is up and never took more than `most` bytes.
pub fn proof(system: &str, task: &str, found: &Found, most: u64) -> Proof {
    let claim = format!("{task} on {system} is up and never took more than {}", size::in_words(most));
    let (ok, shown) = match found {
        Found::Up { peak } => {
            (*peak <= most, format!("the process that was started, {} at its peak", size::in_words(*peak)))
        }
        Found::Ended(how) => (false, format!("it has ended: {how}")),
    };
    Proof { claim, ok, source: "/proc/PID/status".into(), shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tdbgmgr\nState:\tS (sleeping)\nPid:\t14\nNSpid:\t14\t3\nVmPeak:\t   90000 kB\nVmHWM:\t    7424 kB\nVmRSS:\t 7000 kB\n";

    #[test]
    fn the_peak_is_that_of_the_process_that_was_started() {
        assert_eq!(peak(STATUS, 3), Some(7424 * 1024));
        assert_eq!(peak(STATUS, 4), None, "another process has the number now");
        let zombie = "Name:\tdbgmgr\nState:\tZ (zombie)\nNSpid:\t14\t3\n";
        assert_eq!(peak(zombie, 3), None);
        assert_eq!(peak("", 3), None);
    }

    #[test]
    fn more_than_the_bound_is_no_proof_and_neither_is_a_task_that_ended() {
        let of = |found: Found| proof("LPAR2", "DBGMGR", &found, 16 << 20);
        let good = of(Found::Up { peak: 16 << 20 });
        assert!(good.ok);
        assert_eq!(good.claim, "DBGMGR on LPAR2 is up and never took more than 16 MiB");
        let much = of(Found::Up { peak: (16 << 20) + (1 << 19) });
        assert!(!much.ok && much.shown.contains("16.5 MiB"), "{much:?}");
        let ended = of(Found::Ended("killed by signal 9".into()));
        assert!(!ended.ok && ended.shown.contains("killed by signal 9"), "{ended:?}");
    }
}
