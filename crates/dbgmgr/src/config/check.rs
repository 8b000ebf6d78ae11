//! The checks, and the messages that say what is wrong and where it came from.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use dbm_protocol::file;
use evidence::TASK_ENV;
use ipnet::IpNet;

use super::words::{Origin, Words, cut};
use super::{Args, Config, tls};
use crate::core::{LONGEST_WAIT, Limits, is_of_one_system};

/// All that is wrong with the input, one sentence each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<String>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

/// Puts arguments, configuration file and environment (read through `env`) together and checks them.
///
/// # Errors
/// Everything that is wrong, not only the first.
pub fn load(args: &Args, env: impl Fn(&str) -> Option<String>) -> Result<Config, Problems> {
    let mut problems = Vec::new();
    let arguments = Words::from_arguments(&args.words, &mut problems);
    let file = args.config.as_ref().map(|path| (path.display().to_string(), file::read_text(path)));
    let file = match file {
        None => Words::default(),
        Some((name, Ok(text))) => Words::from_file(&format!("configuration file {name}"), &text, &mut problems),
        Some((name, Err(e))) => {
            problems.push(format!("configuration file {name}: {e}"));
            Words::default()
        }
    };
    let sources = [arguments, file, Words::from_env(&env)];
    let value = |key: &'static str| sources.iter().find_map(|s| s.values.get(key).cloned());
    let or = |key: &'static str, default: &str| value(key).unwrap_or_else(|| (default.to_owned(), Origin::Default));

    let host = note(given_port("HOST", value("HOST")), &mut problems);
    let client = note(given_port("CLIENT", value("CLIENT")), &mut problems);
    let client_ip = value("CLIENTIP").map(|(text, origin)| client_ip(&text, &origin)).transpose();
    let client_ip = note(client_ip, &mut problems).flatten();
    let (text, hub_port_origin) = or("HUBPORT", "5337");
    let hub_port = note(port("HUBPORT", &text, &hub_port_origin), &mut problems);
    let hub_ip = value("HUBIP").map(|(text, origin)| hub_ip(&text, &origin)).transpose();
    let hub_ip = note(hub_ip, &mut problems);
    let wait = note(wait(&or("WAIT", "300")), &mut problems);
    let limits = Limits::default();
    let sessions = note(count("SESSIONS", &or("SESSIONS", &limits.sessions.to_string())), &mut problems);
    let each = or("USERSESSIONS", &limits.sessions_per_user.to_string());
    let user_sessions = note(count("USERSESSIONS", &each), &mut problems);
    let trusted_tcp = note(on_or_off("TRUSTEDTCP", &or("TRUSTEDTCP", "OFF")), &mut problems);
    let hub_peers = value("HUBPEERS").map(|(text, origin)| hub_peers(&text, &origin, trusted_tcp)).transpose();
    let hub_peers = note(hub_peers, &mut problems);
    let saf_class = note(saf_class(&or("SAFCLASS", "FACILITY")), &mut problems);
    let metrics = value("METRICS").map(|(text, origin)| metrics(&text, &origin)).transpose();
    let metrics = note(metrics, &mut problems);
    let persist = note(one_of("NAMETOKEN", &or("NAMETOKEN", "NOPERSIST"), ["PERSIST", "NOPERSIST"]), &mut problems);
    let ptktdata = note(one_of("PTKTDATA", &or("PTKTDATA", "USED"), ["USED", "NONE"]), &mut problems);
    let debug = note(on_or_off("DEBUG", &or("DEBUG", "OFF")), &mut problems);
    let client_on = note(on_or_off("CLIENTTLS", &or("CLIENTTLS", "OFF")), &mut problems);
    let hub_on = note(on_or_off("HUBTLS", &or("HUBTLS", "OFF")), &mut problems);
    let client_tls = note(tls::client(client_on, &value), &mut problems);
    let hub_tls = note(tls::hub(hub_on, &value), &mut problems);
    problems.extend(tls::without_use(client_on, hub_on, &value));
    // The two may be given the same files.
    problems.dedup();

    let hub = hub_ip.flatten().and_then(|ip| Some(SocketAddr::new(ip, hub_port?)));
    problems.extend(collisions(&[
        ("HOST".to_owned(), host),
        ("CLIENT".to_owned(), client),
        (format!("HUBPORT ({hub_port_origin})"), hub.map(|hub| hub.port())),
        ("METRICS".to_owned(), metrics.flatten().map(|metrics| metrics.port())),
    ]));
    match (host, client, wait, trusted_tcp, saf_class, debug) {
        (Some(host), Some(client), Some(wait), Some(trusted_tcp), Some(saf_class), Some(debug))
            if problems.is_empty() =>
        {
            Ok(Config {
                host,
                client,
                client_ip: client_ip.unwrap_or(Ipv4Addr::UNSPECIFIED.into()),
                hub,
                trusted_tcp,
                hub_peers: hub_peers.flatten().unwrap_or_default(),
                wait: Duration::from_secs(wait),
                sessions: sessions.unwrap_or(limits.sessions),
                user_sessions: user_sessions.unwrap_or(limits.sessions_per_user),
                task: env(TASK_ENV).filter(|name| !name.is_empty()).unwrap_or_else(|| "DBGMGR".to_owned()),
                debug,
                metrics: metrics.flatten(),
                client_tls: client_tls.flatten(),
                hub_tls: hub_tls.flatten(),
                saf_class,
                persist: persist == Some(true),
                ptktdata: ptktdata == Some(true),
                run_dir: args.run_dir.clone(),
            })
        }
        _ => Err(Problems(problems)),
    }
}

