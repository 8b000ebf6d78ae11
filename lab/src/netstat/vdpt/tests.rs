use evidence::TcpState;
use sysplex::LparIndex;

use super::*;
use crate::netstat::Report;
use crate::netstat::sample::{idle, json, lpar, print, socket, sysplex, sysplex6, tcp, vdpt};

const ANY: &str = "0.0.0.0:0";

/// 4035 on the first two, one of which has a full queue; 5401 only on the first.
fn busy(sysplex: &Sysplex, dvipa: &str, any: &str) -> Facts {
    let mut facts = idle(sysplex, 1);
    let at = |port: u16| format!("{dvipa}:{port}");
    facts.tables.vdpt = vec![vdpt(&at(4035), 1, 1, 7), vdpt(&at(4035), 2, 2, 12_345_678_901), vdpt(&at(5401), 1, 1, 0)];
    let listener = |port: u16| tcp(TcpState::Listen, &format!("{any}:{port}"), ANY);
    facts.listeners.insert(lpar(1), vec![listener(4035), listener(5401)]);
    let full = evidence::TcpSocket { waiting: 32, ..listener(4035) };
    // A socket on another address does not count, the second on the same port does.
    let other = tcp(TcpState::Listen, "127.0.0.1:4035", ANY);
    facts.listeners.insert(lpar(2), vec![full, tcp(TcpState::Listen, &at(4035), ANY), other]);
    let client = |port| tcp(TcpState::Established, &at(4035), &format!("10.10.10.101:{port}"));
    let half = tcp(TcpState::SynReceived, &at(5401), "10.10.10.101:50003");
    facts.connections.insert(lpar(2), vec![client(50_001), client(50_002), half]);
    facts
}

#[test]
fn short_form() {
    let sysplex = sysplex();
    let facts = busy(&sysplex, "10.10.10.1", "0.0.0.0");
    let expected = "\
Dynamic VIPA Destination Port Table:
DEST IPADDR      DPORT DESTXCF ADDR    RDY TOTALCONN  WLM TSR FLG
10.10.10.1       04035 9.9.9.1         001 0000000007 01  100 R
10.10.10.1       04035 9.9.9.2         002 2345678901 02  075 R
10.10.10.1       04035 9.9.9.3         000 0000000000 00  100 RI
10.10.10.1       05401 9.9.9.1         001 0000000000 01  100 R
10.10.10.1       05401 9.9.9.2         000 0000000000 00  100 RI
10.10.10.1       05401 9.9.9.3         000 0000000000 00  100 RI
";
    assert_eq!(print(Report::Vdpt, false, &sysplex, &facts), expected);
}

#[test]
fn long_form() {
    let mut sysplex = sysplex();
    sysplex.dvipas[0].distribute[0].targets.remove(2);
    sysplex.dvipas[0].distribute[0].ports = Ports::Listed(vec![4035]);
    let facts = busy(&sysplex, "10.10.10.1", "0.0.0.0");
    let expected = "\
Dynamic VIPA Destination Port Table:
Dest:        10.10.10.1..4035
  DestXCF:   9.9.9.1
  TotalConn: 0000000007  Rdy: 001  WLM: 01 TSR: 100
  Flg: Roundrobin
    TCSR: 100 CER: 100 SEF: 100
  ActiveConn: 0000000000
Dest:        10.10.10.1..4035
  DestXCF:   9.9.9.2
  TotalConn: 2345678901  Rdy: 002  WLM: 02 TSR: 075
  Flg: Roundrobin
    TCSR: 100 CER: 100 SEF: 075
  ActiveConn: 0000000002
";
    assert_eq!(print(Report::Vdpt, true, &sysplex, &facts), expected);
}

