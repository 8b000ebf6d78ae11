//! Faults as they are written; every value knows its place.

use serde::Deserialize;
use sysplex::raw::{FirewallTable, Names, Spanned};

/// A fault as it is written: exactly one kind, and when it comes and goes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::scenario) struct RawFault {
    pub(super) name: Option<Spanned<String>>,
    #[serde(rename = "for")]
    pub(super) lasts: Option<Spanned<String>>,
    pub(super) at: Option<Spanned<String>>,
    pub(super) after: Option<RawAfter>,
    pub(super) firewall: Option<Spanned<FirewallTable>>,
    pub(super) partition: Option<RawPartition>,
    pub(super) loss: Option<RawLoss>,
    pub(super) rate: Option<RawRate>,
    pub(super) link: Option<RawLink>,
    pub(super) reset: Option<RawReset>,
    pub(super) freeze: Option<RawFreeze>,
    pub(super) slow: Option<RawSlow>,
    pub(super) kill: Option<RawTask>,
    pub(super) restart: Option<RawTask>,
    pub(super) crash: Option<RawLpar>,
    pub(super) netem: Option<Spanned<RawNetem>>,
    pub(super) disk: Option<RawDisk>,
    pub(super) descriptors: Option<RawDescriptors>,
    pub(super) clock: Option<Spanned<RawClock>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAfter {
    pub(super) event: Spanned<String>,
    pub(super) on: Option<Spanned<String>>,
    pub(super) task: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPartition {
    pub(super) between: Spanned<Names>,
    pub(super) and: Spanned<Names>,
    pub(super) segment: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLoss {
    pub(super) on: Spanned<Names>,
    pub(super) segment: Option<Spanned<String>>,
    pub(super) percent: Spanned<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRate {
    pub(super) on: Spanned<Names>,
    pub(super) segment: Option<Spanned<String>>,
    pub(super) per_second: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLink {
    pub(super) of: Spanned<String>,
    pub(super) segment: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawReset {
    pub(super) on: Spanned<String>,
    #[serde(default)]
    pub(super) ports: Vec<Spanned<u16>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFreeze {
    pub(super) task: Option<Spanned<String>>,
    pub(super) on: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSlow {
    pub(super) task: Spanned<String>,
    pub(super) on: Spanned<String>,
    pub(super) percent: Spanned<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTask {
    pub(super) task: Spanned<String>,
    pub(super) on: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLpar {
    pub(super) lpar: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawNetem {
    pub(super) on: Spanned<String>,
    pub(super) segment: Option<Spanned<String>>,
    pub(super) delay: Option<Spanned<String>>,
    pub(super) jitter: Option<Spanned<String>>,
    pub(super) reorder: Option<Spanned<u32>>,
    pub(super) duplicate: Option<Spanned<u32>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDisk {
    pub(super) on: Spanned<String>,
    pub(super) at: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDescriptors {
    pub(super) task: Spanned<String>,
    pub(super) on: Spanned<String>,
    pub(super) most: Option<Spanned<u32>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawClock {
    pub(super) on: Spanned<String>,
    pub(super) ahead: Option<Spanned<String>>,
    pub(super) behind: Option<Spanned<String>>,
}
