//! A topology to members: the way back of [`crate::import`].
//!
//! A directory per LPAR with its PROFILE.TCPIP, one IEASYM00 for all, a procedure for each started task, and `site.toml` for what
//! members cannot say: WLM's weights, workstations, how long a session waits, plain servers, the order of things. An import of
//! the files gives the same sysplex. Procedures that are the same on all systems are shared; symbols stay symbols.

mod manifest;
mod procedures;
mod profile;
mod symbols;

use sysplex::raw::{StartedTaskTable, Topology};
use sysplex::{Diagnostic, Sysplex};

use crate::site::{File, MANIFEST};

/// The members of a topology.
///
/// # Errors
/// What is wrong with the topology.
pub fn export(topology: &Topology) -> Result<Vec<File>, Vec<Diagnostic>> {
    let sysplex = topology.resolve()?;
    let source = Source { topology, sysplex: &sysplex };
    let mut files = vec![
        file(MANIFEST.to_owned(), manifest::write(&source)),
        file("IEASYM00.txt".to_owned(), symbols::write(&source)),
    ];
    for lpar in &sysplex.lpars {
        files.push(file(format!("{}/PROFILE.TCPIP", lpar.name), profile::write(&source, lpar)));
    }
    files.extend(procedures::write(&source));
    Ok(files)
}

fn file(name: String, text: String) -> File {
    File { name, bytes: text.into_bytes() }
}

/// What is exported: as it is written, and as it is resolved.
struct Source<'t> {
    topology: &'t Topology,
    sysplex: &'t Sysplex,
}

impl Source<'_> {
    /// Does a started task run on the LPAR?
    fn runs(table: &StartedTaskTable, lpar: &str) -> bool {
        table.on.as_ref().is_none_or(|on| on.get_ref().iter().any(|name| name.get_ref() == lpar))
    }

    /// Is it the only table of its name, so that all systems can share its procedure?
    fn is_shared(&self, table: &StartedTaskTable) -> bool {
        let of_name = |other: &&StartedTaskTable| other.name.get_ref() == table.name.get_ref();
        self.topology.started_task.iter().filter(of_name).count() == 1
    }
}

/// Is it a Debug Manager or an RSE daemon, which have procedures?
fn has_procedure(table: &StartedTaskTable) -> bool {
    ["dbgmgr", "rsed"].contains(&table.program.get_ref().as_str())
}
