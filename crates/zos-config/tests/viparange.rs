//! VIPARANGE: the lab has no such DVIPAs, and says which addresses they would have.

use zos_config::import;
use zos_config::site::{File, Site};

fn notes(statement: &str) -> Vec<String> {
    let profile = format!(
        "IPCONFIG DYNAMICXCF 9.9.9.1 255.255.255.0 1\n\
         INTERFACE OSA1 DEFINE IPAQENET PORTNAME OSAP IPADDR 10.10.10.11/24\n\
         VIPADYNAMIC\n  {statement}\nENDVIPADYNAMIC\n"
    );
    let site = Site::new(&[File { name: "SYS1/PROFILE".into(), bytes: profile.into_bytes() }]).expect("a site");
    let imported = import::import(&site).expect("it can be imported");
    let notes = imported.notes.iter().map(|note| note.render(&site.members));
    notes.filter(|note| note.contains("VIPARANGE")).collect()
}

#[test]
fn the_addresses_of_a_range_are_told() {
    for (statement, told) in [
        ("VIPARANGE DEFINE 255.255.255.248 10.10.10.0", "VIPARANGE 10.10.10.0/29: the lab has none"),
        ("VIPARANGE MOVEABLE DISRUPTIVE 255.255.255.255 10.10.10.65", "VIPARANGE 10.10.10.65/32: the lab has none"),
        ("VIPARANGE DEFINE 10.10.10.0", "VIPARANGE: the lab has none"),
        ("VIPARANGE DEFINE V6IF 2001:db8::/64", "VIPARANGE: the lab has none"),
    ] {
        let notes = notes(statement);
        assert!(notes.len() == 1 && notes[0].ends_with(told), "{statement}: {notes:?}");
        assert!(notes[0].contains("SYS1/PROFILE:4:3"), "{notes:?}");
    }
}
