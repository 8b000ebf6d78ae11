//! What each system's members say: symbols, profile, started tasks.

use std::collections::BTreeMap;

use sysplex::raw::{Spanned, StartedTaskTable};
use sysplex::symbols::Symbols;

use super::tasks::{self, Aside, Task};
use crate::eqadvipa;
use crate::ieasym::{self, SystemSymbols};
use crate::jcl::statement::{self, Statement};
use crate::jcl::{Program, Start, run};
use crate::profile::{self, Profile};
use crate::report::{NoteKind, Report, cut};
use crate::site::{Kind, Site, System};
use crate::source::{MemberId, Members, Place};

/// A system with what its members say.
#[derive(Debug)]
pub struct Gathered<'s> {
    /// The system.
    pub system: &'s System,
    /// Its symbols, those that jobs define included.
    pub symbols: SystemSymbols,
    /// The member that is its profile.
    pub member: Option<MemberId>,
    /// Its profile, empty when there is none.
    pub profile: Profile,
    pub(super) tasks: Vec<Task>,
}

impl Gathered<'_> {
    /// What its started tasks say and a topology has no key for.
    pub fn asides(&self) -> impl Iterator<Item = &Aside> {
        self.tasks.iter().flat_map(|task| &task.asides)
    }
}

/// Reads all members of all systems; `sysplex` is the sysplex' name, for symbol SYSPLEX.
pub fn gather<'s>(site: &'s Site, sysplex: &str, report: &mut Report) -> Vec<Gathered<'s>> {
    let mut library = Library { site, parsed: BTreeMap::new() };
    site.systems.iter().map(|system| library.system(system, sysplex, report)).collect()
}

/// Procedures, each read once however many systems share it.
struct Library<'s> {
    site: &'s Site,
    parsed: BTreeMap<MemberId, (Vec<Statement>, Report)>,
}

/// A started task that is to be run.
struct Command {
    start: Start,
    place: Option<Place>,
}

