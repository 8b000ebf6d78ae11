//! What a scenario or a topology needs of this machine beyond what every lab needs, looked at before anything starts.

use sysplex::{StartedTask, Sysplex};

use crate::doctor::{self, Trouble};
use crate::plex::faults::{self, Fault};
use crate::programs;
use crate::scenario::acts::Act;
use crate::scenario::{Action, Scenario};

/// What this machine lacks for a scenario, and the remedy; nothing when it can run it.
pub fn of_scenario(scenario: &Scenario) -> Option<String> {
    programs(scenario).or_else(|| libraries(scenario)).or_else(|| {
        let Trouble { seen, remedy } =
            if netem(scenario) { doctor::in_realm(doctor::netem).err()? } else { return None };
        Some(format!("netem: {seen}; remedy: {remedy}"))
    })
}

/// The first program of the machine that is missing for it.
pub fn programs(scenario: &Scenario) -> Option<String> {
    let run = acts(scenario).filter_map(|act| if let Act::Run(run) = act { run.argv.first() } else { None });
    of_topology(&scenario.sysplex).or_else(|| run.filter_map(|name| missing(name)).next())
}

/// The first library that a fault of it needs, and that is missing.
pub fn libraries(scenario: &Scenario) -> Option<String> {
    acts(scenario).find_map(|act| if let Act::Fault(planned) = act { faults::lacks(&planned.fault) } else { None })
}

/// Does it need netem?
pub fn netem(scenario: &Scenario) -> bool {
    acts(scenario).any(|act| matches!(act, Act::Fault(planned) if matches!(planned.fault, Fault::Netem { .. })))
}

fn acts(scenario: &Scenario) -> impl Iterator<Item = &Act> {
    scenario.steps.iter().filter_map(|step| if let Action::Act(act) = &step.action { Some(act) } else { None })
}

/// The same for a topology.
pub fn of_topology(sysplex: &Sysplex) -> Option<String> {
    let tasks = sysplex.lpars.iter().flat_map(|lpar| &lpar.tasks);
    let mut programs = tasks.filter_map(|task| match task {
        StartedTask::Command { command, .. } => command.argv.first(),
        StartedTask::DebugManager { .. }
        | StartedTask::Rsed { .. }
        | StartedTask::Server { .. }
        | StartedTask::WrongParm { .. } => None,
    });
    programs.find_map(|name| missing(name))
}

/// A host sees the machine's own files, but for `/run` and `/tmp`, where only the lab's programs are.
fn missing(name: &str) -> Option<String> {
    let hidden = ["/run/", "/tmp/"].iter().any(|own| name.starts_with(own)) && !name.starts_with(netns::BIN_DIR);
    if hidden {
        return Some(format!("the program {name} is not seen in an LPAR, which has a /run and a /tmp of its own"));
    }
    let found = name.starts_with(netns::BIN_DIR)
        || if name.contains('/') { is_file(name) } else { programs::find(name).is_some() };
    (!found).then(|| format!("the program {name} is not installed; remedy: sudo apt-get install {}", package(name)))
}

fn is_file(path: &str) -> bool {
    std::path::Path::new(path).is_file()
}

/// Debian's package with a program, where that is called otherwise.
fn package(program: &str) -> &str {
    match program.rsplit('/').next().unwrap_or(program) {
        "nginx" => "nginx-light",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_looked_for_as_a_host_sees_them() {
        assert_eq!(missing("sh"), None);
        assert_eq!(missing("/bin/sh"), None);
        assert_eq!(missing("/run/lab/bin/dbgmgr"), None);
        assert!(missing("no-such-program").is_some_and(|why| why.contains("apt-get install no-such-program")));
        assert!(missing("/tmp/x").is_some_and(|why| why.contains("of its own")));
    }
}
