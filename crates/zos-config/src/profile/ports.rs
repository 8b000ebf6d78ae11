//! PORT, PORTRANGE and BEGINROUTES.

use crate::keyword;
use crate::report::Problem;
use crate::source::Placed;

use super::model::{PortEntry, Profile, Route};
use super::reader::Reader;
use super::statements::begins;
use super::words::Word;

/// What may stand behind the job's name. DENY and SAF are for UNRSV and others; SAF and BIND take a word.
const OPTIONS: [&str; 14] = [
    "NOAUTOLog",
    "AUTOLog",
    "DELAYAcks",
    "NODELAYAcks",
    "SHAREPORT",
    "SHAREPORTWLM",
    "BIND",
    "SAF",
    "DENY",
    "WHENBIND",
    "WHENLISTEN",
    "NOSMC",
    "NOSMCR",
    "AUTHPORT",
];

/// `PORT number TCP|UDP job options ...`.
pub(super) fn port(reader: &mut Reader<'_, '_>, profile: &mut Profile) -> Result<(), Problem> {
    loop {
        let number = reader.next("a port, or UNRSV")?;
        let first =
            if keyword::is(&number.text, "UNRSV") { 0 } else { number.number(1u16, u16::MAX, "a port, 1 to 65535")? };
        profile.ports.push(entry(reader, number, first, first)?);
        if !goes_on(reader) {
            return Ok(());
        }
    }
}

/// `PORTRANGE first count TCP|UDP job options ...`.
pub(super) fn portrange(reader: &mut Reader<'_, '_>, profile: &mut Profile) -> Result<(), Problem> {
    loop {
        let number = reader.next("the first port")?;
        let first = number.number(1u16, u16::MAX, "a port, 1 to 65535")?;
        let most = u16::MAX - first + 1;
        let count =
            reader.next("the number of ports")?.number(1u16, most, &format!("a number of ports, 1 to {most}"))?;
        profile.ports.push(entry(reader, number, first, first + (count - 1))?);
        if !goes_on(reader) {
            return Ok(());
        }
    }
}

fn goes_on(reader: &Reader<'_, '_>) -> bool {
    reader.peek().is_some_and(|word| !begins(word) && (word.is_number() || keyword::is(&word.text, "UNRSV")))
}

fn entry(reader: &mut Reader<'_, '_>, number: &Word<'_>, first: u16, last: u16) -> Result<Placed<PortEntry>, Problem> {
    let protocol = reader.next("TCP or UDP")?;
    let is_tcp = match protocol.text.to_ascii_uppercase().as_str() {
        "TCP" => true,
        "UDP" => false,
        _ => return Err(protocol.unexpected("TCP or UDP")),
    };
    let job = reader.next("a job's name, RESERVED, or *")?.text.to_uppercase();
    let (mut options, mut bind) = (Vec::new(), None);
    while let Some(option) = reader.peek().and_then(|word| keyword::find(&word.text, &OPTIONS)) {
        reader.skip();
        match option {
            "BIND" => bind = Some(reader.next("BIND's address")?.address("BIND's address")?),
            "SAF" => options.push(format!("SAF {}", reader.next("SAF's resource")?.text)),
            _ => options.push(option.to_ascii_uppercase()),
        }
    }
    let entry = PortEntry { first, last, is_tcp, job, options, bind };
    Ok(Placed::new(entry, reader.from(number.place)))
}

/// `BEGINROUTES ROUTE ... ENDROUTES`.
pub(super) fn routes(reader: &mut Reader<'_, '_>, statement: &Word<'_>, profile: &mut Profile) -> Result<(), Problem> {
    loop {
        if reader.take("ENDRoutes").is_some() {
            return Ok(());
        }
        let Some(word) = reader.peek() else {
            return Err(Problem::new(statement.place, "BEGINROUTES without ENDROUTES: expected it behind the routes"));
        };
        reader.take("ROUTE").ok_or_else(|| word.unexpected("ROUTE or ENDROUTES"))?;
        let is_end = |word: &Word<'_>| ["ROUTE", "ENDRoutes"].iter().any(|end| keyword::is(&word.text, end));
        let words = reader.until(is_end);
        if words.len() < 3 {
            return Err(word.unexpected("ROUTE with destination, first hop and link"));
        }
        let words = words.iter().map(|word| word.text.to_uppercase()).collect();
        profile.routes.push(Placed::new(Route { words }, reader.from(word.place)));
    }
}
