//! Any program as a started task: what it is given, when it is ready, and what happens when it fails.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What is run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// The program, a path or a name that is looked up in `PATH`, and its arguments.
    pub argv: Vec<String>,
    /// Its environment, beside `PATH`.
    pub environment: BTreeMap<String, String>,
    /// Files that are there before it starts, by their paths: below `/run` or `/tmp`, which are the LPAR's own.
    pub files: BTreeMap<String, String>,
    /// When it is ready.
    pub ready: Ready,
    /// How often it is started again when it has failed; 0: never.
    pub restarts: u32,
}

/// When a program is ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ready {
    /// As soon as it is started.
    Started,
    /// When a socket listens at this port, on any address of the LPAR.
    Port(u16),
    /// When it has printed a line with this text.
    Log(String),
    /// When it has said `READY=1`, as services of systemd do (`sd_notify(3)`).
    Notify,
    /// When it has ended well.
    Exit,
}
