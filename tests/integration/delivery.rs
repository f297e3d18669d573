//! Alerts on their way to webhooks: what a receiver does, what becomes of the message. Time is passed in; only sockets
//! know real time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use vitalog::time::HOUR;
use vitalog::time::MINUTE;
use vitalog::time::SECOND;
use vitalog::time::Timestamp;
use vitalog::write::payload::Alert;
use vitalog::write::payload::Hidden;
use vitalog::write::payload::Severity;
use vitalog::write::payload::State;
use vitalog::write::payload::Telling;
use vitalog::write::webhook::Change;
use vitalog::write::webhook::Courier;
use vitalog::write::webhook::Entry;
use vitalog::write::webhook::Format;
use vitalog::write::webhook::Key;
use vitalog::write::webhook::Outbox;
use vitalog::write::webhook::Plan;
use vitalog::write::webhook::Sink;
use vitalog::write::webhook::send_test;
use vitalog::write::webhook::signature;

use crate::receiver;
use crate::receiver::LONG;
use crate::receiver::Receiver;
use crate::receiver::Reply;

const NOW: Timestamp = Timestamp(1_795_394_208 * SECOND);
const OK: Reply = Reply::Status(200, "");

fn plan(url: &str, format: Format) -> Plan {
    Plan {
        url: Hidden::new(url),
        format,
        template: None,
        headers: Vec::new(),
        secrets: Vec::new(),
        timeout: LONG,
        severities: vec![Severity::Page, Severity::Ticket],
        lines: false,
        repeat_every: Duration::from_secs(4 * 3600),
    }
}

fn sink(url: &str) -> Sink {
    Sink::new(&plan(url, Format::Vitalog)).unwrap()
}

fn impatient(url: &str) -> Sink {
    Sink::new(&Plan { timeout: Duration::from_millis(300), ..plan(url, Format::Vitalog) }).unwrap()
}

fn alert(id: usize, state: State) -> Telling {
    let mut alert = Alert::new(format!("a{id}"), "available", Severity::Page);
    alert.fingerprint = format!("f{id}");
    alert.state = state;
    alert.started_at = Some(NOW);
    alert.evidence.lines = vec!["POST /checkout 500".to_owned()];
    alert.into()
}

fn firing(id: usize) -> Telling {
    alert(id, State::Firing)
}

fn resolved(id: usize) -> Telling {
    alert(id, State::Resolved)
}

/// A courier, its outbox, and the clock.
struct Post {
    courier: Courier,
    outbox: Outbox,
    now: Timestamp,
    said: Vec<String>,
    /// What a state file would hold.
    stored: BTreeMap<i64, Vec<u8>>,
}

impl Post {
    fn new(sinks: Vec<Sink>) -> Self {
        let courier = Courier::start(sinks, 7, || ()).unwrap();
        Self { courier, outbox: Outbox::default(), now: NOW, said: Vec::new(), stored: BTreeMap::new() }
    }

    fn put(&mut self, tellings: &[Telling]) {
        self.courier.enqueue(&mut self.outbox, tellings, self.now);
    }

    /// Stores, then steps.
    fn step(&mut self) {
        for change in self.outbox.changes() {
            match change {
                Change::Put(entry) => drop(self.stored.insert(entry.number, entry.store())),
                Change::Remove(number) => drop(self.stored.remove(&number)),
            }
        }
        self.said.extend(self.courier.step(self.now, true, &mut self.outbox));
    }

    /// Until one try of each sink is over, at the present.
    fn once(&mut self) {
        self.step();
        while !self.courier.idle() {
            assert!(self.courier.wait(LONG), "no try is over");
            self.said.extend(self.courier.step(self.now, true, &mut self.outbox));
        }
    }

    /// Until nothing waits or `end` has come; the clock jumps from one due time to the next.
    fn run(&mut self, end: Timestamp) {
        loop {
            self.step();
            if !self.courier.idle() {
                assert!(self.courier.wait(LONG), "no try is over");
            } else if let Some(next) = self.courier.next(&self.outbox).filter(|&next| next <= end) {
                self.now = next.max(self.now);
            } else {
                return;
            }
        }
    }
}

fn later(us: i64) -> Timestamp {
    Timestamp(NOW.0 + us)
}

