//! The words of the operator's commands.

use std::net::{IpAddr, SocketAddr};

use dbm_protocol::UserId;

use crate::core::{LONGEST_WAIT, Level, is_of_one_system};

/// What the operator wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// `D,U`: the users.
    Users,
    /// `LL,letter`: how much goes to the message log.
    Log(Level),
    /// `T,n`: the wait time, in seconds.
    Wait(u64),
    /// `H`: the hub.
    Hub,
    /// `H,ip,port`: another hub.
    MoveHub(SocketAddr),
    /// `C,session` (ours): give up one session that waits, by its id or by its number in `D,U`.
    Cancel(String),
    /// `C,U,user` (ours): give up all sessions of a user that wait.
    CancelUser(UserId),
    /// `P procname`: end.
    Stop,
}

const COMMANDS: &str = "D,U  LL,{E|I|D|V}  T,seconds  H  H,ip,port  C,session  C,U,user";

/// Reads a command: `F task,APPL=DBM,command` as it is typed at a z/OS console, the part after the task's or the
/// application's name, or `P task`. Upper and lower case are the same, as they are there.
///
/// # Errors
/// A sentence that says what was found and what was expected.
pub(super) fn parse(text: &str, task: &str) -> Result<Command, String> {
    let text = text.trim();
    let (verb, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let rest = rest.trim_start();
    if is(verb, "F") || is(verb, "MODIFY") {
        modify(rest, task)
    } else if is(verb, "P") || is(verb, "STOP") {
        if rest.is_empty() { Ok(Command::Stop) } else { name(rest, verb, task).map(|()| Command::Stop) }
    } else if verb.is_empty() {
        Err(format!("nothing was found, one of {COMMANDS} was expected"))
    } else {
        application(text, false)
    }
}

/// `task,APPL=DBM,command`.
fn modify(operands: &str, task: &str) -> Result<Command, String> {
    let (first, rest) = operands.split_once(',').unwrap_or((operands, ""));
    name(first, "MODIFY", task)?;
    application(rest, true)
}

fn name(found: &str, after: &str, task: &str) -> Result<(), String> {
    if is(found, task) {
        return Ok(());
    }
    let after = after.to_ascii_uppercase();
    Err(format!("{} was found after {after}, {task} was expected, the name of this started task", shown(found)))
}

/// `APPL=DBM,command`, or where it may be left out the command alone.
fn application(text: &str, needed: bool) -> Result<Command, String> {
    if text.contains(char::is_whitespace) {
        return Err(format!("{} was found, commas without blanks around them were expected", shown(text)));
    }
    let (first, rest) = text.split_once(',').unwrap_or((text, ""));
    if is(first, "APPL=DBM") {
        command(rest)
    } else if needed || first.get(..5).is_some_and(|start| is(start, "APPL=")) {
        Err(format!("{} was found, APPL=DBM and a command were expected after the task's name", shown(first)))
    } else {
        command(text)
    }
}

fn command(text: &str) -> Result<Command, String> {
    let words: Vec<&str> = text.split(',').collect();
    let (first, operands) = (words[0], &words[1..]);
    if is(first, "D") {
        one(operands, "D", "U", |word| is(word, "U").then_some(Command::Users))
    } else if is(first, "LL") {
        one(operands, "LL", "one of E, I, D, V", |word| Level::of_letter(word).map(Command::Log))
    } else if is(first, "T") {
        let expected = format!("a number of seconds from 1 to {LONGEST_WAIT}");
        one(operands, "T", &expected, |word| number(word, LONGEST_WAIT).map(Command::Wait))
    } else if is(first, "H") {
        hub(operands)
    } else if is(first, "C") {
        cancel(operands)
    } else {
        Err(format!("{} was found, one of {COMMANDS} was expected", shown(first)))
    }
}

/// A command with exactly one operand.
fn one(
    operands: &[&str],
    command: &str,
    expected: &str,
    take: impl Fn(&str) -> Option<Command>,
) -> Result<Command, String> {
    let taken = if let [operand] = operands { take(operand) } else { None };
    taken.ok_or_else(|| unexpected(operands, command, expected))
}

fn unexpected(operands: &[&str], command: &str, expected: &str) -> String {
    format!("{} was found after {command}, {expected} was expected", shown(&operands.join(",")))
}

fn hub(operands: &[&str]) -> Result<Command, String> {
    let [ip, port] = operands else {
        let none = operands.is_empty().then_some(Command::Hub);
        return none.ok_or_else(|| unexpected(operands, "H", "nothing, or the new HUBIP and HUBPORT as ip,port,"));
    };
    let address: Option<IpAddr> = ip.parse().ok().filter(|ip| is_of_one_system(*ip));
    let ip = address.ok_or_else(|| unexpected(&[ip], "H", "the IP address of one LPAR"))?;
    let port = number(port, 65_535).ok_or_else(|| unexpected(&[port], "H,ip", "a port number from 1 to 65535"))?;
    Ok(Command::MoveHub(SocketAddr::new(ip, port as u16)))
}

fn cancel(operands: &[&str]) -> Result<Command, String> {
    match operands {
        [u, user] if is(u, "U") => {
            let id = user.to_ascii_uppercase().parse();
            id.map(Command::CancelUser).map_err(|_| unexpected(&[user], "C,U", "a user id of 1 to 8 characters"))
        }
        [session] if !session.is_empty() && !is(session, "U") => Ok(Command::Cancel((*session).to_owned())),
        _ => Err(unexpected(operands, "C", "a session as D,U shows it, or U and a user id,")),
    }
}

/// A number from 1, in digits only.
fn number(text: &str, most: u64) -> Option<u64> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|n| digits && (1..=most).contains(n))
}

