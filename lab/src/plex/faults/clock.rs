//! The wall clock of an LPAR is off. The kernel has one for all namespaces, so this is done by libfaketime, a library that programs are
//! started with: it holds for those that are started while the fault stands, and for what is linked dynamically. Their clock is right
//! again when it is healed. CLOCK_MONOTONIC is left alone, as the evidence rests on it; the lab's own daemons know no other.

use std::io;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use super::FaultError;
use crate::plex::Hosts;
use crate::plex::tool;

/// Where the library reads what the clock is off by, in the host.
const FILE: &str = "/run/lab/clock";
/// By how much a clock that is looked at may differ from what it should show, in seconds: it takes a while to look.
const SLACK: u64 = 3;

/// The library of this machine.
pub(super) fn library() -> Option<PathBuf> {
    let directories = std::fs::read_dir("/usr/lib").ok()?;
    let candidates = directories.flatten().map(|entry| entry.path().join("faketime/libfaketime.so.1"));
    candidates.chain([PathBuf::from("/usr/lib/faketime/libfaketime.so.1")]).find(|path| path.is_file())
}

/// What is missing here for it, and the remedy.
pub(super) fn missing() -> String {
    "libfaketime is not installed; remedy: sudo apt-get install libfaketime".to_owned()
}

/// From now on programs that are started there see a clock that is off by so many seconds.
pub(super) async fn put(hosts: &Hosts, on: &str, seconds: i64) -> Result<String, FaultError> {
    let library = library().ok_or_else(|| FaultError::NotHere(missing()))?;
    let (host, _) = hosts.get(on)?;
    host.move_in().await?;
    std::fs::write(host.path(FILE), off(seconds))?;
    let variables = [
        ("LD_PRELOAD", library.display().to_string()),
        ("FAKETIME_TIMESTAMP_FILE", FILE.to_owned()),
        ("FAKETIME_NO_CACHE", "1".to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ];
    host.set_environment(variables.map(|(name, value)| (name.to_owned(), value)).to_vec());
    shows(hosts, on, seconds).await
}

/// Their clock is right, and that of programs that are started from now on.
pub(super) async fn right(hosts: &Hosts, on: &str) -> Result<String, FaultError> {
    let (host, _) = hosts.get(on)?;
    host.move_in().await?;
    std::fs::write(host.path(FILE), off(0))?;
    let shown = shows(hosts, on, 0).await;
    host.set_environment(Vec::new());
    shown
}

/// As the library reads it.
fn off(seconds: i64) -> String {
    format!("{seconds:+}s\n")
}

/// Asks a program there for the time.
async fn shows(hosts: &Hosts, on: &str, seconds: i64) -> Result<String, FaultError> {
    let (host, exits) = hosts.get(on)?;
    let said = tool::run_tool(&host, &exits, vec!["date".into(), "+%s".into()], "").await?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(io::Error::other)?.as_secs();
    let expected = now.checked_add_signed(seconds).unwrap_or_default();
    match said.trim().parse::<u64>() {
        Ok(shown) if shown.abs_diff(expected) <= SLACK => {
            Ok(format!("`date` on {on} says {shown} s since 1970, it is {now}"))
        }
        _ => Err(FaultError::NotSeen(format!("`date` on {on} says {}, expected {expected}", said.trim()))),
    }
}
