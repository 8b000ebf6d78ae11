//! The realm with real namespaces. Each case runs in a process of its own, because a realm is made by a process with one
//! thread: this program starts itself again with the name of the case.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::{Command, Stdio};
use std::time::Instant;

use libtest_mimic::{Arguments, Failed, Trial};
use netns::{
    Address, Batch, Gateway, Host, HostSpec, NetConfig, NetNs, Network, Route, Rule, Task, Veth, Wirer, inside, realm,
};

const CASE: &str = "NETNS_TEST_CASE";
const LAN: u32 = 10;

fn main() {
    if let Ok(case) = std::env::var(CASE) {
        std::process::exit(run_case(&case));
    }
    let arguments = Arguments::from_args();
    let refusal = realm::run(|_, _| 0, |_, _| ()).err().map(|e| e.to_string());
    let trials = [
        "two_hosts_talk",
        "what_was_made_is_read",
        "a_task_is_started_and_reaped",
        "a_refused_request_names_itself",
        "links_and_connections_break",
        "a_host_forgets_its_routing",
        "nothing_outlives_a_kill",
    ];
    let trials = trials.map(|name| {
        // Without namespaces the cases cannot run: ignored, with the reason in the name, so that it is counted and seen.
        match &refusal {
            Some(why) => Trial::test(format!("{name} (no namespaces: {why})"), || Ok(())).with_ignored_flag(true),
            None => Trial::test(name, move || if name == "nothing_outlives_a_kill" { killed() } else { passes(name) }),
        }
    });
    libtest_mimic::run(&arguments, trials.into()).exit();
}

fn again(case: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("own path"));
    command.env(CASE, case);
    command
}

fn passes(case: &str) -> Result<(), Failed> {
    let output = again(case).output()?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned().into()) }
}

/// Kills the program outside and looks for the realm's processes afterwards, by the namespace that they shared.
fn killed() -> Result<(), Failed> {
    let mut child = again("wait_forever").stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    let mut stdout = std::io::BufReader::new(child.stdout.take().ok_or("no output")?);
    std::io::BufRead::read_line(&mut stdout, &mut line)?;
    let namespace = line.trim().to_owned();
    if holders(&namespace).is_empty() {
        return Err(format!("nobody is seen in the namespace {namespace} before the kill").into());
    }
    child.kill()?;
    child.wait()?;
    let mut rest = Vec::new();
    stdout.read_to_end(&mut rest)?; // ends when the last process that holds the pipe is gone
    match holders(&namespace) {
        left if left.is_empty() => Ok(()),
        left => Err(format!("still in {namespace}: {left:?}").into()),
    }
}

fn holders(namespace: &str) -> BTreeSet<String> {
    let processes = std::fs::read_dir("/proc").expect("/proc");
    let names = processes.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names
        .filter(|pid| {
            let link = std::fs::read_link(format!("/proc/{pid}/ns/ipc"));
            link.is_ok_and(|link| link.to_string_lossy() == namespace)
        })
        .collect()
}

fn run_case(case: &str) -> i32 {
    let case = case.to_owned();
    let ended = realm::run(
        move |network, _| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
            runtime.block_on(async {
                match case.as_str() {
                    "two_hosts_talk" => two_hosts_talk(&network).await,
                    "what_was_made_is_read" => what_was_made_is_read(&network).await,
                    "a_task_is_started_and_reaped" => a_task_is_started_and_reaped(&network).await,
                    "a_refused_request_names_itself" => a_refused_request_names_itself(&network).await,
                    "links_and_connections_break" => links_and_connections_break(&network).await,
                    "a_host_forgets_its_routing" => a_host_forgets_its_routing(&network).await,
                    "wait_forever" => wait_forever(&network).await,
                    other => panic!("no case `{other}`"),
                }
            });
            0
        },
        |_, _| (),
    );
    match ended.expect("a realm") {
        realm::Ended { status: Some(status), .. } => status.into(),
        other => panic!("{other:?}"),
    }
}

