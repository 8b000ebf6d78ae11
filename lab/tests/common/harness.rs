//! The harness of tests that start labs: where labs cannot run they are ignored, with the reason, so that they are counted and
//! seen.

use libtest_mimic::{Arguments, Trial};

use crate::common::{build_programs, lab};

/// Runs the trials of this program and ends it.
pub(crate) fn run(arguments: &Arguments, trials: Vec<Trial>) -> ! {
    let refusal = if arguments.list {
        None
    } else {
        prepare();
        refusal()
    };
    let trials = trials.into_iter().map(|trial| match &refusal {
        Some(why) => trial.with_kind(format!("cannot run here: {why}")).with_ignored_flag(true),
        None => trial,
    });
    libtest_mimic::run(arguments, trials.collect()).exit()
}

/// The programs are there, and of today.
pub(crate) fn prepare() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(build_programs);
}

/// Why labs cannot run on this machine, if so.
fn refusal() -> Option<String> {
    let output = lab().arg("doctor").output().expect("lab doctor starts");
    if output.status.success() {
        return None;
    }
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(said.lines().find(|line| line.starts_with("NO")).unwrap_or(&said).trim_start_matches("NO").trim().to_owned())
}
