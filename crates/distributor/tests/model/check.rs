//! The code and the model side by side, after every move.

use distributor::{DvipaPlan, Place, PortPlan};
use sysplex::Method;

use crate::lab::{Lab, index, position};
use crate::model::{Has, Model, Open};
use crate::moves::{Case, Move};
use crate::rules::gcd;
use crate::topology::name;

/// Ports at the ends of what belongs to an LPAR, and some within.
const ANY_PORTS: [u16; 12] = [1024, 8107, 8108, 8109, 8110, 8111, 8112, 32767, 32768, 45000, 60000, 61000];

/// Plays a case; gives the model as it is at the end.
pub(crate) fn play(case: &Case) -> Result<Model, String> {
    let mut lab = Lab::new(&case.plex)?;
    let mut model = Model::new(&case.plex);
    same(&mut lab, &model).map_err(|error| format!("at the start: {error}"))?;
    for (number, &one) in (1..).zip(&case.moves) {
        let result = step(&mut lab, &mut model, one);
        result.map_err(|error| format!("after move {number}, \"{}\": {error}", one.script(&case.plex)))?;
    }
    Ok(model)
}

fn step(lab: &mut Lab, model: &mut Model, one: Move) -> Result<(), String> {
    if let Move::Connect { client, dvipa, port, times } = one {
        for _ in 0..times {
            let answer = lab.connect(client, dvipa, port);
            model.connect(client, dvipa, port, answer)?;
            lab.follow(false);
            model.settle();
            equal("the open connections", &opened(lab), &model.open)?;
        }
    } else {
        let (found, expected) = (lab.apply(one), model.apply(one));
        equal("the command was accepted", &found, &expected)?;
    }
    same(lab, model)
}

fn equal<T: PartialEq + std::fmt::Debug>(what: impl std::fmt::Display, found: &T, expected: &T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what}: found {found:?}, the rules say {expected:?}")) }
}

fn opened(lab: &Lab) -> Vec<Open> {
    let dvipa = |ip| lab.sysplex.dvipas.iter().position(|dvipa| dvipa.address == ip).expect("a DVIPA");
    let open = lab.sockets.iter().map(|socket| Open {
        client: socket.client,
        dvipa: dvipa(socket.dvipa.ip()),
        port: socket.dvipa.port(),
        on: position(socket.on),
    });
    open.collect()
}

/// Connections, owners, places, status, plans.
fn same(lab: &mut Lab, model: &Model) -> Result<(), String> {
    equal("the open connections", &opened(lab), &model.open)?;
    for dvipa in model.dvipas() {
        let address = lab.sysplex.dvipas[dvipa].address;
        same_owner(lab, model, dvipa).map_err(|error| format!("{address}: {error}"))?;
        for lpar in 0..model.plex.lpars.len() {
            same_place(lab, model, dvipa, lpar).map_err(|error| format!("{address} on {}: {error}", name(lpar)))?;
        }
        let plans = lab.plans.values().filter_map(|plan| plan.dvipas.get(&address));
        for plan in plans {
            same_plan(plan, model, dvipa).map_err(|error| format!("{address} {error}"))?;
        }
    }
    stable(lab)
}

/// One owner, who alone has the address on the LAN and distributes it.
fn same_owner(lab: &Lab, model: &Model, dvipa: usize) -> Result<(), String> {
    let address = lab.sysplex.dvipas[dvipa].address;
    let expected: Vec<_> = model.owner[dvipa].map(index).into_iter().collect();
    equal("its owner", &lab.group.state().owner.get(&address).copied().into_iter().collect(), &expected)?;
    equal("who has it on the LAN", &lab.on_the_lan(address), &expected)?;
    let plans = lab.plans.iter().filter(|(_, plan)| plan.dvipas.contains_key(&address));
    equal("who distributes it", &plans.map(|(lpar, _)| *lpar).collect(), &expected)
}