/// `a1 firing` for each alert that arrived, in order.
fn told(receiver: &Receiver) -> Vec<String> {
    let say = |alert: &serde_json::Value| format!("{} {}", alert["id"], alert["state"]).replace('"', "");
    let alerts = |json: serde_json::Value| json["alerts"].as_array().cloned().unwrap_or_else(|| vec![json]);
    receiver.seen().iter().flat_map(|seen| alerts(seen.json())).map(|alert| say(&alert)).collect()
}

#[test]
fn every_status_is_taken_as_it_is_meant() {
    for (status, waits, word) in [
        (200, 0, ""),
        (202, 0, ""),
        (204, 0, ""),
        (300, 0, "redirects are not followed"),
        (304, 0, "redirects are not followed"),
        (400, 0, "status 400 is final"),
        (401, 0, "status 401 is final"),
        (403, 0, "status 403 is final"),
        (404, 0, "status 404 is final"),
        (408, 1, "status 408; trying again"),
        (410, 0, "status 410 is final"),
        (413, 0, "status 413 is final"),
        (425, 1, "status 425; trying again"),
        (429, 1, "status 429; trying again"),
        (500, 1, "status 500; trying again"),
        (503, 1, "status 503; trying again"),
        (599, 1, "status 599; trying again"),
    ] {
        let receiver = Receiver::start(Reply::Status(status, ""));
        let mut post = Post::new(vec![sink(&receiver.url("/hook"))]);
        post.put(&[firing(1)]);
        post.step();
        assert!(post.courier.wait(LONG));
        post.now = later(1);
        post.said.extend(post.courier.step(post.now, true, &mut post.outbox));
        assert_eq!((waits, 1), (post.outbox.entries().len(), receiver.seen().len()), "{status}");
        assert_eq!(usize::from(!word.is_empty()), post.said.len(), "{status}: {:?}", post.said);
        assert!(post.said.iter().all(|line| line.contains(word)), "{status}: {:?}", post.said);
    }
}

#[test]
fn a_receiver_that_asks_for_time_gets_it() {
    for (wait, header) in
        [(120, "retry-after: 120\r\n"), (600, "retry-after: 7200\r\n"), (72, "retry-after: Mon, 23 Nov 2026 00:38:00 GMT\r\n")]
    {
        let receiver = Receiver::start(OK);
        receiver.script([Reply::Status(429, header)]);
        let mut post = Post::new(vec![sink(&receiver.url("/hook"))]);
        post.put(&[firing(1)]);
        post.run(NOW);
        assert_eq!(Some(later(wait * SECOND)), post.courier.next(&post.outbox), "{header}");
        post.run(later(wait * SECOND));
        let seen = receiver.seen();
        assert_eq!((2, seen[0].id(), &seen[0].body), (seen.len(), seen[1].id(), &seen[1].body));
        assert_eq!(0, post.outbox.entries().len());
    }
}

#[test]
fn ten_minutes_down_delay_everything_and_lose_nothing() {
    let receiver = Receiver::start(OK);
    let mut post = Post::new(vec![sink(&receiver.url("/hook"))]);
    post.put(&[firing(1)]);
    post.run(NOW);
    receiver.usually(Reply::Refuse);
    let up = receiver.connections();
    for (minute, tellings) in
        [(1, vec![resolved(1)]), (2, vec![firing(2)]), (4, vec![firing(3)]), (6, vec![resolved(3), firing(4)])]
    {
        post.now = later(minute * MINUTE);
        post.put(&tellings);
        post.run(later((minute + 1) * MINUTE));
    }
    post.run(later(10 * MINUTE));
    let tries = receiver.connections() - up;
    assert!((8..=30).contains(&tries), "{tries} tries in ten minutes");
    receiver.usually(OK);
    post.run(later(15 * MINUTE));
    assert_eq!(vec!["a1 firing", "a1 resolved", "a2 firing", "a3 resolved", "a4 firing"], told(&receiver));
    assert_eq!((0, 0, 1), (post.outbox.entries().len(), post.outbox.lost(), post.outbox.merged()));
    assert!(post.now < later(11 * MINUTE + SECOND), "found up within a minute");
    assert!(post.said.last().unwrap().contains("works again after"), "{:?}", post.said);
    assert_eq!(2, post.said.len(), "one line when it begins, one when it ends: {:?}", post.said);
}

