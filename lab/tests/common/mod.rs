//! What the tests of the whole share.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the lab stands in the workspace").to_owned()
}

/// The command `lab`, started where a user would.
pub(crate) fn lab() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command.current_dir(root());
    command
}

/// Builds the programs that the lab starts, which cargo does not do for the tests of another package. (nextest has a set-up
/// script for it.)
pub(crate) fn build_programs() {
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
