//! NETSTAT HOME: the stack's addresses, from the kernel.
//!
//! Flag I (internal) is documented: an address that the stack has only because it is a target. The kernel has it on the loopback.
//! The rest of the layout is from memory, and so our choice, as are the names: `VIPL` and the address in hexadecimal for a DVIPA of
//! IPv4, which z/OS makes up too; for all others the kernel's name of the link. (On z/OS a stack with IPv6 prints the long form.)

use std::net::IpAddr;

use netns::Address;
use serde::Serialize;
use sysplex::Sysplex;

use super::Facts;
use super::text::Table;
use crate::plex::{LAN, LAN_LINK, LOOPBACK, XCF, XCF_LINK};

/// One address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The address.
    pub address: IpAddr,
    /// Length of its prefix, in bits.
    pub prefix: u8,
    /// Name of the link, as NETSTAT has it.
    pub link: String,
    /// The kernel's interface.
    pub interface: String,
    /// Is it a dynamic VIPA?
    pub dvipa: bool,
    /// Is it internal: not to be seen from outside, for a target?
    pub internal: bool,
}

/// The addresses, by link: LAN, XCF, hidden DVIPAs, loopback.
pub fn rows(sysplex: &Sysplex, facts: &Facts) -> Vec<Row> {
    let row = |&Address { link, address, prefix }: &Address| {
        let dvipa = sysplex.dvipa(address).is_some();
        let interface = link_name(link);
        let name = match address {
            IpAddr::V4(ipv4) if dvipa => format!("VIPL{:08X}", ipv4.to_bits()),
            _ if link == LOOPBACK && !dvipa => "LOOPBACK".to_owned(),
            _ => interface.clone(),
        };
        Row { address, prefix, link: name, interface, dvipa, internal: dvipa && link == LOOPBACK }
    };
    let mut addresses = facts.addresses.clone();
    addresses.sort_by_key(|has| (has.link == LOOPBACK, has.link, sysplex.dvipa(has.address).is_none(), has.address));
    addresses.iter().map(row).collect()
}

/// The name of a link in every host.
pub(super) fn link_name(link: u32) -> String {
    match link {
        LOOPBACK => "lo".to_owned(),
        LAN_LINK => LAN.to_owned(),
        XCF_LINK => XCF.to_owned(),
        other => format!("link {other}"),
    }
}

pub(super) fn text(rows: &[Row], detail: bool) -> String {
    let body = if detail { rows.iter().map(long).collect() } else { short(rows) };
    format!("Home address list:\n{body}")
}

fn short(rows: &[Row]) -> String {
    let mut table = Table::new([("Address", 16), ("Link", 16), ("Flg", 3)]);
    for row in rows {
        let flag = if row.internal { "I" } else { "" };
        table.push([row.address.to_string(), row.link.clone(), flag.to_owned()]);
    }
    table.print(true)
}

fn long(row: &Row) -> String {
    let flags = if row.internal { "  Internal" } else { "" };
    format!("LinkName:   {}\n  Address:  {}\n    Flags:{flags}\n", row.link, row.address)
}

#[cfg(test)]
mod tests {
    use crate::netstat::Report;
    use crate::netstat::sample::{idle, json, print, sysplex, sysplex6};

    #[test]
    fn the_owner_and_a_target() {
        let sysplex = sysplex();
        let expected = "\
Home address list:
Address          Link             Flg
-------          ----             ---
10.10.10.1       VIPL0A0A0A01
10.10.10.11      lan0
9.9.9.1          xcf0
127.0.0.1        LOOPBACK
";
        assert_eq!(print(Report::Home, false, &sysplex, &idle(&sysplex, 1)), expected);
        let expected = "\
Home address list:
Address          Link             Flg
-------          ----             ---
10.10.10.12      lan0
9.9.9.2          xcf0
10.10.10.1       VIPL0A0A0A01     I
127.0.0.1        LOOPBACK
";
        assert_eq!(print(Report::Home, false, &sysplex, &idle(&sysplex, 2)), expected);
    }

    #[test]
    fn long_form_and_ipv6() {
        let sysplex = sysplex6();
        let expected = "\
Home address list:
LinkName:   lan0
  Address:  10.10.10.13
    Flags:
LinkName:   xcf0
  Address:  9.9.9.3
    Flags:
LinkName:   lo
  Address:  fd00:10::1
    Flags:  Internal
LinkName:   LOOPBACK
  Address:  127.0.0.1
    Flags:
";
        assert_eq!(print(Report::Home, true, &sysplex, &idle(&sysplex, 3)), expected);
    }

    #[test]
    fn nothing_and_for_programs() {
        let sysplex = sysplex();
        let mut facts = idle(&sysplex, 2);
        let rows = &json(Report::Home, &sysplex, &facts)["rows"];
        let expected = serde_json::json!({
            "address": "10.10.10.1", "prefix": 32, "link": "VIPL0A0A0A01", "interface": "lo", "dvipa": true, "internal": true,
        });
        assert_eq!(rows[2], expected);
        facts.addresses.clear();
        let header =
            "Home address list:\nAddress          Link             Flg\n-------          ----             ---\n";
        assert_eq!(print(Report::Home, false, &sysplex, &facts), header);
        assert_eq!(print(Report::Home, true, &sysplex, &facts), "Home address list:\n");
    }
}
