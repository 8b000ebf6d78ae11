//! Capture: every packet on every interface of the hosts, by AF_PACKET sockets that were opened inside them.
//!
//! Two threads, so that packets are not lost while others are being looked at: the [`reader`] takes them from the kernel, the
//! [`ledger`] counts them and writes them to files.

mod ledger;
mod live;
mod reader;
mod tap;

use std::io::{self, Write};
use std::path::Path;
use std::sync::mpsc::{Sender, channel, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crate::flows::Flows;
use ledger::Ledger;
pub use live::record;
use reader::{END, Reader, SETTLE};
pub use tap::Tap;

/// Batches of packets between the two threads; each has at most [`reader::MOST_BYTES`] bytes and one packet more. When
/// they are all there the reader waits, and the kernel counts what it loses.
const BATCHES: usize = 128;

/// Reads all taps until it is dropped.
#[derive(Debug)]
pub struct Recorder {
    settle: Sender<Sender<Flows>>,
    wake: io::PipeWriter,
    threads: Vec<JoinHandle<()>>,
}

impl Recorder {
    /// Starts reading; with a directory, also writes a pcapng file per interface there.
    ///
    /// # Errors
    /// When the files cannot be made.
    pub fn start(taps: Vec<Tap>, directory: Option<&Path>) -> io::Result<Self> {
        let (wake_read, wake) = io::pipe()?;
        let (settle, requests) = channel();
        let (batches, arriving) = sync_channel(BATCHES);
        let ledger = Ledger::new(&taps, directory)?;
        let mut reader = Reader::new(taps, batches);
        let ledger = Builder::new().name("capture-ledger".into()).spawn(move || ledger.run(&arriving))?;
        let reader = Builder::new().name("capture".into()).spawn(move || reader.run(&wake_read, &requests))?;
        Ok(Self { settle, wake, threads: vec![reader, ledger] })
    }

    /// What was captured until now: every packet that was there when the call was made is in it.
    ///
    /// # Errors
    /// When a thread has ended, or does not answer.
    pub fn flows(&mut self) -> io::Result<Flows> {
        let (done, wait) = channel();
        self.settle.send(done).map_err(|_| io::Error::other("the capture has ended early"))?;
        self.wake.write_all(&[SETTLE])?;
        wait.recv_timeout(Duration::from_secs(10)).map_err(|e| io::Error::other(format!("the capture: {e}")))
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.wake.write_all(&[END]);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
