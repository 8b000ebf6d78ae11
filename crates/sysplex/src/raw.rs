//! The topology file as it is written. Every value knows its place, and the tables can be embedded in a larger file:
//! their places are then places in that file.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
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
    /// The started tasks.
    #[serde(default)]
    pub started_task: Vec<StartedTaskTable>,
    /// The workstations.
    #[serde(default)]
    pub workstation: Vec<WorkstationTable>,
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
}

/// `[[dvipa]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DvipaTable {
    /// The address.
    pub address: Spanned<String>,
    /// The LPAR with the VIPADEFINE.
    pub owner: Spanned<String>,
    /// The LPARs with a VIPABACKUP.
    #[serde(default)]
    pub backups: Vec<Spanned<String>>,
    /// `reset` (the default) or `drop`.
    pub no_target: Option<Spanned<String>>,
    /// The VIPADISTRIBUTE statements.
    #[serde(default)]
    pub distribute: Vec<DistributeTable>,
}

/// `[[dvipa.distribute]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DistributeTable {
    /// Ports, and ranges as `"5330-5339"`; the owner's symbols are resolved.
    pub ports: Spanned<Vec<Spanned<Value>>>,
    /// DISTMETHOD.
    pub method: Spanned<String>,
    /// Names of LPARs, or `ALL`.
    pub targets: Spanned<Vec<Spanned<String>>>,
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
    /// `dbgmgr` or `rsed`.
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
    /// `rsed`: the daemon's port, by default 4035.
    pub port: Option<Spanned<Value>>,
    /// `rsed`: `_RSE_PORTRANGE`, such as `"8108-8118"`; the end is exclusive.
    pub port_range: Option<Spanned<String>>,
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
