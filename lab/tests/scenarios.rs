//! Every scenario a test of its own, named by its file and the backend: `figure4::nftables`.

mod common;
#[path = "common/harness.rs"]
mod harness;

use std::path::{Path, PathBuf};

use common::{lab, root};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;

const BACKENDS: [&str; 1] = ["nftables"];

fn main() {
    let trials = scenarios().into_iter().flat_map(|file| {
        BACKENDS.map(|backend| {
            let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let (file, test) = (file.clone(), format!("{name}::{backend}"));
            Trial::test(test, move || passes(&file, &name, backend))
        })
    });
    harness::run(&Arguments::from_args(), trials.collect());
}

fn scenarios() -> Vec<PathBuf> {
    let directory = std::fs::read_dir(root().join("scenarios")).expect("scenarios/");
    let files = directory.map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|ending| ending == "toml")).collect();
    files.sort();
    files
}

fn passes(file: &Path, name: &str, backend: &str) -> Result<(), Failed> {
    // Kept when the test fails; the next run of the same test begins anew.
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("scenarios").join(format!("{name}-{backend}"));
    let _ = std::fs::remove_dir_all(&out);
    let output = lab().arg("run").arg(file).args(["--backend", backend, "--json", "--out"]).arg(&out).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let line = String::from_utf8_lossy(&output.stdout).into_owned();
    let result: Value = serde_json::from_str(&line).map_err(|e| format!("no result ({e}): {line}\n{said}"))?;
    if result["verdict"] != "passed" || !output.status.success() {
        return Err(format!("{}: {}\nevidence: {}\n{said}", result["verdict"], result["reason"], out.display()).into());
    }
    std::fs::remove_dir_all(&out)?;
    Ok(())
}
