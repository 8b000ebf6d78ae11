//! The topology file as it is written. Every value knows its place, and the tables can be embedded in a larger file:
//! their places are then places in that file.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
pub use toml::Spanned;

/// The whole topology.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topology {
    /// What holds for all of it.
    #[serde(default)]
    pub sysplex: SysplexTable,
    /// The LPARs, in the order of their numbers.
    #[serde(default)]
    pub lpar: Vec<LparTable>,
    /// The dynamic VIPAs.
    #[serde(default)]
    pub dvipa: Vec<DvipaTable>,
    /// The VIPAROUTE statements.
    #[serde(default)]
    pub viparoute: Vec<ViparouteTable>,
    /// The started tasks.
    #[serde(default)]
    pub started_task: Vec<StartedTaskTable>,
    /// The workstations.
    #[serde(default)]
    pub workstation: Vec<WorkstationTable>,
    /// The firewalls before the sysplex.
    #[serde(default)]
    pub firewall: Vec<FirewallTable>,
}

/// `[sysplex]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SysplexTable {
    /// Its name, by default `LABPLEX`.
    pub name: Option<Spanned<String>>,
    /// The LAN segment, by default `10.10.10.0/24`.
    pub lan: Option<Spanned<String>>,
    /// The XCF segment, by default `9.9.9.0/24`.
    pub xcf: Option<Spanned<String>>,
    /// The LAN segment of IPv6, by default `fd00:10::/64`.
    pub lan6: Option<Spanned<String>>,
    /// The XCF segment of IPv6, by default `fd00:9::/64`.
    pub xcf6: Option<Spanned<String>>,
    /// Defects of z/OS that the stacks have, such as `"PI08005"`; none by default.
    pub defects: Option<Vec<Spanned<String>>>,
}

/// `[[lpar]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LparTable {
    /// SYSNAME.
    pub name: Spanned<String>,
    /// Its own LAN address, by default the segment's .11 and on.
    pub home: Option<Spanned<String>>,
    /// Its dynamic XCF address, by default the segment's .1 and on.
    pub xcf: Option<Spanned<String>>,
    /// System symbols, named without the ampersand. A value may use the built-in ones and SYSCLONE.
    #[serde(default)]
    pub symbols: BTreeMap<Spanned<String>, Spanned<Value>>,
    /// The weight that WLM gives to the system, 1 to 64, by default 1 (DISTMETHOD BASEWLM).
    pub wlm: Option<Spanned<u8>>,
    /// The weights that WLM gives to servers on this system, by port (DISTMETHOD SERVERWLM); others have the system's.
    #[serde(default)]
    pub server_wlm: BTreeMap<Spanned<String>, Spanned<u8>>,
    /// Options of its stack.
    #[serde(default)]
    pub stack: StackTable,
}

/// `[lpar.stack]`: PORT ... BIND, PORT ... SHAREPORT and GLOBALCONFIG ADJUSTDVIPAMSS.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StackTable {
    /// BIND: by port, the address that a server gets which binds any.
    #[serde(default)]
    pub bind: BTreeMap<Spanned<String>, Spanned<String>>,
    /// SHAREPORT: ports.
    pub shareport: Option<Vec<Spanned<u16>>>,
    /// `AUTO` (the default), `ALL` or `NONE`.
    pub adjust_dvipa_mss: Option<Spanned<String>>,
}

/// `[[viparoute]]`: VIPAROUTE DEFINE.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViparouteTable {
    /// The target's dynamic XCF address.
    pub dynxcf: Spanned<String>,
    /// The target's address by which it is to be reached instead.
    pub target: Spanned<String>,
}

/// `[[dvipa]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DvipaTable {
    /// The address.
    pub address: Spanned<String>,
    /// The LPAR with the VIPADEFINE.
    pub owner: Spanned<String>,
    /// `IMMEDIATE` (the default) or `WHENIDLE`: when the owner takes the DVIPA back.
    pub moveable: Option<Spanned<String>>,
    /// The LPARs with a VIPABACKUP, the first takes over first.
    #[serde(default)]
    pub backups: Vec<Spanned<String>>,
    /// The VIPABACKUP statements, in full.
    #[serde(default)]
    pub backup: Vec<BackupTable>,
    /// `reset` (the default) or `drop`.
    pub no_target: Option<Spanned<String>>,
    /// The VIPADISTRIBUTE statements.
    #[serde(default)]
    pub distribute: Vec<DistributeTable>,
}

