//! A site's files, read from a directory or one by one. The only place here that knows the file system.

use std::io;
use std::path::{Path, PathBuf};

use super::File;
use crate::source::LONGEST_MEMBER;

/// The most files of a site. (Ours.)
const MOST_FILES: usize = 10_000;
/// How deep directories may be nested. (Ours.)
const DEEPEST: usize = 8;

/// Reads the files of a directory, hidden ones left out; names are relative to it.
///
/// # Errors
/// What the file system says, and too many files.
pub fn directory(root: &Path) -> io::Result<Vec<File>> {
    let mut found = Vec::new();
    collect(root, Path::new(""), 0, &mut found)?;
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

fn collect(root: &Path, below: &Path, depth: usize, found: &mut Vec<File>) -> io::Result<()> {
    for entry in std::fs::read_dir(root.join(below))? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_string_lossy().starts_with('.') {
            continue;
        }
        let path = below.join(name);
        let is_directory = entry.path().is_dir();
        if is_directory && depth < DEEPEST {
            collect(root, &path, depth + 1, found)?;
        } else if !is_directory {
            if found.len() >= MOST_FILES {
                return Err(io::Error::other(format!("{} has more than {MOST_FILES} files", root.display())));
            }
            found.push(file(&entry.path(), &path)?);
        }
    }
    Ok(())
}

/// Reads files one by one. Names are relative to the directory that all are below; the directory of files that are all in one is
/// kept, because it may be a system's.
///
/// # Errors
/// What the file system says.
pub fn files(paths: &[PathBuf]) -> io::Result<Vec<File>> {
    let root = common(paths);
    paths.iter().map(|path| file(path, path.strip_prefix(&root).unwrap_or(path))).collect()
}

fn common(paths: &[PathBuf]) -> PathBuf {
    let mut parents = paths.iter().map(|path| path.parent().unwrap_or(Path::new("")));
    let Some(first) = parents.next() else { return PathBuf::new() };
    let mut root = first;
    let mut is_one = true;
    for parent in parents {
        is_one &= parent == first;
        while !parent.starts_with(root) {
            root = root.parent().unwrap_or(Path::new(""));
        }
    }
    let root = if is_one { root.parent().unwrap_or(root) } else { root };
    root.to_owned()
}

fn file(path: &Path, name: &Path) -> io::Result<File> {
    use std::io::Read as _;
    let with_name = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let mut bytes = Vec::new();
    // One byte more than is taken, so that what is too long is seen to be.
    let most = LONGEST_MEMBER as u64 + 1;
    std::fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes)).map_err(with_name)?;
    Ok(File { name: name.to_string_lossy().into_owned(), bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_from_the_directory_that_all_are_below() {
        let root = |paths: &[&str]| common(&paths.iter().map(PathBuf::from).collect::<Vec<_>>());
        assert_eq!(root(&["/a/site/SYSA/PROFILE", "/a/site/SYSB/PROFILE", "/a/site/RSED"]), Path::new("/a/site"));
        assert_eq!(root(&["/a/SYSA/PROFILE", "/a/SYSA/DBGMGR"]), Path::new("/a"));
        assert_eq!(root(&["SYSA/PROFILE", "SYSB/PROFILE"]), Path::new(""));
        assert_eq!(root(&["PROFILE"]), Path::new(""));
        assert_eq!(root(&[]), Path::new(""));
    }

    #[test]
    fn a_directory_is_read_with_all_below_it_but_hidden_files() {
        let root = tempfile::tempdir().expect("a directory");
        for (name, text) in [("SYSA/PROFILE", "ARPAGE 20\n"), ("site.toml", ""), (".hidden", "")] {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            std::fs::write(path, text).expect("written");
        }
        let found = directory(root.path()).expect("read");
        assert_eq!(found.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["SYSA/PROFILE", "site.toml"]);
        let paths = [root.path().join("SYSA/PROFILE"), root.path().join("site.toml")];
        assert_eq!(files(&paths).expect("read"), found);
        assert!(files(&[root.path().join("none")]).expect_err("not there").to_string().contains("none"));
    }
}
