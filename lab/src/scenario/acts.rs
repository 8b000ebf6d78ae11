//! Steps that do something to the sysplex, or look at its distributor, and how they are read from a scenario file.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use distributor::Vary;
use sysplex::raw::Spanned;
use sysplex::{LparIndex, StartedTask};

use super::network::NetworkAct;
use super::program::Run;
use super::resolve::Resolver;
use super::{Action, Logon, raw, size};
use crate::plex::faults::Planned;
use crate::run::assertions::{Assertion, Pattern};
use crate::{netstat, operator};

/// What happens to the sysplex.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Connections to a server.
    Calls(Calls),
    /// The end of calls that were held, or of their transfers.
    Finish(Finish),
    /// `VARY TCPIP,,SYSPLEX,...`.
    Vary {
        /// The system.
        on: LparIndex,
        /// The command.
        command: Vary,
        /// What is expected of it.
        answer: Answer,
    },
    /// `MODIFY task,...`.
    Modify {
        /// The system.
        on: String,
        /// The command, as written.
        command: String,
        /// The command line that gives it there.
        argv: Vec<String>,
        /// What is expected of it.
        answer: Answer,
    },
    /// An order to a server, by its standard input: `stop accepting`, `go on`, `close`, `listen`.
    Tell {
        /// The task.
        task: OfTask,
        /// The order.
        order: String,
    },
    /// A started task is started again.
    Start(OfTask),
    /// A started task is stopped.
    Stop(OfTask),
    /// An LPAR is gone without a word.
    Crash(LparIndex),
    /// An LPAR that is gone is started again.
    Ipl(LparIndex),
    /// Something goes wrong, now or later.
    Fault(Planned),
    /// What went wrong under this name is mended.
    Heal(String),
    /// A program is run on a host.
    Run(Run),
    /// Time passes.
    Pause(Duration),
    /// Which LPAR has the DVIPA on the LAN; nothing for none.
    Owner {
        /// The DVIPA.
        dvipa: IpAddr,
        /// The LPAR.
        is: Option<LparIndex>,
    },
    /// What a NETSTAT report of a system says.
    Netstat {
        /// The system.
        on: LparIndex,
        /// Which report, and how.
        request: netstat::Request,
        /// Each is in it; blanks count as one.
        says: Vec<String>,
        /// None is in it.
        says_not: Vec<String>,
        /// It is asked again until it does.
        eventually: bool,
    },
    /// Something holds of the events, or will in time.
    Assert(Assertion),
    /// A field of the first event like this is kept under a name.
    Capture {
        /// The name.
        name: String,
        /// The field.
        field: String,
        /// Which event.
        of: Pattern,
    },
    /// What the network between the hosts does on its own.
    Network(NetworkAct),
    /// The VCRT agrees with the targets' sockets, connection by connection.
    Agreement {
        /// The DVIPA.
        dvipa: IpAddr,
        /// How often.
        rounds: u32,
        /// So many connections at least, in one of the rounds.
        at_least: u32,
    },
    /// Several users log on at the same moment: none makes the second connection before each has made the first.
    Logons(Vec<Logon>),
    /// So many users are logged on to each LPAR, and none to others.
    Users(BTreeMap<LparIndex, u32>),
    /// The structure EZBEPORT is lost, or there (again).
    Ezbeport {
        /// It is there.
        there: bool,
    },
}

/// What an operator's command must do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Its answer contains this.
    pub says: Option<String>,
    /// It is refused.
    pub refused: bool,
}

/// A started task on a system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfTask {
    /// Its name.
    pub task: String,
    /// The system.
    pub on: String,
}

