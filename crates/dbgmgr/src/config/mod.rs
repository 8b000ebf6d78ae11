//! What the started task was given: arguments, configuration file, environment.
//!
//! The arguments are IBM's: `HOST CLIENT PRM...`, the internal port first (member EQAZPCM). Words of PRM are `DEBUG` or
//! `KEY=VALUE`, of which SAFCLASS is documented. HUBIP, HUBPORT and TRUSTEDTCP are documented for a configuration file and for
//! environment variables, but the file's syntax is not, nor is a precedence; both are ours: `KEY=VALUE` lines, `#` or `*` begins
//! a comment line, all keys may be anywhere, and arguments go before the configuration file, which goes before the environment.
//! CLIENTIP and HUBPEERS are ours; so is WAIT (the operator's `T,$VALUE` sets what seems to be the same at run time), and so are
//! METRICS, SESSIONS and USERSESSIONS, and all that is about TLS, which on z/OS is a matter of AT-TLS policy and not of Debug Manager
//! (see `tls`). NAMETOKEN and PTKTDATA are switches for mistakes of the field: which kind of name/token pair EQAZPCM makes is not
//! documented, and there is no RACF here.

mod args;
mod check;
mod tls;
mod words;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

pub use args::Args;
pub use check::{Problems, load};
pub use tls::{ClientTls, HubTls, Identity};

/// Before what is wrong with the input. The number is ours.
pub const WRONG: &str = "EQACM930E";
/// Before what makes it impossible to go on. The number is ours.
pub const CANNOT_GO_ON: &str = "EQACM931U";

/// All that Debug Manager has to know, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// HOST, the internal port.
    pub host: u16,
    /// CLIENT, the external port.
    pub client: u16,
    /// CLIENTIP: the address that the external port is bound to; any by default.
    pub client_ip: IpAddr,
    /// HUBIP and HUBPORT; without HUBIP there is no sysplex support.
    pub hub: Option<SocketAddr>,
    /// TRUSTEDTCP: are the hub's partners authenticated?
    pub trusted_tcp: bool,
    /// HUBPEERS: the addresses of the sysplex' systems; empty: the network of HUBIP.
    pub hub_peers: Vec<IpNet>,
    /// Longest duration of each phase of a wait.
    pub wait: Duration,
    /// SESSIONS: how many there may be on this system.
    pub sessions: usize,
    /// USERSESSIONS: how many of one user.
    pub user_sessions: usize,
    /// Name of the started task, by which the operator calls it; it is read from the environment.
    pub task: String,
    /// PRM=DEBUG: trace to stderr.
    pub debug: bool,
    /// SAFCLASS, the class of the batch start profile. Kept and shown; there is no SAF here.
    pub saf_class: String,
    /// METRICS: where metrics are served.
    pub metrics: Option<SocketAddr>,
    /// NAMETOKEN=PERSIST: the name/token pair stays when Debug Manager ends, until the next IPL.
    pub persist: bool,
    /// Has class PTKTDATA a key for Debug Manager (PTKTDATA=NONE: no)?
    pub ptktdata: bool,
    /// CLIENTTLS=ON: TLS on the CLIENT port.
    pub client_tls: Option<ClientTls>,
    /// HUBTLS=ON: TLS on the HUB port, both ends with a certificate.
    pub hub_tls: Option<HubTls>,
    /// Directory of this system's name/token pairs and of the handoff socket.
    pub run_dir: PathBuf,
}

impl fmt::Display for Config {
    /// As lines of a configuration file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, client, saf_class, .. } = self;
        let switch = |on| if on { "ON" } else { "OFF" };
        write!(f, "HOST={host}\nCLIENT={client}\n")?;
        if !self.client_ip.is_unspecified() {
            writeln!(f, "CLIENTIP={}", self.client_ip)?;
        }
        if let Some(hub) = self.hub {
            write!(f, "HUBIP={}\nHUBPORT={}\n", hub.ip(), hub.port())?;
        }
        if self.trusted_tcp {
            writeln!(f, "TRUSTEDTCP=ON")?;
        }
        if !self.hub_peers.is_empty() {
            let peers: Vec<_> = self.hub_peers.iter().map(ToString::to_string).collect();
            writeln!(f, "HUBPEERS={}", peers.join(","))?;
        }
        if let Some(metrics) = self.metrics {
            writeln!(f, "METRICS={metrics}")?;
        }
        if self.persist {
            writeln!(f, "NAMETOKEN=PERSIST")?;
        }
        if !self.ptktdata {
            writeln!(f, "PTKTDATA=NONE")?;
        }
        self.fmt_tls(f)?;
        let Self { sessions, user_sessions, .. } = self;
        write!(
            f,
            "WAIT={}\nSESSIONS={sessions}\nUSERSESSIONS={user_sessions}\nSAFCLASS={saf_class}\nDEBUG={}",
            self.wait.as_secs(),
            switch(self.debug)
        )
    }
}

impl Config {
    fn fmt_tls(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pair = |f: &mut fmt::Formatter<'_>, prefix, Identity { cert, key }: &Identity| {
            write!(f, "{prefix}CERT={}\n{prefix}KEY={}\n", cert.display(), key.display())
        };
        let (client, hub) = (self.client_tls.as_ref(), self.hub_tls.as_ref());
        if let Some(tls) = client {
            writeln!(f, "CLIENTTLS=ON")?;
            pair(f, "TLS", &tls.identity)?;
        }
        if let Some(tls) = hub {
            writeln!(f, "HUBTLS=ON\nTLSCA={}", tls.ca.display())?;
            if client.is_none_or(|client| client.identity != tls.identity) {
                pair(f, "HUB", &tls.identity)?;
            }
        }
        Ok(())
    }
}
