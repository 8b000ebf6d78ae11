//! The command line of `lab up` and of the commands that speak to what is up.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::protocol::Wanted;
use super::{background, capture, commands, fault, graph, logs, ps};
use crate::backends::Choice;
use crate::netstat;

/// Commands for a sysplex that stays up.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Bring a sysplex up that stays until `lab down`
    #[command(after_help = UP_EXAMPLES)]
    Up(Up),
    /// List the sysplexes that are up
    #[command(after_help = LS_EXAMPLES)]
    Ls(Ls),
    /// Run a command in an LPAR or on a workstation
    #[command(after_help = EXEC_EXAMPLES)]
    Exec(Exec),
    /// A shell in an LPAR or on a workstation
    #[command(after_help = SHELL_EXAMPLES)]
    Shell(Shell),
    /// List the processes of all hosts, or of one
    Ps(Ps),
    /// What the tasks print and the consoles say, interleaved on one clock
    #[command(after_help = LOGS_EXAMPLES)]
    Logs(Logs),
    /// What an interface carries, live, as pcapng
    #[command(after_help = CAPTURE_EXAMPLES)]
    Capture(Capture),
    #[command(hide = true)]
    CaptureHere(capture::Here),
    /// The operator command VARY TCPIP,,SYSPLEX on one LPAR
    #[command(after_help = VARY_EXAMPLES)]
    Vary(Operator),
    /// The operator command MODIFY on one LPAR, for Debug Manager
    #[command(after_help = MODIFY_EXAMPLES)]
    Modify(Operator),
    /// A report of one LPAR's TCP/IP stack, from its kernel, laid out as z/OS does
    #[command(after_help = NETSTAT_EXAMPLES)]
    Netstat(Netstat),
    /// Break something in a sysplex, and mend it: links, packets, tasks, LPARs
    #[command(after_help = fault::EXAMPLES)]
    Fault(fault::Fault),
    /// Draw the topology: of a file, or of a sysplex that is up
    #[command(after_help = graph::EXAMPLES)]
    Graph(graph::Graph),
    /// Take a sysplex down
    #[command(after_help = DOWN_EXAMPLES)]
    Down(Down),
}

const UP_EXAMPLES: &str = "\
It goes on in the background when the terminal is closed. Nothing of it is in a file or in the machine's network: when its
processes end, however they end, nothing is left.

Examples:
  lab up scenarios/topologies/two-lpars.toml
      the sysplex PLEX1; `lab exec LPAR1 -- ip addr` looks into it
  lab up scenarios/no-hub.toml --name broken --out out
      the topology of a scenario, beside the first; events, captures and logs in out/broken-nftables/

Exit status: 0 it is up, 1 it did not come up, 2 the input is wrong or the name is in use, 3 this machine cannot run it.";

const LS_EXAMPLES: &str = "\
A sysplex that does not answer within a second is shown as stale; `lab down NAME` takes that down, too.

Examples:
  lab ls
  lab ls --json | jq -r .name";

