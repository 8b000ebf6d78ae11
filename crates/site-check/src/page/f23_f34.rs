//! The field catalogue, F23 to F34.

use super::Page;
use crate::finding::Severity;

pub(super) const PAGES: [Page; 12] = [
    Page {
        code: "F23",
        title: "The AT-TLS rule is for another CLIENT port",
        severity: Some(Severity::Warning),
        symptom: "Sessions on one system fail with a handshake error, or run without encryption, and those on the other do \
            not.",
        cause: "A rule that was copied with the literal 5335 does not match on the system whose CLIENT port is 5334, so that \
            its port stays without TLS.",
        look: "`pasearch -t`; `D TCPIP,,NETSTAT,TTLS`.",
        remedy: "A rule for the CLIENT port of each system, or one for the range of all of them.",
        check: "Members with TTLSRule: whether their LocalPortRange covers the CLIENT port on some systems and not on \
            others.",
        sources: "The rule is documented (S11); the mistake is an inference (INF).",
    },
    Page {
        code: "F24",
        title: "A plain VIPABACKUP does not activate the DVIPA",
        severity: Some(Severity::Note),
        symptom: "After an IPL of the whole sysplex nobody can log on at the DVIPA until its owner is up; servers that bind it \
            fail with EADDRNOTAVAIL.",
        cause: "VIPABACKUP without MOVEABLE and mask takes over a DVIPA that is active, and does not activate one that is \
            active nowhere.",
        look: "`D TCPIP,,SYSPLEX,VIPADYN` shows it as backup only (S71); reason code 744C7230 (S46).",
        remedy: "VIPABACKUP rank MOVEABLE IMMEDIATE mask address on a backup that may come first.",
        check: "DVIPAs whose backups all have the plain form (note: right where the owner always comes first), and those \
            without any VIPADEFINE (error).",
        sources: "Documented (S45, S46).",
    },
    Page {
        code: "F25",
        title: "A router still sends to the owner that is gone",
        severity: None,
        symptom: "After the owner's crash clients time out for some time, although z/OS has moved the DVIPA; sessions stall \
            and then go on.",
        cause: "The router keeps its path until its dead-router interval is over.",
        look: "EZZ8301I on the backup (S60), and no packets arriving there (MEM).",
        remedy: "Shorten the interval on z/OS and in the routers; on a flat LAN let nothing filter gratuitous ARP.",
        check: "Routers and OMPROUTE are not among the members that are read.",
        sources: "Documented (S65).",
    },
    Page {
        code: "F26",
        title: "After a takeover the new owner does not know the listeners",
        severity: Some(Severity::Note),
        symptom: "After a takeover connections are refused, although the servers run.",
        cause: "With dynamic ports, a VIPADISTRIBUTE without PORT, the new owner may not learn which ports are bound at the \
            DVIPA.",
        look: "`D TCPIP,,NETSTAT,VDPT` on the new owner shows no ready target (S79).",
        remedy: "`V TCPIP,,SYSPLEX,QUIESCE,PORT=` and RESUME on the targets, the fix of APAR PI08005, or a PORT list.",
        check: "VIPADISTRIBUTE without PORT for a DVIPA with backups. A note, because the maintenance level is not in the \
            configuration.",
        sources: "Documented (S47, S79).",
    },
    Page {
        code: "F27",
        title: "A target is ready and cannot be reached",
        severity: Some(Severity::Warning),
        symptom: "Sessions on one system time out, although everything is active there.",
        cause: "VIPAROUTE leads to an address that is not the target's, or that the owner has no route to. The target is \
            ready, gets SYNs that do not arrive, and its TCSR falls to 0.",
        look: "EZD1182I with TCSR 0; TotalConn of the target stays 0 in `D TCPIP,,NETSTAT,VDPT,DETAIL` (S60).",
        remedy: "VIPAROUTE to a static VIPA or home address of the system that has the dynamic XCF address, and routes to it \
            on every owner.",
        check: "VIPAROUTE targets against all addresses of the system they are for. Routes in the network are not in the \
            configuration.",
        sources: "Documented (S60).",
    },
    Page {
        code: "F28",
        title: "Large packets do not fit through VIPAROUTE",
        severity: Some(Severity::Note),
        symptom: "A session begins, and stalls as soon as the client sends something large.",
        cause: "VIPAROUTE puts a GRE header of 24 bytes around each packet (an older APAR says 28). Full segments with the \
            bit for no fragmentation no longer fit, and the ICMP message that says so is filtered. Only what clients send is \
            concerned: a target answers them directly.",
        look: "A capture: the same full segment again and again (MEM). `D TCPIP,,NETSTAT,CONFIG` shows ADJUSTDVIPAMSS (MEM).",
        remedy: "GLOBALCONFIG ADJUSTDVIPAMSS AUTO or ALL on all systems; let ICMP type 3 code 4 pass; an MTU with room on the \
            path.",
        check: "Members with VIPAROUTE: ADJUSTDVIPAMSS NONE (warning), or not written (note, because the default depends on \
            the release). Topologies are not looked at.",
        sources: "Documented (S80). The values of ADJUSTDVIPAMSS, and that answers leave the target directly, are from memory (MEM).",
    },
    Page {
        code: "F29",
        title: "The target is quiesced",
        severity: None,
        symptom: "Sessions that run go on; those that begin on that system are announced and cannot be connected.",
        cause: "VARY TCPIP,,SYSPLEX,QUIESCE keeps new connections from the system.",
        look: "`D TCPIP,,NETSTAT,VDPT`: Rdy 000 for the system (MEM; the lab's goes on counting and says Inactive).",
        remedy: "`V TCPIP,,SYSPLEX,RESUME` there.",
        check: "It is an operator's command to a running system.",
        sources: "Documented (S61).",
    },
    Page {
        code: "F30",
        title: "The server listens at the system's own address alone",
        severity: Some(Severity::Warning),
        symptom: "Connection refused at the DVIPA, although the port is in the PORT list and the server runs.",
        cause: "A listener at another address than the DVIPA does not make its system a ready target. PORT ... BIND in \
            PROFILE.TCPIP gives a server that binds any address another one.",
        look: "`D TCPIP,,NETSTAT,VDPT`: Rdy 000 (S42); `D TCPIP,,NETSTAT,CONN` shows the listener with a home address \
            (MEM).",
        remedy: "Bind any address or the DVIPA: take BIND off the PORT statement, or name the DVIPA there.",
        check: "PORT ... BIND for CLIENT ports and RSED's, and the bind address of plain servers, against the DVIPA that \
            distributes the port.",
        sources: "From memory (MEM).",
    },
    Page {
        code: "F31",
        title: "TIMEDAFFINITY on the port of RSED",
        severity: Some(Severity::Note),
        symptom: "All users of a site land on one system, and come back to it when it is to be drained.",
        cause: "The affinity is that of the client's address: users behind one NAT or jump host share it, and each logon \
            starts its timer again.",
        look: "`D TCPIP,,NETSTAT,VCRT,DETAIL` shows the affinities (S64); one system has all users.",
        remedy: "No TIMEDAFFINITY on RSED's port, or one of seconds.",
        check: "TIMEDAFFINITY on a port that RSED listens on, with several systems. A note, because NAT is not in the \
            configuration.",
        sources: "An inference (INF) from S58.",
    },
    Page {
        code: "F32",
        title: "A check for a free port finds that of another DVIPA",
        severity: None,
        symptom: "The start of a second instance fails with a port in use, although its address is another one.",
        cause: "The procedure looks for the port in NETSTAT without the address.",
        look: "The script of the procedure; NETSTAT shows the same port at two addresses (MEM).",
        remedy: "Compare address and port.",
        check: "Scripts are not among the members that are read.",
        sources: "Documented for Zowe (issue 2943 of zowe-install-packaging).",
    },
    Page {
        code: "F33",
        title: "A DVIPA of a VIPARANGE that nobody binds",
        severity: Some(Severity::Warning),
        symptom: "Nobody can log on at the DVIPA: it does not answer at all, not even to ping.",
        cause: "A DVIPA of a VIPARANGE comes into being when a server binds it. Debug Manager and RSED listen on any \
            address, so it never does; nor can VIPADISTRIBUTE name it.",
        look: "`D TCPIP,,NETSTAT,VIPADYN` does not show the address (S70).",
        remedy: "VIPADEFINE and VIPABACKUP for the DVIPA; or PORT ... BIND for the one server that owns it.",
        check: "Members whose only DVIPAs are those of a VIPARANGE, and a VIPADISTRIBUTE for an address that is none but of \
            a VIPARANGE.",
        sources: "Documented for Zowe (issue 535 of zss); that VIPADISTRIBUTE needs VIPADEFINE is from memory (MEM).",
    },
    Page {
        code: "F34",
        title: "SHAREPORT lowers the target's TSR",
        severity: Some(Severity::Note),
        symptom: "More users than meant land on some systems, with no other reason to be seen.",
        cause: "With SHAREPORT the target server responsiveness of a system that is all right may be too low, and weights \
            are changed by it.",
        look: "`D TCPIP,,NETSTAT,VDPT,DETAIL`: TSR below 100 without a reason (S81).",
        remedy: "Take SHAREPORT off ports that one server has; for others the fix of the APAR.",
        check: "SHAREPORT of ports that a method with weights distributes to the system. A note, because the maintenance \
            level is not in the configuration.",
        sources: "Documented (S81).",
    },
];
