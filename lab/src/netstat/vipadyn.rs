//! NETSTAT VIPADYN: the dynamic VIPAs that a stack has to do with, and the VIPAROUTEs.
//!
//! Active means that the kernel has the address on the LAN. The other states are the group's word, but where the group says Active
//! and the kernel does not have the address yet, it is Moving. Of a stack that is only a target, whose address is hidden, no status
//! and no origin is shown: what z/OS shows there was not found documented. ActTime is left out: no kernel knows it.
//!
//! The names of the short form's columns are IBM's; the fields of the long form, which z/OS prints when a stack has IPv6, the states
//! of a route, and their order are from memory, and so our choice.

use std::net::{IpAddr, Ipv4Addr};

use distributor::group::Status;
use serde::Serialize;
use sysplex::{Dvipa, Sysplex};

use super::Facts;
use super::text::{Table, mask};
use crate::plex::host_prefix;

/// A row of one of the two sections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Row {
    /// A dynamic VIPA.
    Dvipa(DvipaRow),
    /// A VIPAROUTE.
    Route(RouteRow),
}

/// A dynamic VIPA.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DvipaRow {
    /// Its address.
    pub dvipa: IpAddr,
    /// Length of its prefix, in bits.
    pub prefix: u8,
    /// Active, Backup, Moving, Quiescing or Deactivated; nothing on a mere target.
    pub status: Option<&'static str>,
    /// VIPADefine or VIPABackup; nothing on a mere target.
    pub origin: Option<&'static str>,
    /// Dist: the stack distributes it; Dest: it is a target; Dist/Dest: both.
    pub dist_stat: Option<&'static str>,
}

/// A VIPAROUTE.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RouteRow {
    /// The dynamic XCF address of the target.
    pub dest_xcf: Ipv4Addr,
    /// The address that is used instead.
    pub target_ip: Ipv4Addr,
    /// Does the kernel send by it?
    pub active: bool,
}

/// Both sections.
pub fn rows(sysplex: &Sysplex, facts: &Facts) -> Vec<Row> {
    let dvipas = sysplex.dvipas.iter().filter_map(|dvipa| dvipa_row(dvipa, facts)).map(Row::Dvipa);
    dvipas.chain(route_rows(sysplex, facts).into_iter().map(Row::Route)).collect()
}

fn dvipa_row(dvipa: &Dvipa, facts: &Facts) -> Option<DvipaRow> {
    let (address, on) = (dvipa.address, facts.on);
    let owns = facts.owns(address);
    let has = facts.has(address);
    let status = match facts.standing.dvipas.get(&address) {
        _ if owns => Some("Active"),
        _ if !facts.is_member() => None,
        status => status.map(|status| match status {
            Status::Active | Status::Moving => "Moving",
            Status::Backup => "Backup",
            Status::Quiescing => "Quiescing",
            Status::Deactivated => "Deactivated",
        }),
    };
    if status.is_none() && has.is_none() {
        return None;
    }
    let origin = match () {
        () if dvipa.owner == on => Some("VIPADefine"),
        () if dvipa.may_be_owned_by(on) => Some("VIPABackup"),
        () => None,
    };
    let is_target = has.is_some() && dvipa.has_target(on);
    let dist_stat = match (owns && !dvipa.distribute.is_empty(), is_target) {
        (true, true) => Some("Dist/Dest"),
        (true, false) => Some("Dist"),
        (false, true) => Some("Dest"),
        (false, false) => None,
    };
    let prefix = has.map_or_else(|| host_prefix(address), |has| has.prefix);
    Some(DvipaRow { dvipa: address, prefix, status, origin, dist_stat })
}

/// Of a stack that may come to distribute, to all others.
fn route_rows(sysplex: &Sysplex, facts: &Facts) -> Vec<RouteRow> {
    if !sysplex.dvipas.iter().any(|dvipa| dvipa.may_be_owned_by(facts.on)) {
        return Vec::new();
    }
    let row = |(&dest_xcf, &target_ip): (&Ipv4Addr, &Ipv4Addr)| {
        let target = sysplex.lpars.iter().find(|lpar| lpar.xcf == dest_xcf)?.index;
        let active = facts.way_to(sysplex, target, true).is_some_and(|way| way.via == IpAddr::V4(target_ip));
        (target != facts.on).then_some(RouteRow { dest_xcf, target_ip, active })
    };
    sysplex.viparoutes.iter().filter_map(row).collect()
}

pub(super) fn text(rows: &[Row], detail: bool) -> String {
    let (mut dvipas, mut routes) = (Vec::new(), Vec::new());
    for row in rows {
        match row {
            Row::Dvipa(row) => dvipas.push(row),
            Row::Route(row) => routes.push(row),
        }
    }
    let dvipas = if detail { dvipas.into_iter().map(long).collect() } else { short(&dvipas) };
    let mut text = format!("Dynamic VIPA:\n{dvipas}");
    if !routes.is_empty() {
        text += "VIPA Route:\n";
    }
    text.extend(routes.into_iter().map(|row| {
        let status = if row.active { "Active" } else { "Inactive" };
        format!("  DestXCF:    {}\n    TargetIp: {}\n    RtStatus: {status}\n", row.dest_xcf, row.target_ip)
    }));
    text
}

