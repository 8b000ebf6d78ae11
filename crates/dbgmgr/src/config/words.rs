//! `KEY=VALUE`, from wherever it comes, with the place that it came from.

use std::collections::BTreeMap;
use std::fmt;

/// The keys, as IBM names them; CLIENTIP, HUBPEERS, WAIT, SESSIONS, USERSESSIONS, METRICS, NAMETOKEN, PTKTDATA and those about TLS are
/// ours.
pub(super) const KEYS: [&str; 22] = [
    "HOST",
    "CLIENT",
    "CLIENTIP",
    "HUBIP",
    "HUBPORT",
    "HUBPEERS",
    "WAIT",
    "SESSIONS",
    "USERSESSIONS",
    "TRUSTEDTCP",
    "SAFCLASS",
    "METRICS",
    "CLIENTTLS",
    "TLSCERT",
    "TLSKEY",
    "HUBTLS",
    "HUBCERT",
    "HUBKEY",
    "TLSCA",
    DEBUG,
    "NAMETOKEN",
    "PTKTDATA",
];
/// The one key that is a word without a value, too: it means ON then.
const DEBUG: &str = "DEBUG";
/// The two that are given by their position.
const PORTS: [&str; 2] = ["HOST", "CLIENT"];

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// An argument, by the name of the PROC symbol.
    Argument(&'static str),
    /// A line of the configuration file.
    Line(String, usize),
    /// An environment variable.
    Environment,
    /// Nowhere: the default.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument(name) => write!(f, "argument {name}"),
            Self::Line(file, line) => write!(f, "{file}, line {line}"),
            Self::Environment => f.write_str("environment"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// The values of one source.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    pub(super) values: BTreeMap<&'static str, (String, Origin)>,
}

impl Words {
    /// The arguments: HOST and CLIENT by their position, unless they begin with a word of PRM; then PRM. What is wrong goes to
    /// `problems`.
    pub(super) fn from_arguments(arguments: &[String], problems: &mut Vec<String>) -> Self {
        let mut found = Self::default();
        // As in JCL, one argument may hold several words, or none when PRM is empty.
        let mut words = arguments.iter().flat_map(|argument| argument.split_whitespace()).peekable();
        if words.peek().is_some_and(|first| *first != DEBUG && !first.contains('=')) {
            for (name, text) in PORTS.into_iter().zip(words.by_ref()) {
                found.values.insert(name, (text.to_owned(), Origin::Argument(name)));
            }
        }
        for word in words {
            found.add(word, Origin::Argument("PRM"), problems);
        }
        found
    }

    /// Lines of the configuration file.
    pub(super) fn from_file(name: &str, text: &str, problems: &mut Vec<String>) -> Self {
        let mut found = Self::default();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if !(line.is_empty() || line.starts_with(['#', '*'])) {
                found.add(line, Origin::Line(name.to_owned(), number + 1), problems);
            }
        }
        found
    }

    /// Variables of the environment; an empty one counts as not set.
    pub(super) fn from_env(read: impl Fn(&str) -> Option<String>) -> Self {
        let set = |key: &'static str| read(key).filter(|v| !v.is_empty()).map(|v| (key, (v, Origin::Environment)));
        Self { values: KEYS.into_iter().filter_map(set).collect() }
    }

    fn add(&mut self, word: &str, origin: Origin, problems: &mut Vec<String>) {
        let pair = if word == DEBUG { Some((DEBUG, "ON")) } else { word.split_once('=') };
        let Some((key, value)) = pair else {
            problems.push(format!(
                "{origin}: `{}` was found, {DEBUG} or KEY=VALUE was expected{}",
                cut(word),
                nearest(word)
            ));
            return;
        };
        let (key, value) = (key.trim(), value.trim());
        let Some(key) = KEYS.into_iter().find(|k| *k == key) else {
            problems.push(format!("{origin}: unknown key `{}`{}", cut(key), nearest(key)));
            return;
        };
        if value.is_empty() {
            problems.push(format!("{origin}: {key} has no value"));
        } else if let Some((_, before)) = self.values.get(key) {
            problems.push(format!("{origin}: {key} is given a second time (first: {before})"));
        } else {
            self.values.insert(key, (value.to_owned(), origin));
        }
    }
}

/// The nearest right word, as the end of a sentence; else all of them.
fn nearest(found: &str) -> String {
    let found = found.to_uppercase();
    let scored = KEYS.into_iter().map(|word| (strsim::jaro_winkler(&found, word), word));
    match scored.max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((score, word)) if score > 0.75 => format!("; did you mean `{word}`?"),
        _ => format!("; the keys are {}", KEYS.join(", ")),
    }
}

/// What was found, cut to a length that fits a message.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(60).flat_map(char::escape_default).collect()
}
