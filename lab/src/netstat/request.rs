//! What is asked, from a command line or from words.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sysplex::did_you_mean;

/// Which report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Report {
    /// Destination port table: what the distributor may send where
    Vdpt,
    /// Connection routing table: which connection is where
    Vcrt,
    /// What the profile says of dynamic VIPAs
    Vipadcfg,
    /// Which dynamic VIPAs are in use, and how
    Vipadyn,
    /// The stack's addresses
    Home,
}

const NAMES: [(&str, Report); 5] = [
    ("VDPT", Report::Vdpt),
    ("VCRT", Report::Vcrt),
    ("VIPADCFG", Report::Vipadcfg),
    ("VIPADYN", Report::Vipadyn),
    ("HOME", Report::Home),
];

/// A report to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::Args)]
pub struct Request {
    /// Which report
    #[arg(value_enum, ignore_case = true)]
    pub report: Report,
    /// The long form
    #[arg(long)]
    #[serde(default)]
    pub detail: bool,
    /// One JSON object instead of text
    #[arg(long)]
    #[serde(default)]
    pub json: bool,
}

/// `VDPT`, `vdpt detail`, `NETSTAT,VDPT,DETAIL`: the report's name, then what is wanted of it, with blanks or commas between; `json`
/// is ours.
impl FromStr for Request {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let upper = text.to_uppercase();
        let mut words = upper.split([' ', ',', '\t']).filter(|word| !word.is_empty()).peekable();
        words.next_if_eq(&"NETSTAT");
        let names = NAMES.map(|(name, _)| name);
        let expected = names.join(", ");
        let word = words.next().ok_or_else(|| format!("no report: expected {expected}"))?;
        let Some((_, report)) = NAMES.iter().find(|(name, _)| *name == word) else {
            let help = did_you_mean(word, names).map(|help| format!("; {help}")).unwrap_or_default();
            return Err(format!("`{}` is no report: expected {expected}{help}", short(word)));
        };
        let mut request = Self { report: *report, detail: false, json: false };
        for word in words {
            match word {
                "DETAIL" => request.detail = true,
                "JSON" => request.json = true,
                other => return Err(format!("`{}`: expected DETAIL or JSON", short(other))),
            }
        }
        Ok(request)
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(_, report)| *report == self.report).map_or("", |(name, _)| name);
        let (detail, json) = (if self.detail { " DETAIL" } else { "" }, if self.json { " JSON" } else { "" });
        write!(f, "{name}{detail}{json}")
    }
}

fn short(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        request: Request,
    }

    #[test]
    fn from_words() {
        let request = |report, detail, json| Ok(Request { report, detail, json });
        assert_eq!("VDPT".parse(), request(Report::Vdpt, false, false));
        assert_eq!(" vcrt  detail ".parse(), request(Report::Vcrt, true, false));
        assert_eq!("NETSTAT,VIPADCFG,DETAIL".parse(), request(Report::Vipadcfg, true, false));
        assert_eq!("vipadyn json".parse(), request(Report::Vipadyn, false, true));
        for (text, expected) in [
            ("", "no report: expected VDPT, VCRT"),
            ("netstat", "no report: expected VDPT, VCRT"),
            (
                "vipadfg",
                "`VIPADFG` is no report: expected VDPT, VCRT, VIPADCFG, VIPADYN, HOME; did you mean `VIPADCFG`?",
            ),
            ("vdpt long", "`LONG`: expected DETAIL or JSON"),
        ] {
            let error = text.parse::<Request>().expect_err(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn from_a_command_line() {
        let line = Line::try_parse_from(["netstat", "VDPT", "--detail", "--json"]).expect("a line");
        assert_eq!(line.request, Request { report: Report::Vdpt, detail: true, json: true });
        assert!(Line::try_parse_from(["netstat", "conn"]).is_err());
    }
}
