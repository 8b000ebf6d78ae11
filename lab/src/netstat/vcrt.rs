//! NETSTAT VCRT: which connection is where.
//!
//! A stack that has a DVIPA on the LAN shows all connections in its kernel's table, its own too, and so does one that took over. A
//! target, and a stack that is giving up a DVIPA, shows those of which it is an endpoint: its kernel's sockets. That much is
//! documented. The columns of the short form and the layout of the long one are from memory, and so our choice; `Expires` is ours:
//! when the kernel drops the entry if nothing is heard from the client. The route is what the kernel's routing table has for the
//! target. (z/OS shows it only when there is a VIPAROUTE.)

use std::net::{IpAddr, SocketAddr};

use distributor::VcrtEntry;
use evidence::{TcpSocket, TcpState};
use serde::Serialize;
use sysplex::{LparIndex, Sysplex};

use super::text::{self, Table, at};
use super::{Facts, home};

/// One connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The DVIPA.
    pub dest: IpAddr,
    /// Its port.
    pub dport: u16,
    /// The client.
    pub source: IpAddr,
    /// Its port.
    pub sport: u16,
    /// Name of the system that has the connection.
    pub target: String,
    /// Its dynamic XCF address.
    pub dest_xcf: IpAddr,
    /// Where the kernel shows it.
    pub seen_in: SeenIn,
    /// When the entry goes, in seconds.
    pub expires: Option<u64>,
    /// TIMEDAFFINITY.
    pub affinity: Option<Affinity>,
    /// How its packets get to the target; nothing when that is this system.
    pub route: Option<Route>,
}

/// Where the kernel shows a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SeenIn {
    /// In the routing table of the distributor.
    Table,
    /// In the sockets of an endpoint.
    Sockets,
}

/// The client's affinity to the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Affinity {
    /// TIMEDAFFINITY, in seconds.
    pub seconds: u64,
    /// When it goes, in seconds; nothing while a connection is open, because then its timer does not run.
    pub left: Option<u64>,
}

/// A way to a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Route {
    /// The interface.
    pub intf: String,
    /// The gateway.
    pub gw: IpAddr,
    /// Is it that of a VIPAROUTE?
    pub viparoute: bool,
}

/// The table.
pub fn rows(sysplex: &Sysplex, facts: &Facts) -> Vec<Row> {
    let from_table = facts.tables.vcrt.iter().filter_map(|entry| routed(sysplex, facts, entry));
    let sockets = facts.connections.get(&facts.on).map(Vec::as_slice).unwrap_or_default();
    let of_dvipas = |socket: &&TcpSocket| {
        let ip = socket.local.ip();
        sysplex.dvipa(ip).is_some() && !facts.owns(ip) && is_open(socket)
    };
    let own = sockets.iter().filter(of_dvipas).filter_map(|socket| ended_here(sysplex, facts.on, socket));
    let mut rows: Vec<Row> = from_table.chain(own).collect();
    rows.sort_by_key(|row| (row.dest, row.dport, row.source, row.sport));
    rows
}

/// Not what is left of one that has ended: that no process holds.
fn is_open(socket: &TcpSocket) -> bool {
    matches!(socket.state, TcpState::Established | TcpState::SynReceived) || socket.inode != 0
}

fn routed(sysplex: &Sysplex, facts: &Facts, entry: &VcrtEntry) -> Option<Row> {
    let affinities = facts.tables.affinities.iter();
    let mut affinities = affinities.filter(|found| found.client == entry.client.ip() && found.dvipa == entry.dvipa);
    let time = sysplex.dvipa(entry.dvipa.ip()).and_then(|dvipa| {
        let listed = dvipa.distribute.iter().find(|statement| statement.lists(entry.dvipa.port()));
        listed.or_else(|| dvipa.distribute.iter().find(|statement| statement.ports == sysplex::Ports::Dynamic))
    });
    let affinity = affinities.find(|found| found.target == entry.target).map(|found| {
        let (seconds, left) = (time.map_or(0, |time| time.timed_affinity.as_secs()), found.expires.as_secs());
        Affinity { seconds, left: (left <= seconds).then_some(left) }
    });
    let row = row(sysplex, entry.target, entry.client, entry.dvipa)?;
    let route = route(sysplex, facts, entry.target, entry.dvipa.ip());
    Some(Row { seen_in: SeenIn::Table, expires: Some(entry.expires.as_secs()), affinity, route, ..row })
}

fn ended_here(sysplex: &Sysplex, on: LparIndex, socket: &TcpSocket) -> Option<Row> {
    row(sysplex, on, socket.peer, socket.local)
}

