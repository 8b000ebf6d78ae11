//! A whole site: its members to a topology and back. What is written can be read.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use zos_config::site::{File, Site};
use zos_config::{export, import};

#[derive(Arbitrary, Debug)]
struct Given {
    manifest: Option<String>,
    members: Vec<(u8, Vec<u8>)>,
}

const NAMES: [&str; 8] =
    ["IEASYM00", "PROFILE", "DBGMGR", "RSED", "rse.env", "LPAR1/PROFILE", "LPAR1/DBGMGR", "LPAR2/PROFILE"];

fuzz_target!(|given: Given| {
    let member = |(n, bytes): (u8, Vec<u8>)| File { name: NAMES[usize::from(n) % NAMES.len()].to_owned(), bytes };
    let mut files: Vec<File> = given.members.into_iter().map(member).collect();
    files.extend(given.manifest.map(|text| File { name: "site.toml".to_owned(), bytes: text.into_bytes() }));
    match Site::new(&files) {
        Err((members, report)) => report.problems.iter().for_each(|problem| drop(problem.render(&members))),
        Ok(site) => match import::import(&site) {
            Err(report) => report.problems.iter().for_each(|problem| drop(problem.render(&site.members))),
            Ok(imported) => {
                let topology = toml::from_str(&imported.toml).expect("what was written can be read");
                let _ = export::export(&topology);
            }
        },
    }
});
