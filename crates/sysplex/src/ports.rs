//! Port numbers and ranges, read from text.

use std::ops::{Range, RangeInclusive};

use crate::names::cut;

/// A port number, 1 to 65535.
///
/// # Errors
/// What was found and what was expected.
pub(crate) fn port(text: &str) -> Result<u16, String> {
    // `u16::from_str` takes a plus sign; a port has none.
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(port @ 1..) if digits => Ok(port),
        _ => Err(format!("`{}` is not a port number: expected 1 to 65535", cut(text))),
    }
}

/// A port, or `first-last` with both included, as in VIPADISTRIBUTE PORT.
///
/// # Errors
/// What was found and what was expected.
pub(crate) fn port_or_range(text: &str) -> Result<RangeInclusive<u16>, String> {
    match text.split_once('-') {
        // `-1` is a number that is no port, not a range.
        Some((first, last)) if !first.is_empty() => {
            let (first, last) = (port(first.trim())?, port(last.trim())?);
            if first > last {
                return Err(format!("`{}` is no range of ports: {first} is greater than {last}", cut(text)));
            }
            Ok(first..=last)
        }
        _ => port(text).map(|port| port..=port),
    }
}

/// `min-max` with max excluded, as in `_RSE_PORTRANGE`: 8108-8118 is 8108 to 8117.
///
/// # Errors
/// What was found and what was expected.
pub(crate) fn exclusive_range(text: &str) -> Result<Range<u16>, String> {
    let Some((min, max)) = text.split_once('-') else {
        return Err(format!("`{}` is no range of ports: expected `min-max`, such as `8108-8118`", cut(text)));
    };
    let (min, max) = (port(min.trim())?, port(max.trim())?);
    if min >= max {
        return Err(format!(
            "`{}` holds no port: the end of _RSE_PORTRANGE is exclusive, so it must be greater than the start",
            cut(text)
        ));
    }
    Ok(min..max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports() {
        assert_eq!(port("1"), Ok(1));
        assert_eq!(port("65535"), Ok(65535));
        for bad in ["", "0", "65536", "53SA", "+5", " 5", "-1", "999999999999999999999"] {
            assert!(port(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ranges() {
        assert_eq!(port_or_range("5330-5339"), Ok(5330..=5339));
        assert_eq!(port_or_range("5330"), Ok(5330..=5330));
        assert!(port_or_range("5339-5330").is_err());
        assert!(port_or_range("-5").expect_err("negative").starts_with("`-5` is not a port"));
        assert_eq!(exclusive_range("8108-8118"), Ok(8108..8118));
        for bad in ["8108", "8108-8108", "8118-8108", "a-b", "8108-65536"] {
            assert!(exclusive_range(bad).is_err(), "{bad}");
        }
    }
}
