//! What the configuration file may say, and what is told when it says something else.

use std::time::Duration;

use super::*;

fn parsed(source: &str) -> Result<Config, String> {
    let variable = |name: &str| (name == "HOOK_TOKEN").then(|| "hunter2".to_owned());
    read("v.toml", source, &Surroundings { variable: &variable, now: Timestamp(1_795_394_208_000_000), zone: TimeZone::UTC })
}

/// Every table and key that the contract shows.
const WHOLE: &str = r#"
[input]
paths = ["/var/log/shop/*.log"]
format = "uvicorn"
openapi = "openapi.json"
timezone = "Europe/Berlin"
[[service]]
name = "shop"
paths = "shop*.log"
openapi = "shop.json"
layer = "edge"
rollback = "kubectl rollout undo deploy/shop"
purge = "curl -X PURGE {path}"
runbook = "https://wiki.example.com/shop"
[fields]
latency = "took"
latency_unit = "ms"
user = "uid"
cache = "x_cache"
version = "release"
route = "endpoint"
[routes]
templates = ["/items/{item_id}"]
probes = []
streaming = ["/events"]
max = 700
[health]
errors = ["5xx", "429", 499]
rollback = "undo"
rollback_within = "3h"
purge = "purge {path}"
purge_wildcard = "*"
runbook = "https://wiki.example.com"
[[promise]]
name = "available"
target = "99.9%"
[[promise]]
name = "fast"
target = 0.99
slower_than = "300ms"
route = "GET /items/*"
period = "7d"
[[rule]]
name = "slow checkout"
when = "p99 > 800ms over 5m on POST /checkout"
for = "2m"
clear_for = "5m"
min_requests = 30
severity = "page"
[[mute]]
service = "shop"
rule = "slow checkout"
route = "POST /checkout"
from = 2026-11-23T01:00:00+01:00
until = "2026-11-23 03:00"
reason = "load test"
[[sink]]
url = "https://hooks.example.com/${HOOK_TOKEN}"
format = "slack"
headers = { Authorization = "Bearer ${HOOK_TOKEN}" }
secret = ["old", "${HOOK_TOKEN}"]
timeout = "5s"
severities = ["page"]
lines = true
[[sink]]
type = "heartbeat"
url = "http://127.0.0.1:9/"
[tail]
state = "v.db"
keep = "14d"
max_size = "1GiB"
every = "30s"
listen = "127.0.0.1:9900"
hosts = ["vitalog.local"]
token = "quiet"
metrics_routes = 50
lateness = "10s"
repeat_every = "1h"
"#;

#[test]
fn every_table_and_key_of_the_contract_is_understood() {
    let config = parsed(WHOLE).unwrap();
    assert_eq!(Some("Europe/Berlin"), config.input.timezone.as_deref());
    assert_eq!((Some(Layer::Edge), vec!["shop*.log".to_owned()]), (config.services[0].layer, config.services[0].paths.clone()));
    assert_eq!(Some(LatencyUnit::Ms), config.fields.latency_unit);
    assert_eq!((Some(vec![]), 700), (config.routes.probes.clone(), config.routes.max));
    assert_eq!(vec![500..=599, 429..=429, 499..=499], config.health.errors);
    assert_eq!((0.999, None), (config.promises[0].target, config.promises[0].slower_than_us));
    assert_eq!(Some(300_000), config.promises[1].slower_than_us);
    assert_eq!((120, Severity::Page), (config.rules[0].for_s, config.rules[0].severity));
    assert_eq!(Some("2026-11-23T00:00:00Z".to_owned()), config.mutes[0].from.map(|t| t.to_string()));
    assert_eq!(Some("2026-11-23T02:00:00Z".to_owned()), config.mutes[0].until.map(|t| t.to_string()), "in [input] timezone");
    assert_eq!("https://hooks.example.com/hunter2", config.sinks[0].url.reveal());
    assert_eq!("Bearer hunter2", config.sinks[0].headers[0].1.reveal());
    assert_eq!(["old", "hunter2"], [0, 1].map(|at| config.sinks[0].secrets[at].reveal()));
    assert_eq!(Format::Heartbeat, config.sinks[1].format);
    assert_eq!((1 << 30, Duration::from_secs(14 * 86_400)), (config.tail.max_size, config.tail.keep));
}

#[test]
fn an_empty_file_is_the_defaults() {
    for source in ["", "\u{feff}# nothing\n", "[tail]\n[routes]\n[health]\n"] {
        assert_eq!(Ok(Config::default()), parsed(source));
    }
}

