//! `lab soak`: what is asked for, and the attempts that it takes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use netns::realm;
use soak::budget::Quantity;
use soak::fault::Planned;
use soak::model;
use soak::plan::Settings;
use soak::shrink::shrink;
use soak::summary::Summary;

use super::director::{self, Orders, Report};
use super::plan::{self, Plan};
use super::{faults, record, text};
use crate::backends::{self, Choice};
use crate::{cli, exit, programs, report, up};

/// How much later a failure may come when the soak is run again with fewer faults.
const AFTER_FAILURE_MS: u64 = 10_000;

pub(crate) const EXAMPLES: &str = "\
Each session must reach its own user's workstation and its own LPAR's job exactly once, or fail with a fault that excuses it;
nothing is lost, nothing is crossed, all is drained at the end; memory, descriptors, threads, sockets and the VCRT keep a budget.
In DIR are report.html, plan.json (all that a replay needs), summary.json (whole at any time), snapshots.jsonl, faults.jsonl and
events.jsonl (bounded).

Examples:
  lab soak scenarios/topologies/two-lpars.toml --duration 2m --users 20 --rate 20/s
      two minutes with faults by chance, evidence in soak-out/
  lab soak site.toml --duration 2h --users 200 --rate 200/s --seed 7 --out soaks/7
      two hours; the same seed orders the same sessions and brings the same faults
  lab soak --replay soaks/7 --out soaks/7-again
      the same again, from what the first has written
  lab soak site.toml --duration 5m --faults soaks/7/shrunk.json --out soaks/short
      only the faults that were seen to matter

Exit status: 0 passed, 1 an invariant was broken or a budget not kept, 2 the input is wrong, 3 this machine cannot run it.";

/// What is asked for.
#[derive(Debug, clap::Args)]
pub(crate) struct Soak {
    /// A topology, a scenario with its topology, or a directory of z/OS members
    #[arg(value_name = "TOPOLOGY", required_unless_present = "replay", conflicts_with = "replay")]
    topology: Option<PathBuf>,
    /// How long sessions begin
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = humantime::parse_duration)]
    duration: Duration,
    /// Users, all at the first workstation
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    users: u32,
    /// Sessions in a second, on average
    #[arg(long, value_name = "N/s", default_value = "20/s", value_parser = rate)]
    rate: f64,
    /// `random`, `none`, or a file with a list of faults
    #[arg(long, value_name = "random|none|FILE", default_value = "random")]
    faults: String,
    /// Mean time from one random fault to the next
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = humantime::parse_duration)]
    every: Duration,
    /// The longest time that a person stays in a session
    #[arg(long, value_name = "DURATION", default_value = "200ms", value_parser = humantime::parse_duration)]
    stays: Duration,
    /// How long a job waits for its workstation before it gives up, at most 60s
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = patience)]
    patience: Duration,
    /// Where all chance comes from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the evidence goes; it must not hold that of another soak
    #[arg(long, value_name = "DIR", default_value = "soak-out")]
    out: PathBuf,
    /// Run the soak again that has left its evidence here
    #[arg(long, value_name = "DIR")]
    replay: Option<PathBuf>,
    /// When it fails, look for a short list of faults with which it still does, in at most so many runs
    #[arg(long, value_name = "RUNS", default_value_t = 0)]
    shrink: u32,
    /// Go on when an invariant was broken
    #[arg(long)]
    keep_going: bool,
    /// What distributes connections in the kernel
    #[arg(long, value_enum, default_value_t = Choice::Auto)]
    backend: Choice,
    /// Print the summary as JSON on standard output
    #[arg(long)]
    json: bool,
}

/// Longer, and a session without an end could not be told from one that waits.
fn patience(text: &str) -> Result<Duration, String> {
    let found = humantime::parse_duration(text).map_err(|e| e.to_string())?;
    let fits = (Duration::from_secs(1)..=Duration::from_secs(60)).contains(&found);
    if fits { Ok(found) } else { Err(format!("found {text}, expected 1s to 60s")) }
}