/// Two of the ports are one.
fn collisions(ports: &[(String, Option<u16>)]) -> Vec<String> {
    let mut found = Vec::new();
    for (position, (name, port)) in ports.iter().enumerate() {
        let Some(port) = port else { continue };
        for (other, _) in ports.iter().skip(position + 1).filter(|(_, other)| *other == Some(*port)) {
            found.push(format!("{name} and {other} are both {port}; two different ports were expected"));
        }
    }
    found
}

fn note<T>(result: Result<T, String>, problems: &mut Vec<String>) -> Option<T> {
    result.map_err(|problem| problems.push(problem)).ok()
}

/// A port that has no default.
fn given_port(name: &str, value: Option<(String, Origin)>) -> Result<u16, String> {
    match value {
        Some((text, origin)) => port(name, &text, &origin),
        None => Err(format!("{name}: nothing was found, a port number from 1 to 65535 was expected")),
    }
}

/// A port number, with a hint for what a started task procedure tends to make of it.
fn port(name: &str, text: &str, origin: &Origin) -> Result<u16, String> {
    let wrong = |hint: &str| {
        let found = cut(text);
        Err(format!("{name} ({origin}): `{found}` was found, a port number from 1 to 65535 was expected{hint}"))
    };
    match text.parse::<u32>() {
        Ok(number @ 1..=65_535) if text.bytes().all(|b| b.is_ascii_digit()) => Ok(number as u16),
        _ if text.contains('&') => {
            wrong("; the system symbol was not resolved: it must exist before Debug Manager starts")
        }
        _ if text.bytes().any(|b| b.is_ascii_alphabetic()) => {
            wrong("; if it was made with a system symbol like 53&SYSCLONE, the symbol's value must be numeric")
        }
        _ => wrong(""),
    }
}

/// CLIENTIP: an address of this system.
fn client_ip(text: &str, origin: &Origin) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("CLIENTIP ({origin}): `{}` was found, an IP address was expected", cut(text)))
}

/// HUBIP: an address that one LPAR has for itself.
fn hub_ip(text: &str, origin: &Origin) -> Result<IpAddr, String> {
    let wrong = |hint: &str| {
        format!("HUBIP ({origin}): `{}` was found, the IP address of one LPAR was expected{hint}", cut(text))
    };
    let ip: IpAddr = text
        .parse()
        .map_err(|_| wrong(if text.contains('&') { "; the system symbol was not resolved" } else { "" }))?;
    if !is_of_one_system(ip) {
        return Err(wrong("; with this one every LPAR, or none, would be the primary node"));
    }
    Ok(ip)
}

