//! The real binary, with a client and a Debug Manager made of this test.

#[path = "../../debugger-stub/tests/common/mod.rs"]
mod common;

use std::net::SocketAddr;
use std::time::Instant;

use common::{Room, exit_code, help, soon, terminate};
use dbm_protocol::host::{FromMiner, ToMiner};
use dbm_protocol::rse::{FromDaemon, FromServer, ToDaemon, ToServer};
use dbm_protocol::{Hello, Notice, RefusalCode, Role, Token, frame};
use evidence::What;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Child;

const BINARY: &str = env!("CARGO_BIN_EXE_rse-stub");

/// Starts the daemon and returns where it listens.
async fn start(room: &mut Room, more: &[&str]) -> (Child, SocketAddr) {
    let run_dir = room.run_dir().display().to_string();
    let child = room.spawn(BINARY, "RSED", &[&["--port", "0", "--run-dir", &run_dir], more].concat());
    let port = room
        .until("listening as rsed", |what| match what {
            What::Listening { role, address } if role == "rsed" => Some(address.port()),
            _ => None,
        })
        .await;
    (child, ([127, 0, 0, 1], port).into())
}

async fn dial(address: SocketAddr) -> TcpStream {
    let mut stream = soon("connect", TcpStream::connect(address)).await.expect("connect");
    frame::write(&mut stream, &Hello::new(Role::Client)).await.expect("write");
    stream
}

async fn next<T: serde::de::DeserializeOwned>(stream: &mut TcpStream) -> T {
    soon("a message", frame::read(stream)).await.expect("frame").expect("not the end")
}

async fn log_on(address: SocketAddr) -> (SocketAddr, Token) {
    let mut stream = dial(address).await;
    let logon = ToDaemon::Logon { user: "IBMUSER".parse().expect("user") };
    frame::write(&mut stream, &logon).await.expect("write");
    let FromDaemon::Server { port, ticket } = next(&mut stream).await else { panic!("expected a server") };
    assert!(soon("the close", frame::read::<FromDaemon>(&mut stream)).await.expect("clean end").is_none());
    (SocketAddr::new(address.ip(), port), ticket)
}

async fn open(address: SocketAddr, ticket: Token) -> TcpStream {
    let mut stream = dial(address).await;
    frame::write(&mut stream, &ToServer::Open { ticket }).await.expect("write");
    stream
}

/// Takes one registration.
async fn registration(room: &Room, host: &TcpListener) -> TcpStream {
    let (mut miner, _) = soon("the Debug Miner", host.accept()).await.expect("accept");
    assert_eq!(next::<Hello>(&mut miner).await, Hello::new(Role::Miner));
    room.logged_on(&mut miner, Role::Miner, "IBMUSER").await;
    let FromMiner::Register { user } = next(&mut miner).await;
    assert_eq!(user.as_str(), "IBMUSER");
    let registered = ToMiner::Registered { system: "LPAR1".parse().expect("system") };
    frame::write(&mut miner, &registered).await.expect("write");
    miner
}

fn registered(what: &What) -> Option<u16> {
    if let What::MinerRegistered { host_port, .. } = what { Some(*host_port) } else { None }
}

#[tokio::test]
async fn help_shows_examples() {
    let text = help(BINARY).await;
    assert!(text.contains("Examples:") && text.contains("8108-8118"), "{text}");
}

#[tokio::test]
async fn a_user_logs_on_is_registered_is_notified_and_logs_off() {
    let mut room = Room::new();
    let host = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let _pair = room.publish(host.local_addr().expect("address").port());
    let (mut child, rsed) = start(&mut room, &[]).await;
    let (server, ticket) = log_on(rsed).await;
    let mut client = open(server, ticket).await;
    let mut miner = registration(&room, &host).await;
    let FromServer::Opened { user, registered, .. } = next(&mut client).await else { panic!("expected opened") };
    assert!(registered && user.as_str() == "IBMUSER");
    // The second port is held only until the client is there.
    assert!(TcpStream::connect(server).await.is_err(), "{server} is still open");

    let notice = Notice {
        session: "LPAR2.1".parse().expect("session"),
        user,
        job: "EQATST".parse().expect("job"),
        system: "LPAR2".parse().expect("system"),
        port: 5335,
        token: Token::random().expect("token"),
    };
    frame::write(&mut miner, &ToMiner::SessionWaiting { notice: notice.clone() }).await.expect("write");
    assert_eq!(next::<FromServer>(&mut client).await, FromServer::SessionWaiting { notice });

    frame::write(&mut client, &ToServer::Logoff {}).await.expect("write");
    let end = soon("the end of the registration", miner.read(&mut [0])).await.expect("read");
    assert_eq!(end, 0, "logoff drops the registration");
    room.until("logoff", |what| matches!(what, What::Logoff { .. }).then_some(())).await;
    terminate(&child);
    assert_eq!(exit_code(&mut child).await, Some(0));
    room.until("stopped", |what| matches!(what, What::Stopped {}).then_some(())).await;
    let expected = [
        "listening",
        "ready",
        "logon",
        "listening",
        "logon_complete",
        "miner_registered",
        "client_notified",
        "logoff",
        "stopped",
    ];
    assert_eq!(room.names(), expected);
}

