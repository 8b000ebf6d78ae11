//! What stands behind each arrow: the event, the packets, the socket, the table's row. Pure.

use std::net::SocketAddr;

use evidence::{Event, What};
use maud::{Markup, html};

use super::packets::Packet;
use super::record::{Picture, Routed, Socket};
use super::run_dir::{Run, Said};
use super::sequence::{Arrow, Sequence};
use super::words;

/// Packets of one step that are shown.
const PACKETS: usize = 12;
/// Longest event that is shown, in characters.
const LONGEST: usize = 4_000;

/// The evidence of one step.
#[derive(Debug, Default)]
pub(super) struct Evidence<'a> {
    event: Option<&'a Said>,
    packets: Vec<&'a Packet>,
    sockets: Vec<(&'a Picture, &'a Socket)>,
    routed: Vec<(&'a Picture, &'a Routed)>,
    /// Why there are no packets.
    note: Option<String>,
}

/// Both ends of a connection: the client's and the DVIPA's.
type Ends = (SocketAddr, SocketAddr);

/// Finds it.
pub(super) fn of<'a>(run: &'a Run, sequence: &Sequence, arrow: &Arrow) -> Evidence<'a> {
    let event = arrow.at_ms.and_then(|at_ms| event(run, arrow, at_ms));
    let mut found = Evidence { event, ..Evidence::default() };
    let known = event.and_then(|said| said.known.as_ref());
    let at = event.map_or(0, |said| said.t_ns);
    match arrow.n {
        1 | 2 => {
            if let Some(ends) = logon(run, &sequence.whose.user).first() {
                found.turns(run, *ends);
                found.kernel(run, *ends);
            }
        }
        5 => {
            let lpar = run.record.plan.lpars.iter().find(|lpar| lpar.name == sequence.whose.on);
            let xcf = lpar.map(|lpar| lpar.xcf.clone()).unwrap_or_default();
            found.nearest(run, at, |packet| packet.from.ip().to_string() == xcf);
        }
        7 => {
            let ends = logon(run, &sequence.whose.user);
            found.nearest(run, at, |packet| {
                ends.iter().any(|(client, dvipa)| packet.from == *dvipa && packet.to == *client)
            });
        }
        8 => {
            if let Some(Event { what: What::EngineConnected { peer, local }, .. }) = known {
                found.turns(run, (*peer, *local));
            }
        }
        9 => {
            if let Some(Event { what: What::SocketTaken { peer, local, .. }, .. }) = known {
                found.nearest(run, at, |packet| packet.from == *local && packet.to == *peer);
                found.kernel(run, (*peer, *local));
            }
        }
        _ => {
            let on = event.map_or("the LPAR", |said| said.system.as_str());
            found.note = Some(format!("Both ends are on {on}: nothing of it is on a network that is captured."));
        }
    }
    found
}

/// The event that the step was seen by: it has its time, and is of its kind.
fn event<'a>(run: &'a Run, arrow: &Arrow, at_ms: f64) -> Option<&'a Said> {
    let is_kind = |what: &What| match arrow.n {
        1 => matches!(what, What::Dialling { .. }),
        2 => matches!(what, What::Logon { .. }),
        3 => matches!(what, What::UserRegistered { .. }),
        4 => matches!(what, What::SessionWaiting { .. }),
        5 => matches!(what, What::HubAsked { .. }),
        6 => matches!(what, What::MinerNotified { .. }),
        7 => matches!(what, What::ClientNotified { .. }),
        8 => matches!(what, What::EngineConnected { .. }),
        _ => matches!(what, What::SocketTaken { .. }),
    };
    run.events.iter().find(|said| {
        let near = (run.ms(said.t_ns) - at_ms).abs() < 0.002;
        near && said.known.as_ref().is_some_and(|event| is_kind(&event.what))
    })
}

/// The user's two connections of the logon.
fn logon(run: &Run, wanted: &str) -> Vec<Ends> {
    let of_user = run.known().filter_map(|event| match &event.what {
        What::Logon { user, peer, local, .. } | What::LogonComplete { user, peer, local } if user == wanted => {
            Some((*peer, *local))
        }
        _ => None,
    });
    of_user.collect()
}

