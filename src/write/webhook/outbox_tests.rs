use proptest::prelude::*;

use super::*;
use crate::time::MINUTE;
use crate::write::payload::Alert;
use crate::write::payload::Form;
use crate::write::payload::Severity;
use crate::write::payload::body;

const NOW: Timestamp = Timestamp(1_795_394_208 * SECOND);
const SINK: &str = "vitalog example.com";

fn alert(id: usize, state: State) -> Telling {
    let mut alert = Alert::new(format!("a{id}"), "r", Severity::Page);
    alert.fingerprint = format!("f{id}");
    alert.state = state;
    alert.into()
}

fn firing(id: usize) -> Telling {
    alert(id, State::Firing)
}

fn resolved(id: usize) -> Telling {
    alert(id, State::Resolved)
}

fn later(us: i64) -> Timestamp {
    Timestamp(NOW.0 + us)
}

/// What waits, as `a1 firing`.
fn waiting(outbox: &Outbox) -> Vec<String> {
    let all = outbox.entries().iter().flat_map(|entry| &entry.tellings);
    all.map(|telling| format!("{} {:?}", telling.alert.id, telling.alert.state).to_lowercase()).collect()
}

#[test]
fn a_message_comes_back_unchanged_until_it_is_delivered() {
    let mut outbox = Outbox::default();
    outbox.push(SINK, 100, [firing(1)], NOW);
    let first = outbox.due(SINK, NOW).unwrap();
    outbox.failed(&first.id, later(MINUTE), true);
    assert_eq!(None, outbox.due(SINK, later(MINUTE - 1)));
    assert_eq!(Some(later(MINUTE)), outbox.next(SINK));
    let second = outbox.due(SINK, later(MINUTE)).unwrap();
    assert_eq!((&first.id, &first.tellings), (&second.id, &second.tellings));
    outbox.delivered(&second.id);
    assert_eq!((None, None), (outbox.due(SINK, later(HOUR)), outbox.next(SINK)));
}

#[test]
fn an_end_waits_for_its_beginning_but_holds_up_no_other() {
    let mut outbox = Outbox::default();
    outbox.push(SINK, 1, [firing(1)], NOW);
    let begun = outbox.due(SINK, NOW).unwrap();
    outbox.failed(&begun.id, later(MINUTE), false);
    // The firing is put in again by another alert of the same fingerprint.
    let mut again = firing(3);
    again.alert.fingerprint = "f1".to_owned();
    outbox.push(SINK, 1, [again, firing(2)], NOW);
    let next = outbox.due(SINK, NOW).unwrap();
    assert_eq!("a2", next.tellings[0].alert.id);
    outbox.delivered(&next.id);
    assert_eq!(None, outbox.due(SINK, NOW));
    outbox.delivered(&begun.id);
    assert_eq!("a3", outbox.due(SINK, NOW).unwrap().tellings[0].alert.id);
}

#[test]
fn a_firing_that_waits_gives_way_to_its_end() {
    let mut outbox = Outbox::default();
    outbox.push(SINK, 100, [firing(1), firing(2)], NOW);
    let before = outbox.entries()[0].id.clone();
    outbox.push(SINK, 100, [resolved(1)], later(MINUTE));
    assert_eq!(vec!["a2 firing", "a1 resolved"], waiting(&outbox));
    assert_ne!(before, outbox.entries()[0].id, "another message is not the same message");
    assert_eq!((1, 0), (outbox.merged(), outbox.lost()));
    outbox.push(SINK, 100, [firing(9), resolved(9)], later(MINUTE));
    assert_eq!(vec!["a2 firing", "a1 resolved", "a9 resolved"], waiting(&outbox));
}

#[test]
fn a_message_of_several_that_was_tried_stays_as_it_may_have_arrived() {
    let mut outbox = Outbox::default();
    outbox.push(SINK, 100, [firing(1), firing(2)], NOW);
    let tried = outbox.due(SINK, NOW).unwrap();
    outbox.push(SINK, 100, [resolved(1)], NOW);
    assert_eq!(vec!["a1 firing", "a2 firing", "a1 resolved"], waiting(&outbox));
    assert_eq!(tried.id, outbox.entries()[0].id);
}

