//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// Debug Manager (z/OS: started task DBGMGR): links debug sessions in jobs with the workstations of their users.
#[derive(Clone, Debug, Parser)]
#[command(name = "dbgmgr", version, after_long_help = EXAMPLES)]
pub struct Args {
    /// File with KEY=VALUE lines, same keys as in PRM; a line that begins with # or * is a comment
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Directory of this system's name/token pairs and of the handoff socket
    #[arg(long, value_name = "DIR", default_value = "/run/zos")]
    pub run_dir: PathBuf,

    /// Internal port: Debug Miner and debugger, on the loopback address only
    #[arg(value_name = "HOST")]
    pub host: String,

    /// External port: the client's debug engine, on any address of this system
    #[arg(value_name = "CLIENT")]
    pub client: String,

    /// DEBUG (trace to stderr), or KEY=VALUE with one of the keys HUBIP, HUBPORT, WAIT, TRUSTEDTCP
    #[arg(value_name = "PRM")]
    pub prm: Vec<String>,
}

const EXAMPLES: &str = "\
Keys:
  HUBIP=ADDRESS    address of the primary node's LPAR, the same for all instances; none: no sysplex support
  HUBPORT=PORT     port of the hub there                                          [default: 5337]
  WAIT=SECONDS     how long a session waits for its user, and then for the engine [default: 300]
  TRUSTEDTCP=OFF   authentication of the hub's partners; ON is not supported yet  [default: OFF]
A key in PRM goes before the same key in the configuration file, which goes before an environment variable of that name.

Examples:
  dbgmgr 5336 5335                           one system, no sysplex support
  dbgmgr 5336 5334 HUBIP=9.9.9.1             LPAR1 of two; owns 9.9.9.1, so it becomes the primary node
  dbgmgr 5336 5335 DEBUG HUBIP=9.9.9.1       LPAR2 of two, with a trace
  dbgmgr --config /etc/dbgmgr.conf 5336 5335
  dbgmgr ctl D,U                             an operator command; see dbgmgr ctl --help

Exit status: 0 stopped by SIGTERM, SIGINT or the operator, 1 cannot go on, 2 the input is wrong.";