fn wait((text, origin): &(String, Origin)) -> Result<u64, String> {
    let seconds = text.parse().ok().filter(|s| (1..=LONGEST_WAIT).contains(s));
    seconds.ok_or_else(|| {
        format!("WAIT ({origin}): `{}` was found, a number of seconds from 1 to {LONGEST_WAIT} was expected", cut(text))
    })
}

/// SESSIONS and USERSESSIONS.
fn count(name: &str, (text, origin): &(String, Origin)) -> Result<usize, String> {
    text.parse().ok().filter(|count| (1..=MOST_SESSIONS).contains(count)).ok_or_else(|| {
        let found = cut(text);
        format!("{name} ({origin}): `{found}` was found, a number of sessions from 1 to {MOST_SESSIONS} was expected")
    })
}

/// Highest value of SESSIONS and USERSESSIONS. Ours, as the keys are.
const MOST_SESSIONS: usize = 100_000;

/// Most addresses in HUBPEERS: twice what a sysplex has of systems.
const MOST_PEERS: usize = 64;

/// HUBPEERS: addresses, or networks, of the sysplex' systems. They say nothing where nobody is authenticated.
fn hub_peers(text: &str, origin: &Origin, trusted_tcp: Option<bool>) -> Result<Vec<IpNet>, String> {
    if trusted_tcp == Some(false) {
        return Err(format!("HUBPEERS ({origin}): TRUSTEDTCP=OFF was found, TRUSTEDTCP=ON was expected with it"));
    }
    let net = |word: &str| word.parse().ok().or_else(|| word.parse::<IpAddr>().ok().map(IpNet::from));
    let peers = text.split(',').map(|word| {
        net(word.trim()).ok_or_else(|| {
            let found = cut(word);
            format!("HUBPEERS ({origin}): `{found}` was found, IP addresses or networks were expected, with commas between them")
        })
    });
    let peers: Vec<IpNet> = peers.collect::<Result<_, _>>()?;
    if peers.len() > MOST_PEERS {
        return Err(format!(
            "HUBPEERS ({origin}): {} addresses were found, at most {MOST_PEERS} were expected",
            peers.len()
        ));
    }
    Ok(peers)
}

/// METRICS: address and port of this system.
fn metrics(text: &str, origin: &Origin) -> Result<SocketAddr, String> {
    text.parse().ok().filter(|address: &SocketAddr| address.port() != 0).ok_or_else(|| {
        let found = cut(text);
        format!("METRICS ({origin}): `{found}` was found, an address and a port such as 127.0.0.1:9100 was expected")
    })
}

/// A resource class of SAF, IBM's or an installation's own.
fn saf_class((text, origin): &(String, Origin)) -> Result<String, String> {
    let is_letter = |b: u8| b.is_ascii_uppercase() || b"@#$".contains(&b);
    let right = text.len() <= 8 && text.bytes().enumerate().all(|(n, b)| is_letter(b) || (n > 0 && b.is_ascii_digit()));
    if right && !text.is_empty() {
        return Ok(text.clone());
    }
    let found = cut(text);
    Err(format!(
        "SAFCLASS ({origin}): `{found}` was found, a class of 1 to 8 characters A-Z, 0-9, @, #, $ was expected"
    ))
}

fn on_or_off(name: &str, found: &(String, Origin)) -> Result<bool, String> {
    one_of(name, found, ["ON", "OFF"])
}

