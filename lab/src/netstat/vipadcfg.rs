//! NETSTAT VIPADCFG: what the profile of a stack says of dynamic VIPAs. The only report that is not of the kernel.
//!
//! The sections and the fields of VIPADEFINE, VIPABACKUP and VIPADISTRIBUTE are IBM's, and so is that DETAIL adds OPTLOCAL and
//! weights, and that a deactivated DVIPA is in a section of its own; how VIPADISTRIBUTE's fields are laid out over lines is from
//! memory, and so our choice. DESTIP is ALL when every system of the sysplex is a target and all are alike: a topology does not
//! keep how it was written. The statements of a DVIPA stand on the stack with the VIPADEFINE, also while another owns it; VIPAROUTE
//! stands on every stack that may own one. A DVIPA is its own network here, so its prefix is always a host's.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use distributor::group::Status;
use serde::Serialize;
use sysplex::{Distribute, Dvipa, Method, Moveable, Ports, Sysplex, Target};

use super::Facts;
use super::text::{dest_xcf, method};
use crate::plex::host_prefix;

/// One statement, or what one says of one port and target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "statement", rename_all = "UPPERCASE")]
pub enum Row {
    /// VIPABACKUP.
    VipaBackup {
        /// The address.
        dvipa: IpAddr,
        /// Length of its prefix, in bits.
        prefix: u8,
        /// The higher takes over first.
        rank: u8,
        /// Of the form with MOVEABLE.
        moveable: Option<&'static str>,
        /// An operator has deactivated it here.
        deactivated: bool,
    },
    /// VIPADEFINE.
    VipaDefine {
        /// The address.
        dvipa: IpAddr,
        /// Length of its prefix, in bits.
        prefix: u8,
        /// When it goes back to its owner.
        moveable: &'static str,
        /// An operator has deactivated it here.
        deactivated: bool,
    },
    /// VIPADISTRIBUTE.
    VipaDistribute(Distributed),
    /// VIPAROUTE.
    VipaRoute {
        /// The dynamic XCF address of the target.
        dest_xcf: Ipv4Addr,
        /// The address that is used instead.
        target_ip: Ipv4Addr,
    },
}

/// What a VIPADISTRIBUTE says of one port and target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Distributed {
    /// The DVIPA.
    pub dest: IpAddr,
    /// The port; nothing without PORT.
    pub port: Option<u16>,
    /// The dynamic XCF address of the target, or ALL.
    pub dest_xcf: String,
    /// SYSPLEXPORTS, in effect.
    pub sysplexports: bool,
    /// TIMEDAFFINITY in seconds, 0 for none.
    pub timed_affinity: u64,
    /// DISTMETHOD.
    pub method: &'static str,
    /// OPTLOCAL.
    pub optlocal: Option<u8>,
    /// WEIGHT, for WEIGHTEDACTIVE.
    pub weight: Option<u8>,
    /// PREFERRED (else BACKUP), for HOTSTANDBY.
    pub preferred: Option<bool>,
    /// As a word of Flg.
    #[serde(skip)]
    word: &'static str,
}

/// The statements: backups, definitions, distribution, routes.
pub fn rows(sysplex: &Sysplex, facts: &Facts) -> Vec<Row> {
    let on = facts.on;
    let (mut backups, mut defines, mut distributes) = (Vec::new(), Vec::new(), Vec::new());
    for dvipa in &sysplex.dvipas {
        let (address, prefix) = (dvipa.address, host_prefix(dvipa.address));
        let deactivated = facts.standing.dvipas.get(&address) == Some(&Status::Deactivated);
        if let Some(backup) = dvipa.backups.iter().find(|backup| backup.lpar == on) {
            let (rank, moveable) = (backup.rank, backup.activates.map(moveable));
            backups.push(Row::VipaBackup { dvipa: address, prefix, rank, moveable, deactivated });
        }
        if dvipa.owner == on {
            defines.push(Row::VipaDefine { dvipa: address, prefix, moveable: moveable(dvipa.moveable), deactivated });
            let statements = dvipa.distribute.iter();
            distributes.extend(statements.flat_map(|statement| distributed(sysplex, dvipa, statement)));
        }
    }
    let distributes = distributes.into_iter().map(Row::VipaDistribute);
    let may_own = sysplex.dvipas.iter().any(|dvipa| dvipa.may_be_owned_by(on));
    let routes = sysplex.viparoutes.iter().filter(|_| may_own);
    let routes = routes.map(|(&dest_xcf, &target_ip)| Row::VipaRoute { dest_xcf, target_ip });
    backups.into_iter().chain(defines).chain(distributes).chain(routes).collect()
}

