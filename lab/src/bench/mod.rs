//! `lab bench`: figures of this machine, as ratios against the kernel's own floor in the same run where there is one.

mod bulk;
mod distribution;
mod distributor;
mod floor;
mod handoff;
mod kept;
mod memory;
mod realm;
mod traffic;
mod up;

pub use distributor::distributor;
pub use handoff::Handoff;
pub use kept::kept;
pub use traffic::Traffic;
pub use up::up;
