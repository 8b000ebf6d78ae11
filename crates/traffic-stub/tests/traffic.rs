//! The real binary as server and as caller, on the loopback.

mod calls;

use std::net::SocketAddr;

use calls::common::{DEADLINE, Room, exit_code, help, soon, terminate};
use calls::{BINARY, Ended, Server, answers, call, ended, failures, host_name, listening, order, placed};
use evidence::What;
use tokio::net::TcpStream;

#[tokio::test]
async fn help_shows_examples() {
    assert!(help(BINARY).await.contains("Examples:"));
}

#[tokio::test]
async fn calls_are_answered_one_after_the_other() {
    let mut room = Room::new();
    let server = Server::start(&mut room, &[]).await;
    let mut child = call(&room, server.address, "--count 3 --from 127.0.0.9 --source-ports 2001-2003");
    assert_eq!(placed(&mut room).await, (3, 0));
    assert_eq!(ended(&mut room).await, Ended { complete: 3, failed: 0, bytes: 0, longest_silence_us: 0 });
    assert_eq!(exit_code(&mut child).await, Some(0));
    let on = host_name();
    let local = |port| SocketAddr::from(([127, 0, 0, 9], port));
    let expected: Vec<_> = (1..=3u16).map(|n| (n.into(), local(2000 + n), server.address, on.as_str())).collect();
    assert_eq!(answers(&room), expected);
}

#[tokio::test]
async fn several_addresses_are_called_in_turn_with_ipv6_where_there_is_some() {
    let mut room = Room::new();
    let mut child = room.spawn(BINARY, "SERVER", &["serve", "--port", "0", "0"]);
    let (first, second) = (listening(&mut room).await, listening(&mut room).await);
    let any = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let (one, mut other) = (any(first.port()), any(second.port()));
    if first.is_ipv6() && std::net::TcpListener::bind("[::1]:0").is_ok() {
        other.set_ip("::1".parse().expect("address"));
    }
    let _calls = call(&room, one, &format!("--to {other} --count 4 --keep 1ms"));
    assert_eq!(placed(&mut room).await, (4, 0));
    assert_eq!(ended(&mut room).await.complete, 4);
    let peers: Vec<_> = answers(&room).into_iter().map(|(number, _, peer, _)| (number, peer)).collect();
    assert_eq!(peers, [(1, one), (2, other), (3, one), (4, other)]);
    terminate(&child);
    assert_eq!(exit_code(&mut child).await, Some(0));
    room.until("stopped", |what| matches!(what, What::Stopped {}).then_some(())).await;
}

#[tokio::test]
async fn where_nobody_listens_calls_are_refused() {
    let mut room = Room::new();
    let mut server = Server::start(&mut room, &[]).await;
    let mut held = call(&room, server.address, "--count 1 --hold");
    assert_eq!(placed(&mut room).await, (1, 0));
    // Closed: what is there stays, what comes is refused.
    server.order("close\n").await;
    let address = server.address;
    soon("a refused connection", async { while TcpStream::connect(address).await.is_ok() {} }).await;
    let mut child = call(&room, server.address, "--count 2 --parallel 2");
    assert_eq!(placed(&mut room).await, (0, 2));
    assert_eq!(ended(&mut room).await.failed, 2);
    assert_eq!(exit_code(&mut child).await, Some(0), "failed calls are the events' to say");
    assert!(failures(&room).iter().all(|(_, how, _)| *how == "refused"), "{:#?}", room.whats());
    order(&mut held, "finish\n").await;
    assert_eq!(ended(&mut room).await, Ended { complete: 1, failed: 0, bytes: 4096, ..zero_but_silence(&room) });
    // And again.
    server.order("listen\n").await;
    assert_eq!(listening(&mut room).await, server.address);
    let _child = call(&room, server.address, "--count 1");
    assert_eq!(placed(&mut room).await, (1, 0));
}

/// The silence that was seen last; it is another each time.
fn zero_but_silence(room: &Room) -> Ended {
    let silence = |what: &&What| {
        if let What::CallsEnded { longest_silence_us, .. } = what { Some(*longest_silence_us) } else { None }
    };
    let longest_silence_us = room.whats().iter().rev().find_map(silence).expect("calls have ended");
    Ended { complete: 0, failed: 0, bytes: 0, longest_silence_us }
}

#[tokio::test]
async fn held_calls_stay_until_they_are_finished_and_are_checked_then() {
    let mut room = Room::new();
    let server = Server::start(&mut room, &[]).await;
    let mut child = call(&room, server.address, "--count 50 --parallel 8 --hold");
    assert_eq!(placed(&mut room).await, (50, 0));
    order(&mut child, "what\nfinish\n").await;
    let ended = ended(&mut room).await;
    assert_eq!((ended.complete, ended.failed, ended.bytes), (50, 0, 50 * 4096));
    assert_eq!(exit_code(&mut child).await, Some(0));
}

