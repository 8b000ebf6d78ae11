//! The sysplex in memory: who there is, what is due when, and how a message finds its way.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap};

use super::super::*;
use super::chance::mix;
use super::engines::Engine;
use super::jobs::Job;
use super::judge::Truth;
use super::miners::Miner;
use super::systems::{System, client_port};
use super::wires::{End, MS, Packet, Wire, delay};

/// Something that will happen.
#[derive(Debug)]
pub(super) enum Event {
    /// The next packet arrives at an end of a connection.
    Arrives(usize, usize),
    /// A Debug Manager's deadline.
    Tick(usize),
    /// What a system dials for its hub is answered, or not. The number is that of its try.
    HubAnswers(usize, u64, Port, std::net::SocketAddr),
    /// A Debug Manager passes an engine's socket on.
    Passes {
        system: usize,
        run: u64,
        engine: ConnId,
        handoff: ConnId,
        linked: Box<dbm_protocol::handoff::Linked>,
    },
    /// That was done.
    Passed {
        system: usize,
        run: u64,
        engine: ConnId,
        result: Result<(), String>,
    },
    /// A Debug Manager that was stopped ends.
    Ends(usize, u64),
    MinerDials(usize),
    JobDials(usize),
    JobClaims(usize),
    /// A job was left without an answer for too long.
    JobGivesUp(usize, u64),
    JobEnds(usize),
    /// A workstation dials with what it was told.
    WorkstationDials(usize, Box<Notice>),
}

struct Due {
    at: u64,
    order: u64,
    event: Event,
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Due {}

/// All there is.
pub(super) struct World {
    pub(super) now: u64,
    pub(super) seed: u64,
    pub(super) delays: bool,
    due: BinaryHeap<Due>,
    pub(super) happened: u64,
    pub(super) systems: Vec<System>,
    pub(super) miners: Vec<Miner>,
    pub(super) jobs: Vec<Job>,
    pub(super) engines: Vec<Engine>,
    pub(super) wires: Vec<Wire>,
    /// Arrivals at ends that cannot be reached at present.
    held: Vec<(usize, usize)>,
    pub(super) truth: Truth,
    /// What was found to be wrong first.
    pub(super) wrong: Option<String>,
    /// What has happened, as text, if anybody wants to read it.
    pub(super) story: Option<Vec<String>>,
}

/// More never happens unless something goes on for ever.
const TOO_MANY: u64 = 30_000;

impl World {
    pub(super) fn new(seed: u64, systems: usize, delays: bool, story: bool) -> Self {
        let mut world = Self {
            now: 1,
            seed,
            delays,
            due: BinaryHeap::new(),
            happened: 0,
            systems: (0..systems).map(System::new).collect(),
            miners: Vec::new(),
            jobs: Vec::new(),
            engines: Vec::new(),
            wires: Vec::new(),
            held: Vec::new(),
            truth: Truth::default(),
            wrong: None,
            story: story.then(Vec::new),
        };
        for n in 0..systems {
            world.start(n);
        }
        world
    }

    /// Notes what has happened, if anybody wants to know.
    pub(super) fn tell(&mut self, what: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            story.push(format!("{:>8} ms  {}", self.now / MS, what()));
        }
    }

    /// Something is wrong; the first finding counts.
    pub(super) fn accuse(&mut self, what: impl FnOnce() -> String) {
        if self.wrong.is_none() {
            self.wrong = Some(what());
        }
    }

    pub(super) fn later(&mut self, in_ns: u64, event: Event) {
        self.at(self.now + in_ns, event);
    }

    pub(super) fn at(&mut self, at: u64, event: Event) {
        self.happened += 1;
        self.due.push(Due { at, order: self.happened, event });
    }

    /// How long somebody takes to do something: a short time when all is calm.
    pub(super) fn takes(&self, who: u64, what: u64) -> u64 {
        if self.delays { delay(mix(self.seed, mix(who, what))) } else { MS }
    }

