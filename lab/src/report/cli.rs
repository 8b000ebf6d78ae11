//! `lab report`: the report of a run from its directory alone.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::{REPORT, page, run_dir};
use crate::exit;
use crate::run::attempt::write_whole;

/// Of which run, and where to.
#[derive(Debug, Args)]
pub struct Report {
    /// The directory of a run, as `lab run --out DIR` makes them: DIR/SCENARIO-BACKEND
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Where the report goes; `-` is standard output [default: report.html in the run's directory]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Help behind the options.
pub const EXAMPLES: &str = "\
Example:
  lab run scenarios/figure4.toml --out out && lab report out/figure4-nftables -o figure4.html
      one file to hand to a colleague: it opens offline";

/// Runs it; the exit status.
pub fn main(report: &Report) -> u8 {
    let run = match run_dir::load(&report.run) {
        Ok(run) => run,
        Err(e) => {
            crate::note!("error: {e}");
            return exit::BAD_INPUT;
        }
    };
    let text = page::render(&run);
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