fn is(found: &str, expected: &str) -> bool {
    found.eq_ignore_ascii_case(expected)
}

/// What was found, cut to a length that fits a message, and without control characters.
pub(super) fn shown(found: &str) -> String {
    if found.is_empty() {
        return "nothing".to_owned();
    }
    let text: String = found.chars().take(60).flat_map(char::escape_default).collect();
    format!("`{text}`")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn taken(text: &str) -> Command {
        parse(text, "DBGMGR").unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    #[test]
    fn the_commands_of_the_books_and_ours() {
        assert_eq!(taken("D,U"), Command::Users);
        assert_eq!(taken("LL,E"), Command::Log(Level::Error));
        assert_eq!(taken("LL,I"), Command::Log(Level::Informational));
        assert_eq!(taken("LL,D"), Command::Log(Level::Debug));
        assert_eq!(taken("LL,V"), Command::Log(Level::Verbose));
        assert_eq!((taken("T,1"), taken("T,86400")), (Command::Wait(1), Command::Wait(86_400)));
        assert_eq!(taken("H"), Command::Hub);
        assert_eq!(taken("H,9.9.9.2,5337"), Command::MoveHub(([9, 9, 9, 2], 5337).into()));
        assert_eq!(taken("H,fd00::2,5337"), Command::MoveHub("[fd00::2]:5337".parse().expect("address")));
        assert_eq!(taken("C,LPAR2.17"), Command::Cancel("LPAR2.17".to_owned()));
        assert_eq!(taken("C,U,ibmuser"), Command::CancelUser("IBMUSER".parse().expect("user")));
        assert_eq!(taken("P DBGMGR"), Command::Stop);
    }

    #[test]
    fn every_way_to_type_it_is_understood() {
        for text in [
            "F DBGMGR,APPL=DBM,D,U",
            "MODIFY DBGMGR,APPL=DBM,D,U",
            "f  dbgmgr,appl=dbm,d,u",
            " F DBGMGR,APPL=DBM,D,U\r",
            "APPL=DBM,D,U",
            "d,u",
        ] {
            assert_eq!(taken(text), Command::Users, "{text}");
        }
        for text in ["P DBGMGR", "p dbgmgr", "STOP DBGMGR", "STOP", "P"] {
            assert_eq!(taken(text), Command::Stop, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_and_so_is_what_is_right() {
        let cases = [
            ("", "nothing was found, one of D,U "),
            ("X", "`X` was found, one of D,U "),
            ("F DBGMGR,D,U", "`D` was found, APPL=DBM and a command were expected"),
            ("F DBGMGR", "nothing was found, APPL=DBM and a command"),
            ("F DBGMGR,APPL=DBM", "nothing was found, one of D,U "),
            ("F RSED,APPL=DBM,D,U", "`RSED` was found after MODIFY, DBGMGR was expected"),
            ("P RSED", "`RSED` was found after P, DBGMGR was expected"),
            ("APPL=JES,D,U", "`APPL=JES` was found, APPL=DBM"),
            ("D, U", "commas without blanks"),
            ("F DBGMGR,APPL=DBM,D, U", "commas without blanks"),
            ("D", "nothing was found after D, U was expected"),
            ("D,X", "`X` was found after D, U was expected"),
            ("D,U,X", "`U,X` was found after D, U was expected"),
            ("LL", "nothing was found after LL, one of E, I, D, V was expected"),
            ("LL,X", "`X` was found after LL"),
            ("T,0", "`0` was found after T, a number of seconds from 1 to 86400 was expected"),
            ("T,86401", "`86401` was found after T"),
            ("T,+5", "`+5` was found after T"),
            ("H,9.9.9.2", "`9.9.9.2` was found after H, nothing, or the new HUBIP and HUBPORT"),
            ("H,9.9.9,5337", "`9.9.9` was found after H, the IP address of one LPAR was expected"),
            ("H,0.0.0.0,5337", "`0.0.0.0` was found after H"),
            ("H,9.9.9.2,65536", "`65536` was found after H,ip, a port number from 1 to 65535"),
            ("C", "nothing was found after C"),
            ("C,U", "`U` was found after C"),
            ("C,U,1X", "`1X` was found after C,U, a user id"),
            ("D,\u{7}", "`\\u{7}` was found after D"),
        ];
        for (text, expected) in cases {
            let problem = parse(text, "DBGMGR").expect_err("is wrong");
            assert!(problem.contains(expected), "{text}: {problem}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>(), command in "(F DBGMGR,)?(APPL=DBM,)?(D|LL|T|H|C|P)[, ].{0,20}") {
            for text in [text, command] {
                if let Err(problem) = parse(&text, "DBGMGR") {
                    prop_assert!(!problem.contains(char::is_control), "{problem:?}");
                    prop_assert!(problem.chars().count() < 1000);
                }
            }
        }
    }
}
