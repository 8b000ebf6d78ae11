//! Started tasks: what a procedure says, as a table of the topology; one table for all systems on which it says the same.

use std::collections::BTreeSet;

use sysplex::raw::{Spanned, StartedTaskTable, Value};
use sysplex::symbols::Symbols;

use super::segments::Addresses;
use super::systems::Gathered;
use super::toml::{Entry, Toml, list, string, value};
use crate::jcl::{self, Run, Step};
use crate::report::{NoteKind, Problem, Report, cut};
use crate::rseenv::RseEnv;
use crate::site::{Site, System};
use crate::source::{Members, Place, Placed};
use crate::substitute::Resolved;

/// The keys of a Debug Manager's environment that a topology has.
const HUBIP: &str = "HUBIP";
const HUBPORT: &str = "HUBPORT";
const WAIT: &str = "WAIT";
/// Those that go to the program as they are, among its PRM: TRUSTEDTCP, and keys of the lab's own Debug Manager.
const PASSED_ON: [&str; 4] = ["TRUSTEDTCP", "HUBPEERS", "NAMETOKEN", "PTKTDATA"];

/// Entry of the field catalogue: a symbol that is not there when the task starts.
pub(super) const UNDEFINED_SYMBOL: &str = "F08";

/// One started task on one system.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) name: String,
    pub(super) entries: Vec<Entry>,
    pub(super) place: Option<Place>,
    pub(super) asides: Vec<Aside>,
}

/// A variable of a started task's environment that a topology has no key of its own for, such as TRUSTEDTCP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aside {
    /// Name of the started task.
    pub task: String,
    /// The variable.
    pub key: String,
    /// Its value, resolved.
    pub value: Placed<String>,
}

impl Task {
    fn new(name: &str, program: &str, place: impl Into<Option<Place>>) -> Self {
        let place = place.into();
        Self {
            name: name.to_owned(),
            entries: vec![Entry::new("program", string(program), place)],
            place,
            asides: Vec::new(),
        }
    }

    fn add(&mut self, key: &str, value: String, place: impl Into<Option<Place>>) {
        self.entries.push(Entry::new(key, value, place));
    }

    /// Does its table say this?
    pub(super) fn has(&self, key: &str, text: &str) -> bool {
        self.entries.iter().any(|entry| entry.key == key && entry.value.trim_matches('"') == text)
    }

    /// The same on two systems?
    fn is_same(&self, other: &Self) -> bool {
        let pairs =
            |task: &Self| task.entries.iter().map(|entry| (entry.key.clone(), entry.value.clone())).collect::<Vec<_>>();
        self.name == other.name && pairs(self) == pairs(other)
    }
}

/// A value with the system symbols that it is written with, where those give the value.
fn symbolic(found: &Placed<Resolved>, symbols: &Symbols, report: &mut Report) -> String {
    if let Some(name) = found.value.unknown.first() {
        let message = format!("system symbol `&{}` is not defined when the task starts", cut(name));
        let help = "bring the IEASYMxx or the job that defines it, or give it in site.toml".to_owned();
        report.problems.push(Problem::new(found.place, message).with_help(help).with_code(Some(UNDEFINED_SYMBOL)));
    }
    let is_same = symbols.expand(&found.value.symbolic).is_ok_and(|expansion| expansion.text == found.value.text);
    value(if is_same { &found.value.symbolic } else { &found.value.text })
}

/// What the site's manifest says of a Debug Manager, with its place.
#[derive(Debug, Default)]
pub(super) struct Own {
    pub(super) wait: Option<(String, Option<Place>)>,
    pub(super) attls: Option<(String, Option<Place>)>,
}