impl<'a> Evidence<'a> {
    /// How a connection began and ended, on every interface.
    fn turns(&mut self, run: &'a Run, (client, dvipa): Ends) {
        let of_it = |packet: &&Packet| {
            let there = packet.from == client && packet.to == dvipa;
            (there || (packet.from == dvipa && packet.to == client)) && packet.flags.contains('S')
        };
        self.packets = run.packets.kept.iter().filter(of_it).take(PACKETS).collect();
    }

    /// The packets with bytes in them that are nearest to the event in time, one for each interface.
    fn nearest(&mut self, run: &'a Run, at: u64, wanted: impl Fn(&Packet) -> bool) {
        let mut all: Vec<&Packet> =
            run.packets.kept.iter().filter(|packet| packet.payload > 0 && wanted(packet)).collect();
        all.sort_by_key(|packet| packet.t_ns.abs_diff(at));
        let mut on: Vec<&str> = Vec::new();
        for packet in all {
            if !on.contains(&packet.on.as_str()) {
                on.push(&packet.on);
                self.packets.push(packet);
            }
        }
        self.packets.sort_by_key(|packet| packet.t_ns);
        self.packets.truncate(PACKETS);
    }

    /// The last picture's socket and table row of a connection.
    fn kernel(&mut self, run: &'a Run, (client, dvipa): Ends) {
        for picture in &run.record.pictures {
            let sockets = picture.sockets.iter().filter(|socket| socket.peer == client && socket.local == dvipa);
            self.sockets.extend(sockets.map(|socket| (picture, socket)));
            let routed = picture.vcrt.iter().filter(|entry| entry.client == client && entry.dvipa == dvipa);
            self.routed.extend(routed.map(|entry| (picture, entry)));
        }
        self.sockets.truncate(PACKETS);
        self.routed.truncate(PACKETS);
    }

    /// As it stands in the list of steps.
    pub(super) fn markup(&self, run: &Run) -> Markup {
        html! {
            @match self.event {
                Some(said) => {
                    p.kind { "Event of " b { (said.task) } " on " b { (said.system) } }
                    pre tabindex="0" aria-label="event" { code { (words::cut(&said.json, LONGEST)) } }
                }
                None => p.kind { "No event tells of it." }
            }
            @if !self.packets.is_empty() {
                p.kind { "Packets" }
                pre tabindex="0" aria-label="packets" { code {
                    @for packet in &self.packets { (line(run, packet)) "\n" }
                } }
            }
            @if let Some(note) = &self.note { p.note { (note) } }
            @if !self.sockets.is_empty() {
                p.kind { "Socket" }
                ul.plain { @for (picture, socket) in &self.sockets { li { (shown(socket)) " " span.when { "(" (picture.of) ")" } } } }
            }
            @if !self.routed.is_empty() {
                p.kind { "Connection routing table (VCRT)" }
                ul.plain { @for (picture, entry) in &self.routed { li {
                    code { (entry.client) " > " (entry.dvipa) } " goes to " b { (entry.target) } ", in the table of " (entry.owner) " "
                    span.when { "(" (picture.of) ")" }
                } } }
            }
        }
    }
}

/// A packet as tcpdump would write it, nearly.
pub(super) fn line(run: &Run, packet: &Packet) -> String {
    let Packet { t_ns, on, from, to, flags, payload } = packet;
    format!("{:>10} ms  {on:<12} {from} > {to}: Flags [{flags}], length {payload}", words::at(run.ms(*t_ns)))
}

fn shown(socket: &Socket) -> Markup {
    let holders = if socket.holders.is_empty() { "nobody".to_owned() } else { socket.holders.join(" and ") };
    let state = format!("{:?}", socket.state).to_uppercase();
    html! {
        code { (socket.local) " - " (socket.peer) } " " (state) " on " b { (socket.system) }
        ", inode " (socket.inode) ", held by " b { (holders) }
    }
}
