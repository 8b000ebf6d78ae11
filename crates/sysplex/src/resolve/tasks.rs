//! Started tasks: one table in the file, one task on each of its LPARs, with the symbols of that LPAR.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;

mod command;

use super::{NO_PORT_IN_RANGE, PerLpar, Problems, SYMBOL_MAKES_NO_PORT, Trouble, UNDEFINED_SYMBOL, expand_and};
use crate::model::{Lpar, LparIndex, PortCheck, StartedTask};
use crate::names::cut;
use crate::ports::{exclusive_range, port, port_or_range};
use crate::raw::{StartedTaskTable, Topology, Value};

/// Defaults as IBM documents them.
const CLIENT: u16 = 5335;
const HOST: u16 = 5336;
const HUBPORT: u16 = 5337;
const RSED: u16 = 4035;

const PROGRAMS: [(&str, Program); 4] =
    [("dbgmgr", Program::Dbgmgr), ("rsed", Program::Rsed), ("server", Program::Server), ("command", Program::Command)];

#[derive(Clone, Copy, PartialEq)]
enum Program {
    Dbgmgr,
    Rsed,
    Server,
    Command,
}

pub(super) fn resolve(topology: &Topology, lpars: &mut [Lpar], problems: &mut Problems) {
    // Ports in use per LPAR, in the order of `lpars`.
    let mut used: Vec<Vec<UsedPort>> = lpars.iter().map(|_| Vec::new()).collect();
    for table in &topology.started_task {
        problems.mvs_name(&table.name, "started task's name");
        let program = problems.word(&table.program, "program", &PROGRAMS);
        let on = on(table, lpars, problems);
        let (Some(program), Some(on)) = (program, on) else { continue };
        foreign_keys(table, program, problems);
        let wait = table.wait.as_ref().and_then(|text| wait(text, problems));
        let mut troubles = PerLpar::default();
        for (lpar, used) in lpars.iter_mut().zip(&mut used).filter(|(lpar, _)| on.contains(&lpar.index)) {
            if lpar.tasks.iter().any(|task| task.name() == table.name.get_ref()) {
                let message = format!("a started task named `{}` runs there already", cut(table.name.get_ref()));
                troubles.add(table.name.span(), Trouble::new(message), &lpar.name);
            }
            let mut reader = Reader { table, lpar, used, troubles: &mut troubles };
            let task = match program {
                Program::Dbgmgr if problems.as_run => reader.debug_manager_as_run(wait),
                Program::Dbgmgr => reader.debug_manager(wait),
                Program::Rsed => reader.rsed(),
                Program::Server => reader.server(),
                Program::Command => reader.command(),
            };
            lpar.tasks.extend(task);
        }
        troubles.report(problems);
    }
}

fn on(table: &StartedTaskTable, lpars: &[Lpar], problems: &mut Problems) -> Option<BTreeSet<LparIndex>> {
    let Some(names) = &table.on else { return Some(lpars.iter().map(|lpar| lpar.index).collect()) };
    if names.get_ref().is_empty() {
        let help = Some("leave `on` out to run it on every LPAR".to_owned());
        problems.add_with_help(names.span(), "the started task runs nowhere: expected names of LPARs", help);
    }
    problems.lpars(names.get_ref(), lpars).map(|found| found.into_iter().collect())
}

/// Keys of other programs.
fn foreign_keys(table: &StartedTaskTable, program: Program, problems: &mut Problems) {
    fn span<T>(value: &Option<Spanned<T>>) -> Option<Range<usize>> {
        value.as_ref().map(Spanned::span)
    }
    let keys = [
        (Program::Dbgmgr, "client", span(&table.client)),
        (Program::Dbgmgr, "host", span(&table.host)),
        (Program::Dbgmgr, "hubip", span(&table.hubip)),
        (Program::Dbgmgr, "hubport", span(&table.hubport)),
        (Program::Dbgmgr, "wait", span(&table.wait)),
        (Program::Dbgmgr, "prm", span(&table.prm)),
        (Program::Dbgmgr, "attls", span(&table.attls)),
        (Program::Rsed, "port", span(&table.port)),
        (Program::Rsed, "port_range", span(&table.port_range)),
        (Program::Server, "ports", span(&table.ports)),
        (Program::Server, "bind", span(&table.bind)),
        (Program::Server, "backlog", span(&table.backlog)),
        (Program::Server, "port_check", span(&table.port_check)),
        (Program::Command, "command", span(&table.command)),
        (Program::Command, "environment", table.environment.keys().next().map(Spanned::span)),
        (Program::Command, "files", table.files.keys().next().map(Spanned::span)),
        (Program::Command, "ready", span(&table.ready)),
        (Program::Command, "restart", span(&table.restart)),
        (Program::Command, "restart_most", span(&table.restart_most)),
    ];
    let found = keys.into_iter().filter(|(of, ..)| *of != program).filter_map(|(of, key, span)| Some((of, key, span?)));
    for (of, key, span) in found {
        let owner = PROGRAMS.iter().find(|(_, program)| *program == of).map_or("", |(name, _)| name);
        let message = format!("`{key}` belongs to program `{owner}`, not to `{}`", cut(table.program.get_ref()));
        problems.add(span, message);
    }
}

