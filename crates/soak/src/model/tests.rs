//! Streams of events as they should be are accepted, and each that is doctored is not.

use proptest::prelude::*;

use super::*;
use crate::explain::{GRACE, layout};
use crate::fault::Segment;
use crate::{Chance, MS};

fn model() -> Model {
    let mut model = Model::new(layout());
    for user in 0..4 {
        model.feed(0, Fact::LogonOrdered(user));
        model.feed(1, Fact::LoggedOn(user, format!("LPAR{}", user % 2 + 1)));
    }
    model
}

fn ordered(number: u64) -> Fact {
    Fact::JobOrdered { number, user: u32::try_from(number % 4).expect("small"), lpar: lpar(number) }
}

fn lpar(number: u64) -> String {
    format!("LPAR{}", number % 3 + 2)
}

fn done(number: u64) -> JobDone {
    let client = u32::try_from(number % 4).ok();
    JobDone { number, on: lpar(number), client, failed: None, handoff_us: 500 }
}

fn seen(number: u64) -> EngineDone {
    let user = u32::try_from(number % 4).expect("small");
    EngineDone { user, told: number, answered: Some((number, lpar(number))), failed: None }
}

/// Feeds these, a second apart from second 10 on, and says which invariants were broken.
fn broken(facts: impl IntoIterator<Item = Fact>) -> Vec<Kind> {
    let mut model = model();
    let mut now = 10 * SECOND;
    for fact in facts {
        model.feed(now, fact);
        model.tick(now);
        now += SECOND;
    }
    model.tick(now + 2 * SETTLE);
    model.finish(now + 2 * SETTLE);
    assert_eq!(model.open(), 0);
    model.violations().iter().map(|violation| violation.kind).collect()
}

fn failed(number: u64) -> Fact {
    Fact::JobDone(JobDone { client: None, failed: Some("timed_out_engine".into()), ..done(number) })
}

#[test]
fn a_session_that_reaches_is_forgotten() {
    let mut model = model();
    model.feed(SECOND, ordered(0));
    model.feed(2 * SECOND, Fact::EngineDone(seen(0)));
    assert_eq!(model.open(), 1);
    model.feed(2 * SECOND, Fact::JobDone(done(0)));
    assert_eq!((model.open(), model.counts().reached, model.counts().cross_lpar), (0, 1, 1));
    assert_eq!(model.handoffs().count(), 1);
    assert_eq!(broken([ordered(0), Fact::JobDone(done(0)), Fact::EngineDone(seen(0))]), [], "either side first");
}

#[test]
fn crossed() {
    let other_user = Fact::JobDone(JobDone { client: Some(3), ..done(0) });
    assert_eq!(broken([ordered(0), other_user, Fact::EngineDone(seen(0))]), [Kind::Crossed]);
    let other_lpar = Fact::JobDone(JobDone { on: "LPAR9".into(), ..done(0) });
    assert_eq!(broken([ordered(0), other_lpar, Fact::EngineDone(seen(0))]), [Kind::Crossed]);
    let nobody = Fact::JobDone(JobDone { client: None, ..done(0) });
    assert_eq!(broken([ordered(0), nobody, Fact::EngineDone(seen(0))]), [Kind::Crossed]);
    let told = Fact::EngineDone(EngineDone { user: 3, failed: Some("not mine".into()), answered: None, ..seen(0) });
    assert_eq!(broken([ordered(0), told, Fact::JobDone(done(0)), Fact::EngineDone(seen(0))]), [Kind::Crossed]);
    for answered in [(0, "LPAR9".to_owned()), (7, lpar(0))] {
        let answer = Fact::EngineDone(EngineDone { answered: Some(answered), ..seen(0) });
        assert_eq!(broken([ordered(0), answer, Fact::JobDone(done(0))]), [Kind::Crossed]);
    }
}

#[test]
fn twice_unknown_and_after_the_end() {
    let (job, engine) = (|| Fact::JobDone(done(0)), || Fact::EngineDone(seen(0)));
    assert_eq!(broken([ordered(0), engine(), engine(), job()]), [Kind::Twice]);
    assert_eq!(broken([ordered(0), job(), job(), engine()]), [Kind::Twice]);
    assert_eq!(broken([ordered(0), job(), engine(), engine()]), [Kind::Twice], "after the end");
    assert_eq!(broken([ordered(0), job(), engine(), failed(0)]), [], "a try that fails later is none");
    assert_eq!(broken([ordered(0), job(), engine(), Fact::JobDone(done(1))]), [Kind::Unknown]);
    assert_eq!(broken([Fact::UserLost(77, "x".into())]), [Kind::Unknown]);
}

