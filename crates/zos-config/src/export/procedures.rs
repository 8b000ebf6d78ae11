//! Procedures of started tasks, and rse.env.

use std::fmt::Write as _;

use sysplex::Lpar;
use sysplex::raw::{Spanned, StartedTaskTable, Value};

use super::{Source, file, has_procedure};
use crate::site::File;

/// Defaults as IBM documents them.
const CLIENT: &str = "5335";
const HOST: &str = "5336";
const RSED_PORT: &str = "4035";

pub(super) fn write(source: &Source<'_>) -> Vec<File> {
    let mut files = Vec::new();
    for table in source.topology.started_task.iter().filter(|table| has_procedure(table)) {
        let name = table.name.get_ref();
        let text = if table.program.get_ref() == "dbgmgr" { debug_manager(table) } else { rsed(table) };
        let lpars = source.sysplex.lpars.iter().filter(|lpar| Source::runs(table, &lpar.name));
        if source.is_shared(table) {
            files.push(file(format!("{name}.jcl"), text));
        } else {
            files.extend(lpars.clone().map(|lpar| file(format!("{}/{name}.jcl", lpar.name), text.clone())));
        }
        files.extend(lpars.filter_map(|lpar| rse_env(table, lpar)));
    }
    files
}

fn text(value: Option<&Spanned<Value>>, default: &str) -> String {
    value.map_or_else(|| default.to_owned(), |value| value.get_ref().0.clone())
}

/// A symbol's value; apostrophes around what is more than a name.
fn quoted(text: &str) -> String {
    let is_plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"&.".contains(&b));
    if is_plain { text.to_owned() } else { format!("'{}'", text.replace('\'', "''")) }
}

fn debug_manager(table: &StartedTaskTable) -> String {
    let name = table.name.get_ref();
    let mut jcl = String::new();
    let client = quoted(&text(table.client.as_ref(), CLIENT));
    let host = quoted(&text(table.host.as_ref(), HOST));
    let prm = table.prm.as_ref().map(|prm| quoted(prm.get_ref())).unwrap_or_default();
    let _ = write!(
        jcl,
        "\
//{name:<8} PROC PRM={prm},
//         LEPRM='RPTOPTS(ON)',
//         TZ='EST5EDT',
//         CLIENT={client},
//         HOST={host},
//         HLQ=EQAW
//{name:<8} EXEC PGM=EQAZPCM,REGION=0M,TIME=NOLIMIT,
//         PARM=('&LEPRM ENVAR(\"TZ=&TZ\")/&HOST &CLIENT &PRM')
//STEPLIB  DD DISP=SHR,DSN=&HLQ..SEQAAUTH
//SYSPRINT DD SYSOUT=*
//SYSOUT   DD SYSOUT=*
"
    );
    let hubport = table.hubport.as_ref().map(|port| port.get_ref().0.clone());
    let variables = [("HUBIP", table.hubip.as_ref().map(|address| address.get_ref().clone())), ("HUBPORT", hubport)];
    let variables: Vec<_> = variables.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
    if !variables.is_empty() {
        // System symbols are resolved in in-stream data only with SYMBOLS.
        let has_symbols = variables.iter().any(|(_, value)| value.contains('&'));
        let _ = writeln!(jcl, "//STDENV   DD *{}", if has_symbols { ",SYMBOLS=CNVTSYS" } else { "" });
        for (key, value) in variables {
            let _ = writeln!(jcl, "{key}={value}");
        }
        jcl.push_str("/*\n");
    }
    jcl
}

fn rsed(table: &StartedTaskTable) -> String {
    let name = table.name.get_ref();
    let port = quoted(&text(table.port.as_ref(), RSED_PORT));
    format!(
        "\
//{name:<8} PROC IVP=,
//         PORT={port},
//         CNFG='/etc/zexpl/{name}',
//         HOME='/usr/lpp/IBM/zexpl'
//{name:<8} EXEC PGM=BPXBATSL,REGION=0M,TIME=NOLIMIT,
//         PARM='PGM &HOME/bin/rsed.sh &IVP -C&CNFG -P&PORT'
//STDOUT   DD SYSOUT=*
//STDERR   DD SYSOUT=*
"
    )
}

/// rse.env of a system: each its own, as unique port ranges need it; symbols are resolved, since z/OS resolves none in it.
fn rse_env(table: &StartedTaskTable, lpar: &Lpar) -> Option<File> {
    let range = table.port_range.as_ref()?.get_ref();
    let range = lpar.symbols.expand(range).map_or_else(|_| range.clone(), |expansion| expansion.text);
    let name = format!("{}/etc/zexpl/{}/rse.env", lpar.name, table.name.get_ref());
    Some(file(name, format!("_RSE_PORTRANGE={range}\n")))
}
