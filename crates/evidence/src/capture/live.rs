//! One interface, live: packets are written as they come, with their wall-clock times, for `tshark` and its kind.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::net::netdevice;
use rustix::time::{ClockId, clock_gettime};

use super::tap::{Taken, Tap};
use crate::pcapng::PcapNg;

/// Bytes of a packet that are kept: all of any packet, joined segments included.
const SNAP: usize = 64 * 1024 + 64;

/// Writes, as pcapng, what an interface in the calling thread's network namespace carries: so many packets, or until nobody
/// reads `out` any more. Returns how many the kernel has dropped.
///
/// # Errors
/// When there is no such interface, or the kernel gives no packet socket.
pub fn record(interface: &str, out: impl Write, count: Option<u64>) -> io::Result<u64> {
    let socket = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::DGRAM, None)?;
    let index = netdevice::name_to_index(&socket, interface)?;
    let mut tap = Tap::open("", &[(index, interface)])?;
    let mut file = PcapNg::new(out, interface)?;
    file.flush()?;
    let (mut buffer, mut left, mut dropped) = (vec![0; SNAP], count, 0);
    while left != Some(0) {
        match poll(&mut [PollFd::new(tap.socket.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(e) => return Err(e.into()),
        }
        while left != Some(0)
            && let Some(taken) = tap.take(&mut buffer)
        {
            dropped += u64::from(taken.dropped);
            if taken.interface != index as usize {
                continue;
            }
            let kept = taken.length.min(SNAP);
            match file.packet(wall(&taken), taken.length, &buffer[..kept]) {
                Err(e) if e.kind() == io::ErrorKind::BrokenPipe => return Ok(dropped),
                written => written?,
            }
            left = left.map(|left| left - 1);
        }
        match file.flush() {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => return Ok(dropped),
            flushed => flushed?,
        }
    }
    Ok(dropped)
}

/// When the packet was there, since 1970.
fn wall(taken: &Taken) -> Duration {
    let (seconds, nanoseconds) = match taken.wall {
        Some(wall) => (wall.tv_sec(), wall.tv_nsec()),
        None => {
            let now = clock_gettime(ClockId::Realtime);
            (now.tv_sec, now.tv_nsec)
        }
    };
    Duration::new(u64::try_from(seconds).unwrap_or(0), u32::try_from(nanoseconds).unwrap_or(0))
}
