//! The name/token service of one system (z/OS: IEANTCR, IEANTRT, IEANTDL at system level).
//!
//! z/OS keeps pairs of a 16-byte name and a 16-byte token; a system-level pair is seen from every address space of one system
//! and goes away with its creator, unless it was created to persist ("System-level name/token pair", "IEANTCR"). Here a pair
//! is a file in `<run_dir>/nametoken/`, and `run_dir` is private to each LPAR.
//!
//! A pair lives as long as its creator holds an exclusive lock on the file, which the kernel releases however the creator
//! ends. A file that nobody holds is stale: not found, and free to be replaced. Whether EQAZPCM creates its pair to persist is
//! not documented; not to persist is our choice, and [`persist`] shows the other: such a pair is a second file, which is found
//! while no living process holds the name, until the run directory goes, as at an IPL.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// Name of Debug Manager's pair. IBM does not document the text of the name; this one is ours.
pub const DBM_NAME: &[u8; 16] = b"EQADBMGRPORTPAIR";

/// Why there is no pair. The return codes are those of IEANTCR and IEANTRT.
#[derive(Debug, thiserror::Error)]
pub enum NameTokenError {
    /// A living process has created a pair of this name (IEANTCR, return code 4).
    #[error("name/token pair {name} exists already on this system (IEANTCR return code 4)")]
    Duplicate {
        /// The name, printable.
        name: String,
    },
    /// No living process has created a pair of this name (IEANTRT, return code 4).
    #[error("there is no name/token pair {name} on this system (IEANTRT return code 4)")]
    NotFound {
        /// The name, printable.
        name: String,
    },
    /// What stands under the name, or in the token, is not what belongs there.
    #[error("{what} is not usable: found {found}, expected {expected}")]
    Damaged {
        /// Which file or token.
        what: String,
        /// What was found.
        found: String,
        /// What belongs there.
        expected: &'static str,
    },
    /// The file system said no.
    #[error("name/token service, {path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

/// Debug Manager's token: where its ports are. What IBM keeps in the 16 bytes is not documented beyond "the internal port";
/// the layout is ours: `EQADBM01`, HOST port, CLIENT port, process id, all big-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DbmToken {
    /// The HOST (internal) port.
    pub host_port: u16,
    /// The CLIENT (external) port.
    pub client_port: u16,
    /// Process id of Debug Manager, in its own PID namespace.
    pub pid: u32,
}

impl DbmToken {
    const MAGIC: [u8; 8] = *b"EQADBM01";

    /// The token as it is published.
    pub fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&Self::MAGIC);
        bytes[8..10].copy_from_slice(&self.host_port.to_be_bytes());
        bytes[10..12].copy_from_slice(&self.client_port.to_be_bytes());
        bytes[12..].copy_from_slice(&self.pid.to_be_bytes());
        bytes
    }

    /// Reads a published token.
    ///
    /// # Errors
    /// [`NameTokenError::Damaged`] when the bytes are not a token of this version.
    pub fn from_bytes(bytes: [u8; 16]) -> Result<Self, NameTokenError> {
        let [magic @ .., h0, h1, c0, c1, p0, p1, p2, p3] = bytes;
        if magic != Self::MAGIC {
            return Err(NameTokenError::Damaged {
                what: "Debug Manager's token".to_owned(),
                found: format!("`{}`", magic.escape_ascii()),
                expected: "16 bytes that begin with `EQADBM01`",
            });
        }
        Ok(Self {
            host_port: u16::from_be_bytes([h0, h1]),
            client_port: u16::from_be_bytes([c0, c1]),
            pid: u32::from_be_bytes([p0, p1, p2, p3]),
        })
    }
}

/// A pair that this process has created. Dropping it deletes the pair; so does the end of the process, whatever ends it.
#[derive(Debug)]
pub struct Pair {
    directory: PathBuf,
    path: PathBuf,
    /// Holds the lock.
    file: File,
    deleted: bool,
}