fn wait(text: &Spanned<String>, problems: &mut Problems) -> Option<Duration> {
    let read = humantime::parse_duration(text.get_ref()).ok().filter(|wait| !wait.is_zero());
    if read.is_none() {
        let message = format!("`{}` is not a time to wait: expected such as `300s` or `5m`", cut(text.get_ref()));
        problems.add(text.span(), message);
    }
    read
}

/// A port that a task on this LPAR binds.
struct UsedPort {
    port: u16,
    /// At this address alone.
    address: Option<IpAddr>,
    what: String,
}

/// Reads one task's values on one LPAR.
struct Reader<'a> {
    table: &'a StartedTaskTable,
    lpar: &'a Lpar,
    used: &'a mut Vec<UsedPort>,
    troubles: &'a mut PerLpar,
}

impl Reader<'_> {
    fn debug_manager(&mut self, wait: Option<Duration>) -> Option<StartedTask> {
        let table = self.table;
        let host = self.port(table.host.as_ref(), HOST);
        let hubport = self.port(table.hubport.as_ref(), HUBPORT);
        let client = self.port(table.client.as_ref(), CLIENT);
        let hubip = table.hubip.as_ref().map(|text| self.read(text.span(), text.get_ref(), address));
        // HOST and HUBPORT first: it is the CLIENT port that symbols make and that then collides (`53&SYSCLONE` with 36
        // or 37). HUBPORT counts on every LPAR, because an operator can make any of them the primary.
        self.bind(host, "HOST", table.host.as_ref());
        if hubip.is_some() {
            self.bind(hubport, "HUBPORT", table.hubport.as_ref());
        }
        self.bind(client, "CLIENT", table.client.as_ref());
        let hub = match hubip {
            Some(address) => Some(SocketAddrV4::new(address?, hubport?)),
            None => None,
        };
        let rule = match &table.attls {
            Some(range) => Some(self.read(range.span(), &range.get_ref().0, port_or_range)?),
            None => None,
        };
        let (name, client) = (table.name.get_ref().clone(), client?);
        let tls = rule.is_some_and(|range| range.contains(&client));
        let prm = words(table.prm.as_ref());
        Some(StartedTask::DebugManager { name, client, host: host?, hub, wait, prm, tls })
    }

    /// What symbols make of its PARM is the program's to judge.
    fn debug_manager_as_run(&mut self, wait: Option<Duration>) -> Option<StartedTask> {
        let mut troubles = PerLpar::default();
        let mut reader = Reader { table: self.table, lpar: self.lpar, used: &mut *self.used, troubles: &mut troubles };
        let task = reader.debug_manager(wait);
        let is_parm = |trouble: &Trouble| [Some(SYMBOL_MAKES_NO_PORT), Some(UNDEFINED_SYMBOL)].contains(&trouble.code);
        for (span, trouble, _) in troubles.0.into_iter().filter(|(_, trouble, _)| !is_parm(trouble)) {
            self.troubles.add(span, trouble, &self.lpar.name);
        }
        Some(task.unwrap_or_else(|| self.wrong_parm()))
    }

    fn wrong_parm(&self) -> StartedTask {
        let table = self.table;
        let resolved = |text: &str| self.lpar.symbols.expand(text).map_or_else(|_| text.to_owned(), |done| done.text);
        let port = |value: Option<&Spanned<Value>>, default: u16| {
            value.map_or_else(|| default.to_string(), |value| resolved(&value.get_ref().0))
        };
        let mut all = vec![port(table.host.as_ref(), HOST), port(table.client.as_ref(), CLIENT)];
        if let Some(hubip) = &table.hubip {
            all.push(format!("HUBIP={}", resolved(hubip.get_ref())));
            all.push(format!("HUBPORT={}", port(table.hubport.as_ref(), HUBPORT)));
        }
        all.extend(words(table.prm.as_ref()));
        StartedTask::WrongParm { name: table.name.get_ref().clone(), words: all }
    }

    fn rsed(&mut self) -> Option<StartedTask> {
        let table = self.table;
        let port = self.port(table.port.as_ref(), RSED);
        self.bind(port, "port", table.port.as_ref());
        let port_range = match &table.port_range {
            Some(text) => Some(self.port_range(text)?),
            None => None,
        };
        Some(StartedTask::Rsed { name: table.name.get_ref().clone(), port: port?, port_range })
    }

    fn port_range(&mut self, text: &Spanned<String>) -> Option<Range<u16>> {
        let found = expand_and(text.get_ref(), &self.lpar.symbols, exclusive_range);
        let code = |trouble: Trouble| Trouble { code: trouble.code.or(Some(NO_PORT_IN_RANGE)), ..trouble };
        found.map_err(|trouble| self.troubles.add(text.span(), code(trouble), &self.lpar.name)).ok()
    }

    fn server(&mut self) -> Option<StartedTask> {
        let table = self.table;
        let Some(written) = table.ports.as_ref().filter(|ports| !ports.get_ref().is_empty()) else {
            let message = "a server without ports: expected `ports = [...]`".to_owned();
            self.troubles.add(table.name.span(), Trouble::new(message), &self.lpar.name);
            return None;
        };
        let bind = match &table.bind {
            Some(text) => Some(self.read(text.span(), text.get_ref(), any_address)?),
            None => None,
        };
        let mut ports = Vec::new();
        for value in written.get_ref() {
            let range = self.read(value.span(), &value.get_ref().0, port_or_range)?;
            for port in range {
                self.bind_at(bind.filter(|address| !address.is_unspecified()), Some(port), "a port", Some(value));
                ports.push(port);
            }
        }
        let backlog = table.backlog.as_ref().map(|backlog| *backlog.get_ref());
        let port_check = match &table.port_check {
            Some(text) => Some(self.read(text.span(), text.get_ref(), port_check)?),
            None => None,
        };
        Some(StartedTask::Server { name: table.name.get_ref().clone(), ports, bind, backlog, port_check })
    }

    fn port(&mut self, value: Option<&Spanned<Value>>, default: u16) -> Option<u16> {
        match value {
            Some(value) => self.read(value.span(), &value.get_ref().0, port),
            None => Some(default),
        }
    }

    fn read<T>(&mut self, span: Range<usize>, text: &str, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        match expand_and(text, &self.lpar.symbols, read) {
            Ok(value) => Some(value),
            Err(trouble) => {
                self.troubles.add(span, trouble, &self.lpar.name);
                None
            }
        }
    }

    /// Notes that the task binds the port at any address, and reports who has it already.
    fn bind(&mut self, port: Option<u16>, key: &str, value: Option<&Spanned<Value>>) {
        self.bind_at(None, port, key, value);
    }

    /// The same for one address: at another one somebody else may have the port.
    fn bind_at(&mut self, address: Option<IpAddr>, port: Option<u16>, key: &str, value: Option<&Spanned<Value>>) {
        let Some(port) = port else { return };
        let name = cut(self.table.name.get_ref());
        let same = |other: Option<IpAddr>| address.is_none() || other.is_none() || address == other;
        if let Some(other) = self.used.iter().find(|used| used.port == port && same(used.address)) {
            let written = value.map(|value| value.get_ref().0.as_str()).filter(|text| text.contains('&'));
            let because = written.map(|text| format!(" (from `{}`)", cut(text))).unwrap_or_default();
            let message =
                format!("{key} of {name} is {port}{because}, which is {} already: expected another port", other.what);
            let span = value.map_or_else(|| self.table.name.span(), Spanned::span);
            let code = (key == "CLIENT").then_some(SYMBOL_MAKES_NO_PORT);
            self.troubles.add(span, Trouble { code, ..Trouble::new(message) }, &self.lpar.name);
        }
        self.used.push(UsedPort { port, address, what: format!("{key} of {name}") });
    }
}

fn words(prm: Option<&Spanned<String>>) -> Vec<String> {
    prm.map(|prm| prm.get_ref().split_whitespace().map(str::to_owned).collect()).unwrap_or_default()
}

fn port_check(text: &str) -> Result<PortCheck, String> {
    let known = [PortCheck::Port, PortCheck::Socket].into_iter().find(|check| check.as_str() == text);
    known.ok_or_else(|| format!("`{}` is no check for a port: expected `port` or `socket`", cut(text)))
}

fn any_address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("`{}` is no IP address", cut(text)))
}

fn address(text: &str) -> Result<Ipv4Addr, String> {
    text.parse().map_err(|_| format!("`{}` is not an IPv4 address: HUBIP expects the address of an LPAR", cut(text)))
}
