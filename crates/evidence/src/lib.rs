//! Evidence: what the processes of the lab say of themselves, and what the kernel shows of them.
//!
//! Every process of the lab, the real Debug Manager included, writes [`Event`]s as JSON lines through an [`Emitter`].
//! All of them read the same clock, the kernel's `CLOCK_MONOTONIC`, so the order of events across LPARs is exact.

mod clock;
mod emitter;
mod event;

pub use clock::monotonic_ns;
pub use emitter::{EVENTS_ENV, Emitter, TASK_ENV};
pub use event::{Event, HubState, Refusal, What};