/// `[[dvipa.backup]]`: VIPABACKUP.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupTable {
    /// The LPAR.
    pub lpar: Spanned<String>,
    /// The higher rank takes over first: 1 (the default) to 254.
    pub rank: Option<Spanned<u8>>,
    /// `IMMEDIATE` or `WHENIDLE`: the form that also activates a DVIPA that is active nowhere. Without it the backup only takes
    /// over.
    pub moveable: Option<Spanned<String>>,
}

/// `[[dvipa.distribute]]`: VIPADISTRIBUTE.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DistributeTable {
    /// `DEFINE` (the default) or `DELETE`, which takes ports and targets away from the statements before it.
    pub action: Option<Spanned<String>>,
    /// Ports, and ranges as `"5330-5339"`; the owner's symbols are resolved. Without it: dynamic ports, those that servers bind
    /// at the DVIPA itself.
    pub ports: Option<Spanned<Vec<Spanned<Value>>>>,
    /// DISTMETHOD, by default `BASEWLM`.
    pub method: Option<Spanned<String>>,
    /// Names of LPARs, or `ALL`.
    pub targets: Spanned<Vec<Spanned<String>>>,
    /// WEIGHTEDACTIVE: the WEIGHT of each target, 1 to 99, by default 10.
    pub weights: Option<Spanned<Vec<Spanned<u8>>>>,
    /// HOTSTANDBY: the PREFERRED target; the others are BACKUP.
    pub preferred: Option<Spanned<String>>,
    /// HOTSTANDBY: AUTOSWITCHBACK (the default) or, when false, NOAUTOSWITCHBACK.
    pub autoswitchback: Option<Spanned<bool>>,
    /// TIMEDAFFINITY, such as `"30s"`; none by default.
    pub timed_affinity: Option<Spanned<String>>,
    /// OPTLOCAL, 0 to 16; without it NOOPTLOCAL.
    pub optlocal: Option<Spanned<u8>>,
    /// SYSPLEXPORTS.
    #[serde(default)]
    pub sysplexports: bool,
}

/// `[[started_task]]`. Which keys belong to it depends on `program`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartedTaskTable {
    /// Name of the started task.
    pub name: Spanned<String>,
    /// `dbgmgr`, `rsed`, `server`, or `command`, which needs not be said beside the key of that name.
    #[serde(default = "any_command")]
    pub program: Spanned<String>,
    /// The LPARs it runs on, by default all.
    pub on: Option<Spanned<Vec<Spanned<String>>>>,
    /// `dbgmgr`: CLIENT, the external port, by default 5335.
    pub client: Option<Spanned<Value>>,
    /// `dbgmgr`: HOST, the internal port, by default 5336.
    pub host: Option<Spanned<Value>>,
    /// `dbgmgr`: HUBIP, the primary's LPAR; without it there is no hub.
    pub hubip: Option<Spanned<String>>,
    /// `dbgmgr`: HUBPORT, by default 5337.
    pub hubport: Option<Spanned<Value>>,
    /// `dbgmgr`: how long a session waits, such as `"300s"`.
    pub wait: Option<Spanned<String>>,
    /// `dbgmgr`: PRM, further `KEY=VALUE` words, such as `"TRUSTEDTCP=ON"`.
    pub prm: Option<Spanned<String>>,
    /// `dbgmgr`: LocalPortRange of an AT-TLS rule, such as `5335` or `"5334-5335"`: the CLIENT port has TLS on the LPARs where the
    /// range covers it. Without it there is no rule, and no TLS.
    pub attls: Option<Spanned<Value>>,
    /// `rsed`: the daemon's port, by default 4035.
    pub port: Option<Spanned<Value>>,
    /// `rsed`: `_RSE_PORTRANGE`, such as `"8108-8118"`; the end is exclusive.
    pub port_range: Option<Spanned<String>>,
    /// `server`: the ports it listens on.
    pub ports: Option<Spanned<Vec<Spanned<Value>>>>,
    /// `server`: the address it binds, by default any.
    pub bind: Option<Spanned<String>>,
    /// `server`: how many connections may wait to be accepted, by default 1024.
    pub backlog: Option<Spanned<u32>>,
    /// `server`: what its procedure looks for before it starts: `"port"` (the port, at whatever address) or `"socket"` (address and
    /// port); by default nothing.
    pub port_check: Option<Spanned<String>>,
    /// `command`: program and arguments; each LPAR's symbols are resolved.
    pub command: Option<Spanned<Vec<Spanned<String>>>>,
    /// `command`: its environment, beside `PATH`.
    #[serde(default)]
    pub environment: BTreeMap<Spanned<String>, Spanned<String>>,
    /// `command`: files that are there before it starts, by their paths below `/run` or `/tmp`.
    #[serde(default)]
    pub files: BTreeMap<Spanned<String>, Spanned<String>>,
    /// `command`: when it is ready, by default at once: `{ port = 80 }`, `{ log = "text" }`, `"sd_notify"`, `"exit"`.
    pub ready: Option<Spanned<ReadyTable>>,
    /// `command`: `never` (the default) or `on-failure`.
    pub restart: Option<Spanned<String>>,
    /// `command`: how often it is started again at most, by default 3.
    pub restart_most: Option<Spanned<u32>>,
}

