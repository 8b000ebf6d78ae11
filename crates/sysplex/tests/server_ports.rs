//! Servers on one LPAR: a port is in use at an address, and at another one it is free; and how a procedure looks for that.

use sysplex::{PortCheck, StartedTask, Sysplex};

fn read(second: &str) -> Result<Sysplex, Vec<String>> {
    let text = format!(
        "[[lpar]]\nname = \"SYS1\"\n\
         [[started_task]]\nname = \"ONE\"\nprogram = \"server\"\nports = [7554]\nbind = \"10.10.10.1\"\n\
         [[started_task]]\nname = \"TWO\"\nprogram = \"server\"\nports = [7554]\n{second}"
    );
    Sysplex::from_toml(&text).map_err(|all| all.iter().map(|one| one.render("t.toml", &text)).collect())
}

#[test]
fn a_port_is_taken_at_one_address() {
    let sysplex = read("bind = \"10.10.10.2\"\nport_check = \"socket\"\n").expect("another address");
    let check = sysplex.lpars[0].tasks.iter().find_map(|task| match task {
        StartedTask::Server { port_check, .. } => *port_check,
        _ => None,
    });
    assert_eq!(check, Some(PortCheck::Socket));
    for same in ["", "bind = \"10.10.10.1\"\n", "bind = \"0.0.0.0\"\n"] {
        let said = read(same).expect_err(same).join("\n");
        assert!(said.contains("7554, which is a port of ONE already"), "{same}: {said}");
    }
}

#[test]
fn a_check_is_a_word() {
    let said = read("bind = \"10.10.10.2\"\nport_check = \"ports\"\n").expect_err("a wrong word").join("\n");
    assert!(said.contains("t.toml:13:14") && said.contains("expected `port` or `socket`"), "{said}");
    let of_another =
        "[[lpar]]\nname = \"SYS1\"\n[[started_task]]\nname = \"RSED\"\nprogram = \"rsed\"\nport_check = \"port\"\n";
    let said = Sysplex::from_toml(of_another).expect_err("a key of servers");
    assert!(said[0].message.contains("`port_check` belongs to program `server`"), "{said:?}");
}
