//! Jobs that wait for users who are not logged on, all on one Debug Manager: what they weigh, and what a new handoff feels of them.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use dbm_protocol::UserId;
use netns::inside;
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::LocalSet;

use super::bed::Bed;
use super::jobs::Desk;
use super::pipeline::{self, Loop};
use super::program::memory;
use super::users::{Users, With};

/// Sessions of one user; Debug Manager takes 64.
const EACH: usize = 50;
/// Jobs that turn to Debug Manager at the same time.
const AT_ONCE: usize = 64;
/// Where these jobs' connections come from, so that the others have all ports of their own address.
const FROM: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// The same, idle and with dormant sessions.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Dormant {
    pub(super) sessions: usize,
    /// RSS and PSS of the Debug Manager that has them, in bytes.
    pub(super) idle: [u64; 2],
    pub(super) with_them: [u64; 2],
    /// The same of the primary, which looks for their users.
    pub(super) primary_idle: [u64; 2],
    pub(super) primary_with_them: [u64; 2],
    /// New handoffs, one at a time, run by run.
    pub(super) handoffs_idle: Vec<Loop>,
    pub(super) handoffs_with_them: Vec<Loop>,
}

/// Measures in a sysplex that has done nothing else.
pub(super) async fn measure(bed: &Bed, sessions: usize, runs: u32, time: Duration) -> Result<Dormant, String> {
    let desk = Desk::find(bed)?;
    let users = Users::log_on(bed, "U", 4, With::Greet).await?;
    let handoff =
        || pipeline::handoffs(&bed.jobs, &desk, &users.names, 1, time).and_then(|it| users.fault().map(|()| it));
    let [primary, manager] = [&bed.managers[0], &bed.managers[1]].map(|it| it.pid);
    let mut found = Dormant { sessions, ..Dormant::default() };
    handoff()?;
    for _ in 0..runs {
        found.handoffs_idle.push(handoff()?);
    }
    (found.idle, found.primary_idle) = (memory(manager)?, memory(primary)?);
    let _jobs = wait(bed, &desk, sessions).await?;
    (found.with_them, found.primary_with_them) = (memory(manager)?, memory(primary)?);
    for _ in 0..runs {
        found.handoffs_with_them.push(handoff()?);
    }
    Ok(found)
}

/// The jobs; dropping it ends them.
struct Jobs(#[expect(dead_code, reason = "is dropped")] oneshot::Sender<()>);

async fn wait(bed: &Bed, desk: &Desk, sessions: usize) -> Result<Jobs, String> {
    let (stop, stopped) = oneshot::channel::<()>();
    let (there, all) = oneshot::channel();
    let (desk, jobs) = (desk.clone(), bed.jobs.clone());
    std::thread::spawn(move || {
        inside(&jobs, || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            LocalSet::new().block_on(&runtime, async {
                let waiting = begin(&desk, sessions).await;
                let (result, _held) = waiting.map_or_else(|why| (Err(why), Vec::new()), |held| (Ok(()), held));
                let _ = there.send(result);
                let _ = stopped.await;
            });
            Ok(())
        })
    });
    all.await.map_err(|_| "the jobs' thread ended".to_owned())??;
    Ok(Jobs(stop))
}

async fn begin(desk: &Desk, sessions: usize) -> Result<Vec<super::jobs::Waiting>, String> {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut coming = Vec::new();
    for number in 0..sessions {
        let user: UserId = format!("D{}", number / EACH).parse().map_err(|e| format!("{e}"))?;
        let place = Arc::clone(&places).acquire_owned().await.map_err(|e| e.to_string())?;
        let desk = desk.clone();
        coming.push(tokio::task::spawn_local(async move {
            let waiting = desk.wait(&user, FROM).await;
            drop(place);
            waiting
        }));
    }
    let mut held = Vec::with_capacity(sessions);
    for job in coming {
        held.push(job.await.map_err(|e| e.to_string())??);
    }
    Ok(held)
}
