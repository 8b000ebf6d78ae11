//! Sessions whose TLS ends in Debug Manager, which relays between the client and the debugger's socket.
//!
//! `RELAY_MIB` sets how much is sent in each direction (64 MiB by default).

mod common;
#[path = "common/tls.rs"]
mod tls;

use std::hash::Hasher;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::time::Duration;

use common::{DEADLINE, Dbgmgr, Debugger, Peer, ctl, free_ports, miner, no_secret_in, notice, peak_kib};
use dbm_protocol::engine::ToEngine;
use dbm_protocol::handoff::Linked;
use dbm_protocol::{Notice, RefusalCode};
use evidence::What;
use tempfile::TempDir;
use tls::Authority;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

/// A Debug Manager with TLS on its CLIENT port, and a user.
struct Room {
    run: TempDir,
    authority: Authority,
    dbgmgr: Dbgmgr,
    user: Peer,
    runtime: Runtime,
}

/// One session in relay mode.
struct Relayed {
    client: TlsStream<TcpStream>,
    debugger: UnixStream,
    host: Debugger,
    notice: Notice,
}

impl Room {
    fn new() -> Self {
        let (run, authority) = (tempfile::tempdir().expect("temp dir"), Authority::new());
        let [host, client] = free_ports();
        let words = authority.client_tls();
        let dbgmgr = Dbgmgr::start(run.path(), host, client, &words.iter().map(String::as_str).collect::<Vec<_>>());
        let user = miner(host, "IBMUSER");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        Self { run, authority, dbgmgr, user, runtime: runtime.expect("runtime") }
    }

    fn link(&mut self) -> Relayed {
        let host = Debugger::wait(self.dbgmgr.host, "IBMUSER");
        let taking = host.claim();
        let notice = notice(&mut self.user);
        let (client, answer) = self.runtime.block_on(tls::attach(&notice, &self.authority.connector(None)));
        assert!(matches!(answer, ToEngine::Accepted { .. }), "{answer:?}");
        let (linked, socket) = taking.join().expect("claimant");
        assert_eq!(linked.peer, client.get_ref().0.local_addr().expect("address"));
        let _context = self.runtime.enter();
        Relayed { client, debugger: adopt(&linked, socket), host, notice }
    }

    /// Bytes to the debugger, to the client, and why it has ended.
    fn relay_ended(&mut self) -> (u64, u64, String) {
        match self.dbgmgr.wait_for("the end of the relay", |w| matches!(w, What::RelayEnded { .. })) {
            What::RelayEnded { to_debugger, to_client, reason, .. } => (to_debugger, to_client, reason),
            other => unreachable!("just looked at: {other:?}"),
        }
    }
}

fn adopt(linked: &Linked, socket: OwnedFd) -> UnixStream {
    let domain = rustix::net::sockopt::socket_domain(&socket).expect("domain");
    assert_eq!(domain, rustix::net::AddressFamily::UNIX, "one end of a pair: {linked:?}");
    let socket = std::os::unix::net::UnixStream::from(socket);
    socket.set_nonblocking(true).expect("nonblocking");
    UnixStream::from_std(socket).expect("stream")
}

async fn soon<T>(awaited: &str, future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future).await.unwrap_or_else(|_| panic!("awaited {awaited} for {DEADLINE:?}, nothing came"))
}

/// Bytes that repeat so late that what is lost, doubled or exchanged shows.
struct Pattern(u64);

impl Pattern {
    fn fill(&mut self, bytes: &mut [u8]) {
        for eight in bytes.chunks_mut(8) {
            // Marsaglia's xorshift.
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            eight.copy_from_slice(&self.0.to_le_bytes()[..eight.len()]);
        }
    }
}

/// Sends so many bytes and says that that was all; their checksum.
async fn send(mut to: impl AsyncWrite + Unpin, seed: u64, total: usize) -> u64 {
    let (mut pattern, mut sum) = (Pattern(seed), std::hash::DefaultHasher::new());
    let mut bytes = vec![0; 64 * 1024];
    let mut left = total;
    while left > 0 {
        let n = left.min(bytes.len());
        pattern.fill(&mut bytes[..n]);
        sum.write(&bytes[..n]);
        to.write_all(&bytes[..n]).await.expect("write");
        left -= n;
    }
    to.shutdown().await.expect("the end");
    sum.finish()
}

/// Reads to the end; how many bytes, and their checksum, which does not depend on how they are cut.
async fn receive(mut from: impl AsyncRead + Unpin) -> (usize, u64) {
    let (mut total, mut sum, mut bytes) = (0, std::hash::DefaultHasher::new(), vec![0; 64 * 1024]);
    loop {
        match from.read(&mut bytes).await.expect("read") {
            0 => return (total, sum.finish()),
            n => {
                sum.write(&bytes[..n]);
                total += n;
            }
        }
    }
}