fn row(sysplex: &Sysplex, target: LparIndex, client: SocketAddr, dvipa: SocketAddr) -> Option<Row> {
    let (name, dest_xcf) = text::target(sysplex, target, dvipa)?;
    Some(Row {
        dest: dvipa.ip(),
        dport: dvipa.port(),
        source: client.ip(),
        sport: client.port(),
        target: name,
        dest_xcf,
        seen_in: SeenIn::Sockets,
        expires: None,
        affinity: None,
        route: None,
    })
}

fn route(sysplex: &Sysplex, facts: &Facts, target: LparIndex, dvipa: IpAddr) -> Option<Route> {
    let way = facts.way_to(sysplex, target, dvipa.is_ipv4())?;
    let viparoute = sysplex.viparoutes.values().any(|&instead| IpAddr::V4(instead) == way.via);
    Some(Route { intf: home::link_name(way.link), gw: way.via, viparoute })
}

pub(super) fn text(rows: &[Row], detail: bool) -> String {
    let body = if detail { rows.iter().map(long).collect() } else { short(rows) };
    format!("Dynamic VIPA Connection Routing Table:\n{body}")
}

fn short(rows: &[Row]) -> String {
    let mut table =
        Table::new([("DEST IPADDR", 16), ("DPORT", 5), ("SRC IPADDR", 16), ("SPORT", 5), ("DESTXCF ADDR", 15)]);
    for row in rows {
        let (dport, sport) = (format!("{:05}", row.dport), format!("{:05}", row.sport));
        table.push([row.dest.to_string(), dport, row.source.to_string(), sport, row.dest_xcf.to_string()]);
    }
    table.print(false)
}

