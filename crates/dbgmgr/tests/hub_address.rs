//! HUBIP on the interfaces of a real network: a network namespace of the test's own.

mod common;

use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use common::{DEADLINE, Dbgmgr, Peer, free_ports};
use dbm_protocol::hub::HubMessage;
use dbm_protocol::{Hello, RefusalCode, Role};
use evidence::{HubState, What};
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use rustix::process::Signal;

/// Runs the tests below once more, in a network of their own; the machine's is not touched.
#[test]
fn hub_addresses_in_a_network_of_their_own() {
    let itself = std::env::current_exe().expect("path of this test");
    let inside = Command::new("unshare")
        .args(["--map-root-user", "--net", "--"])
        .arg(itself)
        .args(["--ignored", "--test-threads=1", "inside_"])
        .output()
        .expect("run unshare");
    let (out, err) = (String::from_utf8_lossy(&inside.stdout), String::from_utf8_lossy(&inside.stderr));
    assert!(inside.status.success() && out.contains("3 passed"), "{out}{err}");
}

fn ip(words: &str) {
    let done = Command::new("ip").args(words.split(' ')).output().expect("run ip");
    assert!(done.status.success(), "ip {words}: {}", String::from_utf8_lossy(&done.stderr));
}

/// A system with a home address.
fn home() {
    ip("link set lo up");
    let there = Command::new("ip").args(["link", "show", "lan0"]).output().expect("run ip").status.success();
    if !there {
        ip("link add lan0 type veth peer name wire");
    }
    ip("link set lan0 up");
    ip("addr replace 10.10.10.12/24 dev lan0");
}

fn role(dbgmgr: &mut Dbgmgr, wanted: HubState) -> String {
    match dbgmgr.wait_for(&format!("{wanted:?}"), |w| matches!(w, What::Hub { state, .. } if *state == wanted)) {
        What::Hub { reason, .. } => reason,
        other => unreachable!("{other:?} is not what was waited for"),
    }
}

#[test]
#[ignore = "run by hub_addresses_in_a_network_of_their_own"]
fn inside_a_primary_whose_address_is_moved_steps_down_and_comes_back() {
    home();
    ip("addr replace 9.9.9.1/24 dev lan0");
    let run = tempfile::tempdir().expect("temp dir");
    let [host, client] = free_ports();
    let mut dbgmgr = Dbgmgr::start(run.path(), host, client, &["HUBIP=9.9.9.1"]);
    assert_eq!(role(&mut dbgmgr, HubState::Primary), "");
    ip("addr del 9.9.9.1/24 dev lan0");
    let reason = role(&mut dbgmgr, HubState::Standalone);
    assert!(reason.contains("HUBIP 9.9.9.1 is not an address of this system any more"), "{reason}");
    role(&mut dbgmgr, HubState::Standalone);
    ip("addr add 9.9.9.1/24 dev lan0");
    assert_eq!(role(&mut dbgmgr, HubState::Primary), "");
    dbgmgr.signal(Signal::TERM);
    let (_, out, _) = dbgmgr.end();
    assert!(out.contains("EQACM905W HUBIP 9.9.9.1 is not an address of this system any more"), "{out}");
    assert!(!out.contains("EQACM906W"), "{out}");
}

#[test]
#[ignore = "run by hub_addresses_in_a_network_of_their_own"]
fn inside_a_dvipa_is_told_from_a_home_address_on_its_target_and_on_its_owner() {
    home();
    for at in ["lo", "lan0"] {
        ip(&format!("addr add 10.10.10.1/32 dev {at}"));
        let run = tempfile::tempdir().expect("temp dir");
        let [host, client] = free_ports();
        let mut dbgmgr = Dbgmgr::start(run.path(), host, client, &["HUBIP=10.10.10.1"]);
        let reason = role(&mut dbgmgr, HubState::Primary);
        assert_eq!(reason, "10.10.10.1 is a virtual address (VIPA) on this system", "on {at}");
        dbgmgr.signal(Signal::TERM);
        let (_, out, _) = dbgmgr.end();
        assert!(
            out.contains("EQACM906W HUBIP 10.10.10.1 is a virtual address (VIPA) on this system; every system"),
            "{out}"
        );
        ip(&format!("addr del 10.10.10.1/32 dev {at}"));
    }
}

/// Asks to join the hub at 9.9.9.1, from this address.
fn join_from(address: [u8; 4]) -> HubMessage {
    let end = socket(AddressFamily::INET, SocketType::STREAM, None).expect("socket");
    bind(&end, &SocketAddr::from((address, 0))).expect("bind");
    connect(&end, &SocketAddr::from(([9, 9, 9, 1], 5337))).expect("connect");
    let stream = TcpStream::from(end);
    stream.set_read_timeout(Some(DEADLINE)).expect("timeout");
    let mut peer = Peer(stream);
    peer.tell(&Hello::new(Role::Manager));
    peer.tell(&HubMessage::Join { system: "LPAR2".parse().expect("system"), trusted: true });
    peer.hear()
}

#[test]
#[ignore = "run by hub_addresses_in_a_network_of_their_own"]
fn inside_trustedtcp_takes_who_is_in_the_network_of_hubip() {
    home();
    ip("addr replace 9.9.9.1/24 dev lan0");
    let run = tempfile::tempdir().expect("temp dir");
    let [host, client] = free_ports();
    let mut dbgmgr = Dbgmgr::start(run.path(), host, client, &["HUBIP=9.9.9.1", "TRUSTEDTCP=ON"]);
    role(&mut dbgmgr, HubState::Primary);
    let answer = join_from([9, 9, 9, 1]);
    assert!(matches!(answer, HubMessage::Welcome { .. }), "{answer:?}");
    match join_from([10, 10, 10, 12]) {
        HubMessage::Refused(no) => {
            assert_eq!(no.code, RefusalCode::NotAuthorized);
            assert!(
                no.reason.contains("10.10.10.12 is not authenticated") && no.reason.contains("9.9.9.0/24"),
                "{no:?}"
            );
        }
        answer => panic!("{answer:?}"),
    }
}