#[test]
fn a_day_down_gives_up_what_is_older_than_a_day() {
    let receiver = Receiver::start(Reply::Refuse);
    let mut post = Post::new(vec![sink(&receiver.url("/hook"))]);
    post.put(&[firing(1)]);
    post.now = later(20 * HOUR);
    post.put(&[firing(2)]);
    post.now = later(25 * HOUR);
    receiver.usually(OK);
    post.run(later(26 * HOUR));
    assert_eq!((vec!["a2 firing".to_owned()], 1), (told(&receiver), post.outbox.lost()));
    assert!(post.said.iter().any(|line| line.contains("1 alert lost")), "{:?}", post.said);
}

#[test]
fn an_answer_that_is_lost_is_asked_for_again_under_the_same_id() {
    for reply in [Reply::Close, Reply::CutHead, Reply::NoHttp, Reply::Status(500, "")] {
        let receiver = Receiver::start(OK);
        receiver.script([reply, reply]);
        let mut post = Post::new(vec![sink(&receiver.url("/hook"))]);
        post.put(&[firing(1), firing(2)]);
        post.run(later(MINUTE));
        let seen = receiver.seen();
        assert_eq!(3, seen.len(), "{reply:?}");
        assert!(seen.iter().all(|one| one.id() == seen[0].id() && one.body == seen[0].body), "{reply:?}");
        assert!(seen[0].id().starts_with("msg_"), "{}", seen[0].id());
        assert_eq!(0, post.outbox.entries().len());
    }
}

#[test]
fn a_status_decides_whatever_becomes_of_the_body() {
    for reply in [Reply::CutBody, Reply::SlowBody, Reply::Endless] {
        let receiver = Receiver::start(reply);
        let mut post = Post::new(vec![sink(&receiver.url("/hook"))]);
        post.put(&[firing(1)]);
        post.once();
        assert_eq!((0, 1), (post.outbox.entries().len(), receiver.seen().len()), "{reply:?}");
    }
}

#[test]
fn a_try_ends_at_its_time_limit() {
    for reply in [Reply::Silence, Reply::SlowHead] {
        let receiver = Receiver::start(reply);
        let mut post = Post::new(vec![impatient(&receiver.url("/hook"))]);
        post.put(&[firing(1)]);
        post.once();
        assert_eq!(1, post.outbox.entries().len(), "{reply:?}");
        assert!(post.said[0].ends_with("no answer in time; trying again"), "{:?}", post.said);
    }
}

#[test]
fn a_sink_that_hangs_delays_no_other() {
    let (hangs, works) = (Receiver::start(Reply::Silence), Receiver::start(OK));
    let mut post = Post::new(vec![sink(&hangs.url("/hook")), sink(&works.url("/hook"))]);
    post.put(&[firing(1)]);
    post.step();
    hangs.wait_for(1);
    for round in 2..5 {
        assert!(post.courier.wait(LONG));
        post.step();
        post.put(&[firing(round)]);
        post.step();
        works.wait_for(round);
    }
    assert_eq!(vec!["a1 firing", "a2 firing", "a3 firing", "a4 firing"], told(&works));
    assert_eq!(1, hangs.seen().len());
    assert!(!post.courier.idle(), "the other still hangs");
}

