//! `lab check`: what is wrong with topologies, scenarios' topologies and z/OS members, before anything runs.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;
use serde::de::IgnoredAny;
use site_check::{Checked, Finding, Severity, page, sarif};
use sysplex::raw::{Spanned, Topology};
use sysplex::{Diagnostic, Sysplex, did_you_mean};
use zos_config::site::{File, MANIFEST, disk};

use crate::{exit, scenario};

/// What to check, and how to tell.
#[derive(Debug, Args)]
pub struct Check {
    /// Topologies and scenarios (.toml), directories of them, or z/OS members: a site's directory, or files
    #[arg(required_unless_present = "explain", value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Show the page of a code instead: what a user sees, why, and what to do about it
    #[arg(long, value_name = "CODE", conflicts_with_all = ["paths", "json", "sarif"])]
    explain: Option<String>,
    /// Print one JSON object per finding on standard output
    #[arg(long)]
    json: bool,
    /// Write the findings as SARIF 2.1.0
    #[arg(long, value_name = "FILE")]
    sarif: Option<PathBuf>,
}

/// Help behind the options.
pub const EXAMPLES: &str = "\
Exit status: 0 nothing is wrong, or there are notes alone; 1 a warning or an error; 2 something cannot be read. Nothing is started,
and no network is made.

Examples:
  lab check members/
      a site's members, laid out as for `lab import`
  lab check topology.toml scenarios/figure4.toml
  lab check members/ --sarif check.sarif
  lab check --explain F02";

/// Runs it; the exit status.
pub fn main(check: &Check) -> u8 {
    if let Some(code) = &check.explain {
        return explain(code);
    }
    let mut checked = Checked::default();
    for input in inputs(&check.paths) {
        let one = input.and_then(Input::check).unwrap_or_else(|why| Checked { unreadable: why, ..Checked::default() });
        checked.findings.extend(one.findings);
        checked.unreadable.extend(one.unreadable);
        checked.is_partial |= one.is_partial;
    }
    // Scenarios that share a topology share its mistakes.
    let mut seen = BTreeSet::new();
    checked.findings.retain(|found| seen.insert((found.location.clone(), found.code, found.message.clone())));
    let mut seen = BTreeSet::new();
    checked.unreadable.retain(|why| seen.insert(why.clone()));
    for why in &checked.unreadable {
        crate::note!("{why}");
    }
    show(&checked.findings, check.json);
    if checked.is_partial {
        crate::note!(
            "note: what keeps a sysplex from being read keeps the rest from being checked; cure it and check again"
        );
    }
    if let Some(file) = &check.sarif
        && let Err(why) = write_sarif(file, &checked.findings)
    {
        crate::note!("error: {}: {why}", file.display());
        return exit::BAD_INPUT;
    }
    let is_wrong = checked.findings.iter().any(|found| found.severity >= Severity::Warning);
    match (checked.unreadable.is_empty(), is_wrong) {
        (false, _) => exit::BAD_INPUT,
        (true, true) => exit::FAILED,
        (true, false) => exit::PASSED,
    }
}

/// Mistakes of a sysplex that is about to run: what is worth a line there.
pub(crate) fn warnings(sysplex: &Sysplex) -> Vec<Finding> {
    let mut found = site_check::of_sysplex(sysplex);
    found.retain(|found| found.severity >= Severity::Warning);
    found
}

fn explain(code: &str) -> u8 {
    match page::of(code) {
        Some(page) => {
            crate::say!("{}", page.plain().trim_end());
            exit::PASSED
        }
        None => {
            crate::note!("error: no code is named `{code}`: expected one of F01 to F34 and D01 to D07");
            if let Some(help) = did_you_mean(code, page::all().map(|page| page.code)) {
                crate::note!("help: {help}");
            }
            exit::BAD_INPUT
        }
    }
}

fn show(findings: &[Finding], json: bool) {
    for found in findings {
        match serde_json::to_string(found) {
            Ok(line) if json => crate::say!("{line}"),
            _ => crate::say!("{}\n", found.render()),
        }
    }
    if json {
        return;
    }
    let count = |severity| findings.iter().filter(|found| found.severity == severity).count();
    let (errors, warnings, notes) = (count(Severity::Error), count(Severity::Warning), count(Severity::Note));
    let more = findings.first().map(|found| format!("; `lab check --explain {}` tells more", found.code));
    crate::say!("{errors} errors, {warnings} warnings, {notes} notes{}", more.unwrap_or_default());
}

fn write_sarif(file: &Path, findings: &[Finding]) -> Result<(), String> {
    let log =
        serde_json::to_string_pretty(&sarif::log(findings, env!("CARGO_PKG_VERSION"))).map_err(|e| e.to_string())?;
    fs::write(file, log + "\n").map_err(|e| e.to_string())
}