fn rate(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix("/s").unwrap_or(text).parse::<f64>();
    let fits = number.ok().filter(|rate| (0.01..=10_000.0).contains(rate));
    fits.ok_or_else(|| {
        format!("found `{text}`, expected a number of sessions in a second such as 20/s, from 0.01 to 10000")
    })
}

/// Runs it; the exit status.
pub(crate) fn main(soak: &Soak) -> u8 {
    match prepare(soak) {
        Ok(plan) => run(soak, &plan),
        Err(problems) => {
            problems.iter().for_each(|problem| crate::note!("{problem}"));
            exit::BAD_INPUT
        }
    }
}

fn prepare(soak: &Soak) -> Result<Plan, Vec<String>> {
    let one = |why: String| vec![format!("error: {why}")];
    if soak.out.join(plan::FILE).exists() {
        let text = format!("{} holds the evidence of a soak: --out gives this one another place", soak.out.display());
        return Err(one(text));
    }
    let plan = match (&soak.replay, &soak.topology) {
        (Some(directory), _) => Plan::read(directory).map_err(one)?,
        (None, Some(topology)) => new_plan(soak, topology)?,
        (None, None) => return Err(one("a topology, or --replay, is needed".to_owned())),
    };
    plan.layout().and_then(|_| plan.rse()).map_err(one)?;
    std::fs::create_dir_all(&soak.out)
        .and_then(|()| record::write_whole(&soak.out, plan::FILE, &plan))
        .map_err(|e| one(format!("cannot write to {}: {e}", soak.out.display())))?;
    Ok(plan)
}

fn new_plan(soak: &Soak, topology: &Path) -> Result<Plan, Vec<String>> {
    let sysplex = up::load_topology(topology)?;
    let lpars = Plan::lpars_for_jobs(&sysplex);
    if lpars.is_empty() {
        return Err(vec![format!("error: {}: no LPAR has a Debug Manager", topology.display())]);
    }
    let faults = match soak.faults.as_str() {
        "none" => Vec::new(),
        "random" => plan::random_faults(&sysplex, soak.seed, soak.duration, soak.every, &faults::KINDS),
        file => plan::faults_of(Path::new(file), &sysplex).map_err(|why| vec![format!("error: {why}")])?,
    };
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let settings =
        Settings { seed: soak.seed, duration_ms: ms(soak.duration), users: soak.users, rate: soak.rate, lpars };
    Ok(Plan {
        sysplex,
        backend: String::new(),
        settings,
        stays_ms: ms(soak.stays),
        patience_ms: ms(soak.patience),
        faults,
    })
}

fn run(soak: &Soak, plan: &Plan) -> u8 {
    let mut summary = match attempt(soak, plan, &soak.out, true) {
        Ok(summary) => summary,
        Err((status, why)) => return stop(status, &why),
    };
    if !summary.passed() && soak.shrink > 0 {
        summary.shrunk = make_short(soak, plan, &summary);
        let written = record::write_whole(&soak.out, record::SUMMARY, &summary)
            .and_then(|()| record::write_whole(&soak.out, "shrunk.json", &summary.shrunk));
        if let Err(e) = written {
            crate::note!("error: cannot write to {}: {e}", soak.out.display());
        }
    }
    report::keep_soak(&soak.out);
    if soak.json {
        crate::say!("{}", serde_json::to_string(&summary).unwrap_or_default());
    } else {
        crate::say!("{}", text::table(&summary));
    }
    if !summary.passed() {
        crate::note!("seed {}; again: lab soak --replay {} --out ANOTHER", plan.settings.seed, soak.out.display());
    }
    if summary.passed() { exit::PASSED } else { exit::FAILED }
}

fn stop(status: u8, why: &str) -> u8 {
    if status == exit::CANNOT_RUN {
        return cli::cannot_run(why);
    }
    crate::note!("error: {why}");
    status
}

