//! The scenario file as it is written; every value knows its place.

use std::collections::BTreeMap;

use serde::Deserialize;
use sysplex::raw::{Spanned, Topology};

use super::assertion::{Assert, Capture};

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// One line for a person.
    pub(super) title: String,
    /// The topology's file, beside this one.
    pub(super) topology: Option<Spanned<String>>,
    /// Or a directory with the z/OS members of a site, beside this file.
    pub(super) members: Option<Spanned<String>>,
    /// Or the topology itself.
    pub(super) plex: Option<Topology>,
    /// How long each step may take when it does not say.
    pub(super) within: Option<Spanned<String>>,
    /// A broken twin: what must go wrong.
    pub(super) expect_failure: Option<ExpectFailure>,
    /// Its cure: the same in a sysplex where it goes well.
    pub(super) cured: Option<Spanned<Cured>>,
    /// Backends on which it is not run, each with the reason.
    #[serde(default)]
    pub(super) except: BTreeMap<Spanned<String>, String>,
    /// What happens, in order.
    #[serde(default)]
    pub(super) step: Vec<Spanned<Step>>,
}

/// `expect_failure`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectFailure {
    /// What the user sees.
    pub(super) symptom: Spanned<String>,
    /// Why: an entry of the field catalogue, such as `F02`.
    pub(super) cause: Option<Spanned<String>>,
}

/// `[cured]`: what is different when it goes well.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cured {
    /// The cured topology's file, beside this one.
    pub(super) topology: Option<Spanned<String>>,
    /// Or the directory with the cured members.
    pub(super) members: Option<Spanned<String>>,
    /// Or the cured topology itself. None of the three: it is the steps that are cured.
    pub(super) plex: Option<Topology>,
    /// What happens there, in order; the same as in the broken one when there are none.
    #[serde(default)]
    pub(super) step: Vec<Spanned<Step>>,
}

/// `[[step]]`: one action.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    pub(super) logon: Option<Logon>,
    pub(super) submit: Option<Submit>,
    pub(super) attach: Option<OfJob>,
    pub(super) resume: Option<OfJob>,
    pub(super) expect: Option<Spanned<Expect>>,
    pub(super) garbage: Option<Garbage>,
    pub(super) calls: Option<Spanned<Calls>>,
    pub(super) finish: Option<Finish>,
    pub(super) vary: Option<Command>,
    pub(super) modify: Option<Command>,
    pub(super) tell: Option<Tell>,
    pub(super) start: Option<OfTask>,
    pub(super) stop: Option<OfTask>,
    pub(super) crash: Option<OfLpar>,
    pub(super) pause: Option<Spanned<String>>,
    pub(super) owner: Option<Owner>,
    pub(super) agreement: Option<Agreement>,
    pub(super) netstat: Option<Netstat>,
    pub(super) assert: Option<Spanned<Assert>>,
    pub(super) capture: Option<Capture>,
    pub(super) logons: Option<Spanned<super::logons::RawLogons>>,
    pub(super) users: Option<Spanned<super::logons::RawUsers>>,
    pub(super) ezbeport: Option<Spanned<String>>,
    pub(super) router: Option<super::network::Router>,
    pub(super) filter: Option<super::network::Filter>,
    pub(super) ipl: Option<OfLpar>,
    pub(super) fault: Option<Spanned<super::fault::RawFault>>,
    pub(super) heal: Option<Spanned<String>>,
    pub(super) run: Option<super::program::RawRun>,
    pub(super) within: Option<Spanned<String>>,
}

/// `logon`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Logon {
    pub(super) user: Spanned<String>,
    pub(super) from: Spanned<String>,
    pub(super) via: Option<Spanned<String>>,
    pub(super) on: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) encrypted_first: bool,
    #[serde(default)]
    pub(super) keep_token: bool,
    #[serde(default)]
    pub(super) tls: bool,
}

/// `submit`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Submit {
    pub(super) job: Spanned<String>,
    pub(super) on: Spanned<String>,
    pub(super) user: Spanned<String>,
    pub(super) test: Option<Spanned<String>>,
    pub(super) waits_for: Option<Spanned<String>>,
}

/// `attach` and `resume`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfJob {
    pub(super) job: Spanned<String>,
}

/// `expect`: either of a job or of a started task.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expect {
    pub(super) job: Option<Spanned<String>>,
    pub(super) on: Option<Spanned<String>>,
    pub(super) port: Option<Spanned<u16>>,
    pub(super) crosses: Option<Spanned<String>>,
    pub(super) task: Option<Spanned<String>>,
    pub(super) memory: Option<Spanned<String>>,
}

/// `garbage`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Garbage {
    pub(super) from: Spanned<String>,
    pub(super) at: Spanned<Vec<Spanned<String>>>,
    pub(super) silent: Option<Spanned<u32>>,
}

/// `calls`: connections to a server.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Calls {
    pub(super) name: Option<Spanned<String>>,
    pub(super) from: Spanned<String>,
    pub(super) to: Spanned<String>,
    pub(super) count: Spanned<u32>,
    pub(super) parallel: Option<Spanned<u32>>,
    pub(super) timeout: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) hold: bool,
    pub(super) keep: Option<Spanned<String>>,
    pub(super) get: Option<Spanned<String>>,
    pub(super) put: Option<Spanned<String>>,
    pub(super) rate: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) on: BTreeMap<Spanned<String>, Spanned<u32>>,
    pub(super) tolerance: Option<Spanned<u32>>,
    pub(super) fail: Option<Spanned<String>>,
}

/// `finish`: the end of calls that were held, or of their transfers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Finish {
    pub(super) calls: Spanned<String>,
    pub(super) lost: Option<Spanned<u32>>,
}

/// `vary` and `modify`: an operator's command.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Command {
    pub(super) on: Spanned<String>,
    pub(super) command: Spanned<String>,
    pub(super) says: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) refused: bool,
}

/// `tell`: an order to a server.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tell {
    pub(super) task: Spanned<String>,
    pub(super) on: Spanned<String>,
    pub(super) order: Spanned<String>,
}

/// `start` and `stop`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfTask {
    pub(super) task: Spanned<String>,
    pub(super) on: Spanned<String>,
}

/// `crash` and `ipl`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfLpar {
    pub(super) lpar: Spanned<String>,
}

/// `owner`: who has a DVIPA on the LAN.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Owner {
    pub(super) dvipa: Spanned<String>,
    pub(super) is: Spanned<String>,
}

/// `netstat`: what a report says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Netstat {
    pub(super) on: Spanned<String>,
    pub(super) report: Spanned<String>,
    #[serde(default)]
    pub(super) says: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) says_not: Vec<Spanned<String>>,
    /// Asked again until it does.
    #[serde(default)]
    pub(super) eventually: bool,
}

/// `agreement`: the VCRT against the targets' sockets.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Agreement {
    pub(super) dvipa: Spanned<String>,
    pub(super) rounds: Option<Spanned<u32>>,
    pub(super) at_least: Option<Spanned<u32>>,
}
