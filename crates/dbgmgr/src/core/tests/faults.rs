//! A sysplex under whatever faults come, in whatever order: when they are over, the register is right within a retry period.

use dbm_protocol::host::Phase;
use proptest::collection::vec;
use proptest::prelude::*;

use super::cluster::Cluster;
use super::rival::{RETRY_PERIOD, SILENCE, is_right};
use super::*;

const SYSTEMS: usize = 4;

/// One thing that happens; the numbers pick a system, a user, or one of what there is.
#[derive(Clone, Debug)]
enum Happens {
    Logon(usize, u8),
    Logoff(usize),
    Job(usize, u8),
    JobEnds(usize),
    /// The links of a system are cut, and it may connect again at once.
    LinksLost(usize),
    CutOff(usize),
    Heal,
    /// Debug Manager is killed and started; its users and jobs come again.
    Restart(usize),
    Pass(u64),
}

fn happens() -> impl Strategy<Value = Happens> {
    let system = || 0..SYSTEMS;
    prop_oneof![
        4 => (system(), 0..4_u8).prop_map(|(at, user)| Happens::Logon(at, user)),
        2 => any::<usize>().prop_map(Happens::Logoff),
        4 => (system(), 0..4_u8).prop_map(|(at, user)| Happens::Job(at, user)),
        2 => any::<usize>().prop_map(Happens::JobEnds),
        2 => system().prop_map(Happens::LinksLost),
        2 => system().prop_map(Happens::CutOff),
        2 => Just(Happens::Heal),
        2 => system().prop_map(Happens::Restart),
        4 => (0..8 * SECOND).prop_map(Happens::Pass),
    ]
}

/// The sysplex, and who uses it: connections by system.
struct Plex {
    c: Cluster,
    users: Vec<(usize, ConnId, String)>,
    jobs: Vec<(usize, Job, String)>,
}

impl Plex {
    fn logon(&mut self, at: usize, name: String) {
        let miner = self.c.nodes[at].miner(&name);
        self.users.push((at, miner, name));
    }

    fn carry_out(&mut self, what: &Happens) {
        match *what {
            Happens::Logon(at, user) => self.logon(at, format!("U{user}")),
            Happens::Logoff(which) if !self.users.is_empty() => {
                let (at, miner, _) = self.users.remove(which % self.users.len());
                self.c.nodes[at].hang_up(miner);
            }
            Happens::Job(at, user) => {
                let name = format!("U{user}");
                let job = self.c.nodes[at].job(&name);
                self.jobs.push((at, job, name));
            }
            Happens::JobEnds(which) if !self.jobs.is_empty() => {
                let (at, job, _) = self.jobs.remove(which % self.jobs.len());
                self.c.nodes[at].hang_up(job.conn);
            }
            Happens::Logoff(_) | Happens::JobEnds(_) => {}
            Happens::LinksLost(n) => self.c.isolate(n),
            Happens::CutOff(n) => self.c.cut_off(n),
            Happens::Heal => self.c.heal(),
            Happens::Restart(n) => self.restart(n),
            Happens::Pass(ns) => self.c.pass(ns),
        }
        self.c.settle();
    }

    /// Debug Miners register again, debuggers announce their sessions again.
    fn restart(&mut self, n: usize) {
        self.c.restart(n);
        let users: Vec<_> = self.users.extract_if(.., |(at, ..)| *at == n).collect();
        for (_, _, name) in users {
            self.logon(n, name);
        }
        for (at, job, name) in &mut self.jobs {
            if *at == n {
                *job = resume::wait_again(&mut self.c.nodes[n], job, name, Phase::Register, SECOND).0;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn when_the_faults_are_over_all_is_right_within_a_retry_period(all in vec(happens(), 1..60)) {
        let mut plex = Plex { c: Cluster::new(SYSTEMS), users: Vec::new(), jobs: Vec::new() };
        for what in &all {
            plex.carry_out(what);
        }
        // What was cut without a word first has to be missed.
        plex.c.pass(SILENCE);
        plex.c.heal();
        plex.c.pass(RETRY_PERIOD);
        is_right(&plex.c, "in the end");
        let seeks: usize = plex.c.nodes.iter().map(|world| world.manager.seeks.len()).sum();
        let waiting: usize = plex.c.nodes.iter().map(|world| world.manager.sessions.len()).sum();
        prop_assert!(seeks <= waiting, "{seeks} are looked for, {waiting} wait");
    }
}