#[test]
fn every_byte_arrives_both_ways_at_once() {
    let total = std::env::var("RELAY_MIB").map_or(64, |n| n.parse().expect("a number")) * 1024 * 1024 + 1;
    let mut room = Room::new();
    let Relayed { client, debugger, host: _host, .. } = room.link();
    let before = peak_kib(&room.dbgmgr.child);
    let (from_client, to_client) = tokio::io::split(client);
    let (from_debugger, to_debugger) = tokio::io::split(debugger);
    // `to_client` is the client's own end: what it is given goes to the debugger.
    let (up, got, down, had) = room.runtime.block_on(async {
        let tasks = (
            tokio::spawn(send(to_client, 7, total)),
            tokio::spawn(receive(from_debugger)),
            tokio::spawn(send(to_debugger, 11, total)),
            tokio::spawn(receive(from_client)),
        );
        let all = async { tokio::try_join!(tasks.0, tasks.1, tasks.2, tasks.3).expect("no panic") };
        timeout(Duration::from_secs(300), all).await.expect("awaited all bytes for 300 s")
    });
    assert_eq!((got, had), ((total, up), (total, down)));
    let whole = u64::try_from(total).expect("fits");
    assert_eq!(room.relay_ended(), (whole, whole, String::new()));
    let grown = peak_kib(&room.dbgmgr.child) - before;
    assert!(grown < 4 * 1024, "{total} bytes each way made it grow by {grown} KiB");
}

#[test]
fn each_end_may_stop_talking_and_go_on_listening() {
    let mut room = Room::new();
    let Relayed { mut client, mut debugger, host: _host, .. } = room.link();
    let mut word = [0; 6];
    room.runtime.block_on(async {
        client.shutdown().await.expect("shutdown");
        assert_eq!(soon("the client's end", debugger.read(&mut word)).await.expect("read"), 0);
        debugger.write_all(b"answer").await.expect("write");
        soon("the answer", client.read_exact(&mut word)).await.expect("read");
        assert_eq!(&word, b"answer");
        drop(debugger);
        assert_eq!(soon("the debugger's end", client.read(&mut word)).await.expect("a proper end"), 0);
    });
    assert_eq!(room.relay_ended(), (0, 6, String::new()));

    let Relayed { mut client, mut debugger, host: _host, .. } = room.link();
    room.runtime.block_on(async {
        debugger.shutdown().await.expect("shutdown");
        assert_eq!(soon("the debugger's end", client.read(&mut word)).await.expect("a proper end"), 0);
        client.write_all(b"answer").await.expect("write");
        soon("the answer", debugger.read_exact(&mut word)).await.expect("read");
        assert_eq!(&word, b"answer");
    });
    // The client says no more; that nobody holds the other end any more is enough.
    drop(debugger);
    assert_eq!(room.relay_ended(), (6, 0, String::new()));
    drop(client);
}

/// Writes until nothing more is taken; how much was.
async fn until_full(to: &mut (impl AsyncWrite + Unpin), seed: u64) -> usize {
    let (mut pattern, mut bytes, mut taken) = (Pattern(seed), vec![0; 64 * 1024], 0);
    loop {
        pattern.fill(&mut bytes);
        let mut left = bytes.as_slice();
        while !left.is_empty() {
            // Waits for what must not come; a pause, as short as a machine with other work allows.
            match timeout(Duration::from_secs(1), to.write(left)).await {
                Ok(written) => left = &left[written.expect("write")..],
                Err(_) => return taken + bytes.len() - left.len(),
            }
        }
        taken += bytes.len();
        assert!(taken < 64 * 1024 * 1024, "nobody reads, and {taken} bytes were taken");
    }
}

#[test]
fn the_last_words_of_a_debugger_arrive_though_it_does_not_read_any_more() {
    let mut room = Room::new();
    let Relayed { mut client, mut debugger, host: _host, .. } = room.link();
    let said = room.runtime.block_on(async {
        let said = until_full(&mut debugger, 5).await;
        drop(debugger);
        // From here on the client's own words cannot be delivered.
        client.write_all(b"disconnect").await.expect("write");
        client.flush().await.expect("write");
        let (heard, _) = soon("the last words", receive(&mut client)).await;
        assert_eq!(heard, said);
        said
    });
    let (_, to_client, reason) = room.relay_ended();
    assert_eq!((to_client, reason.as_str()), (said as u64, ""));
}

