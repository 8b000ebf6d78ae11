//! From a file or a site to findings.

use std::collections::BTreeSet;
use std::net::IpAddr;

use sysplex::raw::Topology;
use sysplex::{Diagnostic, Sysplex};
use zos_config::import::{self, Draft};
use zos_config::report::Problem;
use zos_config::site::{File, Site};
use zos_config::source::{Members, Place};

use crate::facts::{At, Facts, Found};
use crate::finding::{Finding, Location, Severity};
use crate::{page, rules};

/// What a check has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Known mistakes, by code, then by place.
    pub findings: Vec<Finding>,
    /// What cannot be read, ready to be shown.
    pub unreadable: Vec<String>,
    /// There is no sysplex because of these, so that the other rules were not asked.
    pub is_partial: bool,
}

/// Checks a sysplex whose file is not at hand: findings without places.
pub fn of_sysplex(sysplex: &Sysplex) -> Vec<Finding> {
    let facts = Facts { sysplex, topology: None, systems: &[], site: None, own_address: &|address| address };
    findings(&facts, |_| None)
}

/// Checks a topology; `text` is the file that it is written in, which may be a scenario.
pub fn of_topology(file: &str, text: &str, topology: &Topology) -> Checked {
    let sysplex = match topology.resolve() {
        Ok(sysplex) => sysplex,
        Err(found) => {
            return unresolved(found, |found| Location::of(file, text, &found.span), |found| found.render(file, text));
        }
    };
    let facts = Facts {
        sysplex: &sysplex,
        topology: Some(topology),
        systems: &[],
        site: None,
        own_address: &|address| address,
    };
    let locate = |at: &At| match at {
        At::Topology(span) => Some(Location::of(file, text, span)),
        At::Member(_) => None,
    };
    Checked { findings: findings(&facts, locate), ..Checked::default() }
}

/// Checks a site's members.
pub fn of_site(files: &[File]) -> Checked {
    let site = match Site::new(files) {
        Ok(site) => site,
        Err((members, report)) => return refused(&members, report.problems),
    };
    let mut draft = import::draft(&site);
    if !draft.report.problems.is_empty() {
        return refused(&site.members, std::mem::take(&mut draft.report.problems));
    }
    let read = toml::from_str::<Topology>(&draft.toml).map_err(|error| vec![Diagnostic::from_toml(&error)]);
    let resolved = read.and_then(|topology| Ok((topology.resolve()?, topology)));
    let (sysplex, topology) = match resolved {
        Ok(resolved) => resolved,
        Err(found) => {
            return refused(&site.members, found.into_iter().map(|found| draft.trace(found)).collect());
        }
    };
    members(&site, &draft, &sysplex, &topology)
}

fn members(site: &Site, draft: &Draft<'_>, sysplex: &Sysplex, topology: &Topology) -> Checked {
    let own_address = |address: IpAddr| draft.own_address(address);
    let facts = Facts {
        sysplex,
        topology: Some(topology),
        systems: &draft.systems,
        site: Some(site),
        own_address: &own_address,
    };
    let locate = |at: &At| {
        let place = match at {
            At::Topology(span) => draft.origin(span.start),
            At::Member(place) => Some(*place),
        };
        place.map(|place| in_member(&site.members, place))
    };
    Checked { findings: findings(&facts, locate), ..Checked::default() }
}

fn in_member(members: &Members, place: Place) -> Location {
    let member = members.get(place.member);
    Location::of(&member.name, member.text(), &(place.start as usize..place.end as usize))
}

fn findings(facts: &Facts<'_>, locate: impl Fn(&At) -> Option<Location>) -> Vec<Finding> {
    let mut found = Found::default();
    rules::all(facts, &mut found);
    let found = found
        .0
        .into_iter()
        .map(|(code, severity, at, message)| Finding::new(code, severity, at.and_then(|at| locate(&at)), message));
    in_order(found.collect())
}

/// Members that are shared say the same of each system; once is enough.
fn in_order(mut findings: Vec<Finding>) -> Vec<Finding> {
    let mut seen = BTreeSet::new();
    findings.retain(|found| seen.insert((found.code, found.location.clone(), found.message.clone())));
    findings.sort_by(|a, b| (a.code, &a.location).cmp(&(b.code, &b.location)));
    findings
}

fn refused(members: &Members, problems: Vec<Problem>) -> Checked {
    let mut checked = Checked { is_partial: true, ..Checked::default() };
    for problem in problems {
        match problem.code {
            Some(code) => {
                let at = problem.place.map(|place| in_member(members, place));
                checked.findings.push(known(code, at, &problem.message, problem.help.as_deref()));
            }
            None => checked.unreadable.push(problem.render(members)),
        }
    }
    checked.findings = in_order(checked.findings);
    checked
}

/// What keeps a topology from being one is a known mistake, or cannot be read.
fn unresolved(
    found: Vec<Diagnostic>,
    locate: impl Fn(&Diagnostic) -> Location,
    render: impl Fn(&Diagnostic) -> String,
) -> Checked {
    let mut checked = Checked { is_partial: true, ..Checked::default() };
    for one in found {
        match one.code {
            Some(code) => checked.findings.push(known(code, Some(locate(&one)), &one.message, one.help.as_deref())),
            None => checked.unreadable.push(render(&one)),
        }
    }
    checked.findings = in_order(checked.findings);
    checked
}

/// A known mistake that keeps the rest from being looked at.
fn known(code: &'static str, at: Option<Location>, message: &str, help: Option<&str>) -> Finding {
    let message = help.map_or_else(|| message.to_owned(), |help| format!("{message} ({help})"));
    let code = page::of(code).map_or(code, |page| page.code);
    Finding::new(code, Severity::Error, at, message)
}
