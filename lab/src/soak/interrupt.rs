//! SIGINT and SIGTERM end a soak early and in order: no more begins, faults heal, what runs comes to its end, the summary is written.
//! A second one ends it at once.
//!
//! The lab waits in one process and directs in another, and either may get the signal: Ctrl-C reaches both, `kill` the one. So both have
//! the handlers, which write into one pair of sockets, and the director reads.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

/// See the module.
#[derive(Debug)]
pub(super) struct Interrupt {
    came: Arc<AtomicBool>,
    pipe: UnixStream,
}

impl Interrupt {
    /// From now on signals come here; also in the processes that this one forks, until they run another program.
    ///
    /// # Errors
    /// When the system has no sockets or handlers for it.
    pub(super) fn take() -> io::Result<Self> {
        let came = Arc::new(AtomicBool::new(false));
        let (pipe, write) = UnixStream::pair()?;
        pipe.set_nonblocking(true)?;
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds nothing set, and the second what the first has set.
            flag::register_conditional_default(signal, Arc::clone(&came))?;
            flag::register(signal, Arc::clone(&came))?;
            low_level::pipe::register(signal, write.try_clone()?)?;
        }
        Ok(Self { came, pipe })
    }

    /// Has one come to this process?
    pub(super) fn came(&self) -> bool {
        self.came.load(Ordering::Relaxed)
    }

    /// Waits until one has come to this process or to the other.
    ///
    /// # Errors
    /// When that cannot be waited for.
    pub(super) async fn wait(&self) -> io::Result<()> {
        let pipe = tokio::net::UnixStream::from_std(self.pipe.try_clone()?)?;
        loop {
            pipe.readable().await?;
            match pipe.try_read(&mut [0]) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                read => return read.map(drop),
            }
        }
    }
}
