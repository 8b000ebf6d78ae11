//! What kernel 6.1 and ipvsadm 1.31 print, and what nobody prints.

use proptest::prelude::*;
use sysplex::Sysplex;

use super::*;

const CONNECTIONS: &str = "\
Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData
TCP fd00:0010:0000:0000:0000:0000:0000:0065 8188 fd00:0010:0000:0000:0000:0000:0000:0001 0FC3 fd00:0009:0000:0000:0000:0000:0000:0002 0FC3 ESTABLISHED   86396
TCP 0A0A0A65 AECE 0A0A0A01 0FC3 09090901 0FC3 SYN_RECV         58
TCP 0A0A0A65 AECF 0A0A0A01 0FC3 09090901 0FC3 FIN_WAIT         28
TCP 0A0A0A65 AED0 0A0A0A01 0FC3 09090901 0FC3 CLOSE             8
TCP 0A0A0A65 0000 0A0A0A01 0FC3 09090902 0FC3 ASSURED          26
TCP 0A0A0A65 0000 0A0A0A01 FFFF 09090902 FFFF ASSURED          26
TCP 0A0A0A01 AED1 0A0A0A01 0FC3 7F000001 0FC3 ESTABLISHED   86396
UDP 0A0A0A65 AED0 0A0A0A01 0FC3 0A0A0A0B 0FC3 UDP               8
";

const SERVICES: &str = "\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  [fd00:0010:0000:0000:0000:0000:0000:0001]:0FC3 wlc \n  \
  -> [fd00:0009:0000:0000:0000:0000:0000:0002]:0FC3      Route   3      1          0         
TCP  0A0A0A01:0FC3 rr  persistent 7500 FFFFFFFF
  -> 09090903:0FC3      Route   0      0          0         
  -> 09090902:0FC3      Route   0      0          0         
  -> 09090901:0FC3      Route   1      1          2         
FWM  00001001 rr \n  \
  -> 09090902:0000      Route   1      0          0         
";

const STATISTICS: &str = "\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes
  -> RemoteAddress:Port
TCP  10.10.10.1:4035                     9        2        1      112       60
  -> 9.9.9.3:4035                        0        0        0        0        0
  -> 9.9.9.2:4035                        7        0        0        0        0
  -> 9.9.9.1:4035                        2        2        1      112       60
TCP  [fd00:10::1]:4035                   1        2        1      152       80
  -> [fd00:9::2]:4035                    1        2        1      152       80
FWM  4097                                0        0        0        0        0
  -> 9.9.9.2:0                           0        0        0        0        0
FWM  4097 IPv6                           0        0        0        0        0
";

fn read(outputs: [&str; 3]) -> Result<Tables, ReadError> {
    parse(&Servers::new(&Sysplex::uniform(3)), &outputs.map(str::to_owned))
}

fn error(outputs: [&str; 3]) -> String {
    read(outputs).expect_err("not what is printed").to_string()
}

#[test]
fn connections_that_are_not_ended() {
    let vcrt = read([CONNECTIONS, SERVICES, STATISTICS]).expect("tables").vcrt;
    let text = |e: &VcrtEntry| format!("{} {} {} {}", e.client, e.dvipa, e.target, e.expires.as_secs());
    let expected = ["[fd00:10::65]:33160 [fd00:10::1]:4035 2 86396", "10.10.10.101:44750 10.10.10.1:4035 1 58"];
    assert_eq!(vcrt.iter().map(text).collect::<Vec<_>>(), expected);
}

#[test]
fn affinities_that_are_not_dropped() {
    let affinities = read([CONNECTIONS, SERVICES, STATISTICS]).expect("tables").affinities;
    let text = |a: &Affinity| format!("{} {} {} {}", a.client, a.dvipa, a.target, a.expires.as_secs());
    assert_eq!(affinities.iter().map(text).collect::<Vec<_>>(), ["10.10.10.101 10.10.10.1:4035 2 26"]);
}

#[test]
fn targets_that_take_connections_or_were_sent_any() {
    let vdpt = read([CONNECTIONS, SERVICES, STATISTICS]).expect("tables").vdpt;
    let text = |e: &VdptEntry| format!("{} {} {} {}", e.dvipa, e.target, e.weight, e.total);
    // The counters still say 2 for the first, but it has three entries.
    let expected = ["10.10.10.1:4035 1 1 3", "10.10.10.1:4035 2 0 7", "[fd00:10::1]:4035 2 3 1"];
    assert_eq!(vdpt.iter().map(text).collect::<Vec<_>>(), expected);
}

#[test]
fn something_else() {
    let stranger = CONNECTIONS.replace("09090901 0FC3 SYN", "09090963 0FC3 SYN");
    let expected = "not what cat prints: found 9.9.9.99 as a target, expected the XCF address of an LPAR";
    assert_eq!(error([&stranger, SERVICES, STATISTICS]), expected);
    let expected = "not what cat prints: found `TCP 0A0A0A65`, expected a connection";
    assert_eq!(error(["Pro FromIP\nTCP 0A0A0A65", SERVICES, STATISTICS]), expected);
    let text = error([CONNECTIONS, &SERVICES.replace("Route   3", "Route   x"), STATISTICS]);
    assert!(text.contains("expected numbers"), "{text}");
    let text = error([CONNECTIONS, SERVICES, "ipvsadm: no\n"]);
    assert!(text.contains("not what ipvsadm prints: found no `IP Virtual Server version`"), "{text}");
    assert!(parse(&Servers::new(&Sysplex::uniform(1)), &[]).is_err());
}

proptest! {
    #[test]
    fn no_output_makes_it_panic(text in any::<String>(), cut in 0usize..900) {
        let cut = |text: &str| text.get(..cut).unwrap_or_default().to_owned();
        for outputs in [
            [&*text, SERVICES, STATISTICS],
            [CONNECTIONS, &text, STATISTICS],
            [CONNECTIONS, SERVICES, &text],
            [&cut(CONNECTIONS), &cut(SERVICES), &cut(STATISTICS)],
        ] {
            let _ = read(outputs);
        }
        let heads = [CONNECTIONS, SERVICES, STATISTICS].map(|output| output.lines().next().unwrap_or_default());
        let outputs = heads.map(|head| format!("{head}\n\n\n{text}"));
        let _ = read(outputs.each_ref().map(String::as_str));
    }
}
