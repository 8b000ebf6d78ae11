//! Namespaces, servers and clients for the tests.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use distributor::{Backend, Iptables, Ipvs, Nftables, OwnerPlan, Script, State, Tables, VcrtEntry, plan, routes_for};
use rustix::net::sockopt::{set_socket_linger, set_socket_reuseaddr};
use rustix::net::{AddressFamily, SocketType};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use sysplex::{LparIndex, Sysplex};

/// How long a connect may take: enough for one SYN retransmission, which comes after a second.
pub(crate) const CONNECT: Duration = Duration::from_secs(3);
/// How long an answer on a connection may take.
const ANSWER: Duration = Duration::from_secs(5);

/// What a server says after the client's end, in bytes: more than fits on the way, so that it needs the client's ACKs.
const FAREWELL: usize = 16 << 20;

const INSIDE: &str = "DISTRIBUTOR_TEST_INSIDE";
const DVIPA: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 1);
const WORKSTATION: &str = "ws1";

/// Sets, rules that use them, and both families.
const IPTABLES_PROBE: &str = "\
ipset create probe hash:ip,port,ip timeout 9
iptables -t mangle -A PREROUTING -m set --match-set probe src,src,dst -j SET --add-set probe src,src,dst
ip6tables-save -t mangle
";

/// Every backend that is tested here, and what shows that this machine has it.
fn backends() -> Vec<(Box<dyn Backend>, &'static [&'static str])> {
    vec![
        (Box::new(Nftables), &["nft", "list", "ruleset"]),
        (Box::new(Iptables), &["sh", "-ec", IPTABLES_PROBE]),
        (Box::new(Ipvs::new(&Sysplex::uniform(3))), &["ipvsadm", "-L"]),
    ]
}

/// What a test wants and a backend cannot do.
const CANNOT: [(&str, &str, &str); 3] = [
    (
        "ipvs",
        "an_affinity_holds_and_ends_and_is_dropped_with_its_target",
        "the kernel keeps the time of affinities, in steps of a minute",
    ),
    ("ipvs", "connections_are_taken_over_and_forgotten", "nobody but a sync daemon can tell it of a connection"),
    (
        "ipvs",
        "while_a_dvipa_settles_the_unknown_is_not_answered",
        "nobody but a sync daemon can tell it of a connection",
    ),
];

/// Runs the body in namespaces of its own, where a lab of three LPARs stands, once for each backend that the machine has: the
/// test calls itself there by its name.
pub(crate) fn in_namespaces(test: &str, body: impl FnOnce(&mut Lab)) {
    if let Ok(name) = std::env::var(INSIDE) {
        let (backend, _) = backends().into_iter().find(|(backend, _)| backend.name() == name).expect("a backend");
        return body(&mut Lab::build(backend));
    }
    for (backend, probe) in backends() {
        match CANNOT.iter().find(|(name, of, _)| *name == backend.name() && *of == test) {
            Some((name, _, why)) => println!("{name} skipped: {why}"),
            None => in_namespaces_with(test, backend.name(), probe),
        }
    }
}