#[test]
fn ipv6_makes_the_columns_wider() {
    let sysplex = sysplex6();
    let mut facts = busy(&sysplex, "[fd00:10::1]", "[::]");
    facts.standing.members = [lpar(1)].into(); // only who is in the group
    // A socket of any IPv4 address takes no IPv6.
    facts.listeners.entry(lpar(1)).or_default().push(tcp(TcpState::Listen, "0.0.0.0:4035", ANY));
    let expected = "\
Dynamic VIPA Destination Port Table:
DEST IPADDR      DPORT DESTXCF ADDR    RDY TOTALCONN  WLM TSR FLG
fd00:10::1       04035 fd00:9::1       001 0000000007 01  100 R
fd00:10::1       05401 fd00:9::1       001 0000000000 01  100 R
";
    assert_eq!(print(Report::Vdpt, false, &sysplex, &facts), expected);
}

#[test]
fn only_who_has_the_dvipa_on_the_lan_has_a_table() {
    let sysplex = sysplex();
    let facts = Facts { on: lpar(2), ..busy(&sysplex, "10.10.10.1", "0.0.0.0") };
    let facts = Facts { addresses: idle(&sysplex, 2).addresses, ..facts };
    let header = "DEST IPADDR      DPORT DESTXCF ADDR    RDY TOTALCONN  WLM TSR FLG\n";
    let expected = format!("Dynamic VIPA Destination Port Table:\n{header}");
    assert_eq!(print(Report::Vdpt, false, &sysplex, &facts), expected);
    assert_eq!(print(Report::Vdpt, true, &sysplex, &facts), "Dynamic VIPA Destination Port Table:\n");
}

#[test]
fn flags() {
    let mut sysplex = sysplex();
    let flags = |sysplex: &Sysplex| {
        let facts = busy(sysplex, "10.10.10.1", "0.0.0.0");
        let of = |row: Row| (row.port, row.flags.join(", "), row.letters);
        rows(sysplex, &facts).into_iter().filter(|row| row.target == "LPAR1").map(of).collect::<Vec<_>>()
    };
    let statement = &mut sysplex.dvipas[0].distribute[0];
    (statement.method, statement.ports) = (Method::BaseWlm, Ports::Dynamic);
    let dynamic = |port| (port, "Dynamic, BaseWLM".to_owned(), "DB".to_owned());
    assert_eq!(flags(&sysplex), [dynamic(4035), dynamic(5401)], "what the kernel distributes");
    let statement = &mut sysplex.dvipas[0].distribute[0];
    statement.method = Method::HotStandby { autoswitchback: true };
    (statement.ports, statement.targets[0].preferred) = (Ports::Listed(vec![4036]), true);
    assert_eq!(flags(&sysplex), [(4036, "HotStandby, Preferred, Inactive".to_owned(), "HI".to_owned())]);
}

#[test]
fn for_programs() {
    let sysplex = sysplex();
    let json = json(Report::Vdpt, &sysplex, &busy(&sysplex, "10.10.10.1", "0.0.0.0"));
    let expected = serde_json::json!({
        "dest": "10.10.10.1", "port": 4035, "target": "LPAR2", "dest_xcf": "9.9.9.2", "total_conn": 12_345_678_901_u64,
        "rdy": 2, "wlm": 2, "tsr": 75, "tcsr": 100, "cer": 100, "sef": 75, "active_conn": 2, "flags": ["Roundrobin"],
    });
    assert_eq!((&json["report"], &json["system"]), (&"vdpt".into(), &"LPAR1".into()));
    assert_eq!(json["rows"][1], expected);
    assert_eq!(json.get("messages"), None);
}

#[test]
fn a_socket_on_the_address_itself_counts() {
    let facts = busy(&sysplex(), "10.10.10.1", "0.0.0.0");
    let ready = |number, at| facts.ready(LparIndex::new(number).expect("an LPAR"), socket(at));
    assert_eq!((ready(2, "10.10.10.1:4035"), ready(2, "10.10.10.2:4035"), ready(3, "10.10.10.1:4035")), (2, 1, 0));
}
