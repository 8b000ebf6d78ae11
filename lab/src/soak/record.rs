//! Evidence of an attempt on disk, bounded however long it goes on: files that begin anew when they are long, with the one before
//! kept beside, and a summary that is always whole.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

/// A file of events, and one of snapshots, begins anew at this length: at most twice as much is kept of each.
const EVENTS_MOST: u64 = 16 << 20;
/// See [`EVENTS_MOST`].
const SNAPSHOTS_MOST: u64 = 4 << 20;
/// See [`EVENTS_MOST`].
const FAULTS_MOST: u64 = 4 << 20;

/// How things were, a line each.
pub(crate) const SNAPSHOTS: &str = "snapshots.jsonl";
/// What was said and done.
pub(crate) const EVENTS: &str = "events.jsonl";
/// Faults that began and were healed: events of a long soak do not reach back to its beginning.
pub(crate) const FAULTS: &str = "faults.jsonl";
/// The figures.
pub(crate) const SUMMARY: &str = "summary.json";

/// A file of JSON lines that begins anew when it is long; the one before is kept as `NAME.1`.
#[derive(Debug)]
struct Lines {
    path: PathBuf,
    file: BufWriter<File>,
    length: u64,
    most: u64,
}

impl Lines {
    fn create(path: PathBuf, most: u64) -> io::Result<Self> {
        let file = BufWriter::new(File::create(&path)?);
        Ok(Self { path, file, length: 0, most })
    }

    fn add(&mut self, line: &impl Serialize) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        let length = bytes.len() as u64;
        if self.length + length > self.most {
            self.file.flush()?;
            let mut before = self.path.clone().into_os_string();
            before.push(".1");
            std::fs::rename(&self.path, before)?;
            self.file = BufWriter::new(File::create(&self.path)?);
            self.length = 0;
        }
        self.length += length;
        self.file.write_all(&bytes)
    }
}

/// The evidence of one attempt.
#[derive(Debug)]
pub(super) struct Record {
    directory: PathBuf,
    events: Lines,
    snapshots: Lines,
    faults: Lines,
}

impl Record {
    /// In this directory, which is there.
    ///
    /// # Errors
    /// When it cannot be written to.
    pub(super) fn create(directory: &Path) -> io::Result<Self> {
        let events = Lines::create(directory.join(EVENTS), EVENTS_MOST)?;
        let snapshots = Lines::create(directory.join(SNAPSHOTS), SNAPSHOTS_MOST)?;
        let faults = Lines::create(directory.join(FAULTS), FAULTS_MOST)?;
        Ok(Self { directory: directory.to_owned(), events, snapshots, faults })
    }

    /// Something that a swarm said, or that was done.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn event(&mut self, event: &impl Serialize) -> io::Result<()> {
        self.events.add(event)
    }

    /// A fault that began or was healed; it is an event, too.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn fault(&mut self, event: &impl Serialize) -> io::Result<()> {
        self.faults.add(event)?;
        self.events.add(event)
    }

    /// How things are: a line more, and the summary as a whole.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn snapshot(&mut self, line: &impl Serialize, summary: &impl Serialize) -> io::Result<()> {
        self.snapshots.add(line)?;
        self.snapshots.file.flush()?;
        self.events.file.flush()?;
        self.faults.file.flush()?;
        write_whole(&self.directory, SUMMARY, summary)
    }
}

/// Writes a file that is at any time the old one or the new one.
///
/// # Errors
/// When it cannot be written.
pub(super) fn write_whole(directory: &Path, name: &str, value: &impl Serialize) -> io::Result<()> {
    let (path, new) = (directory.join(name), directory.join(format!("{name}.new")));
    let text = serde_json::to_string_pretty(value)?;
    std::fs::write(&new, text + "\n")?;
    std::fs::rename(new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_bounded_and_the_end_is_kept() {
        let directory = tempfile::tempdir().expect("temp dir");
        let path = directory.path().join("events.jsonl");
        let mut lines = Lines::create(path.clone(), 1000).expect("file");
        (0..1000).for_each(|n| lines.add(&n).expect("written"));
        lines.file.flush().expect("flush");
        let read = |path: &Path| std::fs::read_to_string(path).expect("file");
        let (now, before) = (read(&path), read(&directory.path().join("events.jsonl.1")));
        assert!(now.len() <= 1000 && before.len() <= 1000 && before.len() > 990);
        assert!(now.ends_with("998\n999\n"), "{now}");
        let last: u32 = before.lines().last().expect("lines").parse().expect("number");
        let first: u32 = now.lines().next().expect("lines").parse().expect("number");
        assert_eq!(last + 1, first);
    }

    #[test]
    fn a_summary_is_whole() {
        let directory = tempfile::tempdir().expect("temp dir");
        for n in 0..2 {
            write_whole(directory.path(), "summary.json", &n).expect("written");
        }
        let files: Vec<_> = std::fs::read_dir(directory.path()).expect("directory").flatten().collect();
        assert_eq!(files.len(), 1);
        assert_eq!(std::fs::read_to_string(files[0].path()).expect("file"), "1\n");
    }
}
