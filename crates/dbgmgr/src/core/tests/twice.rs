//! A user who is logged on twice: on one system, or on two. The policy stands in `users`.

use super::cluster::Cluster;
use super::*;

#[test]
fn on_one_system_the_later_logon_is_told_and_the_earlier_one_when_that_is_gone() {
    let mut w = World::alone();
    let (first, second) = (w.miner("IBMUSER"), w.miner("IBMUSER"));
    w.job("IBMUSER");
    assert_eq!((w.notices(first).len(), w.notices(second).len()), (0, 1));
    w.hang_up(first);
    assert_eq!(w.notices(second).len(), 1, "that the other one logs off is no news");
    let third = w.miner("IBMUSER");
    assert_eq!(w.notices(third).len(), 0, "what was told stays with whom it was told to");
    w.hang_up(second);
    assert_eq!(w.notices(third).len(), 1);
}

/// Who was told how often, when a job on system `job` waits for a user who is logged on to `logons`, in that order.
fn told(job: usize, logons: &[usize], then_off: &[usize]) -> Vec<usize> {
    let mut c = Cluster::new(4);
    let mut miners = Vec::new();
    for &at in logons {
        miners.push((at, c.nodes[at].miner("IBMUSER")));
        c.settle();
    }
    c.nodes[job].job("IBMUSER");
    c.settle();
    for nth in then_off {
        let (at, miner) = miners[*nth];
        c.nodes[at].hang_up(miner);
        c.settle();
    }
    miners.iter().map(|(at, miner)| c.nodes[*at].notices(*miner).len()).collect()
}

#[test]
fn the_sessions_own_system_goes_first_wherever_it_is_in_the_hub() {
    for job in 0..3 {
        let elsewhere = (job + 1) % 3;
        assert_eq!(told(job, &[job, elsewhere], &[]), [1, 0], "job on {job}");
        assert_eq!(told(job, &[elsewhere, job], &[]), [0, 1], "job on {job}");
        // And when the user leaves it, the other one is told.
        assert_eq!(told(job, &[job, elsewhere], &[0]), [1, 1], "job on {job}");
        assert_eq!(told(job, &[job, elsewhere], &[1]), [1, 0], "job on {job}");
    }
}

#[test]
fn elsewhere_the_most_recent_logon_goes_first_the_primarys_own_too() {
    // The job's system is none of the user's; 0 is the primary.
    for (job, logons) in [(3, [0, 1]), (3, [1, 0]), (3, [1, 2]), (0, [1, 2]), (0, [2, 1]), (1, [0, 2]), (1, [2, 0])] {
        assert_eq!(told(job, &logons, &[]), [0, 1], "job on {job}, logons on {logons:?}");
        assert_eq!(told(job, &logons, &[1]), [1, 1], "job on {job}, logons on {logons:?}, the last one leaves");
        assert_eq!(told(job, &logons, &[0]), [0, 1], "job on {job}, logons on {logons:?}, the first one leaves");
    }
    // Three times, and back to the first.
    assert_eq!(told(3, &[0, 1, 2], &[2, 1]), [1, 1, 1]);
}

/// Found by the simulation: a secondary did not know what the primary had told through the registration that is gone.
#[test]
fn two_logons_on_one_system_and_a_job_elsewhere() {
    for (job, logons) in [(0, 1), (1, 0), (2, 1)] {
        assert_eq!(told(job, &[logons, logons], &[]), [0, 1], "job on {job}, logons on {logons}");
        assert_eq!(told(job, &[logons, logons], &[1]), [1, 1], "job on {job}, logons on {logons}, the last one leaves");
        assert_eq!(
            told(job, &[logons, logons], &[0]),
            [0, 1],
            "job on {job}, logons on {logons}, the first one leaves"
        );
    }
}
