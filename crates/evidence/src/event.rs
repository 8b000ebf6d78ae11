//! The vocabulary of events. The lab's verdict reads them, so a change here is a change of what can be proven.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// One thing that happened in one process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When: nanoseconds of `CLOCK_MONOTONIC`.
    pub t_ns: u64,
    /// Where: the system (LPAR) or workstation, by its host name.
    pub system: String,
    /// Who: the started task, job or client.
    pub task: String,
    /// Who, as its own PID namespace numbers it.
    pub pid: u32,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// Role of one Debug Manager in the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HubState {
    /// No HUBIP: sysplex support is not enabled.
    Off,
    /// Holds HUBIP:HUBPORT; the others connect to it.
    Primary,
    /// Connected to the primary.
    Secondary,
    /// Can neither bind nor connect: works alone and retries.
    Standalone,
}

/// Why a connection or a session was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Short and stable, for programs: `unknown_session`, `bad_token`, `not_waiting`, `bad_message`, ...
    pub code: String,
    /// One sentence for a person.
    pub reason: String,
}

/// What happened. Grouped by the process that says it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum What {
    // ---- any process ----
    /// A socket listens; `role` says for whom: `host`, `client`, `hub`, `rsed`, `rse_server`.
    Listening {
        /// Which of the process's ports.
        role: String,
        /// The address it is bound to.
        address: SocketAddr,
    },
    /// The process is up and waits for work.
    Ready {},
    /// The process cannot go on.
    Fatal {
        /// One sentence for a person.
        reason: String,
    },
    /// The process ends as it was asked to.
    Stopped {},

    // ---- Debug Manager ----
    /// The name/token pair was published.
    NameTokenCreated {
        /// The HOST port that it carries.
        host_port: u16,
    },
    /// The name/token pair was removed.
    NameTokenDeleted {},
    /// The role in the hub changed.
    Hub {
        /// The new role.
        state: HubState,
        /// HUBIP:HUBPORT, where there is one.
        hub: Option<SocketAddr>,
        /// Why, in a few words; empty when all is well.
        reason: String,
    },
    /// There is another primary node than the one that this Debug Manager is, or is connected to.
    HubRival {
        /// Where the other one was found.
        hub: SocketAddr,
        /// Its system.
        system: String,
        /// What comes of it, in one sentence.
        reason: String,
    },
    /// Figure 4, step 3, as Debug Manager sees it: a user is logged on to this system.
    UserRegistered {
        /// The user id.
        user: String,
    },
    /// The registration's connection ended.
    UserGone {
        /// The user id.
        user: String,
    },
    /// Figure 4, step 4, as Debug Manager sees it: a session waits for this user.
    SessionWaiting {
        /// The session's id, unique in the sysplex.
        session: String,
        /// For whom it waits.
        user: String,
        /// The job that waits.
        job: String,
        /// Is the user logged on to this very system?
        local: bool,
    },
    /// A session that an earlier Debug Manager of this system knew was announced again by its debugger.
    SessionResumed {
        /// The session.
        session: String,
        /// The user.
        user: String,
        /// The job.
        job: String,
        /// Does it run already? Else it waits.
        linked: bool,
    },
    /// Figure 4, step 5: this Debug Manager asks the others, with its own external port.
    HubAsked {
        /// The session.
        session: String,
        /// The user looked for.
        user: String,
        /// The external port that the client is to dial.
        port: u16,
    },
    /// The primary passes the question on to the system that has the user.
    HubRouted {
        /// The session.
        session: String,
        /// The user looked for.
        user: String,
        /// The system that has the user.
        to: String,
    },
    /// Figure 4, step 6: the Debug Miner on this system is told.
    MinerNotified {
        /// The session.
        session: String,
        /// The user.
        user: String,
        /// The external port that the client is to dial.
        port: u16,
    },
    /// A client's engine connected to the CLIENT port.
    EngineConnected {
        /// The client's end.
        peer: SocketAddr,
        /// This end: the DVIPA, when the client dialled it.
        local: SocketAddr,
    },
    /// Somebody on this system was turned away at the HOST port, or at the handoff socket: he has not proven for whom he speaks.
    HostRefused {
        /// The user for whom he wanted to speak, where it got that far.
        user: Option<String>,
        /// Why.
        #[serde(flatten)]
        refusal: Refusal,
    },
    /// A partner in the hub was turned away, because it was not authenticated (TRUSTEDTCP=ON).
    HubRefused {
        /// Where it came from.
        peer: SocketAddr,
        /// Why.
        #[serde(flatten)]
        refusal: Refusal,
    },
    /// The engine was turned away.
    EngineRefused {
        /// The client's end.
        peer: SocketAddr,
        /// The session it asked for, where it got that far.
        session: Option<String>,
        /// Why.
        #[serde(flatten)]
        refusal: Refusal,
    },
    /// Figure 4, step 9: the client's socket was passed to the debugger.
    Linked {
        /// The session.
        session: String,
        /// The user.
        user: String,
        /// The job.
        job: String,
        /// The client's end.
        peer: SocketAddr,
        /// This end: the DVIPA and the external port.
        local: SocketAddr,
    },
    /// A session is over, or was given up.
    SessionEnded {
        /// The session.
        session: String,
        /// `finished`, `debugger_gone`, `timed_out_register`, `timed_out_engine`, `cancelled`.
        how: String,
    },
    /// TLS ends in Debug Manager, so that the debugger has got a socket to a relay in it instead of the client's.
    RelayStarted {
        /// The session.
        session: String,
        /// The client's end.
        peer: SocketAddr,
    },
    /// A relay has nothing more to carry.
    RelayEnded {
        /// The session.
        session: String,
        /// The client's end.
        peer: SocketAddr,
        /// Bytes that the debugger was given.
        to_debugger: u64,
        /// Bytes that the client was sent.
        to_client: u64,
        /// Which end has failed, in one sentence; empty when both have closed.
        reason: String,
    },

    // ---- RSE daemon and Debug Miner ----
    /// Figure 4, steps 1 and 2, as the RSE daemon sees them: a logon arrived here.
    Logon {
        /// The user id.
        user: String,
        /// The client's end.
        peer: SocketAddr,
        /// This end: the DVIPA and 4035.
        local: SocketAddr,
        /// The second port that the RSE server bound for this user.
        second_port: u16,
    },
    /// The client's second connection reached the RSE server.
    LogonComplete {
        /// The user id.
        user: String,
        /// The client's end.
        peer: SocketAddr,
        /// This end.
        local: SocketAddr,
    },
    /// The second connection did not come in time.
    LogonAbandoned {
        /// The user id.
        user: String,
        /// One sentence for a person.
        reason: String,
    },
    /// Figure 4, step 3: the Debug Miner found Debug Manager's port and registered the user.
    MinerRegistered {
        /// The user id.
        user: String,
        /// Debug Manager's HOST port, read from the name/token pair.
        host_port: u16,
    },
    /// The Debug Miner cannot register the user.
    MinerFailed {
        /// The user id.
        user: String,
        /// One sentence for a person.
        reason: String,
    },
    /// Figure 4, step 7: the RSE server told the client.
    ClientNotified {
        /// The session.
        session: String,
        /// The user.
        user: String,
        /// The port to dial.
        port: u16,
    },
    /// The client's connection to the RSE server ended.
    Logoff {
        /// The user id.
        user: String,
    },
    /// The RSE daemon knows the user and has no RSE server for him.
    LogonRefused {
        /// The user id.
        user: String,
        /// The client's end.
        peer: SocketAddr,
        /// Why.
        #[serde(flatten)]
        refusal: Refusal,
    },

    // ---- debugger (in the job) ----
    /// The job runs and its debugger wants a workstation.
    JobStarted {
        /// The job's name.
        job: String,
        /// The id of the user that the job runs under.
        job_user: String,
        /// The TEST runtime option as coded.
        test: String,
    },
    /// Figure 4, step 4: Debug Manager took the session.
    JobWaiting {
        /// The session.
        session: String,
        /// The user it waits for.
        user: String,
        /// Debug Manager's HOST port, read from the name/token pair.
        host_port: u16,
    },
    /// Debug Manager was lost, and another one knows the session now.
    JobAnnouncedAgain {
        /// The session.
        session: String,
        /// Its HOST port, read from the name/token pair.
        host_port: u16,
        /// Does the session run already? Else it waits.
        linked: bool,
    },
    /// Figure 4, step 9: the debugger holds the client's socket.
    SocketTaken {
        /// The session.
        session: String,
        /// The client's end.
        peer: SocketAddr,
        /// This end: the DVIPA and the external port.
        local: SocketAddr,
    },
    /// The program under debug stopped.
    ProgramStopped {
        /// `breakpoint` or `entry`.
        reason: String,
        /// Line of the built-in program.
        line: u32,
    },
    /// The job ended.
    JobEnded {
        /// `debugged`, or why it was not: `timed_out_register`, `timed_out_engine`, `no_debug_manager`, `refused`, `lost`.
        how: String,
        /// One sentence for a person.
        reason: String,
    },

    // ---- Eclipse client ----
    /// Figure 4, step 1: the client dials the RSE daemon.
    Dialling {
        /// `rsed`, `rse_server` or `engine`.
        what: String,
        /// The address dialled.
        address: SocketAddr,
    },
    /// A connection that the client dialled was established.
    Connected {
        /// `rsed`, `rse_server` or `engine`.
        what: String,
        /// The client's end.
        local: SocketAddr,
        /// The address dialled.
        peer: SocketAddr,
    },
    /// A connection that the client dialled was not established, or was dropped too early.
    ConnectFailed {
        /// `rsed`, `rse_server` or `engine`.
        what: String,
        /// The address dialled.
        address: SocketAddr,
        /// `refused`, `timed_out`, `reset`, `closed`, `tls` (no handshake came about), `other`.
        how: String,
        /// The system's own words.
        reason: String,
    },
    /// The user is logged on.
    LoggedOn {
        /// The user id.
        user: String,
        /// The system that answered.
        on: String,
    },
    /// Figure 4, step 7, as the client sees it.
    Notified {
        /// The session.
        session: String,
        /// The port to dial.
        port: u16,
        /// The job that waits.
        job: String,
        /// The system that the job runs on.
        job_system: String,
    },
    /// Figure 4, step 8, turned away by the Debug Manager that answered.
    EngineTurnedAway {
        /// The session asked for.
        session: String,
        /// Why.
        #[serde(flatten)]
        refusal: Refusal,
    },
    /// The debugger answered: the client is talking to this job on this system.
    DebuggerAnswered {
        /// The session.
        session: String,
        /// The job, as the debugger itself says.
        job: String,
        /// The system, as the debugger itself says.
        job_system: String,
    },
    /// The client sees the program stopped, and what it read there.
    ClientStopped {
        /// The session.
        session: String,
        /// Line of the program.
        line: u32,
        /// Variables that the client read, as `NAME=value`.
        variables: Vec<String>,
    },
    /// The debug conversation ended as it should: the program ran to its end.
    DebugFinished {
        /// The session.
        session: String,
    },
    /// The debug conversation broke off.
    DebugBroken {
        /// The session.
        session: String,
        /// One sentence for a person.
        reason: String,
    },

    // ---- TCP/IP stacks ----
    /// A line on a system's console.
    Console {
        /// Number and text.
        text: String,
    },

    // ---- strangers ----
    /// Strangers have opened their silent connections, and have thrown each kind of garbage at each address once.
    StrangersInPlace {
        /// Connections that were established until then, garbage included; the other side may have dropped some of them.
        connections: u32,
        /// Connections that were not.
        refused: u32,
    },

    // ---- servers and callers (traffic) ----
    /// A caller has a connection, and the server has said on which system it runs.
    Answered {
        /// Name of the series of calls.
        call: String,
        /// Number of the call in the series, from 1.
        number: u32,
        /// The caller's end.
        local: SocketAddr,
        /// The other end: the DVIPA, as the caller dialled it.
        peer: SocketAddr,
        /// The system, as the server itself says.
        on: String,
    },
    /// A call was not answered, or broke off.
    CallFailed {
        /// Name of the series of calls.
        call: String,
        /// Number of the call in the series, from 1.
        number: u32,
        /// `refused`, `timed_out`, `reset`, `closed`, `wrong_bytes`, `other`.
        how: String,
        /// One sentence for a person.
        reason: String,
    },
    /// Every call of the series was tried; those that are to stay are open.
    CallsPlaced {
        /// Name of the series of calls.
        call: String,
        /// How many were answered.
        answered: u32,
        /// How many were not.
        failed: u32,
    },
    /// Every call of the series has ended as it should, or is counted as failed.
    CallsEnded {
        /// Name of the series of calls.
        call: String,
        /// Calls that received every byte, with the right checksum, and were closed by the caller.
        complete: u32,
        /// Calls that were not answered, broke off, or received something else.
        failed: u32,
        /// Bytes received over all calls.
        bytes: u64,
        /// Longest time without a byte in a running transfer, in microseconds; 0 when there was none.
        longest_silence_us: u64,
    },

    // ---- swarms: many users, or many jobs, in one process ----
    /// A user is not logged on, against its wish: its logon failed, or its connection to the RSE server ended.
    UserLost {
        /// The user id.
        user: String,
        /// One sentence for a person.
        reason: String,
    },
    /// An engine has followed a notice to its end.
    EngineDone {
        /// The user at whose workstation it is.
        user: String,
        /// The job that the notice named.
        told: String,
        /// The job that answered, as it says itself; nothing when none did.
        job: Option<String>,
        /// The system that it runs on, as it says itself.
        job_system: Option<String>,
        /// Why the conversation did not come to its end; nothing when it did.
        failed: Option<String>,
    },
    /// A job under the debugger has ended.
    JobDone {
        /// The job.
        job: String,
        /// The user whose workstation was at the other end, as the workstation says itself; nothing when there was none.
        client: Option<String>,
        /// Why it was not debugged to its end; nothing when it was.
        failed: Option<String>,
        /// From when the session waited to the first message of the debug conversation, in microseconds.
        handoff_us: u64,
    },
    /// A swarm has no more to do.
    Drained {
        /// Sessions that it had to give up.
        left: u64,
    },
    // ---- the lab ----
    /// A fault was brought about, and was seen to bite.
    FaultBegan {
        /// Its name.
        name: String,
        /// What it is, in one sentence.
        what: String,
    },
    /// A fault was healed, and was seen to be gone.
    FaultHealed {
        /// Its name.
        name: String,
        /// What it was, in one sentence.
        what: String,
    },
}
