//! From bytes to text: which code page, and fixed records or lines.

use super::ebcdic;

/// The code page of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// EBCDIC code page 1047.
    Ebcdic1047,
    /// UTF-8, of which ASCII is a part.
    Utf8,
    /// ISO 8859-1: neither of the others.
    Latin1,
}

/// How a member's records end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Lines with a line end each, as a file transfer in text mode leaves them.
    Lines,
    /// Records of 80 columns without line ends, as a transfer in binary mode leaves a member of RECFM=FB, LRECL=80.
    Fixed80,
}

/// Columns of a fixed record.
const LRECL: usize = 80;

/// The member's code page, its format, and its text with `\n` behind every record. Blanks at the end of a record are taken off;
/// a control character becomes U+FFFD, so that it is reported where it stands and no terminal obeys it.
pub(super) fn decode(bytes: &[u8]) -> (Encoding, Format, String) {
    let encoding = encoding(bytes);
    let line_ends: &[u8] = if encoding == Encoding::Ebcdic1047 { &ebcdic::LINE_ENDS } else { b"\n" };
    let is_fixed =
        bytes.len() >= LRECL && bytes.len().is_multiple_of(LRECL) && !bytes.iter().any(|b| line_ends.contains(b));
    let format = if is_fixed { Format::Fixed80 } else { Format::Lines };
    let mut text = String::with_capacity(bytes.len() + bytes.len() / LRECL + 1);
    let mut record = |bytes: &[u8]| {
        push_record(&mut text, encoding, bytes);
        text.push('\n');
    };
    if is_fixed {
        bytes.chunks(LRECL).for_each(&mut record);
    } else {
        let body = bytes.strip_suffix(&[0x1a]).filter(|_| encoding != Encoding::Ebcdic1047).unwrap_or(bytes);
        let body = body
            .strip_suffix(b"\r\n")
            .or_else(|| body.split_last().filter(|(last, _)| line_ends.contains(last)).map(|(_, body)| body))
            .unwrap_or(body);
        body.split(|b| line_ends.contains(b)).for_each(|line| record(line.strip_suffix(b"\r").unwrap_or(line)));
    }
    (encoding, format, text)
}

/// EBCDIC text is mostly letters and digits, all beyond 0x80, and blanks of its own kind; it has hardly any byte of ASCII's.
fn encoding(bytes: &[u8]) -> Encoding {
    let count = |wanted: u8| bytes.iter().filter(|&&b| b == wanted).count();
    let high = bytes.iter().filter(|&&b| b >= 0x80).count();
    let blanks = count(ebcdic::BLANK);
    if high > 0 && (high + blanks) * 2 > bytes.len() && blanks >= count(b' ') {
        Encoding::Ebcdic1047
    } else if std::str::from_utf8(bytes).is_ok() {
        Encoding::Utf8
    } else {
        Encoding::Latin1
    }
}

fn push_record(text: &mut String, encoding: Encoding, record: &[u8]) {
    let start = text.len();
    match encoding {
        Encoding::Ebcdic1047 => text.extend(record.iter().map(|&b| printable(ebcdic::to_char(b)))),
        Encoding::Latin1 => text.extend(record.iter().map(|&b| printable(char::from(b)))),
        Encoding::Utf8 => match std::str::from_utf8(record) {
            // Nearly every record.
            Ok(plain) if plain.bytes().all(|b| (b' '..=b'~').contains(&b)) => text.push_str(plain),
            // A fixed record may cut a character of several bytes.
            _ => text.extend(String::from_utf8_lossy(record).chars().map(printable)),
        },
    }
    let end = start + text[start..].trim_end_matches(' ').len();
    text.truncate(end);
}

fn printable(character: char) -> char {
    match character {
        '\t' => '\t',
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

/// The text as a member of RECFM=FB, LRECL=80 in EBCDIC code page 1047: records of 80 bytes. For whoever makes members.
///
/// # Errors
/// The number of the line that is too long, or that has a character that code page 1047 has not.
pub fn to_fixed_ebcdic(text: &str) -> Result<Vec<u8>, usize> {
    let mut bytes = Vec::new();
    for (line, number) in text.lines().zip(1usize..) {
        let record: Option<Vec<u8>> = line.chars().map(ebcdic::from_char).collect();
        let mut record = record.filter(|record| record.len() <= LRECL).ok_or(number)?;
        record.resize(LRECL, ebcdic::BLANK);
        bytes.extend(record);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "VIPADYNAMIC\n  VIPADEFINE 255.255.255.0 10.10.10.1 ; ours\n\nENDVIPADYNAMIC\n";

    #[test]
    fn the_same_text_from_every_code_page_and_format() {
        let fixed = to_fixed_ebcdic(TEXT).expect("short lines");
        assert_eq!(fixed.len(), 4 * 80);
        assert_eq!(decode(&fixed), (Encoding::Ebcdic1047, Format::Fixed80, TEXT.to_owned()));
        let lines: Vec<u8> =
            TEXT.chars().filter_map(|c| if c == '\n' { Some(0x15) } else { ebcdic::from_char(c) }).collect();
        assert_eq!(decode(&lines), (Encoding::Ebcdic1047, Format::Lines, TEXT.to_owned()));
        assert_eq!(decode(TEXT.as_bytes()), (Encoding::Utf8, Format::Lines, TEXT.to_owned()));
        assert_eq!(decode(TEXT.replace('\n', "\r\n").as_bytes()), (Encoding::Utf8, Format::Lines, TEXT.to_owned()));
        let ascii: String = TEXT.lines().map(|line| format!("{line:80}")).collect();
        assert_eq!(decode(ascii.as_bytes()), (Encoding::Utf8, Format::Fixed80, TEXT.to_owned()));
    }

    #[test]
    fn what_is_no_text_is_shown_as_such() {
        assert_eq!(decode(b"A\x00B\x1b\n").2, "A\u{fffd}B\u{fffd}\n");
        assert_eq!(decode(b"caf\xe9\n"), (Encoding::Latin1, Format::Lines, "caf\u{e9}\n".to_owned()));
        assert_eq!(decode(b""), (Encoding::Utf8, Format::Lines, "\n".to_owned()));
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let (_, _, text) = decode(&bytes);
            prop_assert!(text.ends_with('\n'));
            prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
        }
    }
}
