use proptest::prelude::*;
use serde_json::Value;
use serde_json::json;

use super::*;
use crate::time::SECOND;
use crate::write::figures::forbidden;

const NOW: Timestamp = Timestamp(1_795_394_208 * SECOND);

fn checkout() -> Telling {
    let mut it = Alert::new("a1", "available", Severity::Page);
    "f1".clone_into(&mut it.fingerprint);
    it.service = Some("shop".to_owned());
    it.route = Some("POST /checkout".to_owned());
    it.signal = "error_rate".to_owned();
    (it.value, it.threshold, it.window_s) = (Some(0.09), Some(0.0144), Some(300));
    (it.started_at, it.fired_at) = (Some(NOW), Some(Timestamp(NOW.0 + 60 * SECOND)));
    it.evidence.requests = Some(412);
    it.evidence.errors = Some(37);
    it.evidence.lines = vec!["POST /checkout 500".to_owned()];
    it.runbook = Some("https://runbooks.example.com/shop".to_owned());
    it.mute = Some("vitalog mute --rule available --route 'POST /checkout' --for 2h".to_owned());
    Telling { alert: it, clear_for_s: Some(300), period_s: None, gone_in_s: None, bad_of: None }
}

fn resolved() -> Telling {
    let mut telling = checkout();
    telling.alert.state = State::Resolved;
    telling.alert.resolved_at = Some(Timestamp(NOW.0 + 600 * SECOND));
    telling
}

fn made(form: &Form, tellings: &[Telling], truncated: u64) -> Value {
    let body = body(form, Batch { tellings, truncated, queued_at: NOW }).unwrap();
    assert_eq!(JSON, body.content_type);
    serde_json::from_slice(&body.bytes).unwrap()
}

fn forms() -> Vec<Form> {
    let routing_key = Hidden::new("KEY");
    let template = Template::new("{{ alerts | tojson }}{{ text }}").unwrap();
    vec![
        Form::Vitalog,
        Form::Alertmanager { hold_s: 60 },
        Form::Slack,
        Form::Pagerduty { routing_key },
        Form::Template(template),
    ]
}

#[test]
fn an_alert_has_the_keys_of_the_contract_in_their_order() {
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    let alert = made(&Form::Vitalog, &[checkout()], 0);
    let expected = "schema id fingerprint state service instance rule severity route signal value threshold window_s started_at \
                    fired_at resolved_at summary evidence runbook rollback purge mute";
    assert_eq!(expected, keys(&alert));
    assert_eq!("requests errors error_rate latency_us exceptions lines deploy budget_left", keys(&alert["evidence"]));
    assert_eq!(json!("2026-11-23T00:36:48Z"), alert["started_at"]);
    assert_eq!((&json!("firing"), &json!("page"), &Value::Null), (&alert["state"], &alert["severity"], &alert["resolved_at"]));
}

#[test]
fn an_alert_is_read_as_it_was_written() {
    let telling = resolved();
    let written = serde_json::to_string(&telling).unwrap();
    assert_eq!(telling, serde_json::from_str::<Telling>(&written).unwrap());
}

#[test]
fn several_alerts_stand_in_a_list_that_says_how_many_were_lost() {
    let several = made(&Form::Vitalog, &[checkout(), resolved()], 0);
    assert_eq!(json!("vitalog.alerts/1"), several["schema"]);
    assert_eq!((json!(0), 2), (several["truncated"].clone(), several["alerts"].as_array().unwrap().len()));
    assert_eq!(json!(7), made(&Form::Vitalog, &[checkout()], 7)["truncated"]);
}

#[test]
fn alertmanager_gets_labels_that_stay_and_an_end_that_outlasts_reminders() {
    let firing = made(&Form::Alertmanager { hold_s: 8 * 3600 }, &[checkout()], 0);
    let expected = json!({"alertname": "available", "service": "shop", "route": "POST /checkout", "severity": "page"});
    assert_eq!(expected, firing[0]["labels"]);
    assert_eq!(json!("2026-11-23T00:36:48Z"), firing[0]["startsAt"]);
    assert_eq!(json!("2026-11-23T08:36:48Z"), firing[0]["endsAt"]);
    assert_eq!(json!("https://runbooks.example.com/shop"), firing[0]["generatorURL"]);
    assert!(firing[0]["annotations"].as_object().unwrap().values().all(Value::is_string));
    let over = made(&Form::Alertmanager { hold_s: 8 * 3600 }, &[resolved()], 0);
    assert_eq!(firing[0]["labels"], over[0]["labels"]);
    assert_eq!(json!("2026-11-23T00:46:48Z"), over[0]["endsAt"]);
}