fn distributed(sysplex: &Sysplex, dvipa: &Dvipa, statement: &Distribute) -> Vec<Distributed> {
    let ports: Vec<Option<u16>> = match &statement.ports {
        Ports::Listed(ports) => ports.iter().copied().map(Some).collect(),
        Ports::Dynamic => vec![None],
    };
    let options = |target: &Target| (target.weight, target.preferred);
    let alike = statement.targets.iter().map(options).collect::<BTreeSet<_>>().len() == 1;
    let all = alike && sysplex.lpars.iter().all(|lpar| statement.target(lpar.index).is_some());
    let targets = if all { &statement.targets[..1] } else { &statement.targets[..] };
    let row = |port: Option<u16>, target: &Target| {
        let address = sysplex.lpar(target.lpar).map(|lpar| dest_xcf(lpar, dvipa.address).to_string());
        Distributed {
            dest: dvipa.address,
            port,
            dest_xcf: if all { "ALL".to_owned() } else { address.unwrap_or_default() },
            sysplexports: dvipa.sysplexports,
            timed_affinity: statement.timed_affinity.as_secs(),
            method: statement.method.as_str(),
            optlocal: statement.optlocal,
            weight: (statement.method == Method::WeightedActive).then_some(target.weight),
            preferred: matches!(statement.method, Method::HotStandby { .. }).then_some(target.preferred),
            word: method(statement.method).0,
        }
    };
    ports.into_iter().flat_map(|port| targets.iter().map(move |target| row(port, target))).collect()
}

fn moveable(moveable: Moveable) -> &'static str {
    match moveable {
        Moveable::Immediate => "Immediate",
        Moveable::WhenIdle => "WhenIdle",
    }
}

/// A section begins with its name.
type Section<'a> = (&'static str, Vec<&'a Row>);

pub(super) fn text(rows: &[Row], detail: bool) -> String {
    let (deactivated, active): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| is_deactivated(row));
    let mut text = "Dynamic VIPA Information:\n".to_owned();
    text.extend(sections(active).iter().map(|section| section_text(section, detail)));
    if !deactivated.is_empty() {
        text += "Deactivated Dynamic VIPA Information:\n";
        text.extend(sections(deactivated).iter().map(|section| section_text(section, detail)));
    }
    text
}

fn is_deactivated(row: &Row) -> bool {
    matches!(row, Row::VipaBackup { deactivated: true, .. } | Row::VipaDefine { deactivated: true, .. })
}

fn sections(rows: Vec<&Row>) -> Vec<Section<'_>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    for row in rows {
        let name = match row {
            Row::VipaBackup { .. } => "VIPA Backup",
            Row::VipaDefine { .. } => "VIPA Define",
            Row::VipaDistribute(_) => "VIPA Distribute",
            Row::VipaRoute { .. } => "VIPA Route",
        };
        match sections.last_mut() {
            Some((last, rows)) if *last == name => rows.push(row),
            _ => sections.push((name, vec![row])),
        }
    }
    sections
}

fn section_text((name, rows): &Section<'_>, detail: bool) -> String {
    let rows: String = rows.iter().map(|row| row_text(row, detail)).collect();
    format!("  {name}:\n{rows}")
}

fn row_text(row: &Row, detail: bool) -> String {
    match row {
        Row::VipaBackup { dvipa, prefix, rank, moveable, .. } => {
            let fields = format!("Rank: {rank:06}  Moveable: {:<9}  SrvMgr:", moveable.unwrap_or_default());
            format!("    IpAddr/PrefixLen: {dvipa}/{prefix}\n      {fields}\n")
        }
        Row::VipaDefine { dvipa, prefix, moveable, .. } => {
            // A Service Manager (MNLB) is of IPv4 only, and nobody has one.
            let manager = if dvipa.is_ipv4() { "No" } else { "n/a" };
            format!("    IpAddr/PrefixLen: {dvipa}/{prefix}\n      Moveable: {moveable:<9}  SrvMgr: {manager}\n")
        }
        Row::VipaDistribute(row) => distribute_text(row, detail),
        Row::VipaRoute { dest_xcf, target_ip } => {
            format!("    DestXCF:    {dest_xcf}\n      TargetIp: {target_ip}\n")
        }
    }
}

fn distribute_text(row: &Distributed, detail: bool) -> String {
    let port = row.port.map_or_else(|| "n/a".to_owned(), |port| port.to_string());
    let mut text = format!("    Dest:      {}..{port}\n      DestXCF: {}\n", row.dest, row.dest_xcf);
    let sysplexports = if row.sysplexports { "Yes" } else { "No" };
    let affinity = if row.timed_affinity > 0 { row.timed_affinity.to_string() } else { "No".to_owned() };
    let standby = match row.preferred {
        Some(true) => ", Preferred",
        Some(false) => ", Backup",
        None => "",
    };
    text += &format!("        SysPt: {sysplexports:<3}  TimAff: {affinity:<4}  Flg: {}{standby}\n", row.word);
    if detail {
        let optlocal = row.optlocal.map_or_else(|| "No".to_owned(), |value| value.to_string());
        let weight = row.weight.map(|weight| format!("  Weight: {weight}")).unwrap_or_default();
        text += &format!("        OptLoc: {optlocal}{weight}\n");
    }
    text
}

#[cfg(test)]
mod tests;
