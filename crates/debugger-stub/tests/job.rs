//! The real binary against a small Debug Manager made of this test.

mod common;

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use common::{Room, exit_code, help, soon, terminate};
use dbm_protocol::dap::{self, Builder, Message};
use dbm_protocol::handoff::{self, FromClaimant, Linked, ToClaimant};
use dbm_protocol::host::{Canceller, FromDebugger, Phase, Standing, ToDebugger};
use dbm_protocol::nametoken::Pair;
use dbm_protocol::{Hello, RefusalCode, Refused, Role, Token, frame};
use evidence::What;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::process::Child;
use tokio::time::timeout;

const BINARY: &str = env!("CARGO_BIN_EXE_debugger-stub");

/// A Debug Manager with one session.
struct Manager {
    host: TcpStream,
    handoff: UnixListener,
}

impl Manager {
    /// Starts the job and takes its `Wait`.
    async fn with_job(room: &Room, test: &str) -> (Self, Child, Pair) {
        let (listener, pair, handoff) = Self::open(room).await;
        let child = spawn(room, test);
        let (manager, wait) = Self::hear(room, &listener, handoff, "IBMUSER").await;
        let FromDebugger::Wait { user, job, module } = wait else { panic!("expected wait, found {wait:?}") };
        assert_eq!((user.as_str(), job.as_str(), module.as_str()), ("IBMUSER", "EQATST", "EQATST"));
        (manager, child, pair)
    }

    /// Starts anew, and takes what the debugger announces again.
    async fn again(room: &Room) -> (Self, FromDebugger, Pair) {
        let (listener, pair, handoff) = Self::open(room).await;
        let (manager, again) = Self::hear(room, &listener, handoff, "IBMUSER").await;
        (manager, again, pair)
    }

    async fn open(room: &Room) -> (TcpListener, Pair, UnixListener) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let handoff = room.run_dir().join("handoff");
        let _ = std::fs::remove_file(&handoff);
        let handoff = UnixListener::bind(handoff).expect("bind");
        let pair = room.publish(listener.local_addr().expect("address").port());
        (listener, pair, handoff)
    }

    async fn hear(room: &Room, listener: &TcpListener, handoff: UnixListener, user: &str) -> (Self, FromDebugger) {
        let (mut host, _) = soon("the debugger", listener.accept()).await.expect("accept");
        let hello: Hello = frame::read(&mut host).await.expect("frame").expect("hello");
        assert_eq!(hello, Hello::new(Role::Debugger));
        room.logged_on(&mut host, Role::Debugger, user).await;
        let first = soon("the first message", frame::read(&mut host)).await.expect("frame").expect("message");
        (Self { host, handoff }, first)
    }

    async fn say(&mut self, message: &ToDebugger) {
        frame::write(&mut self.host, message).await.expect("write");
    }

    async fn say_waiting(&mut self, room: &Room) {
        let session = "LPAR2.1".parse().expect("session");
        let handoff = room.run_dir().join("handoff").display().to_string();
        self.say(&ToDebugger::Waiting { session, handoff, claim: Token::from_bytes([3; 16]) }).await;
    }

    /// Passes a real client socket to the debugger and returns the client's end.
    async fn link(&mut self) -> TcpStream {
        pass(&self.claimed().await).await
    }

    /// The debugger's connection to the handoff socket, when it has claimed: it does when the user was told.
    async fn claimed(&mut self) -> UnixStream {
        self.say(&ToDebugger::UserNotified {}).await;
        let (mut unix, _) = soon("the claim", self.handoff.accept()).await.expect("accept");
        let hello: Hello = frame::read(&mut unix).await.expect("frame").expect("hello");
        assert_eq!(hello.role, Role::Debugger);
        let FromClaimant::Claim { session, claim } = frame::read(&mut unix).await.expect("frame").expect("claim");
        assert_eq!((session.as_str(), claim), ("LPAR2.1", Token::from_bytes([3; 16])));
        frame::write(&mut unix, &ToClaimant::Claimed {}).await.expect("write");
        unix
    }
}

/// Passes a real client socket, and returns the client's end.
async fn pass(unix: &UnixStream) -> TcpStream {
    let session = "LPAR2.1".parse().expect("session");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let client = TcpStream::connect(listener.local_addr().expect("address")).await.expect("connect");
    let (engine, _) = listener.accept().await.expect("accept");
    // The addresses in the message are wrong on purpose: the debugger has to ask the socket.
    let nowhere = "192.0.2.1:1".parse().expect("address");
    let linked = Linked { session, user: "IBMUSER".parse().expect("user"), peer: nowhere, local: nowhere };
    handoff::send_socket(unix, &linked, engine.as_fd()).await.expect("send");
    client
}