#[test]
fn what_alertmanager_would_refuse_is_left_out() {
    let mut telling = checkout();
    telling.alert.runbook = Some("see the wiki".to_owned());
    telling.alert.service = Some(String::new());
    telling.alert.started_at = Some(Timestamp(NOW.0 + 99_999 * SECOND));
    let firing = made(&Form::Alertmanager { hold_s: 60 }, &[telling], 0);
    assert_eq!((None, None), (firing[0].get("generatorURL"), firing[0]["labels"].get("service")));
    assert_eq!(firing[0]["endsAt"], firing[0]["startsAt"]);
}

#[test]
fn pagerduty_is_triggered_and_resolved_by_fingerprint() {
    let form = Form::Pagerduty { routing_key: Hidden::new("KEY") };
    let event = made(&form, &[checkout()], 0);
    assert_eq!(
        (&json!("KEY"), &json!("trigger"), &json!("f1")),
        (&event["routing_key"], &event["event_action"], &event["dedup_key"])
    );
    let payload = &event["payload"];
    assert_eq!((&json!("critical"), &json!("shop")), (&payload["severity"], &payload["source"]));
    assert_eq!(json!("PAGE shop POST /checkout: 9.0 % errors (limit 1.44 %) since 00:36 UTC"), payload["summary"]);
    assert_eq!(json!([{"href": "https://runbooks.example.com/shop", "text": "Runbook"}]), event["links"]);
    let over = made(&form, &[resolved()], 0);
    assert_eq!((&json!("resolve"), &json!("f1")), (&over["event_action"], &over["dedup_key"]));
    assert!(!format!("{form:?}").contains("KEY"));
}

#[test]
fn slack_is_given_a_first_line_that_stands_alone() {
    let message = made(&Form::Slack, &[checkout()], 0);
    assert_eq!(json!("PAGE shop POST /checkout: 9.0 % errors (limit 1.44 %) since 00:36 UTC"), message["text"]);
    let shown = message["blocks"].to_string();
    assert!(shown.contains("<https://runbooks.example.com/shop|Runbook>"), "{shown}");
    assert!(shown.contains("Mute: `vitalog mute"), "{shown}");
}

#[test]
fn slack_calls_nobody_and_links_nothing_that_a_log_says() {
    let mut telling = checkout();
    telling.alert.route = Some("GET /<!channel>&<http://evil|x>".to_owned());
    telling.alert.evidence.lines = vec!["``` <@U1> `x`".to_owned()];
    let shown = made(&Form::Slack, &[telling], 0).to_string();
    assert!(shown.contains("GET /&lt;!channel&gt;&amp;&lt;http://evil|x&gt;"), "{shown}");
    assert!(!shown.contains("<!") && !shown.contains("<@") && !shown.contains("<http://evil"), "{shown}");
}

#[test]
fn a_hundred_alerts_keep_within_the_limits_of_slack() {
    let mut telling = checkout();
    telling.alert.route = Some("<".repeat(256));
    telling.alert.summary = "&".repeat(512);
    telling.alert.evidence.lines = vec!["<".repeat(512); 10];
    telling.alert.rollback = Some(">".repeat(1024));
    telling.alert.purge = telling.alert.rollback.clone();
    let message = made(&Form::Slack, &vec![telling.cleaned(true); 100], 5);
    let blocks = message["blocks"].as_array().unwrap();
    assert!(blocks.len() <= 50, "{}", blocks.len());
    let texts = blocks.iter().filter_map(|block| block["text"]["text"].as_str());
    assert!(texts.clone().count() > 3 && texts.map(str::len).all(|length| (1..=3000).contains(&length)));
    let context = message["blocks"].to_string();
    assert!(context.contains("5 more alerts could not be kept"), "{context}");
    assert_eq!(95, context.matches('•').count());
}

