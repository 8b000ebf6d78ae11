//! A soak that was interrupted goes on: what it had done until its last snapshot, and that nobody else is at it.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use soak::summary::Summary;

use super::{plan, record};

/// How long a lab that was killed may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// Reads what was done.
///
/// # Errors
/// Why there is nothing to go on with.
pub(super) fn before(directory: &Path, keep_going: bool) -> Result<Summary, String> {
    let path = directory.join(record::SUMMARY);
    let shown = path.display();
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return Err(format!("{shown} is not there: it ended before its first snapshot; --replay begins it again"));
        }
        Err(e) => return Err(format!("cannot read {shown}: {e}")),
    };
    let read: Result<Summary, _> = serde_json::from_str(&text);
    let mut summary = read.map_err(|e| format!("{shown}: {e}, expected what `lab soak` wrote"))?;
    if summary.finished {
        return Err(format!("{shown}: it has come to its end; --replay runs it again"));
    }
    if !summary.violations.is_empty() && !keep_going {
        return Err(format!("{shown}: an invariant was broken; --replay runs it again, --keep-going goes on"));
    }
    summary.close_parts();
    Ok(summary)
}

/// The evidence of a soak is one lab's at a time: held until this is dropped.
#[derive(Debug)]
pub(super) struct Held(#[expect(dead_code, reason = "the lock lives as long as the file is open")] File);

impl Held {
    /// Holds this directory, which has a plan.
    ///
    /// # Errors
    /// When another lab does.
    pub(super) fn take(directory: &Path) -> Result<Self, String> {
        let path = directory.join(plan::FILE);
        let file = File::open(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
        let until = Instant::now() + GONE_WITHIN;
        // The kernel has no lock that is waited for with a deadline.
        while let Err(e) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
            if Instant::now() > until {
                return Err(format!("{}: another lab is at this soak ({e})", directory.display()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Self(file))
    }
}

#[cfg(test)]
mod tests {
    use soak::model::{Kind, Violation};

    use super::*;

    #[test]
    fn only_what_was_interrupted_goes_on() {
        let directory = tempfile::tempdir().expect("temp dir");
        let refused = |keep_going| before(directory.path(), keep_going).expect_err("refused");
        assert!(refused(false).contains("ended before its first snapshot"), "{}", refused(false));
        let write = |summary: &Summary| {
            let text = serde_json::to_string(summary).expect("json");
            std::fs::write(directory.path().join("summary.json"), text).expect("written");
        };
        write(&Summary { finished: true, ..Summary::default() });
        assert!(refused(true).contains("has come to its end"), "{}", refused(true));
        let violations = vec![Violation { t_ns: 1, kind: Kind::Lost, what: "gone".into() }];
        write(&Summary { violations, ..Summary::default() });
        assert!(refused(false).contains("an invariant was broken"), "{}", refused(false));
        assert!(before(directory.path(), true).is_ok());
        std::fs::write(directory.path().join("summary.json"), "{").expect("written");
        assert!(refused(true).contains("expected what `lab soak` wrote"), "{}", refused(true));
    }
}
