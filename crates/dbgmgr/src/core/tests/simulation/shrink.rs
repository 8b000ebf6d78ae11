//! Makes a failing schedule short: takes out steps as long as it still fails (delta debugging, as Zeller and Hildebrandt
//! describe it), then delays, systems and pauses.

use super::schedule::Schedule;

/// A shorter schedule for which `fails` still holds.
pub(super) fn shrink(mut schedule: Schedule, fails: &mut dyn FnMut(&Schedule) -> bool) -> Schedule {
    loop {
        let before = (schedule.steps.len(), schedule.systems, schedule.delays, pauses(&schedule));
        without_steps(&mut schedule, fails);
        simpler(&mut schedule, fails);
        if before == (schedule.steps.len(), schedule.systems, schedule.delays, pauses(&schedule)) {
            return schedule;
        }
    }
}

fn pauses(schedule: &Schedule) -> u64 {
    schedule.steps.iter().map(|step| step.after_ms).sum()
}

/// Keeps a change if the schedule still fails with it.
fn attempt(
    schedule: &mut Schedule,
    fails: &mut dyn FnMut(&Schedule) -> bool,
    change: impl FnOnce(&mut Schedule),
) -> bool {
    let mut changed = schedule.clone();
    change(&mut changed);
    let kept = fails(&changed);
    if kept {
        *schedule = changed;
    }
    kept
}

/// Takes out pieces of half the length, of a quarter, and so on down to single steps.
fn without_steps(schedule: &mut Schedule, fails: &mut dyn FnMut(&Schedule) -> bool) {
    let mut length = schedule.steps.len().div_ceil(2);
    while length > 0 {
        let mut from = 0;
        while from < schedule.steps.len() {
            let to = (from + length).min(schedule.steps.len());
            // The pause of what is taken out stays, or else goes, too.
            let pause: u64 = schedule.steps[from..to].iter().map(|step| step.after_ms).sum();
            let gone = attempt(schedule, fails, |s| drop(s.steps.drain(from..to)))
                || (to < schedule.steps.len()
                    && attempt(schedule, fails, |s| {
                        s.steps[to].after_ms += pause;
                        s.steps.drain(from..to);
                    }));
            if !gone {
                from = to;
            }
        }
        length /= 2;
    }
}

fn simpler(schedule: &mut Schedule, fails: &mut dyn FnMut(&Schedule) -> bool) {
    if schedule.delays {
        attempt(schedule, fails, |s| s.delays = false);
    }
    while schedule.systems > 1 && attempt(schedule, fails, Schedule::without_last_system) {}
    for at in 0..schedule.steps.len() {
        for pause in [0, 100, 1_000] {
            if schedule.steps[at].after_ms <= pause || attempt(schedule, fails, |s| s.steps[at].after_ms = pause) {
                break;
            }
        }
    }
}