#[test]
fn what_is_wrong_is_told_in_a_sentence() {
    for (sentence, source) in [
        ("1:2: unknown key 'tale' in the file; did you mean 'tail'?", "[tale]\n"),
        (
            "2:1: unknown key 'treshold' in [[rule]]; known are when, name, for, clear_for, min_requests, severity, auth, service",
            "[[rule]]\ntreshold = 1\nwhen = 'p99 > 1s'",
        ),
        ("2:1: unknown key 'evry' in [tail]; did you mean 'every'?", "[tail]\nevry = '1m'"),
        ("2:9: every: '5' has no unit; write '5s', '5m' or '5h'", "[tail]\nevery = 5"),
        ("2:9: every: it must be more than nothing", "[tail]\nevery = '0s'"),
        ("2:8: keep: 'long' is no duration; write '300ms', '30s', '5m', '2h' or '30d'", "[tail]\nkeep = 'long'"),
        ("2:12: max_size: 'big' is no size; write '512MiB', '2GiB' or a number of bytes", "[tail]\nmax_size = 'big'"),
        ("2:9: token: '${NAME}' is read in a sink's url, headers and secret only", "[tail]\ntoken = '${T}'"),
        ("2:7: max: a whole number from 1 to 100000 is needed", "[routes]\nmax = 0"),
        ("2:7: max: a whole number from 1 to 100000 is needed, not a string", "[routes]\nmax = 'all'"),
        ("2:13: templates: 'items' does not begin with '/'", "[routes]\ntemplates = ['items']"),
        ("2:16: latency_unit: 'min' is none of 'ns', 'us', 'ms', 's'", "[fields]\nlatency_unit = 'min'"),
        ("2:8: user: a string is needed, not an integer", "[fields]\nuser = 7"),
        ("2:10: errors: '6xx' is no status; write '5xx' or '503'", "[health]\nerrors = ['6xx']"),
        (
            "2:12: timezone: 'Mars' is no time zone; write a name such as 'Europe/Berlin', 'UTC' or '+02:00'",
            "[input]\ntimezone = 'Mars'",
        ),
        ("1:2: write '[[service]]', with two brackets: there may be several", "[service]\nname = 'a'"),
        ("1:1: 'tail' is written as a table, [tail], not as integer", "tail = 1"),
        ("1:1: [[service]] needs 'name'", "[[service]]\npaths = 'a'"),
        ("3:1: two [[service]] named 'a'", "[[service]]\nname = 'a'\n[[service]]\nname = 'a'"),
        ("3:10: target: '99.9' is more than the whole; write '99.9%'", "[[promise]]\nname = 'a'\ntarget = 99.9"),
        (
            "3:10: target: a promise is more than nothing and less than all: write '99.9%'",
            "[[promise]]\nname = 'a'\ntarget = '100%'",
        ),
        ("3:12: severity: 'loud' is none of 'page', 'ticket', 'info'", "[[rule]]\nwhen = 'p99 > 1s'\nseverity = 'loud'"),
        ("2:15: when: '1%' is no time; write 300ms, 1.5s or 5m", "[[rule]]\nwhen = 'p99 > 1%'"),
        ("1:1: 'until' is not after 'from'", "[[mute]]\nfrom = '2026-11-23'\nuntil = '2026-11-22'"),
        ("2:7: url: the environment has no 'NONE'", "[[sink]]\nurl = 'https://x/${NONE}'"),
        ("2:7: url: '${' has no '}'", "[[sink]]\nurl = 'https://x/${NONE'"),
        ("2:7: url: an address that begins with 'https://' or 'http://' is needed", "[[sink]]\nurl = 'ftp://hunter2'"),
        ("3:1: two sinks with one url and format", "[[sink]]\nurl = 'http://x'\n[[sink]]\nurl = 'http://x'"),
        ("1:1: format 'template' and a 'template' belong together", "[[sink]]\nurl = 'http://x'\nformat = 'template'"),
    ] {
        let told = parsed(source).unwrap_err();
        assert_eq!(format!("v.toml:{sentence}"), told.lines().next().unwrap(), "{source}");
    }
}

#[test]
fn broken_toml_is_told_with_its_line() {
    let told = parsed("[tail]\nevery = \"1m\nkeep = \"3d\"\n").unwrap_err();
    assert!(told.starts_with("v.toml:2:"), "{told}");
    assert!(told.contains("2 | every = \"1m"), "{told}");
    let twice = parsed("[tail]\nevery = '1m'\nevery = '2m'\n").unwrap_err();
    assert!(twice.contains("duplicate key"), "{twice}");
}

#[test]
fn all_errors_are_told_in_one_run_in_the_order_of_the_file() {
    let told = parsed("[tail]\nevry = '1m'\nkeep = 5\n[[promise]]\nname = 'a'\n[ruotes]\n").unwrap_err();
    let places: Vec<&str> = told.lines().filter(|l| l.starts_with("v.toml")).map(|l| &l[7..10]).collect();
    assert_eq!(["2:1", "3:8", "4:1", "6:2"], places[..], "{told}");
}

#[test]
fn no_secret_is_printed() {
    assert!(!format!("{:?}", parsed(WHOLE).unwrap()).contains("hunter2"));
    let told =
        parsed("[[sink]]\nurl = 'https://x/${HOOK_TOKEN}'\nheaders = { A = 'hunter2', B = 3 }\ntimout = 1\n").unwrap_err();
    assert!(!told.contains("hunter2"), "{told}");
}