#[tokio::test]
async fn strangers_on_the_second_port_do_not_keep_the_client_out() {
    let mut room = Room::new();
    let (_child, rsed) = start(&mut room, &[]).await;
    let (server, ticket) = log_on(rsed).await;
    let _silent = TcpStream::connect(server).await.expect("connect");
    let mut thief = open(server, Token::from_bytes([0; 16])).await;
    let FromServer::Refused(no) = next(&mut thief).await else { panic!("expected refused") };
    assert_eq!(no.code, RefusalCode::BadToken);
    let mut client = open(server, ticket.clone()).await;
    // No Debug Manager runs on this system: the user is logged on all the same.
    let FromServer::Opened { registered, .. } = next(&mut client).await else { panic!("expected opened") };
    assert!(!registered);
    let reason = room
        .until("miner_failed", |what| match what {
            What::MinerFailed { reason, .. } => Some(reason.clone()),
            _ => None,
        })
        .await;
    assert!(reason.contains("no name/token pair"), "{reason}");
}

#[tokio::test]
async fn a_client_gets_in_through_silent_connections_on_both_ports() {
    let mut room = Room::new();
    let (_child, rsed) = start(&mut room, &[]).await;
    let mut silent = Vec::new();
    for _ in 0..600 {
        silent.push(soon("connect", TcpStream::connect(rsed)).await.expect("connect"));
    }
    let (server, ticket) = log_on(rsed).await;
    for _ in 0..40 {
        let mut stream = soon("connect", TcpStream::connect(server)).await.expect("connect");
        // Half a frame is as good as silence.
        stream.write_all(b"\0\0\x01\0{").await.expect("write");
        silent.push(stream);
    }
    let _client = open(server, ticket).await;
    room.until("logon complete", |what| matches!(what, What::LogonComplete { .. }).then_some(())).await;
    // Who is still heard is held, who is too many is not.
    let first = soon("the end of the oldest", silent[0].read(&mut [0])).await;
    assert!(matches!(first, Ok(0) | Err(_)), "{first:?}");
}

#[tokio::test]
async fn who_says_nothing_or_too_little_is_closed_after_ten_seconds_on_both_ports() {
    let mut room = Room::new();
    let (_child, rsed) = start(&mut room, &["--second-port-wait", "1min"]).await;
    let (server, ticket) = log_on(rsed).await;
    let began = Instant::now();
    // The refusal of one who was too slow, and the end.
    let closed = |mut stream: TcpStream| async move {
        let mut said = Vec::new();
        let _ = soon("the end", stream.read_to_end(&mut said)).await;
        let took = began.elapsed();
        assert!((9..15).contains(&took.as_secs()), "closed after {took:?}");
        assert!(String::from_utf8_lossy(&said).contains("timeout"), "{}", String::from_utf8_lossy(&said));
    };
    let mut all = Vec::new();
    for address in [rsed, server] {
        all.push(tokio::spawn(closed(TcpStream::connect(address).await.expect("connect"))));
        all.push(tokio::spawn(closed(dial(address).await)));
        let mut half = TcpStream::connect(address).await.expect("connect");
        half.write_all(b"\0\0\x01\0{").await.expect("write");
        all.push(tokio::spawn(closed(half)));
    }
    for one in all {
        one.await.expect("closed in time");
    }
    // Who means it still gets in.
    let _client = open(server, ticket).await;
    room.until("logon complete", |what| matches!(what, What::LogonComplete { .. }).then_some(())).await;
}

#[tokio::test]
async fn a_first_message_that_is_too_long_is_refused_before_it_is_all_there() {
    let mut room = Room::new();
    let (_child, rsed) = start(&mut room, &[]).await;
    let mut stream = TcpStream::connect(rsed).await.expect("connect");
    // A frame of 60,000 bytes, of which few more come than a first message may have.
    stream.write_all(&60_000_u32.to_be_bytes()).await.expect("write");
    stream.write_all(&[b' '; 4092]).await.expect("write");
    let FromDaemon::Refused(no) = next(&mut stream).await else { panic!("expected refused") };
    assert_eq!(
        (no.code, no.reason.as_str()),
        (RefusalCode::BadMessage, "a message of more than 4096 bytes, expected a hello")
    );
}

