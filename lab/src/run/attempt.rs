//! One directory per attempt: evidence that is there is never written over.

use std::io;
use std::path::{Path, PathBuf};

/// Most attempts of one scenario on one backend in one directory.
const MOST: u32 = 100_000;

/// Makes the directory of this attempt in `out`: `name`, or, as often as that is taken, `name.2`, `name.3` and so on. Making it is
/// what takes it, so labs that run at the same time do not meet.
///
/// # Errors
/// When it cannot be made.
pub(super) fn directory(out: &Path, name: &str) -> io::Result<PathBuf> {
    std::fs::create_dir_all(out)?;
    for attempt in 1..=MOST {
        let path = out.join(if attempt == 1 { name.to_owned() } else { format!("{name}.{attempt}") });
        match std::fs::create_dir(&path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|()| path),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{MOST} attempts of {name} are there already")))
}

/// Writes a file whole or not at all: whoever reads it meanwhile sees the one before.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    std::fs::write(&beside, text)?;
    std::fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_attempt_takes_the_directory_of_another() {
        let out = tempfile::tempdir().expect("a directory");
        let names: Vec<String> = (0..3)
            .map(|_| directory(out.path(), "figure4-nftables").expect("made"))
            .map(|path| path.file_name().expect("a name").to_string_lossy().into_owned())
            .collect();
        assert_eq!(names, ["figure4-nftables", "figure4-nftables.2", "figure4-nftables.3"]);
        std::fs::write(out.path().join("a-file"), "").expect("written");
        assert_eq!(directory(out.path(), "a-file").expect("made"), out.path().join("a-file.2"));
    }

    #[test]
    fn what_cannot_be_made_is_said() {
        let out = tempfile::tempdir().expect("a directory");
        let file = out.path().join("file");
        std::fs::write(&file, "").expect("written");
        assert!(directory(&file, "x").is_err());
    }
}
