//! Files that are read whole, and how long they may be.

use std::fs::{File, Metadata};
use std::io::Read;
use std::path::Path;

/// Longest file that is read, in bytes: a hundred times what a configuration file, or a list of authorities, has of them.
const LONGEST: u64 = 1024 * 1024;

/// Reads a file, and what the system says of the very file that was read.
///
/// # Errors
/// The system's words, or that the file is too long.
pub fn read(path: &Path) -> Result<(Vec<u8>, Metadata), String> {
    let (mut bytes, file) = (Vec::new(), File::open(path).map_err(|e| e.to_string())?);
    let about = file.metadata().map_err(|e| e.to_string())?;
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    if bytes.len() as u64 > LONGEST {
        return Err(format!("more than {LONGEST} bytes were found, at most as many were expected"));
    }
    Ok((bytes, about))
}

/// Reads a file of text.
///
/// # Errors
/// As [`read`], and when it is not UTF-8.
pub fn read_text(path: &Path) -> Result<String, String> {
    String::from_utf8(read(path)?.0).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        format!("text in UTF-8 was expected, and byte {at} is none")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_limit_and_no_further() {
        let file = tempfile::NamedTempFile::new().expect("temp file");
        let limit = usize::try_from(LONGEST).expect("fits");
        std::fs::write(file.path(), vec![b'#'; limit]).expect("write");
        assert_eq!(read_text(file.path()).map(|text| text.len()), Ok(limit));
        std::fs::write(file.path(), vec![b'#'; limit + 1]).expect("write");
        let problem = read_text(file.path()).expect_err("too long");
        assert_eq!(problem, "more than 1048576 bytes were found, at most as many were expected");
        // Without an end; it would be read for ever.
        assert_eq!(read_text(Path::new("/dev/zero")).expect_err("endless"), problem);
        std::fs::write(file.path(), b"HOST=\xff").expect("write");
        let problem = read_text(file.path()).expect_err("not text");
        assert_eq!(problem, "text in UTF-8 was expected, and byte 5 is none");
        assert!(read(Path::new("/does/not/exist")).is_err());
    }
}