#[test]
fn a_single_message_that_was_tried_gives_way_too() {
    let mut outbox = Outbox::default();
    outbox.push(SINK, 1, [firing(1)], NOW);
    let tried = outbox.due(SINK, NOW).unwrap();
    outbox.push(SINK, 1, [resolved(1)], NOW);
    assert_eq!(vec!["a1 resolved"], waiting(&outbox));
    outbox.failed(&tried.id, later(MINUTE), true);
    outbox.delivered(&tried.id);
    assert_eq!(vec!["a1 resolved"], waiting(&outbox), "what came of the old one does not touch the new one");
}

#[test]
fn a_reminder_of_what_still_waits_is_not_needed() {
    let mut outbox = Outbox::default();
    outbox.push(SINK, 100, [firing(1)], NOW);
    outbox.push(SINK, 100, [firing(1)], later(4 * HOUR));
    assert_eq!(vec!["a1 firing"], waiting(&outbox));
}

#[test]
fn messages_hold_a_hundred_alerts_and_no_fingerprint_twice() {
    let mut outbox = Outbox::default();
    outbox.push(SINK, 100, (0..250).map(firing), NOW);
    assert_eq!(vec![100, 100, 50], outbox.entries().iter().map(|entry| entry.tellings.len()).collect::<Vec<_>>());
    let mut same = firing(900);
    same.alert.fingerprint = "f901".to_owned();
    let mut outbox = Outbox::default();
    outbox.push(SINK, 100, [same, firing(901)], NOW);
    assert_eq!(2, outbox.entries().len());
}

#[test]
fn the_largest_alerts_keep_within_a_message_in_every_form() {
    let mut large = firing(0).alert;
    let text = "\\\"".repeat(300);
    (large.service, large.route, large.summary) = (Some(text.clone()), Some(text.clone()), text.clone());
    let command = Some("\"".repeat(1024));
    (large.runbook, large.rollback, large.purge, large.mute) = (command.clone(), command.clone(), command.clone(), command);
    large.evidence.lines = vec![text.clone(); 20];
    let raised = crate::write::payload::Raised {
        kind: text.clone(),
        message: Some(text.clone()),
        place: Some(text),
        ..Default::default()
    };
    large.evidence.exceptions = vec![raised; 20];
    let tellings = (0..100).map(|at| {
        let mut one = large.clone();
        one.fingerprint = format!("f{at}");
        Telling::from(one).cleaned(true)
    });
    let mut outbox = Outbox::default();
    outbox.push(SINK, 100, tellings, NOW);
    assert!(outbox.entries().len() > 3);
    for entry in outbox.entries() {
        for form in [Form::Vitalog, Form::Alertmanager { hold_s: 60 }, Form::Slack] {
            let made = body(&form, entry.batch()).unwrap();
            assert!(made.bytes.len() <= BYTES, "{form:?} {}", made.bytes.len());
        }
    }
}

#[test]
fn too_many_lose_the_oldest_resolved_first_and_say_how_many() {
    let mut outbox = Outbox::default();
    outbox.push(SINK, 1, [firing(0), resolved(1), firing(2), resolved(3)], NOW);
    outbox.push(SINK, 100, (10..1006).map(firing), NOW);
    assert_eq!((1000, 0), (outbox.waiting(SINK), outbox.lost()));
    outbox.push(SINK, 100, [firing(2000)], NOW);
    assert_eq!(vec!["a0 firing", "a2 firing", "a3 resolved"], waiting(&outbox)[..3]);
    outbox.push(SINK, 100, [firing(2001), firing(2002)], NOW);
    assert_eq!(vec!["a2 firing", "a10 firing"], waiting(&outbox)[..2]);
    assert_eq!((1000, 3), (outbox.waiting(SINK), outbox.lost()));
    let said: Vec<u64> = outbox.entries().iter().map(|entry| entry.truncated).filter(|&n| n > 0).collect();
    assert_eq!(vec![1, 2], said);
}

#[test]
fn ten_thousand_at_once_are_a_thousand_and_a_count() {
    let mut outbox = Outbox::default();
    outbox.push(SINK, 100, (0..10_000).map(firing), NOW);
    assert_eq!((1000, 10, 9000), (outbox.waiting(SINK), outbox.entries().len(), outbox.lost()));
    assert_eq!(Some(9000), outbox.entries().last().map(|entry| entry.truncated));
    assert_eq!("a0", outbox.entries()[0].tellings[0].alert.id);
}

