//! The operator's commands to a sysplex that runs: what they mean there, before anything is done. Pure.

use distributor::Vary;
use sysplex::{Lpar, LparIndex, StartedTask, Sysplex, did_you_mean};

use crate::exit;
use crate::plex::tasks;

/// Why a command is not given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The exit status: [`exit::BAD_INPUT`] for words that mean nothing there, [`exit::FAILED`] for what cannot be done.
    pub status: u8,
    /// Why, in a sentence.
    pub reason: String,
}

impl Refusal {
    /// Words that mean nothing there.
    pub fn bad(reason: String) -> Self {
        Self { status: exit::BAD_INPUT, reason }
    }

    /// What cannot be done.
    pub fn failed(reason: String) -> Self {
        Self { status: exit::FAILED, reason }
    }
}

/// The host of this name, LPAR or workstation, in the topology's own spelling.
///
/// # Errors
/// What there is instead.
pub fn host<'a>(sysplex: &'a Sysplex, name: &str) -> Result<&'a str, Refusal> {
    let lpars = sysplex.lpars.iter().map(|lpar| lpar.name.as_str());
    one_of(name, "LPAR or workstation", lpars.chain(sysplex.workstations.iter().map(|w| w.name.as_str())))
}

/// The LPAR of this name.
///
/// # Errors
/// What there is instead.
pub fn lpar<'a>(sysplex: &'a Sysplex, name: &str) -> Result<&'a Lpar, Refusal> {
    let name = one_of(name, "LPAR", sysplex.lpars.iter().map(|lpar| lpar.name.as_str()))?;
    sysplex.lpar_named(name).ok_or_else(|| Refusal::bad(format!("{name} is no LPAR")))
}

/// Upper and lower case are the same, as at a console; but a name that is spelled just so comes first.
fn one_of<'a>(name: &str, kind: &str, names: impl Iterator<Item = &'a str> + Clone) -> Result<&'a str, Refusal> {
    let found = names.clone().find(|known| *known == name);
    found.or_else(|| names.clone().find(|known| known.eq_ignore_ascii_case(name))).ok_or_else(|| {
        let help = did_you_mean(name, names.clone()).map(|help| format!("; {help}")).unwrap_or_default();
        let known: Vec<&str> = names.collect();
        Refusal::bad(format!("there is no {kind} `{}`: expected {}{help}", shown(name), known.join(", ")))
    })
}

/// `VARY TCPIP,,SYSPLEX,...` on one system.
///
/// # Errors
/// When there is no such system or command.
pub fn vary(sysplex: &Sysplex, system: &str, command: &str) -> Result<(LparIndex, Vary), Refusal> {
    let lpar = lpar(sysplex, system)?;
    Ok((lpar.index, Vary::parse(command).map_err(Refusal::bad)?))
}

/// `MODIFY task,...` on one system, or `F task,...`, or what comes after that: the command line that gives it there.
///
/// # Errors
/// When there is no such system or task, or the task takes no commands.
pub fn modify(sysplex: &Sysplex, system: &str, command: &str) -> Result<(String, Vec<String>), Refusal> {
    let lpar = lpar(sysplex, system)?;
    let operands = without_verb(command);
    let name = operands.split(',').next().unwrap_or_default().trim();
    let Some(task) = lpar.tasks.iter().find(|task| task.name().eq_ignore_ascii_case(name)) else {
        return Err(no_task(lpar, name));
    };
    match task {
        StartedTask::DebugManager { .. } | StartedTask::WrongParm { .. } => {
            Ok((lpar.name.clone(), tasks::operator(&format!("F {operands}"))))
        }
        StartedTask::Rsed { .. } | StartedTask::Server { .. } | StartedTask::Command { .. } => Err(Refusal::failed(
            format!("{} on {} takes no MODIFY commands here; only a Debug Manager does", task.name(), lpar.name),
        )),
    }
}

fn without_verb(command: &str) -> &str {
    let command = command.trim();
    match command.split_once(char::is_whitespace) {
        Some((verb, rest)) if ["F", "MODIFY"].iter().any(|known| verb.eq_ignore_ascii_case(known)) => rest.trim(),
        _ => command,
    }
}

fn no_task(lpar: &Lpar, name: &str) -> Refusal {
    let names: Vec<&str> = lpar.tasks.iter().map(StartedTask::name).collect();
    let help = did_you_mean(name, names.iter().copied()).map(|help| format!("; {help}")).unwrap_or_default();
    let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    Refusal::bad(format!("`{}` is no started task of {}: there is {known}{help}", shown(name), lpar.name))
}

/// A word of a command, cut so that a message stays a message.
fn shown(word: &str) -> String {
    word.chars().take(60).flat_map(char::escape_default).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modify_goes_to_the_debug_manager_however_it_is_typed() {
        let sysplex = Sysplex::uniform(2);
        for text in
            ["DBGMGR,APPL=DBM,D,U", "F DBGMGR,APPL=DBM,D,U", "modify  DBGMGR,APPL=DBM,D,U", " f DBGMGR,APPL=DBM,D,U "]
        {
            let (system, argv) = modify(&sysplex, "lpar2", text).expect(text);
            assert_eq!(system, "LPAR2");
            assert_eq!(argv[1..], ["ctl", "--run-dir", "/run/zos", "F DBGMGR,APPL=DBM,D,U"], "{text}");
        }
    }

    #[test]
    fn a_task_that_is_not_there_names_those_that_are() {
        let sysplex = Sysplex::uniform(2);
        let refused = |text: &str| modify(&sysplex, "LPAR1", text).expect_err(text);
        let unknown = refused("DBGMRG,APPL=DBM,D,U");
        assert_eq!(unknown.status, exit::BAD_INPUT);
        for part in ["`DBGMRG` is no started task of LPAR1", "RSED", "did you mean `DBGMGR`?"] {
            assert!(unknown.reason.contains(part), "no {part} in {unknown:?}");
        }
        assert_eq!(refused("RSED,X").status, exit::FAILED);
        assert!(refused("").reason.contains("`` is no started task"));
        assert!(refused("\u{1b}[2J,X").reason.contains("`\\u{1b}[2J`"));
    }

    #[test]
    fn systems_and_vary() {
        let sysplex = Sysplex::uniform(2);
        assert_eq!(vary(&sysplex, "LPAR2", "TCPIP,,SYSPLEX,LEAVEGROUP").expect("right").1, Vary::LeaveGroup);
        assert!(vary(&sysplex, "LPAR2", "LEAVEGROUP").is_err_and(|e| e.status == exit::BAD_INPUT));
        let unknown = vary(&sysplex, "LPAR9", "TCPIP,,SYSPLEX,LEAVEGROUP").expect_err("no such LPAR");
        assert!(unknown.reason.contains("no LPAR `LPAR9`: expected LPAR1, LPAR2"), "{unknown:?}");
        let workstation = &sysplex.workstations[0].name;
        assert_eq!(host(&sysplex, workstation), Ok(workstation.as_str()));
        assert!(lpar(&sysplex, workstation).is_err(), "a workstation has no operator");
    }
}
