//! The field catalogue, F12 to F22.

use super::Page;
use crate::finding::Severity;

pub(super) const PAGES: [Page; 11] = [
    Page {
        code: "F12",
        title: "The structure EZBEPORT is absent or lost",
        severity: None,
        symptom: "A logon fails after the password, for all users, or programs on a target cannot connect outwards \
            (EADDRNOTAVAIL).",
        cause: "SYSPLEXPORTS takes its ports from the structure EZBEPORT in the coupling facility.",
        look: "`D XCF,STR,STRNM=EZBEPORT*` (MEM); reason code JRSRCIPDistDVIPA (S78).",
        remedy: "Define the structure in the CFRM policy, with room for the sysplex, and have it rebuilt.",
        check: "The CFRM policy and the coupling facility's state are not among the members that are read.",
        sources: "Documented (S32, S78). In the lab all new sockets of a system are without a port then, on z/OS those of the DVIPA.",
    },
    Page {
        code: "F13",
        title: "Two systems have the same _RSE_PORTRANGE",
        severity: Some(Severity::Warning),
        symptom: "A logon hangs or fails after the password was accepted, sometimes; the more users log on at once, the \
            oftener.",
        cause: "The second connection of a logon goes to a port of the range. With the same range on two systems it may \
            reach the one that does not wait for it.",
        look: "rse.env of both systems; the RSE server's log shows a port on which nobody came (MEM).",
        remedy: "A range of its own for each system, reserved on all of them; it needs APAR PM63379, and an rse.env for each \
            system.",
        check: "_RSE_PORTRANGE of the RSE daemons that one DVIPA distributes to.",
        sources: "Documented (S34). That a port of several ranges belongs to the first system is the lab's choice.",
    },
    Page {
        code: "F14",
        title: "_RSE_PORTRANGE is too small",
        severity: Some(Severity::Error),
        symptom: "Some users cannot log on when many do so at once, and it works when they try again.",
        cause: "The end of the range is exclusive: 8108-8118 has ten ports, 8108-8109 one, 8108-8108 none. A port is held \
            from the server's bind to the client's connect.",
        look: "The RSE server's log: bind failures (MEM).",
        remedy: "Ports for as many logons as may come at the same moment, and one more as the range's end.",
        check: "Ranges that hold no port (error) or one (warning). How many are enough depends on the users.",
        sources: "Documented (S31, S33).",
    },
    Page {
        code: "F15",
        title: "A firewall passes the port of RSED alone",
        severity: None,
        symptom: "A logon hangs after the password, or the notification of a debug session arrives and the connection times \
            out.",
        cause: "The RSE server's second port and the CLIENT ports of Debug Manager are blocked; what is dropped is a \
            time-out, not a refusal.",
        look: "A packet trace at the host: no SYN arrives (MEM).",
        remedy: "Open _RSE_PORTRANGE or the ephemeral ports, and the CLIENT port of every system, for the DVIPA.",
        check: "The firewall is not among the members that are read.",
        sources: "Documented (S21, S30).",
    },
    Page {
        code: "F16",
        title: "Users log on at a system's own address",
        severity: Some(Severity::Warning),
        symptom: "The notification of a session on another system arrives, and the client gets connection refused; sessions on \
            the user's own system work.",
        cause: "The client dials the session's port at the address that it logged on to. At the real address of one system \
            nobody listens on another system's CLIENT port.",
        look: "The host name in the client's connection; `D TCPIP,,NETSTAT,CONN` shows the logon at a home address (MEM).",
        remedy: "Log on at the DVIPA; distribute RSED's port at the DVIPA that distributes the CLIENT ports.",
        check: "DVIPAs that distribute CLIENT ports when none distributes RSED's port. Which address users type is not in \
            the configuration.",
        sources: "An inference (INF) from S32.",
    },
    Page {
        code: "F17",
        title: "The user is not logged on, or no longer registered",
        severity: None,
        symptom: "The job waits, and nothing happens at the client; after some minutes the job goes on or ends.",
        cause: "A session waits for its user to log on. After a restart of Debug Manager the users who were logged on before \
            may no longer be registered.",
        look: "`F DBGMGR,APPL=DBM,D,U`: `waits for register connection`.",
        remedy: "Log on while the session waits; log on again after a restart of Debug Manager.",
        check: "Who is logged on when is not configuration.",
        sources: "Documented (S4). Whether the Debug Miner registers anew after a restart of Debug Manager is uncertain.",
    },
    Page {
        code: "F18",
        title: "The job asks for another user",
        severity: None,
        symptom: "The job waits, and the user, who is logged on, sees nothing.",
        cause: "TEST(,,,DBMDT) without %userid means the job's own user id, which for CICS, started tasks and scheduled jobs \
            is not the programmer's.",
        look: "`F DBGMGR,APPL=DBM,D,U` names another user than the one who waits.",
        remedy: "TEST(,,,DBMDT%userid:*).",
        check: "Run-time options of jobs are not among the members that are read; a job may rightly run under its owner's \
            user id.",
        sources: "The option is documented (S12, S13); the effect is an inference (INF).",
    },
    Page {
        code: "F19",
        title: "RSED runs without Debug Manager on its system",
        severity: Some(Severity::Warning),
        symptom: "Users who land on one system never see a debug session, wherever the job runs; those on other systems do.",
        cause: "The Debug Miner registers a user with the Debug Manager of its own system, which it finds by name and token \
            there. Where none runs, nobody is registered.",
        look: "`D A,DBGMGR` on that system (MEM); the RSE server's log.",
        remedy: "Start DBGMGR on every system where RSED is active.",
        check: "Systems with RSED and without Debug Manager, when there is a Debug Manager elsewhere.",
        sources: "Documented (S0).",
    },
    Page {
        code: "F20",
        title: "A name/token pair outlives Debug Manager",
        severity: None,
        symptom: "The job's debugger cannot reach Debug Manager, or talks to another program, after Debug Manager has ended \
            abnormally.",
        cause: "A persistent pair of system level stays until the next IPL and has the port of an instance that is gone.",
        look: "DBGMGR is not active, and the debugger reports a connection that failed instead of no Debug Manager (INF).",
        remedy: "Start DBGMGR again with the same HOST port.",
        check: "It is the state of a running system.",
        sources: "Persistence is documented (S24). Which kind EQAZPCM makes is uncertain; the lab's Debug Manager makes one \
            that persists with NAMETOKEN=PERSIST, a key of its own.",
    },
    Page {
        code: "F21",
        title: "Debug Manager is not APF authorised, or PassTickets are not valid",
        severity: None,
        symptom: "Users log on without trouble and never see a debug session.",
        cause: "Debug Manager checks PassTickets, for which SEQAAUTH must be APF authorised, and the profiles of class \
            PTKTDATA must be right.",
        look: "`F DBGMGR,APPL=DBM,D,U` answers EQACM103I, although users are logged on; `D PROG,APF` and \
            ICH408I (MEM).",
        remedy: "Put SEQAAUTH in the APF list; define the PassTicket keys on all systems.",
        check: "APF lists and RACF are not among the members that are read.",
        sources: "Documented (S10). There is no RACF in the lab: its Debug Manager has the key PTKTDATA=NONE for it.",
    },
    Page {
        code: "F22",
        title: "The client presents a token that is wrong or old",
        severity: None,
        symptom: "The connection to the session is accepted and closed at once.",
        cause: "The client's engine must present the security token that came with the notification. One that is used again, \
            or is too old, is refused.",
        look: "The message log of Debug Manager at level I or higher (`F DBGMGR,APPL=DBM,LL,I`).",
        remedy: "Start the session anew. If it happens always, look for a proxy that repeats connections, and for clocks that \
            differ.",
        check: "It happens in a running system.",
        sources: "Documented that a token is needed (S10); its form is uncertain.",
    },
];
