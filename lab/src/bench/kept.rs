//! `lab bench kept`: how long a user waits for a sysplex that stays: `lab up` to its prompt, what `lab exec` adds to a command,
//! `lab down`. Whole processes, as a shell starts them.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use evidence::monotonic_ns;
use serde::Serialize;

use super::realm::median;
use crate::run::figure4::ms_since;
use crate::{exit, programs};

/// A command that does nothing: what is added to it is the lab's.
const NOTHING: &str = "/bin/true";

/// Medians, in milliseconds, and the longest.
#[derive(Debug, Serialize)]
struct Figures {
    runs: u32,
    up_ms: [f64; 2],
    command_ms: [f64; 2],
    exec_ms: [f64; 2],
    /// What `lab exec` adds: the median of the differences of runs that followed each other.
    exec_adds_ms: f64,
    down_ms: [f64; 2],
}

/// Runs the benchmark; returns the exit status.
pub fn kept(runs: u32, json: bool) -> u8 {
    let measured = programs::own_directory().and_then(|directory| measure(&directory.join("lab"), runs));
    match measured {
        Ok(figures) => {
            say(&figures, json);
            exit::PASSED
        }
        Err(why) => {
            crate::note!("error: {why}");
            exit::CANNOT_RUN
        }
    }
}

fn say(figures: &Figures, json: bool) {
    if json {
        crate::say!("{}", serde_json::to_string(figures).unwrap_or_default());
        return;
    }
    let Figures { runs, up_ms, command_ms, exec_ms, exec_adds_ms, down_ms } = figures;
    crate::say!("2 LPARs, {runs} runs of each, whole processes            median ms    longest ms");
    let line = |name: &str, [median, most]: &[f64; 2]| crate::say!("{name:52} {median:>10.1} {most:>13.1}");
    line("lab up, until the shell has its prompt again", up_ms);
    line("a command that does nothing, here", command_ms);
    line("the same by lab exec", exec_ms);
    crate::say!("{:52} {exec_adds_ms:>10.1}", "what lab exec adds");
    line("lab down", down_ms);
}

fn measure(lab: &Path, runs: u32) -> Result<Figures, String> {
    let topology = Topology::write()?;
    let name = format!("bench-{}", std::process::id());
    let (mut ups, mut commands, mut execs, mut adds, mut downs) = (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..runs {
        ups.push(timed(Command::new(lab).arg("up").arg(&topology.0).args(["--name", &name]))?);
        // The first one finds the programs in no cache.
        timed(Command::new(lab).args(["exec", "--name", &name, "LPAR1", "--", NOTHING]))?;
        let command = timed(&mut Command::new(NOTHING))?;
        let exec = timed(Command::new(lab).args(["exec", "--name", &name, "LPAR1", "--", NOTHING]));
        let down = timed(Command::new(lab).args(["down", &name]));
        let exec = exec?;
        commands.push(command);
        execs.push(exec);
        adds.push(exec - command);
        downs.push(down?);
    }
    let both = |values: Vec<f64>| {
        let most = values.iter().copied().fold(0.0, f64::max);
        [median(values), most]
    };
    Ok(Figures {
        runs,
        up_ms: both(ups),
        command_ms: both(commands),
        exec_ms: both(execs),
        exec_adds_ms: median(adds),
        down_ms: both(downs),
    })
}

/// How long a command takes, which must end well.
fn timed(command: &mut Command) -> Result<f64, String> {
    let begin = monotonic_ns();
    // What stays in the background must not hold a pipe that is waited for.
    let run = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output();
    let took = ms_since(begin, monotonic_ns());
    match run {
        Ok(Output { status, .. }) if status.success() => Ok(took),
        Ok(Output { status, stderr, .. }) => {
            Err(format!("{command:?}: {status}: {}", String::from_utf8_lossy(&stderr).trim()))
        }
        Err(e) => Err(format!("{command:?}: {e}")),
    }
}

/// The topology of the uniform sysplex of two LPARs, in a file that goes with it.
struct Topology(PathBuf);

impl Topology {
    fn write() -> Result<Self, String> {
        let path = std::env::temp_dir().join(format!("dvipa-lab-bench-{}.toml", std::process::id()));
        let failed = |e: std::io::Error| format!("{}: {e}", path.display());
        let mut file = std::fs::File::create_new(&path).map_err(failed)?;
        let topology = Self(path.clone());
        file.write_all(include_str!("../../../scenarios/topologies/two-lpars.toml").as_bytes()).map_err(failed)?;
        Ok(topology)
    }
}

impl Drop for Topology {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