    /// Lets everything happen until then, or until something is wrong.
    pub(super) fn run_until(&mut self, end: u64) {
        while self.wrong.is_none() && self.due.peek().is_some_and(|due| due.at <= end) {
            let Some(Due { at, event, .. }) = self.due.pop() else { return };
            self.now = at;
            self.happens(event);
            if self.happened > TOO_MANY {
                self.accuse(|| format!("more than {TOO_MANY} things have happened: it goes on for ever"));
            }
        }
        self.now = self.now.max(end);
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Arrives(wire, to) => self.arrives(wire, to),
            Event::Tick(system) => self.tick(system),
            Event::HubAnswers(system, attempt, port, place) => self.hub_answers(system, attempt, port, place),
            Event::Passes { system, run, engine, handoff, linked } => {
                self.passes(system, run, engine, handoff, *linked);
            }
            Event::Passed { system, run, engine, result } => {
                if self.systems[system].run == run {
                    self.feed(system, Input::LinkDone { engine, result });
                }
            }
            Event::Ends(system, run) => {
                if self.systems[system].run == run {
                    self.stop_ends(system);
                }
            }
            Event::MinerDials(miner) => self.miner_dials(miner),
            Event::JobDials(job) => self.job_dials(job),
            Event::JobClaims(job) => self.job_claims(job),
            Event::JobGivesUp(job, since) => self.job_gives_up(job, since),
            Event::JobEnds(job) => self.job_ends(job),
            Event::WorkstationDials(miner, notice) => self.workstation_dials(miner, &notice),
        }
    }

    /// Somebody dials a port of a Debug Manager; nobody answers when there is none, or no way to it.
    pub(super) fn dial(&mut self, who: End, key: u64, system: usize, port: Port) -> Option<usize> {
        let remote = port == Port::Client;
        let there = &mut self.systems[system];
        if there.manager.is_none() || there.stopping || (remote && there.cut_off) {
            return None;
        }
        let wire = self.wires.len();
        let conn = there.next_conn(wire, 1);
        let between = remote.then_some([system; 2]);
        self.wires.push(Wire::new([who, End::Manager(system, conn)], between, mix(self.seed, key)));
        let peer = ([10, 10, 10, 101], 40_000 + (wire % 20_000) as u16).into();
        let ends =
            (port != Port::Handoff).then_some(Ends { peer, local: ([10, 10, 10, 1], client_port(system)).into() });
        self.send(wire, 1, Packet::Open(port, ends));
        Some(wire)
    }

    /// Says hello, and what is wanted.
    pub(super) fn greet(&mut self, wire: usize, role: Role, message: Message) {
        self.send(wire, 1, Packet::Message(Message::Hello(Hello::new(role))));
        self.send(wire, 1, Packet::Message(message));
    }

    /// Sends something to an end of a connection.
    pub(super) fn send(&mut self, wire: usize, to: usize, packet: Packet) {
        let (now, delays) = (self.now, self.delays);
        let at = self.wires[wire].arrival(to, now, delays);
        self.wires[wire].queue[to].push_back(packet);
        self.at(at, Event::Arrives(wire, to));
    }

    /// One end closes.
    pub(super) fn hang_up(&mut self, wire: usize, from: usize) {
        if std::mem::replace(&mut self.wires[wire].open[from], false) {
            self.send(wire, 1 - from, Packet::End);
        }
    }

    fn arrives(&mut self, wire: usize, to: usize) {
        let between = self.wires[wire].between;
        if between.is_some_and(|systems| systems.iter().any(|system| self.systems[*system].cut_off)) {
            return self.held.push((wire, to));
        }
        let Some(packet) = self.wires[wire].queue[to].pop_front() else { return };
        if !self.wires[wire].open[to] {
            match packet {
                Packet::Socket(passed, _) => self.hang_up(passed, 1),
                Packet::End => {}
                // It is told that nobody is here any more.
                _ => self.send(wire, 1 - to, Packet::End),
            }
            return;
        }
        if matches!(packet, Packet::End) {
            self.hang_up(wire, to);
        }
        match (self.wires[wire].ends[to], packet) {
            (End::Manager(system, conn), packet) => self.manager_hears(system, conn, packet),
            (End::Miner(miner), packet) => self.miner_hears(miner, packet),
            (End::Host(job), packet) => self.job_hears(job, packet),
            (End::Handoff(job), packet) => self.handoff_hears(job, packet),
            (End::Engine(engine), packet) => self.engine_hears(engine, packet),
            (End::Passed, _) => {}
        }
    }

    /// What could not arrive is on its way again.
    pub(super) fn release(&mut self) {
        for (wire, to) in std::mem::take(&mut self.held) {
            let (now, delays) = (self.now, self.delays);
            let at = self.wires[wire].arrival(to, now, delays);
            self.at(at, Event::Arrives(wire, to));
        }
    }

    /// All connections of a Debug Manager, with its end of each.
    pub(super) fn wires_of(&self, system: usize) -> BTreeMap<ConnId, (usize, usize)> {
        self.systems[system].conns.clone()
    }
}
