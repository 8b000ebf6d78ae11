//! `lab doctor`: what this machine can and cannot do, tried rather than guessed, and the exact remedy.

use std::io::{self, Write};
use std::process::{Command, Stdio};

use distributor::{Backend, Iptables, Ipvs};
use netns::realm;
use sysplex::Sysplex;

use crate::{exit, programs};

/// One thing that was looked at.
struct Finding {
    what: &'static str,
    /// Labs cannot run without it.
    needed: bool,
    result: Result<String, Trouble>,
}

/// What does not work here, and what would help.
pub(crate) struct Trouble {
    pub(crate) seen: String,
    pub(crate) remedy: String,
}

fn trouble(seen: impl Into<String>, remedy: impl Into<String>) -> Trouble {
    Trouble { seen: seen.into(), remedy: remedy.into() }
}

/// Prints everything; exit status 0 when labs can run here, 3 when not.
pub fn main() -> u8 {
    let findings = [
        finding("namespaces", true, namespaces()),
        finding("nft", true, nft_program()),
        finding("nftables in the kernel", true, in_realm(nftables)),
        finding("the lab's own programs", true, own_programs()),
        finding("iptables and ipset", false, in_realm(iptables)),
        finding("IPVS", false, in_realm(ipvs)),
        finding("netem", false, in_realm(netem)),
        finding("dummy links", false, in_realm(|| link_kind("dummy"))),
    ];
    let mut works = true;
    for Finding { what, needed, result } in &findings {
        match result {
            Ok(seen) => crate::say!("yes      {what}: {seen}"),
            Err(Trouble { seen, remedy }) => {
                works &= !needed;
                crate::say!("{}  {what}: {seen}", if *needed { "NO     " } else { "no, optional" });
                crate::say!("         remedy: {remedy}");
            }
        }
    }
    crate::say!("{}", if works { "labs run on this machine" } else { "labs cannot run on this machine" });
    if works { exit::PASSED } else { exit::CANNOT_RUN }
}

fn finding(what: &'static str, needed: bool, result: Result<String, Trouble>) -> Finding {
    Finding { what, needed, result }
}

fn namespaces() -> Result<String, Trouble> {
    let rootless = !nix::unistd::geteuid().is_root();
    match realm::run(|_, _| 0, |_, _| ()) {
        Ok(_) if rootless => Ok("user, PID, mount, network, UTS and IPC, rootless".into()),
        Ok(_) => Ok("PID, mount, network, UTS and IPC, as root".into()),
        Err(e) => Err(trouble(e.to_string(), namespace_remedy())),
    }
}

/// Why namespaces are refused, by the settings that are known to do so.
fn namespace_remedy() -> String {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/sys/{name}")).unwrap_or_default().trim().to_owned();
    if read("kernel/apparmor_restrict_unprivileged_userns") == "1" {
        return "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu 24.04 and later), or run as root"
            .into();
    }
    if read("kernel/unprivileged_userns_clone") == "0" {
        return "sudo sysctl kernel.unprivileged_userns_clone=1, or run as root".into();
    }
    if read("user/max_user_namespaces") == "0" {
        return "sudo sysctl user.max_user_namespaces=10000, or run as root".into();
    }
    "run as root, or on a machine (in a container: with --privileged, or at least with /proc unmasked and CAP_SYS_ADMIN) that \
     allows new namespaces"
        .into()
}

fn nft_program() -> Result<String, Trouble> {
    let Some(nft) = programs::find("nft") else {
        return Err(trouble("the program nft is not installed", "sudo apt-get install nftables"));
    };
    let output = Command::new(&nft).arg("--version").output();
    let version = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    Ok(format!("{} ({version})", nft.display()))
}

fn own_programs() -> Result<String, Trouble> {
    programs::own_directory().map(|directory| directory.display().to_string()).map_err(|why| {
        let (seen, remedy) = why.split_once("; ").unwrap_or((&why, ""));
        trouble(seen, remedy)
    })
}

/// Tries something in a realm of its own, where it can do no harm.
pub(crate) fn in_realm(check: fn() -> Result<String, Trouble>) -> Result<String, Trouble> {
    let ended = realm::run(
        move |_, mut report| {
            let (status, text) = match check() {
                Ok(seen) => (0, seen),
                Err(Trouble { seen, remedy }) => (1, format!("{seen}\n{remedy}")),
            };
            let _ = report.write_all(text.as_bytes());
            status
        },
        |_, _| (),
    );
    let ended = ended.map_err(|e| trouble(e.to_string(), "see namespaces, above"))?;
    let text = String::from_utf8_lossy(&ended.report).into_owned();
    if ended.status == Some(0) {
        return Ok(text);
    }
    let (seen, remedy) = text.split_once('\n').unwrap_or((&text, "unknown"));
    Err(trouble(seen, remedy))
}

