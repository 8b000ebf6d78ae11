//! What can go wrong in a sysplex, as values.

use std::fmt;
use std::time::Duration;

use sysplex::Firewall;

/// One fault. Hosts have the names of the topology, and are known to be in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Packets of some hosts are not let through.
    Firewall(Firewall),
    /// Two groups of hosts do not reach each other.
    Partition {
        /// The one group.
        between: Vec<String>,
        /// The other.
        and: Vec<String>,
        /// Where.
        segment: Segment,
    },
    /// Some of the packets from and to these hosts are lost, by chance.
    Loss {
        /// The hosts.
        on: Vec<String>,
        /// Where.
        segment: Segment,
        /// How many of a hundred.
        percent: u32,
    },
    /// Packets from and to these hosts that come too fast are lost.
    Rate {
        /// The hosts.
        on: Vec<String>,
        /// Where.
        segment: Segment,
        /// How fast, each way, in bytes a second.
        bytes: u64,
    },
    /// The link is pulled out.
    Link {
        /// Of this host.
        of: String,
        /// Which.
        segment: Segment,
    },
    /// Established connections are reset, at both ends.
    Reset {
        /// Those that this host has.
        on: String,
        /// With one of these ports at either end; any when there is none.
        ports: Vec<u16>,
    },
    /// Nothing runs any more, for the time being.
    Freeze(Frozen),
    /// A task runs for a part of the time only: what it is sent piles up.
    Slow {
        /// Which.
        task: OfTask,
        /// How many of a hundred milliseconds it runs.
        percent: u32,
    },
    /// A task is killed (SIGKILL).
    Kill(OfTask),
    /// A started task is stopped (SIGTERM) and started again.
    Restart(OfTask),
    /// An LPAR is gone without a word.
    Crash {
        /// Which.
        lpar: String,
    },
    /// What a link carries comes late, in disorder or twice (netem).
    Netem {
        /// Of this host, what it sends.
        on: String,
        /// Which link.
        segment: Segment,
        /// How.
        netem: Netem,
    },
    /// A file system of an LPAR is full.
    Disk {
        /// Which LPAR, or workstation.
        on: String,
        /// Which of its own file systems: `/run` or `/tmp`.
        at: String,
    },
    /// The wall clock of a host is off, for programs that are started while it is.
    Clock {
        /// Which host.
        on: String,
        /// By so many seconds: ahead, or behind.
        seconds: i64,
    },
    /// A task may have no more file descriptors than this.
    Descriptors {
        /// Which.
        task: OfTask,
        /// How many; nothing means: no more than it has.
        most: Option<u64>,
    },
}

/// Which of the two segments of the sysplex.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Segment {
    /// The LAN.
    #[default]
    Lan,
    /// XCF.
    Xcf,
    /// Both.
    Both,
}

/// A task on a host: a started task, a job, a client, a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfTask {
    /// Its name.
    pub task: String,
    /// The host.
    pub on: String,
}

/// What is frozen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frozen {
    /// All tasks of the host, and its stack: it answers nothing.
    Host(String),
    /// One task; the stack goes on answering for it.
    Task(OfTask),
}

/// What netem does to what a link sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Netem {
    /// Each packet comes so much later.
    pub delay: Duration,
    /// And up to so much more, or less.
    pub jitter: Duration,
    /// So many of a hundred come without the delay, and so before others.
    pub reorder: u32,
    /// So many of a hundred come twice.
    pub duplicate: u32,
}

impl Fault {
    /// Does it end as soon as it is done? Then there is nothing to heal.
    pub fn is_instant(&self) -> bool {
        matches!(self, Self::Reset { .. } | Self::Restart(_))
    }

    /// Has it ended something that only a new start brings back?
    pub fn ends_something(&self) -> bool {
        matches!(self, Self::Kill(_) | Self::Crash { .. })
    }

    /// The host to whose lane it belongs; nothing when it is about several.
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::Loss { on, .. } | Self::Rate { on, .. } => match on.as_slice() {
                [only] => Some(only),
                _ => None,
            },
            Self::Link { of, .. } => Some(of),
            Self::Reset { on, .. } | Self::Netem { on, .. } | Self::Disk { on, .. } | Self::Clock { on, .. } => {
                Some(on)
            }
            Self::Freeze(Frozen::Host(host)) => Some(host),
            Self::Freeze(Frozen::Task(task)) | Self::Kill(task) | Self::Restart(task) => Some(&task.on),
            Self::Slow { task, .. } | Self::Descriptors { task, .. } => Some(&task.on),
            Self::Crash { lpar } => Some(lpar),
            Self::Firewall(_) | Self::Partition { .. } => None,
        }
    }
}

impl Segment {
    /// Is it this one, or both?
    pub fn has_lan(self) -> bool {
        self != Self::Xcf
    }

    /// See [`Segment::has_lan`].
    pub fn has_xcf(self) -> bool {
        self != Self::Lan
    }

    /// The single segments that it means.
    pub fn each(self) -> impl Iterator<Item = Self> {
        [Self::Lan, Self::Xcf].into_iter().filter(move |one| self == *one || self == Self::Both)
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

impl fmt::Display for OfTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.task, self.on)
    }
}

impl fmt::Display for Netem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = humantime::format_duration;
        write!(f, "{} late", time(self.delay))?;
        if !self.jitter.is_zero() {
            write!(f, ", give or take {}", time(self.jitter))?;
        }
        if self.reorder > 0 {
            write!(f, ", {} % out of order", self.reorder)?;
        }
        if self.duplicate > 0 {
            write!(f, ", {} % twice", self.duplicate)?;
        }
        Ok(())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Firewall(firewall) => firewall.fmt(f),
            Self::Partition { between, and, segment } => {
                write!(f, "{segment} is parted between {} and {}", between.join(", "), and.join(", "))
            }
            Self::Loss { on, segment, percent } => {
                write!(f, "{percent} % of the packets of {} are lost on {segment}", on.join(", "))
            }
            Self::Rate { on, segment, bytes } => {
                write!(f, "{} send and get at most {bytes} bytes a second on {segment}", on.join(", "))
            }
            Self::Link { of, segment } => write!(f, "{of} has no link to {segment}"),
            Self::Reset { on, ports } if ports.is_empty() => write!(f, "the connections of {on} are reset"),
            Self::Reset { on, ports } => {
                let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
                write!(f, "the connections of {on} with port {} are reset", ports.join(", "))
            }
            Self::Freeze(Frozen::Host(host)) => write!(f, "{host} stands still"),
            Self::Freeze(Frozen::Task(task)) => write!(f, "{task} stands still"),
            Self::Slow { task, percent } => write!(f, "{task} runs {percent} % of the time"),
            Self::Kill(task) => write!(f, "{task} is killed"),
            Self::Restart(task) => write!(f, "{task} is started anew"),
            Self::Crash { lpar } => write!(f, "{lpar} is gone without a word"),
            Self::Netem { on, segment, netem } => write!(f, "what {on} sends on {segment} comes {netem}"),
            Self::Clock { on, seconds } => {
                let time = humantime::format_duration(Duration::from_secs(seconds.unsigned_abs()));
                write!(f, "the clock of {on} is {time} {}", if *seconds < 0 { "behind" } else { "ahead" })
            }
            Self::Disk { on, at } => write!(f, "{at} of {on} is full"),
            Self::Descriptors { task, most: Some(most) } => write!(f, "{task} may have {most} descriptors"),
            Self::Descriptors { task, most: None } => write!(f, "{task} gets no more descriptors"),
        }
    }
}
