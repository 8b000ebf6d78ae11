//! The programs that a lab starts: its own, which stand beside `lab`, and the machine's.

use std::path::{Path, PathBuf};

/// The lab's own programs.
pub const OWN: [&str; 7] =
    ["dbgmgr", "rse-stub", "debugger-stub", "client-stub", "stranger-stub", "traffic-stub", "swarm-stub"];

/// The directory of `lab`, where its other programs stand too.
///
/// # Errors
/// A message with the remedy when one is missing.
pub fn own_directory() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|e| format!("cannot find the path of this program: {e}"))?;
    let directory = own.parent().map(Path::to_owned).unwrap_or_default();
    let missing: Vec<&str> = OWN.into_iter().filter(|name| !directory.join(name).is_file()).collect();
    if missing.is_empty() {
        return Ok(directory);
    }
    let profile = if directory.ends_with("release") { " --release" } else { "" };
    Err(format!(
        "{} not found in {}; `cargo build --workspace --bins{profile}` makes them",
        missing.join(", "),
        directory.display()
    ))
}

/// Finds a program of the machine, in `PATH` and where administrators' programs stand.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/sbin", "/usr/bin", "/bin", "/usr/local/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(usual).map(|directory| directory.join(name)).find(|file| file.is_file())
}
