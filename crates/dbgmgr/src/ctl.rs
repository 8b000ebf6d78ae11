//! `dbgmgr ctl`: an operator command for the Debug Manager of this system.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;

use crate::shell::{CONTROL_SOCKET, LONGEST_COMMAND};

/// Gives an operator command to the Debug Manager of this system and prints its answer.
#[derive(Clone, Debug, Parser)]
#[command(name = "ctl", bin_name = "dbgmgr ctl", after_long_help = EXAMPLES)]
pub struct CtlArgs {
    /// Run directory of the Debug Manager, as it was started with
    #[arg(long, value_name = "DIR", default_value = "/run/zos")]
    pub run_dir: PathBuf,

    /// The command, as it is typed at the console or without `F DBGMGR,APPL=DBM,`; words are joined with blanks
    #[arg(value_name = "COMMAND", required = true)]
    pub command: Vec<String>,
}

const EXAMPLES: &str = "\
Commands:
  D,U              users who are registered here, and the sessions here
  LL,{E|I|D|V}     detail of the message log: errors, informational, debug, verbose  [default: E]
  T,SECONDS        how long each phase of a wait that begins from now on may take, 1 to 86400
  H                role in the hub, and who else is known there
  H,IP,PORT        the hub moves there; all that are connected follow
  C,SESSION        gives up a session that waits, by its number in D,U or its id (not on z/OS)
  C,U,USER         gives up all sessions that wait for a user (not on z/OS)
  P DBGMGR         Debug Manager ends

Examples:
  dbgmgr ctl D,U
  dbgmgr ctl 'F DBGMGR,APPL=DBM,D,U'
  dbgmgr ctl H,9.9.9.2,5337
  dbgmgr ctl --run-dir /tmp/zos1 P DBGMGR

Exit status: 0 the command was accepted, 1 it was refused, 2 the command line is wrong, 3 no Debug Manager answers there.";

/// How long the whole answer may take.
const ANSWER: Duration = Duration::from_secs(15);
/// Longest answer that is read, in bytes; that of `D,U` with all the sessions there can be is far shorter.
const LONGEST_ANSWER: u64 = 16 * 1024 * 1024;

/// Gives the command, prints the answer; the exit status.
pub fn run(args: &CtlArgs) -> ExitCode {
    let command = args.command.join(" ");
    if command.len() > LONGEST_COMMAND || command.contains(['\n', '\r']) {
        eprintln!(
            "dbgmgr ctl: {} bytes were found as the command, one line of at most {LONGEST_COMMAND} bytes was expected",
            command.len()
        );
        return ExitCode::FAILURE;
    }
    let path = args.run_dir.join(CONTROL_SOCKET);
    match ask(&path, &command) {
        Ok(answer) => {
            // Whoever has seen enough may close the pipe.
            let _ = io::stdout().write_all(answer.as_bytes());
            if is_accepted(&answer) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(e) => {
            eprintln!("dbgmgr ctl: no Debug Manager answers at {}: {e}", path.display());
            ExitCode::from(3)
        }
    }
}

/// The severity of a message is the last letter of its id: EQACMnnnI was accepted.
fn is_accepted(answer: &str) -> bool {
    answer.split_whitespace().next().is_some_and(|id| id.ends_with('I'))
}

fn ask(path: &Path, command: &str) -> io::Result<String> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_write_timeout(Some(ANSWER))?;
    stream.write_all(format!("{command}\n").as_bytes())?;
    let until = Instant::now() + ANSWER;
    let (mut answer, mut part) = (Vec::new(), [0; 8192]);
    while (answer.len() as u64) < LONGEST_ANSWER {
        let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(n) => answer.extend_from_slice(&part[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::Error::other(format!("the whole answer was awaited for {ANSWER:?}")));
            }
            Err(e) => return Err(e),
        }
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    if answer.starts_with("EQACM") {
        Ok(answer)
    } else {
        Err(io::Error::other("a message EQACMnnnx was expected, and the connection ended without one"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_letter_of_the_first_id_is_the_verdict() {
        assert!(is_accepted("EQACM104I User list\nUser:E 1 ...\n"));
        assert!(!is_accepted("EQACM920E `X` was found\n") && !is_accepted(""));
    }

    #[test]
    fn the_words_of_a_command_need_no_quotes() {
        let args = CtlArgs::try_parse_from(["ctl", "--run-dir", "/x", "F", "DBGMGR,APPL=DBM,D,U"]).expect("right");
        assert_eq!((args.run_dir, args.command.join(" ")), ("/x".into(), "F DBGMGR,APPL=DBM,D,U".to_owned()));
        assert!(CtlArgs::try_parse_from(["ctl"]).is_err());
    }
}
