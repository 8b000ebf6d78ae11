//! The nine steps of Figure 4 ("Distributed Dynamic VIPA", communication example), found in the events of a run. Pure.

use std::net::SocketAddr;

use evidence::{Event, What};
use serde::{Deserialize, Serialize};

use super::result::StepSeen;

/// Whose handoff.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handoff {
    /// The job.
    pub job: String,
    /// The LPAR that it runs on.
    pub on: String,
    /// The user whose workstation it asks for; the client's task has this name.
    pub user: String,
}

/// One step, when it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its number.
    pub n: u8,
    /// What happened.
    pub name: String,
    /// When, `CLOCK_MONOTONIC`; nothing for a step that this handoff does not need.
    pub t_ns: Option<u64>,
}

/// What each step is when it was not seen.
const EXPECTED: [&str; 9] = [
    "the client dials the RSE daemon at the DVIPA",
    "the distributor picks an LPAR for the logon",
    "the Debug Miner there registers the user with Debug Manager",
    "the debugger in the job tells its Debug Manager that a session waits",
    "that Debug Manager asks the others, with its own external port",
    "the user's Debug Manager notifies its Debug Miner",
    "the RSE server notifies the client, with the port",
    "the client's engine dials the DVIPA at that port and reaches the job's LPAR",
    "Debug Manager links the client's connection with the debugger",
];

/// Which steps each step follows from. A job may be submitted before its user logs on, so 4 does not follow from 3.
const FOLLOWS: [&[usize]; 9] = [&[], &[1], &[2], &[], &[4], &[3, 4, 5], &[6], &[7], &[8]];

/// The steps that were seen, by number.
pub fn seen(events: &[Event], handoff: &Handoff) -> [Option<Seen>; 9] {
    let steps = Steps { events, handoff };
    let mut found = [const { None }; 9];
    let Some(logon) = steps.logon() else {
        found[3] = steps.waiting().map(|(seen, _)| seen);
        return found;
    };
    let (lpar, _) = &logon;
    found[0] = steps.dialled();
    found[1] = Some(logon.1.clone());
    found[2] = steps.registered(lpar);
    if let Some((waiting, session)) = steps.waiting() {
        found[3] = Some(waiting);
        found[4] = steps.asked(session, lpar);
        found[5] = steps.miner_notified(session, lpar);
        found[6] = steps.client_notified(session, lpar);
        found[7] = steps.engine_connected(session);
        found[8] = steps.linked(session);
    }
    found
}

/// The nine steps as they are reported; times from `start_ns` on.
pub fn report(events: &[Event], handoff: &Handoff, start_ns: u64) -> Vec<StepSeen> {
    let found = seen(events, handoff);
    let times: Vec<Option<u64>> = found.iter().map(|step| step.as_ref().and_then(|step| step.t_ns)).collect();
    let in_order =
        |index: usize, t_ns: u64| FOLLOWS[index].iter().all(|&n| times[n - 1].is_none_or(|before| before <= t_ns));
    let all_before = |index: usize| FOLLOWS[index].iter().all(|&n| found[n - 1].is_some());
    let steps = found.iter().enumerate().map(|(index, step)| StepSeen {
        n: number(index),
        name: step.as_ref().map_or_else(|| format!("not seen: {}", EXPECTED[index]), |step| step.name.clone()),
        at_ms: step.as_ref().and_then(|step| step.t_ns).map(|t_ns| ms_since(start_ns, t_ns)),
        ok: step.as_ref().is_some_and(|step| all_before(index) && step.t_ns.is_none_or(|t_ns| in_order(index, t_ns))),
        job: handoff.job.clone(),
    });
    steps.collect()
}

/// Milliseconds, to the microsecond; negative when it was before.
pub fn ms_since(start_ns: u64, t_ns: u64) -> f64 {
    let micros = (i128::from(t_ns) - i128::from(start_ns)) / 1000;
    micros as f64 / 1000.0
}

fn number(index: usize) -> u8 {
    u8::try_from(index + 1).unwrap_or(u8::MAX)
}

struct Steps<'a> {
    events: &'a [Event],
    handoff: &'a Handoff,
}

