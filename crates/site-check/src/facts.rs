//! What the rules look at: the sysplex, the file that it was written in, and the members that the file was made of.

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::ops::Range;

use sysplex::raw::{DistributeTable, DvipaTable, LparTable, Spanned, StartedTaskTable, Topology, Value};
use sysplex::symbols::Symbols;
use sysplex::{Distribute, Dvipa, Lpar, LparIndex, StartedTask, Sysplex};
use zos_config::import::Gathered;
use zos_config::profile::{DvipaName, PortEntry, Profile, Vipa};
use zos_config::site::Site;
use zos_config::source::{Members, Place, Placed};

use crate::finding::Severity;
use crate::page;

/// Where a mistake is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// Bytes of the topology file.
    Topology(Range<usize>),
    /// A place in a member.
    Member(Place),
}

/// All that is known.
pub(crate) struct Facts<'a> {
    pub(crate) sysplex: &'a Sysplex,
    /// As it is written; nothing when no file is at hand.
    pub(crate) topology: Option<&'a Topology>,
    /// What the members say, in the order of the LPARs; empty for a topology.
    pub(crate) systems: &'a [Gathered<'a>],
    pub(crate) site: Option<&'a Site>,
    /// The site's own address for one of the lab's.
    pub(crate) own_address: &'a dyn Fn(IpAddr) -> IpAddr,
}

/// What the rules have found so far.
#[derive(Default)]
pub(crate) struct Found(pub(crate) Vec<(&'static str, Severity, Option<At>, String)>);

impl Found {
    /// A mistake with the severity of its page.
    pub(crate) fn add(&mut self, code: &'static str, at: Option<At>, message: String) {
        let severity = page::of(code).and_then(|page| page.severity).unwrap_or(Severity::Warning);
        self.add_as(severity, code, at, message);
    }

    pub(crate) fn add_as(&mut self, severity: Severity, code: &'static str, at: Option<At>, message: String) {
        self.0.push((code, severity, at, message));
    }
}

/// A Debug Manager on its LPAR.
pub(crate) struct Manager<'a> {
    pub(crate) lpar: &'a Lpar,
    pub(crate) name: &'a str,
    pub(crate) client: u16,
    pub(crate) hub: Option<SocketAddrV4>,
    pub(crate) prm: &'a [String],
}

/// An RSE daemon on its LPAR.
pub(crate) struct Daemon<'a> {
    pub(crate) lpar: &'a Lpar,
    pub(crate) name: &'a str,
    pub(crate) port: u16,
    pub(crate) port_range: Option<&'a Range<u16>>,
}

