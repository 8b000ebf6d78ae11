//! A site: its members, and which of them belong to which system.
//!
//! A directory per system, named like it (SYSNAME), holds that system's members; what stands beside them, or in directories that
//! are no system's, is shared by all. A system's own member comes before a shared one of the same name. `site.toml` at the top,
//! a [`Manifest`], says what members cannot. Without it a directory is a system's when it holds a profile; without such
//! directories the systems are those that IEASYMxx names.
//!
//! The name of a member is that of its file up to the first period: `DBGMGR.jcl` is DBGMGR.

pub mod disk;
mod kind;
mod manifest;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use sysplex::Diagnostic;

pub use kind::Kind;
pub use manifest::{DvipaTable, Manifest, SystemTable};

use crate::ieasym::{self, Identity, SysDef};
use crate::report::{Problem, Report};
use crate::source::{MemberId, Members, Place};

/// The name of the manifest.
pub const MANIFEST: &str = "site.toml";

/// A file of a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name, with `/` between directories.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// By directory, nothing for shared ones, by kind, and by name in upper case.
type Index = BTreeMap<(Option<String>, Kind, String), MemberId>;

/// One system of the site.
#[derive(Clone, Debug)]
pub struct System {
    /// What identifies it.
    pub identity: Identity,
    /// The directory of its members, in upper case; nothing when it has none of its own.
    directory: Option<String>,
    /// Its table of the manifest.
    pub table: Option<SystemTable>,
}

/// A site.
#[derive(Debug)]
pub struct Site {
    /// All members, the manifest included.
    pub members: Members,
    /// What members cannot say.
    pub manifest: Manifest,
    /// The manifest as a member.
    pub manifest_id: Option<MemberId>,
    /// The systems, in the order of their numbers.
    pub systems: Vec<System>,
    /// What each member is.
    pub kinds: BTreeMap<MemberId, Kind>,
    /// All SYSDEFs.
    pub definitions: Vec<SysDef>,
    index: Index,
    used: RefCell<BTreeSet<MemberId>>,
}

impl Site {
    /// Takes the files of a site.
    ///
    /// # Errors
    /// A manifest that is wrong, members that are too long, no system.
    pub fn new(files: &[File]) -> Result<Self, (Members, Report)> {
        let (mut members, mut report) = (Members::default(), Report::default());
        let mut ids = Vec::new();
        for file in files {
            ids.extend(report.keep(members.add(file.name.replace('\\', "/"), &file.bytes)));
        }
        let is_manifest = |id: MemberId| members.get(id).name.rsplit('/').next() == Some(MANIFEST);
        let manifest_id = ids.iter().copied().find(|&id| is_manifest(id));
        let manifest = match manifest_id {
            Some(id) => read_manifest(&members, id, &mut report),
            None => Manifest::default(),
        };
        let kinds: BTreeMap<MemberId, Kind> =
            ids.iter().filter(|id| Some(**id) != manifest_id).map(|&id| (id, kind::of(members.get(id)))).collect();
        let symbols = kinds.iter().filter(|(_, kind)| **kind == Kind::IeaSym).map(|(id, _)| *id);
        let definitions: Vec<SysDef> = symbols.flat_map(|id| ieasym::read(&members, id, &mut report)).collect();
        let systems = systems(&manifest, &members, &kinds, &definitions);
        if systems.is_empty() && report.problems.is_empty() {
            let help = format!("give each system a directory with its profile, or name the systems in {MANIFEST}");
            let first = ids.first().map(|id| Members::head(*id));
            report.problems.push(Problem::new(first, "no system was found among the members").with_help(help));
        }
        if !report.problems.is_empty() {
            return Err((members, report));
        }
        let index = index(&members, &kinds, &systems);
        Ok(Self { members, manifest, manifest_id, systems, kinds, definitions, index, used: RefCell::default() })
    }

    /// The place of a value of the manifest.
    pub fn in_manifest(&self, span: std::ops::Range<usize>) -> Option<Place> {
        self.manifest_id.map(|id| Members::place(id, span))
    }