/// Creates a pair (IEANTCR).
///
/// # Errors
/// [`NameTokenError::Duplicate`] while the creator of a pair of this name lives; of several that create one at the same time,
/// exactly one succeeds. [`NameTokenError::Io`] when the directory cannot be made or written.
pub fn create(run_dir: &Path, name: &[u8; 16], token: [u8; 16]) -> Result<Pair, NameTokenError> {
    let directory = run_dir.join("nametoken");
    std::fs::create_dir_all(&directory).map_err(at(&directory))?;
    let path = directory.join(file_name(name));
    let _only_one_creates = serialize(&directory)?;
    if open_living(&path)?.is_some() {
        return Err(NameTokenError::Duplicate { name: file_name(name) });
    }
    // The lock is there before the name is, and the name appears with the whole token behind it.
    let fresh = directory.join(format!(".new-{}", file_name(name)));
    let _ = std::fs::remove_file(&fresh);
    let mut file = File::options().write(true).create_new(true).mode(0o644).open(&fresh).map_err(at(&fresh))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(io::Error::from).map_err(at(&fresh))?;
    file.write_all(&token).map_err(at(&fresh))?;
    std::fs::rename(&fresh, &path).map_err(at(&path))?;
    Ok(Pair { directory: directory.clone(), path, file, deleted: false })
}

/// Retrieves the token of a name (IEANTRT).
///
/// # Errors
/// [`NameTokenError::NotFound`] when no living process holds a pair of this name, and none was left that persists.
pub fn retrieve(run_dir: &Path, name: &[u8; 16]) -> Result<[u8; 16], NameTokenError> {
    let path = run_dir.join("nametoken").join(file_name(name));
    let file = match open_living(&path)? {
        Some(file) => file,
        None => open(&persistent(run_dir, name))?.ok_or_else(|| NameTokenError::NotFound { name: file_name(name) })?,
    };
    let mut bytes = Vec::with_capacity(16);
    file.take(17).read_to_end(&mut bytes).map_err(at(&path))?;
    bytes.try_into().map_err(|found: Vec<u8>| NameTokenError::Damaged {
        what: path.display().to_string(),
        found: if found.len() > 16 { "more than 16 bytes".to_owned() } else { format!("{} bytes", found.len()) },
        expected: "16 bytes",
    })
}

/// Leaves a pair that persists (IEANTCR with IEANT_PERSIST), in place of an earlier one.
///
/// # Errors
/// When it cannot be written.
pub fn persist(run_dir: &Path, name: &[u8; 16], token: [u8; 16]) -> Result<(), NameTokenError> {
    let path = persistent(run_dir, name);
    let fresh = path.with_extension("new");
    std::fs::write(&fresh, token).map_err(at(&fresh))?;
    std::fs::rename(&fresh, &path).map_err(at(&path))
}

fn persistent(run_dir: &Path, name: &[u8; 16]) -> PathBuf {
    run_dir.join("nametoken").join(file_name(name) + ".persist")
}

impl Pair {
    /// Deletes the pair (IEANTDL).
    ///
    /// # Errors
    /// When the file cannot be removed. The pair is gone all the same, because its lock is.
    pub fn delete(mut self) -> Result<(), NameTokenError> {
        self.remove()
    }

    fn remove(&mut self) -> Result<(), NameTokenError> {
        if std::mem::replace(&mut self.deleted, true) {
            return Ok(());
        }
        let _nobody_creates = serialize(&self.directory)?;
        // Somebody may have cleared the directory under us, and the name may be another's by now.
        let mine = self.file.metadata().map_err(at(&self.path))?;
        match std::fs::symlink_metadata(&self.path) {
            Ok(there) if (there.dev(), there.ino()) == (mine.dev(), mine.ino()) => {
                std::fs::remove_file(&self.path).map_err(at(&self.path))
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        let _ = self.remove();
    }
}

/// The file, if its creator lives. Only shared locks are tried here, so those who look do not disturb each other.
fn open_living(path: &Path) -> Result<Option<File>, NameTokenError> {
    let Some(file) = open(path)? else { return Ok(None) };
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(None),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(Some(file)),
        Err(e) => Err(at(path)(e.into())),
    }
}

fn open(path: &Path) -> Result<Option<File>, NameTokenError> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(at(path)(e)),
    }
}

/// Creators and deleters of one system take turns; each turn is a few system calls.
fn serialize(directory: &Path) -> Result<File, NameTokenError> {
    let path = directory.join(".lock");
    let file = File::options().write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(at(&path))?;
    rustix::io::retry_on_intr(|| flock(&file, FlockOperation::LockExclusive))
        .map_err(io::Error::from)
        .map_err(at(&path))?;
    Ok(file)
}

/// The name as a file name: letters and digits as they are, any other byte as `%` and two hexadecimal digits.
fn file_name(name: &[u8; 16]) -> String {
    name.iter().fold(String::with_capacity(16), |mut text, &byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => text.push(byte.into()),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
        text
    })
}

