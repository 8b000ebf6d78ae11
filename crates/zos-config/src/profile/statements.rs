//! From words to statements: which statement begins where, and what is passed over.

use sysplex::did_you_mean;

use crate::keyword;
use crate::report::{NoteKind, Problem, Report, cut};
use crate::source::{Members, Placed};

use super::model::Profile;
use super::reader::Reader;
use super::words::Word;
use super::{interfaces, ipconfig, ports, vipa};

/// The statements of PROFILE.TCPIP.
const STATEMENTS: [&str; 46] = [
    "ARPAGE",
    "ASSORTEDPARMS",
    "ATMARPSV",
    "ATMLIS",
    "ATMPVC",
    "AUTOLog",
    "BEGINRoutes",
    "BEGINVTAM",
    "BSDROUTINGPARMS",
    "DATASETPREFIX",
    "DEFADDRTABLE",
    "DELETE",
    "DEVice",
    "GATEWAY",
    "GLOBALCONFig",
    "HOME",
    "INTERFace",
    "IPCONFig",
    "IPCONFIG6",
    "IPSEC",
    "ITRACE",
    "KEEPALIVEOPTIONS",
    "LINK",
    "NETACCess",
    "NETMONitor",
    "OSAENTA",
    "PKTTRACE",
    "POLICY",
    "PORT",
    "PORTRange",
    "PRIMARYINTERFACE",
    "SACONFig",
    "SMFCONFIG",
    "SMFPARMS",
    "SOMAXCONN",
    "SRCIP",
    "START",
    "STOP",
    "TCPCONFig",
    "TELNETDEVICE",
    "TELNETGLOBALS",
    "TELNETPARMS",
    "TRANSLATE",
    "UDPCONFig",
    "VIPADynamic",
    "VIPASMPARMS",
];

/// Statements that are passed over up to their END.
const BLOCKS: [(&str, &str); 11] = [
    ("AUTOLog", "ENDAUTOLog"),
    ("ASSORTEDPARMS", "ENDASSORTEDPARMS"),
    ("BEGINVTAM", "ENDVTAM"),
    ("BSDROUTINGPARMS", "ENDBSDROUTINGPARMS"),
    ("DEFADDRTABLE", "ENDDEFADDRTABLE"),
    ("IPSEC", "ENDIPSEC"),
    ("KEEPALIVEOPTIONS", "ENDKEEPALIVEOPTIONS"),
    ("NETACCess", "ENDNETACCess"),
    ("SRCIP", "ENDSRCIP"),
    ("TELNETGLOBALS", "ENDTELNETGLOBALS"),
    ("TELNETPARMS", "ENDTELNETPARMS"),
];

/// Does a statement begin with this word?
pub(super) fn begins(word: &Word<'_>) -> bool {
    is_statement(&word.text)
}

/// Is this the name of a statement?
pub(super) fn is_statement(word: &str) -> bool {
    keyword::find(word, &STATEMENTS).is_some()
}

/// Statements that are no operand of another, wherever in a record they stand.
const ANYWHERE: [&str; 5] = ["VIPADynamic", "IPCONFig", "IPCONFIG6", "INTERFace", "BEGINRoutes"];

/// Does a statement begin with this word, where operands could have the names of statements? Then it is the first of its record,
/// or a word that no operand is.
pub(super) fn surely_begins(word: &Word<'_>) -> bool {
    (word.first && begins(word)) || keyword::find(&word.text, &ANYWHERE).is_some()
}

pub(super) fn read(words: &[Word<'_>], members: &Members, report: &mut Report) -> Profile {
    let mut profile = Profile::default();
    let mut reader = Reader::new(words, members);
    while let Some(word) = reader.peek() {
        reader.skip();
        let read = match keyword::find(&word.text, &STATEMENTS) {
            Some("IPCONFig") => ipconfig::read(&mut reader, word, false, &mut profile, report),
            Some("IPCONFIG6") => ipconfig::read(&mut reader, word, true, &mut profile, report),
            Some("DEVice") => interfaces::device(&mut reader),
            Some("LINK") => interfaces::link(&mut reader, word, &mut profile),
            Some("HOME") => interfaces::home(&mut reader, &mut profile),
            Some("INTERFace") => interfaces::interface(&mut reader, word, &mut profile),
            Some("GLOBALCONFig") => globalconfig(&mut reader, word, &mut profile, report),
            Some("PORT") => ports::port(&mut reader, &mut profile),
            Some("PORTRange") => ports::portrange(&mut reader, &mut profile),
            Some("BEGINRoutes") => ports::routes(&mut reader, word, &mut profile),
            Some("VIPADynamic") => vipa::block(&mut reader, word, &mut profile, report),
            Some(statement) => pass_over(&mut reader, word, statement, report),
            None => unknown(&mut reader, word, report),
        };
        if let Err(problem) = read {
            report.problems.push(problem);
            // As documented, what belongs to the statement with the error is not read.
            reader.until(surely_begins);
        }
    }
    profile
}

fn pass_over(
    reader: &mut Reader<'_, '_>,
    word: &Word<'_>,
    statement: &str,
    report: &mut Report,
) -> Result<(), Problem> {
    match BLOCKS.iter().find(|(begin, _)| *begin == statement) {
        Some((_, end)) => {
            reader.until(|word| keyword::is(&word.text, end));
            if reader.take(end).is_none() {
                let message =
                    format!("{} without {}: all behind it is taken as its parameters", upper(statement), upper(end));
                return Err(Problem::new(word.place, message));
            }
        }
        None => drop(reader.until(surely_begins)),
    }
    report.note(NoteKind::PassedOver, word.place, format!("{} says nothing to this lab", upper(statement)));
    Ok(())
}

/// GLOBALCONFIG: ADJUSTDVIPAMSS alone.
fn globalconfig(
    reader: &mut Reader<'_, '_>,
    word: &Word<'_>,
    profile: &mut Profile,
    report: &mut Report,
) -> Result<(), Problem> {
    let words = reader.until(surely_begins);
    if let Some(at) = words.iter().position(|word| keyword::is(&word.text, "ADJUSTDVIPAMSS")) {
        let value = words.get(at + 1).filter(|value| ["AUTO", "ALL", "NONE"].contains(&upper(&value.text).as_str()));
        let value = value.ok_or_else(|| words[at].unexpected("ADJUSTDVIPAMSS with AUTO, ALL or NONE"))?;
        profile.adjust_dvipa_mss = Some(Placed::new(upper(&value.text), value.place));
    }
    report.note(NoteKind::PassedOver, word.place, "GLOBALCONFIG says nothing to this lab");
    Ok(())
}

/// A word that begins no statement is an error when a statement was probably meant.
fn unknown(reader: &mut Reader<'_, '_>, word: &Word<'_>, report: &mut Report) -> Result<(), Problem> {
    let known = STATEMENTS.iter().map(|statement| upper(statement)).chain(["ENDVIPADYNAMIC".into(), "INCLUDE".into()]);
    let known: Vec<String> = known.collect();
    reader.until(surely_begins);
    let near = did_you_mean(&word.text, known.iter().map(String::as_str));
    if near.is_some() || word.text.contains(char::REPLACEMENT_CHARACTER) {
        return Err(word.unexpected("a statement of PROFILE.TCPIP").with_help(near));
    }
    let text = format!("`{}` is no statement of PROFILE.TCPIP that this lab knows", cut(&word.text));
    report.note(NoteKind::PassedOver, word.place, text);
    Ok(())
}

/// A keyword as IBM's diagrams write it, in full.
pub(super) fn upper(keyword: &str) -> String {
    keyword.to_ascii_uppercase()
}
