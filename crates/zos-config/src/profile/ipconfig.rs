//! IPCONFIG and IPCONFIG6: DYNAMICXCF and SYSPLEXROUTING.

use crate::report::{NoteKind, Problem, Report, cut};
use crate::source::Placed;

use super::model::{Net, Profile};
use super::reader::Reader;
use super::statements::begins;
use super::words::Word;

pub(super) fn read(
    reader: &mut Reader<'_, '_>,
    statement: &Word<'_>,
    is_ipv6: bool,
    profile: &mut Profile,
    report: &mut Report,
) -> Result<(), Problem> {
    let mut others: Vec<&str> = Vec::new();
    while let Some(word) = reader.peek().filter(|word| !begins(word)) {
        if reader.take("SYSPLEXRouting").is_some() {
            profile.sysplex_routing = Some(Placed::new(true, word.place));
        } else if reader.take("NOSYSPLEXRouting").is_some() {
            profile.sysplex_routing = Some(Placed::new(false, word.place));
        } else if reader.take("NODYNAMICXCF").is_some() {
            *if is_ipv6 { &mut profile.dynamic_xcf6 } else { &mut profile.dynamic_xcf } = None;
        } else if reader.take("DYNAMICXCF").is_some() {
            if is_ipv6 {
                profile.dynamic_xcf6 = Some(dynamic_xcf6(reader)?);
            } else {
                profile.dynamic_xcf = Some(dynamic_xcf(reader)?);
            }
        } else {
            others.push(&word.text);
            reader.skip();
        }
    }
    if !others.is_empty() {
        let text = format!("{} {} says nothing to this lab", statement.text.to_uppercase(), cut(&others.join(" ")));
        report.note(NoteKind::PassedOver, reader.from(statement.place), text);
    }
    Ok(())
}

/// `address mask metric`, or `address/bits metric`.
fn dynamic_xcf(reader: &mut Reader<'_, '_>) -> Result<Placed<Net>, Problem> {
    const EXPECTED: &str = "DYNAMICXCF's IPv4 address";
    let word = reader.next(EXPECTED)?;
    let (address, bits) = word.address_and_bits(EXPECTED)?;
    if !address.is_ipv4() {
        return Err(word.unexpected(EXPECTED));
    }
    let bits = match bits {
        Some(bits) => bits,
        None => reader.next("DYNAMICXCF's subnet mask")?.mask("DYNAMICXCF's subnet mask")?,
    };
    // The cost metric is required. Its range is from memory.
    reader.next("DYNAMICXCF's cost metric")?.number(0u8, 14, "DYNAMICXCF's cost metric, 0 to 14")?;
    Ok(Placed::new(Net { address, bits: Some(bits) }, word.place))
}

/// `address` or `address/bits`; INTFID and the rest are passed over.
fn dynamic_xcf6(reader: &mut Reader<'_, '_>) -> Result<Placed<Net>, Problem> {
    const EXPECTED: &str = "DYNAMICXCF's IPv6 address";
    let word = reader.next(EXPECTED)?;
    let (address, bits) = word.address_and_bits(EXPECTED)?;
    if address.is_ipv4() {
        return Err(word.unexpected(EXPECTED));
    }
    Ok(Placed::new(Net { address, bits }, word.place))
}
