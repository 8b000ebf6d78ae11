//! The sysplex of a scenario: in a file beside it, in the scenario itself, or a site's z/OS members.

use std::path::Path;

use sysplex::raw::{Spanned, Topology};
use sysplex::{Diagnostic, Sysplex};

use super::raw;
use super::resolve::read_bounded;
use crate::site;

const EXPECTED: &str =
    "expected one of `topology = \"FILE\"`, `members = \"DIRECTORY\"`, or the tables `[plex]`, `[[plex.lpar]]`, ...";

/// Where a scenario, or its cure, says what it runs in: at most one of the three.
pub(super) struct Named<'a> {
    topology: Option<&'a Spanned<String>>,
    members: Option<&'a Spanned<String>>,
    plex: Option<&'a Topology>,
}

impl<'a> Named<'a> {
    pub(super) fn by_file(file: &'a raw::File) -> Self {
        Self { topology: file.topology.as_ref(), members: file.members.as_ref(), plex: file.plex.as_ref() }
    }

    pub(super) fn by_cure(cured: &'a raw::Cured) -> Self {
        Self { topology: cured.topology.as_ref(), members: cured.members.as_ref(), plex: cured.plex.as_ref() }
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.topology.is_none() && self.members.is_none() && self.plex.is_none()
    }
}

/// The sysplex that is named, and what of its members is not in it.
///
/// # Errors
/// Everything that is wrong with it, or with how it is named.
pub(super) fn of(
    named: &Named<'_>,
    path: &Path,
    render: &impl Fn(Vec<Diagnostic>) -> Vec<String>,
) -> Result<(Sysplex, Vec<String>), Vec<String>> {
    let wrong = |span, message| Err(render(vec![Diagnostic::new(span, message)]));
    let beside = |named: &Spanned<String>| path.parent().unwrap_or(Path::new("")).join(named.get_ref());
    match (named.topology, named.members, named.plex) {
        (Some(named), None, None) => from_file(&beside(named)).map(without_notes).map_err(|problem| match problem {
            Problem::Unread(message) => render(vec![Diagnostic::new(named.span(), message)]),
            Problem::Wrong(all) => all,
        }),
        (None, Some(named), None) => match site::read(&[beside(named)]) {
            Ok(site) => site::import_as_run(&site).map(|imported| (imported.sysplex, imported.notes)),
            Err(message) => wrong(named.span(), format!("cannot read the members: {message}")),
        },
        (None, None, Some(topology)) => topology.resolve().map(without_notes).map_err(render),
        (None, None, None) => wrong(0..0, format!("no topology: {EXPECTED}")),
        (Some(named), ..) | (_, Some(named), _) => wrong(named.span(), format!("two topologies: {EXPECTED}")),
    }
}

fn without_notes(sysplex: Sysplex) -> (Sysplex, Vec<String>) {
    (sysplex, Vec::new())
}

enum Problem {
    Unread(String),
    Wrong(Vec<String>),
}

fn from_file(path: &Path) -> Result<Sysplex, Problem> {
    let shown = path.display().to_string();
    let source = read_bounded(path).map_err(|e| Problem::Unread(format!("cannot read the topology {shown}: {e}")))?;
    Sysplex::from_toml(&source)
        .map_err(|all| Problem::Wrong(all.iter().map(|problem| problem.render(&shown, &source)).collect()))
}
