//! Each proof holds on a good snapshot and fails on one in which just that is wrong.

use std::time::Duration;

use super::*;

const CLIENT: &str = "10.10.10.101:5000";
const DVIPA: &str = "10.10.10.1:5402";
const DEBUGGER: i32 = 20;
const MANAGER: i32 = 21;

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn link() -> Link {
    Link {
        job: "EQATST".into(),
        on: "L02".into(),
        client: address(CLIENT),
        dvipa: address(DVIPA),
        owner: "L01".into(),
        logon: vec![Logon {
            what: "the logon",
            client: address("10.10.10.101:4000"),
            dvipa: address("10.10.10.1:4035"),
            on: "L01".into(),
        }],
        read: ClientRead { job: "EQATST".into(), system: "L02".into(), line: 18, variables: vec!["TOTAL=1".into()] },
        also_on: Vec::new(),
    }
}

/// The uniform sysplex with the names of [`link`].
fn sysplex() -> Sysplex {
    let mut sysplex = Sysplex::uniform(2);
    for (lpar, name) in sysplex.lpars.iter_mut().zip(["L01", "L02"]) {
        lpar.name = name.into();
    }
    sysplex
}

fn add(
    snapshot: &mut Snapshot,
    system: &str,
    interface: &str,
    direction: Direction,
    ends: (&str, &str),
    syn_ack: bool,
) {
    let [from, to] = [ends.0, ends.1].map(|end| end.parse::<std::net::SocketAddrV4>().expect("an address"));
    let mut frame = Vec::new();
    let builder = etherparse::PacketBuilder::ethernet2([1; 6], [2; 6])
        .ipv4(from.ip().octets(), to.ip().octets(), 64)
        .tcp(from.port(), to.port(), 1, 1000);
    let builder = if syn_ack { builder.syn().ack(1) } else { builder.ack(1) };
    builder.write(&mut frame, b"hello").expect("a packet");
    snapshot.flows.add(system, interface, direction, 1, &frame);
}

fn good() -> Snapshot {
    let mut snapshot = Snapshot::default();
    let socket = TcpSocket {
        state: TcpState::Established,
        local: address(DVIPA),
        peer: address(CLIENT),
        inode: 7,
        waiting: 0,
        backlog: 0,
    };
    snapshot.sockets.insert("L02".into(), vec![socket]);
    snapshot.holders.insert(7, vec![DEBUGGER]);
    snapshot.tasks.insert(DEBUGGER, ("L02".into(), "EQATST".into()));
    snapshot.tasks.insert(MANAGER, ("L02".into(), "DBGMGR".into()));
    snapshot.tasks.insert(MANAGER + 10, ("L01".into(), "DBGMGR".into()));
    add(&mut snapshot, "L01", LAN, Direction::In, (CLIENT, DVIPA), false);
    add(&mut snapshot, "L01", XCF, Direction::Out, (CLIENT, DVIPA), false);
    add(&mut snapshot, "L02", XCF, Direction::In, (CLIENT, DVIPA), false);
    add(&mut snapshot, "L02", LAN, Direction::Out, (DVIPA, CLIENT), true);
    add(&mut snapshot, "L01", LAN, Direction::Out, ("10.10.10.1:4035", "10.10.10.101:4000"), true);
    let target = sysplex().lpars[1].index;
    let expires = Duration::from_secs(60);
    snapshot.vcrt.push(VcrtEntry { client: address(CLIENT), dvipa: address(DVIPA), target, expires });
    snapshot
}

/// The claims that do not hold.
fn broken(spoil: impl FnOnce(&mut Snapshot)) -> Vec<String> {
    let mut snapshot = good();
    spoil(&mut snapshot);
    let proofs = of_handoff(&sysplex(), &link(), &snapshot);
    proofs.into_iter().filter(|proof| !proof.ok).map(|proof| proof.claim).collect()
}

#[test]
fn a_good_snapshot_shows_everything() {
    let proofs = of_handoff(&sysplex(), &link(), &good());
    assert!(proofs.iter().all(|proof| proof.ok), "{proofs:#?}");
    assert_eq!(proofs.len(), 7);
}