#[test]
fn a_redirect_is_never_followed() {
    let target = Receiver::start(OK);
    for status in [301, 302, 303, 307, 308] {
        let location: &'static str = format!("location: {}\r\n", target.url("/SECRET")).leak();
        let receiver = Receiver::start(Reply::Status(status, location));
        let mut post = Post::new(vec![sink(&receiver.url("/hook"))]);
        post.put(&[firing(1)]);
        post.once();
        assert!(post.said[0].contains("redirects are not followed"), "{:?}", post.said);
        assert!(!post.said[0].contains("SECRET"), "{:?}", post.said);
        assert_eq!((1, 0), (receiver.seen().len(), post.outbox.entries().len()));
    }
    assert_eq!(0, target.connections());
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused() {
    let (address, served) = receiver::untrusted();
    let mut post = Post::new(vec![sink(&format!("https://localhost:{}/hook", address.port()))]);
    post.put(&[firing(1)]);
    post.once();
    assert!(post.said[0].contains("its certificate is not trusted (unknown issuer); trying again"), "{:?}", post.said);
    assert_eq!((1, Vec::<u8>::new()), (post.outbox.entries().len(), served.join().unwrap()));
}

#[test]
fn there_is_no_falling_back_to_plain_http() {
    let receiver = Receiver::start(OK);
    let mut post = Post::new(vec![impatient(&receiver.url("/hook").replace("http:", "https:"))]);
    post.put(&[firing(1)]);
    post.once();
    assert_eq!((1, 0), (post.outbox.entries().len(), receiver.seen().len()));
}

#[test]
fn a_name_without_address_is_looked_up_again() {
    let mut post = Post::new(vec![sink("http://nobody.invalid/SECRET")]);
    post.put(&[firing(1)]);
    post.once();
    assert_eq!(1, post.outbox.entries().len());
    assert!(
        post.said[0].starts_with("vitalog sink http://nobody.invalid/…: ") && post.said[0].ends_with("trying again"),
        "{:?}",
        post.said
    );
}

#[test]
fn killed_between_send_and_commit_the_same_message_goes_out_again() {
    let receiver = Receiver::start(Reply::Silence);
    let mut post = Post::new(vec![sink(&receiver.url("/hook"))]);
    post.put(&[firing(1), firing(2)]);
    post.step();
    receiver.wait_for(1);
    // What the state held when the message left is all that is left.
    let stored: Vec<Vec<u8>> = post.stored.values().cloned().collect();
    drop(post);
    receiver.usually(OK);
    let mut post = Post::new(vec![sink(&receiver.url("/hook"))]);
    post.outbox = Outbox::load(stored.iter().map(|entry| Entry::load(entry).unwrap()));
    post.now = later(MINUTE);
    post.run(later(2 * MINUTE));
    let seen = receiver.seen();
    assert_eq!((2, seen[0].id(), &seen[0].body), (seen.len(), seen[1].id(), &seen[1].body));
    assert_eq!(0, post.outbox.entries().len());
}

#[test]
fn a_message_that_poisons_a_receiver_does_not_hold_up_the_rest() {
    let receiver = Receiver::start(Reply::Status(500, ""));
    let mut bad = plan(&receiver.url("/hook"), Format::Template);
    bad.template = Some("{{ alert.id }}".to_owned());
    let mut post = Post::new(vec![Sink::new(&bad).unwrap()]);
    post.put(&[firing(1)]);
    post.run(later(20 * MINUTE));
    post.put(&[firing(2)]);
    receiver.script([OK]);
    post.run(later(22 * MINUTE));
    assert!(receiver.seen().iter().any(|seen| seen.body == "a2"));
    assert_eq!("a1", post.outbox.entries()[0].tellings[0].alert.id);
}

#[test]
fn messages_hold_at_most_a_hundred_alerts() {
    let receiver = Receiver::start(OK);
    let mut post = Post::new(vec![sink(&receiver.url("/hook"))]);
    post.put(&(0..250).map(firing).collect::<Vec<_>>());
    post.run(NOW);
    let counts: Vec<usize> = receiver.seen().iter().map(|seen| seen.json()["alerts"].as_array().unwrap().len()).collect();
    assert_eq!(vec![100, 100, 50], counts);
    assert!(receiver.seen().iter().all(|seen| seen.body.len() <= 256 << 10));
}

#[test]
fn a_sink_gets_its_severities_and_lines_only_if_it_asked() {
    let (pages, all) = (Receiver::start(OK), Receiver::start(OK));
    let quiet = Plan { severities: vec![Severity::Page], ..plan(&pages.url("/"), Format::Vitalog) };
    let wordy = Plan { lines: true, severities: vec![Severity::Page, Severity::Info], ..plan(&all.url("/"), Format::Vitalog) };
    let mut post = Post::new(vec![Sink::new(&quiet).unwrap(), Sink::new(&wordy).unwrap()]);
    let mut info = firing(2);
    info.alert.severity = Severity::Info;
    post.put(&[firing(1), info]);
    post.once();
    assert_eq!(vec!["a1 firing"], told(&pages));
    assert_eq!(vec!["a1 firing", "a2 firing"], told(&all));
    assert_eq!(json!([]), pages.seen()[0].json()["evidence"]["lines"]);
    assert_eq!(json!(["POST /checkout 500"]), all.seen()[0].json()["alerts"][0]["evidence"]["lines"]);
}

#[test]
fn messages_are_signed_with_every_key_over_what_was_sent() {
    let receiver = Receiver::start(OK);
    let secrets = vec![Hidden::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), Hidden::new("old")];
    let mut signed = plan(&receiver.url("/hook"), Format::Vitalog);
    signed.secrets.clone_from(&secrets);
    signed.headers = vec![("Authorization".to_owned(), Hidden::new("Bearer T"))];
    let mut post = Post::new(vec![Sink::new(&signed).unwrap()]);
    post.put(&[firing(1)]);
    post.once();
    let seen = &receiver.seen()[0];
    let keys: Vec<Key> = secrets.iter().map(|secret| Key::new(secret).unwrap()).collect();
    assert_eq!("1795394208", seen.header("webhook-timestamp"));
    assert_eq!(signature(&keys, seen.id(), NOW, seen.body.as_bytes()), seen.header("webhook-signature"));
    assert_eq!(2, seen.header("webhook-signature").split(' ').filter(|one| one.starts_with("v1,")).count());
    assert_eq!(("POST", "/hook", "application/json"), (&*seen.method, &*seen.target, seen.header("content-type")));
    assert_eq!("Bearer T", seen.header("authorization"));
}

