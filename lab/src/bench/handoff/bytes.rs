//! Bytes after the handoff: over the client's socket that Debug Manager has passed to a job, against a connection that a program
//! of the same LPAR has accepted itself, by way of the same DVIPA; beside them HAProxy and socat.

use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use dbm_protocol::UserId;
use netns::{NetNs, inside};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::bed::Bed;
use super::jobs::Desk;
use super::others::Others;
use super::users::{Users, With};
use crate::bench::bulk::{self, Way};
use crate::bench::traffic::serve::BULK;

/// How long a handoff may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Bytes in a second, one number for each run.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Bytes {
    pub(super) direct: Vec<f64>,
    pub(super) handed_over: Vec<f64>,
    pub(super) haproxy: Vec<f64>,
    pub(super) socat: Vec<f64>,
}

pub(super) struct Line {
    users: Users,
    linked: mpsc::UnboundedReceiver<TcpStream>,
    desk: Desk,
}

impl Line {
    /// A user whose connections are given to us.
    pub(super) async fn make(bed: &Bed) -> Result<Self, String> {
        let (give, linked) = mpsc::unbounded_channel();
        Ok(Self { users: Users::log_on(bed, "BULK", 1, With::Give(give)).await?, linked, desk: Desk::find(bed)? })
    }

    /// All ways once, one after the other.
    pub(super) async fn round(
        &mut self,
        bed: &Bed,
        others: &Others,
        way: Way,
        time: Duration,
        into: &mut Bytes,
    ) -> Result<(), String> {
        let through = |port| bulk::call(&bed.station, bed.dvipa(port), way, time);
        // Now one of them is first, now the other.
        let direct_first = into.direct.len().is_multiple_of(2);
        if direct_first {
            into.direct.push(through(BULK)?);
        }
        let mut stream = self.hand_over(bed).await?;
        let moved = inside(&bed.station, || bulk::over(&mut stream, way, time));
        into.handed_over.push(moved.map_err(|e| format!("bytes after the handoff: {e}"))?);
        drop(stream);
        if !direct_first {
            into.direct.push(through(BULK)?);
        }
        into.haproxy.extend(others.haproxy.map(|[_, port]| through(port)).transpose()?);
        into.socat.extend(others.socat.map(through).transpose()?);
        Ok(())
    }

    /// A job that takes and sends bytes, and the client's end of its connection.
    async fn hand_over(&mut self, bed: &Bed) -> Result<TcpStream, String> {
        let (desk, jobs, user) = (self.desk.clone(), bed.jobs.clone(), self.users.names[0].clone());
        let job = std::thread::spawn(move || job(&jobs, &desk, &user));
        let linked = timeout(PATIENCE, self.linked.recv()).await.ok().flatten();
        let Some(stream) = linked else {
            self.users.fault()?;
            return Err(format!("awaited a handoff for {PATIENCE:?}"));
        };
        let mut server = job.join().map_err(|_| "a job panicked")??;
        std::thread::spawn(move || bulk::serve(&mut server));
        bulk::limit(&stream).map_err(|e| e.to_string())?;
        Ok(stream)
    }
}

/// Waits for its user's workstation, and takes the socket; its connection to Debug Manager ends with that.
fn job(jobs: &NetNs, desk: &Desk, user: &UserId) -> Result<TcpStream, String> {
    let taken = inside(jobs, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(runtime.block_on(async {
            let linked = desk.wait(user, Ipv4Addr::LOCALHOST).await?.take().await?;
            let engine = linked.engine.into_std().map_err(|e| e.to_string())?;
            engine.set_nonblocking(false).map_err(|e| e.to_string())?;
            Ok(engine)
        }))
    });
    taken.map_err(|e| e.to_string())?
}