#[tokio::test]
async fn the_debug_miner_finds_a_debug_manager_that_starts_later_and_one_that_restarts() {
    let mut room = Room::new();
    let (_child, rsed) = start(&mut room, &[]).await;
    let (server, ticket) = log_on(rsed).await;
    let _client = open(server, ticket).await;
    room.until("miner_failed", |what| matches!(what, What::MinerFailed { .. }).then_some(())).await;
    for _ in 0..2 {
        let host = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let port = host.local_addr().expect("address").port();
        let pair = room.publish(port);
        let miner = registration(&room, &host).await;
        assert_eq!(room.until("miner_registered", registered).await, port);
        drop((pair, host, miner));
        room.until("miner_failed", |what| matches!(what, What::MinerFailed { .. }).then_some(())).await;
    }
}

#[tokio::test]
async fn a_client_that_does_not_come_back_is_given_up() {
    let mut room = Room::new();
    let (_child, rsed) = start(&mut room, &["--second-port-wait", "50ms"]).await;
    let (server, _ticket) = log_on(rsed).await;
    let reason = room
        .until("logon_abandoned", |what| match what {
            What::LogonAbandoned { reason, .. } => Some(reason.clone()),
            _ => None,
        })
        .await;
    assert!(reason.contains("50ms"), "{reason}");
    assert!(TcpStream::connect(server).await.is_err(), "{server} is still open");
}

#[tokio::test]
async fn garbage_is_refused_and_hurts_nobody() {
    let mut room = Room::new();
    let (_child, rsed) = start(&mut room, &[]).await;
    let lines: [&[u8]; 4] = [b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\x02{}", b"\x16\x03\x01\x02\0\x01\0\x01\xfc", b"\0\0"];
    for garbage in lines {
        let mut stream = TcpStream::connect(rsed).await.expect("connect");
        stream.write_all(garbage).await.expect("write");
        stream.shutdown().await.expect("shutdown");
        let mut answer = Vec::new();
        // The daemon may reset the connection, since it did not read all of it.
        let _ = soon("the end", stream.read_to_end(&mut answer)).await;
    }
    let mut stream = TcpStream::connect(rsed).await.expect("connect");
    frame::write(&mut stream, &Hello { version: 99, role: Role::Client }).await.expect("write");
    let FromDaemon::Refused(no) = next(&mut stream).await else { panic!("expected refused") };
    assert_eq!(no.code, RefusalCode::Version);
    let mut stream = TcpStream::connect(rsed).await.expect("connect");
    frame::write(&mut stream, &Hello::new(Role::Miner)).await.expect("write");
    let FromDaemon::Refused(no) = next(&mut stream).await else { panic!("expected refused") };
    assert_eq!(no.code, RefusalCode::Role);
    log_on(rsed).await;
}

#[tokio::test]
async fn a_client_that_tries_tls_reads_a_close_and_gets_in_without() {
    let mut room = Room::new();
    let (_child, rsed) = start(&mut room, &[]).await;
    let (server, ticket) = log_on(rsed).await;
    let header = [22, 3, 1, 2, 0];
    for address in [rsed, server] {
        // All at once, and cut where the daemon has seen enough.
        for cut in [0, 4] {
            let mut stream = soon("connect", TcpStream::connect(address)).await.expect("connect");
            let hello = [&header[..], &[1; 512]].concat();
            stream.write_all(&hello[..cut]).await.expect("write");
            stream.write_all(&hello[cut..]).await.expect("write");
            let mut answer = Vec::new();
            soon("the close", stream.read_to_end(&mut answer)).await.expect("a close, not a reset");
            assert!(answer.is_empty(), "{answer:?}");
        }
    }
    let _client = open(server, ticket).await;
    log_on(rsed).await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_fatal() {
    let taken = TcpListener::bind("0.0.0.0:0").await.expect("bind");
    let mut room = Room::new();
    let port = taken.local_addr().expect("address").port().to_string();
    let mut child = room.spawn(BINARY, "RSED", &["--port", &port]);
    let reason = room
        .until("fatal", |what| match what {
            What::Fatal { reason } => Some(reason.clone()),
            _ => None,
        })
        .await;
    assert!(reason.contains(&port), "{reason}");
    assert_eq!(exit_code(&mut child).await, Some(1));
}
