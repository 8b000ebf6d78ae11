//! `lab import` and `lab export zos`: z/OS members to a topology, and back.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use sysplex::{Diagnostic, Sysplex};
use zos_config::report::Report;
use zos_config::site::{File, Site, disk};
use zos_config::source::Members;

use crate::exit;

/// Members in, members out.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a topology of a site's z/OS members: PROFILE.TCPIP, PROC JCL, IEASYMxx, rse.env, the EQADVIPA job
    #[command(after_help = IMPORT_EXAMPLES)]
    Import {
        /// A directory with one directory for each system and shared members beside them, or files
        #[arg(required = true, value_name = "DIR | FILE")]
        members: Vec<PathBuf>,
        /// Where the topology goes; standard output without it
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Write a topology as something else
    #[command(subcommand)]
    Export(Export),
}

/// What a topology is written as.
#[derive(Debug, Subcommand)]
pub enum Export {
    /// z/OS members, one directory for each system, and site.toml with what members cannot say
    #[command(after_help = "Example:\n  lab export zos scenarios/topologies/two-lpars.toml -o members/")]
    Zos {
        /// The topology
        #[arg(value_name = "TOPOLOGY")]
        topology: PathBuf,
        /// A directory that is not there yet
        #[arg(long, short, value_name = "DIR")]
        output: PathBuf,
    },
}

const IMPORT_EXAMPLES: &str = "\
EBCDIC (code page 1047) or ASCII, records of 80 bytes or lines. What cannot be carried over is listed on standard error, line by
line. A file site.toml in the directory may say what no member says: which system is which, workstations.

Examples:
  lab import members/ -o topology.toml
  lab import SYS1/PROFILE SYS2/PROFILE DBGMGR IEASYM00 site.toml";

/// Runs one; the exit status.
pub fn main(command: &Command) -> u8 {
    match command {
        Command::Import { members, output } => import_to(members, output.as_deref()),
        Command::Export(Export::Zos { topology, output }) => export(topology, output),
    }
}

fn import_to(paths: &[PathBuf], output: Option<&Path>) -> u8 {
    let imported = match read(paths) {
        Ok(files) => import(&files),
        Err(why) => return wrong(&why),
    };
    let Imported { toml, notes, .. } = match imported {
        Ok(imported) => imported,
        Err(said) => {
            said.iter().for_each(|line| crate::note!("{line}"));
            return exit::BAD_INPUT;
        }
    };
    notes.iter().for_each(|note| crate::note!("{note}"));
    let written = match output {
        Some(file) => fs::write(file, &toml).map_err(|e| format!("{}: {e}", file.display())),
        None => io::stdout().write_all(toml.as_bytes()).map_err(|e| format!("standard output: {e}")),
    };
    match written {
        Ok(()) => exit::PASSED,
        Err(why) => wrong(&why),
    }
}

/// A topology, made of members.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The topology file.
    pub toml: String,
    /// What it says.
    pub sysplex: Sysplex,
    /// What was not carried over, passed over, changed or assumed: a line each.
    pub notes: Vec<String>,
}

/// The files of a site: of a directory as a whole, or one by one.
///
/// # Errors
/// What cannot be read.
pub fn read(paths: &[PathBuf]) -> Result<Vec<File>, String> {
    let files = match paths {
        [directory] if directory.is_dir() => disk::directory(directory),
        files => disk::files(files),
    };
    files.map_err(|e| e.to_string())
}

/// Makes a topology of a site.
///
/// # Errors
/// The notes so far, and all that is wrong.
pub fn import(files: &[File]) -> Result<Imported, Vec<String>> {
    import_with(files, zos_config::import::import)
}

/// Makes a sysplex of a site that is run as it is: a Debug Manager whose PARM is wrong is started with it.
///
/// # Errors
/// The notes so far, and what is wrong besides.
pub fn import_as_run(files: &[File]) -> Result<Imported, Vec<String>> {
    import_with(files, zos_config::import::import_as_run)
}

fn import_with(
    files: &[File],
    import: impl FnOnce(&Site) -> Result<zos_config::import::Imported, Report>,
) -> Result<Imported, Vec<String>> {
    let said = |members: &Members, report: &Report| {
        let notes = report.notes.iter().map(|note| note.render(members));
        notes.chain(report.problems.iter().map(|problem| problem.render(members))).collect::<Vec<_>>()
    };
    let site = Site::new(files).map_err(|(members, report)| said(&members, &report))?;
    let imported = import(&site).map_err(|report| said(&site.members, &report))?;
    let notes = imported.notes.iter().map(|note| note.render(&site.members)).collect();
    Ok(Imported { toml: imported.toml, sysplex: imported.sysplex, notes })
}

fn wrong(why: &str) -> u8 {
    crate::note!("error: {why}");
    exit::BAD_INPUT
}

fn export(topology: &Path, output: &Path) -> u8 {
    let text = match fs::read_to_string(topology) {
        Ok(text) => text,
        Err(e) => return wrong(&format!("{}: {e}", topology.display())),
    };
    let name = topology.display().to_string();
    let raw = toml::from_str::<sysplex::raw::Topology>(&text).map_err(|e| vec![Diagnostic::from_toml(&e)]);
    let files = match raw.and_then(|raw| zos_config::export::export(&raw)) {
        Ok(files) => files,
        Err(problems) => {
            for problem in problems {
                crate::note!("{}", problem.render(&name, &text));
            }
            return exit::BAD_INPUT;
        }
    };
    match write(&files, output) {
        Ok(()) => exit::PASSED,
        Err(why) => wrong(&why),
    }
}

/// Nothing that is there is overwritten.
fn write(files: &[File], output: &Path) -> Result<(), String> {
    let failed = |path: &Path, e: io::Error| format!("{}: {e}", path.display());
    fs::create_dir(output).map_err(|e| failed(output, e))?;
    let paths: Vec<PathBuf> = files.iter().map(|file| output.join(&file.name)).collect();
    for directory in paths.iter().filter_map(|path| path.parent()).collect::<BTreeSet<_>>() {
        fs::create_dir_all(directory).map_err(|e| failed(directory, e))?;
    }
    for (file, path) in files.iter().zip(&paths) {
        fs::write(path, &file.bytes).map_err(|e| failed(path, e))?;
    }
    Ok(())
}
