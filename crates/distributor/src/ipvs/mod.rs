//! IPVS with direct routing: the distributor that Linux itself has.
//!
//! Each distributed port is a virtual service, and every LPAR of the sysplex is a real server of each, at its XCF address (or
//! what VIPAROUTE has in its place); who takes no new connection has weight 0. So a change of readiness is a change of weights,
//! which leaves connections alone, and the first turn of a round is always that of the first LPAR. The owner is a target among
//! others: a server whose address is the owner's own gets its packets from the kernel at once.
//!
//! What IPVS cannot do is done by a small nftables table without any state, see the module `filter`.
//!
//! Where it differs from the nftables backend (with kernel 6.1):
//!
//! - TIMEDAFFINITY is IPVS's persistence. Its timer starts when a connection begins; on z/OS it starts when the last one ends.
//!   When it runs out while there are entries of connections, IPVS looks again every 60 seconds. An entry stays for [`CLOSING`]
//!   after the client has ended the connection, two minutes where the target is the owner itself. So an affinity never ends while
//!   a connection is open, may end with the last one, and may last some minutes longer.
//! - HOTSTANDBY: a second SYN of a connection that is half open to a target that is ready but passed over goes to the one that
//!   takes all.
//! - WEIGHTEDACTIVE is the kernel's scheduler `wlc`, which knows the active connections itself, as they are at every SYN.
//! - The connections of a port end when the port is distributed no longer.
//! - Nobody can tell IPVS of a connection but another IPVS, by its sync daemon: see [`Backend::prepare`]. So the connections given
//!   to [`Backend::render`] are not looked at.
//! - [`Backend::forget`] takes out all connections of these targets to these ports, which is what it is for.
//! - [`Backend::read`]: the kernel copies its counters every two seconds, so the total of a target may be late by that much; it
//!   is never less than the connections that the target has.
//! - A script is not atomic. While everything is set anew, packets are lost, and a SYN may be refused.

mod filter;
mod read;
mod servers;
mod services;

use std::time::Duration;

use sysplex::Sysplex;

use crate::{Affinity, Backend, Connection, OwnerPlan, ReadError, Script, State, Tables, plan};
use servers::Servers;

const IPVSADM: &str = "ipvsadm";
/// Number of the sysplex for its sync daemons: there is one on an XCF segment.
const SYNCID: &str = "1";
const NFT: &str = "nft";
const SYSCTL: &str = "sysctl";
const CAT: &str = "cat";

/// How long the entry of a connection stays without a sign of life of its client: a day, as with nftables. (IPVS: 15 minutes.)
const IDLE: Duration = Duration::from_secs(86_400);

/// The same after the client has ended it: enough for what the target still has to say, as long as it does not think about it,
/// and short, because affinities last as long. (IPVS: 2 minutes.)
const CLOSING: Duration = Duration::from_secs(30);

/// Entries of a server that was deleted stay, and their packets are lost; when the server comes again, it has them again.
const KEEP_ENTRIES: [&str; 1] = ["net.ipv4.vs.expire_nodest_conn=0"];

/// - Entries of a server that was deleted go (at once since kernel 5.9), and a SYN leaves a server that has weight 0.
/// - An affinity to a server with weight 0 is dropped.
/// - A client's port that is used again is a new connection, also while the old one waits for the target's end (bit 1).
/// - Where sync daemons run: every connection is told when it is established, and again every ten seconds while there are
///   packets, instead of at its third packet and every 50.
const SETTINGS: [&str; 6] = [
    "net.ipv4.vs.expire_nodest_conn=1",
    "net.ipv4.vs.expire_quiescent_template=1",
    "net.ipv4.vs.conn_reuse_mode=3",
    "net.ipv4.vs.sync_threshold=0 0",
    "net.ipv4.vs.sync_refresh_period=10",
    "net.ipv4.vs.sync_retries=2",
];

/// Where a backup daemon runs: an LPAR that owns nothing leaves packets alone that an owner has sent to it as their target.
const OWNER: &str = "net.ipv4.vs.backup_only=0";
const NO_OWNER: &str = "net.ipv4.vs.backup_only=1";

/// The backend for IPVS. It needs a kernel with `ip_vs` and the right to configure it: `CAP_NET_ADMIN` in the machine's first
/// user namespace, which a user namespace does not give.
#[derive(Clone, Debug)]
pub struct Ipvs {
    servers: Servers,
    /// Every DVIPA, and nothing listens.
    stand_by: OwnerPlan,
}

