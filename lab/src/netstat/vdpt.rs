//! NETSTAT VDPT: the destination port table of a stack that distributes.
//!
//! It exists only where the kernel has a DVIPA on the LAN, and shows only targets that are up and in the group. What is ready is
//! counted in the targets' own sockets; WLM is the weight that the distributing kernel has for the target, 0 when it sends it no new
//! connection now, and TotalConn what it ever sent it. The header of the short form and the long form are IBM's; what Inactive says
//! was not found documented: here, that the kernel sends no new connection. The letters of FLG but B are our choice, and so is
//! that Rdy goes on counting the sockets of a target that an operator has quiesced.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use distributor::{Tsr, VdptEntry};
use serde::Serialize;
use sysplex::{Distribute, Dvipa, Method, Ports, Sysplex, Target};

use super::text::{self, Table};
use super::{Facts, text::at};
use crate::plex::responsiveness;

/// One target of a distributed port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The DVIPA.
    pub dest: IpAddr,
    /// The port.
    pub port: u16,
    /// Name of the target.
    pub target: String,
    /// Its dynamic XCF address.
    pub dest_xcf: IpAddr,
    /// Connections that it was ever sent. (Text has the last ten digits.)
    pub total_conn: u64,
    /// Sockets that listen there.
    pub rdy: usize,
    /// Its weight in the kernel.
    pub wlm: u32,
    /// Target server responsiveness, in percent, as are its three parts.
    pub tsr: u8,
    /// Target connectivity success rate.
    pub tcsr: u8,
    /// Connection establishment rate.
    pub cer: u8,
    /// Server efficiency fraction.
    pub sef: u8,
    /// Connections that are established.
    pub active_conn: usize,
    /// Words.
    pub flags: Vec<&'static str>,
    /// The same as letters.
    #[serde(skip)]
    letters: String,
}

/// The table.
pub fn rows(sysplex: &Sysplex, facts: &Facts) -> Vec<Row> {
    let mut found = Vec::new();
    for dvipa in sysplex.dvipas.iter().filter(|dvipa| facts.owns(dvipa.address)) {
        for statement in &dvipa.distribute {
            for port in ports(dvipa, statement, facts) {
                let members = statement.targets.iter().filter(|target| facts.standing.members.contains(&target.lpar));
                found.extend(members.map(|target| (SocketAddr::new(dvipa.address, port), statement, target)));
            }
        }
    }
    found.sort_by_key(|(dest, ..)| *dest); // stable: targets in the order of DESTIP
    let dests: BTreeSet<SocketAddr> = found.iter().map(|(dest, ..)| *dest).collect();
    let tsr = responsiveness(sysplex, &dests, &facts.listeners, &facts.connections, |dest, target| {
        facts.reaches(sysplex, target, dest.is_ipv6())
    });
    let row = |(dest, statement, target): (SocketAddr, &Distribute, &Target)| {
        let tsr = tsr.get(&(target.lpar, dest)).copied().unwrap_or_default();
        row(sysplex, facts, dest, statement, target, tsr)
    };
    found.into_iter().filter_map(row).collect()
}

/// The ports of a statement; without PORT those that the kernel distributes and no other statement lists.
fn ports(dvipa: &Dvipa, statement: &Distribute, facts: &Facts) -> BTreeSet<u16> {
    match &statement.ports {
        Ports::Listed(ports) => ports.iter().copied().collect(),
        Ports::Dynamic => {
            let own = facts.tables.vdpt.iter().filter(|entry| entry.dvipa.ip() == dvipa.address);
            let ports = own.map(|entry| entry.dvipa.port());
            ports.filter(|&port| !dvipa.distribute.iter().any(|other| other.lists(port))).collect()
        }
    }
}

fn row(
    sysplex: &Sysplex,
    facts: &Facts,
    dest: SocketAddr,
    statement: &Distribute,
    target: &Target,
    tsr: Tsr,
) -> Option<Row> {
    let is_it = |entry: &&VdptEntry| entry.dvipa == dest && entry.target == target.lpar;
    let (wlm, total_conn) = facts.tables.vdpt.iter().find(is_it).map_or((0, 0), |entry| (entry.weight, entry.total));
    let (name, dest_xcf) = text::target(sysplex, target.lpar, dest)?;
    let (word, letter) = text::method(statement.method);
    let standby = match statement.method {
        Method::HotStandby { .. } => Some(if target.preferred { "Preferred" } else { "Backup" }),
        _ => None,
    };
    let dynamic = statement.ports == Ports::Dynamic;
    let words = [dynamic.then_some("Dynamic"), Some(word), standby, (wlm == 0).then_some("Inactive")];
    let letters = [dynamic.then_some('D'), Some(letter), (wlm == 0).then_some('I')];
    Some(Row {
        dest: dest.ip(),
        port: dest.port(),
        target: name,
        dest_xcf,
        total_conn,
        rdy: if facts.standing.unheard.contains(&(target.lpar, dest)) { 0 } else { facts.ready(target.lpar, dest) },
        wlm,
        tsr: tsr.percent(),
        tcsr: tsr.tcsr,
        cer: tsr.cer,
        sef: tsr.sef,
        active_conn: facts.active(target.lpar, dest),
        flags: words.into_iter().flatten().collect(),
        letters: letters.into_iter().flatten().collect(),
    })
}

pub(super) fn text(rows: &[Row], detail: bool) -> String {
    let body = if detail { rows.iter().map(long).collect() } else { short(rows) };
    format!("Dynamic VIPA Destination Port Table:\n{body}")
}

fn short(rows: &[Row]) -> String {
    let mut table = Table::new([
        ("DEST IPADDR", 16),
        ("DPORT", 5),
        ("DESTXCF ADDR", 15),
        ("RDY", 3),
        ("TOTALCONN", 10),
        ("WLM", 3),
        ("TSR", 3),
        ("FLG", 3),
    ]);
    for row in rows {
        table.push([
            row.dest.to_string(),
            format!("{:05}", row.port),
            row.dest_xcf.to_string(),
            format!("{:03}", row.rdy),
            ten_digits(row.total_conn),
            format!("{:02}", row.wlm),
            format!("{:03}", row.tsr),
            row.letters.clone(),
        ]);
    }
    table.print(false)
}

/// As IBM's sample has it, but for what the lab does not have: abnormal ends, health, and policies of the quality of service.
fn long(row: &Row) -> String {
    let Row { dest_xcf, rdy, wlm, tsr, tcsr, cer, sef, .. } = row;
    let (dest, total, flags) = (at(row.dest, row.port), ten_digits(row.total_conn), row.flags.join(", "));
    let active = ten_digits(row.active_conn as u64);
    format!(
        "Dest:        {dest}\n  \
           DestXCF:   {dest_xcf}\n  \
           TotalConn: {total}  Rdy: {rdy:03}  WLM: {wlm:02} TSR: {tsr:03}\n  \
           Flg: {flags}\n    \
             TCSR: {tcsr:03} CER: {cer:03} SEF: {sef:03}\n  \
           ActiveConn: {active}\n"
    )
}

/// It wraps.
fn ten_digits(count: u64) -> String {
    format!("{:010}", count % 10_000_000_000)
}

#[cfg(test)]
mod tests;