fn spawn(room: &Room, test: &str) -> Child {
    let run_dir = room.run_dir().display().to_string();
    let arguments = ["--job", "EQATST", "--user", "STCUSER", "--test", test, "--run-dir", &run_dir];
    room.spawn(BINARY, "EQATST", &arguments)
}

async fn ended(room: &mut Room, child: &mut Child) -> (String, String, Option<i32>) {
    let (how, reason) = room
        .until("job_ended", |what| match what {
            What::JobEnded { how, reason } => Some((how.clone(), reason.clone())),
            _ => None,
        })
        .await;
    (how, reason, exit_code(child).await)
}

/// Asks, and returns the body of the answer and the events before it.
struct Engine {
    reader: dap::Reader<tokio::net::tcp::OwnedReadHalf>,
    writer: tokio::net::tcp::OwnedWriteHalf,
    builder: Builder,
}

impl Engine {
    fn new(stream: TcpStream) -> Self {
        let (reading, writer) = stream.into_split();
        Self { reader: dap::Reader::new(reading), writer, builder: Builder::default() }
    }

    async fn next(&mut self) -> Message {
        soon("a message", self.reader.read()).await.expect("message").expect("not the end")
    }

    async fn ask(&mut self, command: &str, arguments: Value) -> Value {
        let request = self.builder.request(command, arguments);
        dap::write(&mut self.writer, &Message::Request(request)).await.expect("write");
        loop {
            if let Message::Response(answer) = self.next().await {
                assert!(answer.success, "{command}: {:?}", answer.message);
                return answer.body;
            }
        }
    }

    async fn event(&mut self, name: &str) -> Value {
        loop {
            if let Message::Event(event) = self.next().await
                && event.event == name
            {
                return event.body;
            }
        }
    }

    async fn run_to(&mut self, line: u32) {
        self.ask("initialize", json!({"adapterID": "test"})).await;
        self.ask("launch", json!({})).await;
        let process = self.event("process").await;
        assert_eq!(process["job"], "EQATST");
        self.ask("setBreakpoints", json!({"breakpoints": [{"line": line}]})).await;
        self.ask("configurationDone", Value::Null).await;
        self.event("stopped").await;
    }
}

#[tokio::test]
async fn help_shows_examples() {
    let text = help(BINARY).await;
    assert!(text.contains("Examples:") && text.contains("DBMDT%IBMUSER"), "{text}");
}

#[tokio::test]
async fn a_job_is_debugged_on_the_socket_that_was_passed_and_outlives_debug_manager() {
    let mut room = Room::new();
    let (mut manager, mut child, pair) = Manager::with_job(&room, "TEST(,,,DBMDT%IBMUSER:*)").await;
    manager.say_waiting(&room).await;
    manager.say(&ToDebugger::UserNotified {}).await;
    let client = manager.link().await;
    let (client_end, dialled) = (client.local_addr().expect("address"), client.peer_addr().expect("address"));
    let mut engine = Engine::new(client);
    engine.run_to(18).await;
    // Debug Manager goes; the session does not mind, and is known to the next one.
    drop((manager, pair));
    let (mut manager, again, _pair) = Manager::again(&room).await;
    let FromDebugger::RunsAgain { standing } = again else { panic!("expected `runs_again`, found {again:?}") };
    assert_eq!(standing, the_standing(3));
    manager.say(&ToDebugger::Known {}).await;
    room.until("announced again", |what| matches!(what, What::JobAnnouncedAgain { linked: true, .. }).then_some(()))
        .await;
    let variables = engine.ask("variables", json!({"variablesReference": 1})).await;
    assert_eq!(variables["variables"][3]["name"], "TOTAL");
    assert_eq!(variables["variables"][3]["value"], "260425");
    engine.ask("continue", json!({"threadId": 1})).await;
    assert_eq!(engine.event("exited").await["exitCode"], 0);
    engine.event("terminated").await;
    engine.ask("disconnect", Value::Null).await;
    let (how, reason, code) = ended(&mut room, &mut child).await;
    assert_eq!((how.as_str(), code), ("debugged", Some(0)), "{reason}");
    assert_eq!(
        room.names(),
        ["job_started", "job_waiting", "socket_taken", "program_stopped", "job_announced_again", "job_ended"]
    );
    let end = soon("ended", frame::read::<FromDebugger>(&mut manager.host)).await.expect("frame");
    assert_eq!(end, Some(FromDebugger::Ended {}), "the end is told to the Debug Manager of now");
    let taken = What::SocketTaken { session: "LPAR2.1".to_owned(), peer: client_end, local: dialled };
    assert!(room.whats().contains(&&taken), "the socket speaks for itself: {:?}", room.whats());
}

