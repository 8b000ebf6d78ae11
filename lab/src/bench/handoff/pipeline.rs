//! A closed loop: so many sessions are under way at any time, each begun when one is done.

use std::future::Future;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::Duration;

use dbm_protocol::UserId;
use evidence::monotonic_ns;
use netns::{NetNs, inside};
use serde::{Deserialize, Serialize};
use tokio::task::LocalSet;

use super::jobs::Desk;

/// One loop for one time.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Loop {
    /// In a second.
    pub(super) per_s: f64,
    /// How many were done.
    pub(super) done: usize,
    /// What is asked for, in milliseconds: half of all took at most the first, 99 of 100 at most the second.
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    /// The same for all of it, from the first connection.
    pub(super) whole_p50_ms: f64,
    pub(super) whole_p99_ms: f64,
}

/// When one of them began, when what is asked for began, and when it was there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) began_ns: u64,
    pub(super) from_ns: u64,
    pub(super) first_ns: u64,
}

/// Handoffs: from `waiting` to the first message of the debug conversation.
pub(super) fn handoffs(
    jobs: &NetNs,
    desk: &Desk,
    users: &[UserId],
    in_flight: usize,
    time: Duration,
) -> Result<Loop, String> {
    let (desk, users) = (desk.clone(), users.to_vec());
    let once = move |number: usize| {
        let (desk, user) = (desk.clone(), users[number % users.len()].clone());
        async move {
            let waiting = desk.wait(&user, Ipv4Addr::LOCALHOST).await?;
            let (began_ns, from_ns) = (waiting.began_ns, waiting.waiting_ns);
            let first_ns = waiting.take().await?.greet().await?;
            Ok(Times { began_ns, from_ns, first_ns })
        }
    };
    keep(jobs, in_flight, time, once)
}

/// Keeps `in_flight` under way for this long, on a thread in this network; those that have begun are waited for.
pub(super) fn keep<F: Future<Output = Result<Times, String>> + 'static>(
    netns: &NetNs,
    in_flight: usize,
    time: Duration,
    once: impl Fn(usize) -> F + Send + 'static,
) -> Result<Loop, String> {
    let begin = monotonic_ns();
    let end = begin + u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let all = inside(netns, move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let once = Rc::new(once);
        let lane = |number: usize| {
            let once = Rc::clone(&once);
            async move {
                let mut times = Vec::new();
                while monotonic_ns() < end {
                    times.push(once(number).await?);
                }
                Ok::<_, String>(times)
            }
        };
        let local = LocalSet::new();
        let lanes: Vec<_> = (0..in_flight).map(|number| local.spawn_local(lane(number))).collect();
        Ok(local.block_on(&runtime, async {
            let mut all = Vec::new();
            for lane in lanes {
                all.extend(lane.await.map_err(|e| e.to_string())??);
            }
            Ok::<_, String>(all)
        }))
    });
    let all = all.map_err(|e| e.to_string())??;
    Ok(figures(&all, monotonic_ns() - begin))
}

fn figures(all: &[Times], took_ns: u64) -> Loop {
    let ms = |from: fn(&Times) -> u64| {
        let mut ms: Vec<f64> =
            all.iter().map(|times| (times.first_ns.saturating_sub(from(times))) as f64 / 1e6).collect();
        ms.sort_by(f64::total_cmp);
        [50, 99].map(|percent| at(&ms, percent))
    };
    let ([p50_ms, p99_ms], [whole_p50_ms, whole_p99_ms]) = (ms(|times| times.from_ns), ms(|times| times.began_ns));
    let per_s = all.len() as f64 / (took_ns as f64 / 1e9);
    Loop { per_s, done: all.len(), p50_ms, p99_ms, whole_p50_ms, whole_p99_ms }
}

/// The value that so many percent of all are not above.
fn at(sorted: &[f64], percent: usize) -> f64 {
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_hundred_one_may_be_longer() {
        let times = |ms: u64| Times { began_ns: 0, from_ns: 1_000_000, first_ns: (ms + 1) * 1_000_000 };
        let all: Vec<Times> = (1..=100).map(times).collect();
        let found = figures(&all, 500_000_000);
        assert_eq!((found.p50_ms, found.p99_ms, found.per_s, found.done), (50.0, 99.0, 200.0, 100));
        assert_eq!((found.whole_p50_ms, found.whole_p99_ms), (51.0, 100.0));
        assert_eq!(figures(&[], 1).p99_ms, 0.0);
    }
}