#[tokio::test]
async fn who_holds_ends_with_its_input_or_when_terminated() {
    for by_signal in [false, true] {
        let mut room = Room::new();
        let server = Server::start(&mut room, &[]).await;
        let mut child = call(&room, server.address, "--count 2 --hold");
        assert_eq!(placed(&mut room).await, (2, 0));
        if by_signal {
            terminate(&child);
        } else {
            drop(child.stdin.take());
        }
        assert_eq!(exit_code(&mut child).await, Some(0));
        room.until("stopped", |what| matches!(what, What::Stopped {}).then_some(())).await;
        assert!(!room.names().contains(&"calls_ended".to_owned()), "{:#?}", room.names());
    }
}

#[tokio::test]
async fn a_held_call_that_breaks_is_said_once_and_at_once() {
    let mut room = Room::new();
    let mut server = Server::start(&mut room, &[]).await;
    let mut child = call(&room, server.address, "--count 2 --hold");
    assert_eq!(placed(&mut room).await, (2, 0));
    server.child.kill().await.expect("kill");
    for _ in 0..2 {
        room.until("a broken call", |what| matches!(what, What::CallFailed { .. }).then_some(())).await;
    }
    order(&mut child, "finish\n").await;
    let ended = ended(&mut room).await;
    assert_eq!((ended.complete, ended.failed), (0, 2));
    assert_eq!(failures(&room).len(), 2);
}

#[tokio::test]
async fn a_server_that_stops_accepting_lets_calls_time_out() {
    let mut room = Room::new();
    let mut server = Server::start(&mut room, &["--backlog", "1"]).await;
    // The last order has an event, so the first is carried out when that comes.
    server.order("stop accepting\nclose\nlisten\n").await;
    assert_eq!(listening(&mut room).await, server.address);
    let mut child = call(&room, server.address, "--count 4 --timeout 200ms");
    assert_eq!(placed(&mut room).await, (0, 4));
    assert_eq!(exit_code(&mut child).await, Some(0));
    let failures = failures(&room);
    assert!(failures.iter().all(|(_, how, _)| *how == "timed_out"), "{failures:#?}");
    // Linux queues one more than the backlog; those are established and hear nothing, the others are not.
    let awaited: Vec<&str> = failures.iter().filter_map(|(_, _, reason)| reason.split(' ').nth(2)).collect();
    assert_eq!(awaited, ["greeting", "greeting", "connection", "connection"], "{failures:#?}");

    server.order("go on\n").await;
    let mut room = room;
    let _child = call(&room, server.address, "--count 3 --timeout 10s");
    assert_eq!(placed(&mut room).await, (3, 0));
}

#[tokio::test]
async fn transfers_are_checked_paced_and_end_by_themselves() {
    let mut room = Room::new();
    let server = Server::start(&mut room, &[]).await;
    let mut child = call(&room, server.address, "--count 4 --get 50000 --rate 100000");
    let start = std::time::Instant::now();
    assert_eq!(placed(&mut room).await, (4, 0));
    assert!(!room.names().contains(&"calls_ended".to_owned()));
    let ended = ended(&mut room).await;
    assert_eq!((ended.complete, ended.failed, ended.bytes), (4, 0, 200_000));
    assert!(start.elapsed().as_millis() >= 400, "half a second at this rate: {:?}", start.elapsed());
    assert!(ended.longest_silence_us > 1000, "there is a pause between two ticks: {ended:?}");
    assert_eq!(exit_code(&mut child).await, Some(0));

    let mut child = call(&room, server.address, "--count 2 --parallel 2 --get 30000001 --hold");
    assert_eq!(placed(&mut room).await, (2, 0));
    assert_eq!(self::ended(&mut room).await.bytes, 60_000_002);
    assert_eq!(exit_code(&mut child).await, Some(0));
    assert_eq!(failures(&room), []);
}

#[tokio::test]
async fn a_server_killed_amid_transfers_breaks_them() {
    let mut room = Room::new();
    let mut server = Server::start(&mut room, &[]).await;
    let mut child = call(&room, server.address, "--count 3 --get 100000000 --rate 1000000");
    assert_eq!(placed(&mut room).await, (3, 0));
    server.child.kill().await.expect("kill");
    let ended = ended(&mut room).await;
    assert_eq!((ended.complete, ended.failed), (0, 3));
    let failures = failures(&room);
    assert_eq!(failures.len(), 3);
    assert!(failures.iter().all(|(_, how, _)| ["closed", "reset"].contains(how)), "{failures:#?}");
    assert_eq!(exit_code(&mut child).await, Some(0));
}

#[tokio::test]
async fn outside_a_lab_only_the_loopback_is_called() {
    let mut room = Room::new();
    let outside: SocketAddr = "192.0.2.1:4035".parse().expect("an address of the documentation's");
    let mut child = call(&room, outside, "--count 1");
    let pick = |what: &What| if let What::Fatal { reason } = what { Some(reason.clone()) } else { None };
    let reason = room.until("fatal", pick).await;
    assert!(reason.contains("192.0.2.1:4035") && reason.contains("only the loopback"), "{reason}");
    assert_eq!(exit_code(&mut child).await, Some(1));
    let mut wrong = call(&room, outside, "--count 0");
    assert_eq!(exit_code(&mut wrong).await, Some(2), "within {DEADLINE:?}");
}