fn any_command() -> Spanned<String> {
    Spanned::new(0..0, "command".to_owned())
}

/// `ready`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadyTable {
    /// `"sd_notify"`, `"exit"`, `"started"`.
    Word(String),
    /// `{ port = 80 }`.
    Port(Value),
    /// `{ log = "text" }`.
    Log(String),
}

impl<'de> Deserialize<'de> for ReadyTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReadyVisitor)
    }
}

struct ReadyVisitor;

impl<'de> Visitor<'de> for ReadyVisitor {
    type Value = ReadyTable;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"sd_notify\", \"exit\", { port = 80 } or { log = \"text\" }")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<ReadyTable, E> {
        Ok(ReadyTable::Word(word.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ReadyTable, A::Error> {
        let wrong = || A::Error::custom("expected one key, `port` or `log`");
        let ready = match map.next_key::<String>()?.as_deref() {
            Some("port") => ReadyTable::Port(map.next_value()?),
            Some("log") => ReadyTable::Log(map.next_value()?),
            _ => return Err(wrong()),
        };
        if map.next_key::<String>()?.is_some() { Err(wrong()) } else { Ok(ready) }
    }
}

/// `[[workstation]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkstationTable {
    /// Its host name.
    pub name: Spanned<String>,
    /// Its address, by default the LAN segment's .101 and on.
    pub address: Option<Spanned<String>>,
}

/// `[[firewall]]`: what is not let through between workstations and the sysplex. Exactly one of `allow`, `drop`, `reject`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FirewallTable {
    /// The hosts whose packets it looks at, by default all workstations.
    pub from: Option<Spanned<Names>>,
    /// The addresses that it guards, by default whatever they dial.
    pub to: Option<Spanned<Names>>,
    /// Ports and ranges of TCP that are let through; no others are.
    pub allow: Option<Spanned<Vec<Spanned<Value>>>>,
    /// Ports and ranges of TCP to which packets are dropped.
    pub drop: Option<Spanned<Vec<Spanned<Value>>>>,
    /// Ports and ranges of TCP to which packets are answered in the sysplex' stead.
    pub reject: Option<Spanned<Vec<Spanned<Value>>>>,
    /// How they are answered: `reset` (the default of `reject`) or `icmp`.
    pub with: Option<Spanned<String>>,
}

/// One name, or a list of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names(pub Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NamesVisitor)
    }
}

struct NamesVisitor;

impl<'de> Visitor<'de> for NamesVisitor {
    type Value = Names;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name, or a list of names")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Names, E> {
        Ok(Names(vec![text.to_owned()]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Names, A::Error> {
        let mut names = Vec::new();
        while let Some(name) = list.next_element()? {
            names.push(name);
        }
        Ok(Names(names))
    }
}

/// A number, or text with system symbols that gives one. Kept as text, since that is what symbols are resolved in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value(pub String);

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl Visitor<'_> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or text with system symbols")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value(number.to_string()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        Ok(Value(number.to_string()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value(text.to_owned()))
    }
}
