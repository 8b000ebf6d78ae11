//! All that is known of a failed run. It is taken while the sysplex still stands, and written to the run's directory, so that the
//! same rules find the same cause at once and later.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::Path;

use evidence::{Event, FlowKey, FlowSeen, TcpSocket};
use serde::{Deserialize, Serialize};
use sysplex::Sysplex;

use super::Failure;
use crate::netstat::vdpt;
use crate::plex::journal::TaskExit;
use crate::run::result::StepSeen;

/// The file in the run's directory.
pub const CASE: &str = "case.json";
/// The file beside it with what every process said; also of runs that passed.
pub const EVENTS: &str = "events.jsonl";
/// Most bytes that are read of each file: a run that leaves more is no run of a scenario.
const MOST_OF_CASE: u64 = 64 << 20;
const MOST_OF_EVENTS: u64 = 256 << 20;

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
    /// What the sysplex group says.
    #[serde(default)]
    pub group: Group,
    /// What every process said, in the order in which it arrived. It has a file of its own.
    #[serde(skip)]
    pub events: Vec<Event>,
}

/// What the sysplex group says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// By DVIPA and system: `Active`, `Backup`, `Quiescing`, `Deactivated` or `Moving`.
    pub status: BTreeMap<String, BTreeMap<String, String>>,
    /// What operators have quiesced, by system; nothing of the others.
    pub quiesced: BTreeMap<String, Quiesced>,
}

/// What an operator has quiesced on a system.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quiesced {
    /// The whole system.
    pub target: bool,
    /// Ports.
    pub ports: BTreeSet<u16>,
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
    /// Of this sysplex and this failure nothing else is known yet.
    pub(in crate::run) fn new(sysplex: Sysplex, failure: Failure) -> Self {
        Self {
            sysplex,
            notes: Vec::new(),
            failure,
            done: Vec::new(),
            exits: Vec::new(),
            listeners: BTreeMap::new(),
            connections: BTreeMap::new(),
            distributed: Vec::new(),
            owners: BTreeMap::new(),
            carried: Vec::new(),
            missing: Vec::new(),
            group: Group::default(),
            events: Vec::new(),
        }
    }

    /// Writes it to the run's directory; the events are there already.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, directory: &Path) -> io::Result<()> {
        std::fs::write(directory.join(CASE), serde_json::to_vec(self)?)
    }

    /// May a cause rest on something *not* having been carried?
    pub(super) fn capture_is_complete(&self) -> bool {
        !self.missing.iter().any(|missing| missing.starts_with("the capture"))
    }

    /// Reads it from the run's directory.
    ///
    /// # Errors
    /// What cannot be read, with the file and the line.
    pub fn read(directory: &Path) -> Result<Self, String> {
        let path = directory.join(CASE);
        let mut case: Self = serde_json::from_slice(&bounded(&path, MOST_OF_CASE)?).map_err(|e| wrong(&path, &e))?;
        case.events = events(&directory.join(EVENTS))?;
        Ok(case)
    }
}

fn events(path: &Path) -> Result<Vec<Event>, String> {
    let bytes = bounded(path, MOST_OF_EVENTS)?;
    let lines = bytes.split(|byte| *byte == b'\n').zip(1..).filter(|(line, _)| !line.is_empty());
    let event = |(line, n): (&[u8], usize)| {
        serde_json::from_slice(line).map_err(|e| wrong(path, &format!("line {n} is no event: {e}")))
    };
    lines.map(event).collect()
}

/// All of a regular file that is not too large.
fn bounded(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    let cannot = |e: io::Error| wrong(path, &e);
    let found = std::fs::metadata(path).map_err(cannot)?;
    if !found.is_file() {
        return Err(wrong(path, &"found no regular file, expected one"));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut bytes)).map_err(cannot)?;
    if bytes.len() as u64 > most {
        return Err(wrong(path, &format!("found more than {most} bytes, expected at most as many")));
    }
    Ok(bytes)
}

/// What is wrong with a file; what it has in it may be anything, so not too much of it, and nothing that a terminal obeys.
fn wrong(path: &Path, why: &dyn std::fmt::Display) -> String {
    const MOST: usize = 300;
    let why = why.to_string();
    let shown: String = why
        .chars()
        .take(MOST)
        .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
        .collect();
    format!("{}: {shown}{}", path.display(), if why.chars().count() > MOST { "..." } else { "" })
}
