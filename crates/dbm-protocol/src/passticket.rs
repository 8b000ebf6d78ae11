//! PassTickets: how Debug Miner and debugger prove on the HOST port for whom they speak.
//!
//! On z/OS an authorised server makes a PassTicket for a user it has authenticated already: a one-time password, computed from
//! a key that RACF keeps (class PTKTDATA), the application, the user and the time, good for about ten minutes. IBM documents
//! that the RSE daemon logs its users on to Debug Manager with PassTickets which it makes itself. Key file, layout, hash and the
//! debugger's use of the same means are ours, and so is that a ticket is good for one role.
//!
//! Here the key is the file `dbgmgr/passticket.key` in the run directory, which Debug Manager makes once (mode 0600): who can
//! read it (Debug Manager's own user id, and root) may speak for any user, as the RSE daemon does; who cannot, for nobody. A
//! ticket is HMAC-SHA256 (RFC 2104, the first 128 bits) over role, user, time and a nonce. The time is the machine's monotonic
//! clock, which all processes of one system share and nobody sets: so tickets are of one system and of one IPL.

use std::fmt;
use std::fs::{File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use rustix::fs::OFlags;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::host::Logon;
use crate::{JobName, Role, SessionId, Token, UserId};

/// How long a ticket is good for. Ten minutes is what RACF's are known for, not what Debug Manager's are documented to be.
pub const VALID: Duration = Duration::from_secs(600);

/// Debug Manager's private directory in the run directory.
pub const PRIVATE_DIRECTORY: &str = "dbgmgr";
const KEY_FILE: &str = "passticket.key";
const KEY_LENGTH: usize = 32;

/// A one-time proof. It never shows in `Debug` output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PassTicket {
    /// When it was made: monotonic nanoseconds.
    pub made_ns: u64,
    /// Makes two tickets of one moment different.
    pub nonce: Token,
    /// The keyed hash.
    pub mac: Token,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file system said no.
    #[error("PassTicket key {path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// What is there is not a key that can be relied on.
    #[error("PassTicket key {path} is not usable: {found} was found, {expected} was expected")]
    Unusable {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        found: String,
        /// What belongs there.
        expected: &'static str,
    },
}

/// The key of one system. It never shows in `Debug` output.
#[derive(Clone)]
pub struct Key([u8; KEY_LENGTH]);

impl Key {
    /// One with known bytes, for tests.
    pub fn from_bytes(bytes: [u8; KEY_LENGTH]) -> Self {
        Self(bytes)
    }

    /// Reads the key of the system whose run directory this is.
    ///
    /// # Errors
    /// When there is none that may be read, or when somebody else could have read or written it.
    pub fn read(run_dir: &Path) -> Result<Self, KeyError> {
        let path = run_dir.join(PRIVATE_DIRECTORY).join(KEY_FILE);
        let unusable = |found: String, expected| Err(KeyError::Unusable { path: path.clone(), found, expected });
        // Neither a link that somebody has put there nor a pipe is followed or waited for.
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let file = File::options().read(true).custom_flags(flags).open(&path).map_err(at(&path))?;
        let about = file.metadata().map_err(at(&path))?;
        if !about.is_file() || about.mode() & 0o077 != 0 {
            return unusable(format!("mode {:o}", about.mode()), "a file of mode 600");
        }
        let mut bytes = Vec::with_capacity(KEY_LENGTH);
        file.take(KEY_LENGTH as u64 + 1).read_to_end(&mut bytes).map_err(at(&path))?;
        match bytes.try_into() {
            Ok(bytes) => Ok(Self(bytes)),
            Err(found) => unusable(format!("a length of {} bytes", found.len()), "a length of 32 bytes"),
        }
    }

    /// Reads the key, and makes it, and Debug Manager's private directory around it, first where there is none. For Debug Manager.
    ///
    /// # Errors
    /// As [`Self::read`]; and when it is neither this process' user's nor root's, or cannot be made.
    pub fn read_or_make(run_dir: &Path) -> Result<Self, KeyError> {
        let directory = private_directory(run_dir)?;
        let path = directory.join(KEY_FILE);
        if !path.try_exists().map_err(at(&path))? {
            make(&directory, &path)?;
        }
        let key = Self::read(run_dir)?;
        let owner = std::fs::symlink_metadata(&path).map_err(at(&path))?.uid();
        let own = rustix::process::geteuid().as_raw();
        if owner != own && owner != 0 {
            let (found, expected) = (format!("owner {owner}"), "Debug Manager's own user id or root as its owner");
            return Err(KeyError::Unusable { path, found, expected });
        }
        Ok(key)
    }