#[test]
fn failed_and_lost_without_an_excuse() {
    assert_eq!(broken([ordered(0), failed(0)]), [Kind::Failed]);
    assert_eq!(broken([ordered(0), Fact::EngineDone(seen(0)), failed(0)]), [Kind::Failed]);
    assert_eq!(broken([ordered(0)]), [Kind::Lost]);
    assert_eq!(broken([ordered(0), Fact::JobDone(done(0))]), [Kind::Lost], "the client never said so");
    let client = Fact::EngineDone(EngineDone { failed: Some("reset".into()), ..seen(0) });
    assert_eq!(broken([ordered(0), Fact::JobDone(done(0)), client]), [Kind::Failed]);
    assert_eq!(broken([ordered(0), Fact::EngineDone(seen(0))]), [Kind::Lost], "the job never ended");
    assert_eq!(broken([ordered(0), Fact::JobsGone("LPAR2".into())]), [Kind::Failed], "gone without a fault");
    assert_eq!(broken([Fact::Left("jobs on LPAR2".into(), 1), Fact::Left("users".into(), 0)]), [Kind::Left]);
}

#[test]
fn a_session_without_an_end_is_found_before_the_soak_ends() {
    let mut model = model();
    model.feed(SECOND, ordered(0));
    model.tick(SECOND + HANG - 1);
    assert_eq!(model.violations(), []);
    model.tick(SECOND + HANG);
    assert_eq!(model.violations()[0].kind, Kind::Lost);
}

#[test]
fn users() {
    let lost = || Fact::UserLost(0, "reset".into());
    assert_eq!(broken([lost()]), [Kind::User]);
    assert_eq!(broken([Fact::LogoffOrdered(0), lost()]), [], "it was to go");
    assert_eq!(broken([Fact::LogoffOrdered(0), Fact::LoggedOff(0), Fact::LogonOrdered(0), lost()]), [Kind::User]);
    let mut model = model();
    model.feed(SECOND, Fact::LogoffOrdered(0));
    model.feed(2 * SECOND, Fact::LogonOrdered(0));
    model.tick(2 * SECOND + LOGON);
    assert_eq!(model.violations()[0].kind, Kind::User, "never answered");
}

#[test]
fn a_user_who_is_away_excuses_its_sessions_only() {
    let off = |user| Fact::LogoffOrdered(user);
    assert_eq!(broken([off(0), Fact::LoggedOff(0), ordered(0), failed(0)]), []);
    assert_eq!(broken([ordered(0), off(0), failed(0)]), []);
    assert_eq!(broken([off(1), ordered(0), failed(0)]), [Kind::Failed]);
    let back = [off(0), Fact::LoggedOff(0), Fact::LogonOrdered(0), Fact::LoggedOn(0, "LPAR1".into())];
    assert_eq!(broken(back.into_iter().chain([ordered(0), failed(0)])), [Kind::Failed]);
}

/// The fault stands from 10 s to 12 s, and the session fails that begins so much later.
fn after_fault(fault: &Fault, begins_ns: u64) -> usize {
    let mut model = model();
    model.feed(10 * SECOND, Fact::FaultBegan(1, fault.clone()));
    model.feed(12 * SECOND, Fact::FaultHealed(1));
    let begun = 12 * SECOND + begins_ns;
    model.tick(begun);
    model.feed(begun, ordered(0));
    model.feed(begun + SECOND, failed(0));
    model.tick(begun + SECOND + SETTLE);
    model.violations().len()
}

#[test]
fn a_fault_excuses_until_its_grace_is_over() {
    let kill = |on: &str| Fault::Kill { task: "DBGMGR".into(), on: on.into() };
    assert_eq!(after_fault(&kill("LPAR2"), GRACE), 0);
    assert_eq!(after_fault(&kill("LPAR2"), GRACE + 1), 1);
    assert_eq!(after_fault(&kill("LPAR4"), 0), 1, "elsewhere");
    let link = Fault::Link { on: "LPAR2".into(), segment: Segment::Lan };
    assert_eq!(after_fault(&link, GRACE + 2 * SECOND), 0);
    assert_eq!(after_fault(&link, GRACE + 2 * SECOND + 1), 1);
}

