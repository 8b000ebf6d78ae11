//! The TEST runtime option: `TEST(test_level,commands_file,prompt_level,target:preferences_file)`. Pure.
//!
//! Source: "Syntax of the TEST runtime option" and "Example: TEST runtime options". Only the target `DBMDT` uses Debug Manager.
//! Ours: lower case is taken as upper case, and the colon after the target may be missing.

mod piece;

use std::ops::Range;

use crate::{BadName, UserId};
use piece::Piece;

/// What a TEST option asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestOption {
    /// When the debugger gets control.
    pub level: Level,
    /// File of debugger commands; not used by this debugger.
    pub commands: Option<String>,
    /// Does the debugger get control before the program starts? (`PROMPT`, the default, or `NOPROMPT`.)
    pub prompt: bool,
    /// The user named after `DBMDT%`; without one it is the user that the job runs under.
    pub user: Option<UserId>,
    /// File of preferences; not used by this debugger.
    pub preferences: Option<String>,
}

/// First suboption.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// On any condition and at the program's start.
    #[default]
    All,
    /// On conditions of severity 2 and above.
    Error,
    /// Only when it is called.
    None,
}

/// A TEST option that is not for this debugger, with the place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct BadTest {
    /// The bytes of the option that are to blame, on character boundaries; empty where something is missing.
    pub at: Range<usize>,
    /// What was found there, and what was expected.
    pub why: Why,
}

/// Why a TEST option is not for this debugger. What was found stands in it as coded, cut to a sane length.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// Not `TEST(...)` at all.
    #[error("found `{0}`, expected TEST(level,commands,prompt,DBMDT%user:preferences)")]
    Form(String),
    /// More than four suboptions.
    #[error("TEST has four suboptions, found {0}")]
    TooMany(usize),
    /// A first suboption that does not exist.
    #[error("test level `{0}`: expected ALL, ERROR, NONE or nothing")]
    Level(String),
    /// A third suboption that does not exist.
    #[error("prompt level `{0}`: expected PROMPT, NOPROMPT, *, ; or nothing")]
    Prompt(String),
    /// A target that reaches its workstation without Debug Manager.
    #[error("target `{target}` ({what}): Debug Manager is not used for it, only for DBMDT")]
    OtherTarget {
        /// As coded.
        target: String,
        /// What it is.
        what: &'static str,
    },
    /// No target, or one that does not exist.
    #[error("target `{0}`: expected DBMDT or DBMDT%user as the fourth suboption")]
    Target(String),
    /// `DBMDT%` and something that is no user id.
    #[error("target `{target}`: {source}")]
    User {
        /// As coded.
        target: String,
        /// What is wrong with the user id.
        source: BadName,
    },
}

impl std::str::FromStr for TestOption {
    type Err = BadTest;

    fn from_str(text: &str) -> Result<Self, BadTest> {
        let whole = Piece::whole(text).trim();
        let inner = inner(whole).ok_or_else(|| bad(whole, Why::Form(whole.found())))?;
        let suboptions = inner.split_at_commas();
        if let Some(fifth) = suboptions.get(4) {
            return Err(BadTest { at: fifth.at..inner.end(), why: Why::TooMany(suboptions.len()) });
        }
        // A suboption that is missing is missing at the end.
        let nth = |n: usize| suboptions.get(n).map_or(inner.after(), |piece| piece.trim());
        let (target, preferences) = nth(3).split_at_colon();
        Ok(Self {
            level: level(nth(0))?,
            commands: file(nth(1)),
            prompt: prompt(nth(2))?,
            user: user(target.trim())?,
            preferences: file(preferences.trim()),
        })
    }
}

fn bad(piece: Piece<'_>, why: Why) -> BadTest {
    BadTest { at: piece.at..piece.end(), why }
}