/// Is it the first one of two words?
fn one_of(name: &str, (text, origin): &(String, Origin), [yes, no]: [&str; 2]) -> Result<bool, String> {
    match text.as_str() {
        word if word == yes => Ok(true),
        word if word == no => Ok(false),
        _ => Err(format!("{name} ({origin}): `{}` was found, {yes} or {no} was expected", cut(text))),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn load_with(words: &[&str], env: &[(&str, &str)]) -> Result<Config, Problems> {
        let args = Args::try_parse_from([&["dbgmgr"], words].concat()).expect("clap takes it");
        load(&args, |key| env.iter().find(|(k, _)| *k == key).map(|(_, v)| (*v).to_owned()))
    }

    /// The one problem of an input.
    fn problem(words: &[&str]) -> String {
        let Problems(list) = load_with(words, &[]).expect_err("is wrong");
        assert_eq!(list.len(), 1, "{list:?}");
        list[0].clone()
    }

    #[test]
    fn the_defaults_are_those_of_the_books() {
        let config = load_with(&["5336", "5335"], &[]).expect("right");
        assert_eq!((config.host, config.client, config.hub, config.debug), (5336, 5335, None, false));
        assert_eq!((config.wait.as_secs(), config.run_dir.to_str()), (300, Some("/run/zos")));
        assert_eq!((config.sessions, config.user_sessions), (16_384, 64), "as README and the man page say");
        let config = load_with(&["5336", "5335", "", "DEBUG HUBIP=9.9.9.1"], &[]).expect("right");
        assert_eq!((config.hub, config.debug), (Some(([9, 9, 9, 1], 5337).into()), true));
    }

    #[test]
    fn prm_goes_before_the_file_and_the_file_before_the_environment() {
        let file = tempfile::NamedTempFile::new().expect("temp file");
        std::fs::write(file.path(), "* hub of PLEX1\nHUBIP = 9.9.9.2\n# port\nHUBPORT=5002\n\n").expect("write");
        let name = file.path().to_str().expect("utf-8");
        let env = [("HUBIP", "9.9.9.3"), ("HUBPORT", "5003"), ("WAIT", "7"), ("TRUSTEDTCP", "")];
        let config = load_with(&["--config", name, "5336", "5335", "HUBIP=9.9.9.1"], &env).expect("right");
        assert_eq!(config.hub, Some(([9, 9, 9, 1], 5002).into()));
        assert_eq!(config.wait.as_secs(), 7);
    }

    #[test]
    fn the_ports_too_come_from_anywhere_and_arguments_go_first() {
        let file = tempfile::NamedTempFile::new().expect("temp file");
        std::fs::write(file.path(), "HOST=6001\nCLIENT=6002\nDEBUG\nSAFCLASS=$DEBUG\n").expect("write");
        let name = file.path().to_str().expect("utf-8");
        let env = [("HOST", "7001"), ("CLIENT", "7002"), ("DEBUG", "OFF"), ("SAFCLASS", "XFACILIT")];
        let ports = |config: &Config| (config.host, config.client);
        let config = load_with(&["--config", name, "5336 5335"], &env).expect("right");
        assert_eq!((ports(&config), config.debug, config.saf_class.as_str()), ((5336, 5335), true, "$DEBUG"));
        let config = load_with(&["--config", name, "CLIENT=5335"], &env).expect("right");
        assert_eq!(ports(&config), (6001, 5335));
        let config = load_with(&["--config", name, "DEBUG=OFF"], &env).expect("right");
        assert_eq!((ports(&config), config.debug), ((6001, 6002), false));
        let config = load_with(&[], &env).expect("right");
        assert_eq!((ports(&config), config.debug, config.saf_class.as_str()), ((7001, 7002), false, "XFACILIT"));
    }

    #[test]
    fn each_wrong_word_is_named_with_where_it_came_from() {
        let cases: &[(&[&str], &str)] = &[
            (&["5336", "53SA"], "CLIENT (argument CLIENT): `53SA` was found"),
            (&["5336", "53SA"], "53&SYSCLONE"),
            (&["5336", "&EQADBM"], "symbol was not resolved"),
            (&["0", "5335"], "HOST (argument HOST): `0` was found"),
            (&["5336", "65536"], "1 to 65535"),
            (&["+5336", "5335"], "HOST (argument HOST): `+5336`"),
            (&["5335", "5335"], "HOST and CLIENT are both 5335"),
            (&["5336", "5337", "HUBIP=9.9.9.1"], "CLIENT and HUBPORT (default) are both 5337"),
            (&["5336", "5335", "HUBIP=9.9.9.1", "HUBPORT=5336"], "HOST and HUBPORT (argument PRM) are both 5336"),
            (&["5336", "5335", "HUBIP=9.9.9"], "HUBIP (argument PRM): `9.9.9` was found"),
            (&["5336", "5335", "HUBIP=0.0.0.0"], "every LPAR"),
            (&["5336", "5335", "HUBPROT=5337"], "unknown key `HUBPROT`; did you mean `HUBPORT`?"),
            (&["5336", "5335", "debug"], "did you mean `DEBUG`?"),
            (&["debug", "5335"], "HOST (argument HOST): `debug`"),
            (&["5336"], "CLIENT: nothing was found"),
            (&["DEBUG", "CLIENT=5335"], "HOST: nothing was found"),
            (&["5336", "5335", "CLIENT=5334"], "CLIENT is given a second time (first: argument CLIENT)"),
            (&["5336", "5335", "DEBUG=YES"], "DEBUG (argument PRM): `YES` was found, ON or OFF"),
            (&["5336", "5335", "DEBUG", "DEBUG"], "second time"),
            (&["5336", "5335", "METRICS=9100"], "METRICS (argument PRM): `9100` was found"),
            (&["5336", "5335", "METRICS=127.0.0.1:5335"], "CLIENT and METRICS are both 5335"),
            (&["5336", "5335", "SAFCLASS=1CLASS"], "SAFCLASS (argument PRM): `1CLASS` was found"),
            (&["5336", "5335", "SAFCLASS=TOOLONG99"], "a class of 1 to 8 characters"),
            (&["5336", "5335", "qqqq=1"], "the keys are HOST, CLIENT, CLIENTIP, HUBIP"),
            (&["5336", "5335", "WAIT=0"], "WAIT (argument PRM): `0` was found"),
            (&["5336", "5335", "WAIT="], "WAIT has no value"),
            (
                &["5336", "5335", "SESSIONS=0"],
                "SESSIONS (argument PRM): `0` was found, a number of sessions from 1 to 100000",
            ),
            (&["5336", "5335", "USERSESSIONS=many"], "USERSESSIONS (argument PRM): `many` was found"),
            (&["5336", "5335", "WAIT=1", "WAIT=2"], "second time"),
            (&["5336", "5335", "TRUSTEDTCP=YES"], "TRUSTEDTCP (argument PRM): `YES` was found, ON or OFF"),
            (&["5336", "5335", "NAMETOKEN=YES"], "NAMETOKEN (argument PRM): `YES` was found, PERSIST or NOPERSIST"),
            (&["5336", "5335", "PTKTDATA="], "PTKTDATA has no value"),
            (&["5336", "5335", "PTKTDATA=x"], "PTKTDATA (argument PRM): `x` was found, USED or NONE"),
            (&["5336", "5335", "HUBPEERS=9.9.9.1"], "TRUSTEDTCP=OFF was found, TRUSTEDTCP=ON was expected"),
            (&["5336", "5335", "TRUSTEDTCP=ON HUBPEERS=9.9.9.1,LPAR2"], "HUBPEERS (argument PRM): `LPAR2` was found"),
        ];
        for (words, expected) in cases {
            let problem = problem(words);
            assert!(problem.contains(expected), "{words:?}: {problem}");
        }
        // Without a hub its port may be anybody's.
        assert!(load_with(&["5336", "5337"], &[]).is_ok());
    }

    #[test]
    fn a_line_of_the_file_is_named_and_all_problems_are_told() {
        let file = tempfile::NamedTempFile::new().expect("temp file");
        std::fs::write(file.path(), "# a\nHUPIP=9.9.9.1\nWAIT=x\n").expect("write");
        let name = file.path().to_str().expect("utf-8");
        let Problems(list) = load_with(&["--config", name, "x", "5335"], &[]).expect_err("is wrong");
        assert_eq!(list.len(), 3, "{list:?}");
        assert!(list.iter().any(|p| p.contains("HOST (argument HOST): `x`")), "{list:?}");
        assert!(list.iter().any(|p| p.contains("line 2: unknown key `HUPIP`; did you mean `HUBIP`?")), "{list:?}");
        assert!(list.iter().any(|p| p.contains("line 3): `x` was found")), "{list:?}");
        assert!(load_with(&["--config", "/does/not/exist", "1", "2"], &[]).is_err());
    }
}