fn same_place(lab: &Lab, model: &Model, dvipa: usize, lpar: usize) -> Result<(), String> {
    let vipa = &lab.sysplex.dvipas[dvipa];
    let found = lab.places.get(&(index(lpar), vipa.address)).map(|place| match place {
        Place::Lan => Has::OnTheLan,
        Place::Hidden => Has::Hidden,
    });
    equal("its place", &found, &model.has(lpar, dvipa))?;
    if !model.member(lpar) {
        return Ok(());
    }
    let found = lab.group.status(vipa, index(lpar)).map(|status| format!("{status:?}"));
    equal("its status", &found, &model.status(lpar, dvipa).map(str::to_owned))
}

fn same_plan(plan: &DvipaPlan, model: &Model, dvipa: usize) -> Result<(), String> {
    equal("distributed ports", &plan.ports.keys().copied().collect(), &model.ports(dvipa))?;
    for (&port, plan) in &plan.ports {
        let ready: Vec<usize> = plan.ready.iter().map(|lpar| position(*lpar)).collect();
        equal(format_args!("port {port}, who is ready"), &ready, &model.ready(dvipa, port))?;
        let turns: Vec<usize> = plan.turns().into_iter().map(position).collect();
        if let Some(other) = turns.iter().find(|lpar| !ready.contains(lpar)) {
            return Err(format!("port {port}: {} has a turn and is not ready", name(*other)));
        }
        same_turns(plan, &turns, &model.shares(dvipa, port)).map_err(|error| format!("port {port}, {error}"))?;
        let seconds = model.rule(dvipa, port).map_or(0, |rule| rule.affinity);
        equal(format_args!("port {port}, TIMEDAFFINITY"), &plan.timed_affinity.as_secs(), &seconds)?;
    }
    for port in ANY_PORTS {
        let owners = plan.sysplexports.iter().filter(|range| range.ports.contains(&port));
        let owners: Vec<usize> = owners.map(|range| position(range.target)).collect();
        equal(format_args!("port {port}, whose"), &owners, &Vec::from_iter(model.sysplex_port(dvipa, port)))?;
    }
    Ok(())
}

/// Each turn is a connection. Who has how many of them is in proportion to the weights; with WEIGHTEDACTIVE it is that together with
/// what is open already, which the connections show, so here it is only the weights.
fn same_turns(plan: &PortPlan, turns: &[usize], expected: &[(usize, u32)]) -> Result<(), String> {
    let count = |lpar: usize| turns.iter().map(|&turn| u32::from(turn == lpar)).sum();
    let weight = |lpar: usize| plan.shares.iter().filter(|s| position(s.target) == lpar).map(|s| s.weight).sum();
    let weighted = plan.method == Method::WeightedActive;
    let share = |lpar: usize| if weighted { weight(lpar) } else { count(lpar) };
    let found: Vec<(usize, u32)> = expected.iter().map(|&(lpar, _)| (lpar, share(lpar))).collect();
    equal("turns in proportion", &ratio(&found), &ratio(expected))?;
    let others = turns.iter().filter(|turn| !expected.iter().any(|(lpar, _)| lpar == *turn));
    equal("turns of those who get nothing", &others.collect(), &Vec::new())
}

fn ratio(shares: &[(usize, u32)]) -> Vec<(usize, u32)> {
    let divisor = shares.iter().fold(0, |divisor, (_, weight)| gcd(divisor, *weight)).max(1);
    shares.iter().map(|&(lpar, weight)| (lpar, weight / divisor)).collect()
}

/// When nothing happens, nothing changes; and a DVIPA has one owner in the group.
fn stable(lab: &mut Lab) -> Result<(), String> {
    let (plans, places) = (lab.plans.clone(), lab.places.clone());
    // Last as the lab looks: often without the connections, so that they are not known when the next thing happens.
    for everything in [true, false] {
        lab.observe(everything);
        equal("the plans at a second look", &lab.group.plans(), &plans)?;
        equal("the places at a second look", &lab.group.places(), &places)?;
    }
    let state = lab.group.state();
    match state.owner.iter().find(|(_, owner)| !state.members.contains(owner)) {
        Some((address, owner)) => Err(format!("{address} is owned by LPAR {owner}, which is not in the group")),
        None => Ok(()),
    }
}
