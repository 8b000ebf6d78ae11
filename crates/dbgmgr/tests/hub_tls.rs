//! HUBTLS=ON: the hub's partners show each other certificates.

mod common;
#[path = "common/tls.rs"]
mod tls;

use std::path::Path;

use common::*;
use dbm_protocol::engine::ToEngine;
use dbm_protocol::hub::HubMessage;
use dbm_protocol::{Hello, RefusalCode, Role, frame};
use evidence::{HubState, What};
use rustix::process::Signal;
use tls::Authority;
use tokio_rustls::TlsConnector;

fn start(run: &Path, hub: u16, words: &[String]) -> Dbgmgr {
    let [host, client] = free_ports();
    let mut all = vec!["HUBIP=127.0.0.1".to_owned(), format!("HUBPORT={hub}")];
    all.extend_from_slice(words);
    Dbgmgr::start(run, host, client, &all.iter().map(String::as_str).collect::<Vec<_>>())
}

fn role(dbgmgr: &mut Dbgmgr, wanted: HubState) -> String {
    match dbgmgr.wait_for(&format!("{wanted:?}"), |w| matches!(w, What::Hub { state, .. } if *state == wanted)) {
        What::Hub { reason, .. } => reason,
        other => unreachable!("just looked at: {other:?}"),
    }
}

/// Says who it is as a secondary does; the answer, or how the connection failed.
fn join(hub: u16, connector: &TlsConnector) -> Result<HubMessage, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    let talk = async {
        let mut stream = tls::dial(hub, connector).await.map_err(|e| e.to_string())?;
        let join = HubMessage::Join { system: "LPAR9".parse().expect("system"), trusted: false };
        frame::write(&mut stream, &Hello::new(Role::Manager)).await.map_err(|e| e.to_string())?;
        frame::write(&mut stream, &join).await.map_err(|e| e.to_string())?;
        frame::read(&mut stream).await.map_err(|e| e.to_string())?.ok_or_else(|| "the end".to_owned())
    };
    runtime.block_on(async { tokio::time::timeout(DEADLINE, talk).await.expect("awaited an answer of the hub") })
}

