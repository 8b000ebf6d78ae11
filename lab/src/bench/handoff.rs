//! `lab bench handoff`: Debug Manager's handoff, as its own programs do it on two LPARs: bytes after it, how many in a second and
//! how soon, and what many dormant sessions weigh. HAProxy and socat, as a site would put them there, are measured in the same run.
//!
//! The users (client and engine) and the jobs (debugger) are played by two threads of the bench, which speak to the RSE daemon and to
//! Debug Manager as the stubs do: logon and notice by way of RSE, PassTickets, tokens, claims and the socket passed on are all there.

mod bed;
mod bytes;
mod dormant;
mod jobs;
mod others;
mod pipeline;
mod program;
mod report;
mod users;

use std::path::PathBuf;
use std::time::Duration;

use netns::Network;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};

use super::bulk::Way;
use super::realm::{in_realm, on_runtime};
use super::traffic;
use crate::backends::{Choice, Known};
use crate::{exit, programs};
use bed::Bed;
use bytes::{Bytes, Line};
use dormant::Dormant;
use others::Others;
use pipeline::Loop;
use users::{Users, With};

/// Users who are logged on; each may have 64 sessions.
const USERS: usize = 64;
/// Each way is gone once before it is measured.
const WARM_UP: Duration = Duration::from_millis(200);
/// Descriptors of one dormant session on Debug Manager: its HOST connection. (It is claimed when its user was told.)
const DESCRIPTORS_EACH: usize = 1;
/// What else a process holds.
const DESCRIPTORS_MORE: usize = 500;

/// What is measured, and for how long.
#[derive(Clone, Debug, clap::Args)]
pub struct Handoff {
    /// What distributes connections in the kernel
    #[arg(long, value_enum, default_value_t = Choice::Auto)]
    pub(crate) backend: Choice,
    /// Measure this only
    #[arg(long, value_enum)]
    only: Option<Part>,
    /// How often each is measured, in turn; medians and the worst are printed
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: u32,
    /// How long each measurement takes
    #[arg(long = "for", value_name = "DURATION", default_value = "1s", value_parser = traffic::duration)]
    time: Duration,
    /// Sessions in flight: so many are under way at any time, each begun when one is done (a closed loop)
    #[arg(long, value_name = "N,N", value_delimiter = ',', default_value = "1,100,1000", value_parser = clap::value_parser!(u32).range(1..=2000))]
    in_flight: Vec<u32>,
    /// Dormant sessions on one Debug Manager
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=12_000))]
    dormant: u32,
    /// One JSON object on standard output
    #[arg(long)]
    json: bool,
}

/// What may be measured alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Bytes after the handoff
    Bytes,
    /// How many handoffs, and how soon
    Rate,
    /// Dormant sessions
    Dormant,
}

/// What the realm in which there is traffic reports.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Measured {
    to_client: Bytes,
    to_server: Bytes,
    /// One for each number of sessions in flight.
    rates: Vec<Rates>,
    haproxy: bool,
    socat: bool,
}

/// The runs with one number of sessions in flight.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Rates {
    in_flight: u32,
    handoffs: Vec<Loop>,
    haproxy: Vec<Loop>,
    /// Processor time of each handoff, in microseconds, run by run.
    processor: Vec<Processor>,
}

/// Processor time of one handoff, in microseconds.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Processor {
    /// Debug Manager where the job is.
    jobs_manager: f64,
    /// Debug Manager where the user is.
    users_manager: f64,
    rsed: f64,
}

impl Handoff {
    /// Runs the benchmark on one backend; returns the exit status.
    pub(crate) fn run(&self, backend: &Known) -> u8 {
        let load = others::load();
        let room = raise_descriptor_limit();
        match self.measured(backend, room) {
            Ok((measured, dormant)) => {
                report::say(self, backend, load, measured.as_ref(), dormant.as_ref());
                exit::PASSED
            }
            Err(why) => {
                crate::note!("error: {}: {why}", backend.name);
                exit::CANNOT_RUN
            }
        }
    }

    fn measured(&self, backend: &Known, room: usize) -> Result<(Option<Measured>, Option<Dormant>), String> {
        let bin_dir = programs::own_directory()?;
        let (what, known, dir) = (self.clone(), *backend, bin_dir.clone());
        let measured = if self.only == Some(Part::Dormant) {
            None
        } else {
            Some(in_realm(move |realm| on_runtime(what.traffic(realm, &known, dir)))?.0)
        };
        let needed = self.dormant as usize * DESCRIPTORS_EACH + DESCRIPTORS_MORE;
        let dormant = if self.only.is_some_and(|only| only != Part::Dormant) {
            None
        } else if room < needed {
            crate::note!(
                "dormant sessions: not measured: {room} descriptors a process, {needed} are needed (`ulimit -Hn`)"
            );
            None
        } else {
            let (what, known) = (self.clone(), *backend);
            Some(in_realm(move |realm| on_runtime(what.dormant(realm, &known, bin_dir)))?.0)
        };
        Ok((measured, dormant))
    }

