//! A file system of a host that is full. `/run` and `/tmp` are the host's own, in memory, of a fixed size: see `netns`.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::FaultError;
use crate::plex::Hosts;

/// What fills it; hidden, as it is nobody's.
const FILLER: &str = ".full";
/// What tries whether it is full.
const TRIAL: &str = ".trial";
/// The most that is written; a host's file systems are much smaller.
const MOST: u64 = 1 << 30;

/// Fills a file system until nothing can be written there; what was seen.
pub(super) async fn fill(hosts: &Hosts, host: &str, at: &str) -> Result<String, FaultError> {
    let directory = directory(hosts, host, at).await?;
    let filled = tokio::task::spawn_blocking(move || {
        let bytes = write_until_full(&directory.join(FILLER))?;
        match trial(&directory) {
            Err(e) if e.kind() == io::ErrorKind::StorageFull => Ok(bytes),
            Err(e) => Err(FaultError::NotSeen(format!("a byte more is refused for another reason: {e}"))),
            Ok(()) => Err(FaultError::NotSeen("a byte more can be written".into())),
        }
    });
    let bytes = filled.await.map_err(io::Error::other)??;
    Ok(format!("{bytes} bytes were written, and of a byte more the kernel says that no space is left"))
}

/// Takes away what fills it.
pub(super) async fn empty(hosts: &Hosts, host: &str, at: &str) -> Result<String, FaultError> {
    let directory = directory(hosts, host, at).await?;
    match std::fs::remove_file(directory.join(FILLER)) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e.into()),
        _ => {}
    }
    trial(&directory).map_err(|e| FaultError::NotSeen(format!("still nothing can be written: {e}")))?;
    Ok("a page can be written again".into())
}

async fn directory(hosts: &Hosts, host: &str, at: &str) -> Result<PathBuf, FaultError> {
    let (host, _) = hosts.get(host)?;
    // Before, it would be the machine's.
    host.move_in().await?;
    Ok(host.path(at))
}

fn write_until_full(path: &Path) -> Result<u64, FaultError> {
    let mut file = File::create(path)?;
    let mut bytes = 0;
    let mut chunk = vec![0_u8; 1 << 20];
    while bytes < MOST {
        match file.write(&chunk) {
            Ok(written) => bytes += written as u64,
            Err(e) if e.kind() == io::ErrorKind::StorageFull && chunk.len() > 1 => chunk.truncate(chunk.len() / 2),
            Err(e) if e.kind() == io::ErrorKind::StorageFull => return Ok(bytes),
            Err(e) => return Err(e.into()),
        }
    }
    std::fs::remove_file(path)?;
    Err(FaultError::NotSeen(format!("it is not full after {MOST} bytes")))
}

/// Writes a page of a file and takes the file away.
fn trial(directory: &Path) -> io::Result<()> {
    let path = directory.join(TRIAL);
    let written = File::create(&path).and_then(|mut file| file.write_all(&[1; 4096]));
    let _ = std::fs::remove_file(path);
    written
}