impl<'a> Facts<'a> {
    pub(crate) fn tasks(&self) -> impl Iterator<Item = (&'a Lpar, &'a StartedTask)> + use<'a> {
        self.sysplex.lpars.iter().flat_map(|lpar| lpar.tasks.iter().map(move |task| (lpar, task)))
    }

    pub(crate) fn managers(&self) -> impl Iterator<Item = Manager<'a>> + use<'a> {
        self.tasks().filter_map(|(lpar, task)| match task {
            StartedTask::DebugManager { name, client, hub, prm, .. } => {
                Some(Manager { lpar, name, client: *client, hub: *hub, prm })
            }
            StartedTask::Rsed { .. }
            | StartedTask::Server { .. }
            | StartedTask::WrongParm { .. }
            | StartedTask::Command { .. } => None,
        })
    }

    pub(crate) fn daemons(&self) -> impl Iterator<Item = Daemon<'a>> + use<'a> {
        self.tasks().filter_map(|(lpar, task)| match task {
            StartedTask::Rsed { name, port, port_range } => {
                Some(Daemon { lpar, name, port: *port, port_range: port_range.as_ref() })
            }
            StartedTask::DebugManager { .. }
            | StartedTask::Server { .. }
            | StartedTask::WrongParm { .. }
            | StartedTask::Command { .. } => None,
        })
    }

    /// Every VIPADISTRIBUTE with its DVIPA.
    pub(crate) fn statements(&self) -> impl Iterator<Item = (&'a Dvipa, &'a Distribute)> + use<'a> {
        self.sysplex.dvipas.iter().flat_map(|dvipa| dvipa.distribute.iter().map(move |statement| (dvipa, statement)))
    }

    /// The RSE daemons that a statement brings users to.
    pub(crate) fn daemons_of(&self, statement: &'a Distribute) -> impl Iterator<Item = Daemon<'a>> + use<'a> {
        self.daemons().filter(|daemon| reaches(statement, daemon.port, daemon.lpar.index))
    }

    pub(crate) fn name(&self, lpar: LparIndex) -> &'a str {
        self.sysplex.lpar(lpar).map_or("", |lpar| lpar.name.as_str())
    }

    /// The address as the site has it.
    pub(crate) fn own(&self, address: impl Into<IpAddr>) -> IpAddr {
        (self.own_address)(address.into())
    }

    /// What the members of each LPAR's system say; nothing for a topology.
    pub(crate) fn systems(&self) -> impl Iterator<Item = (&'a Lpar, &'a Gathered<'a>)> + use<'a> {
        self.sysplex.lpars.iter().zip(self.systems)
    }

    /// The systems whose profile is among the members, and where it begins: of others nobody knows what theirs says.
    pub(crate) fn profiles(&self) -> impl Iterator<Item = (&'a Lpar, &'a Profile, At)> + use<'a> {
        let with_place = |(lpar, system): (&'a Lpar, &'a Gathered<'a>)| {
            system.member.map(|id| (lpar, &system.profile, At::Member(Members::head(id))))
        };
        self.systems().filter_map(with_place)
    }

    /// Has the LPAR this address, with all that its profile gives it?
    pub(crate) fn has_address(&self, lpar: &Lpar, address: Ipv4Addr) -> bool {
        let own = self.own(address);
        let of_profile = |system: &Gathered<'_>| {
            let profile = &system.profile;
            let homes = profile.homes.iter().map(|home| home.value.address.address);
            let interfaces = profile.interfaces.iter().flat_map(|one| one.value.addresses.iter());
            let xcf = profile.dynamic_xcf.iter().map(|xcf| xcf.value.address);
            homes.chain(interfaces.map(|address| address.value.address)).chain(xcf).any(|address| address == own)
        };
        let system = self.systems().find(|(of, _)| of.index == lpar.index);
        lpar.home == address || lpar.xcf == address || system.is_some_and(|(_, system)| of_profile(system))
    }

    /// The place of a started task's key, or of its name where the key is not written.
    pub(crate) fn at_task(
        &self,
        lpar: &Lpar,
        name: &str,
        key: impl Fn(&StartedTaskTable) -> Option<Range<usize>>,
    ) -> Option<At> {
        let runs = |table: &StartedTaskTable| {
            table.on.as_ref().is_none_or(|on| on.get_ref().iter().any(|on| *on.get_ref() == lpar.name))
        };
        let mut tables = self.topology?.started_task.iter();
        let table = tables.find(|table| table.name.get_ref() == name && runs(table))?;
        Some(At::Topology(key(table).unwrap_or_else(|| table.name.span())))
    }

    pub(crate) fn table(&self, dvipa: &Dvipa) -> Option<&'a DvipaTable> {
        let position = self.sysplex.dvipas.iter().position(|other| other.address == dvipa.address)?;
        self.topology?.dvipa.get(position)
    }

    pub(crate) fn lpar_table(&self, lpar: &Lpar) -> Option<&'a LparTable> {
        self.topology?.lpar.iter().find(|table| *table.name.get_ref() == lpar.name)
    }

    /// The place of a DVIPA.
    pub(crate) fn at_dvipa(&self, dvipa: &Dvipa) -> Option<At> {
        self.table(dvipa).map(|table| At::Topology(table.address.span()))
    }

    /// The statement, as written, that lists a port of a DVIPA. Statements that a DELETE has changed are found by what is left.
    pub(crate) fn written(&self, dvipa: &Dvipa, port: u16) -> Option<&'a DistributeTable> {
        let symbols = &self.sysplex.lpar(dvipa.owner)?.symbols;
        let lists = |table: &&DistributeTable| {
            let mut ports = table.ports.iter().flat_map(Spanned::get_ref);
            is_define(table) && ports.any(|value| lists(value.get_ref(), symbols, port))
        };
        self.table(dvipa)?.distribute.iter().find(lists)
    }

    /// The place of a key of the statement that lists a port, or of its targets where the key is not written.
    pub(crate) fn at_statement(
        &self,
        dvipa: &Dvipa,
        port: u16,
        key: impl Fn(&DistributeTable) -> Option<Range<usize>>,
    ) -> Option<At> {
        let table = self.written(dvipa, port)?;
        Some(At::Topology(key(table).unwrap_or_else(|| table.targets.span())))
    }
}

/// Does the statement distribute the port to the LPAR?
pub(crate) fn reaches(statement: &Distribute, port: u16, lpar: LparIndex) -> bool {
    statement.lists(port) && statement.target(lpar).is_some()
}

pub(crate) fn is_define(table: &DistributeTable) -> bool {
    table.action.as_ref().is_none_or(|action| action.get_ref() == "DEFINE")
}

fn lists(value: &Value, symbols: &Symbols, port: u16) -> bool {
    symbols.expand(&value.0).is_ok_and(|expansion| has_port(&expansion.text, port))
}

/// Is the port in `port` or `first-last`?
pub(crate) fn has_port(text: &str, port: u16) -> bool {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    matches!((first.trim().parse::<u16>(), last.trim().parse::<u16>()), (Ok(first), Ok(last)) if (first..=last).contains(&port))
}

/// Does a reservation for TCP cover the port?
pub(crate) fn covers(entry: &PortEntry, port: u16) -> bool {
    entry.is_tcp && (entry.first..=entry.last).contains(&port)
}

/// The statements of a VIPADYNAMIC block that no later DELETE takes back.
pub(crate) fn live(profile: &Profile) -> impl Iterator<Item = &Placed<Vipa>> {
    let is_live = |(position, statement): &(usize, &Placed<Vipa>)| {
        let mut later = profile.vipa[position + 1..].iter();
        match &statement.value {
            Vipa::Define(define) | Vipa::Backup { define, .. } => {
                let name = DvipaName::Address(define.dvipa.value.address);
                !later.any(|later| later.value == Vipa::Delete(name.clone()))
            }
            Vipa::Distribute(distribute) => {
                distribute.define && !later.any(|later| later.value == Vipa::Delete(distribute.dvipa.value.clone()))
            }
            Vipa::Route { define, dynxcf, .. } => {
                let is_delete = |later: &Placed<Vipa>| matches!(&later.value, Vipa::Route { define: false, dynxcf: other, .. } if other.value == dynxcf.value);
                *define && !later.any(is_delete)
            }
            Vipa::Delete(_) | Vipa::Other(_) | Vipa::Range(_) => true,
        }
    };
    profile.vipa.iter().enumerate().filter(is_live).map(|(_, statement)| statement)
}

/// `A`, `A and B`, `A, B and C`.
pub(crate) fn list(names: &[impl AsRef<str>]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
