//! `lab report`: the report of a run or of a soak from its directory alone.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use super::run_dir::LoadError;
use super::{REPORT, page, run_dir, soak};
use crate::exit;
use crate::run::attempt::write_whole;

/// Of which run, and where to.
#[derive(Debug, Args)]
pub struct Report {
    /// The directory of a run, as `lab run --out DIR` makes them: DIR/SCENARIO-BACKEND; or that of a soak
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Where the report goes; `-` is standard output [default: report.html in the run's directory]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Help behind the options.
pub const EXAMPLES: &str = "\
Examples:
  lab run scenarios/figure4.toml --out out && lab report out/figure4-nftables -o figure4.html
      one file to hand to a colleague: it opens offline
  lab report soak-out
      soak-out/report.html anew: verdict, a line of time with the faults, latency, growth; also while the soak goes on";

/// Runs it; the exit status.
pub fn main(report: &Report) -> u8 {
    let text = match of(&report.run) {
        Ok(text) => text,
        Err(e) => {
            crate::note!("error: {e}");
            return exit::BAD_INPUT;
        }
    };
    let path = report.output.clone().unwrap_or_else(|| report.run.join(REPORT));
    let to_stdout = path.as_os_str() == "-";
    let written = if to_stdout { std::io::stdout().write_all(text.as_bytes()) } else { write_whole(&path, &text) };
    if let Err(e) = written {
        crate::note!("error: cannot write {}: {e}", path.display());
        return exit::BAD_INPUT;
    }
    if !to_stdout {
        crate::say!("{}", path.display());
    }
    exit::PASSED
}

/// The page of what the directory is of.
fn of(directory: &Path) -> Result<String, LoadError> {
    if soak::is_one(directory) {
        return soak::load(directory).map(|soak| soak::render(&soak));
    }
    run_dir::load(directory).map(|run| page::render(&run))
}
