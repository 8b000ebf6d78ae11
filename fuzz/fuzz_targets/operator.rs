//! The operator's commands: exactly one answer, with a message id, and no control characters.
#![no_main]

use dbgmgr::core::{Input, Level, Limits, Manager, Output, Settings};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let settings = Settings {
        system: "LPAR1".parse().expect("system"),
        task: "DBGMGR".to_owned(),
        host_port: 5336,
        client_port: 5335,
        hub: None,
        wait_ns: 1,
        level: Level::Error,
        handoff: "handoff.sock".to_owned(),
        first_session: 1,
        limits: Limits::default(),
    };
    let mut manager = Manager::new(settings, Box::new(dbm_protocol::Token::random));
    manager.handle(1, Input::Start);
    let out = manager.handle(2, Input::Operator(text.to_owned()));
    let mut answers = out.iter().filter_map(|o| if let Output::Reply(lines) = o { Some(lines) } else { None });
    let answer = answers.next().expect("an answer");
    assert!(answers.next().is_none() && answer[0].starts_with("EQACM"));
    assert!(answer.iter().all(|line| line.len() < 1000 && !line.contains(char::is_control)), "{answer:?}");
});