    /// A logon for a user, good once and for [`VALID`] from now.
    ///
    /// # Errors
    /// When the kernel has no random numbers to give.
    pub fn logon(&self, role: Role, user: &UserId) -> io::Result<Logon> {
        Ok(self.logon_at(role, user, now_ns(), Token::random()?))
    }

    /// The logon that [`Self::logon`] makes at this time with this nonce.
    pub fn logon_at(&self, role: Role, user: &UserId, made_ns: u64, nonce: Token) -> Logon {
        let mac = self.ticket_mac(role, user, made_ns, &nonce);
        Logon { user: user.clone(), ticket: PassTicket { made_ns, nonce, mac } }
    }

    /// Was this logon's ticket made with this key, for this role and user? (Whether it is in time and new is another question.)
    /// Takes the same time wherever it differs.
    pub fn has_made(&self, role: Role, logon: &Logon) -> bool {
        let Logon { user, ticket: PassTicket { made_ns, nonce, mac } } = logon;
        self.ticket_mac(role, user, *made_ns, nonce) == *mac
    }

    /// The secret by which a session is its debugger's, on the handoff socket and when it is announced again. It follows from the
    /// key, so a Debug Manager that has never heard of the session can tell whether an earlier one has given it.
    pub fn claim(&self, session: &SessionId, user: &UserId, job: &JobName) -> Token {
        self.mac(&[b"claim", session.as_str().as_bytes(), user.as_str().as_bytes(), job.as_str().as_bytes()])
    }

    fn ticket_mac(&self, role: Role, user: &UserId, made_ns: u64, nonce: &Token) -> Token {
        let role: &[u8] = match role {
            Role::Miner => b"miner",
            Role::Debugger => b"debugger",
            Role::Manager => b"manager",
            Role::Engine => b"engine",
            Role::Client => b"client",
        };
        self.mac(&[b"ticket", role, user.as_str().as_bytes(), &made_ns.to_be_bytes(), nonce.as_ref()])
    }

    /// Each part goes in with its length, so that no two lists of parts are the same bytes.
    fn mac(&self, parts: &[&[u8]]) -> Token {
        let mut mac = <Hmac<Sha256> as KeyInit>::new(&self.block());
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        let whole: [u8; 32] = mac.finalize().into_bytes().into();
        let mut half = [0; 16];
        half.copy_from_slice(&whole[..16]);
        Token::from_bytes(half)
    }