#[test]
fn a_good_bye_may_be_late_while_a_fault_stands() {
    let link = Fault::Link { on: "LPAR2".into(), segment: Segment::Lan };
    let late = |faults: Vec<(u64, Fact)>, at: u64, engine: Option<EngineDone>| {
        let mut model = model();
        let session = [(20, ordered(0)), (21, Fact::JobDone(done(0)))];
        let mut facts: Vec<_> =
            session.into_iter().chain(engine.map(|engine| (at, Fact::EngineDone(engine)))).collect();
        facts.extend(faults);
        facts.sort_by_key(|(second, _)| *second);
        for (second, fact) in facts {
            (0..=second).for_each(|second| model.tick(second * SECOND));
            model.feed(second * SECOND, fact);
        }
        (0..60).for_each(|second| model.tick(second * SECOND));
        let kinds: Vec<Kind> = model.violations().iter().map(|violation| violation.kind).collect();
        (kinds, model.counts().reached, model.counts().excused, model.open())
    };
    let fault = || vec![(19, Fact::FaultBegan(1, link.clone())), (25, Fact::FaultHealed(1))];
    assert_eq!(late(fault(), 28, Some(seen(0))), (vec![], 1, 0, 0), "what was under way has arrived");
    assert_eq!(late(fault(), 28, None), (vec![], 0, 1, 0), "it has not");
    let gave_up = EngineDone { failed: Some("not done within 20 s".into()), ..seen(0) };
    assert_eq!(late(fault(), 41, Some(gave_up)), (vec![], 0, 1, 0), "the engine has given up");
    assert_eq!(late(vec![], 28, Some(seen(0))), (vec![Kind::Lost, Kind::Twice], 0, 0, 0), "and no fault");
}

#[test]
fn the_owner_of_the_moment_counts() {
    let crash = Fault::Crash { lpar: "LPAR3".into() };
    let session = [ordered(0), failed(0), Fact::FaultHealed(1)];
    assert_eq!(broken([Fact::FaultBegan(1, crash.clone())].into_iter().chain(session.clone())), [Kind::Failed]);
    let owner = [Fact::OwnerIs("LPAR3".into()), Fact::FaultBegan(1, crash)];
    assert_eq!(broken(owner.into_iter().chain(session)), []);
}

#[test]
fn memory_does_not_grow() {
    let mut model = model();
    for number in 0..20_000 {
        let now = (number + 20) * SECOND;
        model.feed(now, ordered(number));
        let id = u32::try_from(number).expect("small");
        model.feed(now, Fact::FaultBegan(id, Fault::Reset { on: "LPAR2".into() }));
        model.feed(now, Fact::FaultHealed(id));
        model.feed(now, Fact::OwnerIs(lpar(number)));
        let end = if number % 5 == 0 { failed(number) } else { Fact::JobDone(done(number)) };
        model.feed(now + MS, end);
        model.feed(now + 2 * MS, Fact::EngineDone(seen(number)));
        model.tick(now + 3 * MS);
        assert!(model.open.len() < 10 && model.settling.len() < 10, "{number}");
        assert!(model.faults.owners(0, u64::MAX).len() <= 4);
    }
    let most = usize::try_from((HANG + SETTLE + GRACE) / SECOND).expect("small") + 2;
    assert!(format!("{:?}", model.faults).matches("Stood").count() <= most);
    model.finish(30_000 * SECOND);
    assert_eq!(model.counts().sessions, 20_000);
}

/// Sessions that overlap, each with a right end, in an order that chance gives.
fn right_stream(seed: u64, count: u64) -> Vec<(u64, Fact)> {
    let mut chance = Chance::new(seed, 0);
    let mut all = Vec::new();
    for number in 0..count {
        let begun = 10 * SECOND + number * 100 * MS;
        all.push((begun, ordered(number)));
        let end = begun + chance.from_to(1, 2_000) * MS;
        all.push((end, Fact::JobDone(done(number))));
        all.push((end.saturating_sub(chance.below(20) * MS).max(begun + 1), Fact::EngineDone(seen(number))));
    }
    all.sort_by_key(|(t_ns, _)| *t_ns);
    all
}

fn judge(stream: Vec<(u64, Fact)>) -> (Vec<Violation>, Counts) {
    let mut model = model();
    let mut last = 0;
    for (t_ns, fact) in stream {
        model.feed(t_ns, fact);
        model.tick(t_ns);
        last = t_ns;
    }
    model.finish(last + SETTLE);
    (model.violations().to_vec(), model.counts().clone())
}