fn in_namespaces_with(test: &str, backend: &str, probe: &[&str]) {
    // IPVS takes orders only from the machine's own root, not from one of a user namespace.
    let root = std::fs::metadata("/proc/self").is_ok_and(|of_this_process| of_this_process.uid() == 0);
    let namespaces = if root { "-nm" } else { "-rnm" };
    let unshare = |command: &[&str]| {
        Command::new("unshare").args([namespaces, "--kill-child"]).args(command).env(INSIDE, backend).output()
    };
    match unshare(probe) {
        Ok(output) if output.status.success() => {}
        Ok(output) => return println!("{backend} skipped: {}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => return println!("{backend} skipped: unshare: {error}"),
    }
    let itself = std::env::current_exe().expect("this test's program");
    let itself = itself.to_str().expect("a path in UTF-8");
    let output = unshare(&[itself, "--exact", test, "--nocapture"]).expect("unshare");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let stdout = text(&output.stdout);
    assert!(output.status.success(), "{backend}, in its namespaces:\n{stdout}\n{}", text(&output.stderr));
    assert!(stdout.contains("1 passed"), "no test is named {test}:\n{stdout}");
}

/// Three LPARs, of which the first owns the DVIPA, and a workstation.
pub(crate) struct Lab {
    pub(crate) sysplex: Sysplex,
    pub(crate) state: State,
    pub(crate) backend: Box<dyn Backend>,
    applied: Option<OwnerPlan>,
    settling: bool,
    servers: BTreeMap<u32, Vec<Server>>,
}

/// Builds a host with an address on a bridge's segment. Arguments: host, interface, bridge, address.
const PLUG: &str = "\
plug() {
    ip link add $1-$2 type veth peer name $2 netns $1
    ip link set $1-$2 master $3 up
    ip -n $1 address add $4/24 dev $2
    ip -n $1 link set $2 up
}
host() {
    ip netns add $1
    ip -n $1 link set lo up
    plug $1 eth0 lan $2
}
";

/// What a stack needs to be a target, and the owner to forward.
const SYSCTLS: [&str; 8] = [
    "ip_forward=1",
    "conf/all/arp_ignore=1",
    "conf/all/arp_announce=2",
    "conf/all/rp_filter=0",
    "conf/default/rp_filter=0",
    "conf/eth0/rp_filter=0",
    "conf/xcf0/rp_filter=0",
    "conf/all/send_redirects=0",
];

impl Lab {
    fn build(backend: Box<dyn Backend>) -> Self {
        let sysplex = Sysplex::uniform(3);
        let mut script = format!(
            "set -e\nmount -t tmpfs tmpfs /run\n{PLUG}\nfor b in lan xcf; do ip link add $b type bridge; ip link set $b up; done\n\
             host {WORKSTATION} {}\n",
            sysplex.workstations[0].address
        );
        for lpar in &sysplex.lpars {
            let name = namespace(lpar.index.get());
            script += &format!("host {name} {}\nplug {name} xcf0 xcf {}\n", lpar.home, lpar.xcf);
            let device = if lpar.index.get() == 1 { "eth0" } else { "lo" };
            let settings: String = (SYSCTLS.iter().filter_map(|setting| setting.split_once('=')))
                .map(|(key, value)| format!("echo {value} > /proc/sys/net/ipv4/{key};"))
                // Redirects are off only when they are off for the interface as well.
                .chain(["echo 0 > /proc/sys/net/ipv4/conf/eth0/send_redirects;".to_owned()])
                .collect();
            script += &format!("nsenter --net=/run/netns/{name} sh -ec '{settings}'\n");
            script += &format!("ip -n {name} address add {DVIPA}/32 dev {device}\n");
        }
        let owner = namespace(1);
        script += &format!("ip -n {owner} rule add pref 200 lookup local\nip -n {owner} rule del pref 0\n");
        for route in routes_for(&sysplex, index(1)) {
            let (mark, table, gateway) = (route.mark, route.table(), route.gateway);
            script += &format!("ip -n {owner} rule add pref 10 fwmark {mark} lookup {table}\n");
            script += &format!("ip -n {owner} route add default via {gateway} dev xcf0 table {table}\n");
        }
        run("sh", &["-s"], &script).expect("the namespaces");
        let state = State {
            members: sysplex.lpars.iter().map(|lpar| lpar.index).collect(),
            owner: BTreeMap::from([(IpAddr::from(DVIPA), index(1))]),
            ..State::default()
        };
        Self { sysplex, state, backend, applied: None, settling: false, servers: BTreeMap::new() }
    }

