//! A sysplex that stays up: `lab up`, `ls`, `exec`, `vary`, `modify`, `down`, each as a user calls it.

mod common;
#[path = "common/harness.rs"]
mod harness;
#[path = "up/kept.rs"]
mod kept;
#[path = "up/look.rs"]
mod look;
// Shared with the tests of killed labs, which need more of it.
#[allow(dead_code)]
#[path = "cleanup/process.rs"]
mod process;

use std::io::Write;
use std::process::{Child, ExitStatus};
use std::time::Instant;

use common::{lab, root};
use kept::{Kept, Tested, WITHIN, expect, free_name, listed, run, wait_for};
use libtest_mimic::{Arguments, Failed, Trial};
use rustix::process::{Pid, Signal, kill_process};

type Test = fn() -> Tested;

fn main() {
    let arguments = Arguments::from_args();
    let tests: [(&str, Test); 19] = [
        ("up_is_listed_and_down_leaves_nothing", up_is_listed_and_down_leaves_nothing),
        ("it_holds_nothing_of_who_started_it", it_holds_nothing_of_who_started_it),
        ("exec_is_as_if_it_were_here", exec_is_as_if_it_were_here),
        ("exec_passes_signals_on", exec_passes_signals_on),
        ("vary_moves_the_dvipa", vary_moves_the_dvipa),
        ("modify_reaches_debug_manager", modify_reaches_debug_manager),
        ("fault_breaks_and_heals", fault_breaks_and_heals),
        ("two_at_once_and_a_name_in_use", two_at_once_and_a_name_in_use),
        ("killed_it_leaves_nothing", killed_it_leaves_nothing),
        ("sigterm_takes_it_down", sigterm_takes_it_down),
        ("one_that_does_not_answer_is_stale_and_goes_down", one_that_does_not_answer_is_stale_and_goes_down),
        ("what_does_not_come_up_says_why_and_leaves_nothing", what_does_not_come_up_says_why_and_leaves_nothing),
        ("a_shell_is_in_the_host", look::a_shell_is_in_the_host),
        ("a_shell_has_a_terminal_of_its_own", look::a_shell_has_a_terminal_of_its_own),
        ("ps_shows_each_task_in_its_host", look::ps_shows_each_task_in_its_host),
        ("logs_are_interleaved_and_followed", look::logs_are_interleaved_and_followed),
        ("a_capture_is_pcapng_and_ends_by_itself", look::a_capture_is_pcapng_and_ends_by_itself),
        ("a_graph_shows_how_it_is_now", look::a_graph_shows_how_it_is_now),
        ("without_namespaces_the_exit_status_is_3", without_namespaces_the_exit_status_is_3),
    ];
    let trials = tests.map(|(name, test)| Trial::test(name, move || test().map_err(Failed::from)));
    harness::run(&arguments, trials.into());
}

fn up_is_listed_and_down_leaves_nothing() -> Tested {
    let kept = Kept::up()?;
    let line = listed(&kept.name)?.unwrap_or_default();
    let tasks = line["tasks"].as_array().map_or(0, Vec::len);
    if line["state"] != "up" || line["lpars"] != serde_json::json!(["LPAR1", "LPAR2"]) || tasks != 4 {
        return Err(format!("expected it up with LPAR1, LPAR2 and 4 tasks, listed: {line}"));
    }
    expect(&run(&["ls"])?, 0, &[&kept.name, "LPAR1 LPAR2", "4 up", "nftables", &kept.pid.to_string()])?;
    expect(&run(&["down", &kept.name])?, 0, &[&format!("{} is down", kept.name)])?;
    kept.nothing_is_left()?;
    expect(&run(&["down", &kept.name])?, 2, &[&format!("no sysplex named {} is up", kept.name)])
}

fn it_holds_nothing_of_who_started_it() -> Tested {
    let name = free_name();
    let mut command = std::process::Command::new("sh");
    // A descriptor that the lab knows nothing of, as that of a lock or of a `make`.
    command.current_dir(root()).args(["-c", "exec 9>&1 && \"$0\" \"$@\""]).arg(lab().get_program());
    command.args(["up", "scenarios/figure4.toml", "--name", &name]).stdout(std::process::Stdio::piped());
    let mut up = command.spawn().map_err(|e| e.to_string())?;
    let said = wait_for("", up.stdout.take().ok_or("no pipe")?);
    ended(&mut up)?;
    expect(&run(&["down", &name])?, 0, &[])?;
    let said = said?;
    if said.contains("is up") { Ok(()) } else { Err(format!("expected that it is up, it said: {said}")) }
}