#[tokio::test]
async fn debug_manager_is_told_of_the_end() {
    let mut room = Room::new();
    let (mut manager, mut child, _pair) = Manager::with_job(&room, "TEST(,,,DBMDT%IBMUSER:*)").await;
    manager.say_waiting(&room).await;
    let mut engine = Engine::new(manager.link().await);
    engine.run_to(18).await;
    engine.ask("disconnect", Value::Null).await;
    let end = soon("ended", frame::read::<FromDebugger>(&mut manager.host)).await.expect("frame");
    assert_eq!(end, Some(FromDebugger::Ended {}));
    assert_eq!(ended(&mut room, &mut child).await.2, Some(0));
}

#[tokio::test]
async fn a_client_that_is_lost_at_a_breakpoint_is_noticed() {
    let mut room = Room::new();
    let (mut manager, mut child, _pair) = Manager::with_job(&room, "TEST(,,,DBMDT%IBMUSER:*)").await;
    manager.say_waiting(&room).await;
    let mut engine = Engine::new(manager.link().await);
    engine.run_to(14).await;
    drop(engine);
    let (how, reason, code) = ended(&mut room, &mut child).await;
    assert_eq!((how.as_str(), code), ("lost", Some(8)), "{reason}");
}

#[tokio::test]
async fn the_wait_ends_as_debug_manager_says() {
    let refused = Refused { code: RefusalCode::Busy, reason: "full".to_owned() };
    let cases = [
        (ToDebugger::TimedOut { phase: Phase::Register }, "timed_out_register"),
        (ToDebugger::TimedOut { phase: Phase::Engine }, "timed_out_engine"),
        (ToDebugger::Refused(refused), "refused"),
    ];
    for (message, expected) in cases {
        let mut room = Room::new();
        let (mut manager, mut child, _pair) = Manager::with_job(&room, "TEST(,,,DBMDT%IBMUSER:*)").await;
        if expected != "refused" {
            manager.say_waiting(&room).await;
        }
        manager.say(&message).await;
        let (how, reason, code) = ended(&mut room, &mut child).await;
        assert_eq!((how.as_str(), code), (expected, Some(8)), "{reason}");
    }
}

#[tokio::test]
async fn without_debug_manager_the_job_says_so() {
    let mut room = Room::new();
    let mut child = spawn(&room, "TEST(,,,DBMDT:*)");
    let (how, reason, code) = ended(&mut room, &mut child).await;
    assert_eq!((how.as_str(), code), ("no_debug_manager", Some(8)), "{reason}");
    // A pair whose port nobody listens on is no better.
    let bound = tokio::net::TcpSocket::new_v4().expect("socket");
    bound.bind("127.0.0.1:0".parse().expect("address")).expect("bind");
    let free = bound.local_addr().expect("address").port();
    let _pair = room.publish(free);
    let mut child = spawn(&room, "TEST(,,,DBMDT:*)");
    let (how, reason, _) = ended(&mut room, &mut child).await;
    assert_eq!(how, "no_debug_manager");
    assert!(reason.contains(&free.to_string()), "{reason}");
}

/// The session, with the claim of so many.
fn the_standing(claim: u8) -> Standing {
    Standing {
        session: "LPAR2.1".parse().expect("session"),
        user: "IBMUSER".parse().expect("user"),
        job: "EQATST".parse().expect("job"),
        module: "EQATST".to_owned(),
        claim: Token::from_bytes([claim; 16]),
    }
}

