#!/usr/bin/env python3
"""A real Alertmanager and a real Prometheus take what `vitalog tail` tells: firing, told again, resolved, and the metrics.

Runs the release binary (or $VITALOG) and Debian's packages prometheus and prometheus-alertmanager, which it installs where they are
missing. All on loopback, on ports of their own. The log carries its own times, in the past, so that nothing waits for a clock.
"""
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from alerts import span  # noqa: E402
from follower import ROOT, contains, each, equal, get, wait  # noqa: E402

NEEDED = {"prometheus": "prometheus", "promtool": "prometheus", "prometheus-alertmanager": "prometheus-alertmanager"}


def install():
    missing = sorted({package for program, package in NEEDED.items() if not shutil.which(program)})
    if not missing:
        return
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT, "check": False}
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-q"], env=env, **quiet)
    subprocess.run(["apt-get", "install", "-y", "-q", "--no-install-recommends", *missing], env=env, **quiet)
    still = [program for program in NEEDED if not shutil.which(program)]
    if still:
        raise SystemExit(f"alertmanager.py: {', '.join(still)} could not be installed; on Debian, as root: apt-get install "
                         "prometheus prometheus-alertmanager")


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def server(folder, name, *arguments):
    """A server of this folder's, ended with it."""
    with open(folder.at(f"{name}.log"), "wb") as log:
        process = subprocess.Popen([name, *arguments], cwd=folder.path, stdout=log, stderr=subprocess.STDOUT)

    def end():
        process.kill()
        process.wait()
    folder.undo.append(end)
    return process


def is_up(url):
    try:
        return get(url)[0] == 200
    except OSError:
        return False


def alertmanager(of):
    port = free_port()
    of.write("alertmanager.yml", "route:\n  receiver: nobody\nreceivers:\n  - name: nobody\n")
    server(of, "prometheus-alertmanager", "--config.file=alertmanager.yml", "--storage.path=am",
           f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=")
    url = f"http://127.0.0.1:{port}"
    wait(lambda: is_up(url + "/-/ready"), "Alertmanager is ready")
    return url


def prometheus(folder, target, manager):
    port = free_port()
    rules = os.path.join(ROOT, "samples", "deploy", "prometheus-rules.yml")
    folder.write("prometheus.yml", f"""
global: {{ scrape_interval: 1s, evaluation_interval: 1s }}
rule_files: ["{rules}"]
alerting: {{ alertmanagers: [ {{ static_configs: [ {{ targets: ["{manager.removeprefix('http://')}"] }} ] }} ] }}
scrape_configs: [ {{ job_name: vitalog, static_configs: [ {{ targets: ["{target.removeprefix('http://')}"] }} ] }} ]
""")
    server(folder, "prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=tsdb",
           f"--web.listen-address=127.0.0.1:{port}")
    url = f"http://127.0.0.1:{port}"
    wait(lambda: is_up(url + "/-/ready"), "Prometheus is ready")
    return url


def alerts(manager, **filters):
    """What Alertmanager holds as active, by its API."""
    query = "&".join(f"filter={urllib.parse.quote(f'{k}={json.dumps(v)}')}" for k, v in filters.items())
    return json.loads(get(f"{manager}/api/v2/alerts?active=true&{query}")[2])


def asked(url, query):
    """The values of a PromQL query."""
    status, _, body = get(f"{url}/api/v1/query?query={urllib.parse.quote(query)}")
    assert status == 200, body
    return [float(row["value"][1]) for row in json.loads(body)["data"]["result"]]


def configuration(folder, manager):
    folder.write("vitalog.toml", f"""
[health]
runbook = "https://runbooks.example.com/shop"
[[sink]]
url = "{manager}"
format = "alertmanager"
[tail]
repeat_every = "1m"
""", "w")


def an_outage_fires_is_told_again_and_is_over(folder):
    manager = alertmanager(folder)
    configuration(folder, manager)
    start = time.time() - 1500
    run = folder.tail("app.log", "--from-start", "--state", "s.db", "--service", "shop")
    metrics = prometheus(folder, run.url, manager)
    folder.write("app.log", span(start, 60, 200) + span(start + 60, 60, 500))
    first = wait(lambda: alerts(manager, alertname="outage"), "the page")
    equal(1, len(first), "alerts")
    labels = first[0]["labels"]
    equal(("outage", "shop", "page"), (labels["alertname"], labels["service"], labels["severity"]), "labels")
    contains("PAGE shop: .* errors", first[0]["annotations"]["summary"], "summary")
    equal("https://runbooks.example.com/shop", first[0]["annotations"]["runbook_url"], "runbook")
    # the same through Prometheus: our gauge, its rule, and Alertmanager again
    wait(lambda: asked(metrics, 'vitalog_alert_firing{severity="page",rule="outage"}') == [1.0], "the gauge")
    wait(lambda: asked(metrics, "sum(vitalog_requests_total)") == [240.0], "every request in Prometheus")
    wait(lambda: alerts(manager, alertname="VitalogPage"), "Prometheus' own alert")
    # told again while it lasts: later, and still one
    folder.write("app.log", span(start + 120, 150, 500))
    again = wait(lambda: [a for a in alerts(manager, alertname="outage") if a["endsAt"] > first[0]["endsAt"]], "the reminder")
    equal([first[0]["fingerprint"]], [a["fingerprint"] for a in again], "the reminded alert")
    equal(first[0]["startsAt"], again[0]["startsAt"], "its start")
    folder.write("app.log", span(start + 270, 900, 200))
    wait(lambda: not alerts(manager, alertname="outage"), "its end")
    wait(lambda: asked(metrics, 'sum(vitalog_alert_firing{severity="page"}) or vector(0)') == [0.0], "the gauge is down")
    wait(lambda: asked(metrics, "sum(vitalog_requests_total)") == [2340.0], "every request in Prometheus")


def a_test_alert_is_seen_and_marked(folder):
    manager = alertmanager(folder)
    configuration(folder, manager)
    code, out, err = folder.run("check", "--send")
    equal(0, code, out + err)
    found = wait(lambda: alerts(manager), "the test alert")
    equal(1, len(found), "alerts")
    contains("(?i)test", json.dumps(found[0]), "its mark")


def the_rules_for_prometheus_are_valid(folder):
    rules = os.path.join(ROOT, "samples", "deploy", "prometheus-rules.yml")
    done = subprocess.run(["promtool", "check", "rules", rules], cwd=folder.path, capture_output=True, text=True, check=False)
    equal(0, done.returncode, done.stdout + done.stderr)


if __name__ == "__main__":
    install()
    sys.exit(each("alertmanager", globals(), sys.argv[1:]))