/// Connections to a server.
#[derive(Clone, Debug, PartialEq)]
pub struct Calls {
    /// Name of the series; the caller's task has it too.
    pub name: String,
    /// The host that they come from.
    pub from: String,
    /// What is dialled.
    pub to: SocketAddr,
    /// How many.
    pub count: u32,
    /// How many are being connected at a time.
    pub parallel: u32,
    /// How long each may take.
    pub timeout: Duration,
    /// What becomes of them.
    pub then: Then,
    /// How many must land where; empty when that does not matter.
    pub on: BTreeMap<LparIndex, u32>,
    /// By how many percent of all calls each number may be off.
    pub tolerance: u32,
    /// All must fail, like this.
    pub fail: Option<String>,
}

/// What becomes of a call once it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It ends.
    Bye,
    /// It ends after this time.
    Keep(Duration),
    /// It stays until `finish`.
    Hold,
    /// It receives so many bytes, at so many a second (0: as fast as it goes).
    Get {
        /// Bytes.
        bytes: u64,
        /// Bytes a second.
        rate: u64,
    },
    /// It sends so many bytes.
    Put {
        /// Bytes.
        bytes: u64,
    },
}

/// The end of calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finish {
    /// Name of the series.
    pub calls: String,
    /// How many must be lost; the others must be whole.
    pub lost: u32,
}

/// Ways in which a call fails, as the caller names them.
const FAILURES: [&str; 5] = ["refused", "timed_out", "reset", "closed", "other"];
/// Orders that a server takes.
const ORDERS: [&str; 4] = ["stop accepting", "go on", "close", "listen"];
const MOST_CALLS: u32 = 50_000;

