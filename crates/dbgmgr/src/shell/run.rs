//! The one place where the core is asked and its answers are carried out.

use std::collections::HashMap;
use std::io::Write;
use std::time::{Duration, Instant};

use dbm_protocol::engine::ToEngine;
use dbm_protocol::handoff::Linked;
use dbm_protocol::{SystemName, Token, frame};
use evidence::{ConnectionOwners, Emitter, What, monotonic_ns};
use tokio::net::{TcpListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::control::Command;
use super::duplex::Duplex;
use super::handover::{self, Link, Order};
use super::hub::{HubPort, Outcome};
use super::metrics::{self, Metrics};
use super::relay::{self, About, Relays};
use super::tls::Wire;
use super::trouble::{Told, Trouble};
use super::{Fatal, SetLevel, accept, address, chance, control, service, start, trust};
use crate::config::Config;
use crate::core::{ConnId, Ends, Guard, Input, Level, Limits, Manager, Output, Port, Reply, Settings};

/// What the tasks have to say to the core's place.
pub(super) enum Event {
    /// An input, ready for the core.
    Input(Input),
    /// A TCP connection was accepted on `port`, or dialled.
    Tcp {
        port: Port,
        stream: Wire,
    },
    /// One end speaks TLS and the other does not, or not the same. The connection is closed.
    Trouble {
        conn: ConnId,
        port: Port,
        trouble: Trouble,
    },
    /// A session in relay mode has begun, or has ended.
    RelayStarted(About),
    RelayEnded(About, relay::Ended),
    /// A connection to the handoff socket was accepted.
    Unix(UnixStream),
    /// What came of binding or dialling HUBIP:HUBPORT.
    Hub {
        attempt: u64,
        outcome: Outcome,
    },
    /// The operator wants something.
    Command(Command),
    /// Somebody wants the metrics.
    Scrape(oneshot::Sender<String>),
}

/// A connection, as it is reached from here; dropping it closes it.
enum Handle {
    Duplex(Duplex),
    Handover(mpsc::UnboundedSender<Order>),
}

struct Shell {
    manager: Manager,
    emitter: Emitter,
    core: mpsc::Sender<Event>,
    handles: HashMap<ConnId, Handle>,
    last_conn: u64,
    hub: HubPort,
    /// TLS on the CLIENT port and on the HUB port, where there is to be any.
    tls: [Option<TlsAcceptor>; 2],
    told: Told,
    relays: Relays,
    set_level: SetLevel,
    metrics: Metrics,
    owners: ConnectionOwners,
    /// The last message to the operator.
    message: Vec<String>,
    /// Set by the operator's stop.
    stopping: bool,
}

/// How long an operator who stops Debug Manager has for reading that it stops.
const LAST_WORD: Duration = Duration::from_secs(1);

/// How long a stop waits for the client's sockets that are on their way to debuggers.
const DRAIN: Duration = Duration::from_secs(1);

/// Takes everything, runs until the stop, gives everything back.
pub(super) async fn run(config: &Config, emitter: Emitter, set_level: SetLevel) -> Result<(), Fatal> {
    let mut term = signal(SignalKind::terminate()).map_err(|e| Fatal(format!("signals: {e}")))?;
    let mut int = signal(SignalKind::interrupt()).map_err(|e| Fatal(format!("signals: {e}")))?;
    let began = monotonic_ns();
    let system: SystemName = emitter.system().parse().map_err(|e| Fatal(format!("host name: {e}")))?;
    let held = start::take(config, &emitter).await?;
    let (core, mut events) = mpsc::channel(256);
    tokio::spawn(accept::tcp(held.host, Port::Host, core.clone()));
    tokio::spawn(accept::tcp(held.client, Port::Client, core.clone()));
    tokio::spawn(accept::unix(held.handoff, core.clone()));
    tokio::spawn(control::serve(held.control, core.clone()));
    if let Some(listener) = held.metrics {
        let core = core.clone();
        tokio::spawn(scrape::serve(listener, move || metrics::page(core.clone())));
    }
    let settings = Settings {
        system,
        task: config.task.clone(),
        host_port: config.host,
        client_port: config.client,
        hub: config.hub,
        wait_ns: u64::try_from(config.wait.as_nanos()).unwrap_or(u64::MAX),
        level: if config.debug { Level::Debug } else { Level::Error },
        handoff: held.handoff_path.display().to_string(),
        // Microseconds since the machine started: an earlier run cannot have given as many numbers.
        first_session: monotonic_ns() / 1000,
        limits: Limits { sessions: config.sessions, sessions_per_user: config.user_sessions, ..Limits::default() },
    };
    let guard = Guard::new(held.key, rustix::process::geteuid().as_raw(), began);
    let guard = if config.ptktdata { guard } else { guard.without_ptktdata() };
    let mut manager =
        Manager::new(settings, Box::new(Token::random)).with_chance(Box::new(chance::up_to)).with_guard(guard);
    if let Some(trust) = trust::hub_trust(config) {
        manager = manager.with_hub_trust(trust);
    }
    let (client_tls, hub_tls) = (config.client_tls.as_ref(), config.hub_tls.as_ref());
    let tls = [client_tls.map(|tls| &tls.server), hub_tls.map(|tls| &tls.server)];
    let tls = tls.map(|tls| tls.map(|config| TlsAcceptor::from(config.clone())));
    let hub = HubPort::new(core.clone(), hub_tls.map(|tls| TlsConnector::from(tls.client.clone())));
    let (handles, message) = (HashMap::new(), Vec::new());
    let metrics = Metrics::new();
    let relays = Relays {
        core: core.clone(),
        to_debuggers: metrics.to_debuggers.clone(),
        to_clients: metrics.to_clients.clone(),
    };
    let owners = ConnectionOwners::open().map_err(|e| Fatal(format!("whose connections are cannot be seen: {e}")))?;
    let mut shell = Shell {
        manager,
        emitter,
        core,
        handles,
        last_conn: 0,
        hub,
        tls,
        told: Told::default(),
        relays,
        set_level,
        metrics,
        owners,
        message,
        stopping: false,
    };
    // The documented message has a build date, time and trace level too; their layout is not known.
    say(&format!("EQACM001I Debug Manager startup complete ({}/{})", config.client, config.host));
    shell.emitter.emit(What::Ready {});
    service::ready();
    shell.input(Input::Start);
    while !shell.stopping {
        let event = tokio::select! {
            event = events.recv() => event,
            () = sleep_until(shell.manager.deadline()) => Some(Event::Input(Input::Tick)),
            _ = term.recv() => None,
            _ = int.recv() => None,
        };
        let Some(event) = event else { break };
        if let Some(written) = shell.events(event, &mut events) {
            let _ = timeout(LAST_WORD, written).await;
        }
    }
    service::stopping();
    shell.input(Input::Stop);
    shell.drain(&mut events).await;
    shell.tell_of_relays();
    for path in [&held.handoff_path, &held.control_path] {
        let _ = std::fs::remove_file(path);
    }
    if let Err(e) = held.pair.delete() {
        tracing::warn!("{e}");
    }
    if !config.persist {
        shell.emitter.emit(What::NameTokenDeleted {});
    }
    shell.emitter.emit(What::Stopped {});
    say("EQACM909I Debug Manager stopped");
    Ok(())
}

impl Shell {
    /// Takes an event, and those that wait behind it, so many of them that a signal is not kept waiting. Returns, when the operator
    /// has stopped Debug Manager, when he has read that.
    fn events(&mut self, first: Event, more: &mut mpsc::Receiver<Event>) -> Option<oneshot::Receiver<()>> {
        const AT_ONCE: usize = 64;
        let mut next = Some(first);
        for _ in 0..AT_ONCE {
            let written = self.event(next?);
            if self.stopping {
                return written;
            }
            next = more.try_recv().ok();
        }
        next.and_then(|last| self.event(last)).filter(|_| self.stopping)
    }

    /// Returns, for a command of the operator, when he has read what comes of it.
    fn event(&mut self, event: Event) -> Option<oneshot::Receiver<()>> {
        match event {
            Event::Input(input) => self.input(input),
            Event::Tcp { port, stream } => self.opened_tcp(port, stream),
            Event::Unix(stream) => {
                let conn = self.next_conn();
                let uid = stream.peer_cred().map(|peer| peer.uid()).map_err(|e| e.to_string());
                let (orders, orders_end) = mpsc::unbounded_channel();
                tokio::spawn(handover::claimant(conn, stream, orders_end, self.core.clone()));
                self.handles.insert(conn, Handle::Handover(orders));
                self.input(Input::Opened { conn, port: Port::Handoff, ends: None });
                self.input(Input::PeerUser { conn, uid });
            }
            Event::Trouble { conn, port, trouble } => self.tls_trouble(conn, port, &trouble),
            Event::RelayStarted(About { session, peer }) => self.emit(What::RelayStarted { session, peer }),
            Event::RelayEnded(About { session, peer }, relay::Ended { to_debugger, to_client, reason }) => {
                self.emit(What::RelayEnded { session, peer, to_debugger, to_client, reason });
            }
            Event::Hub { attempt, outcome } if self.hub.is_current(attempt) => match outcome {
                Outcome::Bind(Ok(listener)) => self.hub_listens(listener),
                Outcome::Bind(Err(e)) => self.input(Input::HubBound(Err(e.to_string()))),
                Outcome::Dial(Ok(stream)) => self.opened_tcp(Port::Upstream, stream),
                Outcome::Dial(Err(e)) => self.input(Input::HubUnreachable(e.to_string())),
            },
            Event::Hub { .. } => {}
            Event::Scrape(answer) => drop(answer.send(self.metrics.text())),
            Event::Command(Command { text, answer, written }) => {
                self.input(Input::Operator(text));
                let _ = answer.send(std::mem::take(&mut self.message));
                return Some(written);
            }
        }
        None
    }

    /// Lets what is on its way arrive.
    async fn drain(&mut self, events: &mut mpsc::Receiver<Event>) {
        let all_arrived = async {
            while self.manager.is_passing()
                && let Some(event) = events.recv().await
            {
                self.event(event);
            }
        };
        if timeout(DRAIN, all_arrived).await.is_err() {
            tracing::warn!(
                "a client's socket was still on its way after {DRAIN:?}; its debugger announces the session again"
            );
        }
    }

    fn next_conn(&mut self) -> ConnId {
        self.last_conn += 1;
        ConnId(self.last_conn)
    }

    fn opened_tcp(&mut self, port: Port, stream: Wire) {
        let (Ok(peer), Ok(local)) = (stream.tcp().peer_addr(), stream.tcp().local_addr()) else {
            // It was reset before it was looked at.
            if port == Port::Upstream {
                self.input(Input::HubUnreachable("the connection was reset at once".to_owned()));
            }
            return;
        };
        if port == Port::Hub && !self.hub.accepts_at(local) {
            // It was accepted before the hub moved.
            return;
        }
        let conn = self.next_conn();
        let [client_tls, hub_tls] = &self.tls;
        let handle = match (port, stream, hub_tls) {
            (Port::Client, Wire::Tcp(stream), _) => {
                let (orders, orders_end) = mpsc::unbounded_channel();
                tokio::spawn(handover::engine(conn, stream, client_tls.clone(), orders_end, self.relays.clone()));
                Handle::Handover(orders)
            }
            (Port::Hub, Wire::Tcp(stream), Some(tls)) => {
                Handle::Duplex(Duplex::accept(conn, port, stream, tls.clone(), &self.core))
            }
            (_, Wire::Tcp(stream), _) => Handle::Duplex(Duplex::start(conn, port, stream, &self.core)),
            (_, Wire::Tls(stream), _) => Handle::Duplex(Duplex::secure(conn, port, stream, &self.core)),
        };
        self.handles.insert(conn, handle);
        self.input(Input::Opened { conn, port, ends: Some(Ends { peer, local }) });
        // Who is on this system has a user id that the kernel knows.
        if port == Port::Host || (port == Port::Hub && peer.ip() == local.ip()) {
            let uid = self.owners.owner(peer, local).map_err(|e| e.to_string());
            self.input(Input::PeerUser { conn, uid });
        }
    }

    fn hub_listens(&mut self, listener: TcpListener) {
        let result = listener.local_addr().map_err(|e| e.to_string()).map(|at| {
            self.emitter.emit(What::Listening { role: "hub".to_owned(), address: at });
            self.hub.listen(listener, at);
            self.input(Input::HubAddress(address::holding(at.ip())));
        });
        self.input(Input::HubBound(result));
    }

    /// Asks the core, and carries out what it says; what fails on the way is a further input.
    fn input(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            tracing::debug!(?input);
            // What has ended is not closed again by the core.
            if let Input::Closed { conn, .. } | Input::LinkDone { engine: conn, .. } = &input {
                self.handles.remove(conn);
            }
            let mut outputs = self.manager.handle(monotonic_ns(), input);
            // What is sent goes out at once, and whoever gets it may speak of it before this goes on: what it follows from is said first.
            outputs.sort_by_key(|output| !matches!(output, Output::Emit(_)));
            for output in outputs {
                tracing::debug!(?output);
                inputs.extend(self.carry_out(output));
            }
        }
    }

    /// Does as the core says; returns what it has to know of it at once.
    fn carry_out(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::Send { conn, reply } => {
                return self.send(conn, &reply).err().map(|reason| Input::Closed { conn, reason });
            }
            Output::Close(conn) => {
                self.handles.remove(&conn);
            }
            Output::Link { engine, handoff, accepted, linked } => {
                let ordered = self.order_link(engine, handoff, accepted, linked);
                return ordered.err().map(|reason| Input::Closed { conn: engine, reason });
            }
            Output::BindHub(hub) => self.hub.bind(hub),
            Output::ConnectHub(hub) => self.hub.dial(hub),
            Output::LeaveHub => self.hub.leave(),
            Output::LookAtHub(ip) => return Some(Input::HubAddress(address::holding(ip))),
            Output::CallHub(place) => self.hub.call(place),
            Output::Reply(lines) => self.message = lines,
            Output::Log(level) => (self.set_level)(level),
            Output::Shutdown => self.stopping = true,
            Output::Emit(what) => self.emit(what),
            Output::Console(text) => say(&text),
        }
        None
    }

    fn emit(&mut self, what: What) {
        self.metrics.count(&what);
        self.emitter.emit(what);
    }

    fn tls_trouble(&mut self, conn: ConnId, port: Port, trouble: &Trouble) {
        // One that the core has given up meanwhile is no news.
        let Some(Ends { peer, .. }) = self.manager.ends(conn) else { return };
        if let Some(message) = self.told.message(trouble, port, peer, Instant::now()) {
            say(&message);
        }
        self.emit(trouble.event(port, peer));
        self.input(Input::Closed { conn, reason: "no TLS".to_owned() });
    }

    /// What ends with Debug Manager.
    fn tell_of_relays(&self) {
        match self.metrics.relays.get() {
            0 => {}
            n => say(&format!("EQACM917W Debug Manager ends, and with it {n} sessions whose TLS it speaks")),
        }
    }

    fn order_link(&self, engine: ConnId, handoff: ConnId, accepted: ToEngine, linked: Linked) -> Result<(), String> {
        let (Some(Handle::Handover(to)), Some(Handle::Handover(via))) =
            (self.handles.get(&engine), self.handles.get(&handoff))
        else {
            return Err("a connection ended before the two were linked".to_owned());
        };
        let accepted = frame::encode(&Reply::Engine(accepted)).map_err(|e| e.to_string())?;
        let order = Link { accepted, linked, handoff: via.clone() };
        to.send(Order::Link(Box::new(order))).map_err(|_| "the engine's connection ended".to_owned())
    }

    fn send(&mut self, conn: ConnId, reply: &Reply) -> Result<(), String> {
        let bytes = frame::encode(reply).map_err(|e| e.to_string())?;
        match self.handles.get_mut(&conn) {
            Some(Handle::Duplex(duplex)) => duplex.send(bytes),
            Some(Handle::Handover(orders)) => {
                // A task that has ended has reported why.
                let _ = orders.send(Order::Send(bytes));
                Ok(())
            }
            None => Ok(()),
        }
    }
}

async fn sleep_until(deadline: Option<u64>) {
    match deadline {
        Some(at) => tokio::time::sleep(Duration::from_nanos(at.saturating_sub(monotonic_ns()))).await,
        None => std::future::pending().await,
    }
}

/// A console message. Nobody has to read it.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
