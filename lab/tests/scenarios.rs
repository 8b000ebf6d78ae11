//! Every scenario a test of its own, named by its file and the backend: `figure4::nftables`.

mod common;
#[path = "common/harness.rs"]
mod harness;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use common::{lab, root};
use lab::needs;
use lab::scenario::Scenario;
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;

const BACKENDS: [&str; 3] = ["nftables", "iptables", "ipvs"];
/// Not a backend, but looked for beside them.
const NETEM: &str = "netem";

fn main() {
    let arguments = Arguments::from_args();
    let missing = if arguments.list { BTreeMap::new() } else { missing_backends() };
    for (what, why) in &missing {
        eprintln!("scenarios on {what} are ignored: {why}");
    }
    let trials = scenarios().into_iter().flat_map(|(directory, file)| {
        let missing = &missing;
        // The file says why.
        let loaded = Scenario::load(&file).ok();
        let excepted: BTreeSet<String> = loaded.iter().flat_map(|scenario| scenario.except.keys().cloned()).collect();
        let lacks = loaded.as_ref().and_then(|scenario| lacks(scenario, missing));
        if let Some(why) = &lacks {
            eprintln!("{directory}{} is ignored: {why}", file.file_stem().unwrap_or_default().display());
        }
        BACKENDS.map(|backend| {
            let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let (file, test) = (file.clone(), format!("{directory}{name}::{backend}"));
            let trial = Trial::test(test, move || passes(&file, &name, backend));
            match (excepted.contains(backend), lacks.is_some() || missing.contains_key(backend)) {
                (true, _) => trial.with_kind("excepted").with_ignored_flag(true),
                (_, true) => trial.with_kind("not here").with_ignored_flag(true),
                _ => trial,
            }
        })
    });
    harness::run(&arguments, trials.collect());
}

/// What of this machine's a scenario needs and has not.
fn lacks(scenario: &Scenario, missing: &BTreeMap<&'static str, String>) -> Option<String> {
    let netem = || missing.get(NETEM).filter(|_| needs::netem(scenario)).cloned();
    needs::programs(scenario).or_else(|| needs::libraries(scenario)).or_else(netem)
}

/// The backends that this machine has not, and netem, and why.
fn missing_backends() -> BTreeMap<&'static str, String> {
    harness::prepare();
    let output = lab().arg("doctor").output().expect("lab doctor starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let found = [("iptables", "iptables and ipset"), ("ipvs", "IPVS"), (NETEM, "netem")].map(|(backend, what)| {
        let line = said.lines().find(|line| line.starts_with("no") && line.contains(what))?;
        Some((backend, line.to_owned()))
    });
    found.into_iter().flatten().collect()
}

/// Each with the directory before its name.
fn scenarios() -> Vec<(String, PathBuf)> {
    let mut files = Vec::new();
    for directory in ["", "distributor/", "faults/", "field/"] {
        let entries = std::fs::read_dir(root().join("scenarios").join(directory)).expect("scenarios/");
        let found = entries.map(|entry| entry.expect("an entry").path());
        let found = found.filter(|path| path.extension().is_some_and(|ending| ending == "toml"));
        files.extend(found.map(|file| (directory.to_owned(), file)));
    }
    files.sort();
    files
}

fn passes(file: &Path, name: &str, backend: &str) -> Result<(), Failed> {
    // Kept when the test fails; the next run of the same test begins anew.
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("scenarios").join(format!("{name}-{backend}"));
    let _ = std::fs::remove_dir_all(&out);
    let output = lab().arg("run").arg(file).args(["--backend", backend, "--json", "--out"]).arg(&out).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    if lines.is_empty() || !output.status.success() {
        return Err(format!("{}\n{lines}\nevidence: {}\n{said}", output.status, out.display()).into());
    }
    // A broken twin's cure is a second result.
    for line in lines.lines() {
        let result: Value = serde_json::from_str(line).map_err(|e| format!("no result ({e}): {line}\n{said}"))?;
        if result["verdict"] != "passed" {
            let (verdict, reason) = (&result["verdict"], &result["reason"]);
            return Err(format!("{verdict}: {reason}\nevidence: {}\n{said}", out.display()).into());
        }
    }
    std::fs::remove_dir_all(&out)?;
    Ok(())
}