proptest! {
    #[test]
    fn what_is_right_is_accepted_and_every_ending_that_is_missing_or_doubled_is_found(
        seed: u64, count in 1_u64..60, at: prop::sample::Index, doubled: bool,
    ) {
        let stream = right_stream(seed, count);
        let (violations, counts) = judge(stream.clone());
        prop_assert_eq!(violations, vec![]);
        prop_assert_eq!(counts.reached, count);

        let ends: Vec<usize> = (0..stream.len()).filter(|at| !matches!(stream[*at].1, Fact::JobOrdered { .. })).collect();
        let at = *at.get(&ends);
        let mut doctored = stream;
        if doubled {
            doctored.push((doctored[doctored.len() - 1].0, doctored[at].1.clone()));
        } else {
            doctored.remove(at);
        }
        let (violations, _) = judge(doctored);
        prop_assert_eq!(violations.len(), 1, "{:?}", violations);
        let kind = if doubled { Kind::Twice } else { Kind::Lost };
        prop_assert_eq!(violations[0].kind, kind);
    }

    #[test]
    fn two_sessions_that_get_each_others_client_are_found(seed: u64, count in 5_u64..40, one: prop::sample::Index) {
        let mut stream = right_stream(seed, count);
        let one = one.index(usize::try_from(count).expect("small") - 1) as u64;
        for (_, fact) in &mut stream {
            match fact {
                Fact::JobDone(done) if done.number == one => done.client = Some(u32::try_from((one + 1) % 4).expect("small")),
                Fact::EngineDone(seen) if seen.told == one => seen.answered = Some((one + 1, lpar(one + 1))),
                _ => {}
            }
        }
        let (violations, _) = judge(stream);
        prop_assert_eq!(violations.len(), 2);
        prop_assert!(violations.iter().all(|violation| violation.kind == Kind::Crossed));
    }
}

#[test]
fn what_a_job_said_before_its_lpar_crashed_may_be_heard_later() {
    let crash = || vec![Fact::FaultBegan(1, Fault::Crash { lpar: "LPAR2".into() }), Fact::JobsGone("LPAR2".into())];
    let ends = || [Fact::JobDone(done(0)), Fact::EngineDone(seen(0))];
    assert_eq!(broken([vec![ordered(0)], crash(), ends().into()].concat()), []);
    assert_eq!(broken([vec![ordered(0)], crash(), vec![failed(0)]].concat()), []);
    assert_eq!(broken([vec![ordered(0)], crash(), vec![failed(0), failed(0)]].concat()), [Kind::Twice]);
}

#[test]
fn a_machine_that_stood_still_excuses_what_was_under_way_and_nothing_that_is_crossed() {
    let still = |at: u64| {
        let mut model = model();
        model.feed(20 * SECOND, ordered(0));
        model.feed(26 * SECOND, failed(0));
        model.feed(at * SECOND, Fact::StoodStill(2 * SECOND));
        model.feed(26 * SECOND, Fact::UserLost(1, "silence".into()));
        model.finish(40 * SECOND);
        (model.violations().iter().map(|violation| violation.kind).collect::<Vec<_>>(), model.counts().clone())
    };
    let (kinds, counts) = still(25);
    assert_eq!((kinds, counts.excused, counts.users_lost), (vec![], 1, 1));
    assert_eq!((counts.stood_still, counts.stood_still_ms), (1, 2_000));
    assert_eq!(still(15).0, [Kind::User, Kind::Failed], "long ago");
    let crossed = Fact::JobDone(JobDone { client: Some(3), ..done(0) });
    assert_eq!(broken([ordered(0), Fact::StoodStill(SECOND), crossed, Fact::EngineDone(seen(0))]), [Kind::Crossed]);
}

#[test]
fn what_no_fault_touched_is_undisturbed() {
    let undisturbed = |facts: Vec<Fact>| {
        let mut model = model();
        (10..).zip(facts).for_each(|(second, fact)| model.feed(second * SECOND, fact));
        (model.handoffs().count(), model.undisturbed().count())
    };
    let session = || vec![ordered(0), Fact::JobDone(done(0)), Fact::EngineDone(seen(0))];
    let kill = |on: &str| vec![Fact::FaultBegan(1, Fault::Kill { task: "DBGMGR".into(), on: on.into() })];
    assert_eq!(undisturbed(session()), (1, 1));
    assert_eq!(undisturbed([kill("LPAR2"), session()].concat()), (1, 0), "its job's own LPAR");
    assert_eq!(undisturbed([kill("LPAR4"), session()].concat()), (1, 1), "somewhere else");
    assert_eq!(undisturbed([kill("LPAR2"), vec![Fact::FaultHealed(1)], session()].concat()), (1, 0), "not long ago");
    let away = vec![Fact::LogonOrdered(0), ordered(0), Fact::LoggedOn(0, "LPAR1".into())];
    assert_eq!(undisturbed([away, session()[1..].to_vec()].concat()), (1, 0), "its user came later");
}