    /// Starts a server on an LPAR: it says the LPAR's number to everyone who connects, and then what it hears.
    pub(crate) fn listen(&mut self, number: u32, address: &str) {
        let address: SocketAddr = address.parse().expect("an address");
        let listener = inside(&namespace(number), || TcpListener::bind(address)).expect("a listener");
        let greeting = u8::try_from(number).expect("a small number");
        let accepting = listener.try_clone().expect("a second handle");
        let thread = std::thread::spawn(move || {
            while let Ok((stream, _)) = accepting.accept() {
                std::thread::spawn(move || serve(stream, greeting));
            }
        });
        self.servers.entry(number).or_default().push(Server { listener, thread });
        self.state.listeners.entry(index(number)).or_default().push(address);
    }

    /// Ends every server of an LPAR; their connections go on.
    pub(crate) fn close_listeners(&mut self, number: u32) {
        for server in self.servers.remove(&number).unwrap_or_default() {
            rustix::net::shutdown(&server.listener, rustix::net::Shutdown::Both).expect("a listener that ends");
            server.thread.join().expect("no panic");
        }
        self.state.listeners.remove(&index(number));
    }

    /// Gives the DVIPA to the first LPAR, or to no one.
    pub(crate) fn own(&mut self, owns: bool) {
        self.state.owner = owns.then_some((DVIPA.into(), index(1))).into_iter().collect();
    }

    /// Plans, and brings the owner's kernel from the last plan to this one.
    pub(crate) fn apply(&mut self) {
        let mut next = plan(&self.sysplex, &self.state).remove(&index(1)).unwrap_or_default();
        next.settling.extend(self.settling.then_some(IpAddr::from(DVIPA)));
        for script in self.backend.render(self.applied.as_ref(), &next, &[]) {
            self.run_script(&script);
        }
        self.applied = Some(next);
    }

    /// The same, and these connections come into its table.
    pub(crate) fn take_over(&mut self, connections: &[distributor::Connection]) {
        let next = self.applied.clone().unwrap_or_default();
        for script in self.backend.render(self.applied.as_ref(), &next, connections) {
            self.run_script(&script);
        }
    }

    /// The DVIPA is just being taken over, or no longer.
    pub(crate) fn settling(&mut self, settling: bool) {
        self.settling = settling;
    }

    /// The same without knowing of a last plan.
    pub(crate) fn apply_anew(&mut self) {
        self.applied = None;
        self.apply();
    }

    /// The owner's VCRT.
    pub(crate) fn vcrt(&self) -> Vec<VcrtEntry> {
        self.tables().vcrt
    }

    /// What the owner's kernel holds.
    pub(crate) fn tables(&self) -> Tables {
        let outputs: Vec<String> = self.backend.read().iter().map(|script| self.run_script(script)).collect();
        self.backend.parse(&outputs).unwrap_or_else(|error| panic!("{error}\n{outputs:?}"))
    }

    /// The owner's whole ruleset.
    pub(crate) fn ruleset(&self) -> String {
        inside(&namespace(1), || run("nft", &["list", "ruleset"], "")).expect("a ruleset")
    }

    pub(crate) fn run_script(&self, script: &Script) -> String {
        let args: Vec<&str> = script.args.iter().map(String::as_str).collect();
        inside(&namespace(1), || run(script.program, &args, &script.stdin))
            .unwrap_or_else(|error| panic!("{error}\n{}", script.stdin))
    }

    /// Makes an LPAR lose every SYN, or no longer.
    pub(crate) fn lose_syns(&self, number: u32, lose: bool) {
        let script = if lose {
            "table ip lose { chain c { type filter hook prerouting priority raw; tcp flags syn drop; }; }\n"
        } else {
            "delete table ip lose\n"
        };
        inside(&namespace(number), || run("nft", &["-f", "-"], script)).expect("a rule");
    }

    /// The workstation connects to the DVIPA.
    pub(crate) fn dial(&self, port: u16) -> Result<Connection> {
        dial(port)
    }

    /// The same, while the test goes on.
    pub(crate) fn dial_in_background(&self, port: u16) -> JoinHandle<Result<Connection>> {
        std::thread::spawn(move || dial(port))
    }

