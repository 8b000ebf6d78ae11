//! `dbgmgr --check` looks at the files of TLS, too, and names the parameter, where it was given, and the file.

mod common;
#[path = "common/tls.rs"]
mod tls;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use tls::Authority;

/// Exit status, and what was said.
fn check(words: &[String]) -> (Option<i32>, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_dbgmgr")).args(["--check", "5336", "5335"]).args(words).output();
    let out = out.expect("run dbgmgr --check");
    let said = [out.stdout, out.stderr].concat();
    (out.status.code(), String::from_utf8(said).expect("UTF-8"))
}

/// The one problem of these words.
fn problem(words: &[String]) -> String {
    let (code, said) = check(words);
    assert_eq!(code, Some(2), "{said}");
    let said = said.strip_prefix("EQACM930E ").unwrap_or_else(|| panic!("{said}"));
    assert_eq!(said.lines().count(), 1, "{said}");
    said.trim_end().to_owned()
}

#[test]
fn what_is_right_is_shown_as_lines_of_a_file_that_can_be_read_again() {
    let authority = Authority::new();
    let words = [authority.client_tls(), authority.hub_tls("hub")].concat();
    let (code, said) = check(&words);
    assert_eq!(code, Some(0), "{said}");
    for word in &words {
        assert!(said.lines().any(|line| line == word), "{word} in {said}");
    }
    let file = authority.path("dbgmgr.conf");
    std::fs::write(&file, &said).expect("write");
    let out =
        Command::new(env!("CARGO_BIN_EXE_dbgmgr")).args(["--check", "--config"]).arg(&file).output().expect("run");
    assert_eq!(String::from_utf8_lossy(&out.stdout), said);

    // One certificate for both.
    let path = |name: &str| authority.path(name).display().to_string();
    let one = [authority.client_tls(), vec!["HUBTLS=ON".to_owned(), format!("TLSCA={}", path("ca.pem"))]].concat();
    let (code, said) = check(&one);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("HUBTLS=ON\n") && !said.contains("HUBCERT"), "{said}");
}

#[test]
fn a_file_that_is_wrong_is_named() {
    let authority = Authority::new();
    let right = authority.client_tls();
    let path = |name: &str| authority.path(name).display().to_string();
    let with = |n: usize, word: String| {
        let mut words = right.clone();
        words[n] = word;
        problem(&words)
    };
    let write = |name: &str, text: &str| {
        std::fs::write(path(name), text).expect("write");
        std::fs::set_permissions(path(name), Permissions::from_mode(0o600)).expect("mode");
    };
    let (cert, key) = (path("dbm.pem"), path("dbm.key"));
    let missing = with(1, format!("TLSCERT={}", path("none.pem")));
    assert!(missing.starts_with(&format!("TLSCERT (argument PRM): {}: No such file", path("none.pem"))), "{missing}");
    write("empty.pem", "# nothing\n");
    let empty = with(1, format!("TLSCERT={}", path("empty.pem")));
    assert!(empty.contains("no certificate was found, -----BEGIN CERTIFICATE----- (PEM) was expected"), "{empty}");
    write("bad.pem", "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n");
    let bad = with(1, format!("TLSCERT={}", path("bad.pem")));
    assert!(bad.contains("certificates in PEM were expected"), "{bad}");
    write("cert.key", &std::fs::read_to_string(&cert).expect("certificate"));
    let no_key = with(2, format!("TLSKEY={}", path("cert.key")));
    assert!(no_key.contains("no private key was found, -----BEGIN PRIVATE KEY-----"), "{no_key}");
    write("word.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n");
    let encrypted = with(2, format!("TLSKEY={}", path("word.key")));
    assert!(encrypted.contains("no private key was found") && encrypted.contains("encrypted"), "{encrypted}");
    authority.issue("other", &["127.0.0.1"]);
    let pair = with(2, format!("TLSKEY={}", path("other.key")));
    let expected =
        format!("TLSKEY (argument PRM): {}: the private key of the certificate in {cert}", path("other.key"));
    assert!(pair.starts_with(&expected), "{pair}");
    for mode in [0o604, 0o602, 0o660] {
        std::fs::set_permissions(&key, Permissions::from_mode(mode)).expect("mode");
        let open = problem(&right);
        let expected = format!("TLSKEY (argument PRM): {key}: others may read or change the key: mode {mode:03o}");
        assert!(open.starts_with(&expected), "{open}");
    }
    std::fs::set_permissions(&key, Permissions::from_mode(0o400)).expect("mode");
    assert_eq!(check(&right).0, Some(0));
    std::fs::write(path("long.pem"), vec![b'\n'; 1024 * 1024 + 1]).expect("write");
    let long = with(1, format!("TLSCERT={}", path("long.pem")));
    assert!(long.contains("more than 1048576 bytes were found"), "{long}");
}

#[test]
fn what_is_missing_or_of_no_use_is_named() {
    let authority = Authority::new();
    let path = |name: &str| authority.path(name).display().to_string();
    let (client, hub) = (authority.client_tls(), authority.hub_tls("hub"));
    let word = |text: &str| vec![text.to_owned()];
    let cases: Vec<(Vec<String>, String)> = vec![
        (
            word("CLIENTTLS=ON"),
            "TLSCERT: nothing was found, a PEM file with the certificate of this system was expected, because \
                                CLIENTTLS=ON was found"
                .to_owned(),
        ),
        (client[..2].to_vec(), "TLSKEY: nothing was found".to_owned()),
        (
            client[1..2].to_vec(),
            "TLSCERT (argument PRM): CLIENTTLS=OFF was found, CLIENTTLS=ON was expected with it".to_owned(),
        ),
        (hub[1..2].to_vec(), "TLSCA (argument PRM): HUBTLS=OFF was found, HUBTLS=ON was expected with it".to_owned()),
        ([&client[..], &hub[2..3]].concat(), "HUBCERT (argument PRM): HUBTLS=OFF was found".to_owned()),
        ([&hub[..1], &hub[2..]].concat(), "TLSCA: nothing was found".to_owned()),
        (hub[..3].to_vec(), "HUBKEY: nothing was found".to_owned()),
        ([&hub[..1], &[format!("TLSCA={}", path("hub.key"))], &hub[2..]].concat(), "TLSCA (argument PRM)".to_owned()),
        (word("CLIENTTLS=YES"), "CLIENTTLS (argument PRM): `YES` was found, ON or OFF was expected".to_owned()),
    ];
    for (words, expected) in cases {
        let found = problem(&words);
        assert!(found.starts_with(&expected), "{words:?}: {found}");
    }
}

#[test]
fn a_configuration_file_without_an_end_is_not_read_to_it() {
    let out =
        Command::new(env!("CARGO_BIN_EXE_dbgmgr")).args(["--check", "--config", "/dev/zero", "5336", "5335"]).output();
    let out = out.expect("run");
    assert_eq!(out.status.code(), Some(2));
    let said = String::from_utf8(out.stderr).expect("UTF-8");
    let expected =
        "EQACM930E configuration file /dev/zero: more than 1048576 bytes were found, at most as many were expected\n";
    assert_eq!(said, expected);
}
