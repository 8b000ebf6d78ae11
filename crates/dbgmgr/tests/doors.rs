//! TLS at the CLIENT port: who gets in, who does not, and what it costs to be dialled by strangers.

mod common;
#[path = "common/tls.rs"]
mod tls;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use common::*;
use dbm_protocol::engine::ToEngine;
use dbm_protocol::{RefusalCode, Role};
use evidence::What;
use rustix::process::Signal;
use tls::Authority;
use tokio::io::AsyncReadExt;

fn start(run: &Path, words: &[String]) -> Dbgmgr {
    let [host, client] = free_ports();
    Dbgmgr::start(run, host, client, &words.iter().map(String::as_str).collect::<Vec<_>>())
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async { tokio::time::timeout(DEADLINE, future).await.expect("awaited an end of this") })
}

fn refused_for_tls(dbgmgr: &mut Dbgmgr) -> String {
    match dbgmgr.wait_for("the refusal", |w| matches!(w, What::EngineRefused { .. })) {
        What::EngineRefused { session: None, refusal, .. } if refusal.code == "tls" => refusal.reason,
        other => panic!("{other:?}"),
    }
}

/// What was said on the console until the end.
fn console(dbgmgr: Dbgmgr) -> String {
    dbgmgr.signal(Signal::TERM);
    let (code, out, err) = dbgmgr.end();
    assert_eq!(code, Some(0), "{err}");
    out
}

/// A session is linked with TLS.
fn link_with_tls(host: u16, user: &mut Peer, authority: &Authority) {
    let debugger = Debugger::wait(host, "IBMUSER");
    let taking = debugger.claim();
    let (_client, answer) = block_on(tls::attach(&notice(user), &authority.connector(None)));
    assert!(matches!(answer, ToEngine::Accepted { .. }), "{answer:?}");
    taking.join().expect("claimant");
}

#[test]
fn who_speaks_without_tls_is_told_so_and_the_operator_too() {
    let (run, authority) = (tempfile::tempdir().expect("temp dir"), Authority::new());
    let mut dbgmgr = start(run.path(), &authority.client_tls());
    let mut user = miner(dbgmgr.host, "IBMUSER");
    for _ in 0..3 {
        let mut engine = Peer::connect(dbgmgr.client, Role::Engine);
        let answer: ToEngine = engine.hear();
        assert!(matches!(&answer, ToEngine::Refused(no) if no.code == RefusalCode::Tls), "{answer:?}");
        assert_eq!(engine.0.read(&mut [0]).expect("an end, not a reset"), 0);
        drop(engine);
        let reason = refused_for_tls(&mut dbgmgr);
        assert!(reason.contains("speaks without TLS on the CLIENT port, and CLIENTTLS=ON here"), "{reason}");
    }
    link_with_tls(dbgmgr.host, &mut user, &authority);
    let out = console(dbgmgr);
    let said = "EQACM910W 127.0.0.1 speaks without TLS on the CLIENT port, and CLIENTTLS=ON here; on z/OS, is there an AT-TLS \
                rule for this port?\n";
    assert_eq!(out.matches(said).count(), 1, "once a minute: {out}");
}

#[test]
fn who_speaks_tls_where_there_is_none_reads_an_end_and_the_operator_is_told() {
    let (run, authority) = (tempfile::tempdir().expect("temp dir"), Authority::new());
    let mut dbgmgr = start(run.path(), &[]);
    let failed = block_on(tls::dial(dbgmgr.client, &authority.connector(None))).expect_err("no TLS");
    assert_eq!(failed.kind(), ErrorKind::UnexpectedEof, "an end, not a reset: {failed}");
    let reason = refused_for_tls(&mut dbgmgr);
    assert!(reason.contains("speaks TLS on the CLIENT port, and CLIENTTLS=OFF here"), "{reason}");
    link(dbgmgr.host, &mut miner(dbgmgr.host, "IBMUSER"), "IBMUSER");
    let out = console(dbgmgr);
    assert!(out.contains("EQACM910W 127.0.0.1 speaks TLS on the CLIENT port") && out.contains("AT-TLS"), "{out}");
}

#[test]
fn a_client_that_does_not_believe_the_certificate_goes_and_the_session_waits_on() {
    let (run, authority, other) = (tempfile::tempdir().expect("temp dir"), Authority::new(), Authority::new());
    let mut dbgmgr = start(run.path(), &authority.client_tls());
    let mut user = miner(dbgmgr.host, "IBMUSER");
    let failed = block_on(tls::dial(dbgmgr.client, &other.connector(None))).expect_err("another authority");
    assert!(failed.to_string().contains("UnknownIssuer"), "{failed}");
    let reason = refused_for_tls(&mut dbgmgr);
    assert!(reason.contains("no TLS with 127.0.0.1 on the CLIENT port: received fatal alert"), "{reason}");
    link_with_tls(dbgmgr.host, &mut user, &authority);
    assert!(console(dbgmgr).contains("EQACM910W no TLS with 127.0.0.1 on the CLIENT port"));
}

