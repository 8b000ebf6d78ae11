//! Sizes of memory, as scenario files and reports have them: `16MiB`.

const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// Reads a whole number of KiB, MiB or GiB; returns bytes.
pub fn parse(text: &str) -> Option<u64> {
    let (digits, unit) = UNITS.into_iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit)))?;
    let digits = digits.trim_end();
    let number: u64 = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())??;
    number.checked_mul(unit)
}

/// Bytes for a person: in the largest unit that leaves at least one of it, with one decimal where it is not whole.
pub fn in_words(bytes: u64) -> String {
    let Some((name, unit)) = UNITS.into_iter().find(|(_, unit)| bytes >= *unit) else {
        return format!("{bytes} bytes");
    };
    let tenths = bytes.saturating_mul(10) / unit;
    if tenths.is_multiple_of(10) {
        format!("{} {name}", tenths / 10)
    } else {
        format!("{}.{} {name}", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_whole_numbers_of_binary_units() {
        assert_eq!(parse("16MiB"), Some(16 << 20));
        assert_eq!(parse("512 KiB"), Some(512 << 10));
        assert_eq!(parse("1GiB"), Some(1 << 30));
        for bad in ["", "16", "MiB", "16MB", "-1MiB", "+1MiB", "1.5MiB", "16 M", "99999999999GiB"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_person_reads_them_in_the_largest_unit() {
        let words = [0, 1023, 1 << 10, 1536, 16 << 20, (16 << 20) + (1 << 19), 3 << 30].map(in_words);
        assert_eq!(words, ["0 bytes", "1023 bytes", "1 KiB", "1.5 KiB", "16 MiB", "16.5 MiB", "3 GiB"]);
    }
}
