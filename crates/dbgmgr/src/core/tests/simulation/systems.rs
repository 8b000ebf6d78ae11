//! The shell of each Debug Manager: does what the core says, over connections in memory.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use dbm_protocol::handoff::Linked;

use super::super::*;
use super::chance::mix;
use super::hub_links::{holding, place};
use super::schedule::system_name;
use super::wires::{End, MS, Packet};
use super::world::{Event, World};

/// The longest pause between two tries of the hub.
pub(super) const RETRY_PERIOD: u64 = 5 * SECOND;
/// Each phase of a wait, unless the operator says something else.
pub(super) const PHASE: u64 = 30 * SECOND;

/// A system; its Debug Manager may run or not.
pub(super) struct System {
    pub(super) n: usize,
    pub(super) manager: Option<Manager>,
    /// Which run of Debug Manager this is.
    pub(super) run: u64,
    pub(super) stopping: bool,
    pub(super) cut_off: bool,
    /// Its connections, each with the number of the wire and its end of it.
    pub(super) conns: BTreeMap<ConnId, (usize, usize)>,
    last_conn: u64,
    ticks_at: Option<u64>,
    pub(super) listens: Option<SocketAddr>,
    pub(super) attempt: u64,
}

impl System {
    pub(super) fn new(n: usize) -> Self {
        let (conns, last_conn) = (BTreeMap::new(), 0);
        let (manager, listens, ticks_at) = (None, None, None);
        Self { n, manager, run: 0, stopping: false, cut_off: false, conns, last_conn, ticks_at, listens, attempt: 0 }
    }

    pub(super) fn next_conn(&mut self, wire: usize, end: usize) -> ConnId {
        self.last_conn += 1;
        let conn = ConnId(self.last_conn);
        self.conns.insert(conn, (wire, end));
        conn
    }

    fn settings(&self) -> Settings {
        let mut settings = settings(&system_name(self.n));
        settings.hub = Some(place(0));
        settings.client_port = client_port(self.n);
        settings.wait_ns = PHASE;
        settings.first_session = self.run * 100;
        settings.limits.ping_ns = 4 * SECOND;
        settings
    }

    /// A number that no Debug Manager gives twice, and that nobody guesses.
    fn tokens(&self) -> TokenSource {
        let (mut count, run) = (0, mix(self.n as u64, self.run));
        Box::new(move || {
            count += 1;
            let halves = [mix(run, count), mix(count, run)];
            let bytes: Vec<u8> = halves.iter().flat_map(|half| half.to_be_bytes()).collect();
            Ok(Token::from_bytes(bytes.try_into().expect("16 bytes")))
        })
    }

    fn forget_all(&mut self) {
        self.manager = None;
        self.run += 1;
        self.stopping = false;
        self.listens = None;
        self.attempt += 1;
        self.ticks_at = None;
    }
}

impl World {
    /// Starts a Debug Manager, if none runs.
    pub(super) fn start(&mut self, n: usize) {
        let system = &mut self.systems[n];
        if system.manager.is_some() {
            return;
        }
        system.run += 1;
        let run = mix(self.seed, mix(n as u64, system.run));
        let mut count = 0;
        let chance = move |to: u64| {
            count += 1;
            mix(run, count) % to.saturating_add(1)
        };
        system.manager = Some(Manager::new(system.settings(), system.tokens()).with_chance(Box::new(chance)));
        self.feed(n, Input::Start);
        self.parties_look_again(n);
    }

    /// Debug Manager is gone without a word.
    pub(super) fn crash(&mut self, n: usize, reset: bool) {
        self.systems[n].forget_all();
        for (wire, end) in std::mem::take(&mut self.systems[n].conns).into_values() {
            // What a Unix socket has taken arrives.
            let unix = matches!(self.wires[wire].ends[1 - end], End::Handoff(_));
            if reset && !unix {
                self.wires[wire].queue[1 - end].clear();
            }
            self.hang_up(wire, end);
        }
    }

    /// The operator stops Debug Manager; it waits for a socket that is on its way.
    pub(super) fn stop(&mut self, n: usize) {
        if self.systems[n].manager.is_none() || self.systems[n].stopping {
            return;
        }
        self.systems[n].stopping = true;
        self.feed(n, Input::Stop);
        let (run, pause) = (self.systems[n].run, 100 * MS);
        self.later(pause, Event::Ends(n, run));
    }

    pub(super) fn stop_ends(&mut self, n: usize) {
        self.crash(n, false);
    }

