//! Servers and callers for a test, and what their events say. Shared by the integration tests of this crate.

#![allow(dead_code, reason = "each test binary uses its own part")]

#[path = "../../../debugger-stub/tests/common/mod.rs"]
pub(crate) mod common;

use std::net::SocketAddr;

use common::Room;
use evidence::What;
use tokio::io::AsyncWriteExt;
use tokio::process::Child;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_traffic-stub");

/// A server and the address it listens at.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    pub(crate) async fn start(room: &mut Room, more: &[&str]) -> Self {
        let serve = ["serve", "--port", "0", "--bind", "127.0.0.1"];
        let child = room.spawn(BINARY, "SERVER", &[&serve, more].concat());
        let address = listening(room).await;
        room.until("ready", |what| matches!(what, What::Ready {}).then_some(())).await;
        Self { child, address }
    }

    pub(crate) async fn order(&mut self, lines: &str) {
        order(&mut self.child, lines).await;
    }
}

pub(crate) async fn order(child: &mut Child, lines: &str) {
    let stdin = child.stdin.as_mut().expect("piped");
    stdin.write_all(lines.as_bytes()).await.expect("it reads");
}

pub(crate) async fn listening(room: &mut Room) -> SocketAddr {
    room.until("listening", |what| match what {
        What::Listening { role, address } if role == "server" => Some(*address),
        _ => None,
    })
    .await
}

pub(crate) fn call(room: &Room, to: SocketAddr, more: &str) -> Child {
    let to = to.to_string();
    let more: Vec<&str> = more.split_whitespace().collect();
    room.spawn(BINARY, "CALLER", &[&["call", "--name", "A", "--to", &to], more.as_slice()].concat())
}

/// (answered, failed)
pub(crate) async fn placed(room: &mut Room) -> (u32, u32) {
    room.until("every call to be tried", |what| match what {
        What::CallsPlaced { answered, failed, .. } => Some((*answered, *failed)),
        _ => None,
    })
    .await
}

#[derive(Debug, PartialEq)]
pub(crate) struct Ended {
    pub(crate) complete: u32,
    pub(crate) failed: u32,
    pub(crate) bytes: u64,
    pub(crate) longest_silence_us: u64,
}

pub(crate) async fn ended(room: &mut Room) -> Ended {
    room.until("every call to end", |what| match *what {
        What::CallsEnded { complete, failed, bytes, longest_silence_us, .. } => {
            Some(Ended { complete, failed, bytes, longest_silence_us })
        }
        _ => None,
    })
    .await
}

/// Number and way of each call that failed, in the order of their events.
pub(crate) fn failures(room: &Room) -> Vec<(u32, &str, &str)> {
    let failure = |what| match what {
        &What::CallFailed { number, ref how, ref reason, .. } => Some((number, how.as_str(), reason.as_str())),
        _ => None,
    };
    room.whats().into_iter().filter_map(failure).collect()
}

pub(crate) fn answers(room: &Room) -> Vec<(u32, SocketAddr, SocketAddr, &str)> {
    let answer = |what| match what {
        &What::Answered { number, local, peer, ref on, .. } => Some((number, local, peer, on.as_str())),
        _ => None,
    };
    room.whats().into_iter().filter_map(answer).collect()
}

pub(crate) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