#[tokio::test]
async fn a_job_that_waits_announces_itself_again_with_the_time_it_has_waited() {
    let mut room = Room::new();
    let (mut manager, mut child, pair) = Manager::with_job(&room, "TEST(,,,DBMDT%IBMUSER:*)").await;
    manager.say_waiting(&room).await;
    room.until("job_waiting", |what| matches!(what, What::JobWaiting { .. }).then_some(())).await;
    // Time passes; nothing is waited for.
    let waited = Instant::now();
    let claimed = timeout(Duration::from_millis(30), manager.handoff.accept()).await;
    assert!(claimed.is_err(), "a session that sleeps holds one connection, and is claimed when its user was told");
    drop((manager, pair));

    // In the first phase; now the user is told.
    let (mut manager, again, pair) = Manager::again(&room).await;
    let FromDebugger::WaitAgain { standing, phase, waited_ms } = again else { panic!("found {again:?}") };
    assert_eq!((standing, phase), (the_standing(3), Phase::Register));
    assert!((30..20_000).contains(&waited_ms), "{waited_ms} ms, after {:?}", waited.elapsed());
    manager.say_waiting(&room).await;
    manager.say(&ToDebugger::UserNotified {}).await;
    room.until("announced again", |what| matches!(what, What::JobAnnouncedAgain { linked: false, .. }).then_some(()))
        .await;
    drop((manager, pair));

    // In the second; one that is busy is asked again.
    let (mut manager, _, pair) = Manager::again(&room).await;
    manager.say(&ToDebugger::Refused(Refused { code: RefusalCode::Busy, reason: "full".to_owned() })).await;
    drop((manager, pair));
    let (mut manager, again, _pair) = Manager::again(&room).await;
    assert!(matches!(again, FromDebugger::WaitAgain { phase: Phase::Engine, .. }), "{again:?}");
    manager.say_waiting(&room).await;
    let mut engine = Engine::new(manager.link().await);
    engine.run_to(18).await;
    engine.ask("disconnect", Value::Null).await;
    assert_eq!(ended(&mut room, &mut child).await.0, "debugged");
}

#[tokio::test]
async fn a_socket_that_is_on_its_way_when_debug_manager_is_lost_is_taken() {
    let room = Room::new();
    let (mut manager, _child, pair) = Manager::with_job(&room, "TEST(,,,DBMDT%IBMUSER:*)").await;
    manager.say_waiting(&room).await;
    let unix = manager.claimed().await;
    // The HOST connection is seen to end first; whether the session waits or runs is not settled yet.
    drop((manager, pair));
    let (again, client) = tokio::join!(Manager::again(&room), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let client = pass(&unix).await;
        drop(unix);
        client
    });
    assert!(matches!(again.1, FromDebugger::RunsAgain { .. }), "{:?}", again.1);
    Engine::new(client).run_to(18).await;
}

#[tokio::test]
async fn without_percent_the_user_is_the_jobs_own() {
    let room = Room::new();
    let (listener, _pair, handoff) = Manager::open(&room).await;
    let _child = spawn(&room, "TEST(,,,DBMDT:*)");
    let (_, wait) = Manager::hear(&room, &listener, handoff, "STCUSER").await;
    assert!(matches!(&wait, FromDebugger::Wait { user, .. } if user.as_str() == "STCUSER"), "{wait:?}");
}

#[tokio::test]
async fn a_cancel_by_the_job_by_the_user_and_by_the_operator() {
    let mut room = Room::new();
    let (mut manager, mut child, _pair) = Manager::with_job(&room, "TEST(,,,DBMDT%IBMUSER:*)").await;
    manager.say_waiting(&room).await;
    room.until("job_waiting", |what| matches!(what, What::JobWaiting { .. }).then_some(())).await;
    terminate(&child);
    assert_eq!(ended(&mut room, &mut child).await.0, "cancelled");
    for (by, word) in [(Canceller::User, "user"), (Canceller::Operator, "operator")] {
        let mut room = Room::new();
        let (mut manager, mut child, _pair) = Manager::with_job(&room, "TEST(,,,DBMDT%IBMUSER:*)").await;
        manager.say_waiting(&room).await;
        manager.say(&ToDebugger::Cancelled { by }).await;
        let (how, reason, code) = ended(&mut room, &mut child).await;
        assert_eq!((how.as_str(), code), ("cancelled", Some(8)));
        assert!(reason.contains(word), "{reason}");
    }
}

#[tokio::test]
async fn a_target_without_debug_manager_is_refused() {
    let mut room = Room::new();
    let mut child = spawn(&room, "TEST(,,,TCPIP&10.1.1.1%8001:*)");
    let reason = room
        .until("fatal", |what| match what {
            What::Fatal { reason } => Some(reason.clone()),
            _ => None,
        })
        .await;
    assert!(reason.contains("Debug Manager is not used for it"), "{reason}");
    assert_eq!(exit_code(&mut child).await, Some(2));
}