fn exec_is_as_if_it_were_here() -> Tested {
    let kept = Kept::up()?;
    expect(
        &kept.run("exec", &["LPAR2", "--", "sh", "-c", "hostname; echo $SYSNAME $HOME; pwd"])?,
        0,
        &["LPAR2\nLPAR2 /\n/\n"],
    )?;
    expect(&kept.run("exec", &["ws1", "--", "ip", "-o", "addr"])?, 0, &["10.10.10.101/24"])?;
    let mut cat = kept.start("LPAR1", &["cat"])?;
    // More than a pipe holds.
    let much = "0123456789abcdef".repeat(32 * 1024);
    let (mut stdin, text) = (cat.stdin.take().ok_or("no pipe")?, much.clone());
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let said = wait_for("", cat.stdout.take().ok_or("no pipe")?)?;
    writer.join().map_err(|_| "the writer panicked")?.map_err(|e| e.to_string())?;
    if said != much || !ended(&mut cat)?.success() {
        return Err(format!("expected {} bytes back, seen {}", much.len(), said.len()));
    }
    expect(&kept.run("exec", &["LPAR1", "--", "sh", "-c", "echo wrong >&2; exit 7"])?, 7, &["wrong\n"])?;
    expect(&kept.run("exec", &["LPAR1", "--", "sh", "-c", "kill -9 $$"])?, 137, &[])?;
    expect(&kept.run("exec", &["LPAR1", "--", "no-such-program"])?, 127, &["starting no-such-program"])?;
    expect(&kept.run("exec", &["LPAR3", "--", "true"])?, 2, &["no LPAR or workstation `LPAR3`", "LPAR1, LPAR2, WS1"])?;
    // What the host's init cannot be told must not be its end.
    expect(&kept.run("exec", &["LPAR1", "--", "echo", &"x".repeat(40_000)])?, 1, &["at most"])?;
    expect(&kept.run("exec", &["LPAR1", "--", "echo", "still here"])?, 0, &["still here"])
}

fn exec_passes_signals_on() -> Tested {
    let kept = Kept::up()?;
    let script = "sleep 1000 & echo ready; wait";
    let mut interrupted = kept.start("LPAR1", &["sh", "-c", script])?;
    let stdout = interrupted.stdout.take().ok_or("no pipe")?;
    wait_for("ready", stdout)?;
    signal(&interrupted, Signal::INT)?;
    let status = ended(&mut interrupted)?;
    if status.code() != Some(130) {
        return Err(format!("expected exit status 130 after SIGINT, seen: {status}"));
    }
    let mut killed = kept.start("LPAR1", &["sh", "-c", script])?;
    let mut stdout = killed.stdout.take().ok_or("no pipe")?;
    let mut first = [0; 5];
    std::io::Read::read_exact(&mut stdout, &mut first).map_err(|e| e.to_string())?;
    signal(&killed, Signal::KILL)?;
    ended(&mut killed)?;
    // The end of its output is the end of all that has it.
    wait_for("", stdout).map(drop).map_err(|e| format!("a command whose caller was killed is to be hung up: {e}"))
}

fn vary_moves_the_dvipa() -> Tested {
    let kept = Kept::up()?;
    let has = |system: &str| -> Result<bool, String> {
        let output = kept.run("exec", &[system, "--", "ip", "-o", "addr", "show", "dev", "lan0"])?;
        expect(&output, 0, &[])?;
        Ok(String::from_utf8_lossy(&output.stdout).contains("10.10.10.1/32"))
    };
    let owner = |expected: &str| match (has("LPAR1")?, has("LPAR2")?) {
        (true, false) if expected == "LPAR1" => Ok(()),
        (false, true) if expected == "LPAR2" => Ok(()),
        seen => Err(format!("expected the DVIPA on the LAN of {expected}, seen on (LPAR1, LPAR2): {seen:?}")),
    };
    owner("LPAR1")?;
    expect(&kept.run("vary", &["LPAR1", "TCPIP,,SYSPLEX,LEAVEGROUP"])?, 0, &["EZ"])?;
    owner("LPAR2")?;
    expect(&kept.run("vary", &["LPAR1", "TCPIP,,SYSPLEX,LEAVEGROUP"])?, 1, &["error: "])?;
    expect(&kept.run("vary", &["lpar1", "V", "TCPIP,,SYSPLEX,JOINGROUP"])?, 0, &["EZ"])?;
    owner("LPAR1")?;
    expect(&kept.run("vary", &["LPAR1", "TCPIP,,SYSPLEX,LEAVEGRUOP"])?, 2, &["did you mean `LEAVEGROUP`?"])?;
    expect(&kept.run("vary", &["LPAR9", "TCPIP,,SYSPLEX,LEAVEGROUP"])?, 2, &["no LPAR `LPAR9`"])
}