fn at(path: &Path) -> impl Fn(io::Error) -> NameTokenError + use<> {
    let path = path.to_owned();
    move |source| NameTokenError::Io { path: path.clone(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: DbmToken = DbmToken { host_port: 5336, client_port: 5335, pid: 70_000 };

    #[test]
    fn a_pair_is_found_until_it_is_deleted() {
        let run = tempfile::tempdir().expect("temp dir");
        assert!(matches!(retrieve(run.path(), DBM_NAME), Err(NameTokenError::NotFound { .. })));
        let pair = create(run.path(), DBM_NAME, TOKEN.to_bytes()).expect("create");
        let read = retrieve(run.path(), DBM_NAME).expect("retrieve");
        assert_eq!(DbmToken::from_bytes(read).expect("own token"), TOKEN);
        assert!(matches!(create(run.path(), DBM_NAME, [0; 16]), Err(NameTokenError::Duplicate { .. })));
        assert!(create(run.path(), b"another name \x00/\xff", [1; 16]).is_ok(), "another name is another pair");
        pair.delete().expect("delete");
        assert!(matches!(retrieve(run.path(), DBM_NAME), Err(NameTokenError::NotFound { .. })));
        drop(create(run.path(), DBM_NAME, [0; 16]).expect("create again"));
        assert!(matches!(retrieve(run.path(), DBM_NAME), Err(NameTokenError::NotFound { .. })), "drop deletes");
    }

    #[test]
    fn a_file_that_nobody_holds_is_stale() {
        let run = tempfile::tempdir().expect("temp dir");
        let file = run.path().join("nametoken").join(file_name(DBM_NAME));
        std::fs::create_dir_all(file.parent().expect("parent")).expect("mkdir");
        std::fs::write(&file, TOKEN.to_bytes()).expect("leftover of a killed creator");
        assert!(matches!(retrieve(run.path(), DBM_NAME), Err(NameTokenError::NotFound { .. })));
        let _pair = create(run.path(), DBM_NAME, [7; 16]).expect("a stale pair is replaced");
        assert_eq!(retrieve(run.path(), DBM_NAME).expect("retrieve"), [7; 16]);
    }

    #[test]
    fn a_pair_that_persists_is_found_when_nobody_holds_the_name() {
        let run = tempfile::tempdir().expect("temp dir");
        let pair = create(run.path(), DBM_NAME, [1; 16]).expect("create");
        persist(run.path(), DBM_NAME, [2; 16]).expect("persist");
        assert_eq!(retrieve(run.path(), DBM_NAME).expect("retrieve"), [1; 16], "the living one counts");
        pair.delete().expect("delete");
        assert_eq!(retrieve(run.path(), DBM_NAME).expect("retrieve"), [2; 16]);
        let _next = create(run.path(), DBM_NAME, [3; 16]).expect("it keeps nobody from creating");
        assert_eq!(retrieve(run.path(), DBM_NAME).expect("retrieve"), [3; 16]);
    }

    fn read_whole(run: &Path) {
        match retrieve(run, DBM_NAME) {
            Ok(read) => assert!(read[0] != 0 && read.iter().all(|&b| b == read[0]), "half a token: {read:?}"),
            Err(NameTokenError::NotFound { .. }) => {}
            Err(e) => panic!("half a token: {e}"),
        }
    }

    #[test]
    fn readers_never_see_half_a_token() {
        let run = tempfile::tempdir().expect("temp dir");
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    read_whole(run.path());
                }
            });
            for n in 0..2000_u32 {
                drop(create(run.path(), DBM_NAME, [(n % 255) as u8 + 1; 16]).expect("create"));
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    }

    #[test]
    fn of_many_creators_one_wins_and_readers_see_whole_tokens() {
        let run = tempfile::tempdir().expect("temp dir");
        for _ in 0..30 {
            let together = std::sync::Barrier::new(8);
            let winners: Vec<_> = std::thread::scope(|scope| {
                let creators: Vec<_> = (1..=8)
                    .map(|n| {
                        let (run, together) = (run.path(), &together);
                        scope.spawn(move || {
                            together.wait();
                            let pair = create(run, DBM_NAME, [n; 16]);
                            read_whole(run);
                            pair
                        })
                    })
                    .collect();
                creators.into_iter().filter_map(|c| c.join().expect("no panic").ok()).collect()
            });
            assert_eq!(winners.len(), 1);
        }
    }

    #[test]
    fn what_is_no_token_is_named() {
        let error = DbmToken::from_bytes(*b"EQADBM02\0\0\0\0\0\0\0\0").expect_err("other version");
        assert!(error.to_string().contains("EQADBM02"), "{error}");
    }
}
