//! What all calls of a series add up to.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// Counts that all calls write to.
#[derive(Debug, Default)]
pub(super) struct Tally {
    answered: AtomicU32,
    complete: AtomicU32,
    bytes: AtomicU64,
    longest_silence_us: AtomicU64,
}

impl Tally {
    /// One more call was greeted.
    pub(super) fn add_answered(&self) {
        self.answered.fetch_add(1, Ordering::Relaxed);
    }

    /// One more call has ended as it should.
    pub(super) fn add_complete(&self) {
        self.complete.fetch_add(1, Ordering::Relaxed);
    }

    /// So many bytes arrived, after so long a silence.
    pub(super) fn add_bytes(&self, bytes: usize, silence: Duration) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.add_silence(silence);
    }

    /// A transfer was silent for so long.
    pub(super) fn add_silence(&self, silence: Duration) {
        let microseconds = u64::try_from(silence.as_micros()).unwrap_or(u64::MAX);
        self.longest_silence_us.fetch_max(microseconds, Ordering::Relaxed);
    }

    pub(super) fn answered(&self) -> u32 {
        self.answered.load(Ordering::Relaxed)
    }

    pub(super) fn complete(&self) -> u32 {
        self.complete.load(Ordering::Relaxed)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(super) fn longest_silence_us(&self) -> u64 {
        self.longest_silence_us.load(Ordering::Relaxed)
    }
}
