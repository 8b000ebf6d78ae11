//! `lab graph`: the topology as a figure; of a sysplex that is up, as it is now.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use super::cli::Which;
use super::client::{self, Caller, on_runtime, which};
use super::protocol::{Answer, Request};
use super::topology::load;
use crate::exit;
use crate::graph::{self, Format};
use crate::operator::Refusal;
use crate::plex::Plex;
use crate::report::Plan;

/// Of what, as what, and where to.
#[derive(Debug, Args)]
pub(crate) struct Graph {
    /// A topology file, a scenario file, or a directory with a site's z/OS members; when left out, a sysplex that is up
    #[arg(value_name = "TOPOLOGY", conflicts_with = "name")]
    file: Option<PathBuf>,
    #[command(flatten)]
    which: Which,
    /// What it is written as  [default: by the ending of the output's name; svg]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Where it goes, instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Help behind the options.
pub(super) const EXAMPLES: &str = "\
Of a sysplex that is up it shows which LPAR owns each DVIPA now, and which LPARs are down.

Examples:
  lab graph scenarios/figure4.toml -o figure4.svg
  lab graph members/ --format mermaid
      a site's sysplex, for a page of Markdown
  lab graph -o now.mmd
      the sysplex that is up

Exit status: 0 written, 2 the input is wrong or there is no such sysplex, 255 the sysplex went down meanwhile.";

/// The plan of a sysplex as it is now: owners, and who is down.
///
/// # Errors
/// When there is no distributor any more.
pub(super) async fn answer(plex: &Plex) -> Result<Answer, Refusal> {
    let failed = |e: crate::plex::PlexError| Refusal::failed(e.to_string());
    let mut plan = Plan::of(&plex.sysplex);
    let up = plex.distribution.up().await.map_err(failed)?;
    for (lpar, drawn) in plex.sysplex.lpars.iter().zip(&mut plan.lpars) {
        drawn.is_down = !up.contains(&lpar.index);
    }
    for (dvipa, drawn) in plex.sysplex.dvipas.iter().zip(&mut plan.dvipas) {
        let owner = plex.distribution.owner(dvipa.address).await.map_err(failed)?;
        drawn.owner =
            owner.and_then(|owner| plex.sysplex.lpar(owner)).map(|lpar| lpar.name.clone()).unwrap_or_default();
    }
    Ok(Answer::Graph(plan))
}

/// `lab graph`.
pub(super) fn main(graph: &Graph) -> u8 {
    match &graph.file {
        Some(file) => match load(file) {
            Ok(sysplex) => write(graph, &Plan::of(&sysplex)),
            Err(problems) => {
                problems.iter().for_each(|problem| crate::note!("{problem}"));
                exit::BAD_INPUT
            }
        },
        None => of_running(graph),
    }
}

fn of_running(graph: &Graph) -> u8 {
    on_runtime(async {
        let mut caller = Caller::of(&which(graph.which.name.clone(), &client::all()?)?)?;
        caller.ask(&Request::Graph, &[]).await?;
        match caller.answer().await? {
            Answer::Graph(plan) => Ok(write(graph, &plan)),
            answer => Err(caller.strange(&answer)),
        }
    })
}

fn write(graph: &Graph, plan: &Plan) -> u8 {
    let text = graph::draw(plan, graph.format.unwrap_or_else(|| by_name(graph.output.as_deref())));
    let written = match &graph.output {
        Some(path) => std::fs::write(path, &text).map_err(|e| format!("{}: {e}", path.display())),
        None => std::io::stdout().write_all(text.as_bytes()).map_err(|e| format!("standard output: {e}")),
    };
    match written {
        Ok(()) => exit::PASSED,
        Err(why) => {
            crate::note!("error: cannot write {why}");
            exit::BAD_INPUT
        }
    }
}

fn by_name(output: Option<&Path>) -> Format {
    match output.and_then(Path::extension).and_then(|ending| ending.to_str()) {
        Some("mmd" | "mermaid" | "md") => Format::Mermaid,
        _ => Format::Svg,
    }
}
