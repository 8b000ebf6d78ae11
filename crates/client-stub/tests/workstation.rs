//! The real binary, with an RSE daemon, a Debug Manager and a debugger made of this test.

#[path = "../../debugger-stub/tests/common/mod.rs"]
mod common;
mod rse;

use common::{Room, exit_code, help, soon};
use dbm_protocol::dap::{self, Builder, Message};
use dbm_protocol::engine::{FromEngine, ToEngine};
use dbm_protocol::rse::{FromServer, ToServer};
use dbm_protocol::{Notice, RefusalCode, Refused, Role, Token, frame};
use evidence::What;
use rse::{accept, listen, log_on, next};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Child;

const BINARY: &str = env!("CARGO_BIN_EXE_client-stub");

/// Starts the client and logs it on; returns it with the RSE server's connection.
async fn logged_on(room: &Room, more: &[&str]) -> (Child, TcpStream) {
    let (rsed, port) = listen().await;
    let connect = format!("127.0.0.2:{port}");
    let child = room.spawn(BINARY, "CLIENT", &[&["--user", "IBMUSER", "--connect", &connect], more].concat());
    let session = log_on(&rsed).await;
    (child, session)
}

/// What is added to the bytes of the token of a session that is announced again.
const AGAIN: u8 = 100;

fn notice_again(number: u8, port: u16) -> Notice {
    Notice { token: Token::from_bytes([number + AGAIN; 16]), ..notice(number, port) }
}

fn notice(number: u8, port: u16) -> Notice {
    Notice {
        session: format!("LPAR2.{number}").parse().expect("session"),
        user: "IBMUSER".parse().expect("user"),
        job: "NOTICED".parse().expect("job"),
        system: "LPAR9".parse().expect("system"),
        port,
        token: Token::from_bytes([number; 16]),
    }
}

async fn notify(server: &mut TcpStream, notice: Notice) {
    frame::write(server, &FromServer::SessionWaiting { notice }).await.expect("write");
}

/// Takes one engine; returns its connection, accepted, and the number of its session.
async fn accept_engine(manager: &TcpListener) -> (TcpStream, u8) {
    let mut engine = accept(manager, Role::Engine).await;
    let attach: FromEngine = next(&mut engine).await;
    let FromEngine::Attach { user, session, token } = attach else { panic!("expected attach, found {attach:?}") };
    assert_eq!(user.as_str(), "IBMUSER");
    let number: u8 = session.as_str().rsplit('.').next().and_then(|n| n.parse().ok()).expect("number");
    assert!([number, number + AGAIN].map(|byte| Token::from_bytes([byte; 16])).contains(&token), "{token:?}");
    let accepted =
        ToEngine::Accepted { session, job: "NOTICED".parse().expect("job"), system: "LPAR9".parse().expect("system") };
    frame::write(&mut engine, &accepted).await.expect("write");
    (engine, number)
}

/// A debugger with a canned program: stops once at the client's breakpoint. It stops serving after `until`.
async fn serve(stream: TcpStream, until: &str) -> TcpStream {
    let (reading, mut writing) = stream.into_split();
    let mut reader = dap::Reader::new(reading);
    let mut builder = Builder::default();
    let mut line = Value::Null;
    loop {
        let message = soon("a request", reader.read()).await.expect("message").expect("not the end");
        let Message::Request(request) = message else { panic!("expected a request, found {message:?}") };
        let (body, event) = match request.command.as_str() {
            "initialize" => (json!({}), Some(("initialized", Value::Null))),
            "launch" => (Value::Null, Some(("process", json!({"job": "EQATST", "system": "LPAR2"})))),
            "setBreakpoints" => {
                line = request.arguments["breakpoints"][0]["line"].clone();
                (json!({"breakpoints": [{"verified": true}]}), None)
            }
            "configurationDone" => (Value::Null, Some(("stopped", json!({"reason": "breakpoint"})))),
            "threads" => (json!({"threads": [{"id": 5}]}), None),
            "stackTrace" if request.arguments["threadId"] == 5 => {
                (json!({"stackFrames": [{"id": 6, "line": line}]}), None)
            }
            "scopes" if request.arguments["frameId"] == 6 => (json!({"scopes": [{"variablesReference": 7}]}), None),
            "variables" if request.arguments["variablesReference"] == 7 => {
                (json!({"variables": [{"name": "TOTAL", "value": "260425"}]}), None)
            }
            "continue" => (Value::Null, Some(("terminated", Value::Null))),
            "disconnect" => (Value::Null, None),
            other => panic!("unexpected {other}: {}", request.arguments),
        };
        dap::write(&mut writing, &builder.response(&request, body)).await.expect("write");
        if let Some((name, body)) = event {
            dap::write(&mut writing, &builder.event(name, body)).await.expect("write");
        }
        if request.command == until {
            let reading = reader.into_inner();
            return reading.reunite(writing).expect("one stream");
        }
    }
}

