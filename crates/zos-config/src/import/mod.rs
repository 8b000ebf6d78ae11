//! Members to a topology.
//!
//! Every value of the topology names the member and line that it came from in a comment. What the members say and a topology has
//! no place for is a [`Note`]; what keeps it from being read is a [`Problem`].

mod distribute;
mod dvipas;
mod segments;
mod stack;
mod systems;
mod tasks;
pub(crate) mod toml;

use std::collections::BTreeSet;
use std::net::IpAddr;

use sysplex::{Diagnostic, Sysplex};

use crate::report::{Note, NoteKind, Problem, Report};
use crate::site::Site;
use crate::source::{Members, Place};
use segments::Addresses;
pub use systems::{Gathered, gather};
pub use tasks::Aside;
use toml::{Entry, Toml, address, string, value};

/// The name that `sysplex` gives when none is written.
const DEFAULT_NAME: &str = "LABPLEX";

/// A topology made of members.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The topology file.
    pub toml: String,
    /// What it says.
    pub sysplex: Sysplex,
    /// What was not carried over, passed over, changed or assumed.
    pub notes: Vec<Note>,
    origins: Vec<(std::ops::Range<usize>, Place)>,
}

impl Imported {
    /// The place in a member that a byte of the topology file comes from.
    pub fn origin(&self, at: usize) -> Option<Place> {
        toml::origin(&self.origins, at)
    }
}

/// A topology made of members that is not looked at as a whole yet, and what it was made of.
#[derive(Debug)]
pub struct Draft<'s> {
    /// The topology file.
    pub toml: String,
    /// The systems with what their members say, in the order of their numbers.
    pub systems: Vec<Gathered<'s>>,
    /// What was found so far.
    pub report: Report,
    addresses: Addresses,
    origins: Vec<(std::ops::Range<usize>, Place)>,
}

impl Draft<'_> {
    /// The place in a member that a byte of the topology file comes from.
    pub fn origin(&self, at: usize) -> Option<Place> {
        toml::origin(&self.origins, at)
    }

    /// The site's own address for one of the lab's.
    pub fn own_address(&self, address: IpAddr) -> IpAddr {
        self.addresses.before(address)
    }

    /// A problem of the file as one of the member that the line came from.
    pub fn trace(&self, found: Diagnostic) -> Problem {
        Problem::new(self.origin(found.span.start), found.message).with_help(found.help).with_code(found.code)
    }

    fn finish(mut self, resolve: impl Fn(&str) -> Result<Sysplex, Vec<Diagnostic>>) -> Result<Imported, Report> {
        let sysplex = match resolve(&self.toml) {
            Ok(sysplex) => Some(sysplex),
            Err(found) if self.report.problems.is_empty() => {
                self.report.problems = found.into_iter().map(|found| self.trace(found)).collect();
                None
            }
            // What was found in the members explains it.
            Err(_) => None,
        };
        once(&mut self.report);
        match sysplex {
            Some(sysplex) if self.report.problems.is_empty() => {
                Ok(Imported { toml: self.toml, sysplex, notes: self.report.notes, origins: self.origins })
            }
            _ => Err(self.report),
        }
    }
}

/// Makes a topology of a site.
///
/// # Errors
/// All that is wrong, each with its place in a member; and the notes so far.
pub fn import(site: &Site) -> Result<Imported, Report> {
    draft(site).finish(Sysplex::from_toml)
}

/// The same of a site that is to be run as it is: what symbols make of a Debug Manager's PARM is left to the program.
///
/// # Errors
/// What is wrong besides.
pub fn import_as_run(site: &Site) -> Result<Imported, Report> {
    let mut draft = draft(site);
    draft.report.problems.retain(|problem| problem.code != Some(tasks::UNDEFINED_SYMBOL));
    draft.finish(Sysplex::from_toml_as_run)
}

/// Reads all members of a site and writes the topology file.
pub fn draft(site: &Site) -> Draft<'_> {
    let mut report = Report::default();
    let name = site.manifest.sysplex.as_ref().map_or(DEFAULT_NAME, |name| name.get_ref());
    let systems = gather(site, name, &mut report);
    let addresses = segments::choose(site, &systems, &mut report);

    let mut toml = Toml::new(&site.members);
    toml.comment("Made of z/OS members; the comment behind a value names the place that it came from.");
    head(&mut toml, site, &addresses);
    for (position, system) in systems.iter().enumerate() {
        lpar(&mut toml, site, system, position, &addresses);
    }
    dvipas::write(&mut toml, site, &systems, &addresses, &mut report);
    distribute::write_routes(&mut toml, &systems, &addresses, &mut report);
    tasks::write(&mut toml, &systems, &addresses, &mut report);
    workstations(&mut toml, site, &systems, &addresses, &mut report);
    firewalls(&mut toml, site);
    for system in &systems {
        not_carried(system, &addresses, &mut report);
    }
    for id in site.unused() {
        report.note(NoteKind::PassedOver, Members::head(id), "this member was not used");
    }

    once(&mut report);
    let Toml { text, origins, .. } = toml;
    Draft { toml: text, systems, report, addresses, origins }
}

/// Systems share members, which then say the same of each; once is enough.
fn once(report: &mut Report) {
    let mut seen = BTreeSet::new();
    report.problems.retain(|problem| seen.insert((problem.place, problem.message.clone())));
    let mut seen = BTreeSet::new();
    report.notes.retain(|note| seen.insert((note.kind, note.place, note.text.clone())));
}