#[test]
fn a_template_makes_the_body_and_escapes_nothing_by_itself() {
    for (expected, content_type, source) in [
        (r#"{"text":"it's <b> \"x\""}"#, JSON, r#"{"text":{{ alert.rule | tojson }}}"#),
        ("it's <b> \"x\"", "text/plain; charset=utf-8", "{{ alert.rule }}"),
        ("1 firing ", "text/plain; charset=utf-8", "{{ alerts | length }} {{ alert.state }} {{ alert.service }}"),
        ("", "text/plain; charset=utf-8", "{{ alert.evidence.deploy.label }}"),
    ] {
        let telling = Alert::new("a", "it's <b> \"x\"", Severity::Page).into();
        let form = Form::Template(Template::new(source).unwrap());
        let body = body(&form, Batch { tellings: &[telling], truncated: 0, queued_at: NOW }).unwrap();
        let text = String::from_utf8(body.bytes).unwrap();
        if content_type == JSON {
            let (expected, text): (Value, Value) =
                (serde_json::from_str(expected).unwrap(), serde_json::from_str(&text).unwrap());
            assert_eq!(expected, text, "{source}");
        } else {
            assert_eq!(expected, text, "{source}");
        }
        assert_eq!(content_type, body.content_type, "{source}");
    }
}

#[test]
fn a_template_that_cannot_work_is_refused_when_it_is_read() {
    for (word, source) in [
        ("line 2", "\n{{ alert.rule"),
        ("line 1", "{{ alert.sumary }}"),
        ("unknown filter", "{{ alert | nosuch }}"),
        ("256 KiB", "{% for i in range(100000) %}{{ i }}xxxxxxxxxxxxxxx{% endfor %}"),
        ("fuel", "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}"),
    ] {
        let error = Template::new(source).unwrap_err();
        assert!(error.contains(word), "{source}: {error}");
    }
}

#[test]
fn lines_stay_here_unless_asked_for() {
    assert_eq!(0, checkout().cleaned(false).alert.evidence.lines.len());
    assert_eq!(1, checkout().cleaned(true).alert.evidence.lines.len());
}

#[test]
fn half_a_command_is_never_shown() {
    let mut telling = checkout();
    telling.alert.rollback = Some("x".repeat(2000));
    telling.alert.purge = Some("curl \u{1b}[31m".to_owned());
    let cleaned = telling.cleaned(false).alert;
    assert_eq!((None, None), (cleaned.rollback, cleaned.purge));
    assert!(cleaned.mute.is_some());
}

#[test]
fn nothing_to_say_makes_no_body() {
    for form in forms() {
        assert!(body(&form, Batch { tellings: &[], truncated: 0, queued_at: NOW }).is_err());
    }
    assert!(body(&Form::Heartbeat, Batch { tellings: &[checkout()], truncated: 0, queued_at: NOW }).is_err());
}

/// An alert all of whose texts are `text`.
fn hostile(text: &str) -> Telling {
    let some = || Some(text.to_owned());
    let mut it = Alert::new(text, text, Severity::Page);
    (it.service, it.instance, it.route) = (some(), some(), some());
    (it.signal, it.summary) = (text.to_owned(), text.to_owned());
    (it.runbook, it.rollback, it.purge, it.mute) = (some(), some(), some(), some());
    it.value = Some(f64::NAN);
    it.threshold = Some(f64::INFINITY);
    it.started_at = Some(Timestamp(i64::MIN));
    it.resolved_at = Some(Timestamp(i64::MAX));
    it.evidence.lines = vec![text.to_owned(); 50];
    let one = Raised {
        kind: text.to_owned(),
        message: Some(text.to_owned()),
        place: some(),
        count: u64::MAX,
        first: None,
        last: None,
        routes: vec![text.to_owned()],
    };
    it.evidence.exceptions = vec![one; 50];
    it.evidence.deploy = Some(Deploy { at: None, label: some(), source: text.to_owned() });
    it.into()
}

/// Every text in `value`.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(list) => list.iter().for_each(|one| texts(one, found)),
        Value::Object(map) => map.values().for_each(|one| texts(one, found)),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_form_lets_a_forbidden_character_through(text in "\\PC{0,30}[\\x00-\\x1f\\x7f-\\x9f\u{202a}-\u{202e}\u{2066}-\u{2069}<>&`\"]{0,30}") {
        let telling = hostile(&text).cleaned(true);
        for form in forms() {
            let body = body(&form, Batch { tellings: std::slice::from_ref(&telling), truncated: 3, queued_at: NOW }).unwrap();
            let mut found = Vec::new();
            match serde_json::from_slice(&body.bytes) {
                Ok(value) => texts(&value, &mut found),
                Err(_) => found.push(String::from_utf8(body.bytes).unwrap()),
            }
            for text in found {
                prop_assert_eq!(None, text.chars().find(|&c| c != '\n' && forbidden(c)), "{:?}: {}", form, text);
            }
        }
    }
}
