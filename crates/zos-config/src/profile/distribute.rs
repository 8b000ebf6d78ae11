//! VIPADISTRIBUTE.

use sysplex::did_you_mean;

use crate::keyword;
use crate::report::{Problem, cut};
use crate::source::Placed;

use super::model::{Destination, Distribute, DvipaName};
use super::reader::Reader;
use super::vipa::{dvipa_name, end};
use super::words::Word;

const METHODS: [&str; 6] = ["BASEWLM", "ROUNDROBIN", "SERVERWLM", "WEIGHTEDActive", "HOTSTANDBY", "TARGCONTROLLED"];
/// Before the address, in any order.
const OPTIONS: [&str; 8] =
    ["DEFINE", "DELEte", "DISTMethod", "OPTLOCAL", "NOOPTLOCAL", "SYSPLEXPorts", "TIMEDAFFinity", "AUTOSWITCHBACK"];
/// Options of methods that say nothing to this lab, and words that belong to them.
const FOREIGN: [&str; 16] = [
    "PROCTYPE",
    "PROCXCOST",
    "ILWEIGHTING",
    "HEALTHSWITCH",
    "NOHEALTHSWITCH",
    "CP",
    "ZAAP",
    "ZIIP",
    "TIER1",
    "TIER2",
    "GRE",
    "ENCAP",
    "GRPNAME",
    "GROUP",
    "CONTROLPORT",
    "CPCSCOPE",
];

/// The longest TIMEDAFFINITY, in seconds (from memory).
const LONGEST_AFFINITY: u16 = 9999;

/// Reads the words behind VIPADISTRIBUTE.
pub(super) fn read(reader: &mut Reader<'_, '_>) -> Result<Distribute, Problem> {
    let mut statement = Distribute {
        define: true,
        method: None,
        autoswitchback: None,
        optlocal: None,
        sysplexports: None,
        timed_affinity: None,
        options: Vec::new(),
        dvipa: placeholder(reader)?,
        ports: Vec::new(),
        targets: Vec::new(),
        all_targets: None,
    };
    while option(reader, &mut statement)? {}
    statement.dvipa = dvipa(reader)?;
    if reader.take("PORT").is_some() {
        statement.ports = ports(reader)?;
    }
    let destip = reader.next("DESTIP")?;
    if !keyword::is(&destip.text, "DESTIP") {
        return Err(destip.unexpected(if statement.ports.is_empty() { "PORT or DESTIP" } else { "a port or DESTIP" }));
    }
    if let Some(all) = reader.take("ALL") {
        statement.all_targets = Some(all.place);
    } else {
        destinations(reader, &mut statement)?;
    }
    // IBM's own sample has PROCTYPE here.
    while foreign(reader, &mut statement) {}
    end(reader)?;
    Ok(statement)
}

/// Stands in until the DVIPA is read.
fn placeholder(reader: &Reader<'_, '_>) -> Result<Placed<DvipaName>, Problem> {
    let word = reader.peek().ok_or_else(|| reader.ends("an option of VIPADISTRIBUTE or a DVIPA"))?;
    Ok(Placed::new(DvipaName::Interface(String::new()), word.place))
}

/// One option; `false` when the next word is none.
fn option(reader: &mut Reader<'_, '_>, statement: &mut Distribute) -> Result<bool, Problem> {
    let Some(word) = reader.peek() else { return Ok(false) };
    let place = word.place;
    if keyword::is(&word.text, "NOAUTOSWITCHBACK") {
        reader.skip();
        statement.autoswitchback = Some(Placed::new(false, place));
        return Ok(true);
    }
    let Some(option) = keyword::find(&word.text, &OPTIONS) else { return Ok(foreign(reader, statement)) };
    reader.skip();
    match option {
        "DEFINE" => statement.define = true,
        "DELEte" => statement.define = false,
        "SYSPLEXPorts" => statement.sysplexports = Some(place),
        "NOOPTLOCAL" => statement.optlocal = None,
        "AUTOSWITCHBACK" => statement.autoswitchback = Some(Placed::new(true, place)),
        "OPTLOCAL" => {
            let value = match reader.take_if(Word::is_number) {
                Some(word) => word.number(0u8, 16, "OPTLOCAL's value, 0 to 16")?,
                None => 1,
            };
            statement.optlocal = Some(Placed::new(value, place));
        }
        "TIMEDAFFinity" => {
            let word = reader.next("TIMEDAFFINITY's seconds")?;
            let seconds = word.number(0, LONGEST_AFFINITY, "TIMEDAFFINITY's seconds, 0 to 9999")?;
            statement.timed_affinity = Some(Placed::new(seconds, word.place));
        }
        _ => {
            let word = reader.next("a DISTMETHOD")?;
            let method = keyword::find(&word.text, &METHODS)
                .ok_or_else(|| word.unexpected("a DISTMETHOD").with_help(did_you_mean(&word.text, METHODS)))?;
            let method = if method == "WEIGHTEDActive" { "WEIGHTEDACTIVE" } else { method };
            statement.method = Some(Placed::new(method, word.place));
        }
    }
    Ok(true)
}

