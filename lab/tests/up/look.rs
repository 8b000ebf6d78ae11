//! Looking into a sysplex that is up: `lab shell`, `ps`, `logs`, `capture`.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use crate::common::lab;
use crate::kept::{Kept, Tested, expect, run, wait_for};

pub(crate) fn a_shell_is_in_the_host() -> Tested {
    let kept = Kept::up()?;
    let mut shell = lab();
    shell.args(["shell", "--name", &kept.name, "LPAR2"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = shell.spawn().map_err(|e| format!("lab shell: {e}"))?;
    let script = b"echo on $(hostname)\nexit 5\n";
    child.stdin.take().ok_or("no standard input")?.write_all(script).map_err(|e| e.to_string())?;
    let output = child.wait_with_output().map_err(|e| e.to_string())?;
    expect(&output, 5, &["on LPAR2"])
}

pub(crate) fn a_shell_has_a_terminal_of_its_own() -> Tested {
    let kept = Kept::up()?;
    // script(1) gives `lab shell` a terminal to speak to.
    let command = format!("{} shell --name {} LPAR2", lab().get_program().to_string_lossy(), kept.name);
    let mut script = std::process::Command::new("script");
    script.args(["-qec", &command, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = script.spawn().map_err(|e| format!("script: {e}"))?;
    let typed = b"tty; echo $((6*7)) jobs; exit 6\n";
    child.stdin.take().ok_or("no standard input")?.write_all(typed).map_err(|e| e.to_string())?;
    let output = child.wait_with_output().map_err(|e| e.to_string())?;
    expect(&output, 6, &[&format!("[{} LPAR2]", kept.name), "/dev/pts/", "42 jobs"])
}

pub(crate) fn ps_shows_each_task_in_its_host() -> Tested {
    let kept = Kept::up()?;
    expect(&kept.run("ps", &[])?, 0, &["SYSTEM", "LPAR1    DBGMGR", "LPAR2    RSED", "5336 5335"])?;
    let one = kept.run("ps", &["lpar2", "--json"])?;
    let text = String::from_utf8_lossy(&one.stdout).into_owned();
    let other = text.lines().find(|line| !line.contains("\"system\":\"LPAR2\""));
    if let Some(other) = other {
        return Err(format!("expected processes of LPAR2 only, found {other}"));
    }
    expect(&one, 0, &["\"task\":\"DBGMGR\""])?;
    expect(&kept.run("ps", &["LPAR9"])?, 2, &["no LPAR or workstation `LPAR9`"])
}

pub(crate) fn logs_are_interleaved_and_followed() -> Tested {
    let kept = Kept::up()?;
    expect(&kept.run("logs", &[])?, 0, &["LPAR1    DBGMGR   EQACM001I", "LPAR2    DBGMGR   EQACM001I"])?;
    let one = kept.run("logs", &["LPAR2", "DBGMGR"])?;
    if String::from_utf8_lossy(&one.stdout).contains("LPAR1 ") {
        return Err(format!("expected lines of LPAR2 only, found {}", String::from_utf8_lossy(&one.stdout)));
    }
    let mut follow = lab();
    follow.args(["logs", "--name", &kept.name, "-f", "LPAR2", "TCPIP"]).stdout(Stdio::piped());
    let mut child = follow.spawn().map_err(|e| format!("lab logs: {e}"))?;
    let stdout = child.stdout.take().ok_or("no standard output")?;
    expect(&kept.run("vary", &["LPAR1", "TCPIP,,SYSPLEX,LEAVEGROUP"])?, 0, &["TAKEN OVER"])?;
    let line = wait_for("TAKEN OVER", stdout)?;
    // It ends with the sysplex.
    run(&["down", &kept.name])?;
    let ended = child.wait().map_err(|e| e.to_string())?;
    match (line.contains("LPAR2    TCPIP"), ended.code()) {
        (true, Some(255)) => Ok(()),
        (_, code) => Err(format!("expected a line of LPAR2's console and 255, found `{line}` and {code:?}")),
    }
}

pub(crate) fn a_capture_is_pcapng_and_ends_by_itself() -> Tested {
    let kept = Kept::up()?;
    let mut capture = lab();
    capture.args(["capture", "--name", &kept.name, "LPAR1", "--count", "2"]).stdout(Stdio::piped());
    let mut child = capture.spawn().map_err(|e| format!("lab capture: {e}"))?;
    let mut output = BufReader::new(child.stdout.take().ok_or("no standard output")?);
    // The file's head comes when it records; packets that come before that are not seen.
    let head = output.fill_buf().map_err(|e| e.to_string())?;
    if !head.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]) {
        return Err(format!("expected the head of a pcapng file, found {head:02x?}"));
    }
    // Two packets at least: a SYN and its answer.
    kept.run("exec", &["WS1", "--", "bash", "-c", "exec 3<>/dev/tcp/10.10.10.11/4035"])?;
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut output, &mut bytes).map_err(|e| e.to_string())?;
    let ended = child.wait().map_err(|e| e.to_string())?;
    let packets = bytes.windows(4).filter(|block| *block == [6, 0, 0, 0]).count();
    if !ended.success() || packets < 2 {
        return Err(format!("expected two packets and success, found {packets} in {} bytes, {ended}", bytes.len()));
    }
    expect(&kept.run("capture", &["LPAR1", "--interface", "eth7"])?, 1, &["eth7 cannot be captured"])
}

pub(crate) fn a_graph_shows_how_it_is_now() -> Tested {
    let kept = Kept::up()?;
    let mermaid = || kept.run("graph", &["--format", "mermaid"]);
    expect(&mermaid()?, 0, &["flowchart TB", "dvipa0 ==>|owned by| lpar0", "dvipa0 -->|distributes to| lpar1"])?;
    expect(&kept.run("fault", &["crash", "lpar=LPAR1"])?, 0, &[])?;
    expect(&mermaid()?, 0, &["10.10.10.11<br/>is down", "dvipa0 ==>|owned by| lpar1"])?;
    expect(&kept.run("graph", &[])?, 0, &["<svg ", "LPAR1<tspan class=\"down\"> is down", "owns 10.10.10.1"])?;
    expect(&run(&["graph", "scenarios/figure4.toml"])?, 0, &["<svg ", "holds 10.10.10.1, hidden", "</svg>"])?;
    expect(&run(&["graph", "scenarios/nosuch.toml"])?, 2, &["cannot read scenarios/nosuch.toml"])
}
