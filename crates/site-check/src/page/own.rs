//! Rules of configuration that are not in the field catalogue.

use super::Page;
use crate::finding::Severity;

pub(super) const PAGES: [Page; 7] = [
    Page {
        code: "D01",
        title: "The text of a system symbol is longer than its name with the ampersand",
        severity: Some(Severity::Warning),
        symptom: "Nobody sees it until an IPL: the operator is prompted for the symbol's text, and started tasks that use the \
            symbol wait or get another value.",
        cause: "IEASYMxx takes a substitution text that is at most as long as the name with its ampersand; `&EQADBM` has \
            room for 7 characters.",
        look: "At IPL the system prompts for the symbol; `D SYMBOLS` shows what it became.",
        remedy: "Give the symbol a longer name or a shorter text.",
        check: "The symbols of every LPAR, after substitution.",
        sources: "Documented (S73, S74).",
    },
    Page {
        code: "D02",
        title: "More entries in a PORT list than one VIPADISTRIBUTE takes",
        severity: Some(Severity::Warning),
        symptom: "Debugging works on some systems and is refused on those whose port stands at the end of the list: the \
            statement is in error.",
        cause: "PORT of one VIPADISTRIBUTE takes 64 entries; a range counts as one.",
        look: "The messages of the profile's processing at start or OBEYFILE; `D TCPIP,,NETSTAT,VIPADCFG` shows what is \
            defined.",
        remedy: "Write ranges, such as 5330-5339, or a second VIPADISTRIBUTE for the same DVIPA.",
        check: "The number of entries of each PORT list.",
        sources: "The limit is from memory (MEM).",
    },
    Page {
        code: "D03",
        title: "The CLIENT port is reserved for another job",
        severity: Some(Severity::Error),
        symptom: "No session on that system ever connects: Debug Manager ends at start, or runs without its external port.",
        cause: "A PORT or PORTRANGE statement of PROFILE.TCPIP reserves the port, and not for the started task, so its bind \
            is refused.",
        look: "SYSPRINT of DBGMGR; `D TCPIP,,NETSTAT,PORTLIST` shows the reservation.",
        remedy: "Reserve the port for DBGMGR, or give Debug Manager a port that is reserved for nobody else.",
        check: "PORT and PORTRANGE entries that cover the CLIENT port: the job's name, a prefix with an asterisk, OMVS. RSED \
            is left out, because its jobs have other names than its procedure.",
        sources: "From memory (MEM): who may use a reserved port.",
    },
    Page {
        code: "D04",
        title: "A system that takes part in distribution has no DYNAMICXCF",
        severity: Some(Severity::Warning),
        symptom: "No user ever lands on that system, and jobs that run there cannot be debugged through the DVIPA.",
        cause: "Targets are reached by their dynamic XCF addresses; a stack without IPCONFIG DYNAMICXCF distributes nothing \
            and is no target.",
        look: "`D TCPIP,,NETSTAT,VDPT` on the owner does not list it; `D TCPIP,,NETSTAT,HOME` there shows no XCF address.",
        remedy: "IPCONFIG DYNAMICXCF with an address of its own on every system.",
        check: "Profiles without DYNAMICXCF of systems that own or serve a distributed DVIPA, when there are several \
            systems.",
        sources: "Documented that targets need dynamic XCF connectivity (S40, S49); that nothing works without it is an \
            inference (INF).",
    },
    Page {
        code: "D05",
        title: "WLM distribution without SYSPLEXROUTING",
        severity: Some(Severity::Note),
        symptom: "Logons are not spread by load: systems that are busy get as many users as those that are idle.",
        cause: "With BASEWLM and SERVERWLM the stacks must tell WLM of themselves, which IPCONFIG SYSPLEXROUTING switches \
            on; the default is NOSYSPLEXROUTING.",
        look: "`D TCPIP,,NETSTAT,VDPT,DETAIL`: the WLM weights of all targets are equal.",
        remedy: "IPCONFIG SYSPLEXROUTING on the owner, its backups and all targets.",
        check: "Targets of BASEWLM or SERVERWLM whose profile has no SYSPLEXROUTING.",
        sources: "From memory (MEM); the published samples all have it (S35).",
    },
    Page {
        code: "D06",
        title: "DESTIP names an address that no system has",
        severity: Some(Severity::Note),
        symptom: "Jobs on one system can never be debugged, if the address is a misspelt one.",
        cause: "A target whose dynamic XCF address is not in the sysplex is left out of the distribution without an error, \
            since it may come later.",
        look: "`D TCPIP,,NETSTAT,VDPT` shows only targets that are up; compare it with `VIPADCFG`.",
        remedy: "Compare DESTIP with IPCONFIG DYNAMICXCF of each system; bring the members of the missing system, if there is \
            one.",
        check: "DESTIP addresses against DYNAMICXCF of the members' systems. A note, because the members may be of a part of \
            the sysplex.",
        sources: "Documented that only targets that are up are shown (S42).",
    },
    Page {
        code: "D07",
        title: "Two systems define the same DVIPA",
        severity: Some(Severity::Warning),
        symptom: "The address moves whenever one of the two stacks starts; logons and sessions in that moment are reset or \
            stall.",
        cause: "VIPADEFINE stands in the profiles of two systems. With MOVEABLE IMMEDIATE the one that comes last takes the \
            DVIPA over.",
        look: "EZZ8301I and EZZ8303I at the start of a stack; `D TCPIP,,SYSPLEX,VIPADYN`.",
        remedy: "One VIPADEFINE, and VIPABACKUP on the others.",
        check: "VIPADEFINE of the same address in several profiles.",
        sources: "What z/OS does is from memory (MEM); the messages are documented (S60).",
    },
];