async fn stdout(child: &mut Child) -> String {
    let mut text = String::new();
    let mut pipe = child.stdout.take().expect("stdout");
    soon("the report", pipe.read_to_string(&mut text)).await.expect("text");
    text
}

fn broken(what: &What) -> Option<String> {
    if let What::DebugBroken { reason, .. } = what { Some(reason.clone()) } else { None }
}

#[tokio::test]
async fn help_shows_examples() {
    let text = help(BINARY).await;
    assert!(text.contains("Examples:") && text.contains("--sessions 2"), "{text}");
}

#[tokio::test]
async fn a_session_is_debugged_from_the_notice_to_the_end() {
    let mut room = Room::new();
    let (mut child, mut server) = logged_on(&room, &["--breakpoint", "17"]).await;
    let (manager, port) = listen().await;
    notify(&mut server, notice(1, port)).await;
    let (engine, _) = accept_engine(&manager).await;
    serve(engine, "disconnect").await;
    assert_eq!(next::<ToServer>(&mut server).await, ToServer::Logoff {});
    assert_eq!(exit_code(&mut child).await, Some(0));
    room.until("stopped", |what| matches!(what, What::Stopped {}).then_some(())).await;
    let expected = [
        "dialling",
        "connected",
        "dialling",
        "connected",
        "logged_on",
        "notified",
        "dialling",
        "connected",
        "debugger_answered",
        "client_stopped",
        "debug_finished",
        "stopped",
    ];
    assert_eq!(room.names(), expected);
    let session = "LPAR2.1".to_owned();
    // As the debugger says, not as the notice said.
    let answered =
        What::DebuggerAnswered { session: session.clone(), job: "EQATST".to_owned(), job_system: "LPAR2".to_owned() };
    let stopped = What::ClientStopped { session, line: 17, variables: vec!["TOTAL=260425".to_owned()] };
    assert!(room.whats().contains(&&answered) && room.whats().contains(&&stopped), "{:#?}", room.whats());
    let report = stdout(&mut child).await;
    assert!(report.contains("EQATST on LPAR2 stopped at line 17") && report.contains("260425"), "{report}");
}

#[tokio::test]
async fn held_sessions_run_at_the_same_time_and_go_on_when_told() {
    let mut room = Room::new();
    let (mut child, mut server) = logged_on(&room, &["--hold", "--sessions", "2"]).await;
    let (manager, port) = listen().await;
    let mut debuggers = tokio::task::JoinSet::new();
    for number in [1, 2] {
        notify(&mut server, notice(number, port)).await;
        let (engine, _) = accept_engine(&manager).await;
        debuggers.spawn(async move { serve(engine, "disconnect").await });
        // Had the first not been held, it would have ended long before the second has stopped.
        room.until("client_stopped", |what| matches!(what, What::ClientStopped { .. }).then_some(())).await;
    }
    assert!(!room.names().contains(&"debug_finished".to_owned()), "both are held");
    let mut stdin = child.stdin.take().expect("stdin");
    stdin.write_all(b"continue\n").await.expect("write");
    room.until("debug_finished", |what| matches!(what, What::DebugFinished { .. }).then_some(())).await;
    drop(stdin);
    room.until("debug_finished", |what| matches!(what, What::DebugFinished { .. }).then_some(())).await;
    assert_eq!(exit_code(&mut child).await, Some(0));
    assert_eq!(debuggers.join_all().await.len(), 2);
}

#[tokio::test]
async fn a_session_whose_link_broke_is_linked_when_it_is_announced_again() {
    let mut room = Room::new();
    let (mut child, mut server) = logged_on(&room, &["--sessions", "3"]).await;
    let (manager, port) = listen().await;
    // Told again after it has failed.
    notify(&mut server, notice(1, port)).await;
    drop(accept_engine(&manager).await);
    room.until("debug_broken", broken).await;
    notify(&mut server, notice_again(1, port)).await;
    serve(accept_engine(&manager).await.0, "disconnect").await;
    room.until("debug_finished", |what| matches!(what, What::DebugFinished { .. }).then_some(())).await;
    // And told again before that: who dials for the third one has read the notice before.
    notify(&mut server, notice(2, port)).await;
    let engine = serve(accept_engine(&manager).await.0, "initialize").await;
    for told in [notice(2, port), notice_again(2, port), notice(3, port)] {
        notify(&mut server, told).await;
    }
    let (third, number) = accept_engine(&manager).await;
    assert_eq!(number, 3);
    drop(engine);
    let (again, number) = accept_engine(&manager).await;
    assert_eq!(number, 2);
    serve(again, "disconnect").await;
    serve(third, "disconnect").await;
    assert_eq!(exit_code(&mut child).await, Some(0));
}

