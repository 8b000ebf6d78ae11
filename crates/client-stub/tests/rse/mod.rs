//! An RSE daemon and its server, made of a test.

use dbm_protocol::rse::{FromDaemon, FromServer, ToDaemon, ToServer};
use dbm_protocol::{Hello, Role, Token, frame};
use tokio::net::{TcpListener, TcpStream};

use crate::common::soon;

/// Not on the address that everything else uses, so a client that dials anything but the address it was given fails.
pub(crate) async fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.2:0").await.expect("bind");
    let port = listener.local_addr().expect("address").port();
    (listener, port)
}

pub(crate) async fn next<T: serde::de::DeserializeOwned>(stream: &mut TcpStream) -> T {
    soon("a message", frame::read(stream)).await.expect("frame").expect("not the end")
}

pub(crate) async fn accept(listener: &TcpListener, role: Role) -> TcpStream {
    let (mut stream, _) = soon("a connection", listener.accept()).await.expect("accept");
    assert_eq!(next::<Hello>(&mut stream).await, Hello::new(role));
    stream
}

/// Takes the next connection as a logon without TLS, and logs the client on; returns the RSE server's connection.
pub(crate) async fn log_on(rsed: &TcpListener) -> TcpStream {
    let mut logon = accept(rsed, Role::Client).await;
    let ToDaemon::Logon { user } = next(&mut logon).await;
    let (server, port) = listen().await;
    let ticket = Token::random().expect("token");
    let answer = FromDaemon::Server { port, ticket: ticket.clone() };
    frame::write(&mut logon, &answer).await.expect("write");
    drop(logon);
    let mut session = accept(&server, Role::Client).await;
    assert_eq!(next::<ToServer>(&mut session).await, ToServer::Open { ticket });
    let opened = FromServer::Opened { user, system: "LPAR1".parse().expect("system"), registered: true };
    frame::write(&mut session, &opened).await.expect("write");
    session
}
