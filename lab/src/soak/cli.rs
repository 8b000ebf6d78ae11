//! `lab soak`: what is asked for, and the attempts that it takes.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use soak::plan::Settings;
use soak::summary::{Summary, Verdict};

use super::attempt::{Attempts, Shown};
use super::interrupt::Interrupt;
use super::plan::{self, Plan};
use super::resume::{self, Held};
use super::shorten::make_short;
use super::{faults, record, text};
use crate::backends::Choice;
use crate::{cli, exit, report, up};

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
  lab soak --resume soaks/7
      the rest of one that was interrupted, by Ctrl-C or by a power failure: its summary adds up what was
  lab soak site.toml --duration 2d --metrics 127.0.0.1:9100
      over the weekend, with `curl http://127.0.0.1:9100/metrics` to see how it goes
  lab soak site.toml --duration 5m --faults soaks/7/shrunk.json --out soaks/short
      only the faults that were seen to matter

Exit status: 0 passed, 1 an invariant was broken or a budget not kept, 2 the input is wrong, 3 this machine cannot run it,\n130 it was told to end early (SIGINT or SIGTERM, which end it in order; a second one ends it at once).";

/// What is asked for.
#[derive(Debug, clap::Args)]
pub(crate) struct Soak {
    /// A topology, a scenario with its topology, or a directory of z/OS members
    #[arg(value_name = "TOPOLOGY", required_unless_present_any = ["replay", "resume"], conflicts_with = "replay")]
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
    /// Go on with the soak that was interrupted, from its last snapshot, in its own directory
    #[arg(long, value_name = "DIR", conflicts_with_all = ["topology", "replay", "out"])]
    resume: Option<PathBuf>,
    /// Serve metrics for Prometheus there, by HTTP at /metrics: an address of this machine itself, and a port
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = metrics)]
    metrics: Option<SocketAddr>,
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

/// Whoever asks is not asked who he is.
fn metrics(text: &str) -> Result<SocketAddr, String> {
    let found = text.parse::<SocketAddr>().ok().filter(|address| address.ip().is_loopback());
    found.ok_or_else(|| format!("found `{text}`, expected a loopback address and a port such as 127.0.0.1:9100"))
}

/// What is to be done.
#[derive(Debug)]
struct Task<'a> {
    plan: Plan,
    /// What was done before, when it is resumed.
    before: Option<Summary>,
    out: &'a Path,
    _held: Held,
    metrics: Option<TcpListener>,
}

/// Runs it; the exit status.
pub(crate) fn main(soak: &Soak) -> u8 {
    match prepare(soak) {
        Ok(task) => run(soak, &task),
        Err(problems) => {
            problems.iter().for_each(|problem| crate::note!("{problem}"));
            exit::BAD_INPUT
        }
    }
}

fn prepare(soak: &Soak) -> Result<Task<'_>, Vec<String>> {
    let one = |why: String| vec![format!("error: {why}")];
    let metrics = soak.metrics.map(listen).transpose().map_err(one)?;
    let Some(directory) = &soak.resume else {
        let plan = begin(soak)?;
        let held = Held::take(&soak.out).map_err(one)?;
        return Ok(Task { plan, before: None, out: &soak.out, _held: held, metrics });
    };
    let held = Held::take(directory).map_err(one)?;
    let plan = Plan::read(directory).map_err(one)?;
    plan.layout().and_then(|_| plan.rse()).map_err(one)?;
    let before = resume::before(directory, soak.keep_going).map_err(one)?;
    Ok(Task { plan, before: Some(before), out: directory, _held: held, metrics })
}

/// Here, and not in the realm, whose network nobody else reaches.
fn listen(address: SocketAddr) -> Result<TcpListener, String> {
    let listener = TcpListener::bind(address).and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    listener.map_err(|e| format!("--metrics {address}: {e}"))
}

/// Writes the plan of a new one.
fn begin(soak: &Soak) -> Result<Plan, Vec<String>> {
    let one = |why: String| vec![format!("error: {why}")];
    if soak.out.join(plan::FILE).exists() {
        let text = format!("{} holds the evidence of a soak: --out gives this one another place", soak.out.display());
        return Err(one(text));
    }
    let plan = match (&soak.replay, &soak.topology) {
        (Some(directory), _) => Plan::read(directory).map_err(one)?,
        (None, Some(topology)) => new_plan(soak, topology)?,
        (None, None) => return Err(one("a topology, --replay or --resume is needed".to_owned())),
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

fn run(soak: &Soak, task: &Task<'_>) -> u8 {
    let Task { plan, before, out, metrics, .. } = task;
    let interrupt = match Interrupt::take() {
        Ok(interrupt) => interrupt,
        Err(e) => return stop(exit::CANNOT_RUN, &format!("signals: {e}")),
    };
    let attempts = Attempts { backend: soak.backend, keep_going: soak.keep_going, interrupt: &interrupt, out };
    let shown = Shown { progress: true, metrics: metrics.as_ref(), before: before.as_ref() };
    let mut summary = match attempts.run(plan, out, shown) {
        Ok(summary) => summary,
        Err((status, why)) => return stop(status, &why),
    };
    if summary.verdict() == Verdict::Failed && soak.shrink > 0 {
        summary.shrunk = make_short(&attempts, plan, &summary, soak.shrink);
        let written = record::write_whole(out, record::SUMMARY, &summary)
            .and_then(|()| record::write_whole(out, "shrunk.json", &summary.shrunk));
        if let Err(e) = written {
            crate::note!("error: cannot write to {}: {e}", out.display());
        }
    }
    report::keep_soak(&soak.out);
    if soak.json {
        crate::say!("{}", serde_json::to_string(&summary).unwrap_or_default());
    } else {
        crate::say!("{}", text::table(&summary));
    }
    let (seed, shown) = (plan.settings.seed, out.display());
    match summary.verdict() {
        Verdict::Passed => exit::PASSED,
        Verdict::Interrupted => {
            crate::note!("interrupted; the rest: lab soak --resume {shown}");
            exit::INTERRUPTED
        }
        Verdict::Failed => {
            crate::note!("seed {seed}; again: lab soak --replay {shown} --out ANOTHER");
            exit::FAILED
        }
    }
}

fn stop(status: u8, why: &str) -> u8 {
    if status == exit::CANNOT_RUN {
        return cli::cannot_run(why);
    }
    crate::note!("error: {why}");
    status
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

    #[test]
    fn metrics_are_for_this_machine_alone() {
        assert_eq!(metrics("127.0.0.1:9100"), Ok(([127, 0, 0, 1], 9100).into()));
        assert!(metrics("[::1]:9100").is_ok());
        for wrong in ["0.0.0.0:9100", "10.0.0.1:9100", "9100", "localhost:9100"] {
            let said = metrics(wrong).expect_err(wrong);
            assert!(said.contains("expected a loopback address and a port"), "{said}");
        }
    }
}
