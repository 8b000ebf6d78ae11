//! Members that were cut or changed anywhere are checked, or told to be unreadable; nothing panics, and every place is in a file.

use std::path::Path;

use site_check::of_site;
use zos_config::site::disk;

/// A small generator (xorshift), so that a failure can be seen again.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % n.max(1) as u64).expect("small")
    }
}

#[test]
fn mangled_members_never_panic() {
    const TIMES: u64 = 60;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../zos-config/tests/members");
    let (mut checked, mut refused, mut found) = (0, 0, 0);
    for entry in std::fs::read_dir(root).expect("the members") {
        let files = disk::directory(&entry.expect("an entry").path()).expect("files");
        for seed in 1..=TIMES {
            let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let mut files = files.clone();
            let which = random.below(files.len());
            let bytes = &mut files[which].bytes;
            let at = random.below(bytes.len());
            match random.below(4) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, b"&;0123456789 \n'()-"[random.below(18)]),
                2 => drop(bytes.drain(at..(at + random.below(9)).min(bytes.len()))),
                _ => drop(files.remove(which)),
            }
            let result = of_site(&files);
            *if result.unreadable.is_empty() { &mut checked } else { &mut refused } += 1;
            for finding in &result.findings {
                found += 1;
                assert!(finding.render().contains(finding.code));
                let at = finding.location.as_ref().expect("what members say has a place");
                assert!(files.iter().any(|file| file.name == at.file) && at.line > 0 && at.column > 0, "{at:?}");
            }
        }
    }
    assert!(checked > 200 && refused > 100 && found > 200, "{checked} checked, {refused} refused, {found} findings");
}