    async fn dormant(self, realm: &Network, backend: &Known, bin_dir: PathBuf) -> Result<Dormant, String> {
        let bed = Bed::make(realm, backend, bin_dir, &[]).await?;
        dormant::measure(&bed, self.dormant as usize, self.runs, self.time).await
    }

    async fn traffic(self, realm: &Network, backend: &Known, bin_dir: PathBuf) -> Result<Measured, String> {
        let bed = Bed::make(realm, backend, bin_dir, &others::PORTS).await?;
        let others = Others::start(&bed).await?;
        let rates = self.in_flight.iter().map(|&in_flight| Rates { in_flight, ..Rates::default() }).collect();
        let (haproxy, socat) = (others.haproxy.is_some(), others.socat.is_some());
        let mut measured = Measured { rates, haproxy, socat, ..Measured::default() };
        let rounds = Rounds {
            line: Line::make(&bed).await?,
            users: Users::log_on(&bed, "USER", USERS, With::Greet).await?,
            desk: jobs::Desk::find(&bed)?,
            bed,
            others,
        };
        self.rounds(rounds, &mut measured).await?;
        Ok(measured)
    }

    async fn rounds(&self, mut rounds: Rounds, measured: &mut Measured) -> Result<(), String> {
        let is_wanted = |part| self.only.is_none_or(|only| only == part);
        for run in 0..=self.runs {
            // The first is not counted.
            let time = if run == 0 { WARM_UP.min(self.time) } else { self.time };
            if is_wanted(Part::Bytes) {
                rounds.bytes(time, measured).await?;
            }
            if is_wanted(Part::Rate) {
                measured.rates.iter_mut().try_for_each(|rates| rounds.rate(time, rates))?;
            }
            if run == 0 {
                measured.forget();
            }
        }
        Ok(())
    }
}

impl Measured {
    /// What was only to warm up.
    fn forget(&mut self) {
        (self.to_client, self.to_server) = Default::default();
        for rates in &mut self.rates {
            *rates = Rates { in_flight: rates.in_flight, ..Rates::default() };
        }
    }
}

/// All that takes part in a round.
struct Rounds {
    line: Line,
    users: Users,
    desk: jobs::Desk,
    bed: Bed,
    others: Others,
}

impl Rounds {
    async fn bytes(&mut self, time: Duration, into: &mut Measured) -> Result<(), String> {
        let Self { line, bed, others, .. } = self;
        line.round(bed, others, Way::ToClient, time, &mut into.to_client).await?;
        line.round(bed, others, Way::ToServer, time, &mut into.to_server).await
    }

    fn rate(&self, time: Duration, into: &mut Rates) -> Result<(), String> {
        let Self { bed, desk, users, others, .. } = self;
        let in_flight = into.in_flight as usize;
        let pids = [&bed.managers[1], &bed.managers[0], &bed.rsed].map(|program| program.pid);
        let before = pids.map(program::processor_ns);
        let handoffs = pipeline::handoffs(&bed.jobs, desk, &users.names, in_flight, time);
        let handoffs = handoffs.map_err(|why| format!("{in_flight} in flight: {why}"));
        // What went wrong at the other end says more.
        users.fault().map_err(|why| format!("{in_flight} in flight: {why} ({handoffs:?})"))?;
        let handoffs = handoffs?;
        let each = |at: usize| {
            let ns = program::processor_ns(pids[at]).saturating_sub(before[at]);
            ns as f64 / 1000.0 / handoffs.done.max(1) as f64
        };
        into.processor.push(Processor { jobs_manager: each(0), users_manager: each(1), rsed: each(2) });
        into.handoffs.push(handoffs);
        if let Some([greets, _]) = others.haproxy {
            match others::connections(bed, greets, in_flight, time) {
                Ok(connections) => into.haproxy.push(connections),
                // What is measured here goes on without it.
                Err(why) => crate::note!("HAProxy, {in_flight} in flight: left out: {why}"),
            }
        }
        Ok(())
    }
}

/// Takes as many descriptors as the system gives, and more where it may; the programs in the LPARs inherit that. Returns how many
/// a process has.
fn raise_descriptor_limit() -> usize {
    const WANTED: u64 = 65_536;
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let more = maximum.map(|maximum| maximum.max(WANTED));
    let tries = [more, maximum].map(|most| Rlimit { current: most, maximum: most });
    let _ = tries.into_iter().any(|limit| setrlimit(Resource::Nofile, limit).is_ok());
    getrlimit(Resource::Nofile).current.map_or(usize::MAX, |now| usize::try_from(now).unwrap_or(usize::MAX))
}
