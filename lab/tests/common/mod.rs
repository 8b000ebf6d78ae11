//! What the tests of the whole share.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The root of the checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the lab stands in the workspace").to_owned()
}

/// The command `lab`, started where a user would.
pub fn lab() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command.current_dir(root());
    command
}

/// Builds the programs that the lab starts, which cargo does not do for the tests of another package. (nextest has a set-up
/// script for it.)
pub fn build_programs() {
    if std::env::var_os("NEXTEST").is_some() {
        return;
    }
    let Some(cargo) = std::env::var_os("CARGO") else { return };
    let mut command = Command::new(cargo);
    command.current_dir(root()).args(["build", "--quiet", "--workspace", "--bins"]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let status = command.status().expect("cargo starts");
    assert!(status.success(), "the lab's programs cannot be built: {status}");
}

/// Why labs cannot run on this machine, if so.
pub fn refusal() -> Option<String> {
    let output = lab().arg("doctor").output().expect("lab doctor starts");
    if output.status.success() {
        return None;
    }
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(said.lines().find(|line| line.starts_with("NO")).unwrap_or(&said).trim_start_matches("NO").trim().to_owned())
}

/// The test, ignored with the reason when labs cannot run here, so that it is counted and seen.
pub fn needs_a_lab(trial: libtest_mimic::Trial, refusal: Option<&str>) -> libtest_mimic::Trial {
    match refusal {
        Some(why) => trial.with_kind(format!("cannot run here: {why}")).with_ignored_flag(true),
        None => trial,
    }
}
