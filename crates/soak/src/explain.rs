//! Which faults excuse which failures, and for how long after they are healed. All of it is our choice, made strict enough that a bug
//! is not excused, and lenient enough that TCP and the daemons have the time that they take by design.
//!
//! A session has **parties**: the workstation, the LPAR that owns the DVIPA, the LPAR of its job, the LPAR on which its user is
//! logged on, and the LPAR of the hub's primary. A fault excuses a session when it is about one of them in a role that it breaks:
//!
//! | fault | excuses |
//! |---|---|
//! | Debug Manager killed or frozen on L | sessions whose job, user or primary is on L |
//! | RSE daemon killed or frozen on L | sessions whose user is on L; logons of anyone, because the distributor may choose L |
//! | L crashed, frozen, without a link, with losses or resets | sessions with any party on L, the owner included; logons of anyone |
//! | partition | sessions and logons with a party in either group |
//!
//! It does so when it stood, or had been healed for less than its **grace**, at any time between the session's beginning and its end. A
//! session that begins after the grace must succeed. Besides, a session is excused when its user was not logged on at some time of
//! its life: it may wait for the user for too long. (That the user was not logged on needs an excuse of its own.)
//!
//! A machine that stood still for a second or longer (it was asleep, or too busy for the lab) excuses what was under way, and what
//! comes in as much time again: daemons have deadlines of seconds. How often that was stands in the summary, so nothing hides there.
//!
//! What excuses a session also excuses that its engine is heard late: a debugger's good bye may be under way for as long as TCP tries
//! again, and the engine's patience ends that.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::SECOND;
use crate::fault::Fault;

/// How long everything may take to find itself again, once what was broken works: tries to reach Debug Manager come at most half a
/// second apart, those for the hub at most as far apart as it pauses, a logon takes up to ten seconds to be given up and tried again.
pub const GRACE: u64 = 15 * SECOND;
/// TCP tries again, at the latest, when as much time has passed as it has tried in vain (its pauses double), and never pauses longer
/// than this here: faults stand for seconds.
const TCP_MOST: u64 = 30 * SECOND;

/// What the model must know of a sysplex.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// The workstation that all users sit at.
    pub workstation: String,
    /// The LPAR that owns the DVIPA at the beginning.
    pub owner: String,
    /// The LPAR of the hub's primary, where there is a hub.
    pub primary: Option<String>,
    /// Names of the started tasks that are Debug Managers.
    pub managers: BTreeSet<String>,
    /// Names of those that are RSE daemons.
    pub rseds: BTreeSet<String>,
}

/// Who takes part in a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parties {
    /// The LPAR of the job.
    pub job: String,
    /// The LPARs on which the user was logged on during the session.
    pub user: BTreeSet<String>,
    /// The LPARs that owned the DVIPA during the session.
    pub owner: BTreeSet<String>,
}

/// How long a fault that stood so long excuses what begins after it was healed.
pub fn grace(fault: &Fault, stood_ns: u64) -> u64 {
    match fault {
        // Whoever was connected learns of it at once, or as soon as it goes on.
        Fault::Kill { .. } | Fault::Freeze { .. } | Fault::Reset { .. } => GRACE,
        // Packets were lost.
        _ => GRACE + stood_ns.min(TCP_MOST),
    }
}

/// Does this fault excuse sessions with these parties?
pub fn excuses_session(fault: &Fault, layout: &Layout, parties: &Parties) -> bool {
    let primary = layout.primary.as_deref();
    match fault {
        Fault::Kill { task, on } | Fault::Freeze { task, on } => {
            let manages = parties.job == *on || parties.user.contains(on) || primary == Some(on);
            (layout.managers.contains(task) && manages) || (layout.rseds.contains(task) && parties.user.contains(on))
        }
        Fault::Partition { between, and, .. } => between.union(and).any(|host| is_party(host, layout, parties)),
        other => other.host().is_some_and(|host| is_party(host, layout, parties)),
    }
}

