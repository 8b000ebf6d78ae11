//! The nine steps of one handoff as a sequence diagram: who is in it, and which arrow goes from whom to whom. Pure.

use std::net::IpAddr;

use evidence::{Event, What};

use super::record::{Record, Whose};
use crate::run::result::StepSeen;

/// What somebody in the diagram does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// The user's Eclipse client.
    Client,
    /// TCP/IP of the DVIPA's owner.
    Distributor,
    /// RSE daemon, RSE server and Debug Miner.
    Rse,
    /// Debug Manager.
    Manager,
    /// The job with its debugger.
    Job,
}

/// Somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    /// The host.
    pub(super) system: String,
    /// What he does.
    pub(super) role: Role,
    /// His name.
    pub(super) name: String,
}

/// One of the nine steps.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Arrow {
    /// Its number.
    pub(super) n: u8,
    /// When, in milliseconds since the first step; nothing when it was not seen, or is not needed.
    pub(super) at_ms: Option<f64>,
    /// From which column to which, and through which.
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) via: Option<usize>,
    /// A few words.
    pub(super) label: String,
    /// What happened, in a sentence.
    pub(super) name: String,
    /// It happened, and in order.
    pub(super) ok: bool,
}

impl Arrow {
    /// Not seen, and not needed.
    pub(super) fn is_needless(&self) -> bool {
        self.ok && self.at_ms.is_none()
    }
}

/// The diagram of one job.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sequence {
    /// Whose handoff.
    pub(super) whose: Whose,
    /// Workstation and LPAR of the logon, as far as seen.
    pub(super) workstation: String,
    pub(super) logon_on: String,
    /// The LPAR that owns the DVIPA.
    pub(super) owner: String,
    pub(super) columns: Vec<Column>,
    /// In the order of time; what was not seen comes last.
    pub(super) arrows: Vec<Arrow>,
}

/// Who takes part, and where.
struct Parties {
    workstation: String,
    owner: String,
    rse: (String, String),
    job_manager: String,
    logon_manager: String,
}

impl Sequence {
    /// From the steps of one job.
    pub(super) fn of(whose: &Whose, steps: &[&StepSeen], events: &[&Event], record: &Record) -> Self {
        let parties = Parties::of(whose, events, record);
        let columns = parties.columns(whose, record);
        let column = |system: &str, role: Role| {
            columns.iter().position(|column| column.system == system && column.role == role).unwrap_or(0)
        };
        let client = column(&parties.workstation, Role::Client);
        let distributor = column(&parties.owner, Role::Distributor);
        let rse = column(&parties.rse.0, Role::Rse);
        let logon_manager = column(&parties.rse.0, Role::Manager);
        let (manager, job) = (column(&whose.on, Role::Manager), column(&whose.on, Role::Job));
        let ends = [
            (client, distributor, None),
            (distributor, rse, None),
            (rse, logon_manager, None),
            (job, manager, None),
            (manager, logon_manager, None),
            (logon_manager, rse, None),
            (rse, client, None),
            (client, manager, Some(distributor)),
            (manager, job, None),
        ];
        let labels = [
            "dials".to_owned(),
            format!("picks {}", parties.rse.0),
            format!("registers {}", whose.user),
            "a session waits".to_owned(),
            format!("asks for {}", whose.user),
            "a session,".to_owned(),
            "notifies:".to_owned(),
            "the engine dials".to_owned(),
            "hands the socket over".to_owned(),
        ];
        let mut arrows: Vec<Arrow> = steps
            .iter()
            .filter_map(|step| {
                let index = usize::from(step.n).checked_sub(1)?;
                let (&(from, to, via), label) = (ends.get(index)?, labels.get(index)?);
                let label = match port_in(&step.name).filter(|_| step.n != 5) {
                    Some(port) => format!("{label} {port}"),
                    None => label.trim_end_matches([',', ':']).to_owned(),
                };
                let (name, ok) = (step.name.clone(), step.ok);
                Some(Arrow { n: step.n, at_ms: step.at_ms, from, to, via, label, name, ok })
            })
            .collect();
        let key = |arrow: &Arrow| arrow.at_ms.unwrap_or(f64::INFINITY);
        arrows.sort_by(|a, b| key(a).total_cmp(&key(b)).then(a.n.cmp(&b.n)));
        let Parties { workstation, owner, rse: (logon_on, _), .. } = parties;
        Self { whose: whose.clone(), workstation, logon_on, owner, columns, arrows }
    }
}