#[test]
fn a_real_client_gets_in_through_silent_connections() {
    let (run, authority) = (tempfile::tempdir().expect("temp dir"), Authority::new());
    let dbgmgr = start(run.path(), &authority.client_tls());
    let mut limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current = limit.maximum;
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).expect("descriptors");
    let mut user = miner(dbgmgr.host, "IBMUSER");
    let silent: Vec<_> = (0..1500)
        .map(|n| {
            let mut stream = TcpStream::connect(("127.0.0.1", dbgmgr.client)).expect("connect");
            if n % 2 == 0 {
                // A handshake that begins is as good as silence.
                let _ = stream.write_all(&[22, 3, 1, 2, 0, 1]);
            }
            stream
        })
        .collect();
    link_with_tls(dbgmgr.host, &mut user, &authority);
    let fds = descriptors(&dbgmgr.child);
    assert!(fds < 600, "those who have not said what they want are held to 512, but there are {fds} descriptors");
    drop(silent);
}

#[test]
fn halves_of_long_handshakes_cost_little() {
    let (run, authority) = (tempfile::tempdir().expect("temp dir"), Authority::new());
    let dbgmgr = start(run.path(), &authority.client_tls());
    let mut user = miner(dbgmgr.host, "IBMUSER");
    link_with_tls(dbgmgr.host, &mut user, &authority);
    let before = peak_kib(&dbgmgr.child);
    // A handshake message of 60,000 bytes, in records, of which the last one does not come.
    let record = |first: &[u8]| [&[22, 3, 1, 0x40, 0], first, &vec![0; 16_384 - first.len()]].concat();
    let half = [record(&[1, 0, 0xea, 0x60]), record(&[]), record(&[])].concat();
    let halves: Vec<_> = (0..400)
        .map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", dbgmgr.client)).expect("connect");
            // It may be refused before it is all there.
            let _ = stream.write_all(&half);
            stream
        })
        .collect();
    link_with_tls(dbgmgr.host, &mut user, &authority);
    let grown = peak_kib(&dbgmgr.child) - before;
    assert!(grown < 8 * 1024, "400 halves of 49,000 bytes made it grow by {grown} KiB");
    drop(halves);
}

#[test]
fn a_handshake_has_ten_seconds_like_everything_that_comes_first() {
    let (run, authority) = (tempfile::tempdir().expect("temp dir"), Authority::new());
    let dbgmgr = start(run.path(), &authority.client_tls());
    let began = Instant::now();
    let closed = |mut stream: TcpStream| {
        stream.set_read_timeout(Some(DEADLINE)).expect("timeout");
        // An alert may come before the end.
        let _ = stream.read_to_end(&mut Vec::new());
        let took = began.elapsed();
        assert!((9..15).contains(&took.as_secs()), "closed after {took:?}");
    };
    std::thread::scope(|scope| {
        let dial = || TcpStream::connect(("127.0.0.1", dbgmgr.client)).expect("connect");
        scope.spawn(move || closed(dial()));
        scope.spawn(move || {
            let mut half = dial();
            half.write_all(&[22, 3, 1, 2, 0, 1]).expect("write");
            closed(half);
        });
        scope.spawn(move || {
            let mut slow = dial();
            slow.set_read_timeout(Some(Duration::from_millis(100))).expect("timeout");
            slow.write_all(&[22, 3, 1, 0x40, 0, 1, 0, 0x3f, 0]).expect("write");
            let nothing = |e: std::io::Error| e.kind() == ErrorKind::WouldBlock;
            while began.elapsed() < DEADLINE && slow.write_all(&[0]).is_ok() && slow.read(&mut [0]).is_err_and(nothing)
            {
            }
            let took = began.elapsed();
            assert!((9..15).contains(&took.as_secs()), "byte by byte, closed after {took:?}");
        });
        // TLS is there, and then nothing.
        let (connector, client) = (authority.connector(None), dbgmgr.client);
        scope.spawn(move || {
            block_on(async {
                let mut stream = tls::dial(client, &connector).await.expect("TLS");
                // Without a last word of TLS: who says nothing is not worth one.
                let _ = stream.read(&mut [0]).await;
            });
            let took = began.elapsed();
            assert!((9..15).contains(&took.as_secs()), "closed after {took:?}");
        });
    });
}