    /// A system's member of this name: its own, else a shared one. `name` may be a data set name, then the member in parentheses
    /// or the last qualifier counts, or a path, then its end.
    pub fn find(&self, system: &System, name: &str) -> Option<MemberId> {
        let name = name.to_ascii_uppercase();
        let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
        let file = name.rsplit('/').next().unwrap_or(&name);
        let short = inner.unwrap_or_else(|| file.rsplit('.').next().unwrap_or(file));
        let names = [inner.unwrap_or(&name), file, short];
        let kinds = [Kind::Profile, Kind::Other, Kind::RseEnv, Kind::IeaSym, Kind::Jcl];
        names.into_iter().find_map(|name| kinds.into_iter().find_map(|kind| self.lookup(system, kind, name)))
    }

    /// A system's procedure or job of this name.
    pub fn procedure(&self, system: &System, name: &str) -> Option<MemberId> {
        self.lookup(system, Kind::Jcl, &name.to_ascii_uppercase())
    }

    fn lookup(&self, system: &System, kind: Kind, name: &str) -> Option<MemberId> {
        let directories = [system.directory.clone().map(Some), Some(None)];
        let mut directories = directories.into_iter().flatten();
        let found = directories.find_map(|directory| self.index.get(&(directory, kind, name.to_owned())).copied());
        found.inspect(|id| self.mark(*id))
    }

    /// The rse.env of a configuration directory: of several the one whose own directories agree with most of it.
    pub fn rse_env(&self, system: &System, configuration: Option<&str>) -> Option<MemberId> {
        let wanted: Vec<String> = configuration
            .unwrap_or_default()
            .split('/')
            .filter(|part| !part.is_empty())
            .map(str::to_ascii_uppercase)
            .collect();
        let of_system = |directory: &Option<String>| directory.is_none() || *directory == system.directory;
        let candidates = self.kinds.iter().filter(|(_, kind)| **kind == Kind::RseEnv).filter_map(|(&id, _)| {
            let (directory, path) = split(&self.members.get(id).name, &self.systems);
            let parts: Vec<String> = path.split('/').map(str::to_ascii_uppercase).collect();
            let own = &parts[..parts.len() - 1];
            let fits = own.len() <= wanted.len() && wanted.ends_with(own);
            (of_system(&directory) && fits).then_some(((directory.is_some(), own.len()), id))
        });
        let best = candidates.max_by_key(|(score, _)| *score).map(|(_, id)| id);
        best.inspect(|id| self.mark(*id))
    }

    /// All members of a kind that a system can see, by name; its own come before shared ones.
    pub fn visible(&self, system: &System, kind: Kind) -> BTreeMap<&str, MemberId> {
        let mut found = BTreeMap::new();
        let own = system.directory.clone().map(Some);
        for directory in [Some(None), own].into_iter().flatten() {
            let range = self.index.range((directory.clone(), kind, String::new())..);
            let range = range.take_while(|((of, is, _), _)| *of == directory && *is == kind);
            let plain = range.filter(|((_, _, name), _)| !name.contains(['/', '.']));
            found.extend(plain.map(|((_, _, name), id)| (name.as_str(), *id)));
        }
        found
    }

    /// The member that is a system's PROFILE.TCPIP: that of the manifest, else the one whose name has `PROF` in it, else the only
    /// one; the system's own before shared ones.
    ///
    /// # Errors
    /// There are several to choose from, or the one of the manifest is not there.
    pub fn profile(&self, system: &System) -> Result<Option<MemberId>, Problem> {
        if let Some(name) = system.table.as_ref().and_then(|table| table.profile.as_ref()) {
            let place = self.in_manifest(name.span());
            let missing = || Problem::new(place, format!("`{}` is not among the members", name.get_ref()));
            return self.find(system, name.get_ref()).map(Some).ok_or_else(missing);
        }
        let all = self.visible(system, Kind::Profile);
        let is_own = |id: MemberId| split(&self.members.get(id).name, &self.systems).0.is_some();
        let groups = [(true, true), (true, false), (false, true), (false, false)];
        let found = groups.into_iter().map(|(own, named)| -> Vec<MemberId> {
            let fits = |name: &str, id: MemberId| is_own(id) == own && name.contains("PROF") == named;
            all.iter().filter(|(name, id)| fits(name, **id)).map(|(_, id)| *id).collect()
        });
        let Some(found) = found.into_iter().find(|found| !found.is_empty()) else { return Ok(None) };
        if let [one, other, ..] = found.as_slice() {
            let message = format!(
                "{} and {} may both be the profile of {}",
                self.members.get(*one).name,
                self.members.get(*other).name,
                system.identity.name
            );
            let help = format!("name it in {MANIFEST}: `profile = \"...\"` of the system");
            return Err(Problem::new(Members::head(*one), message).with_help(help));
        }
        Ok(found.first().copied().inspect(|id| self.mark(*id)))
    }