/// The very constructs that the distributor uses.
pub(crate) fn nftables() -> Result<String, Trouble> {
    nft_program()?;
    const RULES: &str = "table ip doctor {
        map vcrt { type ipv4_addr . inet_service : mark; flags dynamic,timeout; }
        chain c { type filter hook prerouting priority mangle; }
        }
        add rule ip doctor c tcp flags syn meta mark set numgen inc mod 2 map { 0 : 1, 1 : 2 }
        add rule ip doctor c update @vcrt { ip saddr . tcp sport timeout 1m : meta mark }
        add rule ip doctor c tcp dport 1 reject with tcp reset\n";
    run_tool("nft", &["-f", "-"], RULES).map(|()| "dynamic maps, round robin, reject in prerouting".into()).map_err(
        |seen| {
            trouble(
                seen,
                "a kernel of version 5.9 or later with nf_tables (module nf_tables; Debian: linux-image-amd64)",
            )
        },
    )
}

/// The programs that a backend runs, and the packages that have them.
fn installed(tools: &[&str], packages: &str) -> Result<(), Trouble> {
    match tools.iter().find(|tool| programs::find(tool).is_none()) {
        None => Ok(()),
        Some(tool) => {
            Err(trouble(format!("the program {tool} is not installed"), format!("sudo apt-get install {packages}")))
        }
    }
}

/// The backend for iptables: its programs, and the kernel's parts that it uses.
pub(crate) fn iptables() -> Result<String, Trouble> {
    const RULES: &str = "*mangle\n-A PREROUTING -p tcp -m statistic --mode nth --every 2 --packet 0 -j MARK --set-mark 1\n\
                         -A PREROUTING -p tcp -m set --match-set doctor src,src,dst -j MARK --set-mark 2\nCOMMIT\n";
    installed(Iptables.tools(), "iptables ipset")?;
    let remedy = "a kernel with xt_set, xt_statistic and ip_set_hash_ipportip (Debian: linux-image-amd64)";
    run_tool("ipset", &["create", "doctor", "hash:ip,port,ip", "timeout", "60"], "")
        .and_then(|()| run_tool("iptables-restore", &["--noflush"], RULES))
        .map(|()| "sets with timeouts, statistic, marks".into())
        .map_err(|seen| trouble(seen, remedy))
}

/// The backend for IPVS: its program, and that the kernel lets it.
pub(crate) fn ipvs() -> Result<String, Trouble> {
    let remedy = "as root: modprobe ip_vs; where the kernel has no such module, scripts/ci-vm";
    installed(Ipvs::new(&Sysplex::uniform(1)).tools(), "ipvsadm nftables procps")?;
    run_tool("ipvsadm", &["-A", "-t", "127.0.0.1:1", "-s", "wrr"], "")
        .map(|()| "services by weight".into())
        .map_err(|seen| trouble(seen, remedy))
}

pub(crate) fn netem() -> Result<String, Trouble> {
    let remedy =
        "sudo modprobe sch_netem; where the kernel has no such module, a virtual machine with a distribution's kernel";
    run_tool("tc", &["qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"], "")
        .map(|()| "the kernel has it".into())
        .map_err(|seen| trouble(seen, remedy))
}

fn link_kind(kind: &str) -> Result<String, Trouble> {
    run_tool("ip", &["link", "add", "doctor0", "type", kind], "")
        .map(|()| "the kernel has them".into())
        .map_err(|seen| trouble(seen, format!("sudo modprobe {kind}")))
}

fn run_tool(program: &str, arguments: &[&str], input: &str) -> Result<(), String> {
    let Some(path) = programs::find(program) else {
        return Err(format!("the program {program} is not installed"));
    };
    let run = || -> io::Result<Result<(), String>> {
        let mut command = Command::new(&path);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes())?;
        }
        let output = child.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default().to_owned();
        Ok(if output.status.success() { Ok(()) } else { Err(format!("{program}: {said}")) })
    };
    run().unwrap_or_else(|e| Err(format!("{program}: {e}")))
}
