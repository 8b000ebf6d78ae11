//! `site.toml`: what members cannot say.

use std::fmt::Write as _;

use sysplex::raw::{DvipaTable, LparTable, StartedTaskTable};
use sysplex::{Dvipa, Lpar};

use super::{Source, has_procedure, symbols};
use crate::import::toml::{list, string, value};

pub(super) fn write(source: &Source<'_>) -> String {
    let mut text = "# What the members of this site do not say.\n".to_owned();
    if let Some(name) = &source.topology.sysplex.name {
        let _ = writeln!(text, "sysplex = {}", string(name.get_ref()));
    }
    if let Some(defects) = &source.topology.sysplex.defects {
        let _ = writeln!(text, "defects = {}", list(defects.iter().map(|word| string(word.get_ref()))));
    }
    if source.sysplex.workstations.is_empty() {
        text.push_str("workstation = []\n");
    }
    for (lpar, table) in source.sysplex.lpars.iter().zip(&source.topology.lpar) {
        system(&mut text, source, lpar, table);
    }
    for (dvipa, table) in source.sysplex.dvipas.iter().zip(&source.topology.dvipa) {
        self::dvipa(&mut text, source, dvipa, table);
    }
    for table in source.topology.started_task.iter().filter(|table| !has_procedure(table)) {
        server(&mut text, table);
    }
    for workstation in &source.sysplex.workstations {
        let _ = write!(text, "\n[[workstation]]\nname = {}\n", string(&workstation.name));
        let _ = writeln!(text, "address = {}", string(&workstation.address.to_string()));
    }
    for table in &source.topology.firewall {
        text.push_str("\n[[firewall]]\n");
        for (key, value, _) in crate::firewalls::keys(table) {
            let _ = writeln!(text, "{key} = {value}");
        }
    }
    text
}

fn system(text: &mut String, source: &Source<'_>, lpar: &Lpar, table: &LparTable) {
    let _ = write!(text, "\n[[system]]\nname = {}\n", string(&lpar.name));
    let tasks = source.topology.started_task.iter().filter(|task| Source::runs(task, &lpar.name));
    let starts = tasks.clone().map(|task| string(&format!("S {}", task.name.get_ref())));
    let _ = writeln!(text, "start = {}", list(starts));
    for name in table.symbols.keys().map(|name| name.get_ref().as_str()).filter(|name| *name != "SYSCLONE") {
        let found = lpar.symbols.get(name).unwrap_or_default();
        if symbols::definition(name, found).is_none() {
            let _ = writeln!(text, "symbols.{} = {}", string(name), string(found));
        }
    }
    for (task, range) in tasks.clone().filter_map(|task| Some((task, task.attls.as_ref()?))) {
        let _ = writeln!(text, "attls.{} = {}", string(task.name.get_ref()), value(&range.get_ref().0));
    }
    for (task, wait) in tasks.filter_map(|task| Some((task, task.wait.as_ref()?))) {
        let _ = writeln!(text, "wait.{} = {}", string(task.name.get_ref()), string(wait.get_ref()));
    }
    if let Some(wlm) = &table.wlm {
        let _ = writeln!(text, "wlm = {}", wlm.get_ref());
    }
    for (port, weight) in &table.server_wlm {
        let _ = writeln!(text, "server_wlm.{} = {}", string(port.get_ref()), weight.get_ref());
    }
}

/// The order of DVIPAs, what a client sees without a target, and the order of backups of one rank.
fn dvipa(text: &mut String, source: &Source<'_>, dvipa: &Dvipa, table: &DvipaTable) {
    let backups: Vec<_> = dvipa.backups.iter().map(|backup| backup.lpar).collect();
    if source.sysplex.dvipas.len() == 1 && table.no_target.is_none() && backups.len() < 2 {
        return;
    }
    let _ = write!(text, "\n[[dvipa]]\naddress = {}\n", string(&dvipa.address.to_string()));
    if let Some(policy) = &table.no_target {
        let _ = writeln!(text, "no_target = {}", string(policy.get_ref()));
    }
    if backups.len() > 1 {
        let names = backups.iter().filter_map(|backup| source.sysplex.lpar(*backup)).map(|lpar| string(&lpar.name));
        let _ = writeln!(text, "backups = {}", list(names));
    }
}

/// A plain server, and any other program, has no procedure.
fn server(text: &mut String, table: &StartedTaskTable) {
    let (name, program) = (string(table.name.get_ref()), string(table.program.get_ref()));
    let _ = write!(text, "\n[[started_task]]\nname = {name}\nprogram = {program}\n");
    if let Some(on) = &table.on {
        let _ = writeln!(text, "on = {}", list(on.get_ref().iter().map(|name| string(name.get_ref()))));
    }
    if let Some(ports) = &table.ports {
        let _ = writeln!(text, "ports = {}", list(ports.get_ref().iter().map(|port| value(&port.get_ref().0))));
    }
    if let Some(bind) = &table.bind {
        let _ = writeln!(text, "bind = {}", string(bind.get_ref()));
    }
    if let Some(backlog) = &table.backlog {
        let _ = writeln!(text, "backlog = {}", backlog.get_ref());
    }
    if let Some(check) = &table.port_check {
        let _ = writeln!(text, "port_check = {}", string(check.get_ref()));
    }
    for (key, value, _) in crate::commands::keys(table) {
        let _ = writeln!(text, "{key} = {value}");
    }
}
