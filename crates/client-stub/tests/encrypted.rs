//! The real binary with `--encrypted-first`, and RSE daemons made of this test that turn TLS away, or do not.

#[path = "../../debugger-stub/tests/common/mod.rs"]
mod common;
mod rse;

use std::io::ErrorKind;

use common::{Room, exit_code, soon};
use evidence::What;
use rse::{listen, log_on};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Child;

fn start(room: &Room, port: u16, more: &[&str]) -> Child {
    let connect = format!("127.0.0.2:{port}");
    let arguments = ["--user", "IBMUSER", "--encrypted-first", "--connect", &connect];
    room.spawn(env!("CARGO_BIN_EXE_client-stub"), "CLIENT", &[&arguments, more].concat())
}

/// Takes the next connection, which must be the encrypted try; reads one whole record.
async fn accept_encrypted(rsed: &TcpListener) -> TcpStream {
    let (mut stream, _) = soon("the encrypted try", rsed.accept()).await.expect("accept");
    let mut header = [0; 5];
    soon("a record", stream.read_exact(&mut header)).await.expect("header");
    assert_eq!(header[..3], [22, 3, 1], "a handshake");
    let mut record = vec![0; u16::from_be_bytes([header[3], header[4]]).into()];
    soon("the rest of the record", stream.read_exact(&mut record)).await.expect("record");
    assert_eq!(record[0], 1, "a ClientHello");
    stream
}

/// What the client dialled, what was established, and what failed, in order.
fn connections(room: &Room) -> Vec<String> {
    let say = |what: &&What| match what {
        What::Dialling { what, .. } => Some(format!("dials {what}")),
        What::Connected { what, .. } => Some(format!("has {what}")),
        What::ConnectFailed { what, how, .. } => Some(format!("{what} {how}")),
        _ => None,
    };
    room.whats().iter().filter_map(say).collect()
}

/// The reason for which the client gave up.
async fn fatal(room: &mut Room, child: &mut Child) -> String {
    let reason = |what: &What| if let What::Fatal { reason } = what { Some(reason.clone()) } else { None };
    let reason = room.until("fatal", reason).await;
    assert_eq!(exit_code(child).await, Some(1));
    reason
}

#[tokio::test]
async fn a_logon_costs_two_connections_to_the_daemon() {
    let mut room = Room::new();
    let (rsed, port) = listen().await;
    let mut child = start(&room, port, &[]);
    let mut first = accept_encrypted(&rsed).await;
    first.shutdown().await.expect("close");
    let end = soon("the client's close", first.read(&mut [0])).await.expect("a close, not a reset");
    assert_eq!(end, 0, "nothing follows the ClientHello");
    drop(first);
    let session = log_on(&rsed).await;
    room.until("logged on", |what| matches!(what, What::LoggedOn { .. }).then_some(())).await;
    let expected = ["dials rsed_tls", "has rsed_tls", "dials rsed", "has rsed", "dials rse_server", "has rse_server"];
    assert_eq!(connections(&room), expected);
    drop(session);
    assert_eq!(exit_code(&mut child).await, Some(1), "the server is gone before a session came");
    // The client has ended, so whatever it dialled is in the queue.
    let rsed = rsed.into_std().expect("listener");
    let third = rsed.accept().expect_err("two connections");
    assert_eq!(third.kind(), ErrorKind::WouldBlock, "{third}");
}

#[tokio::test]
async fn a_reset_an_alert_and_words_without_tls_are_turning_away_too() {
    for answer in [&b""[..], &[21, 3, 3, 0, 2, 2, 40], b"\0\0\0\x02{}"] {
        let mut room = Room::new();
        let (rsed, port) = listen().await;
        let _child = start(&room, port, &[]);
        if answer.is_empty() {
            let (first, _) = soon("the encrypted try", rsed.accept()).await.expect("accept");
            assert_eq!(soon("its bytes", first.peek(&mut [0])).await.expect("peek"), 1);
            // Closing a socket with unread bytes resets the connection.
            drop(first);
        } else {
            accept_encrypted(&rsed).await.write_all(answer).await.expect("write");
        }
        let _session = log_on(&rsed).await;
        room.until("logged on", |what| matches!(what, What::LoggedOn { .. }).then_some(())).await;
        assert!(!connections(&room).iter().any(|what| what.ends_with("reset")), "{:#?}", room.whats());
    }
}

#[tokio::test]
async fn a_daemon_that_cannot_be_reached_is_not_dialled_again() {
    let mut room = Room::new();
    // A port that is bound and not listened on refuses.
    let bound = tokio::net::TcpSocket::new_v4().expect("socket");
    bound.bind("127.0.0.2:0".parse().expect("address")).expect("bind");
    let mut child = start(&room, bound.local_addr().expect("address").port(), &[]);
    let reason = fatal(&mut room, &mut child).await;
    assert!(reason.contains("rsed_tls") && reason.contains("refused"), "{reason}");
    assert_eq!(connections(&room), ["dials rsed_tls", "rsed_tls refused"]);
}

#[tokio::test]
async fn a_daemon_that_stays_silent_times_out() {
    let mut room = Room::new();
    let (rsed, port) = listen().await;
    let mut child = start(&room, port, &["--timeout", "50ms"]);
    let reason = fatal(&mut room, &mut child).await;
    assert!(reason.contains("awaited the answer to a ClientHello for 50ms"), "{reason}");
    assert_eq!(connections(&room), ["dials rsed_tls", "has rsed_tls", "rsed_tls timed_out"]);
    drop(rsed);
}

#[tokio::test]
async fn a_daemon_that_speaks_tls_is_not_for_this_client() {
    let mut room = Room::new();
    let (rsed, port) = listen().await;
    let mut child = start(&room, port, &[]);
    let mut first = accept_encrypted(&rsed).await;
    first.write_all(&[22, 3, 3, 0, 80, 2, 0, 0, 76]).await.expect("write");
    let reason = fatal(&mut room, &mut child).await;
    assert!(reason.contains("answered with TLS") && reason.contains(&port.to_string()), "{reason}");
    assert_eq!(connections(&room), ["dials rsed_tls", "has rsed_tls"]);
}
