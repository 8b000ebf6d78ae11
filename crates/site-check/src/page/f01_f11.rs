//! The field catalogue, F01 to F11.

use super::Page;
use crate::finding::Severity;

pub(super) const PAGES: [Page; 11] = [
    Page {
        code: "F01",
        title: "A CLIENT port is missing in VIPADISTRIBUTE PORT",
        severity: Some(Severity::Error),
        symptom: "The client is notified of the debug session and then cannot connect: connection refused. It may work when \
            the job runs on the system that owns the DVIPA.",
        cause: "A port that is in no PORT list is not distributed. The SYN goes to the owner's own stack, which resets it, \
            or answers it if a Debug Manager there listens on that port. A system that is no target in DESTIP has the \
            same effect.",
        look: "`D TCPIP,,NETSTAT,VDPT` has no line for the port; `F DBGMGR,APPL=DBM,D,U` on the job's system stays at \
            `waits for engine connection` until the time is up.",
        remedy: "Add the CLIENT port of every Debug Manager to the PORT list, with its system as a target; also in the \
            VIPADISTRIBUTE of the backups.",
        check: "Every Debug Manager's CLIENT port against the PORT lists and targets of the DVIPAs; the DVIPA that users log \
            on at against the one that has the port; what a backup's own VIPADISTRIBUTE lists.",
        sources: "Documented (S0). That the owner's stack answers an unlisted port, and that a backup's own statements count \
            after a takeover, is from memory (MEM).",
    },
    Page {
        code: "F02",
        title: "Two Debug Managers have the same CLIENT port",
        severity: Some(Severity::Error),
        symptom: "Debugging works now and then: about every second session of a user on another system ends at once, with a \
            connection that was accepted and closed.",
        cause: "The Sysplex Distributor spreads connections to the port over all systems that listen on it. What reaches the \
            wrong Debug Manager finds no session there.",
        look: "`D TCPIP,,NETSTAT,VDPT` shows several ready targets for the port; `D,U` on the job's system stays at `waits \
            for engine connection`.",
        remedy: "A CLIENT port of its own for each system, such as `CLIENT=53&SYSCLONE` or `CLIENT=&EQADBM`, all of them in \
            VIPADISTRIBUTE PORT.",
        check: "CLIENT ports of the Debug Managers on all targets, symbols resolved.",
        sources: "Documented (S0).",
    },
    Page {
        code: "F03",
        title: "Debug Manager has no hub",
        severity: Some(Severity::Warning),
        symptom: "A user who is logged on to another system than the one where the job runs is never told of the debug \
            session; the job waits and then goes on or ends. With user and job on one system it works.",
        cause: "Without HUBIP the Debug Managers do not know of each other's users; so does every release up to 15.",
        look: "`F DBGMGR,APPL=DBM,D,U` on the job's system: `waits for register connection`, although the user is logged on \
            elsewhere.",
        remedy: "The same HUBIP and HUBPORT for all instances; on releases before 16 keep the job on the user's system with \
            SYSAFF=* on the JOB card.",
        check: "Debug Managers without HUBIP, when there are several.",
        sources: "Documented (S5, S7).",
    },
    Page {
        code: "F04",
        title: "HUBIP leads to no primary, or not all to the same",
        severity: Some(Severity::Warning),
        symptom: "Sessions of jobs on other systems than the user's are never announced; with both on one system it works. It \
            may heal by itself.",
        cause: "The instance that owns HUBIP becomes primary, the others connect to it. Where nobody can bind the address, \
            or instances name different ones, each works alone and tries again periodically.",
        look: "No listener on HUBPORT: `D TCPIP,,NETSTAT,CONN` (MEM); the message logs of the Debug Managers; `D,U` as for F03.",
        remedy: "One HUBIP, an address of a system on which Debug Manager runs, and one HUBPORT for all. While they run: `F \
            DBGMGR,APPL=DBM,H,...`.",
        check: "HUBIP against the addresses of the systems, and on which of them a Debug Manager runs; whether all name the \
            same hub. That a right hub is down is not in the configuration.",
        sources: "Documented (S5).",
    },
    Page {
        code: "F05",
        title: "HUBIP is an address that several systems can bind",
        severity: Some(Severity::Error),
        symptom: "Notifications get lost at random: some users are found on other systems and some are not, and a restart of a \
            Debug Manager changes who.",
        cause: "The primary is whoever can bind HUBIP. A distributed DVIPA is on the owner and on all targets, and 127.0.0.1 \
            on every system, so that there are several primaries.",
        look: "A listener on HUBPORT on more than one system: `D TCPIP,,NETSTAT,CONN` on each (MEM).",
        remedy: "Use an address that one system alone has: its home address or its dynamic XCF address.",
        check: "HUBIP against the DVIPAs that are distributed to other systems, and loopback.",
        sources: "An inference (INF) from how the role is given (S5).",
    },
    Page {
        code: "F06",
        title: "TRUSTEDTCP on one side only, or no permission",
        severity: Some(Severity::Warning),
        symptom: "Sessions of jobs on other systems than the user's are never announced, although the network is right and the \
            hub answers.",
        cause: "With TRUSTEDTCP=ON the hub asks its own stack who the partner is. A side that does not take part, or whose \
            user id has no READ on EZB.IOCTL.sysname.tcpprocname.PARTNERINFO, is refused.",
        look: "Message logs of the Debug Managers; ICH408I for the SERVAUTH profile (MEM).",
        remedy: "TRUSTEDTCP=ON for all or for none; PERMIT Debug Manager's user id in class SERVAUTH on every system.",
        check: "TRUSTEDTCP of the Debug Managers that have a hub. Profiles and permissions of RACF are not in \
            the configuration that is read.",
        sources: "TRUSTEDTCP and the profile are documented (S5); what happens without them is an inference (INF). That a primary refuses \
            a secondary without TRUSTEDTCP is the lab's choice.",
    },
    Page {
        code: "F07",
        title: "SYSCLONE gives no port, or one that is taken",
        severity: Some(Severity::Warning),
        symptom: "No session on one system ever works: DBGMGR ended at its start. Others are not affected.",
        cause: "`53&SYSCLONE` is a port only if SYSCLONE is numeric. It often is not (`53SA`), is the same on two systems, \
            or makes a port that Debug Manager has already: 5336 is HOST, 5337 HUBPORT.",
        look: "SYSPRINT of DBGMGR on that system; `D SYMBOLS` (MEM).",
        remedy: "A symbol of your own with the whole port, such as &EQADBM, or SYSCLONE values that are numeric, unique and \
            neither 36 nor 37.",
        check: "What the symbols make of CLIENT on every system, against HOST and HUBPORT there; whether SYSCLONE is unique.",
        sources: "Documented that it must be numeric and unique (S0, S75); the collision is an inference from the defaults \
            (INF; S2).",
    },
    Page {
        code: "F08",
        title: "A system symbol is not defined when the task starts",
        severity: Some(Severity::Error),
        symptom: "No session on one system ever works after an IPL; after a restart of DBGMGR by hand it does.",
        cause: "&EQADBM is set by the EQADVIPA job. If DBGMGR starts before it has run, the procedure has the symbol's name \
            in place of a port.",
        look: "SYSPRINT and JESJCL of DBGMGR show `&EQADBM`; `D SYMBOLS` shows whether it is there now (MEM).",
        remedy: "Run EQADVIPA before DBGMGR in the IPL, or define the symbol in IEASYMxx.",
        check: "Symbols of the procedures when they are started, in the order of the START commands in site.toml.",
        sources: "Documented that it must exist before (S0). What z/OS does with an undefined symbol in JCL is from memory \
            (MEM) and uncertain.",
    },
    Page {
        code: "F09",
        title: "ROUNDROBIN with an even number of systems and clients without TLS",
        severity: Some(Severity::Note),
        symptom: "All users land on every second system, and the others have none.",
        cause: "A client tries TLS first and then connects without: two connections for each logon. With ROUNDROBIN and an \
            even number of systems the second one, which stays, always comes to the same half of them.",
        look: "`D TCPIP,,NETSTAT,VDPT` (S42): TotalConn grows alike on all systems, and RSED on every second one has no users \
            (INF).",
        remedy: "BASEWLM for RSED's port, TLS for the clients, or a short TIMEDAFFINITY.",
        check: "DISTMETHOD ROUNDROBIN on RSED's port with an even number of systems with RSED, without TIMEDAFFINITY. A \
            note, because whether clients use TLS is not in the configuration.",
        sources: "Documented (S32). That an affinity helps is an inference (INF).",
    },
    Page {
        code: "F10",
        title: "SERVERWLM on the port of RSED",
        severity: Some(Severity::Warning),
        symptom: "Users pile up on one system while others are idle.",
        cause: "The weights are those of RSED, which does nothing but logons; the work is done in the RSE servers, which it \
            starts.",
        look: "`D TCPIP,,NETSTAT,VDPT,DETAIL` (S42): weights that do not follow the load of the RSE servers (INF).",
        remedy: "BASEWLM for RSED's port.",
        check: "DISTMETHOD SERVERWLM on a port that RSED listens on.",
        sources: "Documented restriction (S32).",
    },
    Page {
        code: "F11",
        title: "RSED is distributed without SYSPLEXPORTS",
        severity: Some(Severity::Warning),
        symptom: "A logon hangs or fails after the password was accepted, for some users, sometimes.",
        cause: "The client's second connection goes to a port that the RSE server took on one system. Without SYSPLEXPORTS \
            another system may have given the same port to somebody, or the distributor does not know whose it is. \
            Switched on later it has no effect: it counts on the first VIPADISTRIBUTE of a DVIPA alone.",
        look: "`D TCPIP,,NETSTAT,VIPADCFG`: SysPt No (S68).",
        remedy: "SYSPLEXPORTS on the first VIPADISTRIBUTE of the DVIPA; on a running stack delete all distribution of the \
            DVIPA, then define it anew. It needs the structure EZBEPORT.",
        check: "DVIPAs that distribute RSED's port to several systems whose second port is an ephemeral one, without \
            SYSPLEXPORTS in effect.",
        sources: "Documented (S32, S51). How the distributor learns of second ports is uncertain.",
    },
];