#[test]
fn a_socket_that_debug_manager_holds_too_is_not_the_debuggers() {
    let claims = broken(|snapshot| snapshot.holders.entry(7).or_default().push(MANAGER));
    assert_eq!(claims.len(), 1);
    assert!(claims[0].contains("belongs to the debugger of EQATST and to no other process"), "{claims:?}");
    assert_eq!(broken(|snapshot| snapshot.holders.clear()).len(), 1, "nobody holds it");
    assert_eq!(broken(|snapshot| snapshot.sockets.clear()).len(), 1, "there is none");
}

#[test]
fn a_connection_that_another_debug_manager_accepted_is_seen() {
    let accepted = ("10.10.10.1:5402", "10.10.10.101:5001");
    let claims = broken(|snapshot| add(snapshot, "L01", LAN, Direction::Out, accepted, true));
    assert_eq!(claims, ["DBGMGR on L01 never had a connection from the workstation 10.10.10.101"]);
    let held = TcpSocket {
        state: TcpState::Established,
        local: address(DVIPA),
        peer: address(CLIENT),
        inode: 8,
        waiting: 0,
        backlog: 0,
    };
    let claims = broken(|snapshot| {
        snapshot.sockets.insert("L01".into(), vec![held]);
        snapshot.holders.insert(8, vec![MANAGER + 10]);
    });
    assert_eq!(claims, ["DBGMGR on L01 never had a connection from the workstation 10.10.10.101"]);
    let incomplete = broken(|snapshot| snapshot.flows.dropped = 1);
    assert_eq!(incomplete, claims, "what was not seen proves nothing when packets are missing");
}

#[test]
fn packets_that_are_translated_lost_or_take_another_way_are_seen() {
    let translated = broken(|snapshot| {
        let without = std::mem::take(&mut snapshot.flows);
        for (key, _) in without.iter().filter(|(key, _)| key.interface != XCF) {
            let ends = (key.source.to_string(), key.destination.to_string());
            let syn_ack = key.direction == Direction::Out;
            add(snapshot, &key.system, &key.interface, key.direction, (&ends.0, &ends.1), syn_ack);
        }
        add(snapshot, "L01", XCF, Direction::Out, ("9.9.9.1:5000", "9.9.9.2:5402"), false);
        add(snapshot, "L02", XCF, Direction::In, ("9.9.9.1:5000", "9.9.9.2:5402"), false);
    });
    assert_eq!(translated.len(), 1);
    assert!(translated[0].contains("source and destination unchanged"), "{translated:?}");
    let lost = broken(|snapshot| add(snapshot, "L01", LAN, Direction::In, (CLIENT, DVIPA), false));
    assert_eq!(lost, translated, "one more arrived than was forwarded");
    let direct = broken(|snapshot| add(snapshot, "L02", LAN, Direction::In, (CLIENT, DVIPA), false));
    assert_eq!(direct, translated, "the target is reached without the distributor");
}

#[test]
fn answers_by_way_of_the_owner_are_seen() {
    let claims = broken(|snapshot| add(snapshot, "L02", XCF, Direction::Out, (DVIPA, CLIENT), false));
    assert_eq!(claims, ["L02's answers left by its own LAN interface"]);
}

#[test]
fn a_routing_table_that_says_otherwise_is_seen() {
    let claims = broken(|snapshot| snapshot.vcrt[0].target = sysplex().lpars[0].index);
    assert_eq!(claims, ["the distributor sent the engine's connection to L02"]);
    assert_eq!(broken(|snapshot| snapshot.vcrt.clear()), claims);
}

#[test]
fn a_logon_that_another_lpar_answered_is_seen() {
    let answer = ("10.10.10.1:4035", "10.10.10.101:4000");
    let claims = broken(|snapshot| add(snapshot, "L02", LAN, Direction::Out, answer, true));
    assert_eq!(claims, ["the logon reached L01"]);
}

#[test]
fn a_client_that_talks_to_another_job_or_system_is_seen() {
    let read = |job: &str, system: &str| ClientRead { job: job.into(), system: system.into(), ..ClientRead::default() };
    for wrong in [read("EQATST", "L01"), read("OTHER", "L02"), ClientRead::default()] {
        let link = Link { read: wrong, ..link() };
        let proofs = of_handoff(&sysplex(), &link, &good());
        let broken: Vec<_> = proofs.iter().filter(|proof| !proof.ok).map(|proof| proof.claim.as_str()).collect();
        assert_eq!(broken, ["the client debugs EQATST on L02"]);
    }
}