    /// The key as HMAC takes one: filled up with zeros to SHA-256's block (RFC 2104, section 2).
    fn block(&self) -> hmac::digest::Key<Hmac<Sha256>> {
        let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
        block[..KEY_LENGTH].copy_from_slice(&self.0);
        block
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// The time as tickets have it: nanoseconds of the monotonic clock.
pub fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let (seconds, nanos) = (u64::try_from(now.tv_sec).unwrap_or(0), u64::try_from(now.tv_nsec).unwrap_or(0));
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

/// Debug Manager's directory, which nobody else can enter from now on.
fn private_directory(run_dir: &Path) -> Result<PathBuf, KeyError> {
    std::fs::create_dir_all(run_dir).map_err(at(run_dir))?;
    let directory = run_dir.join(PRIVATE_DIRECTORY);
    match std::fs::DirBuilder::new().mode(0o700).create(&directory) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(at(&directory)(e)),
        _ => {}
    }
    std::fs::set_permissions(&directory, Permissions::from_mode(0o700)).map_err(at(&directory))?;
    Ok(directory)
}

/// Makes the key; of several who do at once, the first one's stays. It gets its name when it is whole.
fn make(directory: &Path, path: &Path) -> Result<(), KeyError> {
    let mut bytes = [0; KEY_LENGTH];
    getrandom::fill(&mut bytes).map_err(io::Error::other).map_err(at(path))?;
    let fresh = directory.join(format!(".{KEY_FILE}-{}", std::process::id()));
    let _ = std::fs::remove_file(&fresh);
    let made = File::options().write(true).create_new(true).mode(0o600).open(&fresh);
    let linked = made.and_then(|mut file| file.write_all(&bytes)).and_then(|()| std::fs::hard_link(&fresh, path));
    let _ = std::fs::remove_file(&fresh);
    match linked {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(at(path)(e)),
        _ => Ok(()),
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> KeyError + use<> {
    let path = path.to_owned();
    move |source| KeyError::Io { path: path.clone(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> UserId {
        name.parse().expect("user")
    }

    #[test]
    fn a_ticket_is_for_one_role_user_time_and_nonce() {
        let key = Key::from_bytes([7; 32]);
        let logon = key.logon_at(Role::Miner, &user("IBMUSER"), 5, Token::from_bytes([1; 16]));
        assert!(key.has_made(Role::Miner, &logon));
        assert!(!key.has_made(Role::Debugger, &logon));
        assert!(!Key::from_bytes([8; 32]).has_made(Role::Miner, &logon));
        let changed = |change: fn(&mut Logon)| {
            let mut other = logon.clone();
            change(&mut other);
            key.has_made(Role::Miner, &other)
        };
        assert!(!changed(|l| l.user = user("OTHER")));
        assert!(!changed(|l| l.ticket.made_ns += 1));
        assert!(!changed(|l| l.ticket.nonce = Token::from_bytes([2; 16])));
        assert!(!changed(|l| l.ticket.mac = Token::from_bytes([0; 16])));
        let shown = format!("{logon:?} {key:?}");
        assert!(!shown.contains(&String::from(logon.ticket.mac.clone())) && shown.contains("Key(..)"), "{shown}");
    }

    /// RFC 4231, test case 2, cut to its first half.
    #[test]
    fn the_hash_is_hmac_sha256() {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(b"Jefe").expect("any length");
        mac.update(b"what do ya want for nothing?");
        assert_eq!(mac.finalize().into_bytes()[..4], [0x5b, 0xdc, 0xc1, 0x46]);
        // And the key is put in as the library puts it in.
        let key = Key::from_bytes([9; 32]);
        let mut same = <Hmac<Sha256> as KeyInit>::new_from_slice(&[9; 32]).expect("any length");
        same.update(&1_u64.to_be_bytes());
        same.update(b"x");
        assert_eq!(key.mac(&[b"x"]).as_ref(), &same.finalize().into_bytes()[..16]);
    }

    #[test]
    fn a_claim_is_of_one_session_user_and_job() {
        let key = Key::from_bytes([7; 32]);
        let claim = |session: &str, user: &str, job: &str| {
            key.claim(&session.parse().expect("id"), &user.parse().expect("user"), &job.parse().expect("job"))
        };
        let right = claim("LPAR1.1", "A", "BC");
        assert_eq!(right, claim("LPAR1.1", "A", "BC"));
        for other in [claim("LPAR1.2", "A", "BC"), claim("LPAR1.1", "AB", "C"), claim("LPAR1.1", "A", "B")] {
            assert_ne!(right, other);
        }
    }

    #[test]
    fn the_key_is_made_once_and_is_nobody_elses() {
        let run = tempfile::tempdir().expect("temp dir");
        assert!(matches!(Key::read(run.path()), Err(KeyError::Io { .. })));
        let made = Key::read_or_make(run.path()).expect("made");
        assert_eq!(Key::read_or_make(run.path()).expect("read").0, made.0);
        assert_eq!(Key::read(run.path()).expect("read").0, made.0);
        let directory = run.path().join("dbgmgr");
        let path = directory.join("passticket.key");
        let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&directory), mode(&path)), (0o700, 0o600));
        assert_eq!(std::fs::read_dir(&directory).expect("there").count(), 1, "nothing else is left");

        std::fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("chmod");
        let error = Key::read(run.path()).expect_err("others may read it");
        assert!(error.to_string().contains("mode 100640 was found"), "{error}");
        std::fs::remove_file(&path).expect("removed");
        for bytes in [&[1; 31][..], &[1; 33], &[]] {
            std::fs::write(&path, bytes).expect("written");
            std::fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("chmod");
            assert!(matches!(Key::read(run.path()), Err(KeyError::Unusable { .. })), "{} bytes", bytes.len());
        }
        std::fs::remove_file(&path).expect("removed");
        std::os::unix::fs::symlink(run.path().join("elsewhere"), &path).expect("link");
        assert!(Key::read_or_make(run.path()).is_err(), "a link is not followed");
    }
}