const EXEC_EXAMPLES: &str = "\
The command runs as root of that host, with the caller's standard input, output and error, in `/`: it sees the machine's files,
but a /run and a /tmp of the host's own, and the lab's programs in its PATH. Its environment is PATH, HOME=/, SYSNAME (the
host's name) and the caller's TERM. Ctrl-C and SIGTERM, SIGHUP, SIGQUIT go on to the command; when `lab exec` is killed, the
command is hung up (SIGHUP).

Examples:
  lab exec LPAR1 -- ip -o addr
  lab exec WS1 -- sh -c 'printf hello | nc 10.10.10.1 4035'
  lab exec --name PLEX1 LPAR2 -- bash
  tar c . | lab exec LPAR1 -- tar x -C /tmp

Exit status: the command's; 128 + n when signal n ended it; 127 when it cannot be started; 2 when there is no such sysplex or
host; 255 when the sysplex went down meanwhile.";

const SHELL_EXAMPLES: &str = "\
The prompt names the sysplex and the system. The shell has a terminal of its own; it ends with the sysplex.

Examples:
  lab shell LPAR1
  echo 'ip -o addr' | lab shell --name PLEX1 WS1

Exit status: the shell's; otherwise as `lab exec`.";

const LOGS_EXAMPLES: &str = "\
The newest lines are kept, 4 MiB of them; `lab up --out` has everything in files. Times are in seconds since the first line that is shown.
Systems have colours on a terminal, unless NO_COLOR is set.

Examples:
  lab logs -f
  lab logs LPAR2 DBGMGR
  lab logs --json | jq -r .text";

const CAPTURE_EXAMPLES: &str = "\
Examples:
  lab capture LPAR1 | tshark -r -
      the LAN as LPAR1 sees it
  lab capture LPAR2 --interface xcf0 -o xcf.pcapng
      until Ctrl-C
  lab capture WS1 --count 100 -o ws1.pcapng";

const VARY_EXAMPLES: &str = "\
Prints what the consoles of the sysplex say of it. `VARY` or `V` may come before it.

Examples:
  lab vary LPAR1 TCPIP,,SYSPLEX,LEAVEGROUP
  lab vary LPAR1 TCPIP,,SYSPLEX,JOINGROUP
  lab vary LPAR2 TCPIP,,SYSPLEX,QUIESCE,PORT=4035
  lab vary --name PLEX1 LPAR1 V TCPIP,,SYSPLEX,DEACTIVATE,DVIPA=10.10.10.1

Exit status: 0 done, 1 refused, 2 there is no such command, LPAR or sysplex, 255 the sysplex went down meanwhile.";

const MODIFY_EXAMPLES: &str = "\
Prints Debug Manager's answer. `MODIFY` or `F` may come before it; `dbgmgr ctl --help` lists what Debug Manager knows.

Examples:
  lab modify LPAR1 DBGMGR,APPL=DBM,D,U
  lab modify LPAR1 F DBGMGR,APPL=DBM,LL,V
  lab modify --name PLEX1 LPAR2 DBGMGR,APPL=DBM,H

Exit status: 0 accepted, 1 refused, 2 there is no such task, LPAR or sysplex, 3 no Debug Manager answers there, 255 the sysplex
went down meanwhile.";

const NETSTAT_EXAMPLES: &str = "\
Examples:
  lab netstat LPAR1 vdpt
      what the distributor may send where; only an LPAR that owns a distributed DVIPA has it
  lab netstat LPAR1 vcrt --detail
  lab netstat LPAR2 home --json

Exit status: 0 printed, 1 it could not be read, 2 there is no such LPAR or sysplex, 255 the sysplex went down meanwhile.";

const DOWN_EXAMPLES: &str = "\
Waits until it is gone. SIGTERM to its background process (`lab ls` shows the number) does the same.

Examples:
  lab down
      the one that is up
  lab down PLEX1
  lab down --all

Exit status: 0 it is gone, 1 it is not, 2 there is none of that name.";

/// `lab up`.
#[derive(Debug, Args)]
pub(crate) struct Up {
    /// A topology file, a scenario file, whose topology is taken, or a directory with a site's z/OS members
    #[arg(value_name = "TOPOLOGY")]
    pub(super) file: PathBuf,
    /// Its name for the other commands  [default: the name of the sysplex]
    #[arg(long)]
    pub(super) name: Option<String>,
    /// What distributes connections in the kernel
    #[arg(long, value_enum, default_value_t = Choice::Auto)]
    pub(super) backend: Choice,
    /// Keep the evidence here, in NAME-BACKEND: events.jsonl, a pcapng file per interface, logs
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
}

/// `lab ls`.
#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// One JSON object per sysplex
    #[arg(long)]
    pub(super) json: bool,
}

/// Which sysplex.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The sysplex; may be left out when exactly one is up
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<String>,
}