impl<'s> Library<'s> {
    fn system(&mut self, system: &'s System, sysplex: &str, report: &mut Report) -> Gathered<'s> {
        let mut symbols = ieasym::resolve(&self.site.definitions, &system.identity, sysplex, report);
        self.manifest_symbols(system, &mut symbols, report);
        // Started tasks first: one of them may define a symbol that the profile uses.
        let tasks = self.tasks(system, &mut symbols, report);
        let member = self.site.profile(system);
        let profile = match &member {
            Ok(Some(id)) => {
                let resolver = |name: &str| self.site.find(system, name);
                profile::read(&self.site.members, *id, &symbols.symbols, &resolver, report)
            }
            Ok(None) => {
                let text = format!("{} has no profile among the members", system.identity.name);
                report.note(NoteKind::Assumed, None, text);
                Profile::default()
            }
            Err(problem) => {
                report.problems.push(problem.clone());
                Profile::default()
            }
        };
        Gathered { system, symbols, member: member.ok().flatten(), profile, tasks }
    }

    fn manifest_symbols(&self, system: &System, symbols: &mut SystemSymbols, report: &mut Report) {
        for (name, value) in system.table.iter().flat_map(|table| &table.symbols) {
            let place = self.site.in_manifest(value.span());
            match symbols.symbols.expand(&value.get_ref().0) {
                Ok(expansion) => symbols.define(name.get_ref(), expansion.text, place, report),
                Err(error) => report.problem(place, error.to_string()),
            }
        }
    }

    fn tasks(&mut self, system: &System, symbols: &mut SystemSymbols, report: &mut Report) -> Vec<Task> {
        let commands = match system.table.as_ref().and_then(|table| table.start.as_ref()) {
            Some(commands) => commands.iter().filter_map(|command| self.command(command, report)).collect(),
            None => self.all(system),
        };
        commands.into_iter().filter_map(|command| self.task(system, &command, symbols, report)).collect()
    }

    fn command(&self, command: &Spanned<String>, report: &mut Report) -> Option<Command> {
        let place = self.site.in_manifest(command.span());
        match Start::parse(command.get_ref()) {
            Ok(start) => Some(Command { start, place }),
            Err(message) => {
                report.problem(place, message);
                None
            }
        }
    }

    /// Without START commands: every job that changes symbols, then every procedure that is known, then the manifest's tasks.
    fn all(&mut self, system: &System) -> Vec<Command> {
        let mut found: Vec<(bool, Command)> = Vec::new();
        for (name, id) in self.site.visible(system, Kind::Jcl) {
            // Which program it is does not depend on symbols but for odd procedures.
            let start = Start { procedure: name.to_owned(), overrides: Vec::new() };
            let (statements, _) = self.read(id);
            let run = run(statements, &start, None, &Symbols::default(), &mut Report::default());
            if let Some((program, _)) = run.program() {
                found.push((program != Program::SymbolUpdate, Command { start, place: None }));
            }
        }
        found.sort_by_key(|(is_task, _)| *is_task);
        let from_manifest = self.site.manifest.started_task.iter().filter(|table| is_on(table, system));
        let from_manifest = from_manifest.map(|table| Command {
            start: Start { procedure: table.name.get_ref().clone(), overrides: Vec::new() },
            place: self.site.in_manifest(table.name.span()),
        });
        found.into_iter().map(|(_, command)| command).chain(from_manifest).collect()
    }

    fn read(&mut self, id: MemberId) -> &(Vec<Statement>, Report) {
        self.parsed.entry(id).or_insert_with(|| {
            let mut report = Report::default();
            (statement::read(&self.site.members, id, &mut report), report)
        })
    }

    fn task(
        &mut self,
        system: &System,
        command: &Command,
        symbols: &mut SystemSymbols,
        report: &mut Report,
    ) -> Option<Task> {
        let (name, site) = (&command.start.procedure, self.site);
        let Some(id) = site.procedure(system, name) else {
            let table =
                site.manifest.started_task.iter().find(|table| table.name.get_ref() == name && is_on(table, system));
            if table.is_none() {
                let message = format!("`{}` is started, which is no procedure among the members", cut(name));
                report.problem(command.place, message);
            }
            return table.map(|table| tasks::of_table(site, table));
        };
        let (statements, found) = self.read(id);
        report.extend(found);
        let run = run(statements, &command.start, command.place, &symbols.symbols, report);
        match run.program() {
            Some((Program::SymbolUpdate, _)) => {
                for (name, value) in report.keep(eqadvipa::symbols(&run)).unwrap_or_default() {
                    symbols.define(&name, value.value, Some(value.place), report);
                }
                None
            }
            Some((Program::DebugManager, step)) => {
                let wait =
                    system.table.as_ref().and_then(|table| table.wait.iter().find(|(task, _)| task.get_ref() == name));
                let wait = wait.map(|(_, wait)| (wait.get_ref().clone(), site.in_manifest(wait.span())));
                let attls =
                    system.table.as_ref().and_then(|table| table.attls.iter().find(|(task, _)| task.get_ref() == name));
                let attls = attls.map(|(_, range)| (range.get_ref().0.clone(), site.in_manifest(range.span())));
                let own = tasks::Own { wait, attls };
                tasks::debug_manager(site, system, name, (&run, step), own, &symbols.symbols, report)
            }
            Some((Program::Rsed, step)) => {
                Some(tasks::rsed(site, system, name, (&run, step), &symbols.symbols, report))
            }
            None => {
                let text = format!("{} starts no program that this lab has", cut(name));
                report.note(NoteKind::NotCarried, Members::head(id), text);
                None
            }
        }
    }
}

/// Does the manifest run this task on this system?
fn is_on(table: &StartedTaskTable, system: &System) -> bool {
    table.on.as_ref().is_none_or(|on| on.get_ref().iter().any(|name| *name.get_ref() == system.identity.name))
}
