//! `docs/field.md`: the field catalogue with its scenarios. `UPDATE_SNAPSHOTS=1` writes it anew.
//!
//! What the table says of `lab check` is what it says of the members; that `lab diagnose` names the cause is what a broken twin
//! must show to pass (`tests/scenarios.rs`).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use lab::scenario::Scenario;
use site_check::{Severity, of_site, page};
use zos_config::site::disk;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the lab stands in the workspace").to_owned()
}

/// The scenarios that are named after a code, in the order of the codes.
fn scenarios() -> BTreeMap<String, PathBuf> {
    let entries = fs::read_dir(root().join("scenarios/field")).expect("scenarios/field");
    let files = entries.map(|entry| entry.expect("an entry").path());
    let of_code = files.filter_map(|file| {
        let name = file.file_name()?.to_str()?.strip_suffix(".toml")?;
        let (code, _) = name.split_once('-')?;
        page::of(code).map(|page| (page.code.to_owned(), file.clone()))
    });
    of_code.collect()
}

/// What a scenario file says of itself.
struct Field {
    file: String,
    symptom: String,
    /// Empty when it says that there is none to be found.
    cause: String,
    cure: String,
    /// What `lab check` finds in the broken members.
    found: Option<Severity>,
}

impl Field {
    fn read(code: &str, file: &Path) -> Self {
        let scenario = Scenario::load(file).unwrap_or_else(|why| panic!("{}: {why:?}", file.display()));
        let expected = scenario.expect_failure.unwrap_or_else(|| panic!("{code} does not say what must go wrong"));
        let written: toml::Value = toml::from_str(&fs::read_to_string(file).expect("text")).expect("TOML");
        let members = |table: &toml::Value| table.get("members").and_then(|text| text.as_str()).map(str::to_owned);
        let cured = written.get("cured").unwrap_or_else(|| panic!("{code} has no cure"));
        let broken = members(&written);
        let (other_members, other_steps) = (members(cured), cured.get("step").is_some());
        let cure = match (&other_members, other_steps) {
            (Some(other), false) => format!("`{other}`"),
            (Some(other), true) => format!("`{other}`, and other steps"),
            (None, true) => "other steps".to_owned(),
            (None, false) => panic!("{code}: the cure changes nothing"),
        };
        if let Some(other) = &other_members {
            let (_, alarm) = check(file, other, code);
            assert!(alarm.is_empty(), "{code}: a false alarm on its cured members: {alarm:?}");
        }
        Self {
            file: file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            symptom: expected.symptom.to_string(),
            cause: expected.cause.unwrap_or_default(),
            cure,
            found: broken.and_then(|broken| check(file, &broken, code).0),
        }
    }
}

/// How bad the mistake with this code is, if it is found in the members, and what else is found that is no note.
fn check(file: &Path, members: &str, code: &str) -> (Option<Severity>, Vec<&'static str>) {
    let site = file.parent().expect("a directory").join(members);
    let checked = of_site(&disk::directory(&site).expect("members"));
    let found = checked.findings.iter().filter(|found| found.code == code).map(|found| found.severity).max();
    let alarms = checked.findings.iter().filter(|found| found.severity > Severity::Note);
    (found, alarms.map(|found| found.code).collect())
}

const HEAD: &str = "\
# The field catalogue

Each code is a mistake that sites make, with a page of its own. Its scenario runs the broken site and sees the symptom, then the
cured one, which passes: `lab run scenarios/field/`. The cure is other members or, where nothing is wrong with those, what an operator
does in other steps. `lab check` looks at the broken members; `lab diagnose` at what a failed run has left.

This table is generated: `UPDATE_SNAPSHOTS=1 cargo test -p lab --test field`.

| code | what a user sees | scenario | symptom there | cure | `lab check` sees it | `lab diagnose` names it |
|---|---|---|---|---|---|---|
";

fn table() -> String {
    let scenarios = scenarios();
    let mut text = HEAD.to_owned();
    for page in page::all().filter(|page| page.code.starts_with('F')) {
        let _ = write!(text, "| [{0}](codes/{0}.md) | {1} ", page.code, page.symptom);
        let Some(file) = scenarios.get(page.code) else {
            text.push_str("| none yet | | | | |\n");
            continue;
        };
        let Field { file, symptom, cause, cure, found } = Field::read(page.code, file);
        assert!(cause.is_empty() || cause == page.code, "{file} expects {cause}");
        let seen = found.map_or("no", Severity::as_str);
        let named = if cause.is_empty() { "no" } else { "yes" };
        let _ = writeln!(text, "| [{file}](../scenarios/field/{file}) | {symptom} | {cure} | {seen} | {named} |");
    }
    text
}

#[test]
fn the_table_is_that_of_the_scenarios() {
    let (path, expected) = (root().join("docs/field.md"), table());
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(&path, &expected).expect("written");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "docs/field.md is not the table of scenarios/field; UPDATE_SNAPSHOTS=1 rewrites it");
}