/// Does this fault excuse that a user is not logged on? `on` is where it was; nothing when it was about to log on, which may go to
/// any LPAR.
pub fn excuses_user(fault: &Fault, layout: &Layout, on: Option<&str>, owners: &BTreeSet<String>) -> bool {
    match fault {
        // The Debug Miner registers the user at a logon only.
        Fault::Kill { task, .. } | Fault::Freeze { task, .. } if layout.managers.contains(task) => on.is_none(),
        Fault::Kill { on: host, .. } | Fault::Freeze { on: host, .. } => on.is_none_or(|on| on == host),
        Fault::Partition { .. } => true,
        other => other
            .host()
            .is_some_and(|host| on.is_none_or(|on| on == host) || owners.contains(host) || host == layout.workstation),
    }
}

fn is_party(host: &str, layout: &Layout, parties: &Parties) -> bool {
    host == layout.workstation
        || host == parties.job
        || layout.primary.as_deref() == Some(host)
        || parties.user.contains(host)
        || parties.owner.contains(host)
}

#[cfg(test)]
pub(crate) fn layout() -> Layout {
    Layout {
        workstation: "WS1".into(),
        owner: "LPAR1".into(),
        primary: Some("LPAR1".into()),
        managers: ["DBGMGR".to_owned()].into(),
        rseds: ["RSED".to_owned()].into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Segment;

    fn parties(job: &str, user: &str) -> Parties {
        Parties { job: job.into(), user: [user.to_owned()].into(), owner: ["LPAR1".to_owned()].into() }
    }

    #[test]
    fn a_fault_elsewhere_excuses_nothing() {
        let (layout, session) = (layout(), parties("LPAR2", "LPAR3"));
        let kill = |task: &str, on: &str| Fault::Kill { task: task.into(), on: on.into() };
        let excused = |fault: &Fault| excuses_session(fault, &layout, &session);
        for on in ["LPAR1", "LPAR2", "LPAR3"] {
            assert!(excused(&kill("DBGMGR", on)), "{on}");
            assert!(excused(&Fault::Link { on: on.into(), segment: Segment::Lan }), "{on}");
        }
        assert!(
            excused(&kill("RSED", "LPAR3")) && !excused(&kill("RSED", "LPAR2")) && !excused(&kill("RSED", "LPAR1"))
        );
        assert!(!excused(&kill("DBGMGR", "LPAR4")) && !excused(&Fault::Crash { lpar: "LPAR4".into() }));
        let partition = |host: &str| Fault::Partition {
            between: [host.to_owned()].into(),
            and: ["LPAR5".to_owned()].into(),
            segment: Segment::Xcf,
        };
        assert!(excused(&partition("LPAR2")) && !excused(&partition("LPAR4")) && excused(&partition("WS1")));
    }

    #[test]
    fn a_user_is_lost_by_faults_of_its_own_lpar_and_of_the_owner() {
        let (layout, owners) = (layout(), BTreeSet::from(["LPAR1".to_owned()]));
        let kill = |task: &str, on: &str| Fault::Kill { task: task.into(), on: on.into() };
        let excused = |fault: &Fault, on| excuses_user(fault, &layout, on, &owners);
        assert!(excused(&kill("RSED", "LPAR2"), Some("LPAR2")) && !excused(&kill("RSED", "LPAR2"), Some("LPAR3")));
        assert!(!excused(&kill("DBGMGR", "LPAR2"), Some("LPAR2")), "the Debug Miner outlives Debug Manager");
        assert!(excused(&kill("DBGMGR", "LPAR2"), None) && excused(&kill("RSED", "LPAR4"), None));
        let crash = |lpar: &str| Fault::Crash { lpar: lpar.into() };
        assert!(excused(&crash("LPAR1"), Some("LPAR3")) && !excused(&crash("LPAR2"), Some("LPAR3")));
    }

    #[test]
    fn packets_that_were_lost_take_as_long_again() {
        let link = Fault::Link { on: "LPAR1".into(), segment: Segment::Lan };
        assert_eq!(grace(&link, 4 * SECOND), GRACE + 4 * SECOND);
        assert_eq!(grace(&link, 400 * SECOND), GRACE + TCP_MOST);
        assert_eq!(grace(&Fault::Kill { task: "RSED".into(), on: "LPAR1".into() }, 4 * SECOND), GRACE);
    }
}
