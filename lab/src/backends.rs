//! The distributor's backends, and which of them this machine has.

use std::sync::Arc;

use clap::ValueEnum;
use distributor::{Iptables, Ipvs, Nftables};
use sysplex::Sysplex;

use crate::doctor::{self, Trouble};
use crate::plex::SharedBackend;
use crate::programs;

/// One way to distribute connections in the kernel.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// Its name, as on the command line.
    pub name: &'static str,
    make: fn(&Sysplex) -> SharedBackend,
    probe: fn() -> Result<String, Trouble>,
}

impl Known {
    /// What this machine lacks for it, and the remedy; nothing when it works here.
    pub fn trouble(&self) -> Option<String> {
        let Trouble { seen, remedy } = doctor::in_realm(self.probe).err()?;
        Some(format!("{seen}; remedy: {remedy}"))
    }

    /// The backend for a sysplex.
    pub fn make(&self, sysplex: &Sysplex) -> SharedBackend {
        (self.make)(sysplex)
    }
}

/// All of them, the one that every machine should have first.
pub const ALL: [Known; 3] = [
    Known { name: "nftables", make: |_| Arc::new(Nftables), probe: doctor::nftables },
    Known { name: "iptables", make: |_| Arc::new(Iptables), probe: doctor::iptables },
    Known { name: "ipvs", make: |sysplex| Arc::new(Ipvs::new(sysplex)), probe: doctor::ipvs },
];

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Choice {
    /// The first that this machine has: nftables, iptables, IPVS
    Auto,
    /// Each that this machine has, one after the other
    All,
    /// nftables
    Nftables,
    /// iptables, with ipset
    Iptables,
    /// IPVS, with direct routing
    Ipvs,
}

/// The backends to run on, and those that were asked for and are not to be had, with the reason.
#[derive(Clone, Debug, Default)]
pub struct Chosen {
    /// To run on.
    pub run: Vec<Known>,
    /// Skipped, and why.
    pub skipped: Vec<(Known, String)>,
}

/// Finds what is asked for; each is tried in a realm of its own.
///
/// # Errors
/// When nothing that was asked for is there: why, and the remedy.
pub fn choose(choice: Choice) -> Result<Chosen, String> {
    let wanted: Vec<Known> = match choice {
        Choice::Auto | Choice::All => ALL.to_vec(),
        _ => ALL.into_iter().filter(|known| Some(known.name) == name_of(choice)).collect(),
    };
    if choice == Choice::Auto && programs::find("nft").is_some() {
        // Not tried, which would take as long as to bring a sysplex up. When that fails, it is.
        return Ok(Chosen { run: vec![ALL[0]], skipped: Vec::new() });
    }
    let mut chosen = Chosen::default();
    for known in wanted {
        match known.trouble() {
            None => chosen.run.push(known),
            Some(why) => chosen.skipped.push((known, why)),
        }
        if choice == Choice::Auto && !chosen.run.is_empty() {
            chosen.skipped.clear();
            break;
        }
    }
    match chosen.skipped.first() {
        Some((_, why)) if chosen.run.is_empty() => Err(why.clone()),
        _ => Ok(chosen),
    }
}

fn name_of(choice: Choice) -> Option<&'static str> {
    match choice {
        Choice::Auto | Choice::All => None,
        Choice::Nftables => Some("nftables"),
        Choice::Iptables => Some("iptables"),
        Choice::Ipvs => Some("ipvs"),
    }
}
