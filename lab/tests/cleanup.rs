//! Nothing outlives a lab, whichever of its processes is killed and whenever.
//!
//! Each run starts `lab run scenarios/figure4.toml`, waits for a random moment, kills one process with SIGKILL, and looks at
//! what is left. `CLEANUP_SEED` repeats the choice of moments (the machine's own timing stays its own).

mod common;
#[path = "common/harness.rs"]
mod harness;
#[path = "cleanup/killed.rs"]
mod killed;
#[path = "cleanup/machine.rs"]
mod machine;
#[path = "cleanup/process.rs"]
mod process;

use std::collections::BTreeMap;
use std::time::Duration;

use killed::{Killed, left_alone, run_and_kill};
use libtest_mimic::{Arguments, Failed, Trial};
use machine::Machine;
use process::Victim;

fn main() {
    let mut arguments = Arguments::from_args();
    // One after the other: a child that one is about to start would for a moment hold what the other has open.
    arguments.test_threads = Some(1);
    // Before the first lab: the harness asks `lab doctor`, which makes namespaces as well.
    let before = if arguments.list { Err("not looked at".to_owned()) } else { Machine::look() };
    let trials = vec![
        Trial::test("fifty_killed_labs_leave_nothing", || kill_labs("fifty_killed_labs_leave_nothing", 50)),
        Trial::test("everything_is_as_before", move || everything_is_as_before(&before?)),
    ];
    harness::run(&arguments, trials);
}

/// The strict one: the whole machine is compared, so nobody else may change it meanwhile.
fn everything_is_as_before(before: &Machine) -> Result<(), Failed> {
    if let Some(what) = &before.left_out {
        eprintln!("everything_is_as_before: not compared: {what}");
    }
    kill_labs("everything_is_as_before", 10)?;
    let changed = Machine::look()?.since(before);
    if changed.is_empty() {
        return Ok(());
    }
    Err(format!("expected the machine as it was before 10 killed labs, seen:\n{}", changed.join("\n")).into())
}

fn kill_labs(test: &str, runs: u32) -> Result<(), Failed> {
    let seed = seed();
    let mut random = Random(seed);
    // How long a lab lives on this machine when it goes well, so that every stage of its life has its kills.
    let lives = (0..3).map(|_| left_alone()).collect::<Result<Vec<_>, _>>();
    let lives = lives.map_err(|e| format!("a lab that nobody disturbs: {e}"))?;
    let mut life = lives.into_iter().min().unwrap_or_default();
    let mut kills = BTreeMap::<Victim, u32>::new();
    let (mut over, mut namespaces, mut slowest) = (0, 0, Duration::ZERO);
    for (n, victim) in (1..=runs).zip(Victim::ALL.into_iter().cycle()) {
        loop {
            let moment = life.mul_f64(random.fraction());
            let run = run_and_kill(victim, moment, random.next());
            let Killed { victim, namespaces: seen, gone } = run.map_err(|e| {
                let again = format!("CLEANUP_SEED={seed}");
                format!("run {n} of {runs} ({again}), {victim:?} after {moment:?} of {life:?}: {e}")
            })?;
            if let Some(victim) = victim {
                *kills.entry(victim).or_default() += 1;
                namespaces += seen;
                slowest = slowest.max(gone);
                break;
            }
            // Over before: so long is no life, perhaps because the machine has more time for it than before.
            life = life.min(moment);
            over += 1;
            if over > runs {
                return Err(format!("{over} labs ended before they could be killed, {kills:?} were killed").into());
            }
        }
    }
    eprintln!(
        "{test}: seed {seed}, killed {kills:?} within {life:.0?}, {over} over before, {namespaces} namespaces watched, all gone \
         after {slowest:.1?} at most"
    );
    if namespaces == 0 {
        return Err("no namespace of any lab was seen, so this has shown little".into());
    }
    Ok(())
}

fn seed() -> u64 {
    match std::env::var("CLEANUP_SEED") {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("CLEANUP_SEED is a number, found `{text}`")),
        Err(_) => evidence::monotonic_ns(),
    }
}

/// SplitMix64: few lines, and the same numbers from the same seed for ever.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to 1, in steps of a thousandth.
    fn fraction(&mut self) -> f64 {
        f64::from(u16::try_from(self.next() % 1001).unwrap_or_default()) / 1000.0
    }
}
