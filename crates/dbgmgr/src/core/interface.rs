//! What goes into the core and what comes out of it.

use std::net::{IpAddr, SocketAddr};

use dbm_protocol::engine::{FromEngine, ToEngine};
use dbm_protocol::handoff::{FromClaimant, Linked, ToClaimant};
use dbm_protocol::host::{FromDebugger, FromMiner, Logon, ToDebugger, ToMiner};
use dbm_protocol::hub::HubMessage;
use dbm_protocol::{Hello, SystemName};
use evidence::What;
use serde::Serialize;

/// A connection, as the shell numbers it: ascending, never twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// On which port a connection arrived, or, for `Upstream` and `Call`, that this Debug Manager dialled it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Port {
    /// HOST, the internal port: Debug Miner and debugger, loopback only.
    Host,
    /// CLIENT, the external port: the client's engine.
    Client,
    /// HUBPORT, while this Debug Manager is primary.
    Hub,
    /// The Unix socket on which debuggers wait for the client's socket.
    Handoff,
    /// To the primary.
    Upstream,
    /// To a place where another primary may be.
    Call,
}

/// The two ends of a TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The other end.
    pub peer: SocketAddr,
    /// This end.
    pub local: SocketAddr,
}

/// One message, as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The first one on every connection.
    Hello(Hello),
    /// The second one on the HOST port.
    Logon(Logon),
    /// From a Debug Miner.
    Miner(FromMiner),
    /// From a debugger on the HOST port.
    Debugger(FromDebugger),
    /// From an engine.
    Engine(FromEngine),
    /// From a debugger on the handoff socket.
    Claimant(FromClaimant),
    /// From another Debug Manager.
    Hub(HubMessage),
}

/// One message to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Reply {
    /// The first one on a connection that was dialled from here.
    Hello(Hello),
    /// To a Debug Miner.
    Miner(ToMiner),
    /// To a debugger on the HOST port.
    Debugger(ToDebugger),
    /// To an engine.
    Engine(ToEngine),
    /// To a debugger on the handoff socket.
    Claimant(ToClaimant),
    /// To another Debug Manager.
    Hub(HubMessage),
}

/// What the shell tells the core.
#[derive(Debug)]
pub enum Input {
    /// The ports listen; begin.
    Start,
    /// A connection was accepted, or dialled.
    Opened {
        /// Its number.
        conn: ConnId,
        /// Where it came from.
        port: Port,
        /// Its ends, unless it is a Unix connection.
        ends: Option<Ends>,
    },
    /// Under which user id of this system the other end of a connection runs, or why that is not known. Said at once after
    /// [`Input::Opened`], where the other end is on this system.
    PeerUser {
        /// Which connection.
        conn: ConnId,
        /// The user id.
        uid: Result<u32, String>,
    },
    /// A message arrived.
    Message {
        /// On which connection.
        conn: ConnId,
        /// The message.
        message: Message,
    },
    /// Bytes arrived that are no message; nothing more is read from the connection.
    Garbage {
        /// On which connection.
        conn: ConnId,
        /// What is wrong with them.
        reason: String,
    },
    /// The connection ended or failed.
    Closed {
        /// Which one.
        conn: ConnId,
        /// The system's words, or that it ended.
        reason: String,
    },
    /// What became of [`Output::Link`].
    LinkDone {
        /// The engine's connection.
        engine: ConnId,
        /// Passed on; or what went wrong, and then the engine's connection is closed.
        result: Result<(), String>,
    },
    /// A command, as the operator has typed it. It is answered by exactly one [`Output::Reply`].
    Operator(String),
    /// What became of the last [`Output::BindHub`]; of an earlier one the shell does not report.
    HubBound(Result<(), String>),
    /// The last [`Output::ConnectHub`] failed. (When it does not, the connection is [`Input::Opened`].)
    HubUnreachable(String),
    /// What HUBIP is to this system: before [`Input::HubBound`] when it was bound, and in answer to [`Output::LookAtHub`].
    HubAddress(Holding),
    /// No more connections can be accepted, for want of file descriptors.
    Pressure,
    /// Nothing but time has passed.
    Tick,
    /// The operator stops Debug Manager.
    Stop,
}

/// What an address is to this system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holding {
    /// One of its own, as far as can be seen from here.
    Own,
    /// A virtual one (VIPA): other systems may hold the same, now or later.
    Virtual,
    /// None of its addresses.
    Gone,
}

