//! Runs schedules, many at the same time, until one fails or all are done.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::schedule::Schedule;
use super::shrink::shrink;
use super::world::World;

/// A schedule that fails, as it was found and as short as it can be made.
pub(super) struct Finding {
    pub(super) seed: u64,
    pub(super) found: String,
    pub(super) short: Schedule,
    pub(super) wrong: String,
    pub(super) story: Vec<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}: {}", self.seed, self.found)?;
        writeln!(f, "the shortest schedule found: {}\n{}", self.wrong, self.short)?;
        write!(f, "and what happens then:\n{}", self.story.join("\n"))
    }
}

/// Runs one schedule; what was found to be wrong, and the story if it is wanted.
pub(super) fn run(schedule: &Schedule, story: bool) -> (Option<String>, Vec<String>) {
    let mut world = World::new(schedule.seed, schedule.systems, schedule.delays, story);
    for step in &schedule.steps {
        world.step(step);
    }
    world.end();
    (world.wrong, world.story.unwrap_or_default())
}

/// Runs the schedule of a seed; if it fails, a short one that fails.
pub(super) fn try_seed(seed: u64) -> Option<Finding> {
    let schedule = Schedule::of(seed);
    let found = run(&schedule, false).0?;
    let short = shrink(schedule, &mut |schedule| run(schedule, false).0.is_some());
    let (wrong, story) = run(&short, true);
    Some(Finding { seed, found, short, wrong: wrong.unwrap_or_default(), story })
}

/// Tries the seeds below `count`, with `prepare` called once on each thread before.
pub(super) fn search(count: u64, prepare: impl Fn() + Sync) -> Option<Finding> {
    let (next, over) = (AtomicU64::new(0), AtomicBool::new(false));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let work = || {
            prepare();
            while !over.load(Ordering::Relaxed) {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= count {
                    return None;
                }
                if let Some(finding) = try_seed(seed) {
                    over.store(true, Ordering::Relaxed);
                    return Some(finding);
                }
            }
            None
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let findings = workers.into_iter().filter_map(|worker| worker.join().expect("a worker"));
        findings.min_by_key(|finding| finding.seed)
    })
}
