//! The thread that takes packets from the kernel. It does nothing else, so that it is soon back.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::sync::mpsc::{Receiver, Sender, SyncSender};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::time::TimeSpec;
use rustix::time::{ClockId, clock_gettime};

use super::tap::{Taken, Tap};
use crate::flows::{Direction, Flows};

/// Bytes of a packet that are kept; more than any header, and enough of the messages to read them.
const SNAP: usize = 4096;
/// A batch with so many bytes is passed on.
pub(super) const MOST_BYTES: usize = 256 * 1024;
/// One tap is read until a packet arrived so long after the beginning; what comes still later is left for the next time, so
/// that a busy tap does not keep the others waiting. Long enough for packets of several processors not to be in order.
const AFTER: Duration = Duration::from_millis(5);

/// Bytes to the thread: read everything and have that said; or end.
pub(super) const SETTLE: u8 = 1;
pub(super) const END: u8 = 0;

/// From the reader to the ledger.
pub(super) enum Entry {
    /// Packets, in the order in which they were taken.
    Packets(Batch),
    /// Everything until here is wanted.
    Settle(Sender<Flows>),
}

/// Packets of all taps.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) packets: Vec<Packet>,
    /// The bytes of all of them, one after the other.
    pub(super) bytes: Vec<u8>,
    /// Packets that the kernel dropped.
    pub(super) dropped: u64,
}

/// One packet of a batch.
pub(super) struct Packet {
    /// Position of its tap.
    pub(super) tap: usize,
    /// Index of its interface.
    pub(super) interface: usize,
    pub(super) direction: Direction,
    pub(super) is_own: bool,
    /// `CLOCK_MONOTONIC`, nanoseconds.
    pub(super) t_ns: u64,
    /// Its length on the wire.
    pub(super) length: usize,
    /// How many of the batch's bytes are its.
    pub(super) kept: usize,
}

pub(super) struct Reader {
    taps: Vec<Tap>,
    ledger: SyncSender<Entry>,
    batch: Batch,
    buffer: Vec<u8>,
    /// What to take from a packet's wall-clock time to get `CLOCK_MONOTONIC`, in nanoseconds.
    wall_ahead: i128,
}

impl Reader {
    pub(super) fn new(taps: Vec<Tap>, ledger: SyncSender<Entry>) -> Self {
        Self { taps, ledger, batch: Batch::default(), buffer: vec![0; SNAP], wall_ahead: wall_ahead() }
    }

    /// Reads until it is told to end.
    pub(super) fn run(&mut self, wake: &io::PipeReader, requests: &Receiver<Sender<Flows>>) {
        loop {
            let mut fds: Vec<_> =
                self.taps.iter().map(|tap| PollFd::new(tap.socket.as_fd(), PollFlags::POLLIN)).collect();
            fds.push(PollFd::new(wake.as_fd(), PollFlags::POLLIN));
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(_) => return,
            }
            let ready: Vec<bool> =
                fds.iter().map(|fd| fd.revents().is_some_and(|events| events.contains(PollFlags::POLLIN))).collect();
            let asked = ready.last().copied().unwrap_or(false);
            for number in (0..self.taps.len()).filter(|&number| asked || ready[number]) {
                self.drain(number);
            }
            self.pass_on();
            if asked {
                let mut byte = [0];
                let mut wake = wake;
                let end = wake.read(&mut byte).unwrap_or(0) == 0 || byte == [END];
                while let Ok(done) = requests.try_recv() {
                    let _ = self.ledger.send(Entry::Settle(done));
                }
                if end {
                    return;
                }
            }
        }
    }

    /// Reads what one tap holds.
    fn drain(&mut self, number: usize) {
        let enough = wall_ns() + i128::try_from(AFTER.as_nanos()).unwrap_or(0);
        while let Some(taken) = self.taps[number].take(&mut self.buffer) {
            let late = taken.wall.is_some_and(|wall| in_ns(wall) > enough);
            self.keep(number, &taken);
            if late {
                return;
            }
        }
    }

    fn keep(&mut self, tap: usize, taken: &Taken) {
        let &Taken { interface, direction, is_own, wall, length, dropped } = taken;
        self.batch.dropped += u64::from(dropped);
        if !self.taps[tap].interfaces.contains_key(&interface) {
            return;
        }
        let kept = length.min(SNAP);
        self.batch.bytes.extend_from_slice(&self.buffer[..kept]);
        let t_ns = self.monotonic(wall);
        self.batch.packets.push(Packet { tap, interface, direction, is_own, t_ns, length, kept });
        if self.batch.bytes.len() >= MOST_BYTES {
            self.pass_on();
        }
    }

    fn pass_on(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        if batch.dropped > 0 || !batch.packets.is_empty() {
            let _ = self.ledger.send(Entry::Packets(batch));
        }
    }

    fn monotonic(&self, wall: Option<TimeSpec>) -> u64 {
        let Some(wall) = wall else { return crate::monotonic_ns() };
        u64::try_from(in_ns(wall) - self.wall_ahead).unwrap_or(0)
    }
}

/// How far the wall clock is ahead of `CLOCK_MONOTONIC`, in nanoseconds. A change of the wall clock during a run shifts the
/// times of packets against those of events.
fn wall_ahead() -> i128 {
    wall_ns() - i128::from(crate::monotonic_ns())
}

fn wall_ns() -> i128 {
    let wall = clock_gettime(ClockId::Realtime);
    i128::from(wall.tv_sec) * 1_000_000_000 + i128::from(wall.tv_nsec)
}

fn in_ns(wall: TimeSpec) -> i128 {
    i128::from(wall.tv_sec()) * 1_000_000_000 + i128::from(wall.tv_nsec())
}
