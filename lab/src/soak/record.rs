//! Evidence of an attempt on disk, bounded however long it goes on: files that begin anew when they are long, with the one before
//! kept beside, and a summary that is always whole.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use tokio::task::{JoinHandle, spawn_blocking};

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

    /// Goes on with what is there. A last line without an end, of whoever was killed while writing, goes.
    fn go_on(path: PathBuf, most: u64) -> io::Result<Self> {
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(&path)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let length = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end as u64 + 1);
        file.set_len(length)?;
        file.seek(SeekFrom::Start(length))?;
        Ok(Self { path, file: BufWriter::new(file), length, most })
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
    /// The summary, on its way to the disk.
    writing: Option<JoinHandle<io::Result<()>>>,
}

impl Record {
    /// In this directory, which is there.
    ///
    /// # Errors
    /// When it cannot be written to.
    pub(super) fn create(directory: &Path) -> io::Result<Self> {
        Self::begin(directory, Lines::create)
    }

    /// The same, of a soak that goes on.
    ///
    /// # Errors
    /// When it cannot be read or written to.
    pub(super) fn go_on(directory: &Path) -> io::Result<Self> {
        Self::begin(directory, Lines::go_on)
    }

    fn begin(directory: &Path, begin: fn(PathBuf, u64) -> io::Result<Lines>) -> io::Result<Self> {
        let events = begin(directory.join(EVENTS), EVENTS_MOST)?;
        let snapshots = begin(directory.join(SNAPSHOTS), SNAPSHOTS_MOST)?;
        let faults = begin(directory.join(FAULTS), FAULTS_MOST)?;
        Ok(Self { directory: directory.to_owned(), events, snapshots, faults, writing: None })
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

    /// How things are: a line more, and the summary as a whole. That is written beside everything else, because a disk may take
    /// seconds; when it still takes the one before, this one is passed over.
    ///
    /// # Errors
    /// When it cannot be written, or the one before could not.
    pub(super) async fn snapshot(&mut self, line: &impl Serialize, summary: &impl Serialize) -> io::Result<()> {
        self.snapshots.add(line)?;
        self.snapshots.file.flush()?;
        self.events.file.flush()?;
        self.faults.file.flush()?;
        if self.writing.as_ref().is_some_and(|writing| !writing.is_finished()) {
            return Ok(());
        }
        self.written().await?;
        let (directory, text) = (self.directory.clone(), serde_json::to_string_pretty(summary)?);
        self.writing = Some(spawn_blocking(move || replace(&directory, SUMMARY, &text)));
        Ok(())
    }

    /// The last of them, which is waited for.
    ///
    /// # Errors
    /// See [`Record::snapshot`].
    pub(super) async fn last_snapshot(&mut self, line: &impl Serialize, summary: &impl Serialize) -> io::Result<()> {
        self.written().await?;
        self.snapshot(line, summary).await?;
        self.written().await
    }

    async fn written(&mut self) -> io::Result<()> {
        match self.writing.take() {
            Some(writing) => writing.await?,
            None => Ok(()),
        }
    }
}

/// Writes a value to a file that is at any time the old one or the new one, also when the power fails.
///
/// # Errors
/// When it cannot be written.
pub(super) fn write_whole(directory: &Path, name: &str, value: &impl Serialize) -> io::Result<()> {
    replace(directory, name, &serde_json::to_string_pretty(value)?)
}

fn replace(directory: &Path, name: &str, text: &str) -> io::Result<()> {
    let (path, new) = (directory.join(name), directory.join(format!("{name}.new")));
    let mut file = File::create(&new)?;
    file.write_all(format!("{text}\n").as_bytes())?;
    file.sync_data()?;
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
    fn whoever_goes_on_keeps_all_whole_lines() {
        let directory = tempfile::tempdir().expect("temp dir");
        let path = directory.path().join("events.jsonl");
        for (before, expected) in [("1\n2\n{\"cut", "1\n2\n3\n"), ("", "3\n"), ("1\n", "1\n3\n")] {
            std::fs::write(&path, before).expect("written");
            let mut lines = Lines::go_on(path.clone(), 100).expect("file");
            lines.add(&3).expect("written");
            assert_eq!(lines.length, expected.len() as u64);
            drop(lines);
            assert_eq!(std::fs::read_to_string(&path).expect("file"), expected);
        }
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
