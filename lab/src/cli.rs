//! The command line.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

use crate::backends::{self, Choice};
use crate::run::result::{ScenarioResult, Verdict};
use crate::run::{self, Options, RunError};
use crate::scenario::{self, Scenario};
use crate::{bench, check, diagnose, doctor, exit, manual, needs, output, programs, report, site, soak, up};

/// A z/OS sysplex with a distributed DVIPA and Debug Manager, on one Linux machine and without touching its network.
///
/// Exit status: 0 passed, 1 a scenario failed, 2 the input is wrong, 3 this machine cannot run it (see `lab doctor`).
#[derive(Debug, Parser)]
#[command(name = "lab", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run scenarios, show their steps as they happen, and judge them by the kernel's evidence
    #[command(after_help = RUN_EXAMPLES)]
    Run(Run),
    #[command(flatten)]
    Up(up::cli::Command),
    #[command(flatten)]
    Site(site::Command),
    /// Say what is wrong with a topology or a site's z/OS members, what a user would see, and the remedy
    #[command(after_help = check::EXAMPLES)]
    Check(check::Check),
    /// Say why a run failed, from its evidence alone: the cause among the field catalogue, and the lines it rests on
    #[command(after_help = diagnose::EXAMPLES)]
    Diagnose(diagnose::Diagnose),
    /// Write the report of a run, one HTML page, from the directory of its evidence
    #[command(after_help = report::EXAMPLES)]
    Report(report::Report),
    /// Let users come and go, jobs stop in the debugger and faults come and heal for a long time, and check all along what must be true
    #[command(after_help = soak::EXAMPLES)]
    Soak(soak::Soak),
    /// Say what this machine can and cannot do, and the exact remedy
    Doctor,
    /// Print the completions of a shell
    #[command(after_help = manual::COMPLETIONS_EXAMPLES)]
    Completions(manual::Completions),
    /// Write the man pages
    #[command(after_help = manual::MAN_EXAMPLES)]
    Man(manual::Man),
    /// Measure on this machine
    #[command(subcommand)]
    Bench(Bench),
}