/// What stands between the parentheses.
fn inner(whole: Piece<'_>) -> Option<Piece<'_>> {
    whole.strip_word("TEST")?.trim().strip_parentheses()
}

fn level(piece: Piece<'_>) -> Result<Level, BadTest> {
    match piece.upper().as_str() {
        "" | "ALL" => Ok(Level::All),
        "ERROR" => Ok(Level::Error),
        "NONE" => Ok(Level::None),
        _ => Err(bad(piece, Why::Level(piece.found()))),
    }
}

fn prompt(piece: Piece<'_>) -> Result<bool, BadTest> {
    match piece.upper().as_str() {
        "" | "PROMPT" | ";" => Ok(true),
        "NOPROMPT" | "*" => Ok(false),
        command if command.starts_with(['"', '\'']) => Ok(true),
        _ => Err(bad(piece, Why::Prompt(piece.found()))),
    }
}

fn file(piece: Piece<'_>) -> Option<String> {
    Some(piece.upper()).filter(|name| !name.is_empty() && name != "*")
}

fn user(target: Piece<'_>) -> Result<Option<UserId>, BadTest> {
    let (name, rest) = target.split_before(['%', '&']);
    let what = match name.upper().as_str() {
        "DBMDT" => return user_of_dbmdt(target, rest),
        "TCPIP" => "the debug daemon of a workstation, directly",
        "RDS" => "Remote Debug Service",
        "MFI" | "VTAM" => "a 3270 terminal",
        _ => return Err(bad(target, Why::Target(target.found()))),
    };
    Err(bad(target, Why::OtherTarget { target: target.found(), what }))
}

/// Reads what follows `DBMDT` in the target.
fn user_of_dbmdt(target: Piece<'_>, rest: Piece<'_>) -> Result<Option<UserId>, BadTest> {
    match rest.strip_word("%") {
        None if rest.text.is_empty() => Ok(None),
        None => Err(bad(target, Why::Target(target.found()))),
        Some(user) => match UserId::try_from(user.upper()) {
            Ok(user) => Ok(Some(user)),
            Err(source) => Err(bad(user, Why::User { target: target.found(), source })),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<TestOption, BadTest> {
        text.parse()
    }

    fn user_of(text: &str) -> Option<String> {
        parse(text).unwrap_or_else(|e| panic!("{text}: {e}")).user.map(String::from)
    }

    #[test]
    fn the_user_of_the_target_is_found() {
        assert_eq!(user_of("TEST(,,,DBMDT%IBMUSER:*)").as_deref(), Some("IBMUSER"));
        assert_eq!(user_of("TEST(,,,DBMDT%IBMUSER:)").as_deref(), Some("IBMUSER"));
        assert_eq!(user_of("TEST(,,,DBMDT%IBMUSER)").as_deref(), Some("IBMUSER"));
        assert_eq!(user_of(" test ( , , , dbmdt%ibmuser:* ) ").as_deref(), Some("IBMUSER"));
        assert_eq!(user_of("TEST(,,,DBMDT:*)"), None);
        assert_eq!(user_of("TEST(,,,DBMDT)"), None);
    }

    #[test]
    fn the_other_suboptions_are_read() {
        let option = parse("TEST(ERROR,MY.CMDS,NOPROMPT,DBMDT:MY.PREFS)").expect("good");
        assert_eq!((option.level, option.prompt), (Level::Error, false));
        assert_eq!((option.commands.as_deref(), option.preferences.as_deref()), (Some("MY.CMDS"), Some("MY.PREFS")));
        let option = parse("TEST(ALL,*,\"AT 5, GO\",DBMDT:*)").expect("a comma in quotes separates nothing");
        assert_eq!((option.level, option.prompt, option.commands, option.preferences), (Level::All, true, None, None));
        let option = parse("test(none, my.cmds ,noprompt,dbmdt: my.prefs )").expect("lower case");
        assert_eq!((option.level, option.prompt), (Level::None, false));
        assert_eq!((option.commands.as_deref(), option.preferences.as_deref()), (Some("MY.CMDS"), Some("MY.PREFS")));
    }

    #[test]
    fn targets_without_debug_manager_are_refused_by_name() {
        for (target, word) in
            [("TCPIP&10.1.1.1%8001", "workstation"), ("RDS", "Remote"), ("MFI%LU1", "3270"), ("VTAM%A", "3270")]
        {
            let error = parse(&format!("TEST(,,,{target}:*)")).expect_err(target).to_string();
            assert!(error.contains("Debug Manager is not used for it") && error.contains(word), "{error}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_and_where() {
        // The text, the part of it that is to blame, and a word of the message.
        for (text, part, word) in [
            ("TEST", "TEST", "expected TEST("),
            ("  NOTEST(,,,DBMDT) ", "NOTEST(,,,DBMDT)", "expected TEST("),
            ("TEST(,,,DBMDT", "TEST(,,,DBMDT", "expected TEST("),
            ("TEST()", "", "expected DBMDT"),
            ("TEST(,,,INSPPREF)", "INSPPREF", "INSPPREF"),
            ("TEST(,,, DBMDT&A :*)", "DBMDT&A", "expected DBMDT"),
            ("TEST(,,,DBMDT%)", "", "is not a user id"),
            (" Test (,,,dbmdt%TooLong99:*)", "TooLong99", "TooLong99"),
            ("TEST(,,,MFI%LU1:*)", "MFI%LU1", "3270"),
            ("TEST( some,,,DBMDT)", "some", "`some`: expected ALL"),
            ("TEST(,,MAYBE,DBMDT)", "MAYBE", "expected PROMPT"),
            ("TEST(,,,,DBMDT, ß)", "DBMDT, ß", "found 6"),
        ] {
            let error = parse(text).expect_err(text);
            assert_eq!(text.get(error.at.clone()), Some(part), "{text}: {error:?}");
            assert!(error.to_string().contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_missing_is_missing_at_a_place() {
        assert_eq!(parse("TEST()").expect_err("no target").at, 5..5);
        assert_eq!(parse(" TEST(,,)").expect_err("no target").at, 8..8);
        assert_eq!(parse("TEST(,,,:*)").expect_err("no target").at, 8..8);
        assert_eq!(parse("TEST(,,,DBMDT%:*)").expect_err("no user").at, 14..14);
    }

    #[test]
    fn a_message_does_not_grow_with_the_option() {
        let long = "X".repeat(100_000);
        for text in [long.clone(), format!("TEST({long})"), format!("TEST(,,{long})"), format!("TEST(,,,DBMDT%{long})")]
        {
            let message = parse(&text).expect_err("not good").to_string();
            assert!(message.len() < 300, "{} bytes", message.len());
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_and_every_place_is_in_the_text(text: String, inner in "[-%&:,'\"* A-ZÄß()]{0,30}") {
            for text in [text, format!(" TEST({inner})"), format!("TEST(,,,DBMDT%{inner}"), format!("TEST(,,,DBMDT{inner})")] {
                if let Err(error) = parse(&text) {
                    prop_assert!(text.get(error.at.clone()).is_some(), "{text:?}: {error:?}");
                }
            }
        }
    }
}