impl Resolver<'_> {
    /// The act of a step; `None` when the step is another action, or after a problem.
    pub(super) fn act(&mut self, step: &raw::Step) -> Option<Action> {
        let act = if let Some(calls) = &step.calls {
            self.calls(calls).map(Act::Calls)
        } else if let Some(finish) = &step.finish {
            self.finish(finish).map(Act::Finish)
        } else if let Some(command) = &step.vary {
            self.vary(command)
        } else if let Some(command) = &step.modify {
            self.modify(command)
        } else if let Some(tell) = &step.tell {
            self.tell(tell)
        } else if let Some(task) = &step.start {
            self.of_task(&task.task, &task.on).map(Act::Start)
        } else if let Some(task) = &step.stop {
            self.of_task(&task.task, &task.on).map(Act::Stop)
        } else if let Some(crash) = &step.crash {
            self.lpar_index(&crash.lpar).map(Act::Crash)
        } else if let Some(ipl) = &step.ipl {
            self.lpar_index(&ipl.lpar).map(Act::Ipl)
        } else if let Some(fault) = &step.fault {
            self.fault(fault).map(Act::Fault)
        } else if let Some(name) = &step.heal {
            self.heal(name).map(Act::Heal)
        } else if let Some(run) = &step.run {
            self.run(run).map(Act::Run)
        } else if let Some(pause) = &step.pause {
            self.duration(pause).map(Act::Pause)
        } else if let Some(owner) = &step.owner {
            self.owner(owner)
        } else if let Some(router) = &step.router {
            self.router(router)
        } else if let Some(filter) = &step.filter {
            self.filter(filter)
        } else if let Some(agreement) = &step.agreement {
            self.agreement(agreement)
        } else if let Some(netstat) = &step.netstat {
            self.netstat(netstat)
        } else if let Some(assert) = &step.assert {
            self.assertion(assert)
        } else if let Some(capture) = &step.capture {
            self.capture(capture)
        } else if let Some(logons) = &step.logons {
            self.logons(logons).map(Act::Logons)
        } else if let Some(users) = &step.users {
            self.users(users).map(Act::Users)
        } else if let Some(word) = &step.ezbeport {
            self.ezbeport(word)
        } else {
            None
        };
        act.map(Action::Act)
    }

    fn calls(&mut self, calls: &Spanned<raw::Calls>) -> Option<Calls> {
        let (span, calls) = (calls.span(), calls.get_ref());
        let from = self.host(&calls.from)?;
        let to = self.own_address(&calls.to)?;
        let count = self.number(&calls.count, 1..=MOST_CALLS)?;
        let parallel = calls.parallel.as_ref().map_or(Some(1), |parallel| self.number(parallel, 1..=1000))?;
        let timeout = calls.timeout.as_ref().map_or(Some(Duration::from_secs(3)), |text| self.duration(text))?;
        let keep = match &calls.keep {
            Some(text) => Some(self.duration(text)?),
            None => None,
        };
        let get = match &calls.get {
            Some(text) => Some(self.bytes(text)?),
            None => None,
        };
        let put = match &calls.put {
            Some(text) => Some(self.bytes(text)?),
            None => None,
        };
        let rate = calls.rate.as_ref().map_or(Some(0), |text| self.bytes(text))?;
        let then = match (calls.hold, keep, get, put) {
            (false, None, None, None) => Then::Bye,
            (true, None, None, None) => Then::Hold,
            (false, Some(keep), None, None) => Then::Keep(keep),
            (false, None, Some(bytes), None) => Then::Get { bytes, rate },
            (false, None, None, Some(bytes)) => Then::Put { bytes },
            _ => {
                self.problem(
                    span,
                    "more than one of `hold`, `keep`, `get` and `put`: expected one of them".into(),
                    None,
                );
                return None;
            }
        };
        let mut on = BTreeMap::new();
        for (name, calls) in &calls.on {
            on.insert(self.lpar_index(name)?, *calls.get_ref());
        }
        let sum: u32 = on.values().sum();
        if !on.is_empty() && sum != count {
            let message = format!("{sum} of {count} calls are expected somewhere: expected a place for each");
            self.problem(calls.count.span(), message, None);
        }
        let fail = match &calls.fail {
            Some(how) => Some(self.one_of(how, "way to fail", &FAILURES)?),
            None => None,
        };
        let name = self.new_calls(calls.name.as_ref())?;
        let tolerance = calls.tolerance.as_ref().map_or(Some(0), |percent| self.number(percent, 0..=100))?;
        Some(Calls { name, from, to, count, parallel, timeout, then, on, tolerance, fail })
    }

    fn new_calls(&mut self, name: Option<&Spanned<String>>) -> Option<String> {
        let name = match name {
            Some(name) if self.calls.contains(name.get_ref()) => {
                let message = format!("calls named `{}` were made before: expected another name", name.get_ref());
                self.problem(name.span(), message, None);
                return None;
            }
            Some(name) => self.mvs_name(name, "name of calls")?,
            None => format!("CALLS{}", self.calls.len() + 1),
        };
        self.calls.push(name.clone());
        Some(name)
    }

    fn finish(&mut self, finish: &raw::Finish) -> Option<Finish> {
        let names = self.calls.clone();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let calls = self.one_of(&finish.calls, "calls made before this step", &names)?;
        Some(Finish { calls, lost: finish.lost.as_ref().map_or(0, |lost| *lost.get_ref()) })
    }

    fn vary(&mut self, command: &raw::Command) -> Option<Act> {
        let on = self.lpar_index(&command.on)?;
        match Vary::parse(command.command.get_ref()) {
            Ok(parsed) => Some(Act::Vary { on, command: parsed, answer: answer(command) }),
            Err(message) => {
                self.problem(command.command.span(), message, None);
                None
            }
        }
    }

    fn modify(&mut self, command: &raw::Command) -> Option<Act> {
        let on = self.lpar(&command.on)?;
        let text = command.command.get_ref();
        match operator::modify(self.sysplex, &on, text) {
            Ok((on, argv)) => Some(Act::Modify { on, command: text.clone(), argv, answer: answer(command) }),
            Err(refusal) => {
                self.problem(command.command.span(), refusal.reason, None);
                None
            }
        }
    }

    fn tell(&mut self, tell: &raw::Tell) -> Option<Act> {
        let task = self.of_task(&tell.task, &tell.on)?;
        let servers = self.tasks_on(&task.on, |task| matches!(task, StartedTask::Server { .. }));
        let servers: Vec<&str> = servers.iter().map(String::as_str).collect();
        self.one_of(&tell.task, "server that takes orders", &servers)?;
        Some(Act::Tell { task, order: self.one_of(&tell.order, "order", &ORDERS)? })
    }

    fn of_task(&mut self, task: &Spanned<String>, on: &Spanned<String>) -> Option<OfTask> {
        let on = self.lpar(on)?;
        let there = self.tasks_on(&on, |_| true);
        let there: Vec<&str> = there.iter().map(String::as_str).collect();
        Some(OfTask { task: self.one_of(task, &format!("started task on {on}"), &there)?, on })
    }

    fn owner(&mut self, owner: &raw::Owner) -> Option<Act> {
        let dvipa = self.dvipa(&owner.dvipa)?;
        let is = match owner.is.get_ref().as_str() {
            "none" => None,
            _ => Some(self.lpar_index(&owner.is)?),
        };
        Some(Act::Owner { dvipa, is })
    }

    fn agreement(&mut self, agreement: &raw::Agreement) -> Option<Act> {
        let dvipa = self.dvipa(&agreement.dvipa)?;
        let rounds = agreement.rounds.as_ref().map_or(Some(1), |rounds| self.number(rounds, 1..=1000))?;
        let at_least = agreement.at_least.as_ref().map_or(0, |least| *least.get_ref());
        Some(Act::Agreement { dvipa, rounds, at_least })
    }

    fn netstat(&mut self, netstat: &raw::Netstat) -> Option<Act> {
        let on = self.lpar_index(&netstat.on)?;
        let words = |texts: &[Spanned<String>]| texts.iter().map(|text| text.get_ref().clone()).collect();
        let (says, says_not) = (words(&netstat.says), words(&netstat.says_not));
        match netstat.report.get_ref().parse() {
            Ok(request) => Some(Act::Netstat { on, request, says, says_not, eventually: netstat.eventually }),
            Err(message) => {
                let message: String = message;
                self.problem(netstat.report.span(), message, None);
                None
            }
        }
    }

    pub(super) fn dvipa(&mut self, address: &Spanned<String>) -> Option<IpAddr> {
        let all: Vec<String> = self.sysplex.dvipas.iter().map(|dvipa| dvipa.address.to_string()).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        self.one_of(address, "DVIPA", &all)?.parse().ok()
    }

    pub(super) fn lpar_index(&mut self, name: &Spanned<String>) -> Option<LparIndex> {
        let name = self.lpar(name)?;
        self.sysplex.lpar_named(&name).map(|lpar| lpar.index)
    }

    pub(super) fn tasks_on(&self, lpar: &str, which: impl Fn(&StartedTask) -> bool) -> Vec<String> {
        let tasks = self.sysplex.lpar_named(lpar).map(|lpar| lpar.tasks.as_slice()).unwrap_or_default();
        tasks.iter().filter(|task| which(task)).map(|task| task.name().to_owned()).collect()
    }

    pub(super) fn number(&mut self, found: &Spanned<u32>, right: std::ops::RangeInclusive<u32>) -> Option<u32> {
        let number = *found.get_ref();
        if !right.contains(&number) {
            let message = format!("{number} is out of range: expected {} to {}", right.start(), right.end());
            self.problem(found.span(), message, None);
            return None;
        }
        Some(number)
    }

    pub(super) fn bytes(&mut self, text: &Spanned<String>) -> Option<u64> {
        let read = size::parse(text.get_ref());
        if read.is_none() {
            let message = format!("`{}` is no size: expected such as \"64KiB\" or \"16MiB\"", text.get_ref());
            self.problem(text.span(), message, None);
        }
        read
    }
}

fn answer(command: &raw::Command) -> Answer {
    Answer { says: command.says.as_ref().map(|says| says.get_ref().clone()), refused: command.refused }
}
