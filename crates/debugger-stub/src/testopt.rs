//! The TEST runtime option: `TEST(test_level,commands_file,prompt_level,target:preferences_file)`.
//!
//! Source: "Syntax of the TEST runtime option" and "Example: TEST runtime options". Only the target `DBMDT` uses Debug Manager.
//! Ours: lower case is taken as upper case, and the colon after the target may be missing.

use dbm_protocol::{BadName, UserId};

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

/// Why a TEST option is not for this debugger.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTest {
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
        let upper = text.trim().to_ascii_uppercase();
        let inner = upper.strip_prefix("TEST").map(str::trim_start);
        let inner = inner.and_then(|t| t.strip_prefix('(')).and_then(|t| t.strip_suffix(')'));
        let inner = inner.ok_or_else(|| BadTest::Form(text.chars().take(80).collect()))?;
        let suboptions = split(inner);
        if suboptions.len() > 4 {
            return Err(BadTest::TooMany(suboptions.len()));
        }
        let nth = |n: usize| suboptions.get(n).map_or("", |s| s.trim());
        let (target, preferences) = nth(3).split_once(':').unwrap_or((nth(3), ""));
        Ok(Self {
            level: level(nth(0))?,
            commands: file(nth(1)),
            prompt: prompt(nth(2))?,
            user: user(target.trim())?,
            preferences: file(preferences),
        })
    }
}

/// Splits at commas outside of quotes (the prompt level may be a command in quotes).
fn split(inner: &str) -> Vec<&str> {
    let (mut parts, mut start, mut quote) = (Vec::new(), 0, None);
    for (at, c) in inner.char_indices() {
        match (quote, c) {
            (None, ',') => {
                parts.push(&inner[start..at]);
                start = at + 1;
            }
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            _ => {}
        }
    }
    parts.push(&inner[start..]);
    parts
}

fn level(text: &str) -> Result<Level, BadTest> {
    match text {
        "" | "ALL" => Ok(Level::All),
        "ERROR" => Ok(Level::Error),
        "NONE" => Ok(Level::None),
        _ => Err(BadTest::Level(text.to_owned())),
    }
}

fn prompt(text: &str) -> Result<bool, BadTest> {
    match text {
        "" | "PROMPT" | ";" => Ok(true),
        "NOPROMPT" | "*" => Ok(false),
        command if command.starts_with(['"', '\'']) => Ok(true),
        _ => Err(BadTest::Prompt(text.to_owned())),
    }
}

fn file(text: &str) -> Option<String> {
    Some(text.trim()).filter(|t| !t.is_empty() && *t != "*").map(str::to_owned)
}

fn user(target: &str) -> Result<Option<UserId>, BadTest> {
    let name_end = target.find(['%', '&']).unwrap_or(target.len());
    let (name, rest) = target.split_at(name_end);
    let what = match name {
        "DBMDT" => {
            return match rest.strip_prefix('%') {
                None if rest.is_empty() => Ok(None),
                None => Err(BadTest::Target(target.to_owned())),
                Some(user) => user.parse().map(Some).map_err(|source| BadTest::User { target: target.into(), source }),
            };
        }
        "TCPIP" => "the debug daemon of a workstation, directly",
        "RDS" => "Remote Debug Service",
        "MFI" | "VTAM" => "a 3270 terminal",
        _ => return Err(BadTest::Target(target.to_owned())),
    };
    Err(BadTest::OtherTarget { target: target.to_owned(), what })
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
    fn what_is_wrong_is_said() {
        for (text, word) in [
            ("TEST", "expected TEST("),
            ("NOTEST(,,,DBMDT)", "expected TEST("),
            ("TEST(,,,DBMDT", "expected TEST("),
            ("TEST()", "expected DBMDT"),
            ("TEST(,,,INSPPREF)", "INSPPREF"),
            ("TEST(,,,DBMDT&A)", "expected DBMDT"),
            ("TEST(,,,DBMDT%)", "is not a user id"),
            ("TEST(,,,DBMDT%TOOLONG99:*)", "TOOLONG99"),
            ("TEST(SOME,,,DBMDT)", "expected ALL"),
            ("TEST(,,MAYBE,DBMDT)", "expected PROMPT"),
            ("TEST(,,,,DBMDT)", "found 5"),
        ] {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String, inner in "[-%&:,'\"* A-ZÄß()]{0,30}") {
            let _ = parse(&text);
            let _ = parse(&format!("TEST({inner})"));
        }
    }
}
