//! How long `lab check` takes for the members of 32 systems: `cargo run --release -p site-check --example large_site`.

use std::time::Instant;

use sysplex::LARGEST_SYSPLEX;
use sysplex::raw::Topology;
use zos_config::export::export;

const RUNS: usize = 21;

fn main() -> Result<(), String> {
    let text = topology();
    let topology: Topology = toml::from_str(&text).map_err(|error| error.to_string())?;
    let files = export(&topology).map_err(|problems| format!("{problems:?}"))?;
    let bytes: usize = files.iter().map(|file| file.bytes.len()).sum();
    let mut millis: Vec<f64> = Vec::new();
    let mut findings = 0;
    for _ in 0..RUNS {
        let start = Instant::now();
        let checked = site_check::of_site(&files);
        millis.push(start.elapsed().as_secs_f64() * 1e3);
        if !checked.unreadable.is_empty() {
            return Err(checked.unreadable.join("\n"));
        }
        findings = checked.findings.len();
    }
    millis.sort_by(f64::total_cmp);
    println!(
        "{LARGEST_SYSPLEX} systems, {} members, {bytes} bytes, {findings} findings: median {:.1} ms, worst {:.1} ms of {RUNS}",
        files.len(),
        millis[RUNS / 2],
        millis[RUNS - 1]
    );
    Ok(())
}

/// 32 LPARs with a CLIENT port each, two DVIPAs with backups, and VIPAROUTEs between all.
fn topology() -> String {
    let mut text = String::new();
    for n in 1..=LARGEST_SYSPLEX {
        text += &format!("[[lpar]]\nname = \"SYS{n:02}\"\nhome = \"10.10.10.{}\"\nxcf = \"9.9.9.{n}\"\n", 10 + n);
        text += &format!("symbols = {{ SYSCLONE = \"{n:02}\", EQADBM = {} }}\n", 5400 + n);
    }
    for (n, ports) in [(1, "4035, \"5401-5432\""), (2, "8000")] {
        text += &format!(
            "[[dvipa]]\naddress = \"10.10.10.{n}\"\nowner = \"SYS{n:02}\"\nbackups = [\"SYS03\", \"SYS04\"]\n"
        );
        text += &format!("[[dvipa.distribute]]\nports = [{ports}]\ntargets = [\"ALL\"]\nsysplexports = true\n");
    }
    for n in 1..=LARGEST_SYSPLEX {
        text += &format!("[[viparoute]]\ndynxcf = \"9.9.9.{n}\"\ntarget = \"10.10.10.{}\"\n", 10 + n);
    }
    text += "[[started_task]]\nname = \"RSED\"\nprogram = \"rsed\"\n";
    text += "[[started_task]]\nname = \"DBGMGR\"\nprogram = \"dbgmgr\"\nclient = \"&EQADBM\"\nhubip = \"9.9.9.1\"\n";
    text
}
