//! The machine before and after: what no lab may change.
//!
//! `/tmp` is not compared, as anybody writes there at any time: instead each lab has a TMPDIR of its own, which must stay empty.
//! On a machine where nothing else runs, `scripts/soak-kill` compares `/tmp`, too.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Everything that is compared, a line per thing.
#[derive(Debug)]
pub(crate) struct Machine {
    lines: BTreeSet<String>,
    /// What could not be looked at, and why.
    pub(crate) left_out: Option<&'static str>,
}

impl Machine {
    /// Looks at this machine.
    ///
    /// # Errors
    /// What could not be looked at, which then cannot be compared either.
    pub(crate) fn look() -> Result<Self, String> {
        let mut lines: BTreeSet<String> = mounts().iter().map(|mount| format!("mount: {mount}")).collect();
        let mut add = |what: &str, text: String| lines.extend(text.lines().map(|line| format!("{what}: {line}")));
        add("ip -o link", said("ip", &["-o", "link"])?);
        let is_root = rustix::process::geteuid().is_root();
        if is_root {
            add("nft list ruleset", said("nft", &["list", "ruleset"])?);
        }
        add("sysctl", sysctls()?);
        add("entry", names("/run")?);
        let left_out = (!is_root).then_some("the machine's nft ruleset, which only root may list");
        Ok(Self { lines, left_out })
    }

    /// What came and what went since `before`.
    pub(crate) fn since(&self, before: &Self) -> Vec<String> {
        let came = self.lines.difference(&before.lines).map(|line| format!("+ {line}"));
        let went = before.lines.difference(&self.lines).map(|line| format!("- {line}"));
        came.chain(went).collect()
    }
}

/// The mounts that this process sees.
pub(crate) fn mounts() -> BTreeSet<String> {
    fs::read_to_string("/proc/self/mountinfo").expect("mountinfo").lines().map(str::to_owned).collect()
}

fn said(program: &str, arguments: &[&str]) -> Result<String, String> {
    // Where administrators' programs stand is not in everybody's PATH.
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let output = Command::new(program).env("PATH", path).args(arguments).output();
    let output = output.map_err(|e| format!("{program} cannot be started: {e}"))?;
    if !output.status.success() {
        return Err(format!("{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn sysctls() -> Result<String, String> {
    let root = Path::new("/proc/sys/net/ipv4");
    let all = fs::read_dir(root.join("conf/all")).map_err(|e| format!("{}/conf/all: {e}", root.display()))?;
    let single = ["ip_forward", "ip_local_port_range"].map(|name| root.join(name));
    let line = |path: PathBuf| format!("{} = {}", path.display(), fs::read_to_string(&path).unwrap_or_default());
    Ok(all.flatten().map(|entry| entry.path()).chain(single).map(line).collect())
}

/// The entries of a directory, a line each.
fn names(directory: &str) -> Result<String, String> {
    let entries = fs::read_dir(directory).map_err(|e| format!("{directory}: {e}"))?;
    Ok(entries.flatten().map(|entry| format!("{}\n", entry.path().display())).collect())
}