/// What the core wants the shell to do, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send a message.
    Send {
        /// On which connection.
        conn: ConnId,
        /// The message.
        reply: Reply,
    },
    /// Close the connection, after what was sent to it. The core has forgotten it already.
    Close(ConnId),
    /// Figure 4, step 9: send `accepted` to the engine, then pass its socket on, and report [`Input::LinkDone`].
    Link {
        /// The engine's connection.
        engine: ConnId,
        /// The debugger's connection to the handoff socket.
        handoff: ConnId,
        /// To the engine.
        accepted: ToEngine,
        /// To the debugger, with the socket.
        linked: Linked,
    },
    /// Try to listen on HUBIP:HUBPORT, and report [`Input::HubBound`].
    BindHub(SocketAddr),
    /// Dial HUBIP:HUBPORT, and report [`Input::Opened`] or [`Input::HubUnreachable`].
    ConnectHub(SocketAddr),
    /// Say what this address is to this system: [`Input::HubAddress`].
    LookAtHub(IpAddr),
    /// Dial this place and report [`Input::Opened`] with [`Port::Call`], or nothing when nobody answers.
    CallHub(SocketAddr),
    /// Do not listen on the hub's address any more, and forget what is under way of binding and dialling.
    LeaveHub,
    /// Answer the operator: a message of one line or more, none of which has control characters.
    Reply(Vec<String>),
    /// Log at this level from now on.
    Log(Level),
    /// End, as after SIGTERM: give [`Input::Stop`] and give everything back.
    Shutdown,
    /// Write an event.
    Emit(What),
    /// Write a console message.
    Console(String),
}

/// How much goes to the message log, by the operator's letter (command `LL`). The letters are documented, what they stand for
/// is read from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// `E`, the default: errors, and here warnings too.
    Error,
    /// `I`: what is worth knowing.
    Informational,
    /// `D`: what goes in and out; the same as PRM=DEBUG.
    Debug,
    /// `V`: all there is.
    Verbose,
}

/// Longest WAIT, and highest value of the operator's `T`: a day, in seconds. Ours; no range is documented.
pub const LONGEST_WAIT: u64 = 86_400;

/// Can this be HUBIP? With an address that is not one system's own every system, or none, would be the primary node.
pub fn is_of_one_system(ip: IpAddr) -> bool {
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    !(ip.is_unspecified() || ip.is_multicast() || broadcast)
}

/// What the core has to know before it begins. The operator changes `hub`, `wait_ns` and `level` at run time.
#[derive(Clone, Debug)]
pub struct Settings {
    /// This system.
    pub system: SystemName,
    /// Name of the started task, by which the operator calls it.
    pub task: String,
    /// The HOST port.
    pub host_port: u16,
    /// The CLIENT port, which notifications carry.
    pub client_port: u16,
    /// HUBIP:HUBPORT, or no sysplex support.
    pub hub: Option<SocketAddr>,
    /// Longest duration of each of the two phases of a wait, in nanoseconds.
    pub wait_ns: u64,
    /// How much goes to the message log.
    pub level: Level,
    /// Path of the handoff socket, which debuggers are told.
    pub handoff: String,
    /// Number of the first session. It must be higher than any number that an earlier run on this system gave.
    pub first_session: u64,
    /// See [`Limits`].
    pub limits: Limits,
}

/// Bounds on what others can make Debug Manager do. None is documented by IBM; all are ours. Times in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections to the CLIENT port, and to the HUB port, that have not said yet what they want: anybody can make them.
    pub unproven: usize,
    /// The same of the HOST port and of the handoff socket. Only who has the right user id stays there, and a thousand jobs may
    /// begin in one moment.
    pub unproven_local: usize,
    /// Time for hello and first message.
    pub hello_ns: u64,
    /// Time for a debugger to claim its session on the handoff socket once an engine is there.
    pub claim_ns: u64,
    /// Sessions of one user.
    pub sessions_per_user: usize,
    /// Sessions in all.
    pub sessions: usize,
    /// Registrations of one user on this system.
    pub registrations_per_user: usize,
    /// Registrations on this system, and users that one secondary may announce.
    pub registrations: usize,
    /// Secondaries. A sysplex has 32 systems at most; the rest is for links that are dead and not yet noticed.
    pub members: usize,
    /// Period of pings from a secondary to the primary; a hub link that is silent for three of them is dead.
    pub ping_ns: u64,
    /// First pause before the hub is tried again; it doubles up to `retry_most_ns`. Each is shortened by chance, to a half at
    /// most.
    pub retry_first_ns: u64,
    /// Longest such pause: the retry period. As often another primary is looked for.
    pub retry_most_ns: u64,
}

impl Limits {
    /// Connections on this port that have not said yet what they want.
    pub fn unproven_on(&self, port: Port) -> usize {
        if matches!(port, Port::Host | Port::Handoff) { self.unproven_local } else { self.unproven }
    }
}

impl Default for Limits {
    fn default() -> Self {
        const SECOND: u64 = 1_000_000_000;
        Self {
            unproven: 512,
            unproven_local: 1024,
            hello_ns: 10 * SECOND,
            claim_ns: 2 * SECOND,
            sessions_per_user: 64,
            sessions: 16_384,
            registrations_per_user: 64,
            registrations: 16_384,
            members: 64,
            ping_ns: 2 * SECOND,
            retry_first_ns: SECOND / 4,
            retry_most_ns: 5 * SECOND,
        }
    }
}