/// One thing to check.
enum Input {
    Toml(PathBuf),
    Site { root: PathBuf, files: Vec<File> },
}

/// A directory of topologies or scenarios is those; any other is a site. Single files that are no topology are one site.
fn inputs(paths: &[PathBuf]) -> Vec<Result<Input, Vec<String>>> {
    let (mut inputs, mut members) = (Vec::new(), Vec::new());
    for path in paths {
        if path.is_dir() {
            inputs.extend(directory(path));
        } else if is_toml(path) {
            inputs.push(Ok(Input::Toml(path.clone())));
        } else {
            members.push(path.clone());
        }
    }
    if !members.is_empty() {
        inputs.push(site(Path::new(""), disk::files(&members)));
    }
    inputs
}

fn is_toml(path: &Path) -> bool {
    let is_manifest = path.file_name().is_some_and(|name| name == MANIFEST);
    path.extension().is_some_and(|ending| ending == "toml") && !is_manifest
}

/// Topologies and scenarios, when nothing else is in the directory; scenarios, when members are below them. A topology beside
/// members is what an import has left there, and no reason not to look at the members.
fn directory(path: &Path) -> Vec<Result<Input, Vec<String>>> {
    let all = disk::directory(path);
    let tomls = scenario::files(&[path.to_owned()]).unwrap_or_default();
    let is_of_tomls = all.as_ref().is_ok_and(|files| files.iter().all(|file| is_toml(Path::new(&file.name))))
        || tomls.iter().all(|file| is_toml(file) && is_scenario(file));
    if !tomls.is_empty() && is_of_tomls {
        return tomls.into_iter().map(|file| Ok(Input::Toml(file))).collect();
    }
    vec![site(path, all)]
}

fn is_scenario(file: &Path) -> bool {
    let outline = read(file).ok().and_then(|text| toml::from_str::<Outline>(&text).ok());
    outline.is_some_and(|outline| outline.step.is_some())
}

fn site(root: &Path, files: std::io::Result<Vec<File>>) -> Result<Input, Vec<String>> {
    files.map(|files| Input::Site { root: root.to_owned(), files }).map_err(|e| vec![format!("error: {e}")])
}

/// As much of a scenario as tells that it is one, and its topology.
#[derive(Deserialize)]
struct Outline {
    topology: Option<Spanned<String>>,
    members: Option<Spanned<String>>,
    plex: Option<Topology>,
    step: Option<IgnoredAny>,
}

impl Input {
    fn check(self) -> Result<Checked, Vec<String>> {
        match self {
            Self::Site { root, files } => Ok(members(&root, &files)),
            Self::Toml(file) => toml_file(&file),
        }
    }
}

/// A site's members; places are told by paths from where `lab` runs.
fn members(root: &Path, files: &[File]) -> Checked {
    let mut checked = site_check::of_site(files);
    for location in checked.findings.iter_mut().filter_map(|found| found.location.as_mut()) {
        location.file = root.join(&location.file).display().to_string();
    }
    checked
}

fn toml_file(file: &Path) -> Result<Checked, Vec<String>> {
    let shown = file.display().to_string();
    let text = read(file)?;
    let wrong = |e: &toml::de::Error| vec![Diagnostic::from_toml(e).render(&shown, &text)];
    let outline: Outline = toml::from_str(&text).map_err(|e| wrong(&e))?;
    match outline {
        Outline { topology: Some(beside), .. } => {
            topology(&file.parent().unwrap_or(Path::new("")).join(beside.get_ref()))
        }
        Outline { members: Some(beside), .. } => {
            let root = file.parent().unwrap_or(Path::new("")).join(beside.get_ref());
            site(&root, disk::directory(&root)).and_then(Input::check)
        }
        Outline { plex: Some(topology), .. } => Ok(site_check::of_topology(&shown, &text, &topology)),
        Outline { step: Some(_), .. } => Err(vec![format!("error: {shown} is a scenario without a topology")]),
        _ => topology(file),
    }
}

fn topology(file: &Path) -> Result<Checked, Vec<String>> {
    let shown = file.display().to_string();
    let text = read(file)?;
    let topology = toml::from_str(&text).map_err(|e| vec![Diagnostic::from_toml(&e).render(&shown, &text)])?;
    Ok(site_check::of_topology(&shown, &text, &topology))
}

fn read(file: &Path) -> Result<String, Vec<String>> {
    scenario::read_bounded(file).map_err(|e| vec![format!("error: cannot read {}: {e}", file.display())])
}