/// The port that a step's sentence names, as a few words say it.
fn port_in(name: &str) -> Option<String> {
    let dialled = name.split_whitespace().find(|word| word.parse::<std::net::SocketAddr>().is_ok());
    if let Some(address) = dialled {
        return name.contains("dials").then(|| address.to_owned());
    }
    let port = name.rsplit_once("port ")?.1;
    port.chars().all(|c| c.is_ascii_digit()).then(|| format!("port {port}"))
}

impl Parties {
    fn of(whose: &Whose, events: &[&Event], record: &Record) -> Self {
        let find = |pick: &dyn Fn(&Event) -> Option<(String, String)>| events.iter().find_map(|event| pick(event));
        let here = |event: &Event| Some((event.system.clone(), event.task.clone()));
        let client = find(&|event| match &event.what {
            What::Dialling { .. } if event.task == whose.user => here(event),
            _ => None,
        });
        let rse = find(&|event| match &event.what {
            What::Logon { user, .. } if *user == whose.user => here(event),
            _ => None,
        });
        let dialled: Option<IpAddr> = events.iter().find_map(|event| match &event.what {
            What::Dialling { address, .. } if event.task == whose.user => Some(address.ip()),
            _ => None,
        });
        let plan = &record.plan;
        let dvipa = dialled.and_then(|ip| plan.dvipas.iter().find(|dvipa| dvipa.address == ip.to_string()));
        let owner = dvipa.or(plan.dvipas.first()).map_or_else(|| whose.on.clone(), |dvipa| dvipa.owner.clone());
        let manager = |on: &str| {
            let of = find(&|event| match &event.what {
                What::UserRegistered { .. } | What::SessionWaiting { .. } | What::NameTokenCreated { .. }
                    if event.system == on =>
                {
                    here(event)
                }
                _ => None,
            });
            of.map_or_else(|| "DBGMGR".to_owned(), |(_, task)| task)
        };
        let first_workstation = plan.workstations.first().map_or("workstation", |(name, _)| name.as_str());
        let rse = rse.unwrap_or_else(|| (owner.clone(), "RSED".to_owned()));
        Self {
            workstation: client.map_or_else(|| first_workstation.to_owned(), |(system, _)| system),
            job_manager: manager(&whose.on),
            logon_manager: manager(&rse.0),
            owner,
            rse,
        }
    }

    /// Workstation first, then the LPARs as the topology has them.
    fn columns(&self, whose: &Whose, record: &Record) -> Vec<Column> {
        let (logon_on, rse) = &self.rse;
        let all = [
            (&self.workstation, Role::Client, &whose.user),
            (&self.owner, Role::Distributor, &"TCPIP".to_owned()),
            (logon_on, Role::Rse, rse),
            (logon_on, Role::Manager, &self.logon_manager),
            (&whose.on, Role::Manager, &self.job_manager),
            (&whose.on, Role::Job, &whose.job),
        ];
        let mut columns: Vec<Column> = Vec::new();
        for (system, role, name) in all {
            if !columns.iter().any(|column| column.system == *system && column.role == role) {
                columns.push(Column { system: system.clone(), role, name: name.clone() });
            }
        }
        let place = |system: &str| record.plan.hosts().position(|host| host == system).unwrap_or(usize::MAX);
        columns.sort_by_key(|column| (place(&column.system), column.system.clone(), column.role));
        columns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_name_addresses_and_ports() {
        assert_eq!(
            port_in("the client on WS1 dials the RSE daemon at 10.1.1.1:4035").as_deref(),
            Some("10.1.1.1:4035")
        );
        assert_eq!(
            port_in("Debug Manager on L2 asks the others for U, with its port 5335").as_deref(),
            Some("port 5335")
        );
        assert_eq!(port_in("the distributor picks L1 for 10.1.1.1:4035"), None);
        assert_eq!(port_in("EQATST on L2 waits for a workstation of U"), None);
    }

    #[test]
    fn arrows_that_were_not_seen_come_last() {
        let whose = Whose { job: "J".into(), on: "L02".into(), user: "U".into() };
        let step = |n, at_ms| StepSeen { n, name: "x".into(), at_ms, ok: at_ms.is_some(), job: "J".into() };
        let steps = [step(3, None), step(1, Some(9.0)), step(4, Some(1.0))];
        let record = Record { plan: super::super::plan::Plan::of(&sysplex::Sysplex::uniform(2)), ..Record::default() };
        let sequence = Sequence::of(&whose, &steps.iter().collect::<Vec<_>>(), &[], &record);
        assert_eq!(sequence.arrows.iter().map(|arrow| arrow.n).collect::<Vec<_>>(), [4, 1, 3]);
        assert_eq!(sequence.columns[0].role, Role::Client);
        assert!(sequence.columns.iter().any(|column| column.name == "J" && column.system == "L02"));
    }
}
