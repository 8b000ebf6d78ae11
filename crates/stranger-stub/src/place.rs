//! Where garbage may be thrown.

use std::net::SocketAddr;
use std::path::Path;

/// Where every host of a lab sees the lab's own programs.
const IN_A_LAB: &str = "/run/lab/bin";

/// May a program that stands at `program` throw garbage at these addresses? On the loopback always; elsewhere only when it was
/// started from where a lab's hosts have their programs: their networks have no way out.
///
/// # Errors
/// The address that is out of bounds, and what was expected.
pub fn is_allowed(addresses: &[SocketAddr], program: &Path) -> Result<(), String> {
    let outside = addresses.iter().find(|address| !address.ip().is_loopback());
    match outside {
        Some(address) if !program.starts_with(IN_A_LAB) => Err(format!(
            "{address} is no loopback address, and this program runs from {}, expected {IN_A_LAB}: strangers throw garbage \
             inside a lab only",
            program.display()
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_a_lab_only_the_loopback_is_thrown_at() {
        let address = |text: &str| -> SocketAddr { text.parse().expect("an address") };
        let (here, in_a_lab) = (Path::new("/usr/bin/stranger-stub"), Path::new("/run/lab/bin/stranger-stub"));
        let both = [address("127.0.0.1:1"), address("10.10.10.1:4035")];
        assert_eq!(is_allowed(&both[..1], here), Ok(()));
        assert_eq!(is_allowed(&both, in_a_lab), Ok(()));
        let refused = is_allowed(&both, here).expect_err("not in a lab");
        assert!(refused.contains("10.10.10.1:4035") && refused.contains("/usr/bin"), "{refused}");
    }
}
