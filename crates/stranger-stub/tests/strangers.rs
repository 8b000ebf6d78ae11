//! The real binary, and a victim made of this test.

#[path = "../../debugger-stub/tests/common/mod.rs"]
mod common;

use std::net::SocketAddr;

use common::{Room, exit_code, help, soon, terminate};
use dbm_protocol::frame::{self, FrameError};
use dbm_protocol::{Hello, Role};
use evidence::What;
use tokio::net::{TcpListener, TcpStream};

const BINARY: &str = env!("CARGO_BIN_EXE_stranger-stub");

async fn victim() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address").to_string();
    (listener, address)
}

/// Takes connections until there are this many.
async fn take(listener: &TcpListener, connections: usize) -> Vec<TcpStream> {
    let mut taken = Vec::new();
    while taken.len() < connections {
        taken.push(soon("a stranger", listener.accept()).await.expect("accept").0);
    }
    taken
}

async fn in_place(room: &mut Room) -> (u32, u32) {
    let pick = |what: &What| match what {
        What::StrangersInPlace { connections, refused } => Some((*connections, *refused)),
        _ => None,
    };
    room.until("strangers in place", pick).await
}

#[tokio::test]
async fn help_shows_examples() {
    assert!(help(BINARY).await.contains("Examples:"));
}

#[tokio::test]
async fn the_silent_stay_and_every_kind_of_garbage_comes() {
    let mut room = Room::new();
    let ((one, first), (other, second)) = (victim().await, victim().await);
    let mut child = room.spawn(BINARY, "strangers", &["--at", &first, &second, "--silent", "30"]);
    assert_eq!(in_place(&mut room).await, (30 + 2 * 8, 0));
    let (_silent, _) = (take(&one, 15).await, take(&other, 15).await);

    let mut roles = Vec::new();
    let mut too_long = 0;
    let mut never_ends = 0;
    for mut stream in take(&one, 8).await {
        // A whole frame comes, or the header is too long; in the noise and in half a frame nothing comes to an end.
        let read = tokio::time::timeout(std::time::Duration::from_millis(200), frame::read::<Hello>(&mut stream));
        match read.await {
            Ok(Ok(Some(hello))) => roles.push(hello.role),
            Ok(Err(FrameError::TooLong { .. } | FrameError::Cut)) => too_long += 1,
            Err(_) => never_ends += 1,
            Ok(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(roles, [Role::Miner, Role::Debugger, Role::Manager, Role::Engine, Role::Client]);
    assert_eq!((too_long, never_ends), (2, 1), "4 GiB and noise; half a frame");
    // It goes on.
    take(&one, 8).await;
    drop(child.stdin.take());
    assert_eq!(exit_code(&mut child).await, Some(0));
    room.until("stopped", |what| matches!(what, What::Stopped {}).then_some(())).await;
}

#[tokio::test]
async fn sigterm_ends_it() {
    let mut room = Room::new();
    let (_listener, address) = victim().await;
    let mut child = room.spawn(BINARY, "strangers", &["--at", &address]);
    in_place(&mut room).await;
    terminate(&child);
    assert_eq!(exit_code(&mut child).await, Some(0));
}

#[tokio::test]
async fn who_is_not_let_in_is_counted() {
    let mut room = Room::new();
    let (listener, address) = victim().await;
    drop(listener);
    let _child = room.spawn(BINARY, "strangers", &["--at", &address, "--silent", "5"]);
    assert_eq!(in_place(&mut room).await, (0, 5 + 8));
}

#[tokio::test]
async fn outside_a_lab_only_the_loopback_is_thrown_at() {
    let mut room = Room::new();
    let outside: SocketAddr = "192.0.2.1:4035".parse().expect("an address of the documentation's");
    let mut child = room.spawn(BINARY, "strangers", &["--at", &outside.to_string()]);
    let pick = |what: &What| if let What::Fatal { reason } = what { Some(reason.clone()) } else { None };
    let reason = room.until("fatal", pick).await;
    assert!(reason.contains("192.0.2.1:4035") && reason.contains("inside a lab only"), "{reason}");
    assert_eq!(exit_code(&mut child).await, Some(1));
}
