//! What others throw at the ports, while a session is handed off all the same.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::*;
use evidence::What;

/// What is thrown: a length of 4 GiB, a frame that is not JSON, one that is the wrong JSON, half a frame, much of nothing.
fn garbage() -> Vec<Vec<u8>> {
    let frame = |body: &[u8]| [&u32::try_from(body.len()).expect("short").to_be_bytes(), body].concat();
    vec![
        vec![0xff; 4096],
        frame(b"GET / HTTP/1.1"),
        frame(br#"{"version":1,"role":"king"}"#),
        frame(br#"{"version":9,"role":"engine"}"#),
        [frame(br#"{"version":1,"role":"engine"}"#), frame(&vec![b'['; 60_000])].concat(),
        [frame(br#"{"version":1,"role":"manager"}"#), frame(br#"{"type":"join","system":"\u0000"}"#)].concat(),
        frame(b"{")[..3].to_vec(),
        vec![0; 100_000],
    ]
}

#[test]
fn a_handoff_passes_while_garbage_rains_on_all_ports() {
    let run = tempfile::tempdir().expect("temp dir");
    let [host, client, hub] = free_ports();
    let hub_words = ["HUBIP=127.0.0.1".to_owned(), format!("HUBPORT={hub}")];
    let mut dbgmgr = Dbgmgr::start(run.path(), host, client, &[&hub_words[0], &hub_words[1]]);
    dbgmgr.wait_for("primary", |w| matches!(w, What::Hub { state: evidence::HubState::Primary, .. }));
    let mut user = miner(host, "IBMUSER");
    let path = Debugger::wait(host, "NOBODY").path;
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (path, stop) = (&path, &stop);
        let rain = scope.spawn(move || {
            let mut thrown = 0_u32;
            while !stop.load(Ordering::Relaxed) {
                for bytes in garbage() {
                    for port in [host, client, hub] {
                        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
                            let _ = stream.write_all(&bytes);
                        }
                    }
                    if let Ok(mut stream) = UnixStream::connect(path) {
                        let _ = stream.write_all(&bytes);
                    }
                    thrown += 1;
                }
            }
            thrown
        });
        for _ in 0..20 {
            link(host, &mut user, "IBMUSER");
        }
        stop.store(true, Ordering::Relaxed);
        assert!(rain.join().expect("no panic") > 0);
    });
    assert!(dbgmgr.child.try_wait().expect("wait").is_none(), "it is still there");
    // Each round is a conversation with it, so this waits for what it does and not for time to pass.
    let until = Instant::now() + DEADLINE;
    while descriptors(&dbgmgr.child) > 40 {
        let left = descriptors(&dbgmgr.child);
        assert!(Instant::now() < until, "awaited that what has ended is let go; {left} descriptors are open");
        drop(miner(host, "OTHER"));
    }
    let refused = dbgmgr.seen().iter().filter(|w| matches!(w, What::EngineRefused { .. })).count();
    assert!(refused > 0, "and has refused what it was thrown");
}

#[test]
fn a_real_client_gets_in_through_2000_silent_connections() {
    let run = tempfile::tempdir().expect("temp dir");
    let [host, client] = free_ports();
    let dbgmgr = Dbgmgr::start(run.path(), host, client, &[]);
    let mut limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current = limit.maximum;
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).expect("descriptors");
    let mut user = miner(host, "IBMUSER");
    let silent: Vec<_> = (0..2000).map(|_| TcpStream::connect(("127.0.0.1", client)).expect("connect")).collect();
    link(host, &mut user, "IBMUSER");
    let fds = descriptors(&dbgmgr.child);
    assert!(fds < 600, "the silent are held to 512, but there are {fds} descriptors");
    drop(silent);
}

#[test]
fn half_frames_cost_little_until_who_sends_them_has_said_what_it_wants() {
    let run = tempfile::tempdir().expect("temp dir");
    let [host, client] = free_ports();
    let dbgmgr = Dbgmgr::start(run.path(), host, client, &[]);
    let mut user = miner(host, "IBMUSER");
    let before = peak_kib(&dbgmgr.child);
    let half = [60_000_u32.to_be_bytes().as_slice(), &[b' '; 50_000]].concat();
    let halves: Vec<_> = (0..400)
        .map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", client)).expect("connect");
            // It may be refused before it is all there.
            let _ = stream.write_all(&half);
            stream
        })
        .collect();
    link(host, &mut user, "IBMUSER");
    let grown = peak_kib(&dbgmgr.child) - before;
    assert!(grown < 8 * 1024, "400 half frames of 50,000 bytes made it grow by {grown} KiB");
    drop(halves);
}

#[test]
fn without_file_descriptors_it_goes_on_as_soon_as_it_can() {
    let run = tempfile::tempdir().expect("temp dir");
    let [host, client] = free_ports();
    let dbgmgr = Dbgmgr::start(run.path(), host, client, &[]);
    let mut user = miner(host, "IBMUSER");
    let pid = rustix::process::Pid::from_child(&dbgmgr.child);
    let few = rustix::process::Rlimit { current: Some(40), maximum: Some(40) };
    rustix::process::prlimit(Some(pid), rustix::process::Resource::Nofile, few).expect("prlimit");
    let silent: Vec<_> = (0..200).map(|_| TcpStream::connect(("127.0.0.1", client)).expect("connect")).collect();
    link(host, &mut user, "IBMUSER");
    drop(silent);
}

#[test]
fn who_says_nothing_or_too_little_is_closed_after_ten_seconds_on_every_port() {
    let run = tempfile::tempdir().expect("temp dir");
    let [host, client, hub] = free_ports();
    let hub_port = format!("HUBPORT={hub}");
    let mut dbgmgr = Dbgmgr::start(run.path(), host, client, &["HUBIP=127.0.0.1", &hub_port]);
    dbgmgr.wait_for("primary", |w| matches!(w, What::Hub { state: evidence::HubState::Primary, .. }));
    let path = Debugger::wait(host, "NOBODY").path;
    let began = Instant::now();
    let tcp = |port: u16| TcpStream::connect(("127.0.0.1", port)).expect("connect");
    let closed = |mut stream: Box<dyn Read>| {
        // What is said before the end does not matter here.
        let _ = stream.read_to_end(&mut Vec::new());
        let took = began.elapsed();
        assert!((9..15).contains(&took.as_secs()), "closed after {took:?}");
    };
    std::thread::scope(|scope| {
        for port in [host, client, hub] {
            let stream = tcp(port);
            stream.set_read_timeout(Some(DEADLINE)).expect("timeout");
            scope.spawn(move || closed(Box::new(stream)));
            // A message that comes byte by byte does not help.
            let mut slow = tcp(port);
            slow.set_read_timeout(Some(Duration::from_millis(100))).expect("timeout");
            slow.write_all(&2000_u32.to_be_bytes()).expect("write");
            scope.spawn(move || {
                let nothing = |e: std::io::Error| e.kind() == ErrorKind::WouldBlock;
                while slow.write_all(b" ").is_ok() && slow.read(&mut [0]).is_err_and(nothing) {}
                let took = began.elapsed();
                assert!((9..15).contains(&took.as_secs()), "closed after {took:?}");
            });
        }
        let stream = UnixStream::connect(&path).expect("connect");
        stream.set_read_timeout(Some(DEADLINE)).expect("timeout");
        scope.spawn(move || closed(Box::new(stream)));
    });
    link(host, &mut miner(host, "IBMUSER"), "IBMUSER");
}