impl Ipvs {
    /// The backend for the LPARs of this sysplex; it needs their addresses.
    pub fn new(sysplex: &Sysplex) -> Self {
        let members = sysplex.lpars.iter().map(|lpar| lpar.index).collect();
        let anybody = sysplex.lpars.iter().map(|lpar| lpar.index).next();
        let owned = |anybody| sysplex.dvipas.iter().map(move |dvipa| (dvipa.address, anybody));
        let state = State { members, owner: anybody.into_iter().flat_map(owned).collect(), ..State::default() };
        let stand_by = plan(sysplex, &state).into_values().next().unwrap_or_default();
        Self { servers: Servers::new(sysplex), stand_by }
    }
}

impl Backend for Ipvs {
    fn forgets_one(&self) -> bool {
        false
    }

    /// It also counts the connections that the sync daemon tells it of, those that it has sent itself among them.
    fn total_is_exact(&self) -> bool {
        false
    }

    fn name(&self) -> &'static str {
        "ipvs"
    }

    fn tools(&self) -> &'static [&'static str] {
        &[IPVSADM, NFT, SYSCTL, CAT]
    }

    /// It tells the others of its connections and hears of theirs (multicast 224.0.0.81, UDP port 8848). So a connection outlives
    /// a takeover when it was established for some two seconds, which is how long IPVS collects what it has to tell.
    fn prepare(&self, xcf: &str) -> Vec<Script> {
        let daemon = |state| {
            let args = ["--start-daemon", state, "--mcast-interface", xcf, "--syncid", SYNCID];
            Script::new(IPVSADM, &args, "")
        };
        // Services, so that what is heard belongs to a server and can be forgotten with it. They come last: they would take
        // packets of an LPAR that is a target, were it not for the backup daemon.
        let services = services::changes(&self.servers, None, &self.stand_by);
        // Settings come after what makes the kernel load its module.
        vec![daemon("backup"), daemon("master"), set(SETTINGS.into_iter().chain([NO_OWNER])), restore(services)]
    }

    fn clear(&self, prepared: bool) -> Vec<Script> {
        let stop = |state| Script::new(IPVSADM, &["--stop-daemon", state], "");
        let all = vec![stop("backup"), stop("master"), Script::new(IPVSADM, &["-C"], "")];
        if prepared { all } else { Vec::new() }
    }

    fn render(&self, previous: Option<&OwnerPlan>, next: &OwnerPlan, _connections: &[Connection]) -> Vec<Script> {
        let mut scripts = Vec::new();
        let changes = services::changes(&self.servers, previous, next);
        let role = |plan: &OwnerPlan| if plan.dvipas.is_empty() { NO_OWNER } else { OWNER };
        match previous {
            None => {
                scripts.push(set(KEEP_ENTRIES));
                scripts.push(restore(changes));
                scripts.push(set(SETTINGS.into_iter().chain([role(next)])));
            }
            Some(previous) => {
                scripts.extend((!changes.is_empty()).then(|| restore(changes)));
                scripts.extend((role(previous) != role(next)).then(|| set([role(next)])));
            }
        }
        let filter = filter::script(previous, next);
        if !filter.is_empty() {
            scripts.push(Script::new(NFT, &["-f", "-"], filter));
        }
        scripts
    }

    fn forget(&self, connections: &[Connection]) -> Vec<Script> {
        if connections.is_empty() { Vec::new() } else { vec![restore(services::forget(&self.servers, connections))] }
    }

    fn read(&self) -> Vec<Script> {
        vec![
            Script::new(CAT, &["/proc/net/ip_vs_conn"], ""),
            Script::new(CAT, &["/proc/net/ip_vs"], ""),
            Script::new(IPVSADM, &["-L", "-n", "--stats", "--exact"], ""),
        ]
    }

    fn parse(&self, outputs: &[String]) -> Result<Tables, ReadError> {
        read::parse(&self.servers, outputs)
    }

    fn affinity_timers(&self, _timers: &[(Affinity, Duration)]) -> Vec<Script> {
        Vec::new()
    }
}

fn restore(text: String) -> Script {
    Script::new(IPVSADM, &["-R"], text)
}

/// Settings that this kernel does not have are passed over.
fn set<'a>(settings: impl IntoIterator<Item = &'a str>) -> Script {
    let args: Vec<&str> = ["-q", "-e", "-w"].into_iter().chain(settings).collect();
    Script::new(SYSCTL, &args, "")
}
