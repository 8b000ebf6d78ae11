//! A soak: users come and go, jobs stop in the debugger on random LPARs, faults come and heal, for hours. Pure: no clock, no
//! network, no chance but a seed's.
//!
//! - [`plan`]: what is to happen, from a seed. [`fault`]: what can go wrong, [`random`]: what does, by chance.
//! - [`model`]: what must be true, all along. [`explain`]: which faults excuse which failures, and for how long.
//!   [`facts`]: what events tell it.
//! - [`budget`]: what must not grow.
//! - [`shrink`]: a failure with few faults instead of many.
//! - [`summary`]: the figures. [`parts`]: those of a soak that was interrupted and resumed.

pub mod budget;
mod chance;
pub mod explain;
pub mod facts;
pub mod fault;
pub mod model;
pub mod parts;
pub mod plan;
pub mod random;
pub mod shrink;
pub mod summary;

pub use chance::Chance;

/// Nanoseconds in a millisecond: plans are in milliseconds from the beginning, events in nanoseconds of `CLOCK_MONOTONIC`.
pub const MS: u64 = 1_000_000;
/// Nanoseconds in a second.
pub const SECOND: u64 = 1_000 * MS;