/// `lab exec`.
#[derive(Debug, Args)]
pub(crate) struct Exec {
    #[command(flatten)]
    pub(super) which: Which,
    /// LPAR or workstation
    #[arg(value_name = "LPAR")]
    pub(super) system: String,
    /// Program and arguments
    #[arg(required = true, last = true, value_name = "COMMAND")]
    pub(super) command: Vec<String>,
}

/// `lab shell`.
#[derive(Debug, Args)]
pub(crate) struct Shell {
    #[command(flatten)]
    which: Which,
    /// LPAR or workstation
    #[arg(value_name = "LPAR")]
    system: String,
}

/// `lab ps`.
#[derive(Debug, Args)]
pub(crate) struct Ps {
    #[command(flatten)]
    which: Which,
    /// LPAR or workstation
    #[arg(value_name = "LPAR")]
    system: Option<String>,
    /// One JSON object per process
    #[arg(long)]
    json: bool,
}

/// `lab logs`.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    #[command(flatten)]
    which: Which,
    /// Of this LPAR or workstation only
    #[arg(value_name = "LPAR")]
    system: Option<String>,
    /// Of this task only; TCPIP for what the stack says on the console
    #[arg(value_name = "TASK")]
    task: Option<String>,
    /// Go on with what is printed from now on, until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    /// One JSON object per line
    #[arg(long)]
    json: bool,
}

/// `lab capture`.
#[derive(Debug, Args)]
pub(crate) struct Capture {
    #[command(flatten)]
    which: Which,
    /// LPAR or workstation
    #[arg(value_name = "LPAR")]
    system: String,
    #[command(flatten)]
    what: capture::What,
    /// Write to this file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// `lab vary` and `lab modify`.
#[derive(Debug, Args)]
pub(crate) struct Operator {
    #[command(flatten)]
    pub(super) which: Which,
    /// LPAR
    #[arg(value_name = "LPAR")]
    pub(super) system: String,
    /// The command as it is typed at the console; words are joined with blanks
    #[arg(required = true, value_name = "COMMAND")]
    pub(super) command: Vec<String>,
}

/// `lab netstat`.
#[derive(Debug, Args)]
pub(crate) struct Netstat {
    #[command(flatten)]
    pub(super) which: Which,
    /// LPAR
    #[arg(value_name = "LPAR")]
    pub(super) system: String,
    #[command(flatten)]
    pub(super) request: netstat::Request,
}

/// `lab down`.
#[derive(Debug, Args)]
pub(crate) struct Down {
    /// The sysplex; may be left out when exactly one is up
    #[arg(value_name = "NAME", conflicts_with = "all")]
    pub(super) name: Option<String>,
    /// All that this user has
    #[arg(long)]
    pub(super) all: bool,
}

/// Runs one of the commands; its exit status.
pub(crate) fn main(command: Command) -> u8 {
    match command {
        Command::Up(arguments) => background::up(arguments),
        Command::Ls(Ls { json }) => commands::ls(json),
        Command::Netstat(Netstat { which, system, request }) => commands::netstat(which.name, system, request),
        Command::Exec(Exec { which, system, command }) => commands::exec(which.name, system, command),
        Command::Shell(Shell { which, system }) => commands::shell(which.name, system),
        Command::Ps(Ps { which, system, json }) => ps::main(which.name, system, json),
        Command::Logs(Logs { which, system, task, follow, json }) => {
            logs::main(which.name, Wanted { system, task }, follow, json)
        }
        Command::Capture(Capture { which, system, what, output }) => capture::main(which.name, system, what, output),
        Command::CaptureHere(here) => capture::here(&here),
        Command::Vary(Operator { which, system, command }) => commands::vary(which.name, system, command.join(" ")),
        Command::Modify(Operator { which, system, command }) => commands::modify(which.name, system, command.join(" ")),
        Command::Fault(fault::Fault { which, words }) => commands::fault(which.name, words),
        Command::Graph(arguments) => graph::main(&arguments),
        Command::Down(Down { name, all }) => commands::down(name, all),
    }
}