/// Hosts on one segment, 10.10.10.1 and on.
async fn hosts(network: &Network, count: u8) -> Vec<Host> {
    let bin_dir = std::env::current_exe().expect("own path").parent().expect("a directory").to_owned();
    let specs = (1..=count).map(|n| HostSpec { name: format!("H{n}"), bin_dir: bin_dir.clone() });
    let mut making = network.begin(specs.collect()).expect("begins");
    let mut segment = Batch::default();
    segment.bridge(LAN, "lan");
    let mut wirer = Wirer::start(segment).expect("starts");
    let mut hosts = Vec::new();
    for n in 1..=count {
        let links = move |netns: &NetNs| {
            let mut links = Batch::default();
            let (name, outer) = (format!("lan{n}"), 100 + u32::from(n));
            links.veth(&Veth {
                outer: (outer, &name),
                bridge: LAN,
                inner: (2, "lan0"),
                mac: None,
                netns: netns.as_fd(),
            });
            links
        };
        let addresses = vec![(2, Ipv4Addr::new(10, 10, 10, n).into(), 24)];
        wirer.wire(links, NetConfig { up: vec![1, 2], addresses, ..NetConfig::default() });
        let netns = wirer.next().await.expect("wired");
        hosts.push(making.next(netns).expect("a host"));
    }
    hosts
}

async fn two_hosts_talk(network: &Network) {
    let started = Instant::now();
    let hosts = hosts(network, 2).await;
    eprintln!("up after {:?}", started.elapsed());
    let listener = inside(hosts[0].netns(), || TcpListener::bind("10.10.10.1:4035")).expect("listens");
    let mut client = inside(hosts[1].netns(), || TcpStream::connect("10.10.10.1:4035")).expect("connects");
    let (mut server, peer) = listener.accept().expect("accepts");
    assert_eq!(peer.ip(), Ipv4Addr::new(10, 10, 10, 2));
    client.write_all(b"hello").expect("writes");
    let mut bytes = [0; 5];
    server.read_exact(&mut bytes).expect("reads");
    assert_eq!(&bytes, b"hello");
}

async fn what_was_made_is_read(network: &Network) {
    let hosts = hosts(network, 2).await;
    let (ipv4, ipv6) = (Ipv4Addr::new(10, 10, 10, 1).into(), "fd00:10::1".parse().expect("an address"));
    let via: IpAddr = Ipv4Addr::new(10, 10, 10, 2).into();
    let read = || Ok((netns::addresses()?, netns::gateways()?));
    let (addresses, gateways) = inside(hosts[0].netns(), read).expect("a dump");
    let on_lan = |addresses: &[Address]| addresses.iter().filter(|has| has.link == 2).copied().collect::<Vec<_>>();
    let own = Address { link: 2, address: ipv4, prefix: 24 };
    let generated = |address: &Address| matches!(address.address, IpAddr::V6(ip) if ip.is_unicast_link_local());
    let mut seen = on_lan(&addresses);
    seen.retain(|address| !generated(address));
    assert_eq!((seen, gateways), (vec![own], vec![]));

    let more = || {
        let mut batch = Batch::default();
        batch.address(2, ipv6, 128);
        for to in [(Ipv4Addr::UNSPECIFIED.into(), 0), (Ipv4Addr::new(10, 20, 0, 0).into(), 16)] {
            batch.route(&Route {
                to,
                via: Some(via),
                source: None,
                link: 2,
                table: 1002,
                on_link: false,
                mtu: None,
                advmss: None,
            });
        }
        batch.commit(&mut Batch::socket()?).map_err(std::io::Error::other)?;
        read()
    };
    let (addresses, gateways) = inside(hosts[0].netns(), more).expect("a dump");
    assert!(on_lan(&addresses).contains(&Address { link: 2, address: ipv6, prefix: 128 }), "{addresses:?}");
    assert_eq!(gateways, [Gateway { table: 1002, via, link: 2 }], "only the one to any destination");
    let (addresses, gateways) = inside(hosts[1].netns(), read).expect("a dump");
    assert!(!addresses.iter().any(|has| has.address == ipv6) && gateways.is_empty(), "of that host only");
}

fn task(argv: &[&str], stdout: OwnedFd) -> Task {
    let null = || OwnedFd::from(std::fs::File::options().read(true).write(true).open("/dev/null").expect("/dev/null"));
    Task {
        argv: argv.iter().map(ToString::to_string).collect(),
        env: vec![("PATH".into(), "/usr/bin:/bin".into())],
        stdin: null(),
        stdout,
        stderr: null(),
        events: null(),
        events_env: "EVENTS".into(),
    }
}

async fn a_task_is_started_and_reaped(network: &Network) {
    let mut hosts = hosts(network, 1).await;
    let mut exits = hosts[0].exits().expect("first time");
    let (mut read, write) = std::io::pipe().expect("pipe");
    // The task has the host's name, its own view of the processes and of /run, and ends with the status that it wants.
    let script = "uname -n; ls /run; set -- /proc/[0-9]*; echo $#; test -e $EVENTS || echo no events; exit 7";
    let running = hosts[0].spawn(task(&["/bin/sh", "-c", script], write.into())).await.expect("starts");
    let exit = exits.recv().await.expect("an exit");
    assert_eq!((exit.pid, exit.status.code()), (running.pid, Some(7)));
    let mut said = String::new();
    read.read_to_string(&mut said).expect("output");
    assert_eq!(said, "H1\nlab\n2\n", "its name, its /run, and two processes: init and the shell");

    let missing = hosts[0].spawn(task(&["/no/such/program"], std::io::pipe().expect("pipe").1.into())).await;
    let message = missing.expect_err("cannot start").to_string();
    assert!(message.contains("/no/such/program"), "{message}");
}

