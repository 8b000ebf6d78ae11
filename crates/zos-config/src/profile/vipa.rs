//! The VIPADYNAMIC block.

use sysplex::did_you_mean;

use crate::keyword;
use crate::report::{Problem, Report};
use crate::source::{Place, Placed};

use super::distribute;
use super::model::{Define, DvipaName, Moveable, Net, Profile, Vipa};
use super::reader::Reader;
use super::statements::upper;
use super::words::Word;

const STATEMENTS: [&str; 7] =
    ["VIPADEFine", "VIPABackup", "VIPADELete", "VIPADISTribute", "VIPARange", "VIPAROUTE", "VIPASMparms"];
const END: &str = "ENDVIPADynamic";

pub(super) fn block(
    reader: &mut Reader<'_, '_>,
    word: &Word<'_>,
    profile: &mut Profile,
    report: &mut Report,
) -> Result<(), Problem> {
    let is_end = |word: &Word<'_>| keyword::is(&word.text, END);
    let words = reader.until(is_end);
    let is_closed = reader.take(END).is_some();
    let mut inner = Reader::new(words, reader.members);
    let (found, before) = (&mut profile.vipa, report.problems.len());
    while let Some(word) = inner.peek() {
        inner.skip();
        let Some(statement) = keyword::find(&word.text, &STATEMENTS) else {
            let names: Vec<String> = STATEMENTS.iter().map(|name| upper(name)).chain([upper(END)]).collect();
            let near = did_you_mean(&word.text, names.iter().map(String::as_str));
            report.problems.push(word.unexpected("a statement of the VIPADYNAMIC block").with_help(near));
            inner.until(begins);
            continue;
        };
        let mut operands = Reader::new(inner.until(begins), reader.members);
        let place = inner.from(word.place);
        if let Err(mut problem) = read(&mut operands, statement, place, found) {
            problem.place = problem.place.or(Some(word.place));
            report.problems.push(problem);
        }
    }
    if let Some(first) = report.problems.get_mut(before)
        && first.help.is_none()
    {
        first.help = Some("z/OS ignores all behind it in this VIPADYNAMIC block".to_owned());
    }
    if is_closed {
        Ok(())
    } else {
        Err(Problem::new(word.place, "VIPADYNAMIC without ENDVIPADYNAMIC: all behind it is taken as part of the block"))
    }
}

fn begins(word: &Word<'_>) -> bool {
    keyword::find(&word.text, &STATEMENTS).is_some()
}

fn read(
    reader: &mut Reader<'_, '_>,
    statement: &str,
    place: Place,
    found: &mut Vec<Placed<Vipa>>,
) -> Result<(), Problem> {
    match statement {
        "VIPADEFine" => {
            let defines = defines(reader, true)?;
            found.extend(defines.into_iter().map(|define| Placed::new(Vipa::Define(define), place)));
        }
        "VIPABackup" => {
            let rank = match reader.take_if(Word::is_number) {
                Some(word) => Some(Placed::new(word.number(1u8, 254, "VIPABACKUP's rank, 1 to 254")?, word.place)),
                None => None,
            };
            let backups = defines(reader, false)?;
            found.extend(
                backups.into_iter().map(|define| Placed::new(Vipa::Backup { define, rank: rank.clone() }, place)),
            );
        }
        "VIPADELete" => {
            while let Some(word) = reader.peek() {
                reader.skip();
                found.push(Placed::new(Vipa::Delete(dvipa_name(word)), word.place));
            }
        }
        "VIPADISTribute" => {
            let statement = distribute::read(reader)?;
            found.push(Placed::new(Vipa::Distribute(Box::new(statement)), place));
        }
        "VIPAROUTE" => {
            let define = reader.take("DELEte").is_none();
            reader.take("DEFINE");
            let dynxcf = reader.next("the target's dynamic XCF address")?;
            let target = reader.next("the address by which to reach it")?;
            let read = |word: &Word<'_>| Ok(Placed::new(word.address("an IP address")?, word.place));
            let route = Vipa::Route { define, dynxcf: read(dynxcf)?, target: read(target)? };
            found.push(Placed::new(route, place));
            end(reader)?;
        }
        "VIPARange" => found.push(Placed::new(Vipa::Range(range(reader)), place)),
        _ => found.push(Placed::new(Vipa::Other("VIPASMPARMS"), place)),
    }
    Ok(())
}

