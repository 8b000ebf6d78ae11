//! `lab bench`: figures of this machine, as ratios against the kernel's own floor in the same run.

mod floor;
mod memory;
mod up;

pub use up::up;