const RUN_EXAMPLES: &str = "\
Examples:
  lab run scenarios/figure4.toml
      the seed's Figure 4: two LPARs, one virtual address, a handoff
  lab run scenarios/*.toml --out out --junit out/junit.xml
      everything, with events, captures and logs in out/
  lab run scenarios/distributor/ --backend all
      every scenario of the directory, on each backend that this machine has
  lab run scenarios/no-hub.toml --ignore-expected-failure
      a broken twin, judged like any other scenario: exit status 1, and why";

#[derive(Debug, clap::Args)]
struct Run {
    /// Scenario files, or directories of them
    #[arg(required = true, value_name = "SCENARIO")]
    scenarios: Vec<PathBuf>,
    /// What distributes connections in the kernel
    #[arg(long, value_enum, default_value_t = Choice::Auto)]
    backend: Choice,
    /// Keep the evidence here, in a directory per attempt: report.html, result.json, events.jsonl, a pcapng file per interface, logs
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print one JSON object per scenario on standard output
    #[arg(long)]
    json: bool,
    /// Write a JUnit file
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write a summary in Markdown
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
    /// Print annotations for GitHub Actions, and append the summary to the file that GITHUB_STEP_SUMMARY names
    #[arg(long)]
    github: bool,
    /// Keep the sysplex after the verdict, to look into, until standard input ends
    #[arg(long)]
    keep: bool,
    /// Give every step so many times as long: for machines that are slow, such as emulated ones
    #[arg(long, value_name = "TIMES", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    patience: u32,
    /// Judge a broken twin like any other scenario
    #[arg(long)]
    ignore_expected_failure: bool,
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// Bring sysplexes up and take them down: network against the kernel's floor, then with Debug Manager and RSE daemon on each
    /// LPAR
    #[command(after_help = "Example:\n  lab bench up --lpars 2,8,32")]
    Up {
        /// Numbers of LPARs, 1 to 32
        #[arg(long, value_delimiter = ',', default_value = "2,8,32", value_parser = clap::value_parser!(u32).range(1..=32))]
        lpars: Vec<u32>,
        /// How often; the medians are printed
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
        runs: u32,
        /// One JSON object per number of LPARs on standard output
        #[arg(long)]
        json: bool,
    },
    /// Change the distribution of 64 ports over 32 targets, and let a DVIPA's owner crash: how soon the kernel follows
    #[command(after_help = "Example:\n  lab bench distributor --backend all")]
    Distributor {
        /// What distributes connections in the kernel
        #[arg(long, value_enum, default_value_t = Choice::Auto)]
        backend: Choice,
        /// How often; the medians are printed
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
        runs: u32,
    },
    /// A sysplex that stays: how long `lab up` takes to the prompt, what `lab exec` adds to a command, how long `lab down` takes
    #[command(after_help = "Example:\n  lab bench kept")]
    Kept {
        /// How often; the medians are printed
        #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=100))]
        runs: u32,
        /// One JSON object on standard output
        #[arg(long)]
        json: bool,
    },
    /// New connections and bytes through the distributor, against the targets' own addresses, and with 100,000 entries in the VCRT
    #[command(after_help = "Example:\n  lab bench traffic --backend all")]
    Traffic(bench::Traffic),
    /// Debug Manager's handoff: bytes after it, how many in a second and how soon, 10,000 dormant sessions; HAProxy and socat beside it
    #[command(after_help = "Example:\n  lab bench handoff --only rate --in-flight 100")]
    Handoff(bench::Handoff),
}

/// Runs the command line of this process; returns its exit status.
pub fn main() -> u8 {
    match Cli::parse().command {
        Command::Run(run) => run_scenarios(&run),
        Command::Up(command) => up::cli::main(command),
        Command::Site(command) => site::main(&command),
        Command::Check(command) => check::main(&command),
        Command::Diagnose(command) => diagnose::main(&command),
        Command::Report(report) => report::main(&report),
        Command::Soak(soak) => soak::main(&soak),
        Command::Doctor => doctor::main(),
        Command::Completions(arguments) => manual::completions::<Cli>(&arguments),
        Command::Man(arguments) => manual::man::<Cli>(&arguments),
        Command::Bench(Bench::Up { lpars, runs, json }) => bench::up(&lpars, runs, json),
        Command::Bench(Bench::Distributor { backend, runs }) => {
            on_each(backend, |backend| bench::distributor(backend, runs))
        }
        Command::Bench(Bench::Kept { runs, json }) => bench::kept(runs, json),
        Command::Bench(Bench::Traffic(traffic)) => on_each(traffic.backend, |backend| traffic.run(backend)),
        Command::Bench(Bench::Handoff(handoff)) => on_each(handoff.backend, |backend| handoff.run(backend)),
    }
}

/// Measures each backend that was asked for and is to be had; returns the worst exit status.
fn on_each(choice: Choice, measure: impl Fn(&backends::Known) -> u8) -> u8 {
    match backends::choose(choice) {
        Ok(chosen) => {
            for (backend, why) in &chosen.skipped {
                crate::note!("skipped: {}: {why}", backend.name);
            }
            chosen.run.iter().map(measure).max().unwrap_or(exit::PASSED)
        }
        Err(why) => cannot_run(&why),
    }
}

fn run_scenarios(arguments: &Run) -> u8 {
    let mut scenarios = Vec::new();
    let mut problems = Vec::new();
    let files = match scenario::files(&arguments.scenarios) {
        Ok(files) => files,
        Err(why) => {
            crate::note!("error: {why}");
            return exit::BAD_INPUT;
        }
    };
    for file in &files {
        match Scenario::load(file) {
            Ok(mut scenario) => {
                scenario.be_patient(arguments.patience);
                scenarios.push(scenario);
            }
            Err(found) => problems.extend(found),
        }
    }
    if !problems.is_empty() {
        for problem in problems {
            crate::note!("{problem}");
        }
        return exit::BAD_INPUT;
    }
    let all: Vec<&Scenario> =
        scenarios.iter().flat_map(|scenario| [Some(scenario), scenario.cured.as_deref()]).flatten().collect();
    let bin_dir = match programs::own_directory() {
        Ok(directory) => directory,
        Err(why) => return cannot_run(&why),
    };
    let chosen = match backends::choose(arguments.backend) {
        Ok(chosen) => chosen,
        Err(why) => return cannot_run(&why),
    };
    let options = Options {
        bin_dir,
        out: arguments.out.clone(),
        ignore_expected_failure: arguments.ignore_expected_failure,
        keep: arguments.keep,
        progress: true,
    };
    let (mut results, mut printed, mut lacking) = (Vec::new(), true, 0);
    for (backend, why) in &chosen.skipped {
        crate::note!("skipped: {} on {}: {why}", all.len(), backend.name);
        for scenario in &all {
            let result = ScenarioResult::skipped(&scenario.name, backend.name, why);
            printed &= print(&result, arguments.json);
            results.push(result);
        }
    }
    let runs = all.iter().flat_map(|scenario| chosen.run.iter().map(move |backend| (scenario, backend)));
    for (scenario, backend) in runs {
        if let Some(why) = scenario.except.get(backend.name) {
            crate::note!("skipped: {} on {}: {why}", scenario.name, backend.name);
            let result = ScenarioResult::skipped(&scenario.name, backend.name, why);
            printed &= print(&result, arguments.json);
            results.push(result);
            continue;
        }
        if let Some(why) = needs::of_scenario(scenario) {
            crate::note!("skipped: {} on {}: {why}", scenario.name, backend.name);
            let result = ScenarioResult::skipped(&scenario.name, backend.name, &why);
            printed &= print(&result, arguments.json);
            results.push(result);
            lacking += 1;
            continue;
        }
        match run::run(scenario, backend, &options) {
            Ok(result) => {
                // It was never up: because of the kernel, or of the lab?
                let trouble = result.was_never_up().then(|| backend.trouble()).flatten();
                if let Some(why) = trouble {
                    return cannot_run(&why);
                }
                printed &= print(&result, arguments.json);
                lacking += usize::from(result.verdict == Verdict::Skipped);
                results.push(result);
            }
            Err(RunError::Out { path, error }) => {
                crate::note!("error: cannot write to {}: {error}", path.display());
                return exit::BAD_INPUT;
            }
            Err(e) => return cannot_run(&e.to_string()),
        }
    }
    if let Some(table) = output::field_table(&scenarios, &results) {
        crate::note!("{table}");
    }
    if let Err(why) = tell_ci(arguments, &scenarios, &results) {
        crate::note!("error: {why}");
        return exit::BAD_INPUT;
    }
    if lacking > 0 && lacking == results.len() {
        return cannot_run("nothing of what was asked for can be run here");
    }
    let all_passed = results.iter().all(|result| matches!(result.verdict, Verdict::Passed | Verdict::Skipped));
    if all_passed && printed { exit::PASSED } else { exit::FAILED }
}

/// What CI systems are told, as far as it is asked for.
fn tell_ci(arguments: &Run, scenarios: &[Scenario], results: &[ScenarioResult]) -> Result<(), String> {
    if let Some(junit) = &arguments.junit {
        output::write_junit(junit, results).map_err(|e| format!("cannot write {}: {e}", junit.display()))?;
    }
    let step = arguments.github.then(|| std::env::var_os("GITHUB_STEP_SUMMARY").map(PathBuf::from)).flatten();
    output::write_summary(arguments.summary.as_deref(), step.as_deref(), results)?;
    if arguments.github {
        let file = |result: &ScenarioResult| {
            let is_it = |one: &&Scenario| {
                one.name == result.scenario || one.cured.as_ref().is_some_and(|cured| cured.name == result.scenario)
            };
            scenarios.iter().find(is_it).map(|one| one.file.as_path())
        };
        let of_file = results.iter().map(|result| (result, file(result).unwrap_or_else(|| Path::new("scenario"))));
        for line in output::github::annotations(&of_file.collect::<Vec<_>>()) {
            // GitHub reads both; with --json standard output is for programs alone.
            if arguments.json { crate::note!("{line}") } else { crate::say!("{line}") }
        }
    }
    Ok(())
}

/// Prints a result; says whether it could.
fn print(result: &ScenarioResult, json: bool) -> bool {
    let line = if json { output::json_line(result) } else { output::summary(result) };
    let mut stdout = std::io::stdout();
    match writeln!(stdout, "{line}").and_then(|()| stdout.flush()) {
        Ok(()) => true,
        Err(e) => {
            crate::note!("error: the result cannot be printed: {e}");
            false
        }
    }
}

pub(crate) fn cannot_run(why: &str) -> u8 {
    crate::note!("error: this machine cannot run it: {why}");
    crate::note!("`lab doctor` says more");
    exit::CANNOT_RUN
}
