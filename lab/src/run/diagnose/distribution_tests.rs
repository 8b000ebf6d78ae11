//! Each rule, and what looks much the same and has another cause.

use evidence::{FlowKey, FlowSeen, TcpState};

use super::*;
use crate::run::diagnose::sample::{case, event};
use crate::run::diagnose::{Quiesced, diagnose};

const ENGINE: &str = "10.10.10.1:5402";
const CLIENT: &str = "10.10.10.101:40000";

/// What a client says whose connection failed.
pub(in crate::run::diagnose) fn failed(what: &str, to: &str, how: &str) -> Event {
    let (address, reason) = (to.parse().expect("an address"), String::new());
    event("WS1", What::ConnectFailed { what: what.into(), address, how: how.into(), reason })
}

/// A flow from the client that came in there, with so many bytes.
pub(in crate::run::diagnose) fn carry(case: &mut Case, (system, interface): (&str, &str), to: &str, payload: u64) {
    let key = FlowKey {
        system: system.into(),
        interface: interface.into(),
        direction: Direction::In,
        source: CLIENT.parse().expect("an address"),
        destination: to.parse().expect("an address"),
    };
    let seen = FlowSeen { packets: 3, payload, syn: 1, syn_ack: 0, rst: 0, first_ns: 1, last_ns: 2 };
    case.carried.push(Carried { key, seen });
}

/// The engine's connection to the job on LPAR2 failed; LPAR2 is ready.
fn engine(symptom: Symptom, how: &str) -> Case {
    let mut case = case(symptom, &[failed("engine", ENGINE, how)]);
    case.failure.dialled = ENGINE.parse().ok();
    case.distributed = vec![Distributed {
        owner: "LPAR1".into(),
        dest: ENGINE.parse().expect("an address"),
        target: "LPAR2".into(),
        rdy: 1,
        wlm: 100,
        tsr: 100,
        tcsr: 100,
        total_conn: 1,
    }];
    case
}

fn listen(case: &mut Case, at: &str, waiting: u32) {
    let (local, peer) = (at.parse().expect("an address"), "0.0.0.0:0".parse().expect("an address"));
    let socket = TcpSocket { state: TcpState::Listen, local, peer, inode: 1, waiting, backlog: 128 };
    case.listeners.insert("LPAR2".into(), vec![socket]);
}

fn by_viparoute(case: &mut Case) {
    let lpar2 = &case.sysplex.lpars[1];
    case.sysplex.viparoutes.insert(lpar2.xcf, lpar2.home);
}

fn code(case: &Case) -> Option<String> {
    diagnose(case).map(|cause| cause.code)
}

fn is(code: &str) -> Option<String> {
    Some(code.to_owned())
}

#[test]
fn a_target_that_is_ready_and_not_reached() {
    let mut lost = engine(Symptom::EngineConnectionTimedOut, "timed_out");
    carry(&mut lost, ("LPAR1", LAN), ENGINE, 0);
    assert_eq!(code(&lost), None, "without a VIPAROUTE it is no matter of VIPAROUTE");
    by_viparoute(&mut lost);
    assert_eq!(code(&lost), is("F27"));
    let mut arrives = lost.clone();
    carry(&mut arrives, ("LPAR2", LAN), ENGINE, 0);
    assert_eq!(code(&arrives), None, "it arrives, and the answer is lost");
    let mut known = engine(Symptom::EngineConnectionRefused, "refused");
    by_viparoute(&mut known);
    assert_eq!(code(&known), None, "refused by somebody");
    known.distributed[0].tcsr = 0;
    assert_eq!(code(&known), is("F27"), "the owner knows it by now");
    lost.carried.clear();
    assert_eq!(code(&lost), None, "a firewall before the owner");
}

#[test]
fn full_segments_that_do_not_fit() {
    let mut stuck = engine(Symptom::SessionBroken, "");
    stuck.events.clear();
    by_viparoute(&mut stuck);
    carry(&mut stuck, ("LPAR1", LAN), ENGINE, 9000);
    carry(&mut stuck, ("LPAR2", LAN), ENGINE, 30);
    assert_eq!(code(&stuck), None, "there is room in every packet, so they were lost");
    stuck.sysplex.lpars[1].stack.adjusts_dvipa_mss = false;
    assert_eq!(code(&stuck), is("F28"));
    let mut whole = stuck.clone();
    whole.carried.pop();
    carry(&mut whole, ("LPAR2", LAN), ENGINE, 9000);
    assert_eq!(code(&whole), None, "all of it arrived");
    stuck.sysplex.viparoutes.clear();
    assert_eq!(code(&stuck), None, "XCF takes nothing away");
}

#[test]
fn a_target_that_is_quiesced() {
    let mut refused = engine(Symptom::EngineConnectionRefused, "refused");
    listen(&mut refused, "0.0.0.0:5402", 0);
    assert_eq!(code(&refused), None);
    let quiesced = Quiesced { target: true, ports: [].into() };
    refused.group.quiesced.insert("LPAR1".into(), quiesced.clone());
    assert_eq!(code(&refused), None, "another system");
    refused.group.quiesced.insert("LPAR2".into(), quiesced);
    assert_eq!(code(&refused), is("F29"));
    refused.distributed[0].rdy = 0;
    assert_eq!(code(&refused), None, "it is quiesced, and nothing listens there either");
}

#[test]
fn a_server_that_listens_at_its_own_address_alone() {
    let mut refused = engine(Symptom::EngineConnectionRefused, "refused");
    refused.distributed[0].rdy = 0;
    assert_eq!(code(&refused), None, "nothing listens");
    listen(&mut refused, "10.10.10.12:5402", 0);
    assert_eq!(code(&refused), is("F30"));
    listen(&mut refused, "10.10.10.1:5402", 0);
    assert_eq!(code(&refused), None, "at the DVIPA");
    listen(&mut refused, "10.10.10.12:5403", 0);
    assert_eq!(code(&refused), None, "another server");
}

#[test]
fn a_low_tsr_for_no_reason() {
    let mut elsewhere = engine(Symptom::CallsElsewhere, "");
    elsewhere.events.clear();
    elsewhere.failure.handoff = None;
    elsewhere.distributed[0].tsr = 50;
    listen(&mut elsewhere, "0.0.0.0:5402", 0);
    assert_eq!(code(&elsewhere), None, "without SHAREPORT there is a reason");
    elsewhere.sysplex.lpars[1].stack.shareports.insert(5402);
    assert_eq!(code(&elsewhere), is("F34"));
    let mut slow = elsewhere.clone();
    listen(&mut slow, "0.0.0.0:5402", 60);
    assert_eq!(code(&slow), None, "the server does not keep up");
    elsewhere.distributed[0].tsr = 100;
    assert_eq!(code(&elsewhere), None);
}
