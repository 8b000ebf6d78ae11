//! A deterministic simulation: several Debug Managers with their Debug Miners, debuggers, engines, strangers and operators, over
//! connections on which messages are delayed and lost, on systems that crash, are cut off and come back. All chance comes from
//! one seed.
//!
//! What must hold, whatever happens: no session is lost, none is linked twice, none to another user, none by another LPAR's
//! Debug Manager, no token serves twice; one retry period after everything is healed every session's user was told if he is logged
//! on anywhere; and in the end nothing is left. A schedule that fails is made short and printed.
//!
//! `SIMULATION_SCHEDULES` says how many schedules are run, `SIMULATION_SEED` runs that one.

mod actions;
mod chance;
mod ending;
mod engines;
mod hub_links;
mod jobs;
mod judge;
mod miners;
mod planted;
mod schedule;
mod search;
mod shrink;
mod systems;
mod wires;
mod world;

use search::{search, try_seed};

/// So many that it takes some seconds.
const USUALLY: u64 = 20_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|e| panic!("{name}={text}: {e}")))
}

#[test]
fn no_schedule_breaks_what_must_hold() {
    let finding = match number("SIMULATION_SEED") {
        Some(seed) => try_seed(seed),
        None => search(number("SIMULATION_SCHEDULES").unwrap_or(USUALLY), || {}),
    };
    if let Some(finding) = finding {
        panic!("{finding}\nonce more: SIMULATION_SEED={} cargo test -p dbgmgr --lib simulation", finding.seed);
    }
}