fn modify_reaches_debug_manager() -> Tested {
    let kept = Kept::up()?;
    expect(&kept.run("modify", &["LPAR2", "DBGMGR,APPL=DBM,D,U"])?, 0, &["EQACM103I No active user"])?;
    expect(&kept.run("modify", &["LPAR2", "F", "DBGMGR,APPL=DBM,H"])?, 0, &["EQACM"])?;
    expect(&kept.run("modify", &["LPAR2", "DBGMGR,APPL=DBM,X"])?, 1, &["`X` was found"])?;
    expect(&kept.run("modify", &["LPAR2", "DBGMRG,APPL=DBM,D,U"])?, 2, &["RSED, DBGMGR", "did you mean `DBGMGR`?"])?;
    expect(&kept.run("modify", &["LPAR2", "RSED,APPL=DBM,D,U"])?, 1, &["RSED on LPAR2 takes no MODIFY"])
}

fn fault_breaks_and_heals() -> Tested {
    let kept = Kept::up()?;
    let reaches = || kept.run("exec", &["LPAR1", "--", "timeout", "1", "bash", "-c", "exec 3<>/dev/tcp/9.9.9.2/4035"]);
    expect(&reaches()?, 0, &[])?;
    expect(&kept.run("fault", &["ls"])?, 0, &["nothing is wrong"])?;
    let split = ["partition", "between=LPAR1", "and=LPAR2", "segment=xcf", "name=SPLIT"];
    expect(&kept.run("fault", &split)?, 0, &["XCF is parted between LPAR1 and LPAR2", "packets were taken away"])?;
    expect(&kept.run("fault", &["ls"])?, 0, &["SPLIT: XCF is parted"])?;
    expect(&reaches()?, 124, &[])?;
    expect(&kept.run("fault", &["heal", "SPLIT"])?, 0, &["both sides reach each other"])?;
    expect(&reaches()?, 0, &[])?;
    expect(&kept.run("fault", &["heal", "SPLIT"])?, 2, &["no fault named SPLIT stands"])?;
    expect(&kept.run("fault", &["crash", "lpar=LPAR2", "name=DOWN"])?, 0, &["no task of LPAR2 runs"])?;
    expect(&kept.run("fault", &["kill", "task=RSED", "on=LPAR2"])?, 2, &["no task RSED runs on LPAR2"])?;
    expect(&kept.run("fault", &["heal", "DOWN"])?, 0, &["its started tasks are ready"])?;
    expect(&reaches()?, 0, &[])?;
    expect(&run(&["ls"])?, 0, &["4 up"])?;
    expect(&kept.run("fault", &["lnk", "of=LPAR1"])?, 2, &["unknown key `lnk`"])
}

fn two_at_once_and_a_name_in_use() -> Tested {
    let (one, other) = (Kept::up()?, Kept::up()?);
    let again = run(&["up", "scenarios/figure4.toml", "--name", &one.name])?;
    expect(&again, 2, &[&format!("a sysplex named {} is up already", one.name)])?;
    expect(&one.run("exec", &["LPAR1", "--", "touch", "/tmp/one"])?, 0, &[])?;
    expect(&other.run("exec", &["LPAR1", "--", "ls", "/tmp/one"])?, 2, &["No such file"])?;
    expect(&run(&["exec", "LPAR1", "--", "true"])?, 2, &["Several are up", &one.name, &other.name])?;
    expect(&run(&["down", &one.name])?, 0, &[])?;
    one.nothing_is_left()?;
    expect(&other.run("exec", &["LPAR1", "--", "echo", "here"])?, 0, &["here"])?;
    // Its name is free again.
    expect(&run(&["up", "scenarios/figure4.toml", "--name", &one.name])?, 0, &["2 LPARs"])?;
    expect(&run(&["down", &one.name])?, 0, &[])
}