async fn a_refused_request_names_itself(_: &Network) {
    let address = (1, Ipv4Addr::new(10, 0, 0, 1).into(), 32);
    let mut wirer = Wirer::start(Batch::default()).expect("starts");
    wirer.wire(|_| Batch::default(), NetConfig { addresses: vec![address, address], ..NetConfig::default() });
    let message = wirer.next().await.expect_err("the kernel refuses").to_string();
    assert_eq!(message, "address 10.0.0.1/32 on link 1: File exists (os error 17)");

    let mut wirer = Wirer::start(Batch::default()).expect("starts");
    let links = |netns: &NetNs| {
        let mut links = Batch::default();
        links.veth(&Veth { outer: (100, "x"), bridge: 77, inner: (2, "lan0"), mac: None, netns: netns.as_fd() });
        links
    };
    wirer.wire(links, NetConfig::default());
    let message = wirer.next().await.expect_err("no bridge 77").to_string();
    assert!(message.starts_with("veth x - lan0: "), "{message}");
}

async fn links_and_connections_break(network: &Network) {
    let hosts = hosts(network, 2).await;
    let listener = inside(hosts[0].netns(), || TcpListener::bind("10.10.10.1:4035")).expect("listens");
    let mut client = inside(hosts[1].netns(), || TcpStream::connect("10.10.10.1:4035")).expect("connects");
    let (mut server, peer) = listener.accept().expect("accepts");
    let ends = [(server.local_addr().expect("an address"), peer)];
    let reset = || inside(hosts[0].netns(), || netns::reset_connections(&ends));
    match reset() {
        Err(e) if e.kind() == std::io::ErrorKind::Unsupported => eprintln!("the kernel cannot reset connections: {e}"),
        done => {
            done.expect("reset");
            assert!(server.read(&mut [0]).is_err() && client.read(&mut [0]).is_err(), "both ends hear of it");
            reset().expect("one that has ended is passed over");
        }
    }
    let carriers = || inside(hosts[0].netns(), netns::carriers).expect("a dump");
    assert!(carriers().contains(&2));
    let mut batch = Batch::default();
    batch.link_down(101);
    batch.commit(&mut Batch::socket().expect("a socket")).expect("down");
    assert!(!carriers().contains(&2), "its other end is down");
}

async fn a_host_forgets_its_routing(network: &Network) {
    let hosts = hosts(network, 1).await;
    let dvipa = Ipv4Addr::new(10, 10, 10, 9).into();
    let rule = || Rule { priority: 1, mark: Some(1), table: 1001, ..Rule::default() };
    let more = || {
        let mut batch = Batch::default();
        batch.address(1, dvipa, 32);
        batch.rule(&rule());
        batch.commit(&mut Batch::socket()?).map_err(std::io::Error::other)
    };
    inside(hosts[0].netns(), more).expect("made");
    inside(hosts[0].netns(), netns::forget_routing).expect("forgotten");
    let addresses = inside(hosts[0].netns(), netns::addresses).expect("a dump");
    assert!(!addresses.iter().any(|has| has.address == dvipa), "{addresses:?}");
    // All of it can be made again, and the first rules are there to be moved.
    let again = || {
        let mut batch = Batch::default();
        batch.link_up(1);
        batch.rule(&rule());
        batch.remove_rule(&Rule { table: 255, ..Rule::default() });
        batch.commit(&mut Batch::socket()?).map_err(std::io::Error::other)
    };
    inside(hosts[0].netns(), again).expect("made again");
}

async fn wait_forever(network: &Network) {
    let hosts = hosts(network, 2).await;
    let stdout = std::io::stdout().as_fd().try_clone_to_owned().expect("stdout");
    // A grandchild in a session of its own, which no signal to a group would reach.
    let script = "setsid sleep 1000 & readlink /proc/self/ns/ipc; wait";
    let running = hosts[0].spawn(task(&["/bin/sh", "-c", script], stdout)).await.expect("starts");
    assert!(running.realm_pid > 0 && hosts[0].netns().as_fd().as_raw_fd() > 0);
    std::future::pending::<()>().await;
}
