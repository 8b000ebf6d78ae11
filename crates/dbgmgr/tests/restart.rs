//! Both Debug Managers of a sysplex go down, by a crash or a stop, while sessions run, wait, and are being linked.
//!
//! Debug Managers are processes; debuggers and Debug Miners are the real ones, in this process. `RESTART_SESSIONS` sets how
//! many sessions run (50 by default).

mod common;
#[path = "common/stubs.rs"]
mod stubs;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use common::{Dbgmgr, ctl, free_ports};
use evidence::{HubState, What};
use rustix::process::Signal;
use stubs::{Seen, Stubs};
use tempfile::TempDir;

struct Plex {
    run: [TempDir; 2],
    ports: [u16; 5],
    up: Vec<Dbgmgr>,
}

impl Plex {
    fn start() -> Self {
        let run = [(), ()].map(|()| tempfile::tempdir().expect("temp dir"));
        let mut plex = Self { run, ports: free_ports(), up: Vec::new() };
        plex.start_both();
        plex
    }

    fn start_both(&mut self) {
        let [host1, client1, host2, client2, hub] = self.ports;
        let hub_port = format!("HUBPORT={hub}");
        let prm = ["HUBIP=127.0.0.1", &hub_port];
        for (run, host, client) in [(&self.run[0], host1, client1), (&self.run[1], host2, client2)] {
            let mut dbgmgr = Dbgmgr::start(run.path(), host, client, &prm);
            dbgmgr.wait_for("a role in the hub", |w| {
                matches!(w, What::Hub { state: HubState::Primary | HubState::Secondary, .. })
            });
            self.up.push(dbgmgr);
        }
    }

    fn down(&mut self, signal: Signal) {
        for dbgmgr in &self.up {
            dbgmgr.signal(signal);
        }
        for dbgmgr in self.up.drain(..) {
            let code = dbgmgr.end().0;
            assert_eq!(code, if signal == Signal::TERM { Some(0) } else { None });
        }
    }

    fn dir(&self, lpar: usize) -> &Path {
        self.run[lpar].path()
    }

    /// Lines of `D,U` that have this in them, on both.
    fn shown(&self, what: &str) -> usize {
        let lines = |run: &TempDir| ctl(run.path(), &["D,U"]).1.lines().filter(|line| line.contains(what)).count();
        self.run.iter().map(lines).sum()
    }
}

/// Where the user of session `n` is, and where its job: all four combinations take turns.
fn places(n: usize) -> (usize, usize) {
    (n % 2, n / 2 % 2)
}

fn sessions_survive(signal: Signal) {
    let running: usize = std::env::var("RESTART_SESSIONS").map_or(50, |n| n.parse().expect("a number"));
    let linking = running.div_ceil(5);
    let mut plex = Plex::start();
    let stubs = Stubs::new();
    let submit = |plex: &Plex, n: usize| {
        let (user, job) = places(n);
        stubs.logon(&format!("U{n}"), plex.dir(user));
        stubs.submit(&format!("J{n}"), &format!("U{n}"), plex.dir(job));
    };
    (0..running).for_each(|n| submit(&plex, n));
    let mut standing = BTreeMap::new();
    let all_stand = |standing: &mut BTreeMap<String, Instant>, all: usize| {
        stubs.until(&format!("{all} programs at their breakpoints"), |seen| {
            if let Seen::Stopped { session, at } = seen {
                assert_eq!(standing.insert(session.clone(), at), None, "{session} is linked twice");
            }
            (standing.len() == all).then_some(())
        });
    };
    all_stand(&mut standing, running);
    // One waits for a user who is not there, and some are on their way at the moment.
    stubs.submit("LATE", "LATE", plex.dir(1));
    plex.up[1].wait_for("the job that waits", |w| matches!(w, What::SessionWaiting { user, .. } if user == "LATE"));
    (running..running + linking).for_each(|n| submit(&plex, n));
    stubs.until("one of those that are being linked", |seen| match seen {
        Seen::Stopped { session, at } => {
            assert_eq!(standing.insert(session, at), None);
            Some(())
        }
        Seen::Accepted => Some(()),
        _ => None,
    });
    plex.down(signal);
    stubs.answers(5 * running as u64);

    plex.start_both();
    let up = Instant::now();
    // For a user who was logged on before, from the other system: both registration and hub are made again for it.
    let other = 1 - places(0).0;
    stubs.submit("NEW", "U0", plex.dir(other));
    let new = plex.up[other].wait_for("the new session", |w| matches!(w, What::Linked { job, .. } if job == "NEW"));
    let What::Linked { session: new, .. } = new else { unreachable!("just looked at") };
    all_stand(&mut standing, running + linking + 1);
    // With its first answers, up to the breakpoint.
    let took = standing[&new] - up;
    stubs.logon("LATE", plex.dir(0));
    all_stand(&mut standing, running + linking + 2);
    let until = Instant::now() + common::DEADLINE;
    // A session that runs is announced when its debugger finds Debug Manager, and a user by his Debug Miner; one of them has two
    // sessions.
    let shown = |plex: &Plex| ["connected to Probe", "RegisterSocket", "waits for"].map(|what| plex.shown(what));
    while shown(&plex) != [standing.len(), standing.len() - 1, 0] {
        assert!(Instant::now() < until, "{:?} are shown, with {} sessions", shown(&plex), standing.len());
    }
    let (asked, answered) = stubs.finish(standing.len());
    println!("{running} ran, {linking} were being linked; a new one took {took:?}; {answered} of {asked} answers");
    assert_eq!(asked, answered);
}

#[test]
fn sessions_survive_a_crash_of_both_debug_managers() {
    sessions_survive(Signal::KILL);
}

#[test]
fn sessions_survive_a_stop_of_both_debug_managers() {
    sessions_survive(Signal::TERM);
}