fn short(rows: &[&DvipaRow]) -> String {
    let mut table =
        Table::new([("IP Address", 15), ("AddressMask", 15), ("Status", 11), ("Origination", 11), ("DistStat", 9)]);
    for row in rows {
        let word = |word: Option<&'static str>| word.unwrap_or_default().to_owned();
        table.push([
            row.dvipa.to_string(),
            mask(row.dvipa, row.prefix),
            word(row.status),
            word(row.origin),
            word(row.dist_stat),
        ]);
    }
    table.print(true)
}

fn long(row: &DvipaRow) -> String {
    let (status, origin) = (row.status.unwrap_or_default(), row.origin.unwrap_or_default());
    let fields =
        format!("  Status: {status:<11}  Origin: {origin:<10}  DistStat: {}", row.dist_stat.unwrap_or_default());
    format!("IpAddr/PrefixLen: {}/{}\n{}\n", row.dvipa, row.prefix, fields.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netstat::Report;
    use crate::netstat::sample::{idle, json, lpar, print, sysplex, sysplex6};

    const HEADER: &str = "\
Dynamic VIPA:
IP Address      AddressMask     Status      Origination DistStat
----------      -----------     ------      ----------- --------
";

    #[test]
    fn owner_backup_and_target() {
        let sysplex = sysplex();
        for (on, row) in [
            (1, "10.10.10.1      255.255.255.255 Active      VIPADefine  Dist/Dest\n"),
            (2, "10.10.10.1      255.255.255.255 Backup      VIPABackup  Dest\n"),
            (3, "10.10.10.1      255.255.255.255                         Dest\n"),
        ] {
            let page = print(Report::Vipadyn, false, &sysplex, &idle(&sysplex, on));
            assert_eq!(page, format!("{HEADER}{row}"), "LPAR{on}");
        }
    }

    #[test]
    fn the_kernel_says_who_is_active() {
        let sysplex = sysplex();
        let status = |facts: &Facts| match rows(&sysplex, facts).as_slice() {
            [Row::Dvipa(row)] => row.status,
            other => panic!("{other:?}"),
        };
        let mut facts = idle(&sysplex, 2);
        facts.addresses = idle(&sysplex, 1).addresses;
        assert_eq!(status(&facts), Some("Active"), "whatever the group says");
        facts = idle(&sysplex, 1);
        facts.addresses = idle(&sysplex, 2).addresses;
        assert_eq!(status(&facts), Some("Moving"), "it is to have it and has it not");
        for (said, expected) in [
            (Status::Quiescing, "Quiescing"),
            (Status::Deactivated, "Deactivated"),
            (Status::Moving, "Moving"),
            (Status::Backup, "Backup"),
        ] {
            facts.standing.dvipas.insert(sysplex.dvipas[0].address, said);
            assert_eq!(status(&facts), Some(expected));
        }
    }

    #[test]
    fn long_form_with_routes() {
        let mut sysplex = sysplex6();
        for number in [0, 1, 2] {
            let (xcf, home) = (sysplex.lpars[number].xcf, sysplex.lpars[number].home);
            sysplex.viparoutes.insert(xcf, home);
        }
        let mut facts = idle(&sysplex, 1);
        facts.gateways.retain(|way| way.via != IpAddr::V4(sysplex.lpars[2].home));
        let expected = "\
Dynamic VIPA:
IpAddr/PrefixLen: fd00:10::1/128
  Status: Active       Origin: VIPADefine  DistStat: Dist/Dest
VIPA Route:
  DestXCF:    9.9.9.2
    TargetIp: 10.10.10.12
    RtStatus: Active
  DestXCF:    9.9.9.3
    TargetIp: 10.10.10.13
    RtStatus: Inactive
";
        assert_eq!(print(Report::Vipadyn, true, &sysplex, &facts), expected);
    }

    #[test]
    fn out_of_the_group() {
        let sysplex = sysplex();
        let mut facts = idle(&sysplex, 2);
        facts.standing.members.remove(&lpar(2));
        facts.addresses.clear();
        let message = "EZZ8269I TCPIP LPAR2 IS NOT A MEMBER OF A SYSPLEX GROUP";
        assert_eq!(print(Report::Vipadyn, false, &sysplex, &facts), format!("{message}\n{HEADER}"));
        let expected = serde_json::json!({"report": "vipadyn", "system": "LPAR2", "messages": [message], "rows": []});
        assert_eq!(json(Report::Vipadyn, &sysplex, &facts), expected);
    }

    #[test]
    fn for_programs() {
        let expected = serde_json::json!([{
            "dvipa": "10.10.10.1", "prefix": 32, "status": "Backup", "origin": "VIPABackup", "dist_stat": "Dest",
        }]);
        assert_eq!(json(Report::Vipadyn, &sysplex(), &idle(&sysplex(), 2))["rows"], expected);
    }
}