/// One attempt, in a realm of its own.
fn attempt(soak: &Soak, plan: &Plan, out: &Path, progress: bool) -> Result<Summary, (u8, String)> {
    let cannot = |why: String| (exit::CANNOT_RUN, why);
    let bin_dir = programs::own_directory().map_err(cannot)?;
    let chosen = backends::choose(soak.backend).map_err(cannot)?;
    let backend = chosen.run.first().ok_or_else(|| cannot("there is no backend".to_owned()))?;
    let orders = Orders {
        backend: backend.make(&plan.sysplex),
        plan: Plan { backend: backend.name.to_owned(), ..plan.clone() },
        bin_dir,
        out: out.to_owned(),
        progress,
        stop_when_broken: !soak.keep_going,
    };
    let ended = realm::run(|network, report| director::direct(&network, &orders, report), |_, _| ());
    let ended = ended.map_err(|e| cannot(e.to_string()))?;
    match serde_json::from_slice::<Report>(&ended.report) {
        Ok(Report::Done(summary)) => Ok(*summary),
        Ok(Report::Failed(why)) => Err((exit::FAILED, why)),
        Err(_) => {
            let how = ended.killed.unwrap_or_else(|| format!("exit status {:?}", ended.status));
            Err((exit::FAILED, format!("the lab itself ended before the verdict: {how}")))
        }
    }
}

/// What kind of failure it is: another one does not count when faults are taken out.
#[derive(Clone, Debug, PartialEq)]
enum Failure {
    Broken(model::Kind),
    Grown(Quantity),
    Other,
}

fn failure(summary: &Summary) -> Option<Failure> {
    if let Some(violation) = summary.violations.first() {
        return Some(Failure::Broken(violation.kind));
    }
    let grown = summary.grown.iter().find(|grown| !grown.keeps).map(|grown| Failure::Grown(grown.quantity));
    grown.or_else(|| (!summary.passed()).then_some(Failure::Other))
}

/// Runs it again with fewer faults, each time in a directory of its own.
fn make_short(soak: &Soak, plan: &Plan, summary: &Summary) -> Option<Vec<Planned>> {
    let wanted = failure(summary)?;
    let mut plan = plan.clone();
    // What came after the failure is not its cause.
    plan.faults.retain(|planned| planned.at_ms <= summary.ran_ms);
    if matches!(wanted, Failure::Broken(_)) {
        plan.settings.duration_ms = plan.settings.duration_ms.min(summary.ran_ms + AFTER_FAILURE_MS);
    }
    crate::note!("it failed after {} s; looking for fewer of {} faults", summary.ran_ms / 1000, plan.faults.len());
    let mut number = 0;
    let shrunk = shrink(&plan.faults.clone(), soak.shrink, |faults| {
        number += 1;
        let out = soak.out.join(format!("shrink-{number}"));
        let fewer = Plan { faults: faults.to_vec(), ..plan.clone() };
        let written = std::fs::create_dir_all(&out).and_then(|()| record::write_whole(&out, plan::FILE, &fewer));
        let found =
            written.map_err(|e| (exit::BAD_INPUT, e.to_string())).and_then(|()| attempt(soak, &fewer, &out, false));
        let failed = match &found {
            Ok(summary) => failure(summary).as_ref() == Some(&wanted),
            Err((_, why)) => {
                crate::note!("  run {number}: {why}");
                false
            }
        };
        crate::note!("  run {number}, {} faults: {}", faults.len(), if failed { "fails" } else { "does not fail so" });
        failed
    });
    if !shrunk.is_minimal {
        crate::note!("the runs are used up; a shorter list may fail, too");
    }
    Some(shrunk.list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read() {
        assert_eq!((rate("20/s"), rate("0.5")), (Ok(20.0), Ok(0.5)));
        assert!(rate("fast").expect_err("no rate").contains("found `fast`, expected"));
        assert!(rate("-1/s").is_err() && rate("NaN").is_err());
    }
}
