//! Metrics over HTTP from a real Debug Manager.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;

use common::{Dbgmgr, Debugger, free_ports, miner};
use evidence::What;

/// One request, and the whole answer.
fn ask(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connect");
    stream.set_read_timeout(Some(common::DEADLINE)).expect("a timeout");
    stream.write_all(format!("{request} HTTP/1.1\r\nHost: lab\r\n\r\n").as_bytes()).expect("asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn a_scrape_shows_who_is_registered_and_what_waits() {
    let dir = tempfile::tempdir().expect("temp dir");
    let [host, client, metrics] = free_ports();
    let key = format!("METRICS=127.0.0.1:{metrics}");
    let mut dbgmgr = Dbgmgr::start(dir.path(), host, client, &[&key]);
    let page = ask(metrics, "GET /metrics");
    assert!(page.starts_with("HTTP/1.1 200 OK") && page.contains("openmetrics-text"), "{page}");
    assert!(page.contains("\ndbgmgr_registrations 0\n"), "{page}");
    let _user = miner(host, "IBMUSER");
    let _job = Debugger::wait(host, "OTHER");
    dbgmgr.wait_for("a session waits", |what| matches!(what, What::SessionWaiting { .. }));
    let page = ask(metrics, "GET /metrics");
    for line in ["dbgmgr_registrations 1", "dbgmgr_sessions_waiting 1", "dbgmgr_hub_role{how=\"off\"} 1"] {
        assert!(page.lines().any(|found| found == line), "{line} in\n{page}");
    }
    assert!(ask(metrics, "GET /").starts_with("HTTP/1.1 404"));
    assert!(ask(metrics, "POST /metrics").starts_with("HTTP/1.1 405"));
    assert!(ask(metrics, "nonsense").starts_with("HTTP/1.1 400"));
}

#[test]
fn strangers_who_say_nothing_hold_nobody_up_for_long() {
    let dir = tempfile::tempdir().expect("temp dir");
    let [host, client, metrics] = free_ports();
    let _dbgmgr = Dbgmgr::start(dir.path(), host, client, &[&format!("METRICS=127.0.0.1:{metrics}")]);
    let silent: Vec<_> = (0..8).map(|_| TcpStream::connect(("127.0.0.1", metrics)).expect("connect")).collect();
    let page = ask(metrics, "GET /metrics");
    assert!(page.starts_with("HTTP/1.1 200 OK"), "after those have had their time: {page}");
    drop(silent);
    let endless = format!("GET /{}", "x".repeat(60_000));
    let mut stream = TcpStream::connect(("127.0.0.1", metrics)).expect("connect");
    let _ = stream.write_all(endless.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(!String::from_utf8_lossy(&answer).contains("200"), "a line without an end");
}
