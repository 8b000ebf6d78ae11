//! What a caller may ask for on a connection, one command per line.

use std::fmt;

/// Longest line, in bytes, without its end.
pub const MAX_LINE: usize = 256;
/// How much of a wrong line is said again, in bytes.
const SHOWN: usize = 60;

/// One command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// `get <bytes> <bytes-per-second or 0> <seed>`: send me bytes.
    Get(Get),
    /// `put <bytes> <seed>`: here are bytes; the answer, once all have come, is `250 <bytes>`.
    Put(Put),
    /// `bye`: the conversation is over.
    Bye,
}

/// Which bytes, and how fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Get {
    /// How many.
    pub bytes: u64,
    /// How many in a second; 0: as fast as they are taken.
    pub rate: u64,
    /// Which ([`crate::bytes::Bytes::new`]).
    pub seed: u64,
}

/// Which bytes come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Put {
    /// How many.
    pub bytes: u64,
    /// Which ([`crate::bytes::Bytes::new`]).
    pub seed: u64,
}

/// Understands one line, without its end.
///
/// # Errors
/// What was found and what was expected, in printable ASCII.
pub fn parse(line: &[u8]) -> Result<Command, String> {
    let words: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
    match words.as_slice() {
        [b"bye"] => Ok(Command::Bye),
        [b"get", bytes, rate, seed] => Ok(Command::Get(Get {
            bytes: number("bytes", bytes)?,
            rate: number("rate", rate)?,
            seed: number("seed", seed)?,
        })),
        [b"put", bytes, seed] => Ok(Command::Put(Put { bytes: number("bytes", bytes)?, seed: number("seed", seed)? })),
        _ => Err(format!(
            "found `{}`, expected `get <bytes> <bytes-per-second or 0> <seed>`, `put <bytes> <seed>` or `bye`",
            shown(line)
        )),
    }
}

fn number(name: &str, word: &[u8]) -> Result<u64, String> {
    // Digits only: what the standard library takes besides, such as a sign, is not part of this protocol.
    let digits = std::str::from_utf8(word).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let number = digits.and_then(|digits| digits.parse().ok());
    number.ok_or_else(|| format!("{name}: found `{}`, expected a number from 0 to {}", shown(word), u64::MAX))
}

fn shown(line: &[u8]) -> String {
    let dots = if line.len() > SHOWN { "..." } else { "" };
    format!("{}{dots}", line[..line.len().min(SHOWN)].escape_ascii())
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Get(Get { bytes, rate, seed }) => write!(f, "get {bytes} {rate} {seed}"),
            Self::Put(Put { bytes, seed }) => write!(f, "put {bytes} {seed}"),
            Self::Bye => write!(f, "bye"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_wrong_is_said() {
        for (line, says) in [
            (&b""[..], "found ``, expected `get"),
            (b"BYE", "found `BYE`"),
            (b"bye ", "found `bye `"),
            (b"get 1 2", "found `get 1 2`"),
            (b"get 1 2 3 4", "found `get 1 2 3 4`"),
            (b"get 1  2 3", "found `get 1  2 3`"),
            (b"get x 0 1", "bytes: found `x`, expected a number"),
            (b"get 1 +2 1", "rate: found `+2`"),
            (b"get 1 2 ", "seed: found ``"),
            (b"get 18446744073709551616 0 1", "bytes: found `18446744073709551616`"),
            (b"\xff\n", "found `\\xff\\n`"),
        ] {
            let reason = parse(line).expect_err("wrong");
            assert!(reason.contains(says), "{reason}");
        }
        assert!(parse(&[b'x'; 100_000]).expect_err("wrong").len() < 200, "a long line is cut");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(bytes: u64, rate: u64, seed: u64) {
            for command in [Command::Get(Get { bytes, rate, seed }), Command::Put(Put { bytes, seed }), Command::Bye] {
                let line = command.to_string();
                prop_assert!(line.len() <= MAX_LINE);
                prop_assert_eq!(parse(line.as_bytes()), Ok(command));
            }
        }

        #[test]
        fn no_line_is_too_strange(line: Vec<u8>) {
            if let Err(reason) = parse(&line) {
                prop_assert!(reason.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{}", reason);
            }
        }

        #[test]
        fn what_looks_like_a_command_is_not_too_strange(line in "get [0-9x +-]{0,70}") {
            let _ = parse(line.as_bytes());
        }
    }
}
