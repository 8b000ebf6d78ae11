//! Every connection is a descriptor.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are not connections.
const OTHERS: u64 = 32;

/// Takes as many as the system gives.
///
/// # Errors
/// When that is not enough for so many connections.
pub fn take(connections: u64) -> Result<(), String> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).map_err(|e| format!("RLIMIT_NOFILE: {e}"))?;
    let needed = connections + OTHERS;
    match maximum {
        Some(most) if most < needed => {
            Err(format!("{needed} file descriptors are needed, this process may have {most} (`ulimit -Hn`)"))
        }
        _ => Ok(()),
    }
}