/// One option that says nothing to this lab, with its numbers.
fn foreign(reader: &mut Reader<'_, '_>, statement: &mut Distribute) -> bool {
    let Some(word) = reader.take_if(|word| keyword::find(&word.text, &FOREIGN).is_some()) else { return false };
    let mut text = word.text.to_uppercase();
    let takes_name = ["GRPNAME", "GROUP"].contains(&text.as_str());
    while let Some(value) = reader.take_if(|next| next.is_number() || takes_name && text == word.text.to_uppercase()) {
        text = format!("{text} {}", value.text);
    }
    statement.options.push(Placed::new(text, reader.from(word.place)));
    true
}

fn dvipa(reader: &mut Reader<'_, '_>) -> Result<Placed<DvipaName>, Problem> {
    const EXPECTED: &str = "an option of VIPADISTRIBUTE or a DVIPA";
    let word = reader.next(EXPECTED)?;
    let name = dvipa_name(word);
    // An IPv6 interface's name cannot be told from a mistyped option but by what follows.
    let is_before_ports = reader.peek().is_some_and(|next| keyword::find(&next.text, &["PORT", "DESTIP"]).is_some());
    let is_name = !word.text.contains(['&', '.', ':']) && is_before_ports;
    if matches!(name, DvipaName::Interface(_)) && !is_name {
        let options = OPTIONS.map(str::to_ascii_uppercase);
        return Err(word.unexpected(EXPECTED).with_help(did_you_mean(&word.text, options.iter().map(String::as_str))));
    }
    Ok(Placed::new(name, word.place))
}

/// Numbers and ranges. They are checked here and kept as written, so that a symbol stays one.
fn ports(reader: &mut Reader<'_, '_>) -> Result<Vec<Placed<String>>, Problem> {
    const EXPECTED: &str = "a port, or a range of ports as `5330-5339`";
    let mut found = Vec::new();
    while let Some(word) = reader.take_if(|word| !keyword::is(&word.text, "DESTIP")) {
        let (first, last) = word.text.split_once('-').unwrap_or((&word.text, &word.text));
        let port = |text: &str| text.parse::<u16>().ok().filter(|&port| port > 0 && !text.starts_with('+'));
        match (port(first), port(last)) {
            (Some(first), Some(last)) if first <= last => {}
            _ => return Err(word.unexpected(EXPECTED)),
        }
        let written = reader.members.written(word.place);
        // A symbol that holds several ports is written out.
        let is_one = written.contains('&') && !found.iter().any(|other: &Placed<String>| other.place == word.place);
        let text =
            if is_one && reader.peek().is_none_or(|next| next.place != word.place) { written } else { &word.text };
        found.push(Placed::new(text.to_owned(), word.place));
    }
    if found.is_empty() {
        Err(reader.peek().map_or_else(|| reader.ends(EXPECTED), |word| word.unexpected(EXPECTED)))
    } else {
        Ok(found)
    }
}

fn destinations(reader: &mut Reader<'_, '_>, statement: &mut Distribute) -> Result<(), Problem> {
    const EXPECTED: &str = "a dynamic XCF address, or ALL";
    loop {
        let word = reader.next(EXPECTED)?;
        let address = Placed::new(word.address(EXPECTED)?, word.place);
        let mut target = Destination { address, weight: None, preferred: None, backup: None };
        if reader.take("WEIGHT").is_some() {
            let word = reader.next("a WEIGHT")?;
            target.weight = Some(Placed::new(word.number(1u8, 99, "a WEIGHT, 1 to 99")?, word.place));
        } else if let Some(word) = reader.take("PREFERRED") {
            target.preferred = Some(word.place);
        } else if let Some(word) = reader.take("BACKUP") {
            let rank = match reader.take_if(Word::is_number) {
                Some(rank) => rank.number(1u8, 254, "BACKUP's rank, 1 to 254")?,
                None => 1,
            };
            target.backup = Some(Placed::new(rank, word.place));
        }
        let twice = statement.targets.iter().any(|other| other.address.value == target.address.value);
        if twice {
            return Err(Problem::new(word.place, format!("`{}` is a target twice: expected it once", cut(&word.text))));
        }
        statement.targets.push(target);
        if reader.peek().is_none_or(|word| keyword::find(&word.text, &FOREIGN).is_some()) {
            return Ok(());
        }
    }
}
