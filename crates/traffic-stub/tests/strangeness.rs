//! The real binary, and this test at the other end of the connection.

mod calls;

use std::io::ErrorKind;
use std::time::Duration;

use calls::common::{Room, soon};
use calls::{Server, answers, call, ended, failures, host_name, placed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use traffic_stub::bytes::Bytes;
use traffic_stub::command::{self, Command};

/// A server made of this test, which takes one call.
async fn take(listener: &TcpListener, greeting: &[u8]) -> TcpStream {
    let (mut stream, _) = soon("a call", listener.accept()).await.expect("accept");
    stream.write_all(greeting).await.expect("write");
    stream
}

async fn line(stream: &mut TcpStream) -> String {
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        line.push(soon("the end of a line", stream.read_u8()).await.expect("a byte"));
    }
    String::from_utf8(line).expect("text")
}

#[tokio::test]
async fn a_strange_server_is_found_out() {
    let mut room = Room::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    let _child = call(&room, address, "--count 5 --get 8 --timeout 10s");

    let _no_greeting = take(&listener, b"HTTP/1.1 400 Bad Request\n").await;
    let _no_end = take(&listener, &[b'x'; 1000]).await;
    drop(take(&listener, b"220 LPAR").await);
    let mut wrong = take(&listener, b"220 LPAR1 4035\n").await;
    assert!(line(&mut wrong).await.starts_with("get 8 0 "));
    wrong.write_all(b"12345678").await.expect("write");
    let mut reset = take(&listener, b"220 LPAR2 4035\n").await;
    line(&mut reset).await;
    rustix::net::sockopt::set_socket_linger(&reset, Some(Duration::ZERO)).expect("linger");
    drop(reset);

    assert_eq!(placed(&mut room).await, (2, 3));
    let ended = ended(&mut room).await;
    assert_eq!((ended.complete, ended.failed, ended.bytes), (0, 5, 8));
    let mut hows: Vec<_> = failures(&room).into_iter().map(|(number, how, _)| (number, how)).collect();
    hows.sort_unstable();
    assert_eq!(hows, [(1, "other"), (2, "other"), (3, "closed"), (4, "wrong_bytes"), (5, "reset")]);
    let on: Vec<_> = answers(&room).into_iter().map(|(number, _, _, on)| (number, on)).collect();
    assert_eq!(on, [(4, "LPAR1"), (5, "LPAR2")]);
}

#[tokio::test]
async fn calls_that_are_kept_are_there_together_and_close_first() {
    let mut room = Room::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    let _child = call(&room, address, "--count 3 --keep 1s --timeout 10s");
    let mut all = Vec::new();
    // One after the other, but none waits for the end of another.
    for _ in 0..3 {
        all.push(take(&listener, b"220 LPAR1 4035\n").await);
    }
    let kept = all[0].try_read(&mut [0]).expect_err("the first one has nothing to say yet");
    assert_eq!(kept.kind(), ErrorKind::WouldBlock);
    for stream in &mut all {
        assert_eq!(line(stream).await, "bye\n");
        assert_eq!(soon("the caller's close", stream.read(&mut [0])).await.expect("no reset"), 0);
    }
    drop(all);
    assert_eq!(ended(&mut room).await.complete, 3);
}

#[tokio::test]
async fn a_call_waits_until_the_server_has_closed_too() {
    let mut room = Room::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    let _child = call(&room, address, "--count 1 --timeout 200ms");
    let _never_closed = take(&listener, b"220 LPAR1 4035\n").await;
    let ended = ended(&mut room).await;
    assert_eq!((ended.complete, ended.failed), (0, 1));
    let failures = failures(&room);
    assert!(matches!(failures.as_slice(), [(1, "timed_out", reason)] if reason.contains("the server's close")));
}

#[tokio::test]
async fn a_strange_caller_is_sent_away() {
    let mut room = Room::new();
    let server = Server::start(&mut room, &[]).await;
    let greeting = format!("220 {} {}\n", host_name(), server.address.port());
    for (input, says) in
        [(&b"get one\n"[..], "500 found `get one`"), (&[b'x'; 5000], "500 the line is longer than 256")]
    {
        let mut stream = soon("a connection", TcpStream::connect(server.address)).await.expect("connect");
        assert_eq!(line(&mut stream).await, greeting);
        stream.write_all(input).await.expect("write");
        assert!(line(&mut stream).await.starts_with(says));
        assert_eq!(soon("the close", stream.read(&mut [0])).await.expect("no reset"), 0);
    }
}

#[tokio::test]
async fn who_says_bye_closes_first() {
    let mut room = Room::new();
    let server = Server::start(&mut room, &[]).await;
    let mut stream = soon("a connection", TcpStream::connect(server.address)).await.expect("connect");
    line(&mut stream).await;
    stream.write_all(b"bye\n").await.expect("write");
    is_silent(&mut stream).await;
    stream.shutdown().await.expect("close");
    assert_eq!(soon("the server's close", stream.read(&mut [0])).await.expect("no reset"), 0);
}

#[tokio::test]
async fn who_holds_waits_for_the_bytes_of_all() {
    let mut room = Room::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    let _child = call(&room, address, "--count 2 --get 1000 --rate 7 --hold --timeout 10s");
    let mut one = take(&listener, b"220 LPAR1 4035\n").await;
    let mut other = take(&listener, b"220 LPAR1 4035\n").await;
    send_what_is_asked_for(&mut one).await;
    is_silent(&mut one).await;
    send_what_is_asked_for(&mut other).await;
    for stream in [&mut one, &mut other] {
        assert_eq!(line(stream).await, "bye\n");
        stream.shutdown().await.expect("close");
    }
    assert_eq!((ended(&mut room).await.complete, failures(&room).len()), (2, 0));
}

async fn send_what_is_asked_for(stream: &mut TcpStream) {
    let asked = line(stream).await;
    let Ok(Command::Get(get)) = command::parse(asked.trim_end().as_bytes()) else { panic!("found {asked}") };
    assert_eq!((get.bytes, get.rate), (1000, 7));
    let mut bytes = [0; 1000];
    Bytes::new(get.seed).fill(&mut bytes);
    stream.write_all(&bytes).await.expect("write");
}

/// Nothing comes, and no end, for as long as it takes when something is wrong.
async fn is_silent(stream: &mut TcpStream) {
    let came = timeout(Duration::from_millis(200), stream.read(&mut [0])).await;
    assert!(came.is_err(), "awaited silence, {came:?} came");
}
