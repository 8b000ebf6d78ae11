//! All that is known of a failed run. It is taken while the sysplex still stands, and written to the run's directory, so that the
//! same rules find the same cause at once and later.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;

use evidence::{Event, FlowKey, FlowSeen, TcpSocket};
use serde::{Deserialize, Serialize};
use sysplex::Sysplex;

use super::Failure;
use crate::netstat::vdpt;
use crate::plex::journal::TaskExit;
use crate::run::result::StepSeen;

/// The file in the run's directory, beside `events.jsonl`.
const FILE: &str = "case.json";
const EVENTS: &str = "events.jsonl";
/// Most bytes that are read of each file: a run that leaves more is no run of a scenario.
const MOST: u64 = 256 << 20;

/// All that is known of a failed run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// What was built.
    pub sysplex: Sysplex,
    /// What of the site's members is not in it, a line each with its place.
    #[serde(default)]
    pub notes: Vec<String>,
    /// What went wrong.
    pub failure: Failure,
    /// What the scenario did until then, the failed step included.
    pub done: Vec<StepSeen>,
    /// Tasks that had ended.
    pub exits: Vec<TaskExit>,
    /// Sockets that listen, by LPAR.
    pub listeners: BTreeMap<String, Vec<TcpSocket>>,
    /// Other sockets, by LPAR.
    pub connections: BTreeMap<String, Vec<TcpSocket>>,
    /// The destination port tables of all that own a DVIPA.
    pub distributed: Vec<Distributed>,
    /// Who has each DVIPA.
    pub owners: BTreeMap<String, String>,
    /// What the interfaces carried.
    pub carried: Vec<Carried>,
    /// What the captures lack, or what could not be asked; empty when nothing.
    pub missing: Vec<String>,
    /// What every process said, in the order in which it arrived. It has a file of its own.
    #[serde(skip)]
    pub events: Vec<Event>,
}

/// A target of a distributed port, as the kernel of the DVIPA's owner had it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distributed {
    /// The LPAR that distributes.
    pub owner: String,
    /// The DVIPA and the port.
    pub dest: SocketAddr,
    /// The target.
    pub target: String,
    /// Sockets that listen there.
    pub rdy: usize,
    /// Weight in the kernel; 0 when it gets no new connection.
    pub wlm: u32,
    /// Target server responsiveness, in percent.
    pub tsr: u8,
    /// Target connectivity success rate, in percent.
    pub tcsr: u8,
    /// Connections that it was ever sent.
    pub total_conn: u64,
}

impl Distributed {
    /// A row of the table of that LPAR.
    pub(in crate::run) fn new(owner: &str, row: &vdpt::Row) -> Self {
        Self {
            owner: owner.into(),
            dest: SocketAddr::new(row.dest, row.port),
            target: row.target.clone(),
            rdy: row.rdy,
            wlm: row.wlm,
            tsr: row.tsr,
            tcsr: row.tcsr,
            total_conn: row.total_conn,
        }
    }
}

/// A flow on an interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    /// Where and between whom.
    #[serde(flatten)]
    pub key: FlowKey,
    /// What was seen.
    #[serde(flatten)]
    pub seen: FlowSeen,
}

impl Case {
    /// Writes it to the run's directory; the events are there already.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, directory: &Path) -> io::Result<()> {
        std::fs::write(directory.join(FILE), serde_json::to_vec(self)?)
    }

    /// Reads it from the run's directory.
    ///
    /// # Errors
    /// What cannot be read, with the file and the line.
    pub fn read(directory: &Path) -> Result<Self, String> {
        let path = directory.join(FILE);
        let cannot = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
        let found = std::fs::metadata(&path).map_err(|e| {
            let ended_well =
                "a run that passed, or that was no scenario, leaves none; expected the directory of a failed run";
            format!("{} ({ended_well})", cannot(&e))
        })?;
        if found.len() > MOST {
            return Err(cannot(&format!("found {} bytes, expected at most {MOST}", found.len())));
        }
        let bytes = std::fs::read(&path).map_err(|e| cannot(&e))?;
        let mut case: Self = serde_json::from_slice(&bytes).map_err(|e| cannot(&e))?;
        case.events = events(&directory.join(EVENTS))?;
        Ok(case)
    }
}

fn events(path: &Path) -> Result<Vec<Event>, String> {
    let cannot = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    let file = std::fs::File::open(path).map_err(|e| cannot(&e))?;
    let length = file.metadata().map_err(|e| cannot(&e))?.len();
    if length > MOST {
        return Err(cannot(&format!("found {length} bytes, expected at most {MOST}")));
    }
    let mut events = Vec::new();
    for (line, n) in BufReader::new(file).lines().zip(1..) {
        let line = line.map_err(|e| cannot(&e))?;
        let event = serde_json::from_str(&line).map_err(|e| format!("{}:{n}: no event: {e}", path.display()))?;
        events.push(event);
    }
    Ok(events)
}
