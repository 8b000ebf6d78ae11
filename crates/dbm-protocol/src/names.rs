//! Names as z/OS has them, checked once at the edge, and the one-time token.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};
use subtle::ConstantTimeEq;

/// A name that z/OS would not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a {kind}: expected {expected}")]
pub struct BadName {
    /// What was given, cut to a sane length.
    pub found: String,
    /// `user id`, `job name`, ...
    pub kind: &'static str,
    /// The rule.
    pub expected: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $expected:literal, $check:path) => {
        $(#[$doc])*
        ///
        /// Cheap to clone: a session's names go into many tables and messages.
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;
            fn try_from(text: String) -> Result<Self, BadName> {
                if $check(&text) {
                    Ok(Self(text.into()))
                } else {
                    let found = text.chars().take(40).collect();
                    Err(BadName { found, kind: $kind, expected: $expected })
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = BadName;
            fn from_str(text: &str) -> Result<Self, BadName> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.as_str().to_owned()
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// A user id: 1 to 8 of `A-Z 0-9 @ # $`, not starting with a digit.
    UserId, "user id", "1 to 8 of A-Z, 0-9, @, #, $, not starting with a digit", is_mvs_name
);
name!(
    /// A job name: same rule as a user id.
    JobName, "job name", "1 to 8 of A-Z, 0-9, @, #, $, not starting with a digit", is_mvs_name
);
name!(
    /// A system name (SYSNAME). Outside the lab it is the host name, so lower case, `-`, `_` and `.` are allowed, up to 64.
    SystemName, "system name", "1 to 64 letters, digits or any of @ # $ - _ .", is_system_name
);
name!(
    /// A session's id, unique in the sysplex: the system's name, a dot, and a number that the system does not use twice.
    SessionId, "session id", "1 to 96 letters, digits or any of @ # $ - _ .", is_session_id
);

fn is_mvs_name(text: &str) -> bool {
    let national = |b: u8| b.is_ascii_uppercase() || matches!(b, b'@' | b'#' | b'$');
    let bytes = text.as_bytes();
    (1..=8).contains(&bytes.len()) && national(bytes[0]) && bytes.iter().all(|&b| national(b) || b.is_ascii_digit())
}

fn is_token_text(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'@' | b'#' | b'$' | b'-' | b'_' | b'.'))
}

fn is_system_name(text: &str) -> bool {
    is_token_text(text, 64)
}

fn is_session_id(text: &str) -> bool {
    is_token_text(text, 96)
}

/// A one-time secret of 16 random bytes, written as 32 hexadecimal digits. It never shows in `Debug` output, and comparing
/// two takes the same time wherever they differ. (IBM documents that the engine must present "a valid security token"; its
/// format is not documented and this one is ours.)
#[derive(Clone, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Token([u8; 16]);

impl Token {
    /// A fresh one, from the kernel's random numbers.
    ///
    /// # Errors
    /// When the kernel has none to give.
    pub fn random() -> std::io::Result<Self> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
        Ok(Self(bytes))
    }

    /// One with known bytes: those of a keyed hash, or of a test.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its digits, with no memory of their own.
    fn digits(&self) -> [u8; 32] {
        let mut digits = [0; 32];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(self.0) {
            pair.copy_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
        digits
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digits = self.digits();
        serializer.serialize_str(std::str::from_utf8(&digits).map_err(serde::ser::Error::custom)?)
    }
}

impl AsRef<[u8]> for Token {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl From<Token> for String {
    fn from(token: Token) -> Self {
        token.digits().map(char::from).iter().collect()
    }
}

impl TryFrom<String> for Token {
    type Error = BadName;
    fn try_from(text: String) -> Result<Self, BadName> {
        // The text may be a secret that was almost right, so it is not repeated.
        let bad = || BadName { found: "..".to_owned(), kind: "token", expected: "32 hexadecimal digits" };
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).ok_or_else(bad);
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return Err(bad()) };
        let mut bytes = [0; 16];
        if pairs.len() != bytes.len() {
            return Err(bad());
        }
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_ids_follow_the_rule_of_mvs_names() {
        for good in ["IBMUSER", "A", "$X@#1234"] {
            assert!(good.parse::<UserId>().is_ok(), "{good}");
        }
        for bad in ["", "1ABC", "TOOLONG99", "ibmuser", "A B", "Ä"] {
            assert!(bad.parse::<UserId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_token_survives_text_and_hides_in_debug() {
        let token = Token::random().expect("random numbers");
        let text = String::from(token.clone());
        assert_eq!(Token::try_from(text.clone()).expect("own text"), token);
        assert!(!format!("{token:?}").contains(&text));
        let off_by_one = Token::try_from(format!("{}{}", &text[..31], if text.ends_with('0') { '1' } else { '0' }));
        assert_ne!(off_by_one.expect("hex"), token);
        assert!(Token::try_from("+f".repeat(16)).is_err(), "a sign is not a digit");
    }
}
