//! What can go wrong in a soak, as values that can be written to a file and read again.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// One fault. Hosts and tasks have the names of the topology.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// A started task is killed (SIGKILL), and started again when it is healed.
    Kill {
        /// The task.
        task: String,
        /// Its host.
        on: String,
    },
    /// A started task stands still (SIGSTOP); its sockets go on.
    Freeze {
        /// The task.
        task: String,
        /// Its host.
        on: String,
    },
    /// All tasks of a host and its stack stand still.
    FreezeHost {
        /// The host.
        on: String,
    },
    /// An LPAR is gone without a word; it is booted again (IPL) when it is healed.
    Crash {
        /// The LPAR.
        lpar: String,
    },
    /// A link is pulled out.
    Link {
        /// Of this host.
        on: String,
        /// Which.
        segment: Segment,
    },
    /// Two groups of hosts do not reach each other.
    Partition {
        /// The one group.
        between: BTreeSet<String>,
        /// The other.
        and: BTreeSet<String>,
        /// Where.
        segment: Segment,
    },
    /// So many of a hundred packets from and to a host are lost.
    Loss {
        /// The host.
        on: String,
        /// Where.
        segment: Segment,
        /// How many of a hundred.
        percent: u32,
    },
    /// All established connections of a host are reset, at once; there is nothing to heal.
    Reset {
        /// The host.
        on: String,
    },
}

/// Which of the two segments of a sysplex.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Segment {
    /// The LAN.
    Lan,
    /// XCF.
    Xcf,
    /// Both.
    Both,
}

/// The kinds of faults, to choose from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// [`Fault::Kill`].
    Kill,
    /// [`Fault::Freeze`].
    Freeze,
    /// [`Fault::FreezeHost`].
    FreezeHost,
    /// [`Fault::Crash`].
    Crash,
    /// [`Fault::Link`].
    Link,
    /// [`Fault::Partition`].
    Partition,
    /// [`Fault::Loss`].
    Loss,
    /// [`Fault::Reset`].
    Reset,
}

/// A fault with its time. Two plans are the same when these are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Planned {
    /// When it comes, in milliseconds from the beginning.
    pub at_ms: u64,
    /// How long it stands, in milliseconds.
    pub for_ms: u64,
    /// It.
    #[serde(flatten)]
    pub fault: Fault,
}

impl Kind {
    /// Its name, as in a file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Freeze => "freeze",
            Self::FreezeHost => "freeze_host",
            Self::Crash => "crash",
            Self::Link => "link",
            Self::Partition => "partition",
            Self::Loss => "loss",
            Self::Reset => "reset",
        }
    }
}

impl Fault {
    /// What kind it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Kill { .. } => Kind::Kill,
            Self::Freeze { .. } => Kind::Freeze,
            Self::FreezeHost { .. } => Kind::FreezeHost,
            Self::Crash { .. } => Kind::Crash,
            Self::Link { .. } => Kind::Link,
            Self::Partition { .. } => Kind::Partition,
            Self::Loss { .. } => Kind::Loss,
            Self::Reset { .. } => Kind::Reset,
        }
    }

    /// The host that it is about; nothing when it is about several.
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::Kill { on, .. } | Self::Freeze { on, .. } | Self::FreezeHost { on } => Some(on),
            Self::Link { on, .. } | Self::Loss { on, .. } | Self::Reset { on } => Some(on),
            Self::Crash { lpar } => Some(lpar),
            Self::Partition { .. } => None,
        }
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lan => "the LAN",
            Self::Xcf => "XCF",
            Self::Both => "the LAN and XCF",
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |group: &BTreeSet<String>| group.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        match self {
            Self::Kill { task, on } => write!(f, "{task} on {on} is killed"),
            Self::Freeze { task, on } => write!(f, "{task} on {on} stands still"),
            Self::FreezeHost { on } => write!(f, "{on} stands still"),
            Self::Crash { lpar } => write!(f, "{lpar} is gone without a word"),
            Self::Link { on, segment } => write!(f, "{on} has no link to {segment}"),
            Self::Partition { between, and, segment } => {
                write!(f, "{segment} is parted between {} and {}", names(between), names(and))
            }
            Self::Loss { on, segment, percent } => {
                write!(f, "{percent} % of the packets of {on} are lost on {segment}")
            }
            Self::Reset { on } => write!(f, "the connections of {on} are reset"),
        }
    }
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {:.1} s for {:.1} s: {}", self.at_ms as f64 / 1e3, self.for_ms as f64 / 1e3, self.fault)
    }
}