    /// Notes that a member was looked into.
    pub(crate) fn mark(&self, id: MemberId) {
        self.used.borrow_mut().insert(id);
    }

    /// Members that nothing has looked into.
    pub(crate) fn unused(&self) -> Vec<MemberId> {
        let used = self.used.borrow();
        self.kinds.iter().filter(|(id, kind)| **kind != Kind::IeaSym && !used.contains(id)).map(|(id, _)| *id).collect()
    }
}

fn read_manifest(members: &Members, id: MemberId, report: &mut Report) -> Manifest {
    toml::from_str(members.get(id).text()).unwrap_or_else(|error| {
        let found = Diagnostic::from_toml(&error);
        report.problems.push(Problem::new(Members::place(id, found.span), found.message).with_help(found.help));
        Manifest::default()
    })
}

fn systems(
    manifest: &Manifest,
    members: &Members,
    kinds: &BTreeMap<MemberId, Kind>,
    definitions: &[SysDef],
) -> Vec<System> {
    if !manifest.system.is_empty() {
        return manifest.system.iter().map(|table| System::of(table, members)).collect();
    }
    let plain = |name: &str, directory: Option<&str>| System {
        identity: Identity { name: name.to_owned(), ..Identity::default() },
        directory: directory.map(str::to_ascii_uppercase),
        table: None,
    };
    let profiles =
        kinds.iter().filter(|(_, kind)| **kind == Kind::Profile).map(|(id, _)| members.get(*id).name.as_str());
    let (named, others): (Vec<_>, Vec<_>) = profiles
        .filter_map(|name| name.split_once('/'))
        .partition(|(_, file)| file.to_ascii_uppercase().contains("PROF"));
    let profiles = if named.is_empty() { others } else { named };
    let directories: BTreeSet<&str> = profiles.into_iter().map(|(directory, _)| directory).collect();
    if !directories.is_empty() {
        return directories.iter().map(|name| plain(&name.to_ascii_uppercase(), Some(name))).collect();
    }
    let mut names: Vec<&str> = Vec::new();
    for name in definitions.iter().filter_map(|definition| definition.sysname.as_ref()) {
        if !names.contains(&name.value.as_str()) {
            names.push(&name.value);
        }
    }
    names.into_iter().map(|name| plain(name, None)).collect()
}

impl System {
    fn of(table: &SystemTable, members: &Members) -> Self {
        let name = table.name.get_ref();
        let directory = table.directory.as_ref().unwrap_or(name).trim_end_matches('/').to_ascii_uppercase();
        let is_there = members.iter().any(|(_, member)| {
            member.name.split_once('/').is_some_and(|(first, _)| first.eq_ignore_ascii_case(&directory))
        });
        let identity = Identity {
            name: name.clone(),
            hwname: table.hwname.clone(),
            lparname: table.lparname.clone(),
            vmuserid: table.vmuserid.clone(),
        };
        Self { identity, directory: is_there.then_some(directory), table: Some(table.clone()) }
    }
}

/// The system's directory, and the path below it.
fn split<'n>(name: &'n str, systems: &[System]) -> (Option<String>, &'n str) {
    let first = name.split_once('/').map(|(first, path)| (first.to_ascii_uppercase(), path));
    match first {
        Some((first, path)) if systems.iter().any(|system| system.directory.as_ref() == Some(&first)) => {
            (Some(first), path)
        }
        _ => (None, name),
    }
}

fn index(members: &Members, kinds: &BTreeMap<MemberId, Kind>, systems: &[System]) -> Index {
    let mut index = BTreeMap::new();
    for (&id, &kind) in kinds {
        let (directory, path) = split(&members.get(id).name, systems);
        let path = path.to_ascii_uppercase();
        let file = path.rsplit('/').next().unwrap_or(&path).to_owned();
        let stem = file.split('.').next().unwrap_or(&file).to_owned();
        for name in [path, file, stem] {
            index.entry((directory.clone(), kind, name)).or_insert(id);
        }
    }
    index
}
