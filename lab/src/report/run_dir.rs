//! Reading a run's directory. Whatever stands in its files is bounded here: a report is of what a person can look at.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use evidence::Event;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::ends::Ends;
use super::packets::{self, Packets};
use super::record::{self, Record};
use crate::plex::log::{LOGS, LogLine};
use crate::run::figure4::ms_since;
use crate::run::result::{self, ScenarioResult};
use crate::soak;

/// The file of all processes' events.
const EVENTS: &str = "events.jsonl";
/// Longest result or record, in bytes.
const LARGEST: u64 = 64 << 20;
/// Longest line of events or logs, in bytes; what is longer is cut.
const LONGEST_LINE: u64 = 256 << 10;
/// Events and log lines that are kept at either end.
const MOST: usize = 20_000;

/// What is in the directory.
#[derive(Debug)]
pub(super) struct Run {
    /// The verdict.
    pub(super) result: ScenarioResult,
    /// The record, where there is one.
    pub(super) record: Record,
    /// All events, as they arrived.
    pub(super) events: Ends<Said>,
    /// All log lines, as they arrived.
    pub(super) logs: Ends<LogLine>,
    /// Packets.
    pub(super) packets: Packets,
}

impl Run {
    /// Milliseconds since the first step; since the first event when there was no step.
    pub(super) fn ms(&self, t_ns: u64) -> f64 {
        ms_since(self.begin(), t_ns)
    }

    fn begin(&self) -> u64 {
        match self.record.start_ns {
            0 => self.events.iter().map(|said| said.t_ns).next().unwrap_or(0),
            start => start,
        }
    }

    /// The colour of a host, by its place in the topology.
    pub(super) fn hue(&self, system: &str) -> usize {
        self.record.plan.hue(system)
    }

    /// The events that this program knows.
    pub(super) fn known(&self) -> impl Iterator<Item = &Event> {
        self.events.iter().filter_map(|said| said.known.as_ref())
    }
}

/// An event, as a line of the file.
#[derive(Clone, Debug)]
pub(super) struct Said {
    /// When, `CLOCK_MONOTONIC`.
    pub(super) t_ns: u64,
    /// Where.
    pub(super) system: String,
    /// Who.
    pub(super) task: String,
    /// What, in a word.
    pub(super) event: String,
    /// The line.
    pub(super) json: String,
    /// What it means, when this program knows such events.
    pub(super) known: Option<Event>,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    /// It has no result.
    #[error("{0} is not the directory of a run: it has no {file}; expected one that `lab run --out DIR` made, or `lab soak`", file = result::FILE)]
    NoRun(PathBuf),
    /// It is that of a soak, and has no summary.
    #[error("{0} has the plan of a soak and no {file}: the soak ended before its first snapshot, which comes after ten seconds", file = soak::SUMMARY)]
    NoSummary(PathBuf),
    /// A file cannot be read.
    #[error("cannot read {path}: {error}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file is not what it should be.
    #[error("{path}:{line}:{column}: {error}", line = error.line(), column = error.column())]
    Json {
        /// Which.
        path: PathBuf,
        /// Where and why.
        error: serde_json::Error,
    },
}

/// Reads the directory. A result there must be; what else is missing the report says.
///
/// # Errors
/// When there is no result, or a file cannot be read.
pub(super) fn load(directory: &Path) -> Result<Run, LoadError> {
    let result = json(&directory.join(result::FILE))?.ok_or_else(|| LoadError::NoRun(directory.to_owned()))?;
    let mut events = Ends::new(MOST);
    lines(&directory.join(EVENTS), |line| events.push(said(line)))?;
    let mut logs = Ends::new(MOST);
    lines(&directory.join(LOGS), |line| logs.extend_with(line))?;
    let record: Record = json(&directory.join(record::FILE))?.unwrap_or_default();
    let packets = packets::read(directory).map_err(|error| LoadError::Read { path: directory.to_owned(), error })?;
    Ok(Run { result, record, events, logs, packets })
}

impl Ends<LogLine> {
    fn extend_with(&mut self, line: &str) {
        let unreadable = || LogLine { t_ns: 0, system: "?".into(), task: "?".into(), line: line.to_owned() };
        self.push(serde_json::from_str(line).unwrap_or_else(|_| unreadable()));
    }
}

/// Reads a file of JSON; nothing when it is not there.
///
/// # Errors
/// When it cannot be read, or is not what it should be.
pub(super) fn json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, LoadError> {
    let read = |error| LoadError::Read { path: path.to_owned(), error };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(None),
        Err(e) => return Err(read(e)),
    };
    let mut text = String::new();
    file.take(LARGEST).read_to_string(&mut text).map_err(read)?;
    serde_json::from_str(&text).map(Some).map_err(|error| LoadError::Json { path: path.to_owned(), error })
}

/// Calls `take` with each line; a file that is not there has none.
///
/// # Errors
/// When it cannot be read.
pub(super) fn lines(path: &Path, mut take: impl FnMut(&str)) -> Result<(), LoadError> {
    let read = |error| LoadError::Read { path: path.to_owned(), error };
    let mut file = match File::open(path) {
        Ok(file) => BufReader::new(file),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(read(e)),
    };
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        if (&mut file).take(LONGEST_LINE).read_until(b'\n', &mut bytes).map_err(read)? == 0 {
            return Ok(());
        }
        let line = String::from_utf8_lossy(&bytes);
        if !line.trim().is_empty() {
            take(line.trim_end());
        }
    }
}

/// One line of events. One that cannot be read is shown as it is.
pub(super) fn said(line: &str) -> Said {
    let value: Value = serde_json::from_str(line).unwrap_or_default();
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or("?").to_owned();
    Said {
        t_ns: value.get("t_ns").and_then(Value::as_u64).unwrap_or(0),
        system: text("system"),
        task: text("task"),
        event: text("event"),
        json: line.to_owned(),
        known: serde_json::from_value(value).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_run_is_said() {
        let directory = tempfile::tempdir().expect("a directory");
        let said = load(directory.path()).expect_err("no result").to_string();
        assert!(said.contains("is not the directory of a run: it has no result.json"), "{said}");
        std::fs::write(directory.path().join(result::FILE), "{\n \"scenario\": 7}").expect("written");
        let said = load(directory.path()).expect_err("a bad result").to_string();
        assert!(said.contains("result.json:2:") && said.contains("expected a string"), "{said}");
        let file = directory.path().join(result::FILE);
        assert!(matches!(load(&file), Err(LoadError::NoRun(_))), "a file is no directory");
    }

    #[test]
    fn events_that_are_not_known_are_kept_as_they_are() {
        let said = said(r#"{"t_ns":5,"system":"A","task":"B","pid":1,"event":"earthquake","strength":9}"#);
        assert_eq!((said.t_ns, said.event.as_str(), said.known.is_none()), (5, "earthquake", true));
        assert_eq!(super::said("}").event, "?");
    }
}