fn head(toml: &mut Toml<'_>, site: &Site, addresses: &Addresses) {
    toml.table("[sysplex]");
    if let Some(name) = &site.manifest.sysplex {
        toml.key("name", &string(name.get_ref()), site.in_manifest(name.span()));
    }
    if let Some(defects) = &site.manifest.defects {
        let words = defects.get_ref().iter().map(|word| string(word));
        toml.key("defects", &toml::list(words), site.in_manifest(defects.span()));
    }
    let xcf = addresses.xcfs.iter().flatten().next().map(|xcf| xcf.place);
    let home = addresses.homes.iter().flatten().next().map(|home| home.place);
    let lines = [
        ("lan", addresses.lan.map(|net| net.to_string()), &site.manifest.lan, home),
        ("xcf", addresses.xcf.map(|net| net.to_string()), &site.manifest.xcf, xcf),
        ("lan6", addresses.lan6.map(|net| net.to_string()), &site.manifest.lan6, None),
        ("xcf6", addresses.xcf6.map(|net| net.to_string()), &site.manifest.xcf6, None),
    ];
    for (key, net, written, place) in lines {
        if let Some(net) = net {
            let place = written.as_ref().map_or(place, |written| site.in_manifest(written.span()));
            toml.key(key, &string(&net), place);
        }
    }
}

fn lpar(toml: &mut Toml<'_>, site: &Site, system: &Gathered<'_>, position: usize, addresses: &Addresses) {
    let table = system.system.table.as_ref();
    toml.table("[[lpar]]");
    let place = table.map(|table| site.in_manifest(table.name.span())).unwrap_or_default();
    toml.key("name", &string(&system.system.identity.name), place);
    for (key, list) in [("home", &addresses.homes), ("xcf", &addresses.xcfs)] {
        if let Some(Some(found)) = list.get(position) {
            toml.key(key, &address(found.value), found.place);
        }
    }
    if let Some(wlm) = table.and_then(|table| table.wlm.as_ref()) {
        toml.key("wlm", &wlm.get_ref().to_string(), site.in_manifest(wlm.span()));
    }
    // Keys are symbols' names and ports, which TOML takes without quotation marks but for @, # and $.
    for (name, place) in &system.symbols.places {
        let text = system.symbols.symbols.get(name).unwrap_or_default();
        toml.entry(&Entry::new(format!("symbols.{}", string(name)), value(text), *place));
    }
    for (port, weight) in table.iter().flat_map(|table| &table.server_wlm) {
        let place = site.in_manifest(weight.span());
        toml.entry(&Entry::new(format!("server_wlm.{}", string(port.get_ref())), weight.get_ref().to_string(), place));
    }
    stack::write(toml, system, addresses);
}

fn workstations(
    toml: &mut Toml<'_>,
    site: &Site,
    systems: &[Gathered<'_>],
    addresses: &Addresses,
    report: &mut Report,
) {
    if let Some(tables) = &site.manifest.workstation {
        for table in tables {
            toml.table("[[workstation]]");
            toml.key("name", &string(table.name.get_ref()), site.in_manifest(table.name.span()));
            if let Some(address) = &table.address {
                toml.key("address", &string(address.get_ref()), site.in_manifest(address.span()));
            }
        }
        return;
    }
    report.note(NoteKind::Assumed, None, "the members name no workstation: the lab has one, WS1");
    let defined = systems.iter().flat_map(|system| &system.profile.vipa);
    let dvipas = defined.filter_map(|statement| match &statement.value {
        crate::profile::Vipa::Define(define) | crate::profile::Vipa::Backup { define, .. } => {
            Some(define.dvipa.value.address)
        }
        _ => None,
    });
    toml.table("[[workstation]]");
    toml.key("name", &string("WS1"), None);
    if let Some(found) = segments::workstation(addresses, &dvipas.collect()) {
        toml.key("address", &address(found), None);
    }
}

fn firewalls(toml: &mut Toml<'_>, site: &Site) {
    for table in &site.manifest.firewall {
        toml.table("[[firewall]]");
        for (key, text, span) in crate::firewalls::keys(table) {
            toml.key(key, &text, site.in_manifest(span));
        }
    }
}

/// What was understood of a profile and has no place in a topology.
fn not_carried(system: &Gathered<'_>, addresses: &Addresses, report: &mut Report) {
    let profile = &system.profile;
    for port in &profile.ports {
        let entry = &port.value;
        let carried = stack::Carried::of(entry, system, addresses);
        if carried.is_all_of(entry) {
            continue;
        }
        let range =
            if entry.first == entry.last { entry.first.to_string() } else { format!("{}-{}", entry.first, entry.last) };
        let protocol = if entry.is_tcp { "TCP" } else { "UDP" };
        let mut text = format!("reservation of {protocol} port {range} for {}", entry.job);
        if let Some(bind) = entry.bind.filter(|_| !carried.bind) {
            text.push_str(&format!(", BIND {bind}"));
        }
        for option in carried.options_left(entry) {
            text.push_str(&format!(", {option}"));
        }
        report.note(NoteKind::NotCarried, port.place, text);
    }
    for route in &profile.routes {
        let text = format!("route {}: the lab has one LAN segment", route.value.words.join(" "));
        report.note(NoteKind::NotCarried, route.place, text);
    }
    if let Some(routing) = profile.sysplex_routing.as_ref().filter(|routing| !routing.value) {
        report.note(NoteKind::NotCarried, routing.place, "NOSYSPLEXROUTING");
    }
}