fn killed_it_leaves_nothing() -> Tested {
    let kept = Kept::up()?;
    let mut exec = kept.start("LPAR1", &["sh", "-c", "echo ready; sleep 1000"])?;
    wait_for("ready", exec.stdout.take().ok_or("no pipe")?)?;
    kill_process(pid(kept.pid)?, Signal::KILL).map_err(|e| e.to_string())?;
    kept.nothing_is_left()?;
    match ended(&mut exec)?.code() {
        Some(255) => Ok(()),
        seen => Err(format!("expected exit status 255 of the command that ran, seen: {seen:?}")),
    }
}

fn sigterm_takes_it_down() -> Tested {
    let kept = Kept::up()?;
    kill_process(pid(kept.pid)?, Signal::TERM).map_err(|e| e.to_string())?;
    kept.nothing_is_left()
}

fn one_that_does_not_answer_is_stale_and_goes_down() -> Tested {
    let kept = Kept::up()?;
    let director = kept.director()?.pid;
    kill_process(pid(director)?, Signal::STOP).map_err(|e| e.to_string())?;
    let line = listed(&kept.name)?.unwrap_or_default();
    if line["state"] != "stale" || line["pid"] != kept.pid {
        return Err(format!("expected it stale with process {}, listed: {line}", kept.pid));
    }
    expect(&run(&["down", &kept.name])?, 0, &["does not go down by itself", "is down"])?;
    kept.nothing_is_left()
}

fn what_does_not_come_up_says_why_and_leaves_nothing() -> Tested {
    let directory = tempfile::tempdir().map_err(|e| e.to_string())?;
    let file = directory.path().join("topology.toml");
    let topology =
        std::fs::read_to_string(root().join("scenarios/topologies/two-lpars.toml")).map_err(|e| e.to_string())?;
    let server = "[[started_task]]\nname = \"WEB\"\nprogram = \"server\"\nports = [8080]\nbind = \"203.0.113.1\"\n\n[[workstation]]";
    std::fs::write(&file, topology.replace("[[workstation]]", server)).map_err(|e| e.to_string())?;
    let (name, file) = (free_name(), file.to_string_lossy().into_owned());
    expect(
        &run(&["up", &file, "--name", &name])?,
        1,
        &[&format!("{name} did not come up: WEB on LPAR1 did not come up")],
    )?;
    if let Some(line) = listed(&name)? {
        return Err(format!("expected nothing of it, listed: {line}"));
    }
    std::fs::write(&file, topology.replace("ports = [", "prots = [")).map_err(|e| e.to_string())?;
    expect(&run(&["up", &file])?, 2, &["topology.toml:", "did you mean `ports`?"])?;
    expect(&run(&["up", "scenarios/figure4.toml", "--name", "a/b"])?, 2, &["the name `a/b`: expected"])
}

fn without_namespaces_the_exit_status_is_3() -> Tested {
    let script = "echo 0 > /proc/sys/user/max_net_namespaces && exec \"$0\" up scenarios/figure4.toml --name \"$1\"";
    let mut command = std::process::Command::new("unshare");
    command.current_dir(root()).args(["--user", "--map-root-user", "sh", "-c", script]);
    let output = command.arg(lab().get_program()).arg(free_name()).output().map_err(|e| e.to_string())?;
    expect(&output, 3, &["this machine cannot run it", "lab doctor"])
}

fn pid(number: i32) -> Result<Pid, String> {
    Pid::from_raw(number).ok_or_else(|| format!("no process has the number {number}"))
}

fn signal(child: &Child, signal: Signal) -> Tested {
    kill_process(Pid::from_child(child), signal).map_err(|e| e.to_string())
}

/// Waits for its end.
fn ended(child: &mut Child) -> Result<ExitStatus, String> {
    let number = i32::try_from(child.id()).map_err(|e| e.to_string())?;
    let in_time = process::handle(number).is_none_or(|handle| process::ends_by(&handle, Instant::now() + WITHIN));
    if !in_time {
        let _ = child.kill();
        return Err(format!("expected the end of `lab exec` within {WITHIN:?}, it runs"));
    }
    child.wait().map_err(|e| e.to_string())
}
