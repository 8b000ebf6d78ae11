//! `site.toml`: what the members of a site do not say. All of it is optional.
//!
//! ```toml
//! sysplex = "PLEX1"             # LOADxx and COUPLExx say it on z/OS
//!
//! [[system]]
//! name = "SYSA"                 # SYSNAME; its members are in the directory of that name
//! lparname = "PROD1"            # what SYSDEF filters are compared with; hwname, vmuserid likewise
//! start = ["S RSED", "S DBGMGR,CLIENT=5340"]   # as COMMNDxx has them; by default every DBGMGR and RSED found
//! symbols = { EQADBM = 5334 }   # what was set after the IPL
//! wlm = 3
//!
//! [[workstation]]
//! name = "WS1"
//!
//! [[firewall]]
//! allow = [4035]                # and nothing else of what workstations say
//! ```

use std::collections::BTreeMap;

use serde::Deserialize;
use sysplex::raw::{FirewallTable, Spanned, StartedTaskTable, Value, WorkstationTable};

/// The whole file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The sysplex' name, by default that of `sysplex`.
    pub sysplex: Option<Spanned<String>>,
    /// The LAN segment, by default what the profiles' addresses need. So the others.
    pub lan: Option<Spanned<String>>,
    /// The XCF segment.
    pub xcf: Option<Spanned<String>>,
    /// The LAN segment of IPv6.
    pub lan6: Option<Spanned<String>>,
    /// The XCF segment of IPv6.
    pub xcf6: Option<Spanned<String>>,
    /// Defects of z/OS that the site's maintenance level has, as a topology has them.
    pub defects: Option<Spanned<Vec<String>>>,
    /// The systems, in the order of their numbers.
    #[serde(default)]
    pub system: Vec<SystemTable>,
    /// What members do not say of DVIPAs; also their order.
    #[serde(default)]
    pub dvipa: Vec<DvipaTable>,
    /// Started tasks without a procedure, as a topology has them. `on` is what START commands say.
    #[serde(default)]
    pub started_task: Vec<StartedTaskTable>,
    /// The workstations; without the key the lab makes one.
    pub workstation: Option<Vec<WorkstationTable>>,
    /// The firewalls before the sysplex, as a topology has them.
    #[serde(default)]
    pub firewall: Vec<FirewallTable>,
}

/// `[[system]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SystemTable {
    /// SYSNAME.
    pub name: Spanned<String>,
    /// The directory of its members, by default its name.
    pub directory: Option<String>,
    /// HWNAME.
    pub hwname: Option<String>,
    /// LPARNAME.
    pub lparname: Option<String>,
    /// VMUSERID.
    pub vmuserid: Option<String>,
    /// The member that is its PROFILE.TCPIP.
    pub profile: Option<Spanned<String>>,
    /// Which of its addresses is to be its own on the lab's LAN.
    pub home: Option<Spanned<String>>,
    /// Symbols that no IEASYMxx defines.
    #[serde(default)]
    pub symbols: BTreeMap<Spanned<String>, Spanned<Value>>,
    /// START commands.
    pub start: Option<Vec<Spanned<String>>>,
    /// How long a session waits, by the name of the Debug Manager's started task, such as `"300s"`.
    #[serde(default)]
    pub wait: BTreeMap<Spanned<String>, Spanned<String>>,
    /// LocalPortRange of the AT-TLS rule, by the name of the Debug Manager's started task, such as `5335`. (The policy itself is not
    /// read.)
    #[serde(default)]
    pub attls: BTreeMap<Spanned<String>, Spanned<Value>>,
    /// The weight that WLM gives to the system.
    pub wlm: Option<Spanned<u8>>,
    /// The weights that WLM gives to servers, by port.
    #[serde(default)]
    pub server_wlm: BTreeMap<Spanned<String>, Spanned<u8>>,
}

/// `[[dvipa]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DvipaTable {
    /// The address.
    pub address: Spanned<String>,
    /// `reset` or `drop`.
    pub no_target: Option<Spanned<String>>,
    /// Backups of one rank in the order in which they take over.
    #[serde(default)]
    pub backups: Vec<String>,
}