#[test]
fn no_word_of_ours_holds_a_secret() {
    let receiver = Receiver::start(Reply::Status(503, ""));
    receiver.script([Reply::Close, Reply::NoHttp, Reply::Status(429, "")]);
    let mut secret = plan(&receiver.url("/SECRET?token=SECRET"), Format::Pagerduty);
    secret.secrets = vec![Hidden::new("SECRET")];
    secret.headers = vec![("X-Token".to_owned(), Hidden::new("SECRET"))];
    let sinks = vec![Sink::new(&secret).unwrap(), sink("http://user:SECRET@127.0.0.1:1/SECRET")];
    let mut words = vec![format!("{secret:?}"), format!("{sinks:?}")];
    words.extend(sinks.iter().map(|sink| format!("{} {} {:?}", sink.shown(), sink.key(), send_test(sink, NOW))));
    let mut post = Post::new(sinks);
    post.put(&[firing(1), firing(2)]);
    post.run(later(10 * MINUTE));
    words.extend(post.said.iter().cloned());
    words.extend(post.stored.values().map(|entry| String::from_utf8(entry.clone()).unwrap()));
    words.extend(post.courier.counts().map(|(name, counts)| format!("{name} {counts:?}")));
    words.extend(post.courier.keys().map(str::to_owned));
    for word in words {
        assert!(!word.contains("SECRET"), "{word}");
    }
    for (bad, hint) in [("X Token", "header's name"), ("X-Token", "value of header")] {
        let headers = vec![(bad.to_owned(), Hidden::new("SECRET\n"))];
        let error = Sink::new(&Plan { headers, ..plan("http://127.0.0.1/SECRET", Format::Vitalog) }).unwrap_err();
        assert!(error.contains(hint) && !error.contains("SECRET"), "{error}");
    }
}

#[test]
fn a_heartbeat_goes_out_every_minute_while_reading_works() {
    let receiver = Receiver::start(OK);
    let mut post = Post::new(vec![Sink::new(&plan(&receiver.url("/beat"), Format::Heartbeat)).unwrap()]);
    post.put(&[firing(1)]);
    for second in 0..=180 {
        post.now = later(second * SECOND);
        post.once();
    }
    assert_eq!(4, receiver.seen().len());
    assert!(receiver.seen().iter().all(|seen| seen.method == "GET" && seen.body.is_empty()));
    post.now = later(HOUR);
    assert_eq!(Vec::<String>::new(), post.courier.step(post.now, false, &mut post.outbox));
    assert!(post.courier.idle());
    receiver.usually(Reply::Status(404, ""));
    post.once();
    assert_eq!((5, 1), (receiver.seen().len(), post.said.len()));
    receiver.usually(OK);
    post.now = later(HOUR + MINUTE);
    post.once();
    assert!(post.said[1].contains("works again after 1 failure"), "{:?}", post.said);
}

