//! Names of sysplexes that are up: abstract Unix sockets, which the kernel lists and forgets.

use std::io;
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, socket_with};

/// Longest name, in bytes; the kernel takes about a hundred for the whole address.
const LONGEST: usize = 48;

/// Checks a name that a user gives.
///
/// # Errors
/// What was found and what was expected.
pub(super) fn check(name: &str) -> Result<(), String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-$@#".contains(&b);
    if (1..=LONGEST).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(());
    }
    let found: String = name.chars().take(LONGEST).flat_map(char::escape_default).collect();
    Err(format!("the name `{found}`: expected 1 to {LONGEST} letters, digits or . _ - $ @ #"))
}

/// The user that this process runs for, as its own user namespace numbers it.
pub(super) fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn prefix(uid: u32) -> String {
    format!("dvipa-lab/{uid}/")
}

fn address(name: &str) -> io::Result<SocketAddrUnix> {
    Ok(SocketAddrUnix::new_abstract_name(format!("{}{name}", prefix(own_uid())).as_bytes())?)
}

/// Takes the name. Nobody can connect yet: the process that calls `listen` is the one that callers see at the other end.
///
/// # Errors
/// `AddrInUse` when somebody has it.
pub(super) fn take(name: &str) -> io::Result<OwnedFd> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    bind(&socket, &address(name)?)?;
    Ok(socket)
}

/// Connects, or fails at once.
///
/// # Errors
/// `ConnectionRefused` when there is none of this name; `WouldBlock` when it takes no more callers.
pub(super) fn dial(name: &str) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    connect(&socket, &address(name)?)?;
    Ok(socket)
}

/// The names that are up in this network namespace and are this user's, in order.
///
/// # Errors
/// When the kernel's list cannot be read.
pub(super) fn all() -> io::Result<Vec<String>> {
    let list = std::fs::read("/proc/net/unix")?;
    Ok(listed(&String::from_utf8_lossy(&list), own_uid()))
}

/// The same from the list, `/proc/net/unix`: `Num RefCount Protocol Flags Type St Inode Path`.
fn listed(list: &str, uid: u32) -> Vec<String> {
    /// Flag of a socket that listens; those of its connections have the same path.
    const ACCEPTS: u32 = 1 << 16;
    let prefix = format!("@{}", prefix(uid));
    let names = list.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let listens = u32::from_str_radix(fields.get(3)?, 16).ok()? & ACCEPTS != 0;
        let name = fields.get(7)?.strip_prefix(&prefix)?;
        (listens && check(name).is_ok()).then(|| name.to_owned())
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listening_sockets_of_this_user_are_names() {
        let list = "\
Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 12345 @dvipa-lab/1000/PLEX2
0000000000000000: 00000003 00000000 00000000 0001 03 12346 @dvipa-lab/1000/PLEX3
0000000000000000: 00000002 00000000 00010000 0001 01 12347 @dvipa-lab/1000/PLEX1
0000000000000000: 00000002 00000000 00010000 0001 01 12348 @dvipa-lab/0/OTHERS
0000000000000000: 00000002 00000000 00010000 0001 01 12349 /run/dvipa-lab/1000/FILE
0000000000000000: 00000002 00000000 00010000 0001 01 12350 @dvipa-lab/1000/a/b
0000000000000000: 00000003 00000000 00000000 0001 03 12351
";
        assert_eq!(listed(list, 1000), ["PLEX1", "PLEX2"]);
        assert_eq!(listed(list, 7), [""; 0]);
    }

    #[test]
    fn names_are_short_and_plain() {
        for good in ["PLEX1", "$X@#", "a.b_c-d"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in ["", "a/b", "a b", "a\n", "ä", &"x".repeat(49)] {
            let problem = check(bad).expect_err(bad);
            assert!(problem.contains("expected 1 to 48") && !problem.contains('\n'), "{problem}");
        }
    }

    #[test]
    fn a_name_is_taken_once() {
        let name = format!("unit-{}", std::process::id());
        let taken = take(&name).expect("free");
        assert_eq!(take(&name).expect_err("taken").kind(), io::ErrorKind::AddrInUse);
        drop(taken);
        take(&name).expect("free again");
    }
}