pub(super) fn debug_manager(
    site: &Site,
    system: &System,
    name: &str,
    (run, step): (&Run, &Step),
    own: Own,
    symbols: &Symbols,
    report: &mut Report,
) -> Option<Task> {
    let stdenv = stdenv(site, system, step, report);
    let found = jcl::debug_manager(run, step, stdenv, report);
    let found = report.keep(found)?;
    let mut task = Task::new(name, "dbgmgr", step.place);
    task.add("client", symbolic(&found.client, symbols, report), found.client.place);
    task.add("host", symbolic(&found.host, symbols, report), found.host.place);
    for (key, name) in [("hubip", HUBIP), ("hubport", HUBPORT)] {
        // An empty variable counts as not set, as for the lab's Debug Manager.
        if let Some(found) = found.environment.get(name).filter(|found| !found.value.text.is_empty()) {
            task.add(key, symbolic(found, symbols, report), found.place);
        }
    }
    if let Some((range, place)) = own.attls {
        task.add("attls", value(&range), place);
    }
    if let Some((wait, place)) = own.wait {
        task.add("wait", string(&wait), place);
    } else if let Some(seconds) = found.environment.get(WAIT) {
        task.add("wait", string(&format!("{}s", seconds.value.text)), seconds.place);
    }
    if !found.le.trim().is_empty() {
        let text = format!("LE options `{}` say nothing to this lab", cut(found.le.trim()));
        report.note(NoteKind::PassedOver, step.parm.as_ref().map(|parm| parm.place), text);
    }
    for word in &found.words {
        report.note(NoteKind::NotCarried, word.place, format!("PRM word `{}`", cut(&word.value)));
    }
    let is_passed_on = |key: &str, text: &str| PASSED_ON.contains(&key) && !text.is_empty();
    let passed_on = found.environment.iter().filter(|(key, value)| is_passed_on(key, &value.value.text));
    // A word of PRM has no blanks in it; those of a list mean nothing.
    let word = |text: &str| text.split_whitespace().collect::<String>();
    let prm: Vec<String> = passed_on.clone().map(|(key, value)| format!("{key}={}", word(&value.value.text))).collect();
    if let Some((_, first)) = passed_on.clone().next() {
        task.add("prm", string(&prm.join(" ")), first.place);
    }
    for (key, value) in found.environment.iter().filter(|(key, _)| ![HUBIP, HUBPORT, WAIT].contains(&key.as_str())) {
        if !PASSED_ON.contains(&key.as_str()) {
            report.note(NoteKind::PassedOver, value.place, format!("variable {} of Debug Manager", cut(key)));
        }
        let text = Placed::new(value.value.text.clone(), value.place);
        task.asides.push(Aside { task: name.to_owned(), key: key.clone(), value: text });
    }
    Some(task)
}

/// The records of DD STDENV, or of the DD that ENVAR's `_CEE_ENVFILE` names; in-stream or a member.
fn stdenv(site: &Site, system: &System, step: &Step, report: &mut Report) -> Vec<Placed<Resolved>> {
    let parm = step.parm.as_ref().map_or("", |parm| parm.value.text.as_str());
    let named = parm.split_once("=DD:").map(|(_, rest)| rest.split(['"', ')', ' ']).next().unwrap_or_default());
    let Some(dd) = step.dd("STDENV").or_else(|| step.dd(named?)) else { return Vec::new() };
    if let Some(data) = &dd.data {
        return data.clone();
    }
    let Some(id) = dd.data_set.as_ref().and_then(|name| site.find(system, name)) else {
        let text =
            format!("DD {}: {} is not among the members", dd.name, cut(dd.data_set.as_deref().unwrap_or("nothing")));
        report.note(NoteKind::NotCarried, dd.place, text);
        return Vec::new();
    };
    let lines = site.members.get(id).lines();
    let place = |start: usize, text: &str| Members::place(id, start..start + text.len());
    lines.map(|line| Placed::new(Resolved::plain(line.text), place(line.start, line.text))).collect()
}

pub(super) fn rsed(
    site: &Site,
    system: &System,
    name: &str,
    (run, step): (&Run, &Step),
    symbols: &Symbols,
    report: &mut Report,
) -> Task {
    let found = jcl::rsed(run, step);
    let mut task = Task::new(name, "rsed", step.place);
    let id = site.rse_env(system, found.configuration.as_deref());
    let env = id.map(|id| RseEnv::read(&site.members, id, report)).unwrap_or_default();
    let daemon_port = env.get("_RSE_RSED_PORT");
    match (&found.port, daemon_port) {
        (Some(port), _) => task.add("port", symbolic(port, symbols, report), port.place),
        (None, Some(port)) => task.add("port", value(&port.value), port.place),
        (None, None) => {}
    }
    if let Some(range) = env.get("_RSE_PORTRANGE") {
        task.add("port_range", string(&range.value), range.place);
    }
    for (key, place) in env.keys().filter(|(key, _)| !["_RSE_RSED_PORT", "_RSE_PORTRANGE"].contains(key)) {
        report.note(NoteKind::PassedOver, place, format!("variable {} says nothing to this lab", cut(key)));
    }
    if daemon_port.is_some() && found.port.is_some() {
        report.note(
            NoteKind::Changed,
            daemon_port.map(|port| port.place),
            "the port of the procedure comes before this one",
        );
    }
    task
}