impl<'a> Steps<'a> {
    fn find(&self, n: u8, pick: impl Fn(&'a Event) -> Option<String>) -> Option<Seen> {
        self.events.iter().find_map(|event| Some(Seen { n, name: pick(event)?, t_ns: Some(event.t_ns) }))
    }

    fn dialled(&self) -> Option<Seen> {
        self.find(1, |event| match &event.what {
            What::Dialling { what, address } if what == "rsed" && event.task == self.handoff.user => {
                Some(format!("the client on {} dials the RSE daemon at {address}", event.system))
            }
            _ => None,
        })
    }

    /// The LPAR of the logon, and the step.
    fn logon(&self) -> Option<(String, Seen)> {
        self.events.iter().find_map(|event| match &event.what {
            What::Logon { user, local, .. } if *user == self.handoff.user => {
                let name = format!("the distributor picks {} for {local}", event.system);
                Some((event.system.clone(), Seen { n: 2, name, t_ns: Some(event.t_ns) }))
            }
            _ => None,
        })
    }

    fn registered(&self, lpar: &str) -> Option<Seen> {
        self.find(3, |event| match &event.what {
            What::UserRegistered { user } if *user == self.handoff.user && event.system == lpar => {
                Some(format!("the Debug Miner on {lpar} registers {user} with Debug Manager"))
            }
            _ => None,
        })
    }

    /// The step, and the session's id.
    fn waiting(&self) -> Option<(Seen, &'a str)> {
        self.events.iter().find_map(|event| match &event.what {
            What::SessionWaiting { session, user, job, .. } if *job == self.handoff.job => {
                let name = format!("{job} on {} waits for a workstation of {user}", event.system);
                Some((Seen { n: 4, name, t_ns: Some(event.t_ns) }, session.as_str()))
            }
            _ => None,
        })
    }

    fn asked(&self, wanted: &str, lpar: &str) -> Option<Seen> {
        let asked = self.find(5, |event| match &event.what {
            What::HubAsked { session, user, port } if session == wanted => {
                Some(format!("Debug Manager on {} asks the others for {user}, with its port {port}", event.system))
            }
            _ => None,
        });
        asked.or_else(|| {
            let same = lpar == self.handoff.on;
            same.then(|| Seen {
                n: 5,
                name: format!("not needed: {} is logged on to {lpar} itself", self.handoff.user),
                t_ns: None,
            })
        })
    }

    fn miner_notified(&self, wanted: &str, lpar: &str) -> Option<Seen> {
        self.find(6, |event| match &event.what {
            What::MinerNotified { session, port, .. } if session == wanted && event.system == lpar => {
                Some(format!("Debug Manager on {lpar} tells its Debug Miner: a session on port {port}"))
            }
            _ => None,
        })
    }

    fn client_notified(&self, wanted: &str, lpar: &str) -> Option<Seen> {
        self.find(7, |event| match &event.what {
            What::ClientNotified { session, port, .. } if session == wanted => {
                Some(format!("the RSE server on {lpar} tells the client: port {port}"))
            }
            _ => None,
        })
    }

    fn engine_connected(&self, wanted: &str) -> Option<Seen> {
        // Others may dial that port, too. The engine's connection is known by its end there: the one that was linked, or, as long
        // as none was, one that the client itself says it has. (Behind address translation that is known from the link only.)
        let linked = self.events.iter().find_map(|event| match &event.what {
            What::Linked { session, peer, .. } if session == wanted => Some(*peer),
            _ => None,
        });
        let own = |peer: &SocketAddr| {
            self.events.iter().any(|event| {
                let is_own =
                    matches!(&event.what, What::Connected { what, local, .. } if what == "engine" && local == peer);
                is_own && event.task == self.handoff.user
            })
        };
        self.find(8, |event| match &event.what {
            What::EngineConnected { peer, local }
                if event.system == self.handoff.on && linked.map_or_else(|| own(peer), |end| end == *peer) =>
            {
                Some(format!("the client's engine dials {local} and reaches {}", event.system))
            }
            _ => None,
        })
    }

    fn linked(&self, wanted: &str) -> Option<Seen> {
        self.find(9, |event| match &event.what {
            What::SocketTaken { session, .. } if session == wanted => {
                Some(format!("Debug Manager links the client with {} on {}", self.handoff.job, event.system))
            }
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handoff() -> Handoff {
        Handoff { job: "EQATST".into(), on: "LPAR2".into(), user: "IBMUSER".into() }
    }

    fn event(t_ns: u64, system: &str, task: &str, what: What) -> Event {
        Event { t_ns, system: system.into(), task: task.into(), pid: 1, what }
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    fn run() -> Vec<Event> {
        let [user, session, job] = ["IBMUSER", "LPAR2.1", "EQATST"].map(str::to_owned);
        let (peer, local) = (address("10.10.10.101:5000"), address("10.10.10.1:5335"));
        let rsed = address("10.10.10.1:4035");
        vec![
            event(1, "WS1", "IBMUSER", What::Dialling { what: "rsed".into(), address: rsed }),
            event(2, "LPAR1", "RSED", What::Logon { user: user.clone(), peer, local: rsed, second_port: 40000 }),
            event(3, "LPAR1", "DBGMGR", What::UserRegistered { user: user.clone() }),
            event(
                4,
                "LPAR2",
                "DBGMGR",
                What::SessionWaiting { session: session.clone(), user: user.clone(), job: job.clone(), local: false },
            ),
            event(5, "LPAR2", "DBGMGR", What::HubAsked { session: session.clone(), user: user.clone(), port: 5335 }),
            event(
                6,
                "LPAR1",
                "DBGMGR",
                What::MinerNotified { session: session.clone(), user: user.clone(), port: 5335 },
            ),
            event(
                7,
                "LPAR1",
                "RSED",
                What::ClientNotified { session: session.clone(), user: user.clone(), port: 5335 },
            ),
            event(8, "LPAR2", "DBGMGR", What::EngineConnected { peer, local }),
            event(9, "LPAR2", "DBGMGR", What::Linked { session: session.clone(), user, job, peer, local }),
            event(10, "LPAR2", "EQATST", What::SocketTaken { session, peer, local }),
        ]
    }

    #[test]
    fn all_nine_are_found_in_order() {
        let steps = report(&run(), &handoff(), 0);
        assert!(steps.iter().all(|step| step.ok), "{steps:#?}");
        assert_eq!(steps.iter().map(|step| step.n).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(steps[4].name, "Debug Manager on LPAR2 asks the others for IBMUSER, with its port 5335");
    }

    #[test]
    fn a_step_that_was_not_seen_breaks_all_that_follow_from_it() {
        let mut events = run();
        events.retain(|event| !matches!(event.what, What::MinerNotified { .. }));
        let steps = report(&events, &handoff(), 0);
        let broken: Vec<u8> = steps.iter().filter(|step| !step.ok).map(|step| step.n).collect();
        assert_eq!(broken, [6, 7]);
    }

    #[test]
    fn effects_before_their_causes_are_not_ok() {
        let mut events = run();
        events[6].t_ns = 4; // the client hears of the session before the Debug Miner does
        let steps = report(&events, &handoff(), 0);
        assert!(!steps[6].ok && steps[5].ok);
    }

    #[test]
    fn a_job_may_come_before_its_user() {
        let mut events = run();
        for event in &mut events[..3] {
            event.t_ns += 3; // logon after the session began to wait and the hub was asked
        }
        for event in &mut events[5..] {
            event.t_ns += 10;
        }
        assert!(report(&events, &handoff(), 0).iter().all(|step| step.ok));
    }

    #[test]
    fn an_engine_that_reaches_another_lpar_is_not_step_8() {
        let mut events = run();
        events[7].system = "LPAR1".into();
        events.truncate(8);
        let steps = report(&events, &handoff(), 0);
        assert!(steps[6].ok && !steps[7].ok && !steps[8].ok);
    }

    #[test]
    fn a_stranger_on_the_same_port_is_not_step_8() {
        let mut events = run();
        events.truncate(8);
        let steps = report(&events, &handoff(), 0);
        assert!(steps[6].ok && !steps[7].ok, "nothing says whose connection it is");
        let (local, peer) = (address("10.10.10.101:5000"), address("10.10.10.1:5335"));
        events.push(event(8, "WS1", "IBMUSER", What::Connected { what: "engine".into(), local, peer }));
        assert!(report(&events, &handoff(), 0)[7].ok, "now the client does");
    }
}