#[tokio::test]
async fn a_refused_engine_and_a_port_where_nobody_listens() {
    let mut room = Room::new();
    let (mut child, mut server) = logged_on(&room, &["--sessions", "2"]).await;
    let (manager, port) = listen().await;
    notify(&mut server, notice(1, port)).await;
    let mut engine = accept(&manager, Role::Engine).await;
    let _: FromEngine = next(&mut engine).await;
    let no = Refused { code: RefusalCode::UnknownSession, reason: "no such session".to_owned() };
    frame::write(&mut engine, &ToEngine::Refused(no)).await.expect("write");
    let refusal = room
        .until("engine_turned_away", |what| match what {
            What::EngineTurnedAway { refusal, .. } => Some(refusal.clone()),
            _ => None,
        })
        .await;
    assert_eq!(refusal.code, "unknown_session");
    assert!(room.until("debug_broken", broken).await.contains("unknown_session"));
    drop((manager, engine));

    // A port that is bound and not listened on refuses.
    let bound = tokio::net::TcpSocket::new_v4().expect("socket");
    bound.bind("127.0.0.2:0".parse().expect("address")).expect("bind");
    notify(&mut server, notice(2, bound.local_addr().expect("address").port())).await;
    let how = room
        .until("connect_failed", |what| match what {
            What::ConnectFailed { what, how, .. } if what == "engine" => Some(how.clone()),
            _ => None,
        })
        .await;
    assert_eq!(how, "refused");
    assert_eq!(exit_code(&mut child).await, Some(1));
}

#[tokio::test]
async fn the_token_of_the_first_session_is_presented_again_when_told_to() {
    let room = Room::new();
    let (mut child, mut server) = logged_on(&room, &["--sessions", "2", "--keep-token"]).await;
    let (manager, port) = listen().await;
    for number in [1, 2] {
        notify(&mut server, notice(number, port)).await;
        let mut engine = accept(&manager, Role::Engine).await;
        let attach: FromEngine = next(&mut engine).await;
        let FromEngine::Attach { session, token, .. } = attach else { panic!("expected attach, found {attach:?}") };
        assert_eq!((session.as_str(), token), (format!("LPAR2.{number}").as_str(), Token::from_bytes([1; 16])));
    }
    assert_eq!(exit_code(&mut child).await, Some(1), "both broke off");
}

#[tokio::test]
async fn a_debugger_that_falls_silent_and_one_that_is_lost_while_held() {
    let mut room = Room::new();
    let (mut child, mut server) = logged_on(&room, &["--timeout", "1s", "--sessions", "2", "--hold"]).await;
    let (manager, port) = listen().await;
    notify(&mut server, notice(1, port)).await;
    let (engine, _) = accept_engine(&manager).await;
    let silent = serve(engine, "setBreakpoints").await;
    let reason = room.until("debug_broken", broken).await;
    assert_eq!(reason, "awaited the answer to `configurationDone` for 1s, seen last: the answer to `setBreakpoints`");
    drop(silent);

    notify(&mut server, notice(2, port)).await;
    let (engine, _) = accept_engine(&manager).await;
    let lost = serve(engine, "variables").await;
    room.until("client_stopped", |what| matches!(what, What::ClientStopped { .. }).then_some(())).await;
    drop(lost);
    let reason = room.until("debug_broken", broken).await;
    assert!(reason.contains("while the program was held"), "{reason}");
    assert_eq!(exit_code(&mut child).await, Some(1));
}

#[tokio::test]
async fn a_logon_that_fails_says_how() {
    let mut room = Room::new();
    let (rsed, port) = listen().await;
    let connect = format!("127.0.0.2:{port}");
    let arguments = ["--user", "IBMUSER", "--connect", &connect];
    let mut child = room.spawn(BINARY, "CLIENT", &arguments);
    drop(accept(&rsed, Role::Client).await);
    let fatal = |what: &What| if let What::Fatal { reason } = what { Some(reason.clone()) } else { None };
    let reason = room.until("fatal", fatal).await;
    assert!(reason.contains("awaited the RSE server's port") || reason.contains("rsed"), "{reason}");
    assert_eq!(exit_code(&mut child).await, Some(1));
    drop(rsed);
    let mut child = room.spawn(BINARY, "CLIENT", &arguments);
    let reason = room.until("fatal", fatal).await;
    assert!(reason.contains(&connect) && reason.contains("refused"), "{reason}");
    assert_eq!(exit_code(&mut child).await, Some(1));
}

#[tokio::test]
async fn an_rse_server_that_is_lost_before_the_session_ends_the_client() {
    let mut room = Room::new();
    let (mut child, server) = logged_on(&room, &[]).await;
    room.until("logged_on", |what| matches!(what, What::LoggedOn { .. }).then_some(())).await;
    drop(server);
    let how = room
        .until("connect_failed", |what| match what {
            What::ConnectFailed { what, how, .. } if what == "rse_server" => Some(how.clone()),
            _ => None,
        })
        .await;
    assert_eq!(how, "closed");
    assert_eq!(exit_code(&mut child).await, Some(1));
}
