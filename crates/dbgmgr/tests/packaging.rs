//! What is in `packaging/`, and what a service manager hears.

mod common;

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use clap::CommandFactory;
use dbgmgr::config::Args;

/// It ends with the test, however that ends.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn packaging(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging").join(name)
}

/// `UPDATE_SNAPSHOTS=1` writes it anew.
#[test]
fn the_man_page_is_that_of_the_command_line() {
    let mut page = Vec::new();
    let manual =
        clap_mangen::Man::new(Args::command()).section("8").date("").source("DVIPA Lab").manual("Debug Manager");
    manual.render(&mut page).expect("a page");
    let page = String::from_utf8(page).expect("UTF-8");
    let file = packaging("man/dbgmgr.8");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&file, &page).expect("written");
    }
    let found = std::fs::read_to_string(&file).expect("packaging/man/dbgmgr.8");
    assert!(found == page, "packaging/man/dbgmgr.8 is not that of the command line: UPDATE_SNAPSHOTS=1 writes it anew");
}

#[test]
fn the_unit_gives_debug_manager_what_it_understands() {
    let unit = std::fs::read_to_string(packaging("systemd/dbgmgr.service")).expect("the unit");
    let command = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).expect("ExecStart");
    let sample = packaging("systemd/dbgmgr.conf");
    let words = command.split_whitespace().skip(1).map(|word| match word {
        "/etc/dbgmgr.conf" => sample.display().to_string(),
        _ => word.to_owned(),
    });
    let checked = Command::new(env!("CARGO_BIN_EXE_dbgmgr")).arg("--check").args(words).output().expect("run");
    assert!(checked.status.success(), "{checked:?}");
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(said.starts_with("HOST=5336\nCLIENT=5335\nWAIT=300\n"), "{said}");
}

#[test]
fn what_was_checked_can_be_read_again() {
    let check = |words: &[&str]| {
        let out = Command::new(env!("CARGO_BIN_EXE_dbgmgr")).arg("--check").args(words).output().expect("run");
        String::from_utf8(out.stdout).expect("UTF-8")
    };
    let said = check(&["5336", "5334", "HUBIP=9.9.9.1 HUBPORT=6000 WAIT=7 SAFCLASS=$DBG DEBUG"]);
    let file = tempfile::NamedTempFile::new().expect("temp file");
    std::fs::write(file.path(), &said).expect("written");
    assert_eq!(check(&["--config", file.path().to_str().expect("UTF-8")]), said);
    assert!(said.contains("HUBIP=9.9.9.1\nHUBPORT=6000\n"), "{said}");
}

#[test]
fn a_service_manager_hears_when_it_is_ready_and_when_it_stops() {
    let dir = tempfile::tempdir().expect("temp dir");
    let path = dir.path().join("notify");
    let manager = UnixDatagram::bind(&path).expect("a socket");
    manager.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    let heard = || {
        let mut bytes = [0; 4096];
        let length = manager.recv(&mut bytes).expect("awaited a word of Debug Manager for 20 s");
        String::from_utf8_lossy(&bytes[..length]).trim().to_owned()
    };
    let [host, client] = common::free_ports().map(|port| port.to_string());
    let child = Command::new(env!("CARGO_BIN_EXE_dbgmgr"))
        .args([host.as_str(), client.as_str(), "--run-dir"])
        .arg(dir.path())
        .env("NOTIFY_SOCKET", &path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    let mut child = Ends(child);
    assert_eq!(heard(), "READY=1");
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.0.id()).expect("a pid")).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("signalled");
    assert_eq!(heard(), "STOPPING=1");
    assert!(child.0.wait().expect("ended").success());
}
