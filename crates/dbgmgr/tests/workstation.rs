//! The real workstation, Debug Miner and debugger with a real Debug Manager whose CLIENT port has TLS.

mod common;
#[path = "common/tls.rs"]
mod tls;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use client_stub::client::{self, Config};
use client_stub::hold::Hold;
use client_stub::tls::Tls;
use common::{DEADLINE, Dbgmgr, free_ports, miner, notice};
use dbm_protocol::engine::ToEngine;
use debugger_stub::job::{self, Job};
use debugger_stub::outcome::{How, Outcome};
use evidence::{Emitter, What};
use rse_stub::daemon;
use rustix::process::Signal;
use tls::Authority;
use tokio::task::{JoinHandle, LocalSet};
use tokio::time::timeout;

/// Runs what speaks for everybody but Debug Manager.
fn play<T>(scene: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    LocalSet::new()
        .block_on(&runtime, async { timeout(2 * DEADLINE, scene).await.expect("awaited the end of a session") })
}

/// An RSE daemon; where it listens, as soon as it does.
async fn rsed(run_dir: &Path) -> SocketAddr {
    let [port] = free_ports();
    let config = daemon::Config {
        port,
        port_range: None,
        run_dir: run_dir.to_owned(),
        second_port_wait: Duration::from_secs(10),
        system: "LPAR1".parse().expect("system"),
    };
    tokio::task::spawn_local(async move { daemon::run(config, Emitter::silent("RSED")).await.expect("it listens") });
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    while tokio::net::TcpStream::connect(address).await.is_err() {
        tokio::task::yield_now().await;
    }
    address
}

fn workstation(rsed: SocketAddr, tls: Option<Tls>) -> JoinHandle<Result<u32, String>> {
    let config = Config {
        user: "IBMUSER".parse().expect("user"),
        rsed,
        encrypted_first: true,
        tls,
        sessions: 1,
        breakpoint: 18,
        hold: Hold::none(),
        keep_token: false,
        pause_logon: Hold::none(),
        limit: DEADLINE,
    };
    tokio::task::spawn_local(client::run(config, Emitter::silent("CLIENT")))
}

fn submit(run_dir: &Path) -> JoinHandle<Outcome> {
    let (name, user) = ("EQATST".parse().expect("job"), "IBMUSER".parse().expect("user"));
    let job = Job { name, user, module: "EQATST".to_owned(), run_dir: run_dir.to_owned() };
    tokio::task::spawn_local(async move { job::run(&job, &Emitter::silent("EQATST")).await })
}

fn start(run_dir: &Path, words: &[String]) -> Dbgmgr {
    let [host, client] = free_ports();
    Dbgmgr::start(run_dir, host, client, &words.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn a_program_is_debugged_with_tls_to_its_end() {
    let (run, authority) = (tempfile::tempdir().expect("temp dir"), Authority::new());
    let mut dbgmgr = start(run.path(), &authority.client_tls());
    play(async {
        let tls = Tls::new(&authority.path("ca.pem"), None).expect("TLS");
        let (client, job) = (workstation(rsed(run.path()).await, Some(tls)), submit(run.path()));
        assert_eq!(job.await.expect("no panic").how, How::Debugged);
        assert_eq!(client.await.expect("no panic"), Ok(0));
    });
    let ended = dbgmgr.wait_for("the end of the relay", |w| matches!(w, What::RelayEnded { .. }));
    let What::RelayEnded { to_debugger, to_client, reason, .. } = ended else { unreachable!("just looked at") };
    assert!(to_debugger > 500 && to_client > 500, "{to_debugger} and {to_client} bytes");
    assert_eq!(reason, "");
}

#[test]
fn a_client_that_does_not_believe_debug_manager_says_so_and_one_without_tls_is_told() {
    let (run, authority, other) = (tempfile::tempdir().expect("temp dir"), Authority::new(), Authority::new());
    let mut dbgmgr = start(run.path(), &authority.client_tls());
    let tls = |authority: &Authority, name| Some(Tls::new(&authority.path("ca.pem"), name).expect("TLS"));
    for tls in [tls(&other, None), tls(&authority, Some("dbm.example")), None] {
        play(async {
            let client = workstation(rsed(run.path()).await, tls);
            submit(run.path());
            assert_eq!(client.await.expect("no panic"), Ok(1), "the one session has failed");
        });
        let refused = dbgmgr.wait_for("the refusal", |w| matches!(w, What::EngineRefused { .. }));
        assert!(matches!(&refused, What::EngineRefused { refusal, .. } if refusal.code == "tls"), "{refused:?}");
    }
}

/// What the README says of relay mode: without Debug Manager there is no session, and nobody makes it anew.
#[test]
fn a_relayed_session_is_lost_with_debug_manager() {
    let (run, authority) = (tempfile::tempdir().expect("temp dir"), Authority::new());
    let mut dbgmgr = start(run.path(), &authority.client_tls());
    let mut user = miner(dbgmgr.host, "IBMUSER");
    play(async {
        let job = submit(run.path());
        let notice = tokio::task::spawn_blocking(move || notice(&mut user)).await.expect("no panic");
        // A client that is there, and takes its time.
        let (_client, answer) = tls::attach(&notice, &authority.connector(None)).await;
        assert!(matches!(answer, ToEngine::Accepted { .. }), "{answer:?}");
        let crash = move || {
            dbgmgr.wait_for("the relay", |w| matches!(w, What::RelayStarted { .. }));
            dbgmgr.signal(Signal::KILL);
            drop(dbgmgr);
        };
        tokio::task::spawn_blocking(crash).await.expect("no panic");
        let outcome = job.await.expect("no panic");
        assert_eq!(outcome.how, How::Lost, "{outcome}");
    });
}