fn refused_for_tls(dbgmgr: &mut Dbgmgr) -> String {
    match dbgmgr.wait_for("the refusal", |w| matches!(w, What::HubRefused { .. })) {
        What::HubRefused { refusal, .. } if refusal.code == "tls" => refusal.reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_session_crosses_a_hub_with_tls_to_a_client_with_tls() {
    let run = [(), ()].map(|()| tempfile::tempdir().expect("temp dir"));
    let (authority, [hub]) = (Authority::new(), free_ports());
    let mut one = start(run[0].path(), hub, &authority.hub_tls("lpar1"));
    role(&mut one, HubState::Primary);
    // The clients of the second one have TLS, too.
    let mut two = start(run[1].path(), hub, &[authority.hub_tls("lpar2"), authority.client_tls()].concat());
    role(&mut two, HubState::Secondary);
    let mut user = miner(one.host, "IBMUSER");
    let job = Debugger::wait(two.host, "IBMUSER");
    let taking = job.claim();
    let told = notice(&mut user);
    assert_eq!((&told.session, told.port), (&job.session, two.client));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    let (_engine, answer) = runtime.block_on(tls::attach(&told, &authority.connector(None)));
    assert!(matches!(answer, ToEngine::Accepted { .. }), "{answer:?}");
    taking.join().expect("claimant");
    two.wait_for("the link", |w| matches!(w, What::Linked { .. }));

    // The primary goes and comes back; the secondary finds it, and its user finds it.
    one.signal(Signal::KILL);
    let (host, client) = (one.host, one.client);
    one.end();
    let words = authority.hub_tls("lpar1");
    let hub_words = ["HUBIP=127.0.0.1".to_owned(), format!("HUBPORT={hub}")];
    let words: Vec<_> = hub_words.iter().chain(&words).map(String::as_str).collect();
    let mut one = Dbgmgr::start(run[0].path(), host, client, &words);
    one.wait_for("a role", |w| matches!(w, What::Hub { state: HubState::Primary | HubState::Secondary, .. }));
    let mut user = miner(host, "LATE");
    let _job = Debugger::wait(two.host, "LATE");
    notice(&mut user);
}

#[test]
fn without_a_certificate_of_the_authority_nobody_joins() {
    let run = tempfile::tempdir().expect("temp dir");
    let (authority, stranger, [hub]) = (Authority::new(), Authority::new(), free_ports());
    let mut dbgmgr = start(run.path(), hub, &authority.hub_tls("lpar1"));
    role(&mut dbgmgr, HubState::Primary);

    let no = join(hub, &authority.connector(None)).expect_err("no certificate");
    assert!(no.contains("CertificateRequired"), "{no}");
    let reason = refused_for_tls(&mut dbgmgr);
    assert!(reason.contains("no TLS with 127.0.0.1 on the HUB port: peer sent no certificates"), "{reason}");

    // Who believes the primary, and has a certificate from elsewhere.
    stranger.issue("lpar9", &["127.0.0.1"]);
    for file in ["lpar9.pem", "lpar9.key"] {
        std::fs::copy(stranger.path(file), authority.path(file)).expect("copy");
    }
    let no = join(hub, &authority.connector(Some("lpar9"))).expect_err("of another authority");
    assert!(no.contains("UnknownCA") || no.contains("Unknown"), "{no}");
    let reason = refused_for_tls(&mut dbgmgr);
    assert!(reason.contains("invalid peer certificate: UnknownIssuer"), "{reason}");

    // One who does not believe the primary.
    stranger.issue("own", &["127.0.0.1"]);
    let no = join(hub, &stranger.connector(Some("own"))).expect_err("another primary than it believes");
    assert!(no.contains("UnknownIssuer"), "{no}");

    let mut plain = Peer::connect(hub, Role::Manager);
    let answer: HubMessage = plain.hear();
    assert!(matches!(&answer, HubMessage::Refused(no) if no.code == RefusalCode::Tls), "{answer:?}");

    authority.issue("lpar9", &["127.0.0.1"]);
    let answer = join(hub, &authority.connector(Some("lpar9"))).expect("an answer");
    assert!(matches!(answer, HubMessage::Welcome { .. }), "{answer:?}");
    dbgmgr.signal(Signal::TERM);
    let (_, out, _) = dbgmgr.end();
    assert_eq!(out.matches("EQACM910W").count(), 1, "once a minute: {out}");
}

#[test]
fn one_with_and_one_without_tls_stay_alone_and_say_why() {
    let run = [(), (), ()].map(|()| tempfile::tempdir().expect("temp dir"));
    let authority = Authority::new();
    let [hub, plain_hub] = free_ports();
    let mut with = start(run[0].path(), hub, &authority.hub_tls("lpar1"));
    role(&mut with, HubState::Primary);
    let mut without = start(run[1].path(), hub, &[]);
    let reason = role(&mut without, HubState::Standalone);
    assert!(reason.contains("the primary said no: TLS is spoken on this port"), "{reason}");
    let reason = refused_for_tls(&mut with);
    assert!(reason.contains("speaks without TLS on the HUB port, and HUBTLS=ON here"), "{reason}");

    drop(without);
    let mut plain = start(run[1].path(), plain_hub, &[]);
    role(&mut plain, HubState::Primary);
    let mut secure = start(run[2].path(), plain_hub, &authority.hub_tls("lpar2"));
    let reason = role(&mut secure, HubState::Standalone);
    assert!(reason.contains("ended the connection in the handshake; has it no TLS (HUBTLS)?"), "{reason}");
    let reason = refused_for_tls(&mut plain);
    assert!(reason.contains("speaks TLS on the HUB port, and HUBTLS=OFF here"), "{reason}");
}

#[test]
fn a_primary_whose_certificate_is_for_another_address_is_not_believed() {
    let run = [(), ()].map(|()| tempfile::tempdir().expect("temp dir"));
    let (authority, [hub]) = (Authority::new(), free_ports());
    let words = authority.hub_tls("lpar1");
    authority.issue("lpar1", &["9.9.9.1"]);
    let mut one = start(run[0].path(), hub, &words);
    role(&mut one, HubState::Primary);
    let mut two = start(run[1].path(), hub, &authority.hub_tls("lpar2"));
    let reason = role(&mut two, HubState::Standalone);
    assert!(reason.contains("certificate not valid for name"), "{reason}");
}
