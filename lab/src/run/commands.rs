//! The command lines of what a scenario starts.

use std::net::SocketAddr;

use crate::plex::tasks::{RUN_DIR, program};
use crate::scenario::Logon;
use crate::scenario::acts::{Calls, Then};

/// The command line of a job under the debugger.
pub(super) fn job(job: &str, user: &str, test: &str) -> Vec<String> {
    let argv = ["--run-dir", RUN_DIR, "--job", job, "--user", user, "--test", test];
    [program("debugger-stub")].into_iter().chain(argv.map(str::to_owned)).collect()
}

/// The command line of a client.
pub(super) fn client(logon: &Logon, sessions: usize, timeout: std::time::Duration) -> Vec<String> {
    // A client that expects nothing still waits; it ends with the lab.
    let (sessions, timeout) = (sessions.max(1).to_string(), format!("{}ms", timeout.as_millis()));
    let via = logon.via.to_string();
    let argv = ["--user", &logon.user, "--connect", &via, "--sessions", &sessions, "--timeout", &timeout, "--hold"];
    let encrypted_first = logon.encrypted_first.then(|| "--encrypted-first".to_owned());
    let keep_token = logon.keep_token.then(|| "--keep-token".to_owned());
    [program("client-stub")]
        .into_iter()
        .chain(argv.map(str::to_owned))
        .chain(encrypted_first)
        .chain(keep_token)
        .collect()
}

/// The command line of a client that pauses between the two connections of its logon.
pub(super) fn client_that_pauses(logon: &Logon, sessions: usize, timeout: std::time::Duration) -> Vec<String> {
    client(logon, sessions, timeout).into_iter().chain(["--pause-logon".to_owned()]).collect()
}

/// The command line of callers.
pub(super) fn callers(calls: &Calls) -> Vec<String> {
    let (count, parallel) = (calls.count.to_string(), calls.parallel.to_string());
    let timeout = format!("{}ms", calls.timeout.as_millis());
    let to = calls.to.to_string();
    let argv =
        ["call", "--name", &calls.name, "--to", &to, "--count", &count, "--parallel", &parallel, "--timeout", &timeout];
    let mut argv: Vec<String> = argv.map(str::to_owned).to_vec();
    match calls.then {
        Then::Bye => {}
        Then::Keep(time) => argv.extend(["--keep".into(), format!("{}ms", time.as_millis())]),
        Then::Hold => argv.push("--hold".into()),
        Then::Get { bytes, rate } => {
            argv.extend(["--get".into(), bytes.to_string(), "--rate".into(), rate.to_string()]);
        }
        Then::Put { bytes } => argv.extend(["--put".into(), bytes.to_string()]),
    }
    [program("traffic-stub")].into_iter().chain(argv).collect()
}

/// The command line of strangers.
pub(super) fn strangers(at: &[SocketAddr], silent: u32) -> Vec<String> {
    let at = at.iter().map(ToString::to_string);
    let argv = [program("stranger-stub"), "--silent".into(), silent.to_string(), "--at".into()];
    argv.into_iter().chain(at).collect()
}