#[test]
fn who_does_not_read_holds_up_who_writes_and_memory_does_not_grow() {
    let mut room = Room::new();
    let Relayed { mut client, mut debugger, host: _host, .. } = room.link();
    let before = peak_kib(&room.dbgmgr.child);
    room.runtime.block_on(async {
        let to_client = until_full(&mut debugger, 5).await;
        let to_debugger = until_full(&mut client, 6).await;
        println!("{to_client} bytes were taken for the client, {to_debugger} for the debugger");
    });
    let grown = peak_kib(&room.dbgmgr.child) - before;
    assert!(grown < 1024, "two who do not read made it grow by {grown} KiB");
    // The other sessions go on.
    drop(room.link());
    drop((client, debugger));
}

#[test]
fn a_client_that_vanishes_is_the_end_for_the_debugger() {
    let mut room = Room::new();
    let Relayed { client, mut debugger, host: _host, .. } = room.link();
    // The end of the connection, and not of TLS: somebody may have cut it.
    drop(client.into_inner().0);
    let heard = room.runtime.block_on(soon("the end", debugger.read(&mut [0])));
    assert!(
        matches!(&heard, Ok(0)) || heard.as_ref().is_err_and(|e| e.kind() == ErrorKind::ConnectionReset),
        "{heard:?}"
    );
    let (_, _, reason) = room.relay_ended();
    assert!(reason.starts_with("the client: "), "{reason}");
}

#[test]
fn a_token_is_worth_nothing_the_second_time_and_the_session_is_not_touched() {
    let mut room = Room::new();
    let Relayed { mut client, mut debugger, notice, host: _host } = room.link();
    let connector = room.authority.connector(None);
    room.runtime.block_on(async {
        let (mut thief, answer) = tls::attach(&notice, &connector).await;
        assert!(matches!(&answer, ToEngine::Refused(no) if no.code == RefusalCode::BadToken), "{answer:?}");
        assert_eq!(soon("the end", thief.read(&mut [0])).await.expect("a proper end"), 0);
        let mut word = [0; 6];
        for _ in 0..2 {
            client.write_all(b"EQATST").await.expect("write");
            soon("the word", debugger.read_exact(&mut word)).await.expect("read");
            debugger.write_all(&word).await.expect("write");
            soon("the echo", client.read_exact(&mut word)).await.expect("read");
            assert_eq!(&word, b"EQATST");
        }
    });
}

#[test]
fn relayed_sessions_end_with_debug_manager_and_the_operator_is_told() {
    let mut room = Room::new();
    let Relayed { mut client, mut debugger, host, .. } = room.link();
    room.dbgmgr.wait_for("the relay", |w| matches!(w, What::RelayStarted { .. }));
    assert_eq!(ctl(room.run.path(), &["P", "DBGMGR"]).0, Some(0));
    room.runtime.block_on(async {
        assert_eq!(soon("the debugger's end", debugger.read(&mut [0])).await.expect("read"), 0);
        let cut = soon("the client's end", client.read(&mut [0])).await.expect_err("TLS was not ended");
        assert!(matches!(cut.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset), "{cut}");
    });
    drop(host);
    let (code, out, err) = room.dbgmgr.end();
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("EQACM917W Debug Manager ends, and with it 1 sessions whose TLS it speaks\n"), "{out}");
}

#[test]
fn the_private_key_is_written_nowhere() {
    let (run, authority) = (tempfile::tempdir().expect("temp dir"), Authority::new());
    let [host, client] = free_ports();
    let mut words = authority.client_tls();
    words.push("DEBUG".to_owned());
    let mut dbgmgr = Dbgmgr::start(run.path(), host, client, &words.iter().map(String::as_str).collect::<Vec<_>>());
    dbgmgr.wait_for("the hub's state", |w| matches!(w, What::Hub { .. }));
    let read = |file: &str| {
        let text = std::fs::read(format!("/proc/{}/{file}", dbgmgr.child.id())).expect("proc");
        String::from_utf8_lossy(&text).into_owned()
    };
    let mut written = vec![read("cmdline"), read("environ"), serde_json::to_string(&dbgmgr.seen()).expect("events")];
    dbgmgr.signal(rustix::process::Signal::TERM);
    let (code, out, err) = dbgmgr.end();
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("DEBUG"), "it logs what goes in and out");
    written.extend([out, err]);
    let key = std::fs::read_to_string(authority.path("dbm.key")).expect("key");
    let lines: Vec<_> = key.lines().filter(|line| !line.starts_with('-')).collect();
    assert!(lines.len() > 1);
    for text in &written {
        assert!(!lines.iter().any(|line| text.contains(line)), "{text}");
        no_secret_in(text);
    }
}