/// VIPARANGE's `mask address`, behind options.
fn range(reader: &mut Reader<'_, '_>) -> Option<Net> {
    while let Some(word) = reader.peek() {
        reader.skip();
        if let (Ok(bits), Some(address)) = (word.mask("the subnet mask"), reader.peek()) {
            let address = address.ipv4("the address of the range").ok()?.into();
            return Some(Net { address, bits: Some(bits) });
        }
    }
    None
}

/// No word may be left.
pub(super) fn end(reader: &mut Reader<'_, '_>) -> Result<(), Problem> {
    reader.peek().map_or(Ok(()), |word| Err(word.unexpected("the end of the statement")))
}

/// The address itself, or an IPv6 interface's name.
pub(super) fn dvipa_name(word: &Word<'_>) -> DvipaName {
    word.text.parse().map_or_else(|_| DvipaName::Interface(word.text.to_uppercase()), DvipaName::Address)
}

/// Options, then `mask address ...`, or `interface address` for IPv6. VIPABACKUP has a mask only with MOVEABLE.
fn defines(reader: &mut Reader<'_, '_>, is_define: bool) -> Result<Vec<Define>, Problem> {
    let (mut moveable, mut options) = (None, Vec::new());
    while let Some(word) = reader.peek() {
        let option =
            ["SERVICEMGR", "TIER1", "TIER2", "CPCSCOPE"].into_iter().find(|option| keyword::is(&word.text, option));
        if let Some(option) = option {
            reader.skip();
            options.push(Placed::new(option, word.place));
        } else if reader.take("MOVEable").is_some() {
            moveable = Some(self::moveable(reader)?);
        } else {
            break;
        }
    }
    let first = reader.next("a DVIPA")?;
    let first_is_ipv4 = first.text.starts_with(|c: char| c.is_ascii_digit()) && !first.text.contains(':');
    if !first_is_ipv4 {
        let interface = Some(first.text.to_uppercase());
        let word = reader.next("the DVIPA's IPv6 address")?;
        let (address, bits) = word.address_and_bits("the DVIPA's IPv6 address")?;
        if address.is_ipv4() {
            return Err(word.unexpected("an IPv6 address behind the interface's name"));
        }
        end(reader)?;
        let dvipa = Placed::new(Net { address, bits }, word.place);
        return Ok(vec![Define { dvipa, interface, moveable, options }]);
    }
    let has_mask = is_define || moveable.is_some();
    let bits = if has_mask { Some(first.mask("the subnet mask")?) } else { None };
    let mut word = if has_mask { reader.next("a DVIPA behind the mask")? } else { first };
    let mut found = Vec::new();
    loop {
        let dvipa = Placed::new(Net { address: word.ipv4("a DVIPA's IPv4 address")?.into(), bits }, word.place);
        found.push(Define { dvipa, interface: None, moveable: moveable.clone(), options: options.clone() });
        let Some(next) = reader.peek() else { return Ok(found) };
        reader.skip();
        word = next;
    }
}

fn moveable(reader: &mut Reader<'_, '_>) -> Result<Placed<Moveable>, Problem> {
    const EXPECTED: &str = "IMMEDIATE or WHENIDLE";
    let word = reader.next(EXPECTED)?;
    let forms = [("IMMEDiate", Moveable::Immediate), ("WHENIDLE", Moveable::WhenIdle)];
    let form = forms.into_iter().find(|(form, _)| keyword::is(&word.text, form));
    form.map(|(_, moveable)| Placed::new(moveable, word.place)).ok_or_else(|| word.unexpected(EXPECTED))
}
