//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// Debug Manager (z/OS: started task DBGMGR): links debug sessions in jobs with the workstations of their users.
#[derive(Clone, Debug, Parser)]
#[command(name = "dbgmgr", version, after_long_help = EXAMPLES)]
#[command(override_usage = "dbgmgr [OPTIONS] [HOST CLIENT] [PRM]...\n       dbgmgr ctl [OPTIONS] <COMMAND>...")]
pub struct Args {
    /// File with KEY=VALUE lines; a line that begins with # or * is a comment
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Directory of this system's name/token pairs and of the handoff socket
    #[arg(long, value_name = "DIR", default_value = "/run/zos")]
    pub run_dir: PathBuf,

    /// Only says whether all that was given is right, and how it was understood
    #[arg(long)]
    pub check: bool,

    /// HOST, the internal port (Debug Miner and debugger, on the loopback address only), CLIENT, the external port (the client's
    /// debug engine, on any address of this system), and PRM: DEBUG, or KEY=VALUE
    #[arg(value_name = "HOST CLIENT PRM")]
    pub words: Vec<String>,
}

const EXAMPLES: &str = "\
Keys:
  HOST=PORT        internal port, in place of the first argument
  CLIENT=PORT      external port, in place of the second argument; unique in the sysplex behind a distributed DVIPA
  CLIENTIP=ADDRESS the one address that the external port is bound to, as PORT ... BIND
                   of PROFILE.TCPIP does it on z/OS               [default: any]
  HUBIP=ADDRESS    address of the primary node's LPAR, the same for all instances; none: no sysplex support
  HUBPORT=PORT     port of the hub there                                          [default: 5337]
  WAIT=SECONDS     how long a session waits for its user, and then for the engine [default: 300]
  SESSIONS=N       how many sessions there may be, here and of each secondary   [default: 16384]
  USERSESSIONS=N   how many of one user; each needs a file descriptor, two when its user was told  [default: 64]
  TRUSTEDTCP=ON|OFF  are the hub's partners authenticated, by their addresses?    [default: OFF]
  HUBPEERS=ADDRESS[,ADDRESS]  with TRUSTEDTCP=ON: the systems of the sysplex, as
                   addresses or networks such as 9.9.9.0/24  [default: the network of HUBIP]
  SAFCLASS=CLASS   class of the batch start profile; kept, as there is no SAF     [default: FACILITY]
  METRICS=ADDRESS:PORT  serves metrics for Prometheus there, by HTTP at /metrics  [default: no]
  NAMETOKEN=PERSIST|NOPERSIST  does the name/token pair stay when Debug Manager ends? [default: NOPERSIST]
  PTKTDATA=NONE    no PassTicket can be evaluated, as without a key in RACF's class PTKTDATA [default: USED]
  CLIENTTLS=ON|OFF  TLS on the CLIENT port; what follows is AT-TLS policy on z/OS [default: OFF]
  TLSCERT=FILE     certificate of this system and those up to its authority, PEM
  TLSKEY=FILE      its private key, PEM; a file that others cannot read
  HUBTLS=ON|OFF    TLS in the hub: partners show each other certificates          [default: OFF]
  TLSCA=FILE       authorities whose certificates the hub's partners must have, PEM
  HUBCERT=FILE, HUBKEY=FILE  certificate and key for the hub          [default: TLSCERT, TLSKEY]
  DEBUG=ON|OFF     trace to stderr; in PRM and in a file the word DEBUG will do   [default: OFF]
Arguments go before the configuration file, which goes before environment variables with the names of the keys.

Examples:
  dbgmgr 5336 5335                           one system, no sysplex support
  dbgmgr 5336 5334 HUBIP=9.9.9.1             LPAR1 of two; owns 9.9.9.1, so it becomes the primary node
  dbgmgr 5336 5335 DEBUG HUBIP=9.9.9.1       LPAR2 of two, with a trace
  dbgmgr 5336 5335 CLIENTTLS=ON TLSCERT=/etc/dbgmgr/cert.pem TLSKEY=/etc/dbgmgr/key.pem
  dbgmgr --config /etc/dbgmgr.conf           everything from a file
  HOST=5336 CLIENT=5335 dbgmgr --check       is the environment right?
  dbgmgr ctl D,U                             an operator command; see dbgmgr ctl --help

Exit status: 0 stopped by SIGTERM, SIGINT or the operator, 1 cannot go on, 2 the input is wrong.";