    /// Tells a Debug Manager something, and does what it says.
    pub(super) fn feed(&mut self, n: usize, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let Some(manager) = &mut self.systems[n].manager else { return };
            for output in manager.handle(self.now, input) {
                inputs.extend(self.carry_out(n, output));
            }
        }
        self.judge_manager(n);
        self.arm(n);
    }

    fn arm(&mut self, n: usize) {
        let now = self.now;
        let system = &mut self.systems[n];
        let Some(at) = system.manager.as_ref().and_then(Manager::deadline) else { return };
        let at = at.max(now);
        if system.ticks_at.is_none_or(|armed| at < armed) {
            system.ticks_at = Some(at);
            self.at(at, Event::Tick(n));
        }
    }

    pub(super) fn tick(&mut self, n: usize) {
        let system = &mut self.systems[n];
        system.ticks_at = None;
        let due = system.manager.as_ref().and_then(Manager::deadline).is_some_and(|at| at <= self.now);
        if due { self.feed(n, Input::Tick) } else { self.arm(n) }
    }

    /// What arrives at a Debug Manager.
    pub(super) fn manager_hears(&mut self, n: usize, conn: ConnId, packet: Packet) {
        let message = match packet {
            Packet::Open(port, ends) => return self.feed(n, Input::Opened { conn, port, ends }),
            Packet::End => {
                self.systems[n].conns.remove(&conn);
                return self.feed(n, Input::Closed { conn, reason: "the connection ended".to_owned() });
            }
            Packet::Message(message) => message,
            Packet::Reply(Reply::Hello(hello)) => Message::Hello(hello),
            Packet::Reply(Reply::Hub(message)) => Message::Hub(message),
            Packet::Reply(reply) => return self.accuse(|| format!("{reply:?} came over a hub link")),
            Packet::Socket(..) => return self.accuse(|| "a Debug Manager was given a socket".to_owned()),
        };
        if !is_routine(&message) {
            self.tell(|| format!("{} reads {message:?}", system_name(n)));
        }
        self.feed(n, Input::Message { conn, message });
    }

    fn carry_out(&mut self, n: usize, output: Output) -> Vec<Input> {
        let at_present = self.systems[n].manager.as_ref().and_then(|manager| manager.settings.hub);
        match output {
            Output::BindHub(hub) | Output::ConnectHub(hub) if at_present != Some(hub) => {}
            Output::BindHub(hub) => return self.bind(n, hub),
            Output::LookAtHub(ip) => return vec![Input::HubAddress(holding(n, ip))],
            Output::ConnectHub(hub) => self.dial_hub(n, Port::Upstream, hub),
            Output::CallHub(place) => self.dial_hub(n, Port::Call, place),
            Output::LeaveHub => {
                self.systems[n].listens = None;
                self.systems[n].attempt += 1;
            }
            Output::Send { conn, reply } => {
                if let Some(&(wire, end)) = self.systems[n].conns.get(&conn) {
                    self.judge_reply(wire, end, &reply);
                    self.send(wire, 1 - end, Packet::Reply(reply));
                }
            }
            Output::Close(conn) => {
                if let Some((wire, end)) = self.systems[n].conns.remove(&conn) {
                    self.hang_up(wire, end);
                }
            }
            Output::Link { engine, handoff, accepted, linked } => self.link(n, engine, handoff, accepted, linked),
            Output::Console(text) => self.tell(|| format!("{} says {text}", system_name(n))),
            Output::Shutdown | Output::Reply(_) | Output::Log(_) | Output::Emit(_) => {}
        }
        Vec::new()
    }

    fn link(&mut self, n: usize, engine: ConnId, handoff: ConnId, accepted: ToEngine, linked: Linked) {
        self.judge_link(n, engine, handoff, &linked);
        if let Some(&(wire, end)) = self.systems[n].conns.get(&engine) {
            self.send(wire, 1 - end, Packet::Reply(Reply::Engine(accepted)));
        }
        let (run, takes) = (self.systems[n].run, self.takes(n as u64, engine.0));
        self.later(takes, Event::Passes { system: n, run, engine, handoff, linked: Box::new(linked) });
    }

    /// The socket goes to the debugger, if he is still there; then it is not Debug Manager's any more.
    pub(super) fn passes(&mut self, n: usize, run: u64, engine: ConnId, handoff: ConnId, linked: Linked) {
        if self.systems[n].run != run {
            return;
        }
        let Some((socket, end)) = self.systems[n].conns.remove(&engine) else { return };
        let result = match self.systems[n].conns.get(&handoff) {
            Some(&(via, at)) => {
                self.wires[socket].ends[end] = End::Passed;
                self.send(via, 1 - at, Packet::Socket(socket, linked));
                Ok(())
            }
            None => {
                self.hang_up(socket, end);
                Err("the debugger's connection to the handoff socket ended".to_owned())
            }
        };
        let takes = self.takes(engine.0, n as u64);
        self.later(takes, Event::Passed { system: n, run, engine, result });
    }
}

/// CLIENT of a system: each has its own.
pub(super) fn client_port(system: usize) -> u16 {
    5400 + system as u16
}

/// What a reader of the story does not need.
fn is_routine(message: &Message) -> bool {
    use HubMessage::{Here, Ping, Pong, Who};
    matches!(message, Message::Hello(_) | Message::Hub(Ping {} | Pong {} | Who { .. } | Here { .. }))
}