    /// The same from a given port of the workstation.
    pub(crate) fn dial_from(&self, from: u16, port: u16) -> Result<Connection> {
        let stream = inside(WORKSTATION, || {
            let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
            set_socket_reuseaddr(&socket, true)?;
            rustix::net::bind(&socket, &SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, from))?;
            rustix::net::connect(&socket, &SocketAddrV4::new(DVIPA, port))?;
            Ok(TcpStream::from(socket))
        })?;
        Connection::greeted(stream)
    }
}

fn dial(port: u16) -> Result<Connection> {
    let to = SocketAddr::from((DVIPA, port));
    Connection::greeted(inside(WORKSTATION, || TcpStream::connect_timeout(&to, CONNECT))?)
}

struct Server {
    listener: TcpListener,
    thread: JoinHandle<()>,
}

fn serve(mut stream: TcpStream, greeting: u8) {
    let mut bytes = [0; 256];
    let mut say = stream.write_all(&[greeting]);
    while say.is_ok() {
        match stream.read(&mut bytes) {
            // The client has ended its side; this one still has much to say.
            Ok(0) => return drop(stream.write_all(&vec![b'.'; FAREWELL])),
            Ok(n) => say = stream.write_all(&bytes[..n]),
            Err(_) => return,
        }
    }
}

/// A connection from the workstation to the DVIPA.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    /// The number of the LPAR that answered.
    pub(crate) reached: u8,
}

impl Connection {
    fn greeted(mut stream: TcpStream) -> Result<Self> {
        stream.set_read_timeout(Some(ANSWER))?;
        let mut reached = [0];
        stream.read_exact(&mut reached)?;
        Ok(Self { stream, reached: reached[0] })
    }

    pub(crate) fn client(&self) -> SocketAddr {
        self.stream.local_addr().expect("an address")
    }

    pub(crate) fn echo(&mut self, text: &str) -> Result<()> {
        self.stream.write_all(text.as_bytes())?;
        self.expect(text)
    }

    /// The same, while the test goes on.
    pub(crate) fn echo_in_background(mut self, text: &'static str) -> JoinHandle<Result<()>> {
        std::thread::spawn(move || self.echo(text))
    }

    /// Says something and ends the client's side, then hears the answer, the farewell and the other end.
    pub(crate) fn finish(&mut self, text: &str) -> Result<()> {
        self.stream.write_all(text.as_bytes())?;
        self.stream.shutdown(Shutdown::Write)?;
        self.expect(text)?;
        let mut farewell = Vec::new();
        self.stream.read_to_end(&mut farewell)?;
        if farewell.len() == FAREWELL { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }

    /// Ends it with an RST, so that its port is free at once.
    pub(crate) fn reset(self) {
        set_socket_linger(&self.stream, Some(Duration::ZERO)).expect("a socket option");
    }

    fn expect(&mut self, text: &str) -> Result<()> {
        let mut answer = vec![0; text.len()];
        self.stream.read_exact(&mut answer)?;
        if answer == text.as_bytes() { Ok(()) } else { Err(Error::new(ErrorKind::InvalidData, "another answer")) }
    }
}

pub(crate) fn index(number: u32) -> LparIndex {
    LparIndex::new(number).expect("an LPAR's number")
}

fn namespace(number: u32) -> String {
    format!("lpar{number}")
}

/// Does something in a network namespace, on a thread that moves there. Sockets made there stay there.
fn inside<T: Send>(namespace: &str, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let file = File::open(format!("/run/netns/{namespace}"))?;
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?;
            work()
        });
        thread.join().expect("no panic")
    })
}

/// Runs a tool and gives what it prints; what it complains about is the error.
fn run(program: &str, args: &[&str], stdin: &str) -> Result<String> {
    let mut child =
        Command::new(program).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    child.stdin.take().map_or(Ok(()), |mut pipe| pipe.write_all(stdin.as_bytes()))?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        return Err(Error::other(format!("{program}: {}", String::from_utf8_lossy(&output.stderr))));
    }
    String::from_utf8(output.stdout).map_err(Error::other)
}
