//! The first line on every connection: `220 <SYSNAME> <port>`.

use std::fmt;

/// Longest name of a system, in bytes: that of Linux' host names. z/OS' have 8 at most.
const MAX_SYSTEM: usize = 64;
/// Longest line, in bytes, with its end.
pub const MAX_GREETING: usize = "220  65535\n".len() + MAX_SYSTEM;

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    system: String,
    port: u16,
}

impl Greeting {
    /// The greeting of a server on this system (its host name), at this port.
    ///
    /// # Errors
    /// When the name cannot stand in a line.
    pub fn new(system: &str, port: u16) -> Result<Self, String> {
        let printable = system.bytes().all(|byte| byte.is_ascii_graphic());
        if system.is_empty() || system.len() > MAX_SYSTEM || !printable {
            return Err(format!(
                "the system's name is `{}`, expected 1 to {MAX_SYSTEM} printable characters without blanks",
                system.escape_default().take(2 * MAX_SYSTEM).collect::<String>()
            ));
        }
        Ok(Self { system: system.to_owned(), port })
    }

    /// Understands the line, without its end.
    ///
    /// # Errors
    /// What was found and what was expected.
    pub fn parse(line: &[u8]) -> Result<Self, String> {
        let parts = std::str::from_utf8(line).ok().and_then(|text| text.strip_prefix("220 ")?.split_once(' '));
        let parts = parts.and_then(|(system, port)| Some((system, port.parse().ok()?)));
        let greeting = parts.and_then(|(system, port)| Self::new(system, port).ok());
        greeting.ok_or_else(|| {
            let found = line[..line.len().min(MAX_GREETING)].escape_ascii();
            format!("found `{found}`, expected the greeting `220 <SYSNAME> <port>`")
        })
    }

    /// The system that the server runs on.
    pub fn system(&self) -> &str {
        &self.system
    }

    /// The port that the server listens at.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for Greeting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "220 {} {}", self.system, self.port)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_greeting_is_read_back() {
        let longest = "L".repeat(MAX_SYSTEM);
        for (system, port) in [("LPAR1", 4035), (longest.as_str(), 65535)] {
            let greeting = Greeting::new(system, port).expect("good");
            assert!(greeting.to_string().len() < MAX_GREETING, "with its end it still fits");
            let read = Greeting::parse(greeting.to_string().as_bytes()).expect("good");
            assert_eq!((read.system(), read.port()), (system, port));
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for line in
            ["", "220", "220 LPAR1", "220  4035", "220 LPAR1 70000", "500 LPAR1 4035", "220 A B 4035", "220 \u{7} 1"]
        {
            let reason = Greeting::parse(line.as_bytes()).expect_err("wrong");
            assert!(reason.contains("expected the greeting"), "{reason}");
        }
        assert!(Greeting::new("A B", 1).expect_err("a blank").contains("`A B`"));
        assert!(Greeting::new("", 1).is_err());
        assert!(Greeting::new(&"L".repeat(MAX_SYSTEM + 1), 1).is_err());
    }

    proptest! {
        #[test]
        fn no_line_is_too_strange(line: Vec<u8>) {
            let _ = Greeting::parse(&line);
        }
    }
}