#[test]
fn pagerduty_takes_its_key_from_wherever_it_stands() {
    for (url, header, secret) in
        [("/v2/enqueue", None, Some("KEY")), ("/v2/enqueue", Some("KEY"), None), ("/v2/enqueue?routing_key=KEY", None, None)]
    {
        let receiver = Receiver::start(Reply::Status(202, ""));
        let mut pager = plan(&receiver.url(url), Format::Pagerduty);
        pager.secrets = secret.into_iter().map(Hidden::new).collect();
        pager.headers = header.into_iter().map(|key| ("X-Routing-Key".to_owned(), Hidden::new(key))).collect();
        let mut post = Post::new(vec![Sink::new(&pager).unwrap()]);
        post.put(&[firing(1), firing(2)]);
        post.run(NOW);
        let seen = receiver.seen();
        assert_eq!(2, seen.len(), "one event a request");
        assert_eq!((json!("KEY"), json!("f1")), (seen[0].json()["routing_key"].clone(), seen[0].json()["dedup_key"].clone()));
        assert_eq!(
            ("/v2/enqueue", "", ""),
            (&*seen[0].target, seen[0].header("x-routing-key"), seen[0].header("webhook-signature"))
        );
    }
    let error = Sink::new(&plan("https://events.pagerduty.com/v2/enqueue", Format::Pagerduty)).unwrap_err();
    assert!(error.contains("routing key"), "{error}");
}

#[test]
fn a_test_alert_reaches_each_kind_of_sink_and_says_what_it_is() {
    let receiver = Receiver::start(OK);
    for (format, requests, path) in [
        (Format::Vitalog, 1, "/"),
        (Format::Alertmanager, 1, "/api/v2/alerts"),
        (Format::Slack, 1, "/"),
        (Format::Pagerduty, 2, "/"),
        (Format::Template, 1, "/"),
    ] {
        let before = receiver.seen().len();
        let mut plan = plan(&receiver.url(""), format);
        plan.secrets = vec![Hidden::new("KEY")];
        plan.template = Some("{{ text }}".to_owned());
        let said = send_test(&Sink::new(&plan).unwrap(), NOW).unwrap();
        assert!(said.ends_with("/…: delivered"), "{said}");
        let seen = &receiver.seen()[before..];
        assert_eq!((requests, path), (seen.len(), &*seen[0].target), "{format:?}");
        assert!(seen.iter().all(|one| one.body.contains("TEST vitalog")), "{format:?}: {seen:?}");
    }
    assert!(send_test(&Sink::new(&plan(&receiver.url("/beat"), Format::Heartbeat)).unwrap(), NOW).is_ok());
    assert_eq!("GET", receiver.seen().last().unwrap().method);
    receiver.usually(Reply::Status(401, ""));
    let refused = send_test(&sink(&receiver.url("/SECRET")), NOW).unwrap_err();
    assert!(refused.ends_with("/…: status 401 is final"), "{refused}");
}

#[test]
fn two_sinks_at_one_host_keep_their_messages_apart() {
    let receiver = Receiver::start(OK);
    let mut post = Post::new(vec![sink(&receiver.url("/one")), sink(&receiver.url("/two"))]);
    post.put(&[firing(1)]);
    assert_eq!(2, post.outbox.entries().len());
    post.once();
    let mut targets: Vec<String> = receiver.seen().into_iter().map(|seen| seen.target).collect();
    targets.sort();
    assert_eq!(vec!["/one", "/two"], targets);
}

#[test]
fn the_caller_is_woken_when_a_try_is_over() {
    let receiver = Receiver::start(OK);
    let woken = Arc::new(AtomicUsize::new(0));
    let (tell, told) = std::sync::mpsc::channel();
    let counter = Arc::clone(&woken);
    let wake = move || {
        counter.fetch_add(1, Ordering::SeqCst);
        tell.send(()).ok();
    };
    let mut courier = Courier::start(vec![sink(&receiver.url("/"))], 1, wake).unwrap();
    let mut outbox = Outbox::default();
    courier.enqueue(&mut outbox, &[firing(1)], NOW);
    assert_eq!(Vec::<String>::new(), courier.step(NOW, true, &mut outbox));
    told.recv_timeout(LONG).unwrap();
    assert_eq!((Vec::<String>::new(), true), (courier.step(NOW, true, &mut outbox), courier.idle()));
    assert_eq!((0, 1), (outbox.entries().len(), woken.load(Ordering::SeqCst)));
}
