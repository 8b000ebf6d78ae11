//! Capture: every packet on every interface of the hosts, by AF_PACKET sockets that were opened inside them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::cmsg_space;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::sockopt::{ReceiveTimestampns, RxqOvfl};
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, recvmsg, setsockopt,
    socket,
};
use nix::sys::time::TimeSpec;
use rustix::time::{ClockId, clock_gettime};

use crate::flows::{Direction, Flows};
use crate::pcapng::PcapNg;

/// Bytes of a packet that are kept; more than any header, and enough of the messages to read them.
const SNAP: usize = 4096;

/// Bytes to the thread: read everything and say so; or end.
const SETTLE: u8 = 1;
const END: u8 = 0;

/// One host's packets: a socket that sees all its interfaces.
#[derive(Debug)]
pub struct Tap {
    socket: OwnedFd,
    system: String,
    /// Interfaces by index; packets on others (the loopback) are passed over.
    interfaces: BTreeMap<usize, String>,
}

impl Tap {
    /// Opens a tap in the calling thread's network namespace.
    ///
    /// # Errors
    /// When the kernel gives no packet socket.
    pub fn open(system: &str, interfaces: &[(u32, &str)]) -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(AddressFamily::Packet, SockType::Raw, flags, SockProtocol::EthAll)?;
        setsockopt(&socket, ReceiveTimestampns, &true)?;
        setsockopt(&socket, RxqOvfl, &1)?;
        let interfaces = interfaces.iter().map(|&(index, name)| (index as usize, name.to_owned()));
        Ok(Self { socket, system: system.to_owned(), interfaces: interfaces.collect() })
    }
}

/// Reads all taps on a thread of its own until it is dropped.
#[derive(Debug)]
pub struct Recorder {
    flows: Arc<Mutex<Flows>>,
    settle: Sender<Sender<()>>,
    wake: io::PipeWriter,
    thread: Option<JoinHandle<()>>,
}

impl Recorder {
    /// Starts reading; with a directory, also writes a pcapng file per interface there.
    ///
    /// # Errors
    /// When the files cannot be made.
    pub fn start(taps: Vec<Tap>, directory: Option<&Path>) -> io::Result<Self> {
        let flows = Arc::new(Mutex::new(Flows::default()));
        let (wake_read, wake) = io::pipe()?;
        let (settle, requests) = channel();
        let mut worker = Worker::new(taps, directory, Arc::clone(&flows))?;
        let thread =
            std::thread::Builder::new().name("capture".into()).spawn(move || worker.run(&wake_read, &requests))?;
        Ok(Self { flows, settle, wake, thread: Some(thread) })
    }

    /// What was captured until now: every packet that was there when the call was made is in it.
    ///
    /// # Errors
    /// When the thread has ended.
    pub fn flows(&mut self) -> io::Result<Flows> {
        use io::Write;
        let (done, wait) = channel();
        let gone = |_| io::Error::other("the capture has ended early");
        self.settle.send(done).map_err(|_| io::Error::other("the capture has ended early"))?;
        self.wake.write_all(&[SETTLE])?;
        wait.recv_timeout(Duration::from_secs(10)).map_err(gone)?;
        let flows = self.flows.lock().map_err(|_| io::Error::other("the capture has panicked"))?;
        Ok(flows.clone())
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        use io::Write;
        let _ = self.wake.write_all(&[END]);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Worker {
    taps: Vec<Tap>,
    files: BTreeMap<(usize, usize), PcapNg<BufWriter<File>>>,
    flows: Arc<Mutex<Flows>>,
    buffer: Vec<u8>,
    dropped: Vec<u32>,
    /// What to take from a packet's wall-clock time to get `CLOCK_MONOTONIC`, in nanoseconds.
    wall_ahead: i128,
}

impl Worker {
    fn new(taps: Vec<Tap>, directory: Option<&Path>, flows: Arc<Mutex<Flows>>) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        for (number, tap) in taps.iter().enumerate() {
            for (&index, name) in &tap.interfaces {
                if let Some(directory) = directory {
                    let path: PathBuf = directory.join(format!("{}-{name}.pcapng", tap.system));
                    let file = BufWriter::new(File::create(path)?);
                    files.insert((number, index), PcapNg::new(file, &format!("{} {name}", tap.system))?);
                }
            }
        }
        let dropped = vec![0; taps.len()];
        Ok(Self { taps, files, flows, buffer: vec![0; SNAP], dropped, wall_ahead: wall_ahead() })
    }

    fn run(&mut self, wake: &io::PipeReader, requests: &Receiver<Sender<()>>) {
        use io::Read;
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
            if asked {
                let mut byte = [0];
                let mut wake = wake;
                let end = wake.read(&mut byte).unwrap_or(0) == 0 || byte == [END];
                self.answer(requests);
                if end {
                    return;
                }
            }
        }
    }

    fn answer(&mut self, requests: &Receiver<Sender<()>>) {
        for file in self.files.values_mut() {
            let _ = file.flush();
        }
        while let Ok(done) = requests.try_recv() {
            let _ = done.send(());
        }
    }

    /// Reads what one tap holds.
    fn drain(&mut self, number: usize) {
        let Ok(mut flows) = self.flows.lock() else { return };
        let tap = &self.taps[number];
        let mut space = cmsg_space!(TimeSpec, u32);
        loop {
            let mut parts = [IoSliceMut::new(&mut self.buffer)];
            let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_TRUNC;
            let Ok(packet) = recvmsg::<LinkAddr>(tap.socket.as_raw_fd(), &mut parts, Some(&mut space), flags) else {
                return; // nothing more, or the host is gone
            };
            let mut wall = None;
            for message in packet.cmsgs().into_iter().flatten() {
                match message {
                    ControlMessageOwned::ScmTimestampns(time) => wall = Some(time),
                    ControlMessageOwned::RxqOvfl(total) => {
                        flows.dropped += u64::from(total.wrapping_sub(self.dropped[number]));
                        self.dropped[number] = total;
                    }
                    _ => {}
                }
            }
            let Some(address) = packet.address else { continue };
            let Some(interface) = tap.interfaces.get(&address.ifindex()) else { continue };
            const OUTGOING: u8 = 4; // PACKET_OUTGOING of packet(7)
            let direction = if address.pkttype() == OUTGOING { Direction::Out } else { Direction::In };
            let length = packet.bytes;
            let t_ns = self.monotonic(wall);
            let frame = &self.buffer[..length.min(SNAP)];
            flows.add(&tap.system, interface, direction, t_ns, frame);
            if let Some(file) = self.files.get_mut(&(number, address.ifindex())) {
                let _ = file.packet(Duration::from_nanos(t_ns), length, frame);
            }
        }
    }

    fn monotonic(&self, wall: Option<TimeSpec>) -> u64 {
        let Some(wall) = wall else { return crate::monotonic_ns() };
        let nanoseconds = i128::from(wall.tv_sec()) * 1_000_000_000 + i128::from(wall.tv_nsec());
        u64::try_from(nanoseconds - self.wall_ahead).unwrap_or(0)
    }
}

/// How far the wall clock is ahead of `CLOCK_MONOTONIC`, in nanoseconds. A change of the wall clock during a run shifts the
/// times of packets against those of events.
fn wall_ahead() -> i128 {
    let wall = clock_gettime(ClockId::Realtime);
    let wall = i128::from(wall.tv_sec) * 1_000_000_000 + i128::from(wall.tv_nsec);
    wall - i128::from(crate::monotonic_ns())
}