/// A task of the manifest, as it is there.
pub(super) fn of_table(site: &Site, table: &StartedTaskTable) -> Task {
    let place = |span| site.in_manifest(span);
    let mut task = Task::new(table.name.get_ref(), table.program.get_ref(), place(table.name.span()));
    let values = [("client", &table.client), ("host", &table.host), ("hubport", &table.hubport), ("port", &table.port)];
    let texts =
        [("hubip", &table.hubip), ("wait", &table.wait), ("port_range", &table.port_range), ("bind", &table.bind)];
    let texts = texts.into_iter().chain([("prm", &table.prm)]);
    for (key, found) in values.into_iter().filter_map(|(key, found)| Some((key, found.as_ref()?))) {
        task.add(key, value(&found.get_ref().0), place(found.span()));
    }
    for (key, found) in texts.filter_map(|(key, found)| Some((key, found.as_ref()?))) {
        task.add(key, string(found.get_ref()), place(found.span()));
    }
    if let Some(ports) = &table.ports {
        let port = |port: &Spanned<Value>| value(&port.get_ref().0);
        task.add("ports", list(ports.get_ref().iter().map(port)), place(ports.span()));
    }
    if let Some(check) = &table.port_check {
        task.add("port_check", string(check.get_ref()), place(check.span()));
    }
    if let Some(backlog) = &table.backlog {
        task.add("backlog", backlog.get_ref().to_string(), place(backlog.span()));
    }
    for (key, text, span) in crate::commands::keys(table) {
        task.add(key, text, place(span));
    }
    task
}

/// Writes the tables. The tasks of a system stay in their order, because they are started in it.
pub(super) fn write(toml: &mut Toml<'_>, systems: &[Gathered<'_>], addresses: &Addresses, report: &mut Report) {
    let mut heads = vec![0usize; systems.len()];
    let head = |heads: &[usize], system: usize| systems[system].tasks.get(heads[system]);
    loop {
        let waiting = (0..systems.len()).filter(|&system| head(&heads, system).is_some());
        // A task that is next on every system that has it; else, where orders differ, whichever is next.
        let is_next_everywhere = |&system: &usize| {
            let Some(task) = head(&heads, system) else { return false };
            (0..systems.len()).all(|other| {
                let rest = systems[other].tasks.get(heads[other] + 1..).unwrap_or_default();
                !rest.iter().any(|later| later.is_same(task))
            })
        };
        let Some(first) = waiting.clone().find(is_next_everywhere).or_else(|| waiting.clone().next()) else { return };
        let Some(task) = head(&heads, first) else { return };
        let on: BTreeSet<usize> =
            waiting.filter(|&other| head(&heads, other).is_some_and(|one| one.is_same(task))).collect();
        table(toml, task, &on, systems, addresses, report);
        for system in on {
            heads[system] += 1;
        }
    }
}

fn table(
    toml: &mut Toml<'_>,
    task: &Task,
    on: &BTreeSet<usize>,
    systems: &[Gathered<'_>],
    addresses: &Addresses,
    report: &mut Report,
) {
    toml.table("[[started_task]]");
    toml.key("name", &string(&task.name), task.place);
    if on.len() < systems.len() {
        let names = on.iter().map(|&system| string(&systems[system].system.identity.name));
        toml.key("on", &list(names), task.place);
    }
    for entry in &task.entries {
        let moved = (entry.key == "hubip").then(|| addresses.moved(entry.value.trim_matches('"'))).flatten();
        match moved {
            Some(moved) => {
                report.note(
                    NoteKind::Changed,
                    entry.place,
                    format!("HUBIP is {moved} here, where the system's address went"),
                );
                toml.key(&entry.key, &super::toml::address(moved), entry.place);
            }
            None => toml.entry(entry),
        }
    }
}
