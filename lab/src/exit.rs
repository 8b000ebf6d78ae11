//! Exit statuses of `lab`.

/// Everything passed.
pub const PASSED: u8 = 0;
/// A scenario failed, or its evidence is inconclusive.
pub const FAILED: u8 = 1;
/// The input is wrong: a scenario, a topology, a flag.
pub const BAD_INPUT: u8 = 2;
/// It was told to end early, and did so in order: 128 + SIGINT, as shells say it.
pub const INTERRUPTED: u8 = 130;
/// This machine cannot run it; `lab doctor` says what is missing.
pub const CANNOT_RUN: u8 = 3;
