//! The firewalls of a topology, in the kernels of the hosts whose packets they look at.

use sysplex::{Denial, Firewall, Sysplex};

use super::tasks::run_tool;
use super::{Hosts, LAN, PlexError};

/// Puts them up.
///
/// # Errors
/// When a kernel refuses, or nft is missing.
pub(super) async fn stand(hosts: &Hosts, sysplex: &Sysplex) -> Result<(), PlexError> {
    for (number, firewall) in (1..).zip(&sysplex.firewalls) {
        for host in &firewall.from {
            let (host, exits) = hosts.get(host)?;
            let argv = ["nft", "-f", "-"].map(str::to_owned).to_vec();
            run_tool(host, exits, argv, &script(number, firewall)).await?;
        }
    }
    Ok(())
}

/// What `nft -f -` reads.
fn script(number: u32, firewall: &Firewall) -> String {
    let ports: Vec<String> = firewall.ports.iter().map(|range| format!("{}-{}", range.start(), range.end())).collect();
    let ports = format!("tcp dport {}{{ {} }}", if firewall.allows { "!= " } else { "" }, ports.join(", "));
    let denial = match firewall.denial {
        Denial::Drop => "drop",
        Denial::Reset => "reject with tcp reset",
        Denial::Prohibited => "reject with icmpx admin-prohibited",
    };
    let family = |is_ipv4: bool| {
        let of_family: Vec<String> =
            firewall.to.iter().filter(|to| to.is_ipv4() == is_ipv4).map(ToString::to_string).collect();
        let word = if is_ipv4 { "ip" } else { "ip6" };
        (!of_family.is_empty()).then(|| format!("{word} daddr {{ {} }} ", of_family.join(", ")))
    };
    let to: Vec<String> = if firewall.to.is_empty() {
        vec![String::new()]
    } else {
        [family(true), family(false)].into_iter().flatten().collect()
    };
    let rules: String = to.iter().map(|to| format!("    oifname \"{LAN}\" {to}{ports} {denial}\n")).collect();
    format!(
        "table inet firewall_{number} {{\n  chain output {{\n    type filter hook output priority 0;\n{rules}  }}\n}}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_let_through_and_what_is_not() {
        let only = Firewall {
            from: vec!["WS1".into()],
            to: Vec::new(),
            ports: vec![4035..=4035, 8108..=8127],
            allows: true,
            denial: Denial::Drop,
        };
        assert!(
            script(1, &only).contains("oifname \"lan0\" tcp dport != { 4035-4035, 8108-8127 } drop"),
            "{}",
            script(1, &only)
        );
        let to = vec!["10.10.10.1".parse().expect("an address")];
        let not = Firewall { to, allows: false, denial: Denial::Reset, ..only };
        let rule = "ip daddr { 10.10.10.1 } tcp dport { 4035-4035, 8108-8127 } reject with tcp reset";
        assert!(script(2, &not).contains(rule), "{}", script(2, &not));
    }
}
