//! The operator command `VARY TCPIP,,SYSPLEX,...`.

use std::net::IpAddr;

use sysplex::did_you_mean;

/// What an operator asks of one system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vary {
    /// Leave the sysplex group: all DVIPAs go, their configuration stays for JOINGROUP.
    LeaveGroup,
    /// Join it again.
    JoinGroup,
    /// Give up a DVIPA, or stop being a backup for it.
    Deactivate(IpAddr),
    /// Undo that.
    Reactivate(IpAddr),
    /// No new distributed connections; those that exist stay.
    Quiesce(What),
    /// Undo that.
    Resume(What),
}

/// What is quiesced or resumed on the system where the command is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// TARGET: everything.
    Target,
    /// PORT=: the servers on this port.
    Port(u16),
    /// JOBNAME=: the ports of this started task.
    JobName(String),
}

const COMMANDS: [&str; 6] = ["LEAVEGROUP", "JOINGROUP", "DEACTIVATE", "REACTIVATE", "QUIESCE", "RESUME"];

impl Vary {
    /// Reads the command; `VARY` or `V` before it may be left out, the procedure's name between the commas is not looked at.
    ///
    /// # Errors
    /// What was found and what was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let upper = text.trim().to_uppercase();
        let rest = ["VARY ", "V "].iter().find_map(|verb| upper.strip_prefix(verb)).unwrap_or(&upper).trim();
        let mut words = rest.split(',').map(str::trim);
        let (Some("TCPIP"), Some(_procedure), Some("SYSPLEX")) = (words.next(), words.next(), words.next()) else {
            return Err(format!("`{}`: expected TCPIP,,SYSPLEX,{{{}}}", short(text), COMMANDS.join("|")));
        };
        let command = words.next().unwrap_or_default();
        let operands: Vec<&str> = words.collect();
        match (command, operands.as_slice()) {
            ("LEAVEGROUP", []) => Ok(Self::LeaveGroup),
            ("JOINGROUP", []) => Ok(Self::JoinGroup),
            ("DEACTIVATE", [operand]) => dvipa(operand).map(Self::Deactivate),
            ("REACTIVATE", [operand]) => dvipa(operand).map(Self::Reactivate),
            ("QUIESCE", [operand]) => what(operand).map(Self::Quiesce),
            ("RESUME", [operand]) => what(operand).map(Self::Resume),
            ("LEAVEGROUP" | "JOINGROUP", _) => {
                Err(format!("{command} takes no operand, found `{}`", short(&operands.join(","))))
            }
            ("DEACTIVATE" | "REACTIVATE", _) => Err(format!("{command}: expected DVIPA=address")),
            ("QUIESCE" | "RESUME", _) => Err(format!("{command}: expected TARGET, PORT=number or JOBNAME=name")),
            _ => {
                let help = did_you_mean(command, COMMANDS).map(|help| format!("; {help}")).unwrap_or_default();
                Err(format!("`{}` is no SYSPLEX command: expected {}{help}", short(command), COMMANDS.join(", ")))
            }
        }
    }
}

fn dvipa(operand: &str) -> Result<IpAddr, String> {
    let address = operand.strip_prefix("DVIPA=").and_then(|text| text.parse().ok());
    address.ok_or_else(|| format!("`{}`: expected DVIPA=address", short(operand)))
}

fn what(operand: &str) -> Result<What, String> {
    let expected = || format!("`{}`: expected TARGET, PORT=number or JOBNAME=name", short(operand));
    match operand.split_once('=') {
        None if operand == "TARGET" => Ok(What::Target),
        Some(("PORT", number)) => number.parse().ok().filter(|&port| port > 0).map(What::Port).ok_or_else(expected),
        Some(("JOBNAME", name)) if (1..=8).contains(&name.len()) => Ok(What::JobName(name.to_owned())),
        _ => Err(expected()),
    }
}

fn short(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn commands() {
        let dvipa = "10.10.10.1".parse().expect("an address");
        for (text, expected) in [
            ("TCPIP,,SYSPLEX,LEAVEGROUP", Vary::LeaveGroup),
            ("VARY TCPIP,,SYSPLEX,JOINGROUP", Vary::JoinGroup),
            ("V TCPIP,TCPIP,SYSPLEX,DEACTIVATE,DVIPA=10.10.10.1", Vary::Deactivate(dvipa)),
            ("v tcpip,,sysplex,reactivate,dvipa=10.10.10.1", Vary::Reactivate(dvipa)),
            ("TCPIP,,SYSPLEX,QUIESCE,TARGET", Vary::Quiesce(What::Target)),
            ("TCPIP,,SYSPLEX,QUIESCE,PORT=4035", Vary::Quiesce(What::Port(4035))),
            ("TCPIP,,SYSPLEX,RESUME,JOBNAME=RSED", Vary::Resume(What::JobName("RSED".into()))),
        ] {
            assert_eq!(Vary::parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn no_commands() {
        for (text, expected) in [
            ("DISPLAY", "`DISPLAY`: expected TCPIP,,SYSPLEX,"),
            ("TCPIP,,SYSPLEX,QUIESE,TARGET", "did you mean `QUIESCE`?"),
            ("TCPIP,,SYSPLEX,QUIESCE,PORT=0", "`PORT=0`: expected TARGET"),
            ("TCPIP,,SYSPLEX,QUIESCE", "QUIESCE: expected TARGET"),
            ("TCPIP,,SYSPLEX,DEACTIVATE,10.10.10.1", "`10.10.10.1`: expected DVIPA=address"),
            ("TCPIP,,SYSPLEX,LEAVEGROUP,NOW", "LEAVEGROUP takes no operand, found `NOW`"),
        ] {
            let error = Vary::parse(text).expect_err(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>(), tail in "[A-Z0-9,=. ]{0,40}") {
            let _ = Vary::parse(&text);
            let _ = Vary::parse(&format!("TCPIP,,SYSPLEX,{tail}"));
        }
    }
}