fn long(row: &Row) -> String {
    let mut lines = format!("Dest:      {}\n", at(row.dest, row.dport));
    lines += &format!("  Source:  {}\n", at(row.source, row.sport));
    lines += &format!("  DestXCF: {}\n", row.dest_xcf);
    lines += "    PolicyRule:   *NONE*\n    PolicyAction: *NONE*\n";
    if let Some(Affinity { seconds, left }) = row.affinity {
        let left = left.map_or_else(|| "-".to_owned(), |left| left.to_string());
        lines += &format!("    TimAff: {seconds}  Left: {left}\n");
    }
    if let Some(expires) = row.expires {
        lines += &format!("    Expires: {expires}\n");
    }
    if let Some(Route { intf, gw, viparoute }) = &row.route {
        let yes = if *viparoute { "Yes" } else { "No" };
        lines += &format!("  Intf: {intf}  VipaRoute: {yes}  Gw: {gw}\n");
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::netstat::Report;
    use crate::netstat::sample::{idle, json, lpar, print, socket, sysplex, sysplex6, tcp, vcrt};

    const HEADER: &str = "DEST IPADDR      DPORT SRC IPADDR       SPORT DESTXCF ADDR\n";

    /// The owner's table has a connection of its own and one of the second, with affinity.
    fn owner(sysplex: &Sysplex) -> Facts {
        let mut facts = idle(sysplex, 1);
        facts.tables.vcrt =
            vec![vcrt("10.10.10.102:49152", "10.10.10.1:5401", 1), vcrt("10.10.10.101:50001", "10.10.10.1:4035", 2)];
        let expires = Duration::from_secs(28);
        let (client, dvipa) = (socket("10.10.10.101:0").ip(), socket("10.10.10.1:4035"));
        facts.tables.affinities = vec![distributor::Affinity { client, dvipa, target: lpar(2), expires }];
        // Its own socket is in its table already.
        facts.connections.insert(lpar(1), vec![tcp(TcpState::Established, "10.10.10.1:5401", "10.10.10.102:49152")]);
        facts
    }

    /// A target with an open connection, one that has ended, and one that is none of a DVIPA.
    fn target(sysplex: &Sysplex, dvipa: &str, client: &str) -> Facts {
        let mut facts = idle(sysplex, 2);
        let at = |port: u16| format!("{dvipa}:{port}");
        let open = tcp(TcpState::Established, &at(4035), &format!("{client}:50001"));
        let closing = tcp(TcpState::Other, &at(4035), &format!("{client}:50003"));
        let ended = TcpSocket { inode: 0, ..tcp(TcpState::Other, &at(4035), &format!("{client}:50002")) };
        let hub = tcp(TcpState::Established, "9.9.9.2:40000", "9.9.9.1:5337");
        facts.connections.insert(lpar(2), vec![open, ended, closing, hub]);
        facts
    }

    #[test]
    fn the_owner_shows_its_table() {
        let sysplex = sysplex();
        let expected = format!(
            "Dynamic VIPA Connection Routing Table:\n{HEADER}\
             10.10.10.1       04035 10.10.10.101     50001 9.9.9.2\n\
             10.10.10.1       05401 10.10.10.102     49152 9.9.9.1\n"
        );
        assert_eq!(print(Report::Vcrt, false, &sysplex, &owner(&sysplex)), expected);
    }

    #[test]
    fn long_form() {
        let mut sysplex = sysplex();
        sysplex.dvipas[0].distribute[0].timed_affinity = Duration::from_secs(30);
        let expected = "\
Dynamic VIPA Connection Routing Table:
Dest:      10.10.10.1..4035
  Source:  10.10.10.101..50001
  DestXCF: 9.9.9.2
    PolicyRule:   *NONE*
    PolicyAction: *NONE*
    TimAff: 30  Left: 28
    Expires: 86000
  Intf: xcf0  VipaRoute: No  Gw: 9.9.9.2
Dest:      10.10.10.1..5401
  Source:  10.10.10.102..49152
  DestXCF: 9.9.9.1
    PolicyRule:   *NONE*
    PolicyAction: *NONE*
    Expires: 86000
";
        let mut facts = owner(&sysplex);
        assert_eq!(print(Report::Vcrt, true, &sysplex, &facts), expected);

        // Its timer does not run while a connection is open; and the way may be that of a VIPAROUTE.
        facts.tables.affinities[0].expires = Duration::from_secs(86_399);
        sysplex.viparoutes.insert(sysplex.lpars[1].xcf, sysplex.lpars[1].home);
        facts.gateways = idle(&sysplex, 1).gateways;
        let page = print(Report::Vcrt, true, &sysplex, &facts);
        assert!(page.contains("    TimAff: 30  Left: -\n"), "{page}");
        assert!(page.contains("VipaRoute: Yes  Gw: 10.10.10.12\n"), "{page}");
    }

    #[test]
    fn a_target_shows_its_sockets() {
        let expected = format!(
            "Dynamic VIPA Connection Routing Table:\n{HEADER}\
             10.10.10.1       04035 10.10.10.101     50001 9.9.9.2\n\
             10.10.10.1       04035 10.10.10.101     50003 9.9.9.2\n"
        );
        let facts = target(&sysplex(), "10.10.10.1", "10.10.10.101");
        assert_eq!(print(Report::Vcrt, false, &sysplex(), &facts), expected);

        let expected = format!(
            "Dynamic VIPA Connection Routing Table:\n{}\n\
             fd00:10::1       04035 fd00:10::aaaa:bbbb:101 50001 fd00:9::2\n\
             fd00:10::1       04035 fd00:10::aaaa:bbbb:101 50003 fd00:9::2\n",
            "DEST IPADDR      DPORT SRC IPADDR             SPORT DESTXCF ADDR"
        );
        let facts = target(&sysplex6(), "[fd00:10::1]", "[fd00:10::aaaa:bbbb:101]");
        assert_eq!(print(Report::Vcrt, false, &sysplex6(), &facts), expected);
    }

    #[test]
    fn nothing() {
        let facts = idle(&sysplex(), 3);
        let title = "Dynamic VIPA Connection Routing Table:\n";
        assert_eq!(print(Report::Vcrt, false, &sysplex(), &facts), format!("{title}{HEADER}"));
        assert_eq!(print(Report::Vcrt, true, &sysplex(), &facts), title);
        let expected = serde_json::json!({"report": "vcrt", "system": "LPAR3", "rows": []});
        assert_eq!(json(Report::Vcrt, &sysplex(), &facts), expected);
    }

    #[test]
    fn for_programs() {
        let mut sysplex = sysplex();
        sysplex.dvipas[0].distribute[0].timed_affinity = Duration::from_secs(30);
        let rows = &json(Report::Vcrt, &sysplex, &owner(&sysplex))["rows"];
        let expected = serde_json::json!({
            "dest": "10.10.10.1", "dport": 4035, "source": "10.10.10.101", "sport": 50001, "target": "LPAR2",
            "dest_xcf": "9.9.9.2", "seen_in": "table", "expires": 86_000, "affinity": {"seconds": 30, "left": 28},
            "route": {"intf": "xcf0", "gw": "9.9.9.2", "viparoute": false},
        });
        assert_eq!(rows[0], expected);
        assert_eq!((&rows[1]["route"], &rows[1]["affinity"]), (&serde_json::Value::Null, &serde_json::Value::Null));
    }
}
