//! DEVICE, LINK, HOME and INTERFACE: which addresses a system has for itself.

use crate::keyword;
use crate::report::Problem;
use crate::source::Placed;

use super::model::{Home, Interface, Link, Net, Profile};
use super::reader::Reader;
use super::statements::{begins, surely_begins};
use super::words::Word;

/// DEVICE says nothing that LINK does not say again.
pub(super) fn device(reader: &mut Reader<'_, '_>) -> Result<(), Problem> {
    reader.next("the device's name")?;
    reader.next("the device's type")?;
    reader.until(begins);
    Ok(())
}

/// `LINK name type ...`.
pub(super) fn link(reader: &mut Reader<'_, '_>, statement: &Word<'_>, profile: &mut Profile) -> Result<(), Problem> {
    let name = reader.next("the link's name")?.text.to_uppercase();
    let is_virtual = keyword::is(&reader.next("the link's type")?.text, "VIRTual");
    reader.until(begins);
    profile.links.push(Placed::new(Link { name, is_virtual }, reader.from(statement.place)));
    Ok(())
}

/// `HOME address link ...`.
pub(super) fn home(reader: &mut Reader<'_, '_>, profile: &mut Profile) -> Result<(), Problem> {
    const EXPECTED: &str = "an address of HOME";
    loop {
        let word = reader.next(EXPECTED)?;
        let (address, bits) = word.address_and_bits(EXPECTED)?;
        let link = reader.next("the address' link")?;
        let home = Home { address: Net { address, bits }, link: link.text.to_uppercase() };
        profile.homes.push(Placed::new(home, word.place.to(link.place)));
        if reader.peek().is_none_or(|word| begins(word) || !looks_like_address(word)) {
            return Ok(());
        }
    }
}

/// A word that begins as an address does, and may be a mistyped one.
fn looks_like_address(word: &Word<'_>) -> bool {
    word.text.starts_with(|c: char| c.is_ascii_digit() || c == '&') || word.text.contains(':')
}

/// `INTERFACE name DEFINE type ... IPADDR address ...`.
pub(super) fn interface(
    reader: &mut Reader<'_, '_>,
    statement: &Word<'_>,
    profile: &mut Profile,
) -> Result<(), Problem> {
    let name = reader.next("the interface's name")?.text.to_uppercase();
    if reader.take("DELEte").is_some() {
        profile.interfaces.retain(|interface| interface.value.name != name);
        return Ok(());
    }
    let define = reader.next("DEFINE or DELETE")?;
    let kind = if keyword::is(&define.text, "DEFINE") {
        reader.next("the interface's type")?
    } else {
        // ADDADDR, DEPRADDR, DELADDR: changes of an interface that is there already.
        define
    };
    let is_virtual = ["VIRTUAL", "VIRTUAL6"].iter().any(|word| keyword::is(&kind.text, word));
    let mut addresses = Vec::new();
    let is_end = |word: &Word<'_>| surely_begins(word) || keyword::is(&word.text, "IPADDR");
    while {
        reader.until(is_end);
        reader.take("IPADDR").is_some()
    } {
        addresses.append(&mut ip_addresses(reader)?);
    }
    profile.interfaces.push(Placed::new(Interface { name, is_virtual, addresses }, reader.from(statement.place)));
    Ok(())
}

/// One address or, for IPv6, several.
fn ip_addresses(reader: &mut Reader<'_, '_>) -> Result<Vec<Placed<Net>>, Problem> {
    const EXPECTED: &str = "IPADDR's address";
    let mut found = Vec::new();
    loop {
        let word = reader.next(EXPECTED)?;
        let (address, bits) = word.address_and_bits(EXPECTED)?;
        found.push(Placed::new(Net { address, bits }, word.place));
        if !reader.peek().is_some_and(|word| word.text.contains(':')) {
            return Ok(found);
        }
    }
}
