//! The pages in docs/codes are those of `--explain`; to write them anew, set `UPDATE_SNAPSHOTS=1`.

use std::collections::BTreeSet;
use std::path::Path;

use site_check::page;

#[test]
fn every_field_scenario_is_on_its_page() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let entries = std::fs::read_dir(root.join("../../scenarios/field")).expect("a directory");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let is_of_a_code = |name: &String| name.split('-').next().is_some_and(|code| page::of(code).is_some());
    let there: BTreeSet<String> = names.filter(|name| name.ends_with(".toml")).filter(is_of_a_code).collect();
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        let lines: String = there.iter().map(|name| format!("    \"{name}\",\n")).collect();
        let head =
            "//! The scenarios of the field catalogue, each named after its code; generated, as the pages are.\n\n";
        let text = format!("{head}/// Files of `scenarios/field`.\npub(super) const FILES: &[&str] = &[\n{lines}];\n");
        std::fs::write(root.join("src/page/scenarios.rs"), text).expect("written");
    }
    let known: BTreeSet<String> = page::all().flat_map(site_check::Page::scenarios).map(str::to_owned).collect();
    assert_eq!(
        there, known,
        "UPDATE_SNAPSHOTS=1 writes src/page/scenarios.rs anew; the pages are right after another run"
    );
}

#[test]
fn docs_have_the_pages() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/codes");
    let mut expected = vec![("README.md".to_owned(), page::index())];
    expected.extend(page::all().map(|page| (format!("{}.md", page.code), page.markdown())));
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::create_dir_all(&directory).expect("made");
        for (name, text) in &expected {
            std::fs::write(directory.join(name), text).expect("written");
        }
    }
    for (name, text) in &expected {
        let found = std::fs::read_to_string(directory.join(name)).unwrap_or_default();
        assert!(
            found == *text,
            "docs/codes/{name} is not the page that `lab check --explain` shows; UPDATE_SNAPSHOTS=1 rewrites it"
        );
    }
    let known: BTreeSet<String> = expected.into_iter().map(|(name, _)| name).collect();
    for entry in std::fs::read_dir(&directory).expect("a directory") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        assert!(known.contains(&name), "docs/codes/{name} belongs to no code");
    }
}