#[test]
fn a_day_is_the_longest_that_anything_waits() {
    let mut outbox = Outbox::default();
    outbox.push(SINK, 100, [firing(1)], NOW);
    assert!(outbox.due(SINK, later(AGE)).is_some());
    assert_eq!((None, 1), (outbox.due(SINK, later(AGE + 1)), outbox.lost()));
    outbox.push(SINK, 100, [firing(2)], later(AGE + 2));
    assert_eq!(1, outbox.entries()[0].truncated);
}

#[test]
fn a_message_that_is_refused_again_and_again_lets_others_go_first() {
    let mut outbox = Outbox::default();
    outbox.push(SINK, 1, [firing(1), firing(2)], NOW);
    let stubborn = outbox.due(SINK, NOW).unwrap().id;
    for _ in 0..10 {
        outbox.failed(&stubborn, NOW, true);
    }
    assert_eq!("a2", outbox.due(SINK, NOW).unwrap().tellings[0].alert.id);
}

#[test]
fn a_clock_that_was_set_back_holds_nothing_up() {
    let mut outbox = Outbox::default();
    outbox.push(SINK, 1, [firing(1)], NOW);
    let id = outbox.due(SINK, NOW).unwrap().id;
    outbox.failed(&id, later(MINUTE), true);
    assert!(outbox.due(SINK, later(-HOUR)).is_some());
}

/// What a state file would hold.
fn store(stored: &mut BTreeMap<i64, Vec<u8>>, outbox: &mut Outbox) {
    for change in outbox.changes() {
        match change {
            Change::Put(entry) => drop(stored.insert(entry.number, entry.store())),
            Change::Remove(number) => drop(stored.remove(&number)),
        }
    }
}

#[derive(Debug, Clone)]
enum Act {
    Push(bool, usize, usize),
    Try(u8),
    Pass(i64),
    Restart,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (any::<bool>(), 0_usize..6, 1_usize..120).prop_map(|(end, from, count)| Act::Push(end, from, count)),
        4 => (0_u8..4).prop_map(Act::Try),
        1 => (0..HOUR).prop_map(Act::Pass),
        1 => Just(Act::Restart),
    ];
    prop::collection::vec(act, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever happens: what is stored is what is there, nothing is sent out of order for its fingerprint, one id
    /// always says the same, and the bounds hold.
    #[test]
    fn the_laws_of_the_outbox_hold(acts in acts()) {
        let (mut outbox, mut stored, mut now) = (Outbox::default(), BTreeMap::new(), NOW);
        let mut sent: BTreeMap<String, Vec<Telling>> = BTreeMap::new();
        let mut ended: BTreeSet<String> = BTreeSet::new();
        let mut round = 0;
        for act in acts {
            match act {
                Act::Push(end, from, count) => {
                    round += usize::from(!end);
                    let make = |at| {
                        let mut telling = if end { resolved(at) } else { firing(at) };
                        telling.alert.id = format!("a{at}-{round}");
                        telling
                    };
                    outbox.push(SINK, 100, (from..from + count).map(make), now);
                }
                Act::Try(result) => {
                    store(&mut stored, &mut outbox);
                    if let Some(entry) = outbox.due(SINK, now) {
                        let before = sent.insert(entry.id.clone(), entry.tellings.clone());
                        prop_assert!(before.is_none_or(|before| before == entry.tellings), "one id, two messages");
                        for telling in &entry.tellings {
                            let id = &telling.alert.id;
                            match telling.alert.state {
                                State::Resolved => drop(ended.insert(id.clone())),
                                State::Firing => prop_assert!(!ended.contains(id), "{id} begins behind its end"),
                            }
                        }
                        match result {
                            0 | 1 => outbox.delivered(&entry.id),
                            2 => outbox.failed(&entry.id, Timestamp(now.0 + MINUTE), true),
                            _ => drop(outbox.given_up(&entry.id)),
                        }
                    }
                }
                Act::Pass(us) => now.0 += us,
                Act::Restart => {
                    store(&mut stored, &mut outbox);
                    outbox = Outbox::load(stored.values().filter_map(|bytes| Entry::load(bytes)));
                }
            }
            prop_assert!(outbox.waiting(SINK) <= WAITING);
        }
        store(&mut stored, &mut outbox);
        let kept: Vec<Entry> = stored.values().filter_map(|bytes| Entry::load(bytes)).collect();
        prop_assert_eq!(outbox.entries(), &kept[..]);
    }
}
